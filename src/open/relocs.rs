//! Relocations: what instructions, map slots and function tables refer to.

use super::collect::{Collected, LEGACY_MAPS_HINT, Role, invalid};
use super::functions::FunctionAt;
use super::struct_ops::{check_function_member, members_by_offset};
use super::{
    DataKind, MapOrigin, MapSlot, OpenObject, RelocKind, Relocation, SlotTarget, StructOpsMember,
};
use crate::btf::{Kind, VarSecinfo};
use crate::elf::{Rel, Section, Symbol, SymbolPlace};
use crate::insn::{INSN_SIZE, Insn, pseudo};
use crate::kinds::{MapType, ProgramType};
use crate::{Error, ErrorKind, Result, SectionIndex, TypeId};
use std::collections::{BTreeMap, HashMap};

/// Applies the relocation sections of the file.
#[doc(alias = "bpf_object__collect_relos")]
pub(super) fn collect(
    object: &mut OpenObject,
    file: &Collected<'_>,
    externs: &HashMap<usize, usize>,
) -> Result<()> {
    let index = Index::of(object, file)?;
    for section in file.with_role(Role::Relocations) {
        let target = SectionIndex(section.info);
        let is_maps = file.maps.as_ref().is_some_and(|maps| maps.index == target);
        let within = |e: Error| e.context(format!("section `{}`", section.name));
        for (number, rel) in file.rels(section)?.enumerate() {
            let symbol = file.symbols.get(rel.symbol).ok_or_else(|| {
                within(Error::new(
                    ErrorKind::Elf,
                    format!(
                        "relocation {number} refers to symbol {}, but there are {}",
                        rel.symbol,
                        file.symbols.len()
                    ),
                ))
            })?;
            let job = Job {
                file,
                externs,
                index: &index,
                target,
                rel,
                symbol,
            };
            let done = if file.role_of(target) == Role::StructOps {
                job.struct_ops(object)
            } else if is_maps {
                job.slot(object)
            } else {
                job.instruction(object)
            };
            done.map_err(|e| e.context(format!("relocation {number} at offset {:#x}", rel.offset)))
                .map_err(within)?;
        }
    }
    for function in &mut object.functions {
        function
            .relocations
            .sort_by_key(|relocation| relocation.insn);
    }
    for map in &mut object.maps {
        // If a slot has several relocations, the last one is used.
        map.slots.reverse();
        map.slots.sort_by_key(|slot| slot.index);
        map.slots.dedup_by_key(|slot| slot.index);
        map.members.reverse();
        map.members.sort_by_key(|member| member.member);
        map.members.dedup_by_key(|member| member.member);
    }
    Ok(())
}

/// What relocations refer to, by offset or by name.
struct Index {
    /// Maps of `.maps` by offset.
    maps: HashMap<u64, usize>,
    maps_by_name: HashMap<String, usize>,
    programs_by_name: HashMap<String, usize>,
    /// Entry programs by function.
    programs: HashMap<usize, usize>,
    /// Maps of data sections.
    data: HashMap<SectionIndex, usize>,
    /// `struct_ops` maps by section and offset.
    struct_ops: BTreeMap<(SectionIndex, u64), usize>,
    /// The members of each structure of a `struct_ops` variable, by bit offset.
    members: HashMap<TypeId, HashMap<u64, usize>>,
    /// The variables of `.maps`, by offset.
    places: BTreeMap<u64, (usize, VarSecinfo)>,
}

impl Index {
    fn of(object: &OpenObject, file: &Collected<'_>) -> Result<Self> {
        let mut index = Self {
            maps: HashMap::new(),
            maps_by_name: HashMap::new(),
            programs_by_name: HashMap::new(),
            programs: HashMap::new(),
            data: HashMap::new(),
            struct_ops: BTreeMap::new(),
            members: HashMap::new(),
            places: BTreeMap::new(),
        };
        for (number, map) in object.maps.iter().enumerate() {
            match map.origin {
                MapOrigin::Definition => {
                    index.maps.entry(map.section_offset).or_insert(number);
                    index.maps_by_name.entry(map.name.clone()).or_insert(number);
                }
                MapOrigin::StructOps => {
                    let place = (map.section, map.section_offset);
                    index.struct_ops.insert(place, number);
                    if let Some(btf) = &object.btf
                        && !index.members.contains_key(&map.value_type)
                    {
                        let members = members_by_offset(btf, map.value_type)?;
                        index.members.insert(map.value_type, members);
                    }
                }
                MapOrigin::Data(kind) if kind != DataKind::Kconfig => {
                    index.data.insert(map.section, number);
                }
                _ => {}
            }
        }
        for (number, program) in object.programs.iter().enumerate() {
            index.programs.insert(program.function, number);
            index
                .programs_by_name
                .entry(program.name.clone())
                .or_insert(number);
        }
        if let (Some(btf), Some(_)) = (&object.btf, &file.maps)
            && let Some(id) = btf.find_own(".maps", Kind::Datasec)
        {
            for (number, place) in btf.get(id)?.variables().enumerate() {
                index
                    .places
                    .insert(u64::from(place.offset), (number, place));
            }
        }
        Ok(index)
    }
}

