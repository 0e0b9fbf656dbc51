//! Jump tables: arrays of instruction addresses that the kernel keeps up to date.
//!
//! clang writes a table as byte offsets in the section of the function that uses it. The kernel needs a map of instruction
//! indexes from the start of the program, so every program gets its own maps.

use super::plan::MapPlan;
use super::subprog::Part;
use crate::insn::INSN_SIZE;
use crate::kinds::MapType;
use crate::open::{Function, MapOrigin, OpenObject};
use crate::{Error, ErrorKind, Result};
use std::collections::HashMap;

/// The name of these maps in the kernel, and of clang's section.
pub(super) const NAME: &str = ".jumptables";
/// The size of an entry in the file, in bytes.
const ENTRY_SIZE: u64 = 8;
/// The size of the kernel's `struct bpf_insn_array_value`, which starts with the four bytes of the instruction index.
const VALUE_SIZE: u32 = 16;

/// The jump tables of all programs, as maps after the object's own.
#[derive(Debug)]
pub(super) struct JumpTables<'o> {
    object: &'o OpenObject,
    plans: Vec<MapPlan>,
    /// Those of the current program, by their offset in the section.
    known: HashMap<u64, usize>,
}

impl<'o> JumpTables<'o> {
    pub(super) fn new(object: &'o OpenObject) -> Self {
        Self {
            object,
            plans: Vec::new(),
            known: HashMap::new(),
        }
    }

    /// Starts the next program.
    pub(super) fn next_program(&mut self) {
        self.known.clear();
    }

    /// The maps.
    pub(super) fn into_plans(self) -> Vec<MapPlan> {
        self.plans
    }

    /// The index of the map for the table at this offset, which `part` of the program uses.
    #[doc(alias = "create_jt_map")]
    pub(super) fn map(&mut self, offset: u64, size: u64, part: Part) -> Result<usize> {
        let first = self.object.maps.len();
        if let Some(known) = self.known.get(&offset) {
            return Ok(*known);
        }
        let fail = |why: &str| {
            Error::new(
                ErrorKind::InvalidObject,
                format!("the jump table at {offset:#x} of section {NAME} ({size:#x} bytes) {why}"),
            )
        };
        if !offset.is_multiple_of(ENTRY_SIZE) || !size.is_multiple_of(ENTRY_SIZE) {
            return Err(fail("is not made of 8-byte entries"));
        }
        let range = usize::try_from(offset)
            .ok()
            .zip(usize::try_from(size).ok())
            .and_then(|(offset, size)| self.object.jump_tables.get(offset..)?.get(..size));
        let table = range.ok_or_else(|| fail("reaches past the section's end"))?;
        let function = self.object.functions.get(part.function);
        let function = function.ok_or_else(|| fail("belongs to no function"))?;
        let mut initial = Vec::new();
        for entry in table.as_chunks::<8>().0 {
            let insn = rebase(u64::from_ne_bytes(*entry), function, part)
                .ok_or_else(|| fail("leads out of its function"))?;
            initial.extend_from_slice(&insn.to_ne_bytes());
            initial.resize(initial.len() + 12, 0);
        }
        let index = first.saturating_add(self.plans.len());
        self.plans.push(MapPlan {
            name: NAME.to_string(),
            kernel_name: NAME.to_string(),
            origin: MapOrigin::InsnArray,
            kind: MapType::INSN_ARRAY,
            key_size: 4,
            value_size: VALUE_SIZE,
            max_entries: u32::try_from(size / ENTRY_SIZE).map_err(|_| fail("is too long"))?,
            autocreate: true,
            initial: Some(initial),
            freeze: true,
            ..MapPlan::default()
        });
        self.known.insert(offset, index);
        Ok(index)
    }
}

/// Converts a byte offset in the function's section to an instruction of the program.
fn rebase(bytes: u64, function: &Function, part: Part) -> Option<u32> {
    let insn = usize::try_from(bytes).ok()? / INSN_SIZE;
    let insn = insn.checked_sub(function.offset)?.checked_add(part.start)?;
    u32::try_from(insn).ok()
}
