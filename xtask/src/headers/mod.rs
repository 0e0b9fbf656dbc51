//! `cargo xtask headers`: the C headers that BPF programs include, in `build/include/bpf`. Writes the one that declares the helper
//! functions, or compares all of them with libbpf's.

mod compare;
mod helpers;

use crate::fixtures::fixtures_dir;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `cargo xtask headers`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if bpf_helper_defs.h is out of date
    #[arg(long, conflicts_with = "compare")]
    check: bool,
    /// Write nothing; compile C files, or those of folders, with these headers and with libbpf's, and compare the objects
    #[arg(long, value_name = "PATH", num_args = 1..)]
    compare: Vec<PathBuf>,
    /// The folder that has libbpf's headers in `bpf`
    #[arg(long, value_name = "DIR", default_value = "/usr/include")]
    reference: PathBuf,
    /// The kernel's types, as BTF, for vmlinux.h
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/btf/vmlinux")]
    btf: PathBuf,
    /// A vmlinux.h
    #[arg(long, value_name = "FILE", conflicts_with = "btf")]
    vmlinux: Option<PathBuf>,
    /// An option for the compiler (may be repeated)
    #[arg(long = "flag", value_name = "OPTION", allow_hyphen_values = true)]
    flags: Vec<String>,
}

/// Writes or checks the header, or compares the headers.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if !args.compare.is_empty() {
        return compare::run(args);
    }
    let path = include_dir()?.join("bpf/bpf_helper_defs.h");
    let text = helpers::header()?;
    if args.check {
        let is_current = fs::read_to_string(&path).is_ok_and(|old| old == text);
        if !is_current {
            eprintln!(
                "{} is out of date: run `cargo xtask headers`",
                path.display()
            );
            return Ok(ExitCode::FAILURE);
        }
        return Ok(ExitCode::SUCCESS);
    }
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    println!("{}: {} helpers", path.display(), helpers::all()?.len());
    Ok(ExitCode::SUCCESS)
}

/// The folder `build/include` of the checkout that cargo runs this chore in.
fn include_dir() -> Result<PathBuf> {
    let dir = fixtures_dir()?.join("../build/include");
    dir.canonicalize()
        .with_context(|| format!("finding {}", dir.display()))
}
