//! What all commands print with: tables, JSON, hexadecimal text.

use comfy_table::{ContentArrangement, Table, presets};
use rawbpf::btf::Value;
use serde::Serialize;
use std::io::{self, Write};

/// A borderless table with these headings.
pub(crate) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.iter().map(|h| h.to_uppercase()));
    table
}

/// Prints a heading and a table under it, if the table has rows.
pub(crate) fn print_section(out: &mut impl Write, heading: &str, table: &Table) -> io::Result<()> {
    if table.row_count() == 0 {
        return Ok(());
    }
    writeln!(out, "{heading}:")?;
    for line in table.to_string().lines() {
        writeln!(out, "  {}", line.trim_end())?;
    }
    Ok(())
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

/// A decoded value as JSON: integers as numbers, addresses and enumerators as text, missing values as null.
pub(crate) fn value_to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Int(n) => (*n).into(),
        Value::Uint(n) | Value::Pointer(n) => (*n).into(),
        Value::Bool(b) => (*b).into(),
        Value::Float(x) => (*x).into(),
        Value::Enum { name: None, value } => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Array(elements) => elements.iter().map(value_to_json).collect(),
        Value::Struct(members) => serde_json::Value::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), value_to_json(value)))
                .collect(),
        ),
        Value::Missing => serde_json::Value::Null,
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_json() {
        let value = Value::Struct(vec![
            ("ret".into(), Value::Int(-2)),
            ("ip".into(), Value::Ip([127, 0, 0, 1].into())),
            ("comm".into(), Value::Text("a\"b".into())),
            ("gone".into(), Value::Missing),
        ]);
        assert_eq!(
            value_to_json(&value).to_string(),
            r#"{"ret":-2,"ip":"127.0.0.1","comm":"a\"b","gone":null}"#
        );
        assert_eq!(hex(&[0, 255, 16]), "00ff10");
    }
}
