//! `rawbpf map show`.

use crate::commands::holders::{Held, Holder, Holders};
use crate::commands::listing::{Device, Named, OutputArgs, holders_cell};
use crate::commands::pinned::Pins;
use crate::commands::which::{self, Which};
use crate::show::table::print_table;
use clap::Args;
use rawbpf::map::{Map, MapInfo};
use rawbpf::{MapType, Result};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rawbpf map show\n  rawbpf map show name events --json\n  rawbpf map show pinned /sys/fs/bpf/tool/events"
)]
pub(crate) struct ShowArgs {
    /// Only these: `id N`, `name NAME` or `pinned PATH` [default: all]
    #[arg(value_name = "MAP", num_args = 0..=2)]
    which: Vec<String>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// A map. The names are bpftool's.
#[derive(Serialize)]
struct Listed<'h> {
    id: u32,
    #[serde(rename = "type")]
    kind: Named,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    flags: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    dev: Option<Device>,
    bytes_key: u32,
    bytes_value: u32,
    max_entries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_memlock: Option<u64>,
    #[serde(flatten)]
    owner: Option<Owner>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    btf_id: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pinned: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pids: Vec<&'h Holder>,
}

/// Which programs an array of programs takes.
#[derive(Serialize)]
struct Owner {
    owner_prog_type: Named,
    owner_jited: bool,
}

pub(super) fn show(args: &ShowArgs, out: &mut impl Write) -> Result<()> {
    let which = Which::of_all::<Map>(&args.which)?;
    let (holders, pins) = (Holders::now(), Pins::of_all::<Map>());
    let mut listed = Vec::new();
    for found in which::each::<Map>(which) {
        let (map, info) = found?;
        listed.push(describe(&map, info, &holders, &pins));
    }
    args.output.print::<Map, _, _>(out, which, &listed, print)
}

/// What the kernel does not tell this process is left out.
fn describe<'h>(map: &Map, info: MapInfo, holders: &'h Holders, pins: &Pins) -> Listed<'h> {
    let state = map.state().ok();
    let owner = state.and_then(|state| state.owner);
    Listed {
        id: info.id,
        kind: Named(info.kind.0, info.kind.name()),
        name: info.name,
        flags: info.flags.bits(),
        dev: Device::of(info.ifindex, info.netns_dev, info.netns_ino),
        bytes_key: info.key_size,
        bytes_value: info.value_size,
        max_entries: info.max_entries,
        bytes_memlock: state.map(|state| state.memlock),
        owner: owner
            .filter(|_| info.kind == MapType::PROG_ARRAY)
            .map(|owner| Owner {
                owner_prog_type: Named(owner.kind.0, owner.kind.name()),
                owner_jited: owner.jited,
            }),
        frozen: state.map(|state| state.frozen.into()),
        btf_id: (info.btf_id != 0).then_some(info.btf_id),
        pinned: pins.of(info.id),
        pids: holders.of(Held::Map, info.id),
    }
}

fn print(out: &mut impl Write, listed: &[Listed<'_>]) -> io::Result<()> {
    let rows = || {
        listed.iter().map(|map| {
            [
                map.id.to_string().into(),
                map.kind.text(),
                map.name.as_str().into(),
                map.bytes_key.to_string().into(),
                map.bytes_value.to_string().into(),
                map.max_entries.to_string().into(),
                format!("{:#x}", map.flags).into(),
                map.bytes_memlock
                    .map_or_else(String::new, |bytes| bytes.to_string())
                    .into(),
                (if map.frozen == Some(1) { "yes" } else { "" }).into(),
                holders_cell(&map.pids),
                map.pinned.join(",").into(),
            ]
        })
    };
    let headings = [
        "id", "type", "name", "key", "value", "entries", "flags", "bytes", "frozen", "held by",
        "pinned",
    ];
    print_table(out, "maps", headings, rows)
}
