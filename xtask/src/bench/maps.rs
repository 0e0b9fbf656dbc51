//! `cargo xtask bench maps`: libbpf, aya, rawbpf and the bare system call in turns on the same map.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::json;

use super::figures::{median_of, paired_ratio};
use crate::binaries::{build_peers, workspace};

/// Arguments of `cargo xtask bench maps`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// How many blocks of operations to take the median of.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many elements are drained at a time.
    #[arg(long, default_value_t = 1_000_000)]
    drained: u32,
}

/// What `peers maps` prints for each loader and kind of work.
#[derive(Debug, Deserialize)]
struct Sample {
    work: String,
    loader: String,
    operations: u64,
    nanoseconds: Vec<u64>,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let object = workspace()?.join("fixtures/ring_flood.bpf.o");
    let mut peers = Command::new(build_peers()?);
    peers
        .arg("maps")
        .args(["--rounds", &args.rounds.to_string()]);
    peers
        .args(["--drained", &args.drained.to_string()])
        .arg(object);
    let output = peers.output().context("start peers")?;
    ensure!(
        output.status.success(),
        "{peers:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let samples: Vec<Sample> =
        serde_json::from_slice(&output.stdout).context("read what peers printed")?;
    if args.json {
        println!("{}", to_json(&samples));
    } else {
        print!("{}", to_table(&samples));
    }
    Ok(())
}

/// Ours against each other loader, block by block.
fn ratios(samples: &[Sample]) -> Vec<(String, f64)> {
    let ours = samples.iter().filter(|sample| sample.loader == "rawbpf");
    ours.flat_map(|ours| {
        let others = samples
            .iter()
            .filter(|other| other.work == ours.work && other.loader != ours.loader);
        others.map(|other| {
            let name = format!("{}_vs_{}", ours.work, other.loader);
            (name, paired_ratio(&ours.nanoseconds, &other.nanoseconds))
        })
    })
    .collect()
}

fn per_operation(sample: &Sample) -> f64 {
    let operations = u32::try_from(sample.operations.max(1)).unwrap_or(u32::MAX);
    median_of(&sample.nanoseconds) / f64::from(operations)
}

fn to_json(samples: &[Sample]) -> serde_json::Value {
    let ratios: serde_json::Map<_, _> = ratios(samples)
        .into_iter()
        .map(|(name, ratio)| (name, json!(ratio)))
        .collect();
    let medians: serde_json::Map<_, _> = samples
        .iter()
        .map(|sample| {
            let name = format!("{}_ns_{}", sample.work, sample.loader);
            (name, json!(per_operation(sample)))
        })
        .collect();
    json!({ "ratios": ratios, "medians": medians })
}

fn to_table(samples: &[Sample]) -> String {
    let ratios = ratios(samples);
    let mut text = "medians, and the median of the ratios of paired blocks (ours / theirs, below 1 is better)\n\n\
                    | work | loader | ns for one | ours / theirs |\n| --- | --- | ---: | ---: |\n"
        .to_string();
    for sample in samples {
        let name = format!("{}_vs_{}", sample.work, sample.loader);
        let ratio = ratios.iter().find(|(of, _)| *of == name);
        let ratio = ratio.map_or_else(String::new, |(_, ratio)| format!("{ratio:.3}"));
        let (work, loader, one) = (&sample.work, &sample.loader, per_operation(sample));
        let _ = writeln!(text, "| {work} | {loader} | {one:.2} | {ratio} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_paired_with_those_of_the_same_work() {
        let sample = |work: &str, loader: &str, nanoseconds: [u64; 3]| Sample {
            work: work.into(),
            loader: loader.into(),
            operations: 10,
            nanoseconds: nanoseconds.into(),
        };
        let samples = [
            sample("lookup", "bare", [100, 1000, 100]),
            sample("lookup", "rawbpf", [110, 1100, 110]),
            sample("global", "rawbpf", [7, 7, 7]),
        ];
        let found = ratios(&samples);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "lookup_vs_bare");
        assert!((found[0].1 - 1.1).abs() < 1e-9);
        assert!(to_table(&samples).contains("| lookup | rawbpf | 11.00 |  |"));
        assert!(to_table(&samples).contains("| lookup | bare | 10.00 | 1.100 |"));
    }
}
