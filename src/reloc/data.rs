//! References of instructions to maps, global data and externs.
//!
//! An instruction that loads the address of a map gets a hole for the map's descriptor; one that loads the address of a
//! global variable gets its offset, too: the instruction's own immediate (the offset, if the compiler named the section)
//! plus the symbol's value (the offset, if it named the variable).
//!
//! What does not exist (a map that is not to be created, a weak kernel function) is poisoned: the instruction becomes a
//! call of a helper function that no kernel has, with a number that tells what is missing. The verifier refuses the program
//! only if the instruction can be reached.

use super::externs::{Externs, Resolved};
use super::jump_tables::{self, JumpTables};
use super::maps::ArenaPlace;
use super::plan::{MapPlan, Ref, RefKind};
use super::subprog::Linked;
use crate::insn::{Insn, pseudo};
use crate::kinds::MapType;
use crate::open::{OpenObject, RelocKind};
use crate::{Error, ErrorKind, Result, TypeId};

/// `call` of this number plus a map's index: the map was not created.
pub(super) const POISON_MAP: i32 = 2_001_000_000;
/// `call` of this number plus an extern's index: there is no such kernel function.
pub(super) const POISON_EXTERN: i32 = 2_002_000_000;

/// What references lead to.
#[derive(Debug, Clone, Copy)]
pub(super) struct References<'a> {
    pub(super) object: &'a OpenObject,
    pub(super) maps: &'a [MapPlan],
    pub(super) externs: &'a Externs,
    pub(super) arena: ArenaPlace,
}

impl References<'_> {
    /// Resolves all references of a linked program in place; returns them, in the order of instructions.
    pub(super) fn relocate(
        &self,
        linked: &mut Linked,
        tables: &mut JumpTables<'_>,
    ) -> Result<Vec<Ref>> {
        tables.next_program();
        let mut refs = std::mem::take(&mut linked.refs);
        for part in &linked.parts {
            let Some(function) = self.object.functions.get(part.function) else {
                continue;
            };
            for relocation in &function.relocations {
                let insn = part.start.saturating_add(relocation.insn);
                let found = match relocation.kind {
                    RelocKind::InsnArray {
                        symbol_value,
                        symbol_size,
                    } => pair(&mut linked.insns, insn).and_then(|pair| {
                        let map = tables.map(symbol_value, symbol_size, *part)?;
                        Ok(Some(load_jump_table(pair, map)))
                    }),
                    kind => self.resolve(&mut linked.insns, insn, kind),
                };
                let found = found.map_err(|e| {
                    e.context(format!(
                        "function `{}`, instruction {}",
                        function.name, relocation.insn
                    ))
                })?;
                refs.extend(found.map(|(kind, name)| Ref { insn, kind, name }));
            }
        }
        refs.sort_by_key(|r| r.insn);
        Ok(refs)
    }

    fn resolve(
        &self,
        insns: &mut [Insn],
        at: usize,
        kind: RelocKind,
    ) -> Result<Option<(RefKind, String)>> {
        match kind {
            RelocKind::Map { map } => self.load_map(pair(insns, at)?, map),
            RelocKind::Data { map, symbol_value } => {
                self.load_data(pair(insns, at)?, map, symbol_value)
            }
            RelocKind::ExternLoad { ext } => self.load_extern(pair(insns, at)?, ext),
            RelocKind::ExternCall { ext } => self.call_extern(insns, at, ext),
            RelocKind::Call { .. } | RelocKind::InsnArray { .. } => Ok(None),
            RelocKind::SubprogAddress { .. } => match insns.get(at) {
                Some(insn) if insn.is_func_address() => Ok(None),
                _ => Err(shape("the address of a function")),
            },
        }
    }

    fn map(&self, map: usize) -> Result<&MapPlan> {
        self.maps.get(map).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidObject,
                format!("it refers to map {map}, which does not exist"),
            )
        })
    }

    fn load_map(&self, pair: Pair<'_>, map: usize) -> Result<Option<(RefKind, String)>> {
        let plan = self.map(map)?;
        if !plan.autocreate {
            return Ok(pair.poison(POISON_MAP, map));
        }
        let high = pair.high.imm;
        pair.set(pseudo::MAP_FD, 0, high);
        Ok(Some((RefKind::Map { map }, plan.name.clone())))
    }

    fn load_data(
        &self,
        pair: Pair<'_>,
        map: usize,
        symbol_value: u64,
    ) -> Result<Option<(RefKind, String)>> {
        let plan = self.map(map)?;
        if !plan.autocreate {
            return Ok(pair.poison(POISON_MAP, map));
        }
        let base = if plan.kind == MapType::ARENA {
            self.arena.offset
        } else {
            0
        };
        let offset = pair
            .low
            .imm
            .wrapping_add(low_half(symbol_value))
            .wrapping_add(low_half(base));
        pair.set(pseudo::MAP_VALUE, 0, offset);
        Ok(Some((RefKind::MapValue { map }, plan.name.clone())))
    }

    fn load_extern(&self, pair: Pair<'_>, ext: usize) -> Result<Option<(RefKind, String)>> {
        let (name, resolved) = self.externs.get(self.object, ext)?;
        let kind = match resolved {
            Resolved::Kconfig { offset } => {
                let map = self.object.kconfig_map.ok_or_else(|| {
                    Error::new(ErrorKind::InvalidObject, "the object has no .kconfig map")
                })?;
                if !self.map(map)?.autocreate {
                    return Ok(pair.poison(POISON_MAP, map));
                }
                pair.set(pseudo::MAP_VALUE, 0, offset.cast_signed());
                RefKind::MapValue { map }
            }
            Resolved::Variable { id, module } | Resolved::Function { id, module, .. } => {
                pair.set(pseudo::BTF_ID, id_imm(*id), 0);
                RefKind::BtfId {
                    module: module.clone(),
                }
            }
            Resolved::Address(address) => {
                let (low, high) = (low_half(*address), low_half(*address >> 32));
                (pair.low.imm, pair.high.imm) = (low, high);
                RefKind::Ksym
            }
            Resolved::Absent => {
                (pair.low.imm, pair.high.imm) = (0, 0);
                RefKind::Ksym
            }
        };
        Ok(Some((kind, name.to_string())))
    }

    fn call_extern(
        &self,
        insns: &mut [Insn],
        at: usize,
        ext: usize,
    ) -> Result<Option<(RefKind, String)>> {
        let insn = insns
            .get_mut(at)
            .filter(|insn| insn.code == Insn::CALL)
            .ok_or_else(|| shape("an extern function to call"))?;
        let (name, resolved) = self.externs.get(self.object, ext)?;
        let Resolved::Function { id, module, index } = resolved else {
            *insn = poison(POISON_EXTERN, ext);
            return Ok(None);
        };
        *insn = insn.with_src(pseudo::KFUNC_CALL);
        (insn.imm, insn.off) = (id_imm(*id), *index);
        let module = module.clone();
        Ok(Some((RefKind::Kfunc { module }, name.to_string())))
    }
}

