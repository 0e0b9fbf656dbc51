//! The command line.

use crate::escape::Format;
use clap::{Args, Parser, Subcommand};
use rawbpf::KernelVersion;
use std::path::PathBuf;
use std::time::Duration;

/// Load eBPF objects: run them, look into them, plan a load for any kernel.
#[derive(Debug, Parser)]
#[command(name = "rawbpf", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit status: 0 done, 1 the job failed (the reason is on standard error), 2 wrong usage."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load an object, attach all its programs, and print the events they send, what they write to their streams, and maps
    Run(RunArgs),
    /// Show what an object holds, without a system call to the BPF subsystem
    Inspect(InspectArgs),
    /// Relocate an object for a kernel, this one or another, and show what would be loaded
    Plan(PlanArgs),
    /// Load an object, report on each map and program, and unload it
    Load(LoadArgs),
}

impl Command {
    /// What it prints.
    pub(crate) fn format(&self) -> Format {
        let json = match self {
            Self::Run(args) => args.json,
            Self::Inspect(args) => args.json,
            Self::Plan(args) => args.json,
            Self::Load(args) => args.json,
        };
        if json { Format::Json } else { Format::Text }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The compiled object (.bpf.o)
    pub(crate) object: PathBuf,
    /// Set a global variable before loading (may be repeated)
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
    /// The structure that the events are, those of all maps or of one (may be repeated) [default: the map's value type, else
    /// `struct event`, else hex]
    #[arg(long = "event", value_name = "[MAP=]TYPE", value_parser = event)]
    pub(crate) events: Vec<EventArg>,
    /// Stop after this many seconds [default: run until Ctrl-C]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// Show this map at the end, and every so many seconds (may be repeated): a table, stacks with their functions, and counters by
    /// powers of two as bars. Those are arrays called `slots` or `hist`, and maps with `hist`, `dist` or `slots` in their name
    #[arg(long = "map", value_name = "NAME[:SECONDS]", value_parser = map)]
    pub(crate) maps: Vec<MapArg>,
    /// Show the values of each CPU in maps that have them, not their sum
    #[arg(long)]
    pub(crate) per_cpu: bool,
    #[command(flatten)]
    pub(crate) prefer: PreferArgs,
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
    /// Print each event, and each element of a map, as a JSON object on a line of its own
    #[arg(long)]
    pub(crate) json: bool,
}

/// Programs of which one is enough.
#[derive(Debug, Args)]
pub(crate) struct PreferArgs {
    /// Of these programs, load the first that the kernel can load and attach, and leave the others out (may be repeated)
    #[arg(long = "prefer", value_name = "PROGRAM,PROGRAM[,PROGRAM]", value_parser = names)]
    pub(crate) groups: Vec<Names>,
}

/// Names in the order in which they were given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Names(pub(crate) Vec<String>);

/// What the events of a map are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventArg {
    /// `None`: of all maps that nobody says more about.
    pub(crate) map: Option<String>,
    pub(crate) type_name: String,
}

/// A map to show.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MapArg {
    pub(crate) name: String,
    /// `None`: only at the end.
    pub(crate) interval: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The compiled object (.bpf.o)
    pub(crate) object: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The compiled object (.bpf.o)
    pub(crate) object: PathBuf,
    #[command(flatten)]
    pub(crate) prefer: PreferArgs,
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
    /// Plan every program, those with autoload off too
    #[arg(long)]
    pub(crate) all: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is known of a kernel from files: of another one for `plan`, of this one, which does not tell it, for `run` and `load`.
