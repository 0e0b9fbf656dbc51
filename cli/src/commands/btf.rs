//! `rawbpf btf`: types in files and in the kernel, printed raw or as definitions.

mod diff;
mod encode;
mod merge;
mod minimize;
mod source;

use super::which;
use crate::cannot_print;
use crate::show::table::print_table;
use crate::show::types;
use crate::stop::Stop;
use clap::{Args, Subcommand, ValueEnum};
use rawbpf::Result;
use rawbpf::btf::Btf;
use rawbpf::btf::c::{Header, Order};
use rawbpf::btf::rust::Module;
use rawbpf::map::Map;
use rawbpf::program::Program;
use serde::Serialize;
use source::{Source, named};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

pub(super) use source::file;

#[derive(Debug, Args)]
pub(crate) struct BtfArgs {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// Show the types in a file, or those of the kernel, a program or a map
    Dump(DumpArgs),
    /// List the BTF in the kernel, and the programs and maps that use it
    List(ListArgs),
    /// Show the differences between two kernels' types: added, removed and changed ones, member by member
    Diff(diff::DiffArgs),
    /// Merge the types of several files, without duplicates
    Merge(merge::MergeArgs),
    /// Deduplicate types
    Dedup(merge::DedupArgs),
    /// Write the subset of kernels' types that objects need, to ship with them to kernels without BTF
    Minimize(minimize::MinimizeArgs),
    /// Generate BTF from the debug information (DWARF) of a kernel, module or object that has none
    Encode(encode::EncodeArgs),
}

impl BtfArgs {
    pub(crate) fn is_json(&self) -> bool {
        match &self.job {
            Job::Dump(args) => args.format == Format::Json,
            Job::List(args) => args.json,
            Job::Diff(args) => args.json,
            Job::Merge(_) | Job::Dedup(_) | Job::Minimize(_) | Job::Encode(_) => false,
        }
    }
}

#[derive(Debug, Args)]
struct DumpArgs {
    /// FILE (raw BTF, or an ELF file with a .BTF section); BTF in the kernel, `id N`; that of a program, `prog id N`, `prog
    /// pinned PATH`, `prog name NAME` or `prog tag TAG`; that of a map, `map id N`, `map pinned PATH` or `map name NAME`,
    /// followed by `key`, `value`, `kv` (the default) or `all`
    #[arg(required = true, num_args = 1..=4, value_name = "SOURCE")]
    source: Vec<String>,
    /// The output format
    #[arg(long, value_enum, default_value_t = Format::Raw)]
    format: Format,
    /// Only the types with this name; as C or Rust, with their dependencies (may be repeated)
    #[arg(long = "root", value_name = "NAME")]
    roots: Vec<String>,
    /// The base BTF of a split file: the kernel's types, for a module's [default, for files of /sys/kernel/btf: vmlinux there]
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// As C or Rust, sort by type id instead of by name
    #[arg(long)]
    unsorted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each type, and for each of its parts, as printed by `bpftool btf dump`
    Raw,
    /// Definitions in C, in order of dependency
    C,
    /// Definitions in Rust, for a crate that depends on `zerocopy`
    Rust,
    /// The same as `raw`, as JSON
    Json,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn btf(args: &BtfArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    match &args.job {
        Job::Encode(args) => encode::encode(args, stop, out),
        Job::Diff(args) => diff::diff(args, stop, out),
        Job::Merge(args) => merge::merge(args, out),
        Job::Dedup(args) => merge::dedup(args, out),
        Job::Dump(args) => dump(args, out),
        Job::List(args) => list(args, out),
        Job::Minimize(args) => minimize::run(args, stop, out),
    }
}

fn dump(args: &DumpArgs, out: &mut impl Write) -> Result<()> {
    let source = Source::of(&args.source)?;
    let (btf, mut roots) = source.read(args.base.as_deref())?;
    for name in &args.roots {
        roots.extend(named(&btf, name)?);
    }
    let order = if args.unsorted {
        Order::Numbers
    } else {
        Order::Names
    };
    let written = match args.format {
        Format::C => {
            let header = Header::new(&btf).order(order).only(roots).write()?;
            out.write_all(header.text().as_bytes())
        }
        Format::Rust => {
            let module = Module::new(&btf).order(order).only(roots).write()?;
            out.write_all(module.text().as_bytes())
        }
        Format::Raw => types::print_raw(out, &btf, &roots),
        Format::Json => types::print_json(out, &btf, &roots),
    };
    written.map_err(cannot_print)
}

/// BTF in the kernel. The field names are an interface: other tools read them.
#[derive(Serialize)]
struct Listed {
    id: u32,
    name: String,
    kernel: bool,
    size: u32,
    prog_ids: Vec<u32>,
    map_ids: Vec<u32>,
}

fn list(args: &ListArgs, out: &mut impl Write) -> Result<()> {
    let (mut programs, mut maps) = (users(), users());
    for program in which::each::<Program>(None) {
        let (_, info) = program?;
        programs.entry(info.btf_id).or_default().push(info.id);
    }
    for map in which::each::<Map>(None) {
        let (_, info) = map?;
        maps.entry(info.btf_id).or_default().push(info.id);
    }
    let mut listed = Vec::new();
    for id in Btf::ids() {
        if let Some(info) = which::present(Btf::info(id?))? {
            listed.push(Listed {
                id: info.id,
                name: info.name,
                kernel: info.is_kernel,
                size: info.size,
                prog_ids: programs.remove(&info.id).unwrap_or_default(),
                map_ids: maps.remove(&info.id).unwrap_or_default(),
            });
        }
    }
    let written = if args.json {
        crate::show::json::print_json(out, &listed)
    } else {
        print_list(out, &listed)
    };
    written.map_err(cannot_print)
}

/// An empty map from BTF ids to the ids of their users.
fn users() -> BTreeMap<u32, Vec<u32>> {
    BTreeMap::new()
}

fn print_list(out: &mut impl Write, listed: &[Listed]) -> std::io::Result<()> {
    let joined = |ids: &[u32]| {
        let texts: Vec<_> = ids.iter().map(ToString::to_string).collect();
        texts.join(",")
    };
    let rows = || {
        listed.iter().map(|btf| {
            let name = match (btf.name.as_str(), btf.kernel) {
                ("", _) => "-".into(),
                (name, _) => name.into(),
            };
            [
                btf.id.to_string().into(),
                name,
                btf.size.to_string().into(),
                joined(&btf.prog_ids).into(),
                joined(&btf.map_ids).into(),
            ]
        })
    };
    print_table(
        out,
        "type information",
        ["id", "name", "bytes", "programs", "maps"],
        rows,
    )
}
