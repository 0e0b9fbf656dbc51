//! `rawbpf btf`: types in files and in the kernel, shown as they are, or as definitions.

mod encode;
mod minimize;

use crate::cannot_print;
use crate::show::table::print_table;
use crate::show::types;
use crate::stop::Stop;
use clap::{Args, Subcommand, ValueEnum};
use rawbpf::btf::Btf;
use rawbpf::btf::c::{Header, Order};
use rawbpf::map::Map;
use rawbpf::program::Program;
use rawbpf::reloc::Target;
use rawbpf::{Error, ErrorKind, Result, TypeId, near_names};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct BtfArgs {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// Show the types in a file, or those of the kernel, a program or a map
    Dump(DumpArgs),
    /// List the type information that the kernel holds, and which programs and maps use it
    List(ListArgs),
    /// Write the part of kernels' types that objects need, to ship with them to kernels without BTF
    Minimize(minimize::MinimizeArgs),
    /// Make type information of the debug information (DWARF) of a kernel, module or object that has none
    Encode(encode::EncodeArgs),
}

impl BtfArgs {
    pub(crate) fn is_json(&self) -> bool {
        match &self.job {
            Job::Dump(args) => args.format == Format::Json,
            Job::List(args) => args.json,
            Job::Minimize(_) | Job::Encode(_) => false,
        }
    }
}

#[derive(Debug, Args)]
struct DumpArgs {
    /// FILE (raw BTF, or an ELF file with a .BTF section), `id N`, `prog id N`, or `map id N [key|value|kv|all]`
    #[arg(required = true, num_args = 1..=4, value_name = "SOURCE")]
    source: Vec<String>,
    /// How types are written
    #[arg(long, value_enum, default_value_t = Format::Raw)]
    format: Format,
    /// Nothing but the types of this name; as C, with what they need (may be repeated)
    #[arg(long = "root", value_name = "NAME")]
    roots: Vec<String>,
    /// What a file continues: the kernel's types, for a module's [default, for files of /sys/kernel/btf: vmlinux there]
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// As C, in the order of their numbers instead of their names
    #[arg(long)]
    unsorted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each type, and for each of its parts, as `bpftool btf dump` has it
    Raw,
    /// Definitions in C, each after those that it needs
    C,
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
    let written = match args.format {
        Format::C => {
            let order = if args.unsorted {
                Order::Numbers
            } else {
                Order::Names
            };
            let header = Header::new(&btf).order(order).only(roots).write()?;
            out.write_all(header.text().as_bytes())
        }
        Format::Raw => types::print_raw(out, &btf, &roots),
        Format::Json => types::print_json(out, &btf, &roots),
    };
    written.map_err(cannot_print)
}

/// Where types come from.
#[derive(Debug, PartialEq)]
enum Source<'a> {
    File(&'a Path),
    Id(u32),
    Program(u32),
    Map(u32, MapPart),
}

/// Which of a map's types are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MapPart {
    Key,
    Value,
    KeyAndValue,
    All,
}

impl<'a> Source<'a> {
    fn of(words: &'a [String]) -> Result<Self> {
        let words: Vec<&'a str> = words.iter().map(String::as_str).collect();
        let part = |word: &str| match word {
            "key" => Some(MapPart::Key),
            "value" => Some(MapPart::Value),
            "kv" => Some(MapPart::KeyAndValue),
            "all" => Some(MapPart::All),
            _ => None,
        };
        let source = match words.as_slice() {
            ["id", id] => id.parse().ok().map(Self::Id),
            ["prog", "id", id] => id.parse().ok().map(Self::Program),
            ["map", "id", id] => id
                .parse()
                .ok()
                .map(|id| Self::Map(id, MapPart::KeyAndValue)),
            ["map", "id", id, word] => id
                .parse()
                .ok()
                .zip(part(word))
                .map(|(id, part)| Self::Map(id, part)),
            ["file", path] | [path] => Some(Self::File(Path::new(*path))),
            _ => None,
        };
        source.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                format!("`{}` is no source of types", words.join(" ")),
            )
            .with_hint("expected FILE, `id N`, `prog id N`, or `map id N [key|value|kv|all]`")
        })
    }

    /// Its types, and those that are asked for if not all are.
    fn read(&self, base: Option<&Path>) -> Result<(Arc<Btf<'static>>, Vec<TypeId>)> {
        match self {
            Self::File(path) => Ok((file(path, base)?, Vec::new())),
            Self::Id(id) => Ok((of_id(*id)?, Vec::new())),
            Self::Program(id) => {
                let btf = Program::from_id(*id)?.btf()?;
                let btf = btf.ok_or_else(|| no_types(&format!("program {id}")))?;
                Ok((Arc::new(btf), Vec::new()))
            }
            Self::Map(id, part) => of_map(*id, *part),
        }
    }
}

