//! `cargo xtask bench load`: libbpf, aya and rawbpf in turn, in cold processes, over the same object.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::figures::median_of;
use super::footprint;
use super::rounds::{OURS, Rounds};
use super::sample::Measure;
use super::workers;
use crate::binaries::{Binaries, Profile, workspace};

/// Arguments of `cargo xtask bench load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Compare two threads that load slow programs with one, instead of loaders with each other
    #[arg(long, conflicts_with_all = ["profile", "object"])]
    workers: bool,
    /// How many rounds to take the median of.
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How to build all loaders.
    #[arg(long, value_enum, default_value_t = Profile::Dist)]
    profile: Profile,
    /// The object to load; fixtures/opensnoop.bpf.o when left out.
    object: Option<PathBuf>,
}

const PEERS: [&str; 2] = ["libbpf", "aya"];

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.workers {
        return workers::run(args.rounds, args.json);
    }
    let opensnoop = workspace()?.join("fixtures/opensnoop.bpf.o");
    let object = args.object.as_deref().unwrap_or(&opensnoop);
    let binaries = Binaries::build_as(args.profile)?;
    let mut loads = Rounds::new(&binaries.peers, "load", &PEERS, Some(object))?;
    let mut parses = Rounds::new(&binaries.peers, "btf-parse", &PEERS, None)?;
    for round in 0..args.rounds {
        loads.round(round)?;
        parses.round(round)?;
    }
    let report = Report {
        loads,
        parses,
        peak_rss_kib: footprint::peak_rss_kib(&binaries.rawbpf, &opensnoop)?,
        static_binary_bytes: footprint::size(&binaries.rawbpf)?,
        static_target: binaries.rawbpf_target,
        rounds: args.rounds,
    };
    if args.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", report.to_table(object));
    }
    Ok(())
}

/// A row of the table, and a family of ratios.
#[derive(Debug)]
struct Row<'a> {
    /// The ratio's name in JSON, before `_vs_PEER`.
    key: &'static str,
    title: &'static str,
    rounds: &'a Rounds,
    measure: Measure,
    unit: Unit,
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    Nanoseconds,
    Count,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Unit::Nanoseconds => format!("{:.2} ms", value / 1e6),
            Unit::Count => format!("{value:.0}"),
        }
    }
}

#[derive(Debug)]
struct Report {
    loads: Rounds,
    parses: Rounds,
    peak_rss_kib: u64,
    static_binary_bytes: u64,
    static_target: String,
    rounds: u32,
}

impl Report {
    fn rows(&self) -> Vec<Row<'_>> {
        let load = |key, title, measure, unit| Row {
            key,
            title,
            rounds: &self.loads,
            measure,
            unit,
        };
        let time = Unit::Nanoseconds;
        vec![
            load(
                "open_relocate",
                "open + relocate, own CPU time",
                Measure::OpenRelocate,
                time,
            ),
            load(
                "own_cpu",
                "open + relocate + load, own CPU time",
                Measure::OwnCpu,
                time,
            ),
            load(
                "load_cpu",
                "open + relocate + load, CPU time",
                Measure::Cpu,
                time,
            ),
            load(
                "load",
                "open + relocate + load, elapsed",
                Measure::Wall,
                time,
            ),
            load("bpf_calls", "bpf() calls", Measure::BpfCalls, Unit::Count),
            Row {
                key: "btf_parse",
                title: "parse vmlinux BTF + 8 look-ups, CPU time",
                rounds: &self.parses,
                measure: Measure::Cpu,
                unit: time,
            },
        ]
    }

    fn to_json(&self) -> serde_json::Value {
        let mut ratios = serde_json::Map::new();
        let mut medians = serde_json::Map::new();
        for row in self.rows() {
            for peer in PEERS {
                if let Some(ratio) = row.rounds.ratio(peer, row.measure) {
                    ratios.insert(format!("{}_vs_{peer}", row.key), json!(ratio));
                }
            }
            for loader in &row.rounds.loaders {
                let median = median_of(&row.rounds.series(loader, row.measure));
                medians.insert(format!("{}_{loader}", row.key), json!(median));
            }
        }
        let unable: Vec<_> = self
            .loads
            .unable
            .iter()
            .chain(&self.parses.unable)
            .collect();
        json!({
            "ratios": ratios,
            "medians": medians,
            "peak_rss_kib": self.peak_rss_kib,
            "static_binary_bytes": self.static_binary_bytes,
            "static_target": self.static_target,
            "rounds": self.rounds,
            "libbpf_version": self.loads.version("libbpf"),
            "unable": unable,
        })
    }

    fn to_table(&self, object: &Path) -> String {
        let mut text = format!(
            "{}: medians of {} rounds, a new process each; ratios are ours / theirs, below 1 is better\n\n",
            object.file_name().unwrap_or_default().display(),
            self.rounds,
        );
        let [libbpf, aya] = PEERS.map(|peer| format!("{peer} {}", self.parses.version(peer)));
        text += &line(["", OURS, &libbpf, "ratio", &aya, "ratio"]);
        text += &line(["---", "---:", "---:", "---:", "---:", "---:"]);
        for row in self.rows() {
            let show = |loader: &str| {
                if row.rounds.loaders.contains(&loader) {
                    row.unit
                        .show(median_of(&row.rounds.series(loader, row.measure)))
                } else {
                    "fails".to_owned()
                }
            };
            let ratio = |peer: &str| {
                row.rounds
                    .ratio(peer, row.measure)
                    .map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
            };
            let [libbpf, aya] = PEERS;
            text += &line([
                row.title,
                &show(OURS),
                &show(libbpf),
                &ratio(libbpf),
                &show(aya),
                &ratio(aya),
            ]);
        }
        let _ = writeln!(
            text,
            "\npeak resident size of `rawbpf run`: {} KiB; stripped static binary: {} KiB ({})",
            self.peak_rss_kib,
            self.static_binary_bytes.div_ceil(1024),
            self.static_target,
        );
        for reason in self.loads.unable.iter().chain(&self.parses.unable) {
            let _ = writeln!(text, "{reason}");
        }
        text
    }
}

/// A table row, readable as text and as Markdown.
fn line(cells: [&str; 6]) -> String {
    let [title, rest @ ..] = cells;
    let rest = rest.map(|cell| format!(" {cell:>12} |")).concat();
    format!("| {title:<42} |{rest}\n")
}
