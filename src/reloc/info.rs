//! Function and line information of a linked program: the concatenated records of its parts.

use super::plan::InfoRecords;
use super::subprog::{Linked, Part};
use crate::btf::{BtfExt, ExtSection};
use crate::insn::INSN_SIZE;
use crate::open::{Function, OpenObject};
use crate::{Error, ErrorKind, Result, SectionIndex};
use std::cell::Cell;
use std::collections::HashMap;

/// How many bytes of records all programs of an object may have. Each program copies its subprograms' records, and there may be
/// any number of them.
const MOST_BYTES: usize = 1 << 28;

/// The records of an object by section.
#[derive(Debug, Default)]
pub(super) struct InfoTables<'o> {
    functions: HashMap<SectionIndex, ExtSection<'o>>,
    lines: HashMap<SectionIndex, ExtSection<'o>>,
    /// How many bytes of records all programs have used so far.
    taken: Cell<usize>,
}

impl<'o> InfoTables<'o> {
    pub(super) fn new(object: &'o OpenObject, ext: &'o BtfExt) -> Self {
        let sections = super::core_relos::sections_by_name(object);
        let by_section = |group: ExtSection<'o>| {
            let name = object
                .btf
                .as_ref()?
                .section_name_at(group.section_name_off)?;
            Some((*sections.get(name)?, group))
        };
        Self {
            functions: ext.func_info().filter_map(by_section).collect(),
            lines: ext.line_info().filter_map(by_section).collect(),
            taken: Cell::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.lines.is_empty()
    }

    /// The function records of the program.
    pub(super) fn func_info(&self, object: &OpenObject, linked: &Linked) -> Result<InfoRecords> {
        self.collect(&self.functions, "function", object, linked)
    }

    /// The line records of the program.
    pub(super) fn line_info(&self, object: &OpenObject, linked: &Linked) -> Result<InfoRecords> {
        self.collect(&self.lines, "line", object, linked)
    }

    /// The records of all parts. If the entry function has none, those of the others are left out; if it has some, all must
    /// have some.
    fn collect(
        &self,
        table: &HashMap<SectionIndex, ExtSection<'_>>,
        what: &str,
        object: &OpenObject,
        linked: &Linked,
    ) -> Result<InfoRecords> {
        let mut info = InfoRecords::default();
        for part in &linked.parts {
            let Some(function) = object.functions.get(part.function) else {
                continue;
            };
            let group = table.get(&function.section);
            let records = group.map_or(&[][..], |group| records_of(group, function));
            if records.is_empty() {
                if info.bytes.is_empty() {
                    return Ok(InfoRecords::default());
                }
                return Err(Error::new(
                    ErrorKind::InvalidObject,
                    format!(
                        "function `{}` has no {what} information, though the program that leads to it has some",
                        function.name
                    ),
                )
                .with_hint("compile all files of the object with -g"));
            }
            // Any number of them may apply to one instruction, and each program with this function gets a copy of all of
            // them.
            let count = records.len() / group.map_or(1, |group| group.record_size.max(1) as usize);
            if count > function.insns.len() {
                return Err(Error::new(
                    ErrorKind::InvalidObject,
                    format!(
                        "function `{}` has {count} records of {what} information for {} instructions, and the kernel takes one for each",
                        function.name,
                        function.insns.len()
                    ),
                ));
            }
            let taken = self.taken.get().saturating_add(records.len());
            if taken > MOST_BYTES {
                return Err(Error::new(
                    ErrorKind::InvalidObject,
                    format!(
                        "with function `{}` the {what} information of all programs comes to more than {MOST_BYTES} bytes",
                        function.name
                    ),
                ));
            }
            self.taken.set(taken);
            info.record_size = group.map_or(0, |group| group.record_size);
            append(&mut info, records, function, *part);
        }
        Ok(info)
    }
}

/// The records of this function. They are sorted by offset, as the kernel requires.
fn records_of<'o>(group: &ExtSection<'o>, function: &Function) -> &'o [u8] {
    let size = usize::try_from(group.record_size)
        .unwrap_or(usize::MAX)
        .max(1);
    let count = group.records.len() / size;
    let insn = |index: usize| {
        let record = group.records.get(index.saturating_mul(size)..);
        let word = record.and_then(|r| r.first_chunk());
        word.map_or(usize::MAX, |w| {
            usize::try_from(u32::from_ne_bytes(*w)).unwrap_or(usize::MAX) / INSN_SIZE
        })
    };
    let first_from = |limit: usize| {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low.midpoint(high);
            if insn(middle) < limit {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    };
    let first = first_from(function.offset);
    let last = first_from(function.offset.saturating_add(function.insns.len()));
    let bytes = first.saturating_mul(size)..last.max(first).saturating_mul(size);
    group.records.get(bytes).unwrap_or_default()
}

/// Converts offsets from bytes in the section to instructions in the program.
fn append(info: &mut InfoRecords, records: &[u8], function: &Function, part: Part) {
    let size = usize::try_from(info.record_size).unwrap_or(usize::MAX);
    for record in records.chunks_exact(size.max(4)) {
        let Some((offset, rest)) = record.split_first_chunk::<4>() else {
            continue;
        };
        let offset = usize::try_from(u32::from_ne_bytes(*offset)).unwrap_or(usize::MAX);
        let insn = (offset / INSN_SIZE)
            .saturating_sub(function.offset)
            .saturating_add(part.start);
        let insn = u32::try_from(insn).unwrap_or(u32::MAX);
        info.bytes.extend_from_slice(&insn.to_ne_bytes());
        info.bytes.extend_from_slice(rest);
    }
}
