//! `rawbpf run --map`: maps as tables, histograms and stacks, at intervals and at the end.

use crate::cannot_print;
use crate::commands::{MapArg, StacksArgs};
use crate::show::elements::{self, Element};
use crate::show::escape;
use crate::show::events::Style;
use crate::show::histogram::{self, Histogram};
use crate::show::outlet::say;
use crate::show::table::print_table;
use crate::stop::Stop;
use rawbpf::btf::{Columns, Kind, Value};
use rawbpf::load::Object;
use rawbpf::map::{Map, MapTypes};
use rawbpf::open::OpenObject;
use rawbpf::symbols::{Symbolizer, Symbols};
use rawbpf::{MapType, Result};
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// The maps to show.
pub(crate) struct MapTables<'o> {
    tables: Vec<MapTable<'o>>,
    style: Style,
    each_cpu: bool,
}

struct MapTable<'o> {
    map: &'o Map,
    interval: Option<Duration>,
    /// `None` if there is no interval, or if it is longer than the clock can count.
    due: Option<Instant>,
    content: Content,
}

enum Content {
    /// As a table.
    Elements,
    /// A section's variables, one per line.
    Variables,
    /// As a histogram of counters by slot.
    Slots,
    /// As stacks.
    Stacks(Box<Stacks>),
}

/// The sources of names for stacks.
struct Stacks {
    names: Symbolizer,
    /// The process that user-space addresses belong to.
    process: Option<u32>,
}

/// Refuses maps that cannot be shown, before anything is loaded.
pub(crate) fn check(wanted: &[MapArg], object: &OpenObject) -> Result<()> {
    for MapArg { name, .. } in wanted {
        let map = object.map(name).map_err(|error| error.context("--map"))?;
        elements::check_kind(name, map.kind())?;
    }
    Ok(())
}

impl<'o> MapTables<'o> {
    /// The maps of `wanted` from a loaded object.
    pub(crate) fn new(
        wanted: &[MapArg],
        object: &'o Object,
        style: Style,
        each_cpu: bool,
        stacks: &StacksArgs,
        stop: &Stop,
    ) -> Result<Self> {
        let table = |MapArg { name, interval }: &MapArg| {
            let map = object.map(name)?;
            Ok(MapTable {
                map,
                interval: *interval,
                due: interval.and_then(|interval| Instant::now().checked_add(interval)),
                content: Content::of(map, stacks, stop)?,
            })
        };
        Ok(Self {
            tables: wanted.iter().map(table).collect::<Result<_>>()?,
            style,
            each_cpu,
        })
    }

    /// Time until the next table is due; `None` if none ever is.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let dues = self.tables.iter().filter_map(|table| table.due);
        let next = dues.min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Prints the tables that are due. Stops if a signal arrives: they are printed at the end anyway.
    pub(crate) fn print_due(&mut self, stop: &Stop, out: &mut impl Write) -> Result<()> {
        let now = Instant::now();
        let (style, each_cpu) = (self.style, self.each_cpu);
        for table in &mut self.tables {
            if table.due.is_some_and(|due| due <= now) {
                table.due = table
                    .interval
                    .and_then(|interval| now.checked_add(interval));
                table.print(style, each_cpu, &|| !stop.asked(), out)?;
            }
        }
        Ok(())
    }

    /// Prints all tables.
    pub(crate) fn print_all(&mut self, out: &mut impl Write) -> Result<()> {
        let (style, each_cpu) = (self.style, self.each_cpu);
        let mut tables = self.tables.iter_mut();
        tables.try_for_each(|table| table.print(style, each_cpu, &|| true, out))
    }
}

impl Content {
    fn of(map: &Map, stacks: &StacksArgs, stop: &Stop) -> Result<Self> {
        if map.kind() == MapType::STACK_TRACE {
            // Stacks of bare addresses are better than none.
            let symbols = Symbols::of_kernel().unwrap_or_else(|error| {
                say(stop, format_args!("rawbpf: map {}: {error}", map.name()));
                Symbols::default()
            });
            let mut names = Symbolizer::new(symbols);
            for program in &stacks.stacks_in {
                names
                    .add_program(program)
                    .map_err(|e| e.context("--stacks-in"))?;
            }
            let process = stacks.stacks_of;
            return Ok(Self::Stacks(Box::new(Stacks { names, process })));
        }
        let types = map.types()?;
        if is_section(types)? {
            Ok(Self::Variables)
        } else if histogram::is_keyed_by_slot(map.name(), types)? {
            Ok(Self::Slots)
        } else {
            Ok(Self::Elements)
        }
    }
}

fn is_section(types: Option<&MapTypes>) -> Result<bool> {
    Ok(match types {
        Some(types) => types.btf.get(types.value)?.kind() == Kind::Datasec,
        None => false,
    })
}

impl MapTable<'_> {
    fn print(
        &mut self,
        style: Style,
        each_cpu: bool,
        go_on: &dyn Fn() -> bool,
        out: &mut impl Write,
    ) -> Result<()> {
        let keys = self.map.keys().take_while(|_| go_on());
        let elements = match &mut self.content {
            Content::Stacks(stacks) => {
                elements::read_stacks(self.map, keys, &mut stacks.names, stacks.process)?
            }
            _ => elements::read(self.map, keys, each_cpu)?,
        };
        if !go_on() {
            return Ok(());
        }
        let printed = match style {
            Style::Json => print_json(out, self.map.name(), elements),
            Style::Table => self.print_text(out, elements),
        };
        printed.and_then(|()| out.flush()).map_err(cannot_print)
    }

    fn print_text(&self, out: &mut impl Write, mut elements: Vec<Element>) -> io::Result<()> {
        let name = self.map.name();
        if let Content::Variables = self.content {
            return print_variables(out, name, elements);
        }
        if matches!(self.map.kind(), MapType::ARRAY | MapType::PERCPU_ARRAY) {
            elements.retain(|element| !is_zero(&element.value));
        } else {
            elements.sort_by_key(|element| std::cmp::Reverse(count(&element.value)));
        }
        if elements.is_empty() {
            return writeln!(out, "{}: nothing", escape::name(name));
        }
        writeln!(out, "{}:", escape::name(name))?;
        match &self.content {
            Content::Stacks(_) => print_stacks(out, &elements),
            Content::Slots => {
                let pairs = elements.iter().map(|e| (&e.key, &e.value));
                match histogram::of_elements(pairs) {
                    Some(histogram) => histogram.print(out, "  "),
                    None => print_elements(out, elements),
                }
            }
            Content::Elements | Content::Variables => print_elements(out, elements),
        }
    }
}

