//! Finds the unit of a file that contains an address.
//!
//! Compilers list the addresses in `.debug_aranges`, some not for all units, and some not at all. Units that are not listed are
//! read once, when an address is not listed either.

use super::super::error::DwarfError;
use super::functions::{MOST_RANGES, ranges_of_root};
use super::sections::Sections;
use crate::Result;
use crate::keyed_hash::Table;
use gimli::Abbreviations;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

/// The addresses and the offsets of units.
#[derive(Debug, Default)]
pub(super) struct Index {
    ranges: Ranges<u64>,
    /// The offsets of units that the file lists, in order.
    listed: Vec<u64>,
    /// Whether the units that are not listed have been read.
    is_complete: bool,
    /// The offsets of all units, and of their abbreviation tables; empty until needed.
    starts: Vec<(u64, u64)>,
}

impl Index {
    /// The ranges that the file lists.
    pub(super) fn of(sections: &Sections) -> Self {
        let mut index = Self::default();
        let mut headers = sections.aranges().headers();
        // Damage ends the list: then all other units are read.
        while let Ok(Some(header)) = headers.next() {
            let unit = header.debug_info_offset().0 as u64;
            let mut entries = header.entries();
            let mut has_some = false;
            while let Ok(Some(entry)) = entries.next() {
                let range = entry.range().begin..entry.range().end;
                if sections.is_live(&range) {
                    index.ranges.add(range, unit);
                    has_some = true;
                }
            }
            if has_some {
                index.listed.push(unit);
            }
        }
        index.listed.sort_unstable();
        index.ranges.sort();
        index
    }

    /// The units that contain an address; more than one only in unusual files.
    pub(super) fn units_at(&mut self, sections: &Sections, address: u64) -> Result<Vec<u64>> {
        let mut found = self.ranges.at(address);
        if found.is_empty() && !self.is_complete {
            self.complete(sections)?;
            found = self.ranges.at(address);
        }
        Ok(found)
    }

    fn complete(&mut self, sections: &Sections) -> Result<()> {
        self.is_complete = true;
        self.find_starts(sections)?;
        let mut tables: Vec<u64> = self.starts.iter().map(|(_, table)| *table).collect();
        tables.sort_unstable();
        tables.dedup();
        let mut known: Table<u64, Arc<Abbreviations>> = Table::default();
        let mut steps = MOST_RANGES;
        for (start, table) in &self.starts {
            if self.listed.binary_search(start).is_ok() {
                continue;
            }
            let abbreviations = match known.entry(*table) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(new) => {
                    // A table ends before the next one: otherwise each unit could have all of them from its own on.
                    let next = tables.partition_point(|start| start <= table);
                    let read = sections.abbreviations(*table, tables.get(next).copied());
                    new.insert(Arc::new(read.unwrap_or_default())).clone()
                }
            };
            let bytes = sections.unit(*start)?;
            // A damaged unit has no addresses to look up.
            let ranges = ranges_of_root(sections, &bytes, abbreviations, &mut steps);
            for range in ranges.unwrap_or_default() {
                self.ranges.add(range, *start);
            }
        }
        self.ranges.sort();
        Ok(())
    }

    fn find_starts(&mut self, sections: &Sections) -> Result<()> {
        let mut at = 0;
        if self.starts.is_empty() {
            while let Some(len) = sections.unit_len(at)? {
                self.starts.push((at, sections.table_of_unit(at)?));
                at = at.saturating_add(len);
            }
        }
        Ok(())
    }

    /// The unit that contains an entry of `.debug_info`.
    pub(super) fn unit_of_entry(&mut self, sections: &Sections, entry: u64) -> Result<u64> {
        self.find_starts(sections)?;
        let after = self.starts.partition_point(|(start, _)| *start <= entry);
        let unit = after
            .checked_sub(1)
            .and_then(|index| self.starts.get(index));
        unit.map(|(start, _)| *start)
            .ok_or_else(|| DwarfError::NoDebugInfo.into())
    }
}

/// Address ranges and what they belong to.
#[derive(Debug)]
pub(super) struct Ranges<T> {
    /// Sorted by their start.
    ranges: Vec<(Range<u64>, T)>,
}

/// How many ranges that start before an address are checked: ranges overlap only in unusual files.
const MOST_OVERLAPPING: usize = 32;

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self { ranges: Vec::new() }
    }
}

impl<T: Copy + Ord> Ranges<T> {
    pub(super) fn add(&mut self, range: Range<u64>, of: T) {
        self.ranges.push((range, of));
    }

    pub(super) fn sort(&mut self) {
        self.ranges
            .sort_unstable_by_key(|(range, of)| (range.start, std::cmp::Reverse(range.end), *of));
    }

    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// What contains an address; the range that starts last comes first.
    pub(super) fn at(&self, address: u64) -> Vec<T> {
        let after = self.ranges.partition_point(|(r, _)| r.start <= address);
        let before = self.ranges.get(..after).unwrap_or_default();
        let mut found: Vec<T> = Vec::new();
        for (range, of) in before.iter().rev().take(MOST_OVERLAPPING) {
            if range.contains(&address) && !found.contains(of) {
                found.push(*of);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_range_comes_first() {
        let mut ranges = Ranges::default();
        for (range, of) in [(10..50, 1), (20..30, 2), (60..70, 3), (20..25, 4)] {
            ranges.add(range, of);
        }
        ranges.sort();
        assert_eq!(ranges.at(22), [4, 2, 1]);
        assert_eq!(ranges.at(27), [2, 1]);
        assert_eq!(ranges.at(10), [1]);
        assert_eq!(ranges.at(50), [0_i32; 0]);
        assert_eq!(ranges.at(69), [3]);
    }
}
