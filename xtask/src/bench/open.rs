//! `cargo xtask bench open`: libbpf and rawbpf open and relocate every object of a folder, in turn, in a process each.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::figures::median_of;
use super::rounds::{OURS, Rounds};
use super::sample::{Measure, Tally};
use crate::binaries::Binaries;

/// What `cargo xtask bench open` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// How many rounds to take the median of.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The folder with the objects.
    folder: PathBuf,
}

const PEER: &str = "libbpf";

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let binaries = Binaries::build()?;
    let mut rounds = Rounds::new(&binaries.peers, "open", &[PEER], Some(&args.folder))?;
    ensure!(rounds.unable.is_empty(), "{}", rounds.unable.join("\n"));
    for round in 0..args.rounds {
        rounds.round(round)?;
    }
    let [ours, theirs] = [tally(&rounds, OURS)?, tally(&rounds, PEER)?];
    ensure!(
        ours.objects == theirs.objects && ours.objects > 0,
        "{} has {} objects for rawbpf, {} for libbpf",
        args.folder.display(),
        ours.objects,
        theirs.objects,
    );
    let figures = [
        ("open_relocate", "own CPU time", Measure::OpenRelocate),
        (
            "open_relocate_cpu",
            "CPU time, bpf() included",
            Measure::Cpu,
        ),
        ("open_relocate_elapsed", "elapsed", Measure::Wall),
    ];
    if args.json {
        let ratios: serde_json::Map<_, _> = figures
            .iter()
            .map(|(key, _, measure)| {
                (
                    format!("{key}_vs_{PEER}"),
                    json!(rounds.ratio(PEER, *measure)),
                )
            })
            .collect();
        println!(
            "{}",
            json!({
                "ratios": ratios,
                "objects": ours.objects,
                "refused": { OURS: ours.refused, PEER: theirs.refused },
                "rounds": args.rounds,
                "libbpf_version": rounds.version(PEER),
            })
        );
        return Ok(());
    }
    println!(
        "{} objects opened and relocated one after the other; medians of {} rounds, a process for each loader\n\n\
         | {:<26} | {OURS:>10} | {PEER:>10} | {:>6} |\n| --- | ---: | ---: | ---: |",
        ours.objects, args.rounds, "", "ratio",
    );
    for (_, title, measure) in figures {
        let milliseconds = |loader| median_of(&rounds.series(loader, measure)) / 1e6;
        println!(
            "| {title:<26} | {:>7.0} ms | {:>7.0} ms | {:>6.2} |",
            milliseconds(OURS),
            milliseconds(PEER),
            rounds.ratio(PEER, measure).unwrap_or_default(),
        );
    }
    println!(
        "| {:<26} | {:>10} | {:>10} |        |",
        "objects refused", ours.refused, theirs.refused
    );
    Ok(())
}

fn tally(rounds: &Rounds, loader: &str) -> Result<Tally> {
    let sample = rounds.first(loader);
    sample
        .and_then(|sample| sample.tally)
        .with_context(|| format!("{loader} did not say how many objects there were"))
}
