//! What all commands print with: tables, JSON, hexadecimal text.

use serde::Serialize;
use std::io::{self, Write};
use tabwriter::TabWriter;

/// Rows of text under a heading, to be printed in columns.
pub(crate) struct Table {
    heading: String,
    rows: Vec<String>,
}

impl Table {
    /// An empty table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self {
            heading: headings.join("\t").to_uppercase(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, with a text for each heading.
    pub(crate) fn add_row<const COLUMNS: usize>(&mut self, texts: [impl AsRef<str>; COLUMNS]) {
        // What ends a cell or a row must not stand in one.
        self.rows.push(
            texts
                .map(|text| text.as_ref().replace(['\t', '\n'], " "))
                .join("\t"),
        );
    }

    /// Prints a title and the table under it, unless the table is empty.
    pub(crate) fn print(&self, out: &mut impl Write, title: &str) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        writeln!(out, "{title}:")?;
        let mut columns = TabWriter::new(Vec::new());
        for row in std::iter::once(&self.heading).chain(&self.rows) {
            writeln!(columns, "  {row}")?;
        }
        let text = columns
            .into_inner()
            .map_err(|error| io::Error::other(error.to_string()))?;
        out.write_all(&text)
    }
}

/// Prints one JSON document, indented.
pub(crate) fn print_json(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_stand_in_columns() {
        let mut table = Table::new(&["name", "id"]);
        table.add_row(["a long name", "1"]);
        table.add_row(["b\tc", "22"]);
        let mut out = Vec::new();
        table.print(&mut out, "things").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "things:\n  NAME         ID\n  a long name  1\n  b c          22\n"
        );
    }

    #[test]
    fn bytes_have_two_digits() {
        assert_eq!(hex(&[0, 255, 16]), "00ff10");
    }
}
