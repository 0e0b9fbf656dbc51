//! Tables: rows in columns under a title.

use crate::show::escape;
use std::borrow::Cow;
use std::io::{self, Write};

/// A row's texts, one for each column.
pub(crate) type Row<'r, const COLUMNS: usize> = [Cow<'r, str>; COLUMNS];

/// A wider cell does not widen its column: it shifts the rest of its own row to the right.
const WIDEST: usize = 100;

/// Prints a title and rows in columns under it, unless there are none. The rows are created twice, once to measure and once to
/// print, and never stored: there may be many, with long texts.
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
    // Spaces due before the next text, if any follows: no line ends with spaces.
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

/// A cell must not contain separators of cells or rows.
fn in_a_cell(text: &str) -> Cow<'_, str> {
    if text.contains(['\t', '\n']) {
        escape::name(&text.replace(['\t', '\n'], " "))
            .into_owned()
            .into()
    } else {
        escape::name(text)
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
}
