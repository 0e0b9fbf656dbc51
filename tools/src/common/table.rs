//! Rows with named columns, printed as they come: aligned text, or JSON.

use rawbpf::btf::Value;
use std::io::{self, BufWriter, Stdout, Write};

/// A column: its heading, and how its values are aligned.
pub(crate) struct Column {
    heading: &'static str,
    width: usize,
    side: Side,
}

enum Side {
    Left,
    Right,
    /// A fraction with this many digits.
    Fraction(usize),
}

pub(crate) const fn left(heading: &'static str, width: usize) -> Column {
    let side = Side::Left;
    Column {
        heading,
        width,
        side,
    }
}

pub(crate) const fn right(heading: &'static str, width: usize) -> Column {
    let side = Side::Right;
    Column {
        heading,
        width,
        side,
    }
}

/// A fraction with this many digits after the point.
pub(crate) const fn number(heading: &'static str, width: usize, digits: usize) -> Column {
    let side = Side::Fraction(digits);
    Column {
        heading,
        width,
        side,
    }
}

impl Column {
    fn shown(&self, text: &str) -> String {
        let width = self.width;
        match self.side {
            Side::Left => format!("{text:<width$}"),
            Side::Right | Side::Fraction(_) => format!("{text:>width$}"),
        }
    }

    fn text(&self, value: &Value) -> String {
        match (&self.side, value) {
            (Side::Fraction(digits), Value::Float(number)) => format!("{number:.digits$}"),
            _ => value.to_string(),
        }
    }

    /// Its name in JSON: `lat_ms` for `LAT(ms)`.
    fn key(&self) -> String {
        let name = self.heading.to_lowercase().replace('(', "_");
        name.replace(')', "")
    }
}

/// Where rows go.
pub(crate) struct Table {
    columns: &'static [Column],
    json: bool,
    out: BufWriter<Stdout>,
}

impl Table {
    /// Prints the headings, unless it is to be JSON.
    pub(super) fn new(columns: &'static [Column], json: bool) -> io::Result<Self> {
        let out = BufWriter::new(io::stdout());
        let mut table = Self { columns, json, out };
        if !json {
            let headings = columns.iter().map(|one| one.shown(one.heading));
            let headings: Vec<_> = headings.collect();
            table.line(&headings)?;
            table.flush()?;
        }
        Ok(table)
    }

    /// Prints a row: a value for each column.
    pub(crate) fn row<const N: usize>(&mut self, values: [Value; N]) -> io::Result<()> {
        debug_assert_eq!(N, self.columns.len(), "a value for each column");
        if self.json {
            let names = self.columns.iter().map(Column::key);
            let object = Value::Struct(names.zip(values).collect());
            return writeln!(self.out, "{}", object.json());
        }
        let columns = self.columns.iter().zip(&values);
        let cells: Vec<_> = columns
            .map(|(column, value)| column.shown(&column.text(value)))
            .collect();
        self.line(&cells)
    }

    fn line(&mut self, cells: &[String]) -> io::Result<()> {
        writeln!(self.out, "{}", cells.join(" ").trim_end())
    }

    /// Shows what has been printed so far.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
