//! `cargo xtask bench ring`: libbpf, aya and rawbpf in turn, each reading the same flooded ring buffer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::figures::{median_of, paired_ratio};
use crate::binaries::{build_peers, workspace};

/// Arguments of `cargo xtask bench ring`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// How many rounds to take the median of.
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// For how long each reader is flooded in a round.
    #[arg(long, default_value_t = 100)]
    milliseconds: u64,
    /// Where the program runs: on another CPU than the reader, or on the same one.
    #[arg(long, default_value = "apart")]
    placement: Placement,
}

/// Where the program runs that writes the events.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Placement {
    Apart,
    Together,
}

impl Placement {
    /// What `peers ring` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Together => "together",
        }
    }
}

const LOADERS: [&str; 3] = ["rawbpf", "libbpf", "aya"];
const PEERS: [&str; 2] = ["libbpf", "aya"];
const SIZES: [u32; 3] = [16, 128, 1024];

/// What `peers ring` prints.
#[derive(Debug, Deserialize)]
struct Flood {
    events: u64,
    lost: u64,
    sent: u64,
    wall_ns: u64,
    cpu_ns: u64,
    sleeps: u64,
}

/// What `peers ring-copy` prints.
#[derive(Debug, Deserialize)]
struct CopyCost {
    read: f64,
    look: f64,
    copy: f64,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let object = workspace()?.join("fixtures/ring_flood.bpf.o");
    let peers = build_peers()?;
    let mut floods = Floods::default();
    for round in 0..args.rounds {
        let mut order = LOADERS;
        order.rotate_left(usize::try_from(round)? % LOADERS.len());
        for bytes in SIZES {
            for loader in order {
                floods.take(&peers, loader, bytes, args, &object)?;
            }
        }
    }
    let copy: CopyCost = peers_say(Command::new(&peers).arg("ring-copy").arg(&object))?;
    if args.json {
        println!("{}", floods.to_json(&copy, args.rounds));
    } else {
        print!("{}", floods.to_table(&copy, args.rounds));
    }
    Ok(())
}

/// Events per second, by loader and event size, in the order they were measured.
#[derive(Debug, Default)]
struct Floods {
    /// By elapsed time.
    wall: BTreeMap<(&'static str, u32), Vec<u64>>,
    /// By the reading thread's CPU time, which other load on the machine does not affect.
    cpu: BTreeMap<(&'static str, u32), Vec<u64>>,
    /// Events for each time that the reader went to sleep.
    per_sleep: BTreeMap<(&'static str, u32), Vec<u64>>,
}

impl Floods {
    fn take(
        &mut self,
        peers: &Path,
        loader: &'static str,
        bytes: u32,
        args: &Args,
        object: &Path,
    ) -> Result<()> {
        let flood: Flood = peers_say(
            Command::new(peers)
                .args(["ring", "--loader", loader])
                .args(["--bytes", &bytes.to_string()])
                .args(["--milliseconds", &args.milliseconds.to_string()])
                .args(["--placement", args.placement.name()])
                .arg(object),
        )?;
        // `peers` has checked it already; the figures rely on it.
        ensure!(
            flood.events + flood.lost == flood.sent && flood.events > 0,
            "{loader} has not accounted for every event: {flood:?}"
        );
        let rate = |ns: u64| flood.events.saturating_mul(1_000_000_000) / ns.max(1);
        let key = (loader, bytes);
        self.wall.entry(key).or_default().push(rate(flood.wall_ns));
        self.cpu.entry(key).or_default().push(rate(flood.cpu_ns));
        let per_sleep = flood.events / flood.sleeps.max(1);
        self.per_sleep.entry(key).or_default().push(per_sleep);
        Ok(())
    }

    /// The ratios that are promised and shown, by name.
    fn ratios(&self) -> Vec<(String, f64)> {
        let mut ratios = Vec::new();
        for bytes in SIZES {
            for peer in PEERS {
                for (rates, suffix) in [(&self.wall, ""), (&self.cpu, "_cpu")] {
                    let of = |loader| rates.get(&(loader, bytes)).map_or(&[][..], Vec::as_slice);
                    let ratio = paired_ratio(of("rawbpf"), of(peer));
                    ratios.push((format!("ring_{bytes}_vs_{peer}{suffix}"), ratio));
                }
            }
        }
        ratios
    }

    fn to_json(&self, copy: &CopyCost, rounds: u32) -> serde_json::Value {
        let mut ratios: serde_json::Map<_, _> = self
            .ratios()
            .into_iter()
            .map(|(name, ratio)| (name, json!(ratio)))
            .collect();
        ratios.insert("ring_128_vs_copy".into(), json!(copy.look / copy.copy));
        let mut medians = serde_json::Map::new();
        for (figures, name) in [
            (&self.wall, "events_per_second"),
            (&self.cpu, "events_per_cpu_second"),
            (&self.per_sleep, "events_per_sleep"),
        ] {
            for ((loader, bytes), figures) in figures {
                let name = format!("ring_{bytes}_{name}_{loader}");
                medians.insert(name, json!(median_of(figures)));
            }
        }
        json!({
            "ratios": ratios,
            "medians": medians,
            "rounds": rounds,
            "ring_128_ns": { "look": copy.look, "read": copy.read, "copy": copy.copy },
        })
    }

    fn to_table(&self, copy: &CopyCost, rounds: u32) -> String {
        let mut text = format!(
            "events read, medians of {rounds} rounds; ratios are ours / theirs, above 1 is better\n\n\
             | bytes | reader | a second | a CPU second | a sleep | ratio | by CPU time |\n\
             | ---: | --- | ---: | ---: | ---: | ---: | ---: |\n"
        );
        let ratios: BTreeMap<_, _> = self.ratios().into_iter().collect();
        for bytes in SIZES {
            for loader in LOADERS {
                let median = |figures: &BTreeMap<_, Vec<u64>>| {
                    let figures = figures.get(&(loader, bytes));
                    figures.map_or(0.0, |figures| median_of(figures))
                };
                let _ = write!(
                    text,
                    "| {bytes} | {loader} | {:.2} M | {:.2} M | {:.0} |",
                    median(&self.wall) / 1e6,
                    median(&self.cpu) / 1e6,
                    median(&self.per_sleep),
                );
                let name = format!("ring_{bytes}_vs_{loader}");
                for name in [name.clone(), name + "_cpu"] {
                    let _ = match ratios.get(&name) {
                        Some(ratio) => write!(text, " {ratio:.2} |"),
                        None => write!(text, " |"),
                    };
                }
                text.push('\n');
            }
        }
        let _ = writeln!(
            text,
            "\nan event of 128 bytes: {:.1} ns to read in place, {:.1} ns to read and copy; copying as many bytes: {:.1} ns \
             (reading in place is {:.2} times that)",
            copy.look,
            copy.read,
            copy.copy,
            copy.look / copy.copy,
        );
        text
    }
}

fn peers_say<T: DeserializeOwned>(peers: &mut Command) -> Result<T> {
    let output = peers.output().context("start peers")?;
    ensure!(
        output.status.success(),
        "{peers:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("read what peers printed")
}