/// One relocation.
struct Job<'j, 'a> {
    file: &'j Collected<'a>,
    externs: &'j HashMap<usize, usize>,
    index: &'j Index,
    /// The section that is relocated.
    target: SectionIndex,
    rel: Rel,
    symbol: Symbol,
}

impl Job<'_, '_> {
    fn name(&self) -> &str {
        self.file.symbol_name(&self.symbol)
    }

    /// The section that contains the symbol; `None` if it is undefined.
    fn place(&self) -> Result<Option<SectionIndex>> {
        match self.symbol.place {
            SymbolPlace::Undefined => Ok(None),
            SymbolPlace::Section(section) if self.file.section(section).is_some() => {
                Ok(Some(section))
            }
            SymbolPlace::Common => Err(self.common()),
            SymbolPlace::Section(SectionIndex(number)) => Err(self.nowhere(number)),
            SymbolPlace::Special(number) => Err(self.nowhere(number.into())),
        }
    }

    fn common(&self) -> Error {
        let name = self.name();
        invalid(format!(
            "symbol {} `{name}` is common: it was left to a linker to find a place for the variable",
            self.symbol.index
        ))
        .with_hint(format!(
            "initialize `{name}`, or compile with -fno-common"
        ))
    }

    fn nowhere(&self, section: u32) -> Error {
        let message = format!(
            "symbol {} `{}` lies in section {section:#x}, which does not exist",
            self.symbol.index,
            self.name()
        );
        Error::new(ErrorKind::Elf, message)
    }

    #[doc(alias = "bpf_object__collect_prog_relos")]
    fn instruction(&self, object: &mut OpenObject) -> Result<()> {
        let place = self.place()?;
        let size = self.file.section(self.target).map_or(0, |(s, _)| s.size);
        let insn = usize::try_from(self.rel.offset)
            .ok()
            .filter(|offset| offset.is_multiple_of(INSN_SIZE) && self.rel.offset < size)
            .map(|offset| offset / INSN_SIZE);
        let insn = insn.ok_or_else(|| invalid("it is not at an instruction"))?;
        // Code outside of all functions is what a linker left of weak functions.
        let Some(FunctionAt { index, insn }) = object.function_at(self.target, insn) else {
            return Ok(());
        };
        let Some(function) = object.functions.get_mut(index) else {
            return Ok(());
        };
        let code = function.insns.get(insn).copied().unwrap_or_default();
        let kind = self
            .kind(code, place, object.text_section, object.arena_map)
            .map_err(|e| {
                e.context(format!(
                    "function `{}`: instruction {insn} refers to `{}`",
                    function.name,
                    self.name()
                ))
            })?;
        if code.is_ldimm64() && function.insns.get(insn + 1).is_none() {
            return Err(invalid("the second half of the instruction is missing"));
        }
        function.relocations.push(Relocation { insn, kind });
        Ok(())
    }

    /// What the instruction refers to.
    #[doc(alias = "bpf_program__record_reloc")]
    fn kind(
        &self,
        insn: Insn,
        place: Option<SectionIndex>,
        text: Option<SectionIndex>,
        arena: Option<usize>,
    ) -> Result<RelocKind> {
        let is_call = insn.code == Insn::CALL;
        if !is_call && !insn.is_ldimm64() {
            return Err(invalid(format!(
                "only calls and 64-bit loads can, not an instruction with code {:#04x}",
                insn.code
            )));
        }
        if self.symbol.is_extern() {
            let ext = self.externs.get(&self.symbol.index).copied();
            let ext = ext.ok_or_else(|| invalid("which is no extern that was declared"))?;
            return Ok(if is_call {
                RelocKind::ExternCall { ext }
            } else {
                RelocKind::ExternLoad { ext }
            });
        }
        if is_call {
            return self.call(insn, place, text);
        }
        let Some(section) = place else {
            return Err(
                invalid("which is not defined").with_hint("is a global variable not initialised?")
            );
        };
        if Some(section) == text && self.is_function() {
            return self.function_address(insn);
        }
        self.data(section, arena)
    }

