//! References of instructions to maps, global data and externs.
//!
//! An instruction that loads the address of a map gets a placeholder for the map's descriptor; one that loads the address of
//! a global variable also gets its offset: the instruction's own immediate (the offset, if the compiler named the section)
//! plus the symbol's value (the offset, if it named the variable).
//!
//! What does not exist (a map that is not to be created, a weak kernel function) is poisoned (see `poison`): the verifier
//! rejects the program only if the instruction is reachable.

use super::externs::{Externs, Resolved};
use super::jump_tables::{self, JumpTables};
use super::maps::ArenaPlace;
use super::plan::{MapPlan, Ref, RefKind};
use super::poison::Poison;
use super::subprog::Linked;
use crate::insn::{Insn, pseudo};
use crate::kinds::MapType;
use crate::open::{OpenObject, RelocKind};
use crate::{Error, ErrorKind, Result, TypeId};
use std::sync::Arc;

/// The possible targets of references.
#[derive(Debug, Clone, Copy)]
pub(super) struct References<'a> {
    pub(super) object: &'a OpenObject,
    pub(super) maps: &'a [MapPlan],
    pub(super) externs: &'a Externs,
    pub(super) arena: ArenaPlace,
    pub(super) names: &'a SharedNames,
}

/// What an instruction refers to, and its name.
type Found = (RefKind, Arc<str>);

/// The names of all targets of references, by index. A file may refer to one long name any number of times.
#[derive(Debug)]
pub(super) struct SharedNames {
    maps: Vec<Arc<str>>,
    externs: Vec<Arc<str>>,
    jump_tables: Arc<str>,
}

impl SharedNames {
    pub(super) fn of(object: &OpenObject, maps: &[MapPlan]) -> Self {
        Self {
            maps: maps.iter().map(|map| map.name.as_str().into()).collect(),
            externs: object
                .externs
                .iter()
                .map(|ext| ext.name.as_str().into())
                .collect(),
            jump_tables: jump_tables::NAME.into(),
        }
    }

    fn of_map(&self, map: usize) -> Arc<str> {
        self.maps.get(map).cloned().unwrap_or_default()
    }

    fn of_extern(&self, ext: usize) -> Arc<str> {
        self.externs.get(ext).cloned().unwrap_or_default()
    }
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
                        Ok(Some(load_jump_table(
                            pair,
                            map,
                            Arc::clone(&self.names.jump_tables),
                        )))
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

