//! Prints events: decoded by type, with one column per field, or one JSON object per line.

use crate::cannot_print;
use crate::show::escape;
use crate::show::json::Hex;
use crate::show::outlet::say;
use crate::show::sources::{EventSource, EventType, Lengths, structures_of};
use crate::stop::Stop;
use rawbpf::btf::{Btf, Columns, Value};
use rawbpf::{Error, ErrorKind, Result};
use std::io::{self, Write};

/// How the events of one buffer are shown.
pub(crate) struct Printer<'b> {
    map: String,
    /// Width of the column with the map's name; `None` if no other map sends events.
    label: Option<usize>,
    types: Option<&'b Btf<'static>>,
    type_of: Result<EventType, String>,
    lengths: Lengths,
    style: Style,
    stop: &'b Stop,
    /// Set once the heading has been printed.
    columns: Option<Columns>,
    /// Whether any event has been printed.
    begun: bool,
    /// Whether the user was told that events are shown as hex.
    told: bool,
}

/// The format of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Columns under a heading.
    Table,
    /// JSON objects.
    Json,
}

impl<'b> Printer<'b> {
    /// Shows the events of `source`, whose type is among `types`.
    pub(crate) fn new(
        source: &EventSource,
        types: Option<&'b Btf<'static>>,
        style: Style,
        stop: &'b Stop,
    ) -> Self {
        Self {
            map: source.map.clone(),
            label: None,
            types,
            type_of: source.type_of.clone(),
            lengths: Lengths::of(source.kind),
            style,
            stop,
            columns: None,
            begun: false,
            told: false,
        }
    }

    /// Adds a column of this width that shows which map an event comes from.
    pub(crate) fn with_label(mut self, width: usize) -> Self {
        self.label = Some(width);
        self
    }

    /// Prints one event.
    ///
    /// # Errors
    /// If it cannot be printed, or if the first event is not of the type that the user named.
    pub(crate) fn print(&mut self, out: &mut impl Write, record: &[u8]) -> Result<()> {
        let decoded = self.decode(record);
        if let Err(why) = &decoded {
            self.refuse_or_tell(why, record.len())?;
        }
        self.begun = true;
        match (self.style, decoded) {
            (Style::Json, decoded) => self.print_json(out, decoded, record),
            (Style::Table, Ok(value)) => self.print_row(out, &value),
            (Style::Table, Err(_)) => {
                let map = self.label(&self.map);
                writeln!(out, "{map}{}", Hex(record))
            }
        }
        .map_err(cannot_print)
    }

    /// The event as a value of its type, or why it is shown as hex.
    fn decode(&self, record: &[u8]) -> Result<Value, String> {
        let event_type = self.type_of.as_ref().map_err(Clone::clone)?;
        let btf = self.types.ok_or("the object has no type information")?;
        match event_type.misfit(record.len(), self.lengths) {
            Some(why) => Err(why),
            None => btf
                .decode(event_type.id, record)
                .map_err(|error| error.to_string()),
        }
    }

