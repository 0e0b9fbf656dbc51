//! `cargo xtask bench load`: libbpf, aya and rawbpf in turn, in cold processes, over the same object.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::figures::{median_of, paired_ratio};
use super::footprint;
use super::sample::{Measure, Sample};
use crate::binaries::{Binaries, workspace};

/// What `cargo xtask bench load` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// How many rounds to take the median of.
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The object to load; fixtures/opensnoop.bpf.o when left out.
    object: Option<PathBuf>,
}

const OURS: &str = "rawbpf";
const PEERS: [&str; 2] = ["libbpf", "aya"];

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let opensnoop = workspace()?.join("fixtures/opensnoop.bpf.o");
    let object = args.object.as_deref().unwrap_or(&opensnoop);
    let binaries = Binaries::build()?;
    let mut loads = Rounds::new(&binaries.peers, "load", Some(object))?;
    let mut parses = Rounds::new(&binaries.peers, "btf-parse", None)?;
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

/// The samples of one job, by loader, in the order they were taken.
#[derive(Debug)]
struct Rounds {
    peers: PathBuf,
    job: &'static str,
    object: Option<PathBuf>,
    loaders: Vec<&'static str>,
    samples: BTreeMap<&'static str, Vec<Sample>>,
    /// Peers that cannot do the job, with the reason.
    unable: Vec<String>,
}

impl Rounds {
    /// Tries everybody once, which also warms the page cache. A peer that fails is left out; rawbpf must not fail.
    fn new(peers: &Path, job: &'static str, object: Option<&Path>) -> Result<Self> {
        let mut loaders = vec![OURS];
        let mut unable = Vec::new();
        Sample::take(peers, job, OURS, object)?;
        for loader in PEERS {
            match Sample::take(peers, job, loader, object) {
                Ok(_) => loaders.push(loader),
                Err(error) => unable.push(format!("{error:#}")),
            }
        }
        let object = object.map(Path::to_owned);
        Ok(Self {
            peers: peers.to_owned(),
            job,
            object,
            loaders,
            samples: BTreeMap::new(),
            unable,
        })
    }

    /// One process of each loader; who begins changes from round to round.
    fn round(&mut self, round: u32) -> Result<()> {
        let mut order = self.loaders.clone();
        let first = usize::try_from(round)? % order.len();
        order.rotate_left(first);
        for loader in order {
            let sample = Sample::take(&self.peers, self.job, loader, self.object.as_deref())?;
            self.samples.entry(loader).or_default().push(sample);
        }
        Ok(())
    }

    fn series(&self, loader: &str, measure: Measure) -> Vec<u64> {
        let samples = self
            .samples
            .get(loader)
            .map(Vec::as_slice)
            .unwrap_or_default();
        samples
            .iter()
            .map(|sample| sample.measure(measure))
            .collect()
    }

    /// Ours divided by theirs; nothing when they cannot do the job.
    fn ratio(&self, peer: &str, measure: Measure) -> Option<f64> {
        self.loaders
            .contains(&peer)
            .then(|| paired_ratio(&self.series(OURS, measure), &self.series(peer, measure)))
    }

    fn version(&self, loader: &str) -> &str {
        self.samples
            .get(loader)
            .and_then(|samples| samples.first())
            .map_or("-", |sample| &sample.version)
    }
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

/// A row of a table that people and Markdown both read.
fn line(cells: [&str; 6]) -> String {
    let [title, rest @ ..] = cells;
    let rest = rest.map(|cell| format!(" {cell:>12} |")).concat();
    format!("| {title:<42} |{rest}\n")
}
