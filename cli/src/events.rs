//! Events on their way to the terminal: decoded by type, one column a field, or one JSON object a line.

use crate::output::hex;
use rawbpf::TypeId;
use rawbpf::btf::{Btf, Columns, Value};
use std::io::{self, Write};

/// How the events of one buffer are shown.
pub(crate) struct Printer<'b> {
    types: Option<(&'b Btf<'static>, TypeId)>,
    style: Style,
    /// Known once the heading has been printed.
    columns: Option<Columns>,
}

/// What a line looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Columns under a heading.
    Table,
    /// JSON objects.
    Json,
}

impl<'b> Printer<'b> {
    /// Shows events as values of the type, or as hexadecimal text if there is none.
    pub(crate) fn new(types: Option<(&'b Btf<'static>, TypeId)>, style: Style) -> Self {
        Self {
            types,
            style,
            columns: None,
        }
    }

    /// Prints one event.
    pub(crate) fn print(&mut self, out: &mut impl Write, record: &[u8]) -> io::Result<()> {
        let decoded = self.types.and_then(|(btf, id)| btf.decode(id, record).ok());
        match (self.style, decoded) {
            (Style::Json, Some(value)) => writeln!(out, "{}", value.json()),
            (Style::Json, None) => writeln!(out, r#"{{"data":"{}"}}"#, hex(record)),
            (Style::Table, Some(value)) => self.print_row(out, &value),
            (Style::Table, None) => writeln!(out, "{}", hex(record)),
        }
    }

    fn print_row(&mut self, out: &mut impl Write, value: &Value) -> io::Result<()> {
        if let Some(columns) = &self.columns {
            return writeln!(out, "{}", columns.row(value));
        }
        let columns = match self.types {
            Some((btf, id)) => Columns::for_type(btf, id, value),
            None => Columns::for_rows(std::slice::from_ref(value)),
        };
        writeln!(out, "{}\n{}", columns.heading(), columns.row(value))?;
        self.columns = Some(columns);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rawbpf::btf::{BtfEditor, IntEncoding, Kind};

    fn event() -> (Btf<'static>, TypeId) {
        let mut b = BtfEditor::new();
        let int = b.add_int("int", 4, IntEncoding::SIGNED);
        let char_ = b.add_int("char", 1, IntEncoding::SIGNED);
        let comm = b.add_array(char_, int, 16);
        let id = b.add_composite(
            Kind::Struct,
            "event",
            20,
            &[("pid", int, 0), ("comm", comm, 32)],
        );
        (Btf::from_vec(b.finish()).unwrap(), id)
    }

    fn record(pid: i32, comm: &str) -> Vec<u8> {
        let mut record = pid.to_ne_bytes().to_vec();
        record.extend(comm.as_bytes());
        record.resize(20, 0);
        record
    }

    #[test]
    fn rows_stand_under_one_heading() {
        let (btf, id) = event();
        let mut printer = Printer::new(Some((&btf, id)), Style::Table);
        let mut out = Vec::new();
        printer.print(&mut out, &record(7, "cat")).unwrap();
        printer
            .print(&mut out, &record(123_456_789, "a very long one"))
            .unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "PID   COMM\n7     cat\n123456789 a very long one\n");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let (btf, id) = event();
        let mut printer = Printer::new(Some((&btf, id)), Style::Json);
        let mut out = Vec::new();
        printer.print(&mut out, &record(-1, "x\n")).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"pid\":-1,\"comm\":\"x\\n\"}\n"
        );
    }

    #[test]
    fn without_a_type_it_is_hex() {
        let mut out = Vec::new();
        Printer::new(None, Style::Table)
            .print(&mut out, &[1, 254])
            .unwrap();
        assert_eq!(out, b"01fe\n");
    }
}
