//! `rawbpf run`: loads an object and prints live events.

use super::args::{KernelArgs, PreferArgs, seconds};
use super::choices;
use super::compile::{self, CompilerArgs};
use super::object;
use super::pins;
use super::target;
use crate::show::elements;
use crate::show::events::{Printer, Style};
use crate::show::maps::{self, MapTables};
use crate::show::outlet::{plural, say};
use crate::show::readers::Readers;
use crate::show::sources::{EventSource, event_sources};
use crate::show::streams::Streams;
use crate::stop::Stop;
use clap::Args;
use rawbpf::load::{LoadOptions, Object};
use rawbpf::map::Map;
use rawbpf::ring::{PerfBuffer, RingBuffer};
use rawbpf::{Error, ErrorKind, MapType, Result};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a wait lasts before the signal flag and the clock are checked again.
const TICK: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The compiled object (.bpf.o), or a source (.bpf.c), which is compiled
    pub(crate) object: PathBuf,
    #[command(flatten, next_help_heading = "Options for a source")]
    pub(crate) compiler: CompilerArgs,
    /// Set a global variable before loading (may be repeated)
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
    /// The structure of the events of all maps, or of one (may be repeated) [default: the map's value type, else `struct
    /// event`, else hex]
    #[arg(long = "event", value_name = "[MAP=]TYPE", value_parser = event)]
    pub(crate) events: Vec<EventArg>,
    /// Stop after this many seconds [default: run until Ctrl-C]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// Show this map at the end, and every SECONDS seconds (may be repeated): as a table, as stacks with function names, or as
    /// a histogram (arrays called `slots` or `hist`, and maps with `hist`, `dist` or `slots` in their name)
    #[arg(long = "map", value_name = "NAME[:SECONDS]", value_parser = map)]
    pub(crate) maps: Vec<MapArg>,
    /// Show each CPU's value in per-CPU maps, not their sum
    #[arg(long)]
    pub(crate) per_cpu: bool,
    #[command(flatten)]
    pub(crate) stacks: StacksArgs,
    #[command(flatten)]
    pub(crate) prefer: PreferArgs,
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
    /// Print each event and each map element as a JSON object on a line of its own
    #[arg(long)]
    pub(crate) json: bool,
}

/// The sources of names for stacks.
#[derive(Debug, Args)]
pub(crate) struct StacksArgs {
    /// The process whose stacks are in the shown maps: names its functions, as long as it is running
    #[arg(long, value_name = "PID")]
    pub(crate) stacks_of: Option<u32>,
    /// A program or library that appears in stacks by build ID, running or not (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub(crate) stacks_in: Vec<PathBuf>,
}

/// The type of a map's events.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventArg {
    /// `None`: for all maps without an argument of their own.
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

pub(crate) fn run(args: &RunArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    let mut object = if compile::is_source(&args.object) {
        compile::open(
            &args.object,
            &args.compiler,
            args.kernel.btf.as_deref(),
            stop,
        )?
    } else {
        object::open(&args.object, stop)?
    };
    for (name, text) in &args.set {
        object.variable_mut(name)?.set_from_text(text)?;
    }
    choices::prefer(&mut object, &args.prefer)?;
    let _own_mount = pins::in_own_mount(&mut object, stop)?;
    let sources = event_sources(&object, &args.events)?;
    maps::check(&args.maps, &object)?;
    let target = target::running(&args.kernel, &object)?;
    let plan = object::relocate(&object, &target, stop)?;
    // Nothing done so far needs undoing.
    stop.catch_signals()?;
    let options = LoadOptions::new().stop_when(stop.flag());
    let object = Unpinned(plan.load_with(&target, &options)?);
    choices::tell(object.0.choices(), stop);
    show(args, &object.0, &sources, stop, out)
}

/// An object whose new pins are removed when it is dropped.
struct Unpinned(Object);

impl Drop for Unpinned {
    fn drop(&mut self) {
        // After a normal end they are already gone; otherwise the reason for the end is what matters.
        let _ = self.0.unpin_new_maps();
    }
}

