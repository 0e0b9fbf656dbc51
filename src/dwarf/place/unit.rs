//! One unit that was read: its functions and lines by address.

use super::super::error::DwarfError;
use super::functions::{self, Call, Dwarf, GimliUnit};
use super::index::Ranges;
use super::lines::{self, Lines};
use super::sections::{Sections, Slice};
use crate::Result;
use crate::frame::Frame;
use crate::keyed_hash::Table;
use gimli::{Abbreviations, AttributeValue, UnitOffset, constants as dw};
use std::sync::Arc;

/// How many entries are followed from a function to its name: from an instance to its origin, from there to its declaration.
const MOST_STEPS: usize = 16;

/// A unit, and its lookup tables.
#[derive(Debug)]
pub(super) struct Unit {
    bytes: Vec<u8>,
    offset: u64,
    abbreviations: Arc<Abbreviations>,
    functions: Ranges<usize>,
    lines: Lines,
}

/// Why a lookup failed.
#[derive(Debug)]
pub(super) enum Stop {
    Damaged(gimli::Error),
    /// The entry at this offset of `.debug_info` is in a unit that has not been read yet.
    Elsewhere(u64),
}

impl From<gimli::Error> for Stop {
    fn from(error: gimli::Error) -> Self {
        Self::Damaged(error)
    }
}

impl Unit {
    pub(super) fn read(sections: &Sections, offset: u64) -> Result<Self> {
        let mut unit = Self {
            bytes: sections.unit(offset)?,
            offset,
            abbreviations: Arc::default(),
            functions: Ranges::default(),
            lines: Lines::default(),
        };
        let read = unit.tables(sections);
        let (abbreviations, functions, lines) = read.map_err(|reason| DwarfError::Damaged {
            unit: offset,
            reason,
        })?;
        unit.abbreviations = abbreviations;
        unit.functions = functions;
        unit.lines = lines;
        Ok(unit)
    }

    fn tables(
        &self,
        sections: &Sections,
    ) -> gimli::Result<(Arc<Abbreviations>, Ranges<usize>, Lines)> {
        let dwarf = sections.around(&self.bytes);
        let Some(header) = dwarf.units().next()? else {
            return Ok(Default::default());
        };
        let unit = dwarf.unit(header)?;
        let functions = functions::functions(sections, &dwarf, &unit)?;
        let lines = Lines::of(sections, &unit)?;
        Ok((unit.abbreviations, functions, lines))
    }

    /// Memory use in bytes.
    pub(super) fn len(&self) -> usize {
        let functions = self.functions.len().saturating_mul(32);
        self.bytes
            .len()
            .saturating_add(functions)
            .saturating_add(self.lines.len())
    }

    /// The functions at an address, innermost first.
    pub(super) fn frames(
        &self,
        sections: &Sections,
        address: u64,
        others: &Table<u64, Self>,
    ) -> Result<Vec<Frame>, Stop> {
        let dwarf = sections.around(&self.bytes);
        let Some(unit) = self.parsed(&dwarf)? else {
            return Ok(Vec::new());
        };
        let row = self.lines.at(address);
        let mut call = row.map_or_else(Call::default, |row| Call {
            file: row.file.into(),
            line: row.line.into(),
            column: row.column.into(),
        });
        let path = |call: &Call| lines::path(&dwarf, &unit, call.file);
        let names = Names { sections, others };
        let mut frames = Vec::new();
        let Some(function) = self.functions.at(address).first().copied() else {
            frames.extend(row.map(|_| frame(address, None, &call, path(&call))));
            return Ok(frames);
        };
        let mut file = row.and_then(|_| path(&call));
        let inlined = functions::inlined(sections, &dwarf, &unit, function, address)?;
        for inner in inlined.iter().rev() {
            let origin = inner.origin.as_ref().and_then(Target::of);
            let name = match origin {
                Some(origin) => names.of(&dwarf, &unit, origin, MOST_STEPS)?,
                None => None,
            };
            frames.push(Frame {
                is_inlined: true,
                ..frame(address, name, &call, file)
            });
            call = inner.call;
            file = path(&call);
        }
        let name = names.of(&dwarf, &unit, Target::Here(function), MOST_STEPS)?;
        frames.push(frame(address, name, &call, file));
        Ok(frames)
    }

