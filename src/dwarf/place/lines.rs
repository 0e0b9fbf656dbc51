//! The line table of a unit: the source line of each instruction.

use super::functions::{Dwarf, GimliUnit};
use super::index::Ranges;
use super::sections::{Sections, Slice};
use gimli::{AttributeValue, ColumnType, LineProgramHeader, LineRow};

/// Lines by address.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rows: Vec<Row>,
    /// The rows of each sequence, as an index in `rows` and a number of rows.
    stretches: Ranges<(usize, usize)>,
}

/// The line for addresses from this one on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    address: u64,
    pub(super) file: u32,
    /// Zero if the compiler does not specify it.
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Row {
    fn of(row: &LineRow) -> Self {
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let column = match row.column() {
            ColumnType::LeftEdge => 0,
            ColumnType::Column(column) => number(column.get()),
        };
        Self {
            address: row.address(),
            file: number(row.file_index()),
            line: row.line().map_or(0, |line| number(line.get())),
            column,
        }
    }
}

impl Lines {
    /// Runs the unit's line program; an empty table if it has none.
    pub(super) fn of(sections: &Sections, unit: &GimliUnit<'_>) -> gimli::Result<Self> {
        let mut lines = Self::default();
        let Some(program) = unit.line_program.clone() else {
            return Ok(lines);
        };
        let mut rows = program.rows();
        let mut start = 0;
        while let Some((_, row)) = rows.next_row()? {
            if !row.end_sequence() {
                lines.rows.push(Row::of(row));
                continue;
            }
            lines.end_stretch(sections, start, row.address());
            start = lines.rows.len();
        }
        lines.stretches.sort();
        Ok(lines)
    }

    fn end_stretch(&mut self, sections: &Sections, start: usize, end: u64) {
        let rows = self.rows.get_mut(start..).unwrap_or_default();
        // They are in order, unless the file is damaged.
        rows.sort_by_key(|row| row.address);
        let len = rows.len();
        let range = rows.first().map_or(end, |row| row.address)..end;
        if len > 0 && sections.is_live(&range) {
            self.stretches.add(range, (start, len));
        } else {
            self.rows.truncate(start);
        }
    }

    /// The row for an address.
    pub(super) fn at(&self, address: u64) -> Option<Row> {
        let stretches = self.stretches.at(address);
        let (start, len) = stretches.first()?;
        let rows = self.rows.get(*start..)?.get(..*len)?;
        let after = rows.partition_point(|row| row.address <= address);
        rows.get(after.checked_sub(1)?).copied()
    }

    /// Memory use in bytes.
    pub(super) fn len(&self) -> usize {
        self.rows.len().saturating_mul(size_of::<Row>())
    }
}

/// The path of a file by its index, as far as the debug information has it.
pub(super) fn path(dwarf: &Dwarf<'_>, unit: &GimliUnit<'_>, file: u64) -> Option<String> {
    let header = unit.line_program.as_ref()?.header();
    let entry = header.file(file)?;
    let text = |value: AttributeValue<Slice<'_>>| {
        let text = dwarf.attr_string(unit, value).ok()?;
        Some(text.to_string_lossy().into_owned())
    };
    let name = text(entry.path_name())?;
    let folder = folder(header, entry.directory_index(), &text).unwrap_or_default();
    let start = unit.comp_dir.map(|folder| folder.to_string_lossy());
    Some(joined(&joined(&start.unwrap_or_default(), &folder), &name))
}

fn folder(
    header: &LineProgramHeader<Slice<'_>>,
    index: u64,
    text: &dyn Fn(AttributeValue<Slice<'_>>) -> Option<String>,
) -> Option<String> {
    // Up to DWARF 4, index zero is the directory of the compilation unit itself, which is not in the table.
    if index == 0 && header.version() <= 4 {
        return None;
    }
    text(header.directory(index)?)
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() || name.starts_with('/') {
        name.to_owned()
    } else if name.is_empty() {
        folder.to_owned()
    } else {
        format!("{}/{name}", folder.trim_end_matches('/'))
    }
}
