//! Jump tables whose code moves. Their entries are offsets in the section of the function that jumps.
//!
//! If a file has relocations for them, those are used. Otherwise only the instructions that load a table's address tell which
//! code uses it.

use super::input::{Input, Role, invalid};
use super::layout::Layout;
use crate::elf::{Symbol, SymbolPlace};
use crate::ids::ByteOrder;
use crate::{Result, SectionIndex};
use std::collections::HashMap;

/// The section of jump tables. Its symbols need no types, and two files may have symbols of the same name in it.
pub(super) const JUMP_TABLES: &str = ".jumptables";
/// Size of an entry in bytes.
const ENTRY: u64 = 8;

/// The jump tables of one input.
#[derive(Debug)]
pub(super) struct JumpTables {
    /// Their section, if its entries have no relocations.
    section: Option<SectionIndex>,
    /// How far the code of each table has moved, by the index of the table's symbol.
    moved: HashMap<usize, u32>,
    /// The number of entries that do not belong to a known table yet.
    left: u64,
}

impl JumpTables {
    pub(super) fn of(input: &Input<'_>) -> Self {
        let mut data = input.with_role(Role::Data);
        let section = data.find(|section| section.name == JUMP_TABLES);
        let mut rels = input.with_role(Role::Relocations);
        let section = section.filter(|section| rels.all(|rel| rel.info != section.index.0));
        Self {
            section: section.map(|section| section.index),
            moved: HashMap::new(),
            left: section.map_or(0, |section| section.size / ENTRY),
        }
    }

    /// Records that code that has moved by this many bytes uses a table, if this symbol is one.
    ///
    /// # Errors
    /// Code that has moved by a different distance uses it, too, or it overlaps other tables.
    pub(super) fn used(
        &mut self,
        (input, order): (usize, ByteOrder),
        symbol: &Symbol,
        by: u32,
        layout: &mut Layout<'_>,
    ) -> Result<()> {
        let Some(section) = self.section.filter(|_| symbol.kind != Symbol::SECTION) else {
            return Ok(());
        };
        if symbol.place != SymbolPlace::Section(section) {
            return Ok(());
        }
        match self.moved.insert(symbol.index, by) {
            Some(before) if before == by => return Ok(()),
            Some(_) => return Err(invalid("functions of two sections share a jump table")),
            None => {}
        }
        let left = self.left.checked_sub(symbol.size / ENTRY);
        self.left = left.ok_or_else(|| invalid("jump tables overlap, or are cut off"))?;
        let Some(place) = layout.place(input, section) else {
            return Ok(());
        };
        let start = symbol.value.saturating_add(u64::from(place.offset));
        let range = usize::try_from(start)
            .ok()
            .zip(usize::try_from(symbol.size).ok());
        let stored = layout.stored_mut(place.output);
        let table = stored
            .zip(range)
            .and_then(|(stored, (start, size))| stored.data.get_mut(start..)?.get_mut(..size));
        let table = table.ok_or_else(|| invalid("the jump table is cut off"))?;
        for entry in table.as_chunks_mut::<8>().0 {
            let moved = order.u64(*entry).wrapping_add(u64::from(by));
            *entry = order.u64(moved.to_ne_bytes()).to_ne_bytes();
        }
        Ok(())
    }
}