    fn parsed<'d>(&self, dwarf: &Dwarf<'d>) -> gimli::Result<Option<GimliUnit<'d>>> {
        let Some(header) = dwarf.units().next()? else {
            return Ok(None);
        };
        let abbreviations = self.abbreviations.clone();
        gimli::Unit::new_with_abbreviations(dwarf, header, abbreviations).map(Some)
    }
}

fn frame(address: u64, function: Option<String>, call: &Call, file: Option<String>) -> Frame {
    let number = |n: u64| u32::try_from(n).ok().filter(|n| *n > 0);
    Frame {
        address,
        function,
        file,
        line: number(call.line),
        column: number(call.column),
        ..Frame::default()
    }
}

/// Where names of functions are looked up.
struct Names<'d> {
    sections: &'d Sections,
    others: &'d Table<u64, Unit>,
}

impl<'d> Names<'d> {
    /// The name of a function: the linkage name, if there is one.
    fn of(
        &self,
        dwarf: &Dwarf<'d>,
        unit: &GimliUnit<'d>,
        entry: Target,
        steps: usize,
    ) -> Result<Option<String>, Stop> {
        let Some(steps) = steps.checked_sub(1) else {
            return Ok(None);
        };
        let step = match entry {
            Target::Here(at) => Step::of(dwarf, unit, at)?,
            Target::Elsewhere(offset) => {
                let (other, at) = elsewhere(self.others, offset)?;
                let dwarf = self.sections.around(&other.bytes);
                return match other.parsed(&dwarf)? {
                    Some(unit) => self.of(&dwarf, &unit, Target::Here(at), steps),
                    None => Ok(None),
                };
            }
        };
        if step.linkage_name.is_some() {
            return Ok(step.linkage_name);
        }
        let Some(next) = step.next else {
            return Ok(step.name);
        };
        let further = self.of(dwarf, unit, next, steps)?;
        Ok(further.or(step.name))
    }
}

/// The attributes of an entry that lead to the name of a function.
#[derive(Debug, Default)]
struct Step {
    name: Option<String>,
    linkage_name: Option<String>,
    next: Option<Target>,
}

impl Step {
    fn of(dwarf: &Dwarf<'_>, unit: &GimliUnit<'_>, at: usize) -> gimli::Result<Self> {
        let mut step = Self::default();
        let entry = unit.entry(UnitOffset(at))?;
        for attribute in entry.attrs() {
            let text = || {
                let text = dwarf.attr_string(unit, attribute.value()).ok()?;
                Some(text.to_string_lossy().into_owned())
            };
            match attribute.name() {
                dw::DW_AT_name => step.name = text(),
                dw::DW_AT_linkage_name | dw::DW_AT_MIPS_linkage_name => step.linkage_name = text(),
                dw::DW_AT_abstract_origin | dw::DW_AT_specification => {
                    step.next = Target::of(&attribute.value());
                }
                _ => {}
            }
        }
        Ok(step)
    }
}

/// A reference to another entry.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// At this offset in the unit.
    Here(usize),
    /// At this offset of `.debug_info`.
    Elsewhere(u64),
}

impl Target {
    fn of(value: &AttributeValue<Slice<'_>>) -> Option<Self> {
        match value {
            AttributeValue::UnitRef(offset) => Some(Self::Here(offset.0)),
            AttributeValue::DebugInfoRef(offset) => Some(Self::Elsewhere(offset.0 as u64)),
            _ => None,
        }
    }
}

/// The unit that contains an entry, and the offset in it.
fn elsewhere(others: &Table<u64, Unit>, entry: u64) -> Result<(&Unit, usize), Stop> {
    let mut units = others.values();
    let found = units.find_map(|unit| {
        let at = usize::try_from(entry.checked_sub(unit.offset)?).ok()?;
        (at < unit.bytes.len()).then_some((unit, at))
    });
    found.ok_or(Stop::Elsewhere(entry))
}