/// Prints one element per line.
fn print_json(out: &mut impl Write, map: &str, elements: Vec<Element>) -> io::Result<()> {
    for element in elements {
        let mut line = vec![
            ("map".to_string(), Value::Text(map.to_string())),
            ("key".to_string(), element.key),
        ];
        line.extend(
            element
                .cpu
                .map(|cpu| ("cpu".to_string(), Value::Uint(cpu as u128))),
        );
        line.push(("value".to_string(), element.value));
        writeln!(out, "{}", Value::Struct(line).json())?;
    }
    Ok(())
}

/// The sort key for hashes, whose own order is meaningless: the largest count first.
fn count(value: &Value) -> u128 {
    match value {
        Value::Uint(count) => *count,
        Value::Struct(members) => members.first().map_or(0, |(_, first)| count(first)),
        _ => 0,
    }
}

fn print_elements(out: &mut impl Write, elements: Vec<Element>) -> io::Result<()> {
    let mut rows = Vec::new();
    for Element { key, cpu, value } in elements {
        let (histograms, rest) = histogram::split("", value);
        let row = row(key, cpu, rest);
        if histograms.is_empty() {
            rows.push(row);
        } else {
            print_histograms(out, &title(&row), &histograms)?;
        }
    }
    print_rows(out, &rows)
}

fn print_rows(out: &mut impl Write, rows: &[Value]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = Columns::for_rows(rows);
    writeln!(out, "  {}", columns.heading())?;
    rows.iter()
        .try_for_each(|row| writeln!(out, "  {}", columns.row(row)))
}

/// A row with the key's members under their own names, then the value.
fn row(key: Value, cpu: Option<usize>, value: Option<Value>) -> Value {
    let mut members = match key {
        Value::Struct(members) => members,
        other => vec![("key".to_string(), other)],
    };
    members.extend(cpu.map(|cpu| ("cpu".to_string(), Value::Uint(cpu as u128))));
    match value {
        Some(Value::Struct(of_value)) => members.extend(of_value),
        Some(other) => members.push(("value".to_string(), other)),
        None => {}
    }
    Value::Struct(members)
}

/// A row as the title line above a histogram.
fn title(row: &Value) -> String {
    let text = row.to_string();
    text.trim_start_matches('{')
        .trim_end_matches('}')
        .to_string()
}

fn print_histograms(out: &mut impl Write, title: &str, histograms: &[Histogram]) -> io::Result<()> {
    let several = histograms.len() > 1;
    for histogram in histograms.iter().filter(|histogram| !histogram.is_empty()) {
        let place = if several {
            histogram.place.as_str()
        } else {
            ""
        };
        let gap = if title.is_empty() || place.is_empty() {
            ""
        } else {
            ", "
        };
        writeln!(out, "  {title}{gap}{}", escape::name(place))?;
        histogram.print(out, "    ")?;
    }
    Ok(())
}

/// Prints a section: a line for each variable, then the histograms among them.
fn print_variables(out: &mut impl Write, name: &str, elements: Vec<Element>) -> io::Result<()> {
    let mut histograms = Vec::new();
    let mut variables = Vec::new();
    for element in elements {
        let (found, rest) = histogram::split("", element.value);
        histograms.extend(found);
        if let Some(Value::Struct(rest)) = rest {
            variables.extend(rest);
        }
    }
    if variables.is_empty() {
        writeln!(out, "{}:", escape::name(name))?;
    }
    let rows = || {
        let rows = variables.iter();
        rows.map(|(name, value)| [name.as_str().into(), value.to_string().into()])
    };
    print_table(out, name, ["variable", "value"], rows)?;
    for histogram in histograms.iter().filter(|histogram| !histogram.is_empty()) {
        writeln!(out, "  {}", escape::name(&histogram.place))?;
        histogram.print(out, "    ")?;
    }
    Ok(())
}

fn print_stacks(out: &mut impl Write, stacks: &[Element]) -> io::Result<()> {
    for stack in stacks {
        writeln!(out, "  {}", stack.key)?;
        match &stack.value {
            Value::Array(frames) => frames
                .iter()
                .try_for_each(|frame| writeln!(out, "    {frame}"))?,
            other => writeln!(out, "    {other}")?,
        }
    }
    Ok(())
}

/// Whether an array element was never written.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Int(n) | Value::Enum { value: n, .. } => *n == 0,
        Value::Uint(n) => *n == 0,
        Value::Bool(b) => !b,
        Value::Float(x) => x.to_bits() == 0,
        Value::Text(text) => text.is_empty(),
        Value::Pointer(p) => *p == 0,
        Value::Bytes(bytes) => bytes.iter().all(|b| *b == 0),
        Value::Array(elements) => elements.iter().all(is_zero),
        Value::Struct(members) => members.iter().all(|(_, value)| is_zero(value)),
        _ => false,
    }
}
