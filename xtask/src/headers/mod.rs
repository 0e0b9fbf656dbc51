//! `cargo xtask headers`: the C headers that BPF programs include, in `build/include/bpf`. Writes the one that declares the helper
//! functions, and compares all of them with libbpf's.

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
    #[arg(long)]
    check: bool,
}

/// The folder `build/include` of the checkout that cargo runs this chore in.
fn include_dir() -> Result<PathBuf> {
    let dir = fixtures_dir()?.join("../build/include");
    dir.canonicalize()
        .with_context(|| format!("finding {}", dir.display()))
}

/// Writes or checks the header.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let path = include_dir()?.join("bpf/bpf_helper_defs.h");
    let text = helpers::header()?;
    if args.check {
        let is_current = fs::read_to_string(&path).is_ok_and(|old| old == text);
        if !is_current {
            eprintln!("{} is out of date: run `cargo xtask headers`", path.display());
            return Ok(ExitCode::FAILURE);
        }
        return Ok(ExitCode::SUCCESS);
    }
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    println!("{}: {} helpers", path.display(), helpers::all()?.len());
    Ok(ExitCode::SUCCESS)
}
