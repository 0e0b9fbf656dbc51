//! Events on their way to the terminal: decoded by type, one column a field, or one JSON object a line.

use crate::output::{hex, value_to_json};
use rawbpf::TypeId;
use rawbpf::btf::{Btf, Kind, Value};
use std::io::{self, Write};

/// How the events of one buffer are shown.
pub(crate) struct Printer<'b> {
    types: Option<(&'b Btf<'static>, TypeId)>,
    style: Style,
    columns: Vec<Column>,
    heading_printed: bool,
}

/// What a line looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Columns under a heading.
    Table,
    /// JSON objects.
    Json,
}

struct Column {
    name: String,
    width: usize,
}

/// The widest a column gets before its text pushes the following ones to the right.
const MAX_WIDTH: usize = 48;

impl<'b> Printer<'b> {
    /// Shows events as values of the type, or as hexadecimal text if there is none.
    pub(crate) fn new(types: Option<(&'b Btf<'static>, TypeId)>, style: Style) -> Self {
        Self {
            types,
            style,
            columns: Vec::new(),
            heading_printed: false,
        }
    }

    /// Prints one event.
    pub(crate) fn print(&mut self, out: &mut impl Write, record: &[u8]) -> io::Result<()> {
        let decoded = self.types.and_then(|(btf, id)| btf.decode(id, record).ok());
        match (self.style, decoded) {
            (Style::Json, Some(value)) => writeln!(out, "{}", value_to_json(&value)),
            (Style::Json, None) => writeln!(out, r#"{{"data":"{}"}}"#, hex(record)),
            (Style::Table, Some(value)) => self.print_row(out, &flatten(&value)),
            (Style::Table, None) => writeln!(out, "{}", hex(record)),
        }
    }

    fn print_row(&mut self, out: &mut impl Write, fields: &[(String, String)]) -> io::Result<()> {
        if !self.heading_printed {
            self.heading_printed = true;
            self.columns = fields
                .iter()
                .map(|(name, text)| self.column(name, text))
                .collect();
            let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
            print_columns(out, &self.columns, names.into_iter())?;
        }
        print_columns(
            out,
            &self.columns,
            fields.iter().map(|(_, text)| text.as_str()),
        )
    }

    fn column(&self, name: &str, first: &str) -> Column {
        let by_type = self
            .types
            .and_then(|(btf, id)| natural_width(btf, id, name))
            .unwrap_or(0);
        let width = by_type.max(name.len()).max(first.len()).min(MAX_WIDTH);
        Column {
            name: name.to_uppercase(),
            width,
        }
    }
}

fn print_columns<'t>(
    out: &mut impl Write,
    columns: &[Column],
    texts: impl Iterator<Item = &'t str>,
) -> io::Result<()> {
    let mut line = String::new();
    let mut want = 0;
    for (column, text) in columns.iter().zip(texts) {
        line.push_str(text);
        want += column.width + 1;
        let now = line.chars().count();
        line.extend(std::iter::repeat_n(' ', want.saturating_sub(now).max(1)));
    }
    writeln!(out, "{}", line.trim_end())
}

/// The fields of an event, nested ones under `outer.inner`.
fn flatten(value: &Value) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    flatten_into(value, "", &mut fields);
    fields
}

fn flatten_into(value: &Value, name: &str, fields: &mut Vec<(String, String)>) {
    let Value::Struct(members) = value else {
        let name = if name.is_empty() { "value" } else { name };
        fields.push((name.to_string(), value.to_string()));
        return;
    };
    for (member, value) in members {
        let full = if name.is_empty() {
            member.clone()
        } else {
            format!("{name}.{member}")
        };
        flatten_into(value, &full, fields);
    }
}

/// How wide a field's text usually gets; nested fields are as wide as their first text.
fn natural_width(btf: &Btf<'_>, id: TypeId, field: &str) -> Option<usize> {
    let event = btf.get(id).ok()?.resolved().ok()?;
    let member = event.members().find(|m| m.name == field)?;
    let ty = btf.get(member.type_id).ok()?.resolved().ok()?;
    Some(match ty.kind() {
        Kind::Int if ty.int_encoding()?.bool => 5,
        // Process numbers and the like rarely use the whole range.
        Kind::Int => [3, 3, 5, 7, 16][usize::try_from(ty.size_field().ilog2()).ok()?.min(4)],
        Kind::Ptr => 18,
        Kind::Array => usize::try_from(ty.array()?.len).ok()?.min(16),
        Kind::Enum | Kind::Enum64 => ty.enumerators().map(|e| e.name.len()).max()?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rawbpf::btf::{BtfEditor, IntEncoding};

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
