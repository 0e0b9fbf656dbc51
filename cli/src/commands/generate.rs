//! `rawbpf gen`: files for those who write programs.

use super::btf::file;
use crate::cannot_print;
use crate::stop::Stop;
use clap::{Args, Subcommand};
use rawbpf::Result;
use rawbpf::btf::c::Header;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct GenArgs {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// Write `vmlinux.h`: a kernel's types and the functions that it lends to programs, as C
    Vmlinux(VmlinuxArgs),
}

#[derive(Debug, Args)]
struct VmlinuxArgs {
    /// The types (raw BTF, or an ELF file with a .BTF section) [default: this kernel's]
    #[arg(long, value_name = "FILE")]
    btf: Option<PathBuf>,
    /// What the file continues: the kernel's types, for a module's
    #[arg(long, value_name = "FILE", requires = "btf")]
    base: Option<PathBuf>,
}

pub(crate) fn generate(args: &GenArgs, _: &Stop, out: &mut impl Write) -> Result<()> {
    let Job::Vmlinux(args) = &args.job;
    let path = args.btf.as_deref();
    let path = path.unwrap_or(Path::new("/sys/kernel/btf/vmlinux"));
    let btf = file(path, args.base.as_deref())?;
    let header = Header::new(&btf).write()?;
    out.write_all(header.text().as_bytes())
        .map_err(cannot_print)
}
