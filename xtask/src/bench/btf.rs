//! `cargo xtask bench btf`: libbpf and rawbpf merge and deduplicate the types of files, in turn, in a process each.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::json;

use super::figures::{median_of, paired_ratio};
use crate::binaries::build_peers;

/// Arguments of `cargo xtask bench btf`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// How many rounds to take the median of.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How often the types of each file are added.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    copies: u32,
    /// A file of BTF, an object, or a folder of them.
    #[arg(default_value = "/sys/kernel/btf/vmlinux")]
    path: PathBuf,
}

/// The output of `peers btf-dedup`.
#[derive(Debug, Deserialize)]
struct Sample {
    phases: Vec<Phase>,
    before: u32,
    after: u32,
    comparable: u64,
    rss_before_kib: u64,
    rss_after_kib: u64,
}

#[derive(Debug, Deserialize)]
struct Phase {
    cpu_ns: u64,
}

impl Sample {
    /// CPU time of merging, and of deduplication.
    fn nanoseconds(&self, phase: usize) -> u64 {
        self.phases.get(phase).map_or(0, |phase| phase.cpu_ns)
    }

    fn memory(&self) -> u64 {
        self.rss_after_kib.saturating_sub(self.rss_before_kib)
    }
}

/// A figure: its name in JSON, its title and unit, and how it is read.
type Figure = (&'static str, &'static str, f64, fn(&Sample) -> u64);

const FIGURES: [Figure; 3] = [
    ("add", "put together, ms", 1e6, |sample| {
        sample.nanoseconds(0)
    }),
    ("dedup", "leave out copies, ms", 1e6, |sample| {
        sample.nanoseconds(1)
    }),
    ("memory", "memory of both, MiB", 1024.0, Sample::memory),
];

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let peers = build_peers()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..args.rounds {
        // Which one starts changes from round to round.
        if round % 2 == 0 {
            ours.push(measure(&peers, "rawbpf", args)?);
            theirs.push(measure(&peers, "libbpf", args)?);
        } else {
            theirs.push(measure(&peers, "libbpf", args)?);
            ours.push(measure(&peers, "rawbpf", args)?);
        }
    }
    if args.json {
        println!("{}", to_json(&ours, &theirs));
    } else {
        print!("{}", to_table(&ours, &theirs));
    }
    Ok(())
}

fn measure(peers: &Path, loader: &str, args: &Args) -> Result<Sample> {
    let mut command = Command::new(peers);
    command.args([
        "btf-dedup",
        "--loader",
        loader,
        "--copies",
        &args.copies.to_string(),
    ]);
    let output = command.arg(&args.path).output().context("start peers")?;
    ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("read what peers printed")
}

fn series(samples: &[Sample], read: fn(&Sample) -> u64) -> Vec<u64> {
    samples.iter().map(read).collect()
}

fn to_json(ours: &[Sample], theirs: &[Sample]) -> serde_json::Value {
    let ratios: serde_json::Map<_, _> = FIGURES
        .iter()
        .map(|(key, _, _, read)| {
            let ratio = paired_ratio(&series(ours, *read), &series(theirs, *read));
            (format!("{key}_vs_libbpf"), json!(ratio))
        })
        .collect();
    let left = |samples: &[Sample]| samples.first().map(|sample| sample.comparable);
    json!({ "ratios": ratios, "left": { "rawbpf": left(ours), "libbpf": left(theirs) } })
}

fn to_table(ours: &[Sample], theirs: &[Sample]) -> String {
    let mut text = "| | rawbpf | libbpf | ratio |\n| --- | ---: | ---: | ---: |\n".to_string();
    for (_, title, unit, read) in FIGURES {
        let (ours, theirs) = (series(ours, read), series(theirs, read));
        let [one, two] = [&ours, &theirs].map(|series| median_of(series) / unit);
        let ratio = paired_ratio(&ours, &theirs);
        let _ = writeln!(text, "| {title} | {one:.1} | {two:.1} | {ratio:.2} |");
    }
    if let (Some(one), Some(two)) = (ours.first(), theirs.first()) {
        let left = |sample: &Sample| format!("{} of {}", sample.after, sample.before);
        let _ = writeln!(text, "| types left | {} | {} | |", left(one), left(two));
        let (one, two) = (one.comparable, two.comparable);
        let _ = writeln!(text, "| without variables and sections | {one} | {two} | |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_memory_are_compared_round_by_round() {
        let sample = |add, dedup, memory: u64| Sample {
            phases: vec![Phase { cpu_ns: add }, Phase { cpu_ns: dedup }],
            before: 10,
            after: 5,
            comparable: 4,
            rss_before_kib: 1000,
            rss_after_kib: 1000 + memory,
        };
        let ours = [sample(1_000_000, 2_000_000, 512), sample(1, 4_000_000, 512)];
        let theirs = [
            sample(2_000_000, 4_000_000, 2048),
            sample(2, 8_000_000, 2048),
        ];
        let json = to_json(&ours, &theirs);
        assert_eq!(json["ratios"]["add_vs_libbpf"], 0.5);
        assert_eq!(json["ratios"]["dedup_vs_libbpf"], 0.5);
        assert_eq!(json["ratios"]["memory_vs_libbpf"], 0.25);
        assert_eq!(json["left"]["rawbpf"], 4);
        assert!(to_table(&ours, &theirs).contains("| types left | 5 of 10 | 5 of 10 | |"));
    }
}
