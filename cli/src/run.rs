//! `rawbpf run`: from a file to live events.

use crate::args::RunArgs;
use crate::choices;
use crate::elements;
use crate::events::{Printer, Style};
use crate::maps::{self, MapTables};
use crate::outlet::say;
use crate::pins;
use crate::readers::Readers;
use crate::sources::{EventSource, event_sources};
use crate::stop::Stop;
use crate::streams::Streams;
use crate::target;
use rawbpf::load::{LoadOptions, Object};
use rawbpf::map::Map;
use rawbpf::ring::{PerfBuffer, RingBuffer};
use rawbpf::{Error, ErrorKind, MapType, Result};
use std::io::Write;
use std::time::{Duration, Instant};

/// How long a wait may take before the signal flag and the clock are looked at again.
const TICK: Duration = Duration::from_millis(200);

pub(crate) fn run(args: &RunArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    let mut object = crate::open(&args.object, stop)?;
    for (name, text) in &args.set {
        object.variable_mut(name)?.set_from_text(text)?;
    }
    choices::prefer(&mut object, &args.prefer)?;
    let _own_mount = pins::in_own_mount(&mut object, stop)?;
    let sources = event_sources(&object, &args.events)?;
    maps::check(&args.maps, &object)?;
    let target = target::running(&args.kernel, &object)?;
    let plan = crate::relocate(&object, &target, stop)?;
    // What has been done so far leaves nothing behind.
    stop.catch_signals()?;
    let options = LoadOptions::new().stop_when(stop.flag());
    let object = Unpinned(plan.load_with(&target, &options)?);
    choices::tell(object.0.choices(), stop);
    show(args, &object.0, &sources, stop, out)
}

/// An object whose new pins go with it.
struct Unpinned(Object);

impl Drop for Unpinned {
    fn drop(&mut self) {
        // At a regular end they are gone already; at any other that end's reason is being told.
        let _ = self.0.unpin_new_maps();
    }
}

/// Attaches a loaded object, and prints what it lets be seen.
fn show<'o>(
    args: &RunArgs,
    object: &'o Object,
    sources: &[EventSource],
    stop: &'o Stop,
    out: &mut impl Write,
) -> Result<()> {
    // Before anything is attached: an event for which there is no perf buffer yet is gone.
    let mut sights = Sights {
        readers: open_readers(args, object, sources, stop)?,
        tables: MapTables::new(&args.maps, object, style(args), args.per_cpu, stop)?,
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
        format_args!("rawbpf: {attached} attached; Ctrl-C ends"),
    );
    if sources.is_empty() && args.maps.is_empty() {
        let names = map_names(object);
        say(
            stop,
            format_args!("rawbpf: it sends no events; --map NAME shows one of its maps: {names}"),
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
            "lost ones are not counted by this object (a global variable `lost` would)".into()
        }
    };
    let shown = plural(shown, "event");
    say(stop, format_args!("rawbpf: {shown} shown, {lost}"));
    Ok(())
}

/// Why attaching the whole object attached nothing, by the example of its first program.
fn nothing_attached(object: &Object) -> Error {
    let message = "no program says by its section's name what to attach it to";
    let elsewhere = "`rawbpf load` loads it without attaching; `rawbpf inspect` lists the sections";
    let error = Error::new(ErrorKind::InvalidObject, message);
    let first = object.programs().iter().find(|p| p.autoattach());
    // It was passed over just now, so this attaches nothing.
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

/// All that an object lets be seen.
struct Sights<'o> {
    readers: Readers<'o>,
    tables: MapTables<'o>,
    streams: Streams<'o>,
    stop: &'o Stop,
}

impl Sights<'_> {
    /// Prints what there is until the time is over or a signal comes; says how many events that were.
    fn print(&mut self, duration: Option<Duration>, out: &mut impl Write) -> Result<usize> {
        // What is longer than a clock can count does not end.
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

/// The kernel does not count what finds no room in a ring buffer. Programs can, in a global variable `lost`.
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

fn plural(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
