//! `cargo xtask parity`: libbpf and rawbpf over the same objects, on the same kernel.
//!
//! In: objects, or executables and folders with objects in them. Out: a row for each object, and every difference with
//! both sides of it. Not here: the reference itself, which is the driver `benches/peers/src/bin/reference.rs`.

mod compare;
mod embedded;
mod fetch;
mod ours;
mod place;
mod question;
mod reference;
mod report;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};

use place::Place;
use report::{Format, Report};

/// What `cargo xtask parity` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fetch the libbpf-tools of a Debian suite and compare on the objects inside.
    #[arg(long, value_name = "SUITE", num_args = 0..=1, require_equals = true, default_missing_value = "bookworm")]
    libbpf_tools: Option<String>,
    /// Load no program: compare the instructions and maps that would be handed to the kernel.
    #[arg(long)]
    prepare: bool,
    /// Ask in a guest with Debian's kernel of this series (such as 6.1), not on the running kernel.
    #[arg(long, value_name = "SERIES")]
    kernel: Option<String>,
    /// Print JSON lines instead of a table.
    #[arg(long)]
    json: bool,
    /// Objects, executables that hold objects, or folders of either.
    #[arg(required_unless_present = "libbpf_tools")]
    files: Vec<PathBuf>,
}

/// Which part of the work is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    /// Up to what would be handed to the kernel.
    Prepare,
    /// Up to the kernel's verdict, on each program alone.
    Load,
}

/// Compares and prints; the status tells whether there is a difference.
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
    ensure!(
        !objects.is_empty(),
        "there is no BPF object in what was named"
    );
    let place = match &args.kernel {
        None => Place::host()?,
        Some(series) => Place::guest(series, &objects, depth)?,
    };
    let mut report = Report::new(depth);
    for (number, object) in objects.iter().enumerate() {
        let ask = |question| place.ask(question, number, object);
        let theirs = reference::ask(object, depth, ask)?;
        let ours = ours::ask(object, depth, ask)?;
        report.add(
            &compare::compare(&object.name, &theirs, &ours, depth),
            &theirs.loader,
            format,
        );
    }
    report.finish(format);
    Ok(if report.differing() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
