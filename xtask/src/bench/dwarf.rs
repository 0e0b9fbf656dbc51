//! `cargo xtask bench dwarf VMLINUX`: the cost of generating BTF from debug information, and of symbolizing addresses.
//!
//! Each measurement is a separate process, so that nothing is cached from the previous one. The files are in the page cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use rawbpf::dwarf::{Encoder, Places};
use serde::{Deserialize, Serialize};

use super::figures::median_of;

/// Arguments of `cargo xtask bench dwarf`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A kernel with debug information
    vmlinux: PathBuf,
    /// How many rounds to take the median of.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many addresses are symbolized.
    #[arg(long, default_value_t = 1000)]
    addresses: u64,
    /// Threads for the BTF, in a second row.
    #[arg(long, default_value = "2")]
    threads: std::num::NonZero<usize>,
    /// addr2line of binutils or LLVM: measures it once, and compares its output.
    #[arg(long, value_name = "PROGRAM")]
    addr2line: Option<PathBuf>,
    /// Run one measurement in this process.
    #[arg(long, hide = true)]
    once: Option<Job>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Job {
    Places,
    Encode,
    EncodeInThreads,
}

impl Job {
    fn name(self) -> &'static str {
        match self {
            Self::Places => "places",
            Self::Encode => "encode",
            Self::EncodeInThreads => "encode-in-threads",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Sample {
    elapsed_us: u64,
    cpu_us: u64,
    peak_kib: u64,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(job) = args.once {
        let sample = measure(args, job)?;
        println!("{}", serde_json::to_string(&sample)?);
        return Ok(());
    }
    ensure!(
        !cfg!(debug_assertions),
        "this program is not optimized; start it by `cargo run --release --package xtask -- bench dwarf`"
    );
    println!("| | elapsed | CPU time | memory |\n| --- | ---: | ---: | ---: |");
    for job in [Job::Places, Job::Encode, Job::EncodeInThreads] {
        let samples: Vec<Sample> = (0..args.rounds)
            .map(|_| in_own_process(args, job))
            .collect::<Result<_>>()?;
        let median = |read: fn(&Sample) -> u64| {
            let series: Vec<u64> = samples.iter().map(read).collect();
            median_of(&series)
        };
        println!(
            "| {} | {:.3} s | {:.2} s | {:.0} MB |",
            job.name(),
            median(|sample| sample.elapsed_us) / 1e6,
            median(|sample| sample.cpu_us) / 1e6,
            median(|sample| sample.peak_kib) * 1024.0 / 1e6,
        );
    }
    match &args.addr2line {
        Some(program) => compare(args, program),
        None => Ok(()),
    }
}

fn in_own_process(args: &Args, job: Job) -> Result<Sample> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["bench", "dwarf", "--once", job.name()])
        .args(["--addresses", &args.addresses.to_string()])
        .args(["--threads", &args.threads.to_string()])
        .arg(&args.vmlinux);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {said}");
    serde_json::from_slice(&output.stdout).context("read what it printed")
}

fn measure(args: &Args, job: Job) -> Result<Sample> {
    // Not measured: in real use, the addresses come from elsewhere.
    let addresses = addresses(&args.vmlinux, args.addresses)?;
    let start = (Instant::now(), cpu_us()?);
    match job {
        Job::Places => {
            let mut places = Places::open_file(&args.vmlinux)?;
            for address in addresses {
                std::hint::black_box(places.frames(address)?);
            }
        }
        Job::Encode => drop(Encoder::new().encode_file(&args.vmlinux)?),
        Job::EncodeInThreads => {
            let encoder = Encoder::new().threads(args.threads);
            drop(encoder.encode_file(&args.vmlinux)?);
        }
    }
    Ok(Sample {
        elapsed_us: start.0.elapsed().as_micros().try_into()?,
        cpu_us: cpu_us()?.saturating_sub(start.1),
        peak_kib: peak_kib()?,
    })
}

/// User and system time of this process, with a resolution of ten milliseconds.
fn cpu_us() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = text.rsplit_once(") ").context("/proc/self/stat")?;
    let mut fields = fields.split(' ').skip(11);
    let mut next = || fields.next().and_then(|ticks| ticks.parse::<u64>().ok());
    let ticks = next().zip(next()).map(|(user, system)| user + system);
    Ok(ticks.context("/proc/self/stat")? * 10_000)
}

