//! The functions of a unit: their address ranges, and the functions that are inlined at an address.

use super::index::Ranges;
use super::sections::{Sections, Slice};
use gimli::{
    Abbreviation, Abbreviations, AttributeValue, DwAt, DwTag, EntriesRaw, UnitOffset,
    constants as dw,
};
use std::ops::Range;
use std::sync::Arc;

pub(super) type Dwarf<'d> = gimli::Dwarf<Slice<'d>>;
pub(super) type GimliUnit<'d> = gimli::Unit<Slice<'d>>;

/// Range lists may be shared, so that a small file could have any number of ranges.
pub(super) const MOST_RANGES: usize = 1 << 22;

/// The attributes of an entry that are used.
#[derive(Debug, Default)]
struct Entry<'d> {
    low: Option<u64>,
    high: Option<u64>,
    size: Option<u64>,
    ranges: Option<AttributeValue<Slice<'d>>>,
    origin: Option<AttributeValue<Slice<'d>>>,
    sibling: usize,
    call: Call,
}

/// The call of an inlined function.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Call {
    pub(super) file: u64,
    pub(super) line: u64,
    pub(super) column: u64,
}

/// A function that is inlined at an address.
#[derive(Debug)]
pub(super) struct Inlined<'d> {
    depth: isize,
    pub(super) origin: Option<AttributeValue<Slice<'d>>>,
    pub(super) call: Call,
}

/// The address ranges of a whole unit, limited by `steps`; the line table is not read.
pub(super) fn ranges_of_root(
    sections: &Sections,
    bytes: &[u8],
    abbreviations: Arc<Abbreviations>,
    steps: &mut usize,
) -> gimli::Result<Vec<Range<u64>>> {
    let dwarf = sections.around(bytes);
    let Some(header) = dwarf.units().next()? else {
        return Ok(Vec::new());
    };
    let unit = without_lines(&dwarf, header, abbreviations)?;
    let mut entries = unit.entries_raw(None)?;
    let mut found = Vec::new();
    if let Some(abbreviation) = entries.read_abbreviation()? {
        let entry = read(&dwarf, &unit, abbreviation, &mut entries)?;
        each_range(sections, &dwarf, &unit, &entry, steps, &mut |range| {
            found.push(range);
        })?;
    }
    Ok(found)
}

/// What is needed of a unit to read its ranges.
fn without_lines<'d>(
    dwarf: &Dwarf<'d>,
    header: gimli::UnitHeader<Slice<'d>>,
    abbreviations: Arc<Abbreviations>,
) -> gimli::Result<GimliUnit<'d>> {
    let encoding = header.encoding();
    let main = gimli::DwarfFileType::Main;
    let mut unit = gimli::Unit {
        header,
        abbreviations,
        name: None,
        comp_dir: None,
        low_pc: 0,
        str_offsets_base: gimli::DebugStrOffsetsBase::default_for_encoding_and_file(encoding, main),
        addr_base: gimli::DebugAddrBase(0),
        loclists_base: gimli::DebugLocListsBase::default_for_encoding_and_file(encoding, main),
        rnglists_base: gimli::DebugRngListsBase::default_for_encoding_and_file(encoding, main),
        line_program: None,
        dwo_id: None,
    };
    let mut low = None;
    let mut entries = unit.entries_raw(None)?;
    let mut bases = (unit.addr_base, unit.rnglists_base);
    if let Some(abbreviation) = entries.read_abbreviation()? {
        for specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(*specification)?;
            match (attribute.name(), attribute.value()) {
                (dw::DW_AT_low_pc, value) => low = Some(value),
                (_, AttributeValue::DebugAddrBase(base)) => bases.0 = base,
                (_, AttributeValue::DebugRngListsBase(base)) => bases.1 = base,
                _ => {}
            }
        }
    }
    (unit.addr_base, unit.rnglists_base) = bases;
    if let Some(low) = low {
        unit.low_pc = dwarf.attr_address(&unit, low)?.unwrap_or(0);
    }
    Ok(unit)
}