fn load_jump_table(pair: Pair<'_>, map: usize) -> (RefKind, String) {
    pair.low.off = 0;
    let high = pair.high.imm;
    pair.set(pseudo::MAP_VALUE, 0, high);
    (RefKind::MapValue { map }, jump_tables::NAME.to_string())
}

/// The two slots of a 64-bit immediate load.
struct Pair<'i> {
    low: &'i mut Insn,
    high: &'i mut Insn,
}

impl Pair<'_> {
    fn set(self, src: u8, low: i32, high: i32) {
        *self.low = self.low.with_src(src);
        self.low.imm = low;
        self.high.imm = high;
    }

    fn poison<T>(self, base: i32, index: usize) -> Option<T> {
        *self.low = poison(base, index);
        *self.high = poison(base, index);
        None
    }
}

fn pair(insns: &mut [Insn], at: usize) -> Result<Pair<'_>> {
    match insns.get_mut(at..) {
        Some([low, high, ..]) if low.is_ldimm64() => Ok(Pair { low, high }),
        _ => Err(shape("a map, variable or symbol")),
    }
}

fn shape(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidObject,
        format!(
            "its relocation names {what}, but the instruction is not one that could refer to it"
        ),
    )
}

fn poison(base: i32, index: usize) -> Insn {
    let index = i32::try_from(index).unwrap_or(0);
    Insn::new(Insn::CALL, 0, 0, 0, base.saturating_add(index))
}

fn id_imm(id: TypeId) -> i32 {
    id.0.cast_signed()
}

/// The low 32 bits, as an immediate.
fn low_half(value: u64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}
