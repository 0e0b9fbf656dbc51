//! `rawbpf prog show`.

use crate::commands::attachments::{Attached, Attachments};
use crate::commands::holders::{Held, Holder, Holders};
use crate::commands::listing::{Device, Named, OutputArgs, holders_cell, ids_cell};
use crate::commands::pinned::Pins;
use crate::commands::which::{self, Which};
use crate::show::json::{Hex, Shown};
use crate::show::table::print_table;
use clap::Args;
use rawbpf::Result;
use rawbpf::map::Map;
use rawbpf::program::{Program, ProgramInfo};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rawbpf prog show\n  rawbpf prog show name handle_exec --json\n  rawbpf prog show pinned /sys/fs/bpf/tool/prog"
)]
pub(crate) struct ShowArgs {
    /// Only these: `id N`, `name NAME`, `tag TAG` or `pinned PATH` [default: all]
    #[arg(value_name = "PROGRAM", num_args = 0..=2)]
    which: Vec<String>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// A program. The names are bpftool's, except for `attached`.
#[derive(Serialize)]
struct Listed<'h> {
    id: u32,
    #[serde(rename = "type")]
    kind: Named,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    tag: Shown<String>,
    gpl_compatible: bool,
    #[serde(flatten)]
    runs: Option<Runs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recursion_misses: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dev: Option<Device>,
    #[serde(flatten)]
    loaded: Option<Loaded>,
    orphaned: bool,
    bytes_xlated: u32,
    jited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_jited: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_memlock: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    map_ids: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    btf_id: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pinned: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pids: Vec<&'h Holder>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    attached: &'h [Attached],
}

/// What a program has done, where the kernel counts that.
#[derive(Serialize)]
struct Runs {
    run_time_ns: u64,
    run_cnt: u64,
}

#[derive(Serialize)]
struct Loaded {
    /// Seconds since 1970.
    loaded_at: u64,
    uid: u32,
}

pub(super) fn show(args: &ShowArgs, out: &mut impl Write) -> Result<()> {
    let which = Which::of_all::<Program>(&args.which)?;
    let surroundings = Surroundings::now();
    let mut listed = Vec::new();
    for found in which::each::<Program>(which) {
        let (program, info) = found?;
        listed.push(surroundings.describe(&program, &info));
    }
    args.output
        .print::<Program, _, _>(out, which, &listed, print)
}

/// What is known about all programs together.
struct Surroundings {
    holders: Holders,
    pins: Pins,
    attachments: Attachments,
    boot: Duration,
}

impl Surroundings {
    fn now() -> Self {
        Self {
            holders: Holders::now(),
            pins: Pins::of_all::<Program>(),
            attachments: Attachments::now(),
            boot: boot_time(),
        }
    }

    /// What the kernel does not tell this process is left out.
    fn describe(&self, program: &Program, info: &ProgramInfo) -> Listed<'_> {
        let map_ids = program.map_ids().unwrap_or_default();
        Listed {
            id: info.id,
            kind: Named(info.kind.0, info.kind.name()),
            name: full_name(program, info),
            tag: Shown(Hex(&info.tag).to_string()),
            gpl_compatible: info.gpl_compatible,
            runs: (info.run_count != 0 || !info.run_time.is_zero()).then(|| Runs {
                run_time_ns: nanoseconds(info.run_time),
                run_cnt: info.run_count,
            }),
            recursion_misses: (info.recursion_misses != 0).then_some(info.recursion_misses),
            dev: Device::of(info.ifindex, info.netns_dev, info.netns_ino),
            loaded: (!info.load_time.is_zero()).then(|| Loaded {
                loaded_at: self.boot.saturating_add(info.load_time).as_secs(),
                uid: info.created_by_uid,
            }),
            orphaned: false,
            bytes_xlated: info.translated_len,
            jited: info.jited_len != 0,
            bytes_jited: (info.jited_len != 0).then_some(info.jited_len),
            bytes_memlock: program.memlock().ok(),
            metadata: metadata(&map_ids),
            map_ids,
            btf_id: (info.btf_id != 0).then_some(info.btf_id),
            pinned: self.pins.of(info.id),
            pids: self.holders.of(Held::Program, info.id),
            attached: self.attachments.of(info.id),
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// When this machine was started, since 1970.
fn boot_time() -> Duration {
    let now = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    now(ClockId::Realtime).saturating_sub(now(ClockId::Boottime))
}

/// Its name, whole: the kernel keeps fifteen bytes, but the types have the function's.
fn full_name(program: &Program, info: &ProgramInfo) -> String {
    if info.name.len() < which::LONGEST_NAME {
        return info.name.clone();
    }
    let function = || {
        let first = *program.func_info().ok()?.first()?;
        let btf = program.btf().ok()??;
        let name = btf.get(first.type_id).ok()?.name().to_owned();
        name.starts_with(&info.name).then_some(name)
    };
    function().unwrap_or_else(|| info.name.clone())
}

/// The variables `bpf_metadata_NAME` of a program's `.rodata`, by which an object says what it is.
fn metadata(map_ids: &[u32]) -> BTreeMap<String, Value> {
    map_ids
        .iter()
        .find_map(|id| {
            metadata_in(&Map::from_id_with(*id, rawbpf::map::OpenAccess::ReadOnly).ok()?)
        })
        .unwrap_or_default()
}

fn metadata_in(map: &Map) -> Option<BTreeMap<String, Value>> {
    const PREFIX: &str = "bpf_metadata_";
    let is_section = map.kind() == rawbpf::MapType::ARRAY
        && map.max_entries() == 1
        && map.name().ends_with(".rodata");
    if !is_section {
        return None;
    }
    let types = map.types().ok()??;
    let bytes = map.get(&0u32.to_ne_bytes()).ok()??;
    let mut found = BTreeMap::new();
    for variable in types.btf.get(types.value).ok()?.variables() {
        let name = types.btf.get(variable.type_id).ok()?.name();
        let Some(key) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let start = usize::try_from(variable.offset).ok()?;
        let value = bytes.get(start..start.checked_add(usize::try_from(variable.size).ok()?)?)?;
        let value = types.btf.decode(variable.type_id, value).ok()?;
        let value = serde_json::from_str(&value.json().to_string()).ok()?;
        found.insert(key.to_owned(), value);
    }
    (!found.is_empty()).then_some(found)
}

fn print(out: &mut impl Write, listed: &[Listed<'_>]) -> io::Result<()> {
    let rows = || {
        listed.iter().map(|program| {
            let runs = program.runs.as_ref();
            let attached: Vec<_> = program.attached.iter().map(ToString::to_string).collect();
            [
                program.id.to_string().into(),
                program.kind.text(),
                program.name.as_str().into(),
                program.tag.0.as_str().into(),
                runs.map_or_else(String::new, |runs| runs.run_cnt.to_string())
                    .into(),
                runs.map_or_else(String::new, |runs| {
                    format!("{:?}", Duration::from_nanos(runs.run_time_ns))
                })
                .into(),
                program
                    .bytes_memlock
                    .map_or_else(String::new, |bytes| bytes.to_string())
                    .into(),
                ids_cell(&program.map_ids),
                holders_cell(&program.pids),
                program.pinned.join(",").into(),
                attached.join(",").into(),
            ]
        })
    };
    let headings = [
        "id", "type", "name", "tag", "runs", "time", "bytes", "maps", "held by", "pinned",
        "attached",
    ];
    print_table(out, "programs", headings, rows)
}
