//! `cargo xtask parity`: libbpf and rawbpf over the same objects, on the same kernel.
//!
//! In: objects, or executables and folders that contain objects. Out: a row for each object, and every difference with both
//! sides. Not here: the reference itself, which is the driver `benches/peers/src/bin/reference.rs`.

mod compare;
mod embedded;
mod fetch;
mod masked;
mod ours;
mod place;
mod question;
mod reference;
mod report;
mod verdict;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};

use place::Place;
use report::{Format, Report};

/// Arguments of `cargo xtask parity`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fetch the libbpf-tools of a Debian suite and compare the objects inside
    #[arg(long, value_name = "SUITE", num_args = 0..=1, require_equals = true, default_missing_value = "bookworm")]
    libbpf_tools: Option<String>,
    /// Load no program: compare the instructions and maps that would be passed to the kernel
    #[arg(long)]
    prepare: bool,
    /// Ask in a guest with Debian's kernel of this series (such as 6.1), not on the running kernel.
    #[arg(long, value_name = "SERIES")]
    kernel: Option<String>,
    /// Print JSON lines instead of a table.
    #[arg(long)]
    json: bool,
    /// Write every difference as a line of JSON to this file, too.
    #[arg(long, value_name = "FILE")]
    differences: Option<PathBuf>,
    /// Objects, executables that contain objects, or folders of either.
    #[arg(required_unless_present = "libbpf_tools")]
    files: Vec<PathBuf>,
}

/// Which part of the work is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    /// Up to what would be passed to the kernel.
    Prepare,
    /// Up to the kernel's verdict, on each program alone.
    Load,
}

/// Compares and prints; the exit status tells whether there is a difference.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut files = args.files.clone();
    if let Some(suite) = &args.libbpf_tools {
        files.push(fetch::libbpf_tools(suite)?);
    }
    let format = if args.json {
        Format::Json
    } else {
        Format::Table
    };
    let depth = if args.prepare {
        Depth::Prepare
    } else {
        Depth::Load
    };
    let work = tempfile::tempdir()?;
    let objects = embedded::collect(&files, work.path())?;
    ensure!(!objects.is_empty(), "the given files contain no BPF object");
    let place = match &args.kernel {
        None => Place::host()?,
        Some(series) => Place::guest(series)?,
    };
    let mut differences = String::new();
    let mut report = Report::new(depth);
    place.ask_all(&objects, depth, &mut |number, ask| {
        let object = &objects[number];
        let row = match (
            reference::ask(object, depth, ask),
            ours::ask(object, depth, ask),
        ) {
            (Ok(theirs), Ok(ours)) => compare::compare(&object.name, &theirs, &ours, depth),
            (theirs, ours) => compare::silence(&object.name, theirs.err(), ours.err()),
        };
        report.add(&row, format);
        report::write_differences(&row, &mut differences);
    })?;
    if let Some(file) = &args.differences {
        fs::write(file, differences).with_context(|| format!("write {}", file.display()))?;
    }
    report.finish(format);
    Ok(if report.differing() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