#[derive(Debug, Args)]
pub(crate) struct KernelArgs {
    /// The kernel's types (raw BTF, or an ELF file with a .BTF section). `plan` then plans for that kernel [default: this
    /// kernel's own]; `run` and `load` adapt programs to them, and load into this kernel
    #[arg(long, value_name = "FILE")]
    pub(crate) btf: Option<PathBuf>,
    /// The kernel's configuration (plain or gzip). For this kernel, what the file says comes before what the kernel says itself
    #[arg(long, value_name = "FILE")]
    pub(crate) kconfig: Option<PathBuf>,
    /// The version that programs are told. For `plan --btf` it also decides which features the kernel has [default there: the
    /// newest]
    #[arg(long, value_name = "X.Y.Z", value_parser = version)]
    pub(crate) kernel_version: Option<KernelVersion>,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The compiled object (.bpf.o)
    pub(crate) object: PathBuf,
    /// Try every program, those with autoload off too, so that one refused program does not hide the others
    #[arg(long, conflicts_with = "groups")]
    pub(crate) each: bool,
    /// Show the verifier's log of each program: 1 the path to a refusal, 2 every path and state, 4 statistics (added up)
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u32).range(1..=7))]
    pub(crate) log_level: Option<u32>,
    #[command(flatten)]
    pub(crate) prefer: PreferArgs,
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
        _ => Err("expected NAME=VALUE".to_string()),
    }
}

fn names(text: &str) -> Result<Names, String> {
    let names: Vec<_> = text.split(',').map(str::to_owned).collect();
    if names.len() < 2 || names.iter().any(String::is_empty) {
        return Err("expected at least two names with a comma between them".to_string());
    }
    Ok(Names(names))
}

fn event(text: &str) -> Result<EventArg, String> {
    let (map, type_name) = match text.split_once('=') {
        Some((map, type_name)) => (Some(map), type_name),
        None => (None, text),
    };
    if type_name.is_empty() || map.is_some_and(str::is_empty) {
        return Err("expected TYPE or MAP=TYPE".to_string());
    }
    Ok(EventArg {
        map: map.map(ToString::to_string),
        type_name: type_name.to_string(),
    })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text
        .parse()
        .map_err(|_| "expected a number of seconds".to_string())?;
    Duration::try_from_secs_f64(number).map_err(|e| e.to_string())
}

fn map(text: &str) -> Result<MapArg, String> {
    let (name, interval) = match text.rsplit_once(':') {
        Some((name, interval)) => (name, Some(seconds(interval)?)),
        None => (text, None),
    };
    if name.is_empty() {
        return Err("expected NAME or NAME:SECONDS".to_string());
    }
    if interval.is_some_and(|interval| interval.is_zero()) {
        return Err("the interval must be longer than zero seconds".to_string());
    }
    Ok(MapArg {
        name: name.to_string(),
        interval,
    })
}

fn version(text: &str) -> Result<KernelVersion, String> {
    KernelVersion::parse(text)
        .ok_or_else(|| "expected a version such as 6.1 or 5.10.218".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(assignment("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(assignment("a").is_err());
        assert_eq!(names("a,b"), Ok(Names(vec!["a".into(), "b".into()])));
        assert!(names("a").is_err() && names("a,").is_err() && names("").is_err());
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert!(seconds("-1").is_err());
        assert!(seconds("1e19").is_ok(), "it fits a duration");
        for text in ["1e20", "1e999", "inf", "nan", ""] {
            assert!(
                seconds(text).is_err() && map(&format!("m:{text}")).is_err(),
                "{text}"
            );
        }
        let of_map = event("events=called").unwrap();
        assert_eq!(of_map.map.as_deref(), Some("events"));
        assert_eq!(of_map.type_name, "called");
        assert_eq!(event("called").unwrap().map, None);
        assert!(event("").is_err() && event("=called").is_err() && event("events=").is_err());
        let every = map(".bss:0.5").unwrap();
        assert_eq!(
            (every.name.as_str(), every.interval),
            (".bss", Some(Duration::from_millis(500)))
        );
        assert_eq!(map("counts").unwrap().interval, None);
        assert!(map(":1").is_err() && map("m:0").is_err() && map("m:x").is_err());
        assert_eq!(version("6.1"), Ok(KernelVersion::new(6, 1, 0)));
    }
}