    fn is_function(&self) -> bool {
        let symbol = &self.symbol;
        (symbol.is_local() && symbol.kind == Symbol::SECTION)
            || (symbol.is_global() && symbol.kind == Symbol::FUNC)
    }

    fn call(
        &self,
        insn: Insn,
        place: Option<SectionIndex>,
        text: Option<SectionIndex>,
    ) -> Result<RelocKind> {
        if insn.src() != pseudo::CALL {
            return Err(invalid(format!(
                "by a call whose source register is {} instead of 1",
                insn.src()
            )));
        }
        if place.is_none() || place != text {
            let section = place.map_or("?", |section| self.file.section_name(section));
            return Err(invalid(format!(
                "only functions in `.text` can be called, this one is in `{section}`"
            ))
            .with_hint("remove the callee's SEC(), or make it __always_inline"));
        }
        let offset = usize::try_from(self.symbol.value).unwrap_or(usize::MAX);
        if !offset.is_multiple_of(INSN_SIZE) {
            return Err(invalid(format!(
                "at offset {offset:#x}, amid an instruction"
            )));
        }
        Ok(RelocKind::Call {
            symbol_value: self.symbol.value,
        })
    }

    fn function_address(&self, insn: Insn) -> Result<RelocKind> {
        if !self.symbol.value.is_multiple_of(8) || insn.imm % 8 != 0 {
            return Err(invalid(format!(
                "at offset {:#x}+{}, amid an instruction",
                self.symbol.value, insn.imm
            )));
        }
        Ok(RelocKind::SubprogAddress {
            symbol_value: self.symbol.value,
        })
    }

    fn data(&self, section: SectionIndex, arena: Option<usize>) -> Result<RelocKind> {
        let is = |other: &Option<Section<'_>>| other.as_ref().is_some_and(|s| s.index == section);
        let symbol_value = self.symbol.value;
        if is(&self.file.arena) {
            let map = arena.ok_or_else(|| invalid("which is in an arena, but there is none"))?;
            return Ok(RelocKind::Data { map, symbol_value });
        }
        if is(&self.file.jump_tables) {
            return Ok(RelocKind::InsnArray {
                symbol_value,
                symbol_size: self.symbol.size,
            });
        }
        if is(&self.file.maps) {
            let map = self.index.maps.get(&symbol_value).ok_or_else(|| {
                invalid(format!(
                    "but no map is at offset {symbol_value:#x} of `.maps`"
                ))
            })?;
            return Ok(RelocKind::Map { map: *map });
        }
        let map = self.index.data.get(&section).copied();
        let map = map.ok_or_else(|| {
            let name = self.file.section_name(section);
            let error = invalid(format!(
                "but section `{name}` holds neither maps nor variables"
            ));
            if name.starts_with("maps/") {
                error.with_hint(LEGACY_MAPS_HINT)
            } else {
                error
            }
        })?;
        Ok(RelocKind::Data { map, symbol_value })
    }

    /// A slot of a map of maps or a program array.
    #[doc(alias = "bpf_object__collect_map_relos")]
    fn slot(&self, object: &mut OpenObject) -> Result<()> {
        let offset = self.rel.offset;
        let before = self.index.places.range(..=offset).next_back();
        let place = before.map(|(_, place)| *place).filter(|(_, place)| {
            let end = u64::from(place.offset) + u64::from(place.size);
            offset.checked_add(8).is_some_and(|needed| needed <= end)
        });
        let (number, place) = place.ok_or_else(|| invalid("no map's definition is there"))?;
        let target = match object.maps.get(number) {
            Some(map) => self
                .slot_target(object, map.kind, map.key_size)
                .map_err(|e| e.context(format!("map `{}`", map.name)))?,
            None => return Err(invalid("no map is there")),
        };
        let first = values_offset(object, place)?;
        let slot = (offset - u64::from(place.offset))
            .checked_sub(first)
            .filter(|at| at.is_multiple_of(8))
            .and_then(|at| u32::try_from(at / 8).ok());
        let index = slot.ok_or_else(|| invalid("it is not at a slot of `values`"))?;
        if let Some(map) = object.maps.get_mut(number) {
            map.slots.push(MapSlot { index, target });
        }
        Ok(())
    }

