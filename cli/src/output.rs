//! What all commands print with: tables, JSON, hexadecimal text.

use crate::escape;
use rawbpf::insn::Helper;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt::{self, Display};
use std::io::{self, Write};

/// The texts of a row, one for each column.
pub(crate) type Row<'r, const COLUMNS: usize> = [Cow<'r, str>; COLUMNS];

/// A cell that is wider does not widen its column: it pushes what follows it to the right, in its own row only.
const WIDEST: usize = 100;

/// Prints a title and rows in columns under it, unless there are none. They are made twice, to be measured and to be printed, and
/// never kept: there may be many, of long texts.
pub(crate) fn print_table<'r, const COLUMNS: usize, I>(
    out: &mut impl Write,
    title: &str,
    headings: [&str; COLUMNS],
    rows: impl Fn() -> I,
) -> io::Result<()>
where
    I: Iterator<Item = Row<'r, COLUMNS>>,
{
    let mut widths = headings.map(str::len);
    let mut is_empty = true;
    for row in rows() {
        is_empty = false;
        for (width, cell) in widths.iter_mut().zip(&row) {
            let found = in_a_cell(cell).chars().count();
            *width = if found > WIDEST {
                *width
            } else {
                found.max(*width)
            };
        }
    }
    if is_empty {
        return Ok(());
    }
    writeln!(out, "{}:", escape::name(title))?;
    print_row(
        out,
        widths,
        &headings.map(|heading| heading.to_uppercase().into()),
    )?;
    rows().try_for_each(|row| print_row(out, widths, &row))
}

fn print_row<const COLUMNS: usize>(
    out: &mut impl Write,
    widths: [usize; COLUMNS],
    row: &Row<'_, COLUMNS>,
) -> io::Result<()> {
    // What comes before the next text, once there is one: no line ends with spaces.
    let mut gap = 2;
    for (width, cell) in widths.iter().zip(row) {
        let text = in_a_cell(cell);
        if !text.is_empty() {
            write!(out, "{:gap$}{text}", "")?;
            gap = 0;
        }
        gap += width.saturating_sub(text.chars().count()) + 2;
    }
    writeln!(out)
}

/// What ends a cell or a row must not stand in one.
fn in_a_cell(text: &str) -> Cow<'_, str> {
    if text.contains(['\t', '\n']) {
        escape::name(&text.replace(['\t', '\n'], " "))
            .into_owned()
            .into()
    } else {
        escape::name(text)
    }
}

/// Prints one JSON document, indented. Nothing of it is kept: what a [`Rows`] holds is made while it is written.
pub(crate) fn print_json(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}

/// A JSON array of what the function's iterator yields, one after the other.
pub(crate) struct Rows<F>(pub(crate) F);

impl<F, I> Serialize for Rows<F>
where
    F: Fn() -> I,
    I: IntoIterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A JSON string of what `Display` prints.
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Two digits a byte.
#[derive(Clone, Copy)]
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?');
        let mut text = [0u8; 256];
        for bytes in self.0.chunks(text.len() / 2) {
            for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
                *pair = [digit(byte >> 4), digit(byte & 0xf)];
            }
            let written = text.get(..bytes.len() * 2).unwrap_or_default();
            f.write_str(std::str::from_utf8(written).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// A helper function, as all commands name it in JSON.
#[derive(Serialize)]
pub(crate) struct HelperJson {
    number: u32,
    /// `None` for a number that no kernel knows, such as one that relocation left.
    name: Option<&'static str>,
}

impl From<Helper> for HelperJson {
    fn from(helper: Helper) -> Self {
        Self {
            number: helper.0,
            name: helper.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of these rows.
    fn table(rows: &[[&str; 3]]) -> String {
        let mut out = Vec::new();
        let rows = || rows.iter().map(|row| row.map(Cow::Borrowed));
        print_table(&mut out, "things", ["name", "id", "more"], rows).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tables_stand_in_columns() {
        assert_eq!(
            table(&[["a long name", "1", ""], ["b\tc", "22", "x"]]),
            "things:\n  NAME         ID  MORE\n  a long name  1\n  b c          22  x\n"
        );
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn a_cell_that_is_too_wide_widens_no_column() {
        let wide = "w".repeat(WIDEST + 1);
        let text = table(&[["a", "", "z"], [&wide, "1", "x"]]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "  a         z");
        assert_eq!(lines[3], format!("  {wide}  1   x"));
    }

    #[test]
    fn bytes_have_two_digits() {
        assert_eq!(Hex(&[0, 255, 16]).to_string(), "00ff10");
        let many: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let one_by_one: Vec<_> = many.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(Hex(&many).to_string(), one_by_one.concat());
    }

    #[test]
    fn what_is_streamed_is_what_was_collected() {
        let rows = Rows(|| (0..2).map(|number| Shown(format!("\"{number}"))));
        let mut out = Vec::new();
        print_json(&mut out, &rows).unwrap();
        assert_eq!(out, b"[\n  \"\\\"0\",\n  \"\\\"1\"\n]\n");
    }
}
