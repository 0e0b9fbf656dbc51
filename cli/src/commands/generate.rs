//! `rawbpf gen`: files for BPF developers.

use super::btf::file;
use crate::cannot_print;
use crate::show::outlet::{plural, say};
use crate::stop::Stop;
use clap::{Args, Subcommand};
use rawbpf::bindings::{ObjectBytes, Rust};
use rawbpf::btf::c::Header;
use rawbpf::linker::Linker;
use rawbpf::{Error, OpenObject, Result};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct GenArgs {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// Write `vmlinux.h`: a kernel's types and kfuncs, as C
    Vmlinux(VmlinuxArgs),
    /// Link several objects into one
    Object(ObjectArgs),
    /// Write Rust bindings for an object: what `rawbpf::include_bpf!` makes
    Rust(RustArgs),
}

#[derive(Debug, Args)]
struct VmlinuxArgs {
    /// The types (raw BTF, or an ELF file with a .BTF section) [default: this kernel's]
    #[arg(long, value_name = "FILE")]
    btf: Option<PathBuf>,
    /// The base BTF of a split file: the kernel's types, for a module's
    #[arg(long, value_name = "FILE", requires = "btf")]
    base: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Sections of one name become one. What one file declares `extern` is what another defines; `__weak` definitions give way. \
                  Every file needs type information (clang -g). Nothing is written unless all of it can be linked."
)]
struct ObjectArgs {
    /// Where to write the object
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// The objects (.bpf.o), in link order
    #[arg(required = true, value_name = "IN")]
    inputs: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The output is one module, for a crate that depends on `rawbpf`: in a build script, write it to OUT_DIR and `include!` it."
)]
struct RustArgs {
    /// The object (.bpf.o)
    #[arg(value_name = "OBJECT")]
    object: PathBuf,
    /// The module's name [default: that of the object]
    #[arg(long = "mod", value_name = "NAME")]
    module: Option<String>,
    /// More types to write, by their names in C
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// More traits to derive for all types, such as serde::Serialize
    #[arg(long, value_name = "TRAIT", value_delimiter = ',')]
    derive: Vec<String>,
    /// The type of a map's events
    #[arg(long, value_name = "MAP=TYPE", value_parser = map_and_type)]
    event: Vec<(String, String)>,
    /// A map whose autocreate may be turned off: an Option
    #[arg(long, value_name = "MAP")]
    optional: Vec<String>,
}

fn map_and_type(text: &str) -> Result<(String, String), String> {
    let (map, type_name) = text.split_once('=').ok_or("it takes MAP=TYPE")?;
    Ok((map.to_owned(), type_name.to_owned()))
}

/// Writes the bindings, with the whole path of the object: the compiler would look for another one beside the output.
fn rust(args: &RustArgs, out: &mut impl Write) -> Result<()> {
    let path = &args.object;
    let open = OpenObject::from_file(path)?;
    let whole = fs::canonicalize(path).map_err(|error| Error::from_io(error, "find", path))?;
    let mut bindings = Rust::new(&open)
        .types(&args.types)
        .object(ObjectBytes::Include(whole));
    if let Some(name) = &args.module {
        bindings = bindings.module(name);
    }
    for path in &args.derive {
        bindings = bindings.derive(path);
    }
    for (map, type_name) in &args.event {
        bindings = bindings.event(map, type_name);
    }
    for map in &args.optional {
        bindings = bindings.optional(map);
    }
    out.write_all(bindings.write()?.as_bytes())
        .map_err(cannot_print)
}

pub(crate) fn generate(args: &GenArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    match &args.job {
        Job::Vmlinux(args) => vmlinux(args, out),
        Job::Object(args) => object(args, stop),
        Job::Rust(args) => rust(args, out),
    }
}

/// Links the objects. The output may be one of them.
fn object(args: &ObjectArgs, stop: &Stop) -> Result<()> {
    let mut linker = Linker::new();
    for input in &args.inputs {
        linker.add_file(input)?;
    }
    let linked = linker.link()?;
    write_whole(&args.output, &linked)?;
    let objects = plural(args.inputs.len(), "object");
    let len = linked.len();
    let output = args.output.display();
    say(
        stop,
        format_args!("rawbpf: {objects} linked to {len} bytes in {output}"),
    );
    Ok(())
}

/// Writes to a temporary file next to the path and renames it when it is complete, so that nobody reads an incomplete file and
/// an error preserves the old one. If the path is not a regular file, such as `/dev/stdout`, it is written to directly.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error| Error::from_io(error, "write", path);
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return fs::write(path, bytes).map_err(failed);
    }
    // A symbolic link is kept.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut beside = path.file_name().unwrap_or_default().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(beside);
    let written = write_new(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        failed(error)
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn vmlinux(args: &VmlinuxArgs, out: &mut impl Write) -> Result<()> {
    let path = args.btf.as_deref();
    let path = path.unwrap_or(Path::new("/sys/kernel/btf/vmlinux"));
    let btf = file(path, args.base.as_deref())?;
    let header = Header::new(&btf).write()?;
    out.write_all(header.text().as_bytes())
        .map_err(cannot_print)
}
