//! `cargo xtask bench open`: libbpf and rawbpf open and relocate every object of a folder, in turn, in a process each.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::figures::median_of;
use super::rounds::{OURS, Rounds};
use super::sample::{Measure, Tally};
use crate::binaries::Binaries;

/// Arguments of `cargo xtask bench open`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// How many rounds to take the median of
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The folder with the objects.
    folder: PathBuf,
}

const PEER: &str = "libbpf";

const FIGURES: [(&str, &str, Measure); 3] = [
    ("open_relocate", "own CPU time", Measure::OpenRelocate),
    (
        "open_relocate_cpu",
        "CPU time, bpf() included",
        Measure::Cpu,
    ),
    ("open_relocate_elapsed", "elapsed", Measure::Wall),
];

/// A way for rawbpf to do the job; libbpf has only one, and is measured again next to each.
struct Way {
    /// Its name for `peers`.
    job: &'static str,
    /// Suffix of the names of its figures.
    suffix: &'static str,
    title: &'static str,
}

const WAYS: [Way; 2] = [
    Way {
        job: "open",
        suffix: "",
        title: "one `Target` for all objects",
    },
    Way {
        job: "open-alone",
        suffix: "_alone",
        title: "a new `Target` for every object",
    },
];

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let binaries = Binaries::build()?;
    let measured = WAYS
        .iter()
        .map(|way| Ok((way, measure(&binaries, way, args)?)))
        .collect::<Result<Vec<_>>>()?;
    if args.json {
        print_json(&measured, args)
    } else {
        print_table(&measured, args)
    }
}

fn measure(binaries: &Binaries, way: &Way, args: &Args) -> Result<Rounds> {
    let mut rounds = Rounds::new(&binaries.peers, way.job, &[PEER], Some(&args.folder))?;
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
    Ok(rounds)
}

fn print_json(measured: &[(&Way, Rounds)], args: &Args) -> Result<()> {
    let mut ratios = serde_json::Map::new();
    for (way, rounds) in measured {
        for (key, _, measure) in FIGURES {
            let key = format!("{key}{}_vs_{PEER}", way.suffix);
            ratios.insert(key, json!(rounds.ratio(PEER, measure)));
        }
    }
    let (_, rounds) = measured.first().context("nothing was measured")?;
    let [ours, theirs] = [tally(rounds, OURS)?, tally(rounds, PEER)?];
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
    Ok(())
}

fn print_table(measured: &[(&Way, Rounds)], args: &Args) -> Result<()> {
    for (way, rounds) in measured {
        let [ours, theirs] = [tally(rounds, OURS)?, tally(rounds, PEER)?];
        println!(
            "{} objects opened and relocated one after the other, {}; medians of {} rounds, a process for each loader\n\n\
             | {:<26} | {OURS:>10} | {PEER:>10} | {:>6} |\n| --- | ---: | ---: | ---: |",
            ours.objects, way.title, args.rounds, "", "ratio",
        );
        for (_, title, measure) in FIGURES {
            let milliseconds = |loader| median_of(&rounds.series(loader, measure)) / 1e6;
            println!(
                "| {title:<26} | {:>7.0} ms | {:>7.0} ms | {:>6.2} |",
                milliseconds(OURS),
                milliseconds(PEER),
                rounds.ratio(PEER, measure).unwrap_or_default(),
            );
        }
        println!(
            "| {:<26} | {:>10} | {:>10} |        |\n",
            "objects refused", ours.refused, theirs.refused
        );
    }
    Ok(())
}

fn tally(rounds: &Rounds, loader: &str) -> Result<Tally> {
    let sample = rounds.first(loader);
    sample
        .and_then(|sample| sample.tally)
        .with_context(|| format!("{loader} did not say how many objects there were"))
}