fn peak_kib() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.context("/proc/self/status has no VmHWM")
}

/// Addresses anywhere in functions, the same for the same file. Functions are separated by padding, of up to two megabytes.
fn addresses(path: &Path, count: u64) -> Result<Vec<u64>> {
    let file = fs::File::open(path).with_context(|| path.display().to_string())?;
    let cache = object::ReadCache::new(file);
    let file = object::File::parse(&cache)?;
    let text = file.section_by_name(".text").context("no section .text")?;
    let functions: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.kind() == object::SymbolKind::Text && symbol.size() > 0)
        .filter(|symbol| symbol.section_index() == Some(text.index()))
        .map(|symbol| (symbol.address(), symbol.size()))
        .collect();
    ensure!(!functions.is_empty(), "no functions in .text");
    let mut state = 1_u64;
    let mut random = |below: u64| {
        // Knuth's generator; its upper bits are sufficiently random.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 20) % below
    };
    let function = |index: u64| functions[usize::try_from(index).unwrap_or_default()];
    Ok((0..count)
        .map(|_| {
            let (start, size) = function(random(functions.len() as u64));
            start + random(size)
        })
        .collect())
}

/// Function and line of each frame.
type Frames = Vec<(String, String)>;

fn compare(args: &Args, program: &Path) -> Result<()> {
    let addresses = addresses(&args.vmlinux, args.addresses)?;
    let start = Instant::now();
    let theirs = theirs(args, program, &addresses)?;
    let elapsed = start.elapsed().as_secs_f64();
    println!("| {} | {elapsed:.3} s | | |\n", program.display());
    ensure!(
        theirs.len() == addresses.len(),
        "it named {} addresses",
        theirs.len()
    );
    let mut places = Places::open_file(&args.vmlinux)?;
    let mut different = Vec::new();
    for (address, theirs) in addresses.iter().zip(theirs) {
        let frames = places.frames(*address)?;
        let ours: Frames = frames
            .iter()
            .map(|frame| {
                let file = frame.file.as_deref().unwrap_or("?");
                let file = file.rsplit('/').next().unwrap_or_default();
                let line = frame.line.unwrap_or(0);
                let function = frame.function.clone().unwrap_or_default();
                (function, format!("{file}:{line}"))
            })
            .collect();
        if !is_same(&ours, &theirs) {
            different.push((address, ours, theirs));
        }
    }
    let same = addresses.len() - different.len();
    println!("the same frames: {same} of {} addresses", addresses.len());
    for (address, ours, theirs) in different.iter().take(10) {
        println!("{address:#x}\n  ours   {ours:?}\n  theirs {theirs:?}");
    }
    Ok(())
}

/// Suffixes come from the symbol table. It may also contain functions that the debug information does not cover: folded ones,
/// assembly.
fn is_same(ours: &Frames, theirs: &Frames) -> bool {
    if ours.is_empty() {
        return theirs.iter().all(|(_, place)| place == "?:0");
    }
    let plain = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(ours, theirs)| {
            let is_named = !ours.0.is_empty();
            ours.1 == theirs.1 && (!is_named || plain(&ours.0) == plain(&theirs.0))
        })
}

fn theirs(args: &Args, program: &Path, addresses: &[u64]) -> Result<Vec<Frames>> {
    let mut command = Command::new(program);
    command.args(["-a", "-i", "-f", "-e"]).arg(&args.vmlinux);
    command.args(addresses.iter().map(|address| format!("{address:#x}")));
    let output = command
        .output()
        .with_context(|| format!("start {}", program.display()))?;
    ensure!(output.status.success(), "{} failed", program.display());
    let text = String::from_utf8_lossy(&output.stdout);
    let mut all: Vec<Frames> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let is_address = line
            .strip_prefix("0x")
            .is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_address {
            all.push(Vec::new());
            continue;
        }
        let place = lines.next().unwrap_or_default();
        let place = place.split(" (discriminator").next().unwrap_or_default();
        let place = place.rsplit('/').next().unwrap_or_default();
        let place = place.replace(":?", ":0").replace("??", "?");
        if let Some(frames) = all.last_mut() {
            let function = if line == "??" { "" } else { line };
            frames.push((function.to_owned(), place));
        }
    }
    Ok(all)
}