/// The functions of a unit: their ranges, and the offset of each one's entry.
pub(super) fn functions(
    sections: &Sections,
    dwarf: &Dwarf<'_>,
    unit: &GimliUnit<'_>,
) -> gimli::Result<Ranges<usize>> {
    let mut found = Ranges::default();
    let mut entries = unit.entries_raw(None)?;
    let is_c = is_in_c(unit);
    let mut steps = MOST_RANGES;
    while !entries.is_empty() {
        let at = entries.next_offset();
        let Some(abbreviation) = entries.read_abbreviation()? else {
            continue;
        };
        let tag = abbreviation.tag();
        let is_function = tag == dw::DW_TAG_subprogram;
        let may_be_left_out = abbreviation.has_children() && has_no_functions(tag, is_c);
        if !is_function && !may_be_left_out {
            entries.skip_attributes(abbreviation.attributes())?;
            continue;
        }
        let entry = read(dwarf, unit, abbreviation, &mut entries)?;
        if is_function {
            each_range(sections, dwarf, unit, &entry, &mut steps, &mut |range| {
                found.add(range, at.0);
            })?;
        }
        if may_be_left_out && entry.sibling > entries.next_offset().0 {
            entries = unit.entries_raw(Some(UnitOffset(entry.sibling)))?;
        }
    }
    found.sort();
    Ok(found)
}

/// Whether such an entry cannot contain functions with code.
fn has_no_functions(tag: DwTag, is_c: bool) -> bool {
    match tag {
        dw::DW_TAG_enumeration_type | dw::DW_TAG_array_type | dw::DW_TAG_subroutine_type => true,
        dw::DW_TAG_structure_type | dw::DW_TAG_union_type | dw::DW_TAG_subprogram => is_c,
        _ => false,
    }
}

/// Only in C, functions and types contain no functions.
fn is_in_c(unit: &GimliUnit<'_>) -> bool {
    let mut entries = unit.entries();
    let Ok(Some(root)) = entries.next_dfs() else {
        return false;
    };
    matches!(
        root.attr_value(dw::DW_AT_language),
        Some(AttributeValue::Language(
            dw::DW_LANG_C89 | dw::DW_LANG_C | dw::DW_LANG_C99 | dw::DW_LANG_C11 | dw::DW_LANG_C17
        ))
    )
}

/// The functions inlined at an address of the function whose entry is at `function`, outermost first.
pub(super) fn inlined<'d>(
    sections: &Sections,
    dwarf: &Dwarf<'d>,
    unit: &GimliUnit<'d>,
    function: usize,
    address: u64,
) -> gimli::Result<Vec<Inlined<'d>>> {
    let mut found: Vec<Inlined<'d>> = Vec::new();
    let mut entries = unit.entries_raw(Some(UnitOffset(function)))?;
    // The depth at which the current reader started.
    let mut base = 0;
    let mut steps = MOST_RANGES;
    // The depth of an inlined function that does not include the address, while inside of it.
    let mut outside: Option<isize> = None;
    while !entries.is_empty() {
        let depth = entries.next_depth().saturating_add(base);
        let Some(abbreviation) = entries.read_abbreviation()? else {
            if depth <= 1 {
                break;
            }
            continue;
        };
        if outside.is_some_and(|outside| depth <= outside) {
            outside = None;
        }
        let tag = abbreviation.tag();
        let is_nested = tag == dw::DW_TAG_subprogram && depth > 0;
        if outside.is_some() || !(tag == dw::DW_TAG_inlined_subroutine || is_nested) {
            entries.skip_attributes(abbreviation.attributes())?;
        } else {
            let entry = read(dwarf, unit, abbreviation, &mut entries)?;
            if !is_nested && has(sections, dwarf, unit, &entry, address, &mut steps)? {
                found.retain(|outer| outer.depth < depth);
                let (origin, call) = (entry.origin, entry.call);
                found.push(Inlined {
                    depth,
                    origin,
                    call,
                });
            } else if abbreviation.has_children() {
                outside = Some(depth);
                if entry.sibling > entries.next_offset().0 {
                    entries = unit.entries_raw(Some(UnitOffset(entry.sibling)))?;
                    base = depth;
                }
            }
        }
        // The function itself has no children.
        if depth == 0 && !abbreviation.has_children() {
            break;
        }
    }
    Ok(found)
}

