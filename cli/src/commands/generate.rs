//! `rawbpf gen`: files for BPF developers.

mod headers;
mod rust;
mod skeleton;

use super::btf::file;
use super::write::write_whole;
use crate::cannot_print;
use crate::show::outlet::{plural, say};
use crate::stop::Stop;
use clap::{Args, Subcommand};
use headers::HeadersArgs;
use rawbpf::Result;
use rawbpf::btf::c::Header;
use rawbpf::linker::Linker;
use rust::RustArgs;
use skeleton::SkeletonArgs;
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
    /// Write a C header with the object and its maps, programs and variables by name, for programs that link libbpf
    Skeleton(SkeletonArgs),
    /// The same for a library that is linked into other objects
    Subskeleton(SkeletonArgs),
    /// Write out the headers that `compile` and `run` include
    Headers(HeadersArgs),
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

pub(crate) fn generate(args: &GenArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    match &args.job {
        Job::Vmlinux(args) => vmlinux(args, out),
        Job::Object(args) => object(args, stop),
        Job::Rust(args) => rust::rust(args, out),
        Job::Skeleton(args) => skeleton::skeleton(args, stop, out),
        Job::Subskeleton(args) => skeleton::subskeleton(args, stop, out),
        Job::Headers(args) => headers::headers(args, out),
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

fn vmlinux(args: &VmlinuxArgs, out: &mut impl Write) -> Result<()> {
    let path = args.btf.as_deref();
    let path = path.unwrap_or(Path::new("/sys/kernel/btf/vmlinux"));
    let btf = file(path, args.base.as_deref())?;
    let header = Header::new(&btf).write()?;
    out.write_all(header.text().as_bytes())
        .map_err(cannot_print)
}