/// The types in a file. A module's continue the kernel's.
pub(super) fn file(path: &Path, base: Option<&Path>) -> Result<Arc<Btf<'static>>> {
    let kernels = Path::new("/sys/kernel/btf");
    let is_module = path.parent() == Some(kernels) && path.file_name() != Some("vmlinux".as_ref());
    let vmlinux = kernels.join("vmlinux");
    let base = base.or(is_module.then_some(vmlinux.as_path()));
    let btf = match base {
        Some(base) => Btf::from_file_split(path, &Arc::new(Btf::from_file(base)?))?,
        None => Btf::from_file(path)?,
    };
    Ok(Arc::new(btf))
}

/// The types of this number in the kernel.
fn of_id(id: u32) -> Result<Arc<Btf<'static>>> {
    // Kernels before 5.11 tell no names, and have no modules' types either.
    let is_module = Btf::info(id).is_ok_and(|info| info.is_kernel && info.name != "vmlinux");
    let target = Target::running();
    let base = if is_module {
        Some(target.vmlinux_btf()?)
    } else {
        None
    };
    Ok(Arc::new(Btf::from_id(id, base)?))
}

fn of_map(id: u32, part: MapPart) -> Result<(Arc<Btf<'static>>, Vec<TypeId>)> {
    let info = Map::from_id(id)?.info()?;
    let (btf, key, value) = if info.btf_vmlinux_value_type.is_void() {
        if info.btf_id == 0 {
            return Err(no_types(&format!("map {id}")));
        }
        (of_id(info.btf_id)?, info.btf_key_type, info.btf_value_type)
    } else {
        let target = Target::running();
        (
            Arc::clone(target.vmlinux_btf()?),
            TypeId::VOID,
            info.btf_vmlinux_value_type,
        )
    };
    let roots = match part {
        MapPart::Key => vec![key],
        MapPart::Value => vec![value],
        MapPart::KeyAndValue => vec![key, value],
        MapPart::All => Vec::new(),
    };
    Ok((btf, roots.into_iter().filter(|id| !id.is_void()).collect()))
}

fn no_types(what: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("{what} was loaded without types"),
    )
}

/// The types of a name, of whatever kind.
fn named(btf: &Btf<'_>, name: &str) -> Result<Vec<TypeId>> {
    let types = || {
        btf.types()
            .chain(btf.base().into_iter().flat_map(|base| base.types()))
    };
    let found: Vec<_> = types()
        .filter(|ty| ty.name() == name)
        .map(|ty| ty.id())
        .collect();
    if !name.is_empty() && !found.is_empty() {
        return Ok(found);
    }
    let near = near_names(
        name,
        types().map(|ty| ty.name()).filter(|name| !name.is_empty()),
    );
    let error = Error::new(ErrorKind::NotFound, format!("there is no type `{name}`"));
    Err(if near.is_empty() {
        error
    } else {
        error.with_hint(format!("there is: {}", near.join(", ")))
    })
}

/// Type information in the kernel. The field names are an interface: other tools read them.
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
    for id in Program::ids() {
        let id = id?;
        // What is gone since is not listed.
        if let Some(info) = present(Program::from_id(id).and_then(|program| program.info()))? {
            programs.entry(info.btf_id).or_default().push(id);
        }
    }
    for id in Map::ids() {
        let id = id?;
        if let Some(info) = present(Map::from_id(id).and_then(|map| map.info()))? {
            maps.entry(info.btf_id).or_default().push(id);
        }
    }
    let mut listed = Vec::new();
    for id in Btf::ids() {
        if let Some(info) = present(Btf::info(id?))? {
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

/// For each type information, the numbers of those that use it.
fn users() -> BTreeMap<u32, Vec<u32>> {
    BTreeMap::new()
}

fn present<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_from_words() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (text, source) in [
            ("vmlinux", Source::File(Path::new("vmlinux"))),
            ("file id", Source::File(Path::new("id"))),
            ("id 7", Source::Id(7)),
            ("prog id 8", Source::Program(8)),
            ("map id 9", Source::Map(9, MapPart::KeyAndValue)),
            ("map id 9 key", Source::Map(9, MapPart::Key)),
            ("map id 9 all", Source::Map(9, MapPart::All)),
        ] {
            assert_eq!(Source::of(&words(text)).unwrap(), source);
        }
        for text in ["id x", "prog 7", "map id 9 keys", "a b"] {
            let error = Source::of(&words(text)).unwrap_err();
            assert!(error.to_string().contains("expected FILE"), "{error}");
        }
    }
}