/// Attaches a loaded object, and prints its events, streams and maps.
fn show<'o>(
    args: &RunArgs,
    object: &'o Object,
    sources: &[EventSource],
    stop: &'o Stop,
    out: &mut impl Write,
) -> Result<()> {
    // Before anything is attached: events are lost as long as they have no perf buffer.
    let mut sights = Sights {
        readers: open_readers(args, object, sources, stop)?,
        tables: MapTables::new(
            &args.maps,
            object,
            style(args),
            args.per_cpu,
            &args.stacks,
            stop,
        )?,
        streams: Streams::new(object, style(args), stop)?,
        stop,
    };
    let links = object.attach_unless(stop.flag())?;
    if links.is_empty() {
        return Err(nothing_attached(object).context(args.object.display().to_string()));
    }
    let attached = plural(links.len(), "program");
    say(
        stop,
        format_args!("rawbpf: {attached} attached; press Ctrl-C to stop"),
    );
    if sources.is_empty() && args.maps.is_empty() {
        let names = map_names(object);
        say(
            stop,
            format_args!(
                "rawbpf: the object sends no events; show its maps with --map NAME: {names}"
            ),
        );
    }
    let mut shown = sights.print(args.duration, out)?;
    drop(links);
    object.unpin_new_maps()?;
    stop.nothing_to_undo();
    shown += sights.readers.print_rest(out)?;
    sights.streams.print(out)?;
    sights.tables.print_all(out)?;
    if sources.is_empty() {
        return Ok(());
    }
    let lost = match (lost_events(object)?, sights.readers.lost()) {
        (Some(counted), reported) => format!("{} lost", counted + reported.unwrap_or(0)),
        (None, Some(reported)) => format!("{reported} lost"),
        (None, None) => {
            "lost events are not counted (the object has no global variable `lost`)".into()
        }
    };
    let shown = plural(shown, "event");
    say(stop, format_args!("rawbpf: {shown} shown, {lost}"));
    Ok(())
}

/// Why attaching the whole object attached nothing, explained by its first program.
fn nothing_attached(object: &Object) -> Error {
    let message = "no program has a section name that says what to attach it to";
    let elsewhere = "`rawbpf load` loads it without attaching; `rawbpf inspect` lists the sections";
    let error = Error::new(ErrorKind::InvalidObject, message);
    let first = object.programs().iter().find(|p| p.autoattach());
    // It was skipped just now, so this attaches nothing.
    match first.and_then(|program| program.attach().err()) {
        Some(first) => error.with_hint(format!(
            "{}; {}; {elsewhere}",
            first.message(),
            first.hint().unwrap_or_default()
        )),
        None => error.with_hint(elsewhere),
    }
}

fn open_readers<'o>(
    args: &RunArgs,
    object: &'o Object,
    sources: &[EventSource],
    stop: &'o Stop,
) -> Result<Readers<'o>> {
    let widest = sources.iter().map(|source| source.map.len()).max();
    let mut readers = Readers::new()?;
    for source in sources {
        let map = object.map(&source.map)?;
        let types = object.btf().map(|btf| &**btf);
        let mut printer = Printer::new(source, types, style(args), stop);
        if let Some(widest) = widest.filter(|_| sources.len() > 1) {
            printer = printer.with_label(widest);
        }
        if source.kind == MapType::RINGBUF {
            readers.add_ring(RingBuffer::new(map)?, printer)?;
        } else {
            readers.add_perf(PerfBuffer::new(map)?, printer)?;
        }
    }
    Ok(readers)
}

fn style(args: &RunArgs) -> Style {
    if args.json { Style::Json } else { Style::Table }
}

/// The maps that can be shown.
fn map_names(object: &Object) -> String {
    let maps = object.maps().iter();
    let shown = maps.filter(|map| elements::check_kind(map.name(), map.kind()).is_ok());
    let names: Vec<&str> = shown.map(Map::name).collect();
    if names.is_empty() {
        "it has none".into()
    } else {
        names.join(", ")
    }
}

/// Everything that is shown of an object.
struct Sights<'o> {
    readers: Readers<'o>,
    tables: MapTables<'o>,
    streams: Streams<'o>,
    stop: &'o Stop,
}

impl Sights<'_> {
    /// Prints until the time is up or a signal arrives; returns the number of events.
    fn print(&mut self, duration: Option<Duration>, out: &mut impl Write) -> Result<usize> {
        // A duration longer than the clock can count never ends.
        let end = duration.and_then(|duration| Instant::now().checked_add(duration));
        let mut shown = 0;
        while !self.stop.asked() {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            let waits = [left, self.tables.next_due(), Some(TICK)];
            let tick = waits.into_iter().flatten().min().unwrap_or(TICK);
            shown += self.readers.print(tick, out)?;
            self.streams.print(out)?;
            self.tables.print_due(self.stop, out)?;
        }
        Ok(shown)
    }
}

/// The kernel does not count events lost because a ring buffer was full. Programs can, in a global variable `lost`.
fn lost_events(object: &Object) -> Result<Option<u64>> {
    let Some(variable) = object.variables().iter().find(|v| v.name() == "lost") else {
        return Ok(None);
    };
    let Some(map) = object.maps().get(variable.map()) else {
        return Ok(None);
    };
    let value = map.get(&0_u32.to_ne_bytes())?.unwrap_or_default();
    let start = variable.offset() as usize;
    let bytes = value
        .get(start..start + variable.size() as usize)
        .unwrap_or_default();
    let narrow = <[u8; 4]>::try_from(bytes).map(|raw| u32::from_ne_bytes(raw).into());
    let wide = <[u8; 8]>::try_from(bytes).map(u64::from_ne_bytes);
    Ok(wide.or(narrow).ok())
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
        _ => Err("expected NAME=VALUE".to_string()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        assert_eq!(assignment("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(assignment("a").is_err());
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
    }
}