    fn refuse_or_tell(&mut self, why: &str, len: usize) -> Result<()> {
        let of_that_size = || {
            let types = self.types.map(|btf| structures_of(btf, len, self.lengths));
            types.unwrap_or_default()
        };
        let map = &self.map;
        let refused = self
            .type_of
            .as_ref()
            .ok()
            .filter(|ty| ty.asked && !self.begun);
        if let Some(refused) = refused {
            let name = &refused.name;
            let message = format!(
                "--event {name} does not fit map `{map}`: {why}{}",
                of_that_size()
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message).with_hint(
                "use --event MAP=TYPE to give the type for one map; without --event, its events are shown as hex",
            ));
        }
        if !self.told {
            let of_that_size = of_that_size();
            say(
                self.stop,
                format_args!("rawbpf: events of map `{map}` are shown as hex: {why}{of_that_size}"),
            );
        }
        self.told = true;
        Ok(())
    }

    /// Prints the map it comes from, then the event's members, or its value under one name.
    fn print_json(
        &self,
        out: &mut impl Write,
        decoded: Result<Value, String>,
        record: &[u8],
    ) -> io::Result<()> {
        let mut line = vec![("map".to_string(), Value::Text(self.map.clone()))];
        match decoded {
            Ok(Value::Struct(members)) => line.extend(members.into_iter().map(|(name, value)| {
                // A name must not appear twice.
                let taken = name == "map";
                (if taken { "map_".into() } else { name }, value)
            })),
            Ok(value) => line.push(("value".into(), value)),
            Err(why) => {
                line.push(("data".into(), Value::Text(Hex(record).to_string())));
                line.push(("why".into(), Value::Text(why)));
            }
        }
        writeln!(out, "{}", Value::Struct(line).json())
    }

    fn print_row(&mut self, out: &mut impl Write, value: &Value) -> io::Result<()> {
        if self.columns.is_none() {
            let columns = match (self.types, &self.type_of) {
                (Some(btf), Ok(event_type)) => Columns::for_type(btf, event_type.id, value),
                _ => Columns::for_rows(std::slice::from_ref(value)),
            };
            writeln!(out, "{}{}", self.label("MAP"), columns.heading())?;
            self.columns = Some(columns);
        }
        let map = self.label(&self.map);
        match &self.columns {
            Some(columns) => writeln!(out, "{map}{}", columns.row(value)),
            None => Ok(()),
        }
    }

    /// The column with the map's name.
    fn label(&self, text: &str) -> String {
        self.label
            .map(|width| format!("{:width$}  ", escape::name(text)))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rawbpf::btf::{BtfBuilder, IntEncoding, Kind};

    fn types() -> Btf<'static> {
        let mut b = BtfBuilder::new();
        let int = b.add_int("int", 4, IntEncoding::SIGNED);
        let char_ = b.add_int("char", 1, IntEncoding::SIGNED);
        let comm = b.add_array(char_, int, 16);
        b.add_struct("event", 20, &[("pid", int, 0), ("comm", comm, 32)]);
        b.build().unwrap()
    }

    fn record(pid: i32, comm: &str) -> Vec<u8> {
        let mut record = pid.to_ne_bytes().to_vec();
        record.extend(comm.as_bytes());
        record.resize(20, 0);
        record
    }

    fn source(btf: &Btf<'_>) -> EventSource {
        let id = btf.find("event", Kind::Struct).unwrap();
        EventSource {
            map: "events".into(),
            kind: rawbpf::MapType::RINGBUF,
            type_of: Ok(EventType::asked(btf, id)),
        }
    }

    /// What is printed for these records.
    fn printed(printer: Printer<'_>, records: &[&[u8]]) -> String {
        let mut printer = printer;
        let mut out = Vec::new();
        for record in records {
            printer.print(&mut out, record).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_stand_under_one_heading() {
        let (btf, stop) = (types(), Stop::default());
        let records = [record(7, "cat"), record(123_456_789, "a very long one")];
        let records = records.each_ref().map(Vec::as_slice);
        let printer = || Printer::new(&source(&btf), Some(&btf), Style::Table, &stop);
        assert_eq!(
            printed(printer(), &records),
            "PID   COMM\n7     cat\n123456789 a very long one\n"
        );
        assert_eq!(
            printed(printer().with_label(8), &records[..1]),
            "MAP       PID   COMM\nevents    7     cat\n"
        );
    }

    #[test]
    fn json_is_one_object_a_line() {
        let (btf, stop) = (types(), Stop::default());
        let printer = Printer::new(&source(&btf), Some(&btf), Style::Json, &stop);
        assert_eq!(
            printed(printer, &[&record(-1, "x\n")]),
            "{\"map\":\"events\",\"pid\":-1,\"comm\":\"x\\n\"}\n"
        );
    }

    #[test]
    fn without_a_type_it_is_hex() {
        let stop = Stop::default();
        let mut source = source(&types());
        source.type_of = Err("nobody knows".into());
        let printer = |style| Printer::new(&source, None, style, &stop);
        assert_eq!(printed(printer(Style::Table), &[&[1, 254]]), "01fe\n");
        assert_eq!(
            printed(printer(Style::Json), &[&[1, 254]]),
            "{\"map\":\"events\",\"data\":\"01fe\",\"why\":\"nobody knows\"}\n"
        );
    }

    #[test]
    fn a_first_record_of_another_size_is_refused() {
        let (btf, stop) = (types(), Stop::default());
        let mut printer = Printer::new(&source(&btf), Some(&btf), Style::Json, &stop);
        let error = printer.print(&mut Vec::new(), &[0; 24]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let message = error.to_string();
        assert!(
            message.contains("24 bytes") && message.contains("at most 20"),
            "{message}"
        );
        // Later ones are shown as hex.
        let printer = Printer::new(&source(&btf), Some(&btf), Style::Json, &stop);
        let text = printed(printer, &[&record(1, "x"), &[0; 24]]);
        let second = text.lines().nth(1).unwrap();
        assert!(
            second.contains(r#""data":"0000"#) && second.contains("24 bytes"),
            "{second}"
        );
    }
}