fn has<'d>(
    sections: &Sections,
    dwarf: &Dwarf<'d>,
    unit: &GimliUnit<'d>,
    entry: &Entry<'d>,
    address: u64,
    steps: &mut usize,
) -> gimli::Result<bool> {
    let mut is_there = false;
    each_range(sections, dwarf, unit, entry, steps, &mut |range| {
        is_there |= range.contains(&address);
    })?;
    Ok(is_there)
}

fn read<'d>(
    dwarf: &Dwarf<'d>,
    unit: &GimliUnit<'d>,
    abbreviation: &Abbreviation,
    entries: &mut EntriesRaw<'_, Slice<'d>>,
) -> gimli::Result<Entry<'d>> {
    let mut entry = Entry::default();
    for specification in abbreviation.attributes() {
        if !is_wanted(specification.name()) {
            entries.skip_attributes(std::slice::from_ref(specification))?;
            continue;
        }
        let attribute = entries.read_attribute(*specification)?;
        let value = attribute.value();
        let number = || attribute.udata_value().unwrap_or(0);
        match attribute.name() {
            dw::DW_AT_low_pc => entry.low = dwarf.attr_address(unit, value)?,
            dw::DW_AT_high_pc => match attribute.udata_value() {
                Some(size) => entry.size = Some(size),
                None => entry.high = dwarf.attr_address(unit, value)?,
            },
            dw::DW_AT_ranges => entry.ranges = Some(value),
            dw::DW_AT_abstract_origin => entry.origin = Some(value),
            dw::DW_AT_sibling => {
                if let AttributeValue::UnitRef(offset) = value {
                    entry.sibling = offset.0;
                }
            }
            dw::DW_AT_call_file => {
                entry.call.file = match value {
                    AttributeValue::FileIndex(index) => index,
                    _ => number(),
                }
            }
            dw::DW_AT_call_line => entry.call.line = number(),
            dw::DW_AT_call_column => entry.call.column = number(),
            _ => {}
        }
    }
    Ok(entry)
}

fn is_wanted(name: DwAt) -> bool {
    matches!(
        name,
        dw::DW_AT_low_pc
            | dw::DW_AT_high_pc
            | dw::DW_AT_ranges
            | dw::DW_AT_abstract_origin
            | dw::DW_AT_sibling
            | dw::DW_AT_call_file
            | dw::DW_AT_call_line
            | dw::DW_AT_call_column
    )
}

/// Calls `visit` with each range of an entry that is in the program, until no steps are left.
fn each_range<'d>(
    sections: &Sections,
    dwarf: &Dwarf<'d>,
    unit: &GimliUnit<'d>,
    entry: &Entry<'d>,
    steps: &mut usize,
    visit: &mut dyn FnMut(Range<u64>),
) -> gimli::Result<()> {
    let list = match &entry.ranges {
        Some(list) => dwarf.attr_ranges(unit, *list)?,
        None => None,
    };
    let Some(mut list) = list else {
        let end = match (entry.low, entry.size) {
            (Some(low), Some(size)) => low.checked_add(size),
            _ => entry.high,
        };
        if let (Some(low), Some(end)) = (entry.low, end) {
            let range = low..end;
            if sections.is_live(&range) {
                visit(range);
            }
        }
        return Ok(());
    };
    while let Some(range) = list.next()? {
        let Some(left) = steps.checked_sub(1) else {
            break;
        };
        *steps = left;
        let range = range.begin..range.end;
        if sections.is_live(&range) {
            visit(range);
        }
    }
    Ok(())
}