    fn resolve(&self, insns: &mut [Insn], at: usize, kind: RelocKind) -> Result<Option<Found>> {
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

    fn load_map(&self, pair: Pair<'_>, map: usize) -> Result<Option<Found>> {
        let plan = self.map(map)?;
        if !plan.autocreate {
            return Ok(pair.poison(Poison::Map(map)));
        }
        let high = pair.high.imm;
        pair.set(pseudo::MAP_FD, 0, high);
        Ok(Some((RefKind::Map { map }, self.names.of_map(map))))
    }

    fn load_data(&self, pair: Pair<'_>, map: usize, symbol_value: u64) -> Result<Option<Found>> {
        let plan = self.map(map)?;
        if !plan.autocreate {
            return Ok(pair.poison(Poison::Map(map)));
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
        Ok(Some((RefKind::MapValue { map }, self.names.of_map(map))))
    }

    fn load_extern(&self, pair: Pair<'_>, ext: usize) -> Result<Option<Found>> {
        let resolved = self.externs.get(ext)?;
        let kind = match resolved {
            Resolved::Kconfig { offset } => {
                let map = self.object.kconfig_map.ok_or_else(|| {
                    Error::new(ErrorKind::InvalidObject, "the object has no .kconfig map")
                })?;
                if !self.map(map)?.autocreate {
                    return Ok(pair.poison(Poison::Map(map)));
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
        Ok(Some((kind, self.names.of_extern(ext))))
    }

    fn call_extern(&self, insns: &mut [Insn], at: usize, ext: usize) -> Result<Option<Found>> {
        let insn = insns
            .get_mut(at)
            .filter(|insn| insn.code == Insn::CALL)
            .ok_or_else(|| shape("an extern function to call"))?;
        let resolved = self.externs.get(ext)?;
        let Resolved::Function { id, module, index } = resolved else {
            *insn = Poison::Extern(ext).insn();
            return Ok(None);
        };
        *insn = insn.with_src(pseudo::KFUNC_CALL);
        (insn.imm, insn.off) = (id_imm(*id), *index);
        let module = module.clone();
        Ok(Some((RefKind::Kfunc { module }, self.names.of_extern(ext))))
    }
}

fn load_jump_table(pair: Pair<'_>, map: usize, name: Arc<str>) -> Found {
    pair.low.off = 0;
    let high = pair.high.imm;
    pair.set(pseudo::MAP_VALUE, 0, high);
    (RefKind::MapValue { map }, name)
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

    fn poison<T>(self, missing: Poison) -> Option<T> {
        *self.low = missing.insn();
        *self.high = missing.insn();
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

fn id_imm(id: TypeId) -> i32 {
    id.0.cast_signed()
}

/// The low 32 bits, as an immediate.
fn low_half(value: u64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::super::core_relos::Code;
    use super::super::subprog::Linker;
    use super::super::testing::{add_program, an_extern, call, exit, load, newest, object};
    use super::*;
    use crate::open::{ExternKind, OpenMap};

    fn a_map(name: &str, kind: MapType, autocreate: bool) -> (OpenMap, MapPlan) {
        let open = OpenMap {
            name: name.to_string(),
            kind,
            autocreate,
            ..OpenMap::default()
        };
        let plan = MapPlan {
            name: name.to_string(),
            kind,
            autocreate,
            ..MapPlan::default()
        };
        (open, plan)
    }

    /// The only program of an object, with its references resolved.
    fn relocated(
        object: &OpenObject,
        maps: &[MapPlan],
        externs: &Externs,
    ) -> Result<(Vec<Insn>, Vec<Ref>)> {
        let code = Code::unpatched(object);
        let mut linked = Linker::new(object, &code).link(0)?;
        let references = References {
            object,
            maps,
            externs,
            arena: ArenaPlace { offset: 0x1000 },
            names: &SharedNames::of(object, maps),
        };
        let refs = references.relocate(&mut linked, &mut JumpTables::new(object))?;
        Ok((linked.insns, refs))
    }

    /// The result for one 64-bit load with the immediate 5.
    fn one_load(kind: RelocKind, map: (OpenMap, MapPlan)) -> ([Insn; 2], Vec<Ref>) {
        let mut object = object();
        let [low, high] = load(0, 5);
        add_program(&mut object, "xdp", vec![low, high, exit()], &[(0, kind)]);
        object.maps.push(map.0);
        let (insns, refs) = relocated(&object, &[map.1], &Externs::default()).unwrap();
        ([insns[0], insns[1]], refs)
    }

    #[test]
    fn maps_and_data_get_holes_and_offsets() {
        let hash = a_map("hash", MapType::HASH, true);
        let ([low, high], refs) = one_load(RelocKind::Map { map: 0 }, hash);
        assert_eq!((low.src(), low.imm, high.imm), (pseudo::MAP_FD, 0, 0));
        assert_eq!(refs[0].kind, RefKind::Map { map: 0 });

        let data = RelocKind::Data {
            map: 0,
            symbol_value: 16,
        };
        let array = a_map(".data", MapType::ARRAY, true);
        let ([low, high], refs) = one_load(data, array);
        assert_eq!((low.src(), low.imm, high.imm), (pseudo::MAP_VALUE, 0, 21));
        assert_eq!((refs[0].insn, &*refs[0].name), (0, ".data"));

        let arena = a_map("arena", MapType::ARENA, true);
        let ([_, high], _) = one_load(data, arena);
        assert_eq!(high.imm, 0x1000 + 21);
    }

    #[test]
    fn references_to_maps_that_are_not_created_are_poisoned() {
        let ([low, high], refs) =
            one_load(RelocKind::Map { map: 0 }, a_map("m", MapType::HASH, false));
        assert_eq!(low, Poison::Map(0).insn());
        assert_eq!(low, high);
        assert!(refs.is_empty());
    }

    #[test]
    fn a_relocation_needs_an_instruction_that_can_refer() {
        let map = a_map("m", MapType::HASH, true);
        let mut object = object();
        let refer = RelocKind::Map { map: 0 };
        add_program(&mut object, "xdp", vec![exit(), exit()], &[(0, refer)]);
        object.maps.push(map.0);
        let externs = Externs::default();
        assert!(relocated(&object, &[map.1], &externs).is_err());
        // The second half is missing.
        object.functions[0].insns = vec![load(0, 0)[0]];
        assert!(relocated(&object, &[], &externs).is_err());
    }

    #[test]
    fn weak_kernel_functions_that_are_absent_are_poisoned() {
        let mut object = object();
        let call_it = (0, RelocKind::ExternCall { ext: 0 });
        add_program(&mut object, "xdp", vec![call(-1), exit()], &[call_it]);
        let mut ext = an_extern("bpf_gone", ExternKind::Kfunc, TypeId::VOID);
        ext.weak = true;
        object.externs.push(ext);
        let target = super::super::testing::kernel(crate::KernelVersion::new(6, 1, 0), |_| {});
        let names = std::iter::once("bpf_gone".to_string()).collect();
        let types = super::super::kernel_types::KernelTypes::look_up(
            &target,
            &names,
            std::collections::BTreeSet::new,
        )
        .unwrap();
        let externs = Externs::resolve(&object, &target, &types).unwrap();
        let (insns, refs) = relocated(&object, &[], &externs).unwrap();
        assert_eq!(insns[0], Poison::Extern(0).insn());
        assert!(refs.is_empty());
    }

    #[test]
    fn symbols_without_a_type_become_addresses() {
        let mut object = object();
        let [low, high] = load(0, 0);
        let refer = (0, RelocKind::ExternLoad { ext: 0 });
        add_program(&mut object, "xdp", vec![low, high, exit()], &[refer]);
        let ext = an_extern("jiffies", ExternKind::KsymTypeless, TypeId::VOID);
        object.externs.push(ext);
        let address = 0xffff_ffff_8200_0000;
        let symbols = super::super::testing::Symbols(vec![(address, 'D', "jiffies")]);
        let target = super::super::Target::new(std::sync::Arc::new(symbols));
        let types = super::super::kernel_types::KernelTypes::look_up(
            &target,
            &std::collections::BTreeSet::new(),
            std::collections::BTreeSet::new,
        );
        let externs = Externs::resolve(&object, &target, &types.unwrap()).unwrap();
        let (insns, refs) = relocated(&object, &[], &externs).unwrap();
        let halves = [insns[0].imm, insns[1].imm].map(i32::cast_unsigned);
        assert_eq!(halves, [0x8200_0000, 0xffff_ffff]);
        assert_eq!(refs[0].kind, RefKind::Ksym);
        assert!(newest().kconfig().is_err());
    }

    #[test]
    fn jump_tables_count_from_the_programs_start() {
        let mut object = object();
        let [low, high] = load(0, 0);
        let table = RelocKind::InsnArray {
            symbol_value: 8,
            symbol_size: 16,
        };
        let insns = vec![low, high, exit()];
        add_program(&mut object, "xdp", insns, &[(0, table)]);
        object.functions[0].offset = 10;
        let entries: [u64; 3] = [0, 80, 96];
        object.jump_tables = entries.iter().flat_map(|e| e.to_ne_bytes()).collect();
        let code = Code::unpatched(&object);
        let mut linked = Linker::new(&object, &code).link(0).unwrap();
        let references = References {
            object: &object,
            maps: &[],
            externs: &Externs::default(),
            arena: ArenaPlace::default(),
            names: &SharedNames::of(&object, &[]),
        };
        let mut tables = JumpTables::new(&object);
        references.relocate(&mut linked, &mut tables).unwrap();
        assert_eq!(linked.insns[0].src(), pseudo::MAP_VALUE);
        let plans = tables.into_plans();
        assert_eq!((plans[0].max_entries, plans[0].freeze), (2, true));
        let initial = plans[0].initial.as_ref().unwrap();
        assert_eq!((initial.len(), initial[0], initial[16]), (32, 0, 2));
    }
}