    fn slot_target(&self, object: &OpenObject, kind: MapType, key_size: u32) -> Result<SlotTarget> {
        let name = self.name();
        if kind == MapType::PROG_ARRAY {
            let number = self.index.programs_by_name.get(name).copied();
            let number = number.ok_or_else(|| invalid(format!("`{name}` is no entry program")))?;
            let function = object
                .programs
                .get(number)
                .and_then(|program| object.functions.get(program.function));
            let is_start = function.is_some_and(|function| {
                let offset = function.offset.checked_mul(INSN_SIZE);
                self.symbol.is_in(function.section)
                    && offset.and_then(|o| u64::try_from(o).ok()) == Some(self.symbol.value)
            });
            if !is_start {
                return Err(invalid(format!("`{name}` is not the start of a program")));
            }
            return Ok(SlotTarget::Program(number));
        }
        if !kind.is_map_of_maps() {
            return Err(invalid(format!(
                "a map of type {kind} cannot be filled by initialisers"
            )));
        }
        let in_maps = |maps: &Section<'_>| self.symbol.is_in(maps.index);
        if !self.file.maps.as_ref().is_some_and(in_maps) {
            return Err(invalid(format!("`{name}` is no map of `.maps`")));
        }
        if kind == MapType::HASH_OF_MAPS && key_size != 4 {
            return Err(invalid(format!(
                "a hash that is filled by initialisers needs keys of 4 bytes, not {key_size}"
            )));
        }
        let map = self.index.maps_by_name.get(name).copied();
        map.map(SlotTarget::Map)
            .ok_or_else(|| invalid(format!("`{name}` is no map")))
    }

    /// A function pointer of a `struct_ops` variable.
    #[doc(alias = "bpf_object__collect_st_ops_relos")]
    fn struct_ops(&self, object: &mut OpenObject) -> Result<()> {
        let offset = self.rel.offset;
        let key = (self.target, offset);
        let before = self.index.struct_ops.range(..=key).next_back();
        let found = before.and_then(|((section, start), number)| {
            let map = object.maps.get(*number)?;
            let at = offset - start;
            (*section == self.target && at < u64::from(map.value_size)).then_some((*number, at))
        });
        let (number, at) = found.ok_or_else(|| invalid("no struct_ops variable is there"))?;
        let (Some(map), Some(btf)) = (object.maps.get(number), &object.btf) else {
            return Err(invalid("no struct_ops variable is there"));
        };
        let within = |e: Error| e.context(format!("struct_ops variable `{}`", map.name));
        if !self.symbol.value.is_multiple_of(8) {
            return Err(within(invalid(format!(
                "`{}` at offset {:#x} is amid an instruction",
                self.name(),
                self.symbol.value
            ))));
        }
        let members = self.index.members.get(&map.value_type);
        let member = members.and_then(|members| members.get(&at.saturating_mul(8)));
        let member =
            *member.ok_or_else(|| within(invalid(format!("no member starts at offset {at}"))))?;
        check_function_member(btf, map.value_type, member).map_err(within)?;
        let insn = usize::try_from(self.symbol.value / 8).unwrap_or(usize::MAX);
        let function = match self.symbol.place {
            SymbolPlace::Section(section) => object.function_at(section, insn),
            _ => None,
        };
        let program = function
            .and_then(|at| self.index.programs.get(&at.index))
            .copied();
        let fits = program
            .and_then(|number| object.programs.get(number))
            .is_some_and(|program| program.kind == ProgramType::STRUCT_OPS);
        let (Some(program), true) = (program, fits) else {
            return Err(within(
                invalid(format!("`{}` is no struct_ops program", self.name()))
                    .with_hint("give it SEC(\"struct_ops\")"),
            ));
        };
        if let Some(map) = object.maps.get_mut(number) {
            map.members.push(StructOpsMember { member, program });
        }
        Ok(())
    }
}

/// The offset of the slots in a map's definition.
fn values_offset(object: &OpenObject, place: VarSecinfo) -> Result<u64> {
    let btf = object.btf.as_ref().ok_or_else(|| invalid("no types"))?;
    let var = btf.get(place.type_id)?;
    let definition = btf.get(TypeId(var.size_field()))?.resolved()?;
    let last = definition.members().next_back();
    let values = last.filter(|member| member.name == "values");
    values
        .map(|member| u64::from(member.bit_offset) / 8)
        .ok_or_else(|| invalid("the map's definition has no `values` at its end"))
}
