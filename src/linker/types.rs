//! The types of all files: they are concatenated, shared names are merged into one type, and sections list their variables at
//! the new offsets. Then types are deduplicated.

use super::declared::{EXTERN, is_shared, section_name};
use super::input::{Input, invalid};
use super::layout::Layout;
use super::resolve::{Defined, Global, Resolved};
use crate::btf::{Btf, BtfBuilder, BtfExt, Kind, Linkage, NameMap, Type, VarSecinfo};
use crate::elf::{Symbol, SymbolPlace};
use crate::ids::ByteOrder;
use crate::{Error, Result, SectionIndex, TypeId};
use std::collections::{HashMap, HashSet};

/// The type sections, as they are written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) btf: Vec<u8>,
    pub(super) ext: Option<Vec<u8>>,
}

/// The new ids of types.
struct Renumbered {
    /// For each input, the new ids of its types, by old id; 0 for those that are dropped.
    new: Vec<Vec<u32>>,
    /// For each input, the types that are written: all except those that others replace.
    written: Vec<Vec<TypeId>>,
}

impl Renumbered {
    #[doc(alias = "linker_append_btf")]
    fn of(inputs: &[Input<'_>], resolved: &Resolved<'_>) -> Self {
        let mut all = Self {
            new: Vec::new(),
            written: Vec::new(),
        };
        let mut next = 1_u32;
        for (number, input) in inputs.iter().enumerate() {
            let (mut new, mut written) = (vec![0], Vec::new());
            let idle = idle_prototypes(input, number, resolved);
            for ty in input.btf.iter().flat_map(Btf::types) {
                let is_written = is_written(&ty, number, resolved);
                // A tag is kept or dropped with its target.
                let on = ty.target().filter(|_| ty.kind() == Kind::DeclTag);
                let is_lost = on.is_some_and(|on| is_lost(input, on, resolved));
                if is_written && !is_lost && !idle.contains(&ty.id()) {
                    new.push(next);
                    next = next.saturating_add(1);
                    written.push(ty.id());
                } else {
                    new.push(0);
                }
            }
            all.new.push(new);
            all.written.push(written);
        }
        all.share(inputs, resolved);
        all
    }

    /// Gives all types of a shared name the id of the chosen one.
    fn share(&mut self, inputs: &[Input<'_>], resolved: &Resolved<'_>) {
        for (number, input) in inputs.iter().enumerate() {
            for ty in input.btf.iter().flat_map(Btf::types) {
                let global = resolved.global(ty.name()).filter(|_| is_shared(&ty));
                let chosen = global.map(|global| self.get(global.chosen.input, global.declared.id));
                let slot = self.new.get_mut(number).and_then(|new| {
                    let index = usize::try_from(ty.id().0).ok()?;
                    new.get_mut(index)
                });
                if let (Some(slot), Some(chosen)) = (slot, chosen) {
                    *slot = chosen.0;
                }
            }
        }
    }

    /// The new id of an input's type; `void` for one that is dropped.
    fn get(&self, input: usize, id: TypeId) -> TypeId {
        let index = usize::try_from(id.0).ok();
        let new = self.new.get(input).zip(index);
        TypeId(
            new.and_then(|(new, index)| new.get(index).copied())
                .unwrap_or(0),
        )
    }
}

/// Whether a type is written itself.
fn is_written(ty: &Type<'_>, input: usize, resolved: &Resolved<'_>) -> bool {
    if ty.kind() == Kind::Datasec {
        return false;
    }
    if !is_shared(ty) {
        return true;
    }
    match resolved.global(ty.name()) {
        Some(global) => (global.chosen.input, global.declared.id) == (input, ty.id()),
        None => !has_no_symbol(ty),
    }
}

/// The prototypes that are used only by functions defined in another file: without parameter names, they would not be
/// deduplicated with those of the definitions.
fn idle_prototypes(input: &Input<'_>, number: usize, resolved: &Resolved<'_>) -> HashSet<TypeId> {
    let types = || input.btf.iter().flat_map(Btf::types);
    let others = types().filter(|ty| ty.kind() == Kind::Func && !is_written(ty, number, resolved));
    let mut idle: HashSet<TypeId> = others.filter_map(|ty| ty.target()).collect();
    if idle.is_empty() {
        return idle;
    }
    for ty in types().filter(|ty| is_written(ty, number, resolved)) {
        for used in ty.referenced() {
            idle.remove(&used);
        }
    }
    for relo in input.ext.iter().flat_map(BtfExt::core_relo) {
        for relo in relo.core_relos() {
            idle.remove(&relo.type_id);
        }
    }
    idle
}

/// Whether it is dropped if no symbol has its name: a variable in a section that is dropped, or a declaration that is not used.
fn has_no_symbol(ty: &Type<'_>) -> bool {
    ty.kind() == Kind::Var || ty.linkage() == Some(Linkage::Extern)
}

/// Whether a function or variable is dropped without a replacement.
fn is_lost(input: &Input<'_>, id: TypeId, resolved: &Resolved<'_>) -> bool {
    let ty = input.btf.as_ref().and_then(|btf| btf.get(id).ok());
    ty.is_some_and(|ty| {
        is_shared(&ty) && has_no_symbol(&ty) && resolved.global(ty.name()).is_none()
    })
}

/// The types of all inputs; `None` if they have none.
#[doc(alias = "finalize_btf")]
pub(super) fn merge(
    inputs: &[Input<'_>],
    order: ByteOrder,
    resolved: &Resolved<'_>,
    layout: &mut Layout<'_>,
) -> Result<Option<Written>> {
    let numbers = Renumbered::of(inputs, resolved);
    let (mut types, mut ext) = (BtfBuilder::new(), BtfExt::new());
    let mut listed = HashSet::new();
    for (number, input) in inputs.iter().enumerate() {
        let Some(btf) = &input.btf else {
            continue;
        };
        let part = Part {
            input,
            number,
            btf,
            numbers: &numbers,
            resolved,
        };
        part.add(&mut types, &mut ext, layout, &mut listed)
            .map_err(|e| e.context(input.name.to_owned()))?;
    }
    if types.next_id() == TypeId(1) && layout.outputs.iter().all(|output| !output.is_listed) {
        return Ok(None);
    }
    for output in layout.outputs.iter_mut().filter(|output| output.is_listed) {
        output.variables.sort_by_key(|variable| variable.offset);
        let size = output.stored.as_ref().map_or(0, |stored| stored.size);
        // Modulo 4 GiB, as in every loader.
        let size = u32::try_from(size & u64::from(u32::MAX)).unwrap_or(0);
        types.add_datasec(output.name, size, &output.variables);
    }
    types.dedup_with(&mut ext);
    types.set_byte_order(order);
    let btf = types
        .finish()
        .map_err(|e| Error::from(e).context("the types of all files"))?;
    let ext = (!ext.is_empty()).then(|| ext.to_bytes(order));
    Ok(Some(Written { btf, ext }))
}

/// The types of one input.
struct Part<'p, 'b> {
    input: &'p Input<'b>,
    number: usize,
    btf: &'p Btf<'b>,
    numbers: &'p Renumbered,
    resolved: &'p Resolved<'b>,
}

impl Part<'_, '_> {
    fn add(
        &self,
        types: &mut BtfBuilder,
        ext: &mut BtfExt,
        layout: &mut Layout<'_>,
        listed: &mut HashSet<TypeId>,
    ) -> Result<()> {
        let mut names = NameMap::of(self.btf);
        let written = self.numbers.written.get(self.number);
        for id in written.into_iter().flatten() {
            self.add_type(types, &mut names, &self.btf.get(*id)?)?;
            if let Some(error) = types.error() {
                return Err(error.into());
            }
        }
        self.add_variables(layout, listed)?;
        self.add_ext(types, &mut names, ext, layout)
    }

    fn add_type(
        &self,
        types: &mut BtfBuilder,
        names: &mut NameMap<'_>,
        ty: &Type<'_>,
    ) -> Result<()> {
        let mut lost = None;
        let id = types.add_type_named(ty, names, |old| {
            let new = self.numbers.get(self.number, old);
            if new.is_void() {
                lost = Some(old);
            }
            new
        });
        if let Some(lost) = lost {
            let ty = self.btf.get(lost)?;
            return Err(invalid(format!(
                "a type refers to {} `{}`, which is left out: no symbol has this name",
                ty.kind(),
                ty.name()
            )));
        }
        let is_defined = is_shared(ty)
            && self
                .resolved
                .global(ty.name())
                .is_some_and(|global| global.defined != Defined::No);
        if is_defined && ty.linkage() == Some(Linkage::Extern) {
            types.set_linkage(id, Linkage::Global);
        }
        Ok(())
    }

    /// Lists the variables of this input in the output sections.
    fn add_variables(&self, layout: &mut Layout<'_>, listed: &mut HashSet<TypeId>) -> Result<()> {
        let mut symbols = None;
        for section in self.btf.types().filter(|ty| ty.kind() == Kind::Datasec) {
            let name = section_name(self.btf, &section)?;
            if name == EXTERN {
                continue;
            }
            let within = |e: Error| e.context(format!("section `{name}` of the type information"));
            let found = layout.section_of(self.number, name);
            let (index, output, moved) = match found {
                Some((index, Some(place))) => (Some(index), Some(place.output), place.offset),
                Some((index, None)) => (Some(index), None, 0),
                None => (None, layout.output_of(name), 0),
            };
            for variable in section.variables() {
                let symbols = symbols.get_or_insert_with(|| self.variables_by_name());
                let Some(output) = output else {
                    self.offset(symbols, index, variable).map_err(within)?;
                    continue;
                };
                let list = Listing {
                    index,
                    output,
                    moved,
                };
                self.list(layout, listed, symbols, list, variable)
                    .map_err(within)?;
            }
        }
        Ok(())
    }

    /// The variables of the file, by name and section; the first one for each.
    fn variables_by_name(&self) -> HashMap<(&str, SectionIndex), u64> {
        let mut found = HashMap::new();
        for symbol in self.input.symbols.iter() {
            if symbol.kind != Symbol::OBJECT {
                continue;
            }
            if let (SymbolPlace::Section(section), Ok(name)) =
                (symbol.place, self.input.symbols.name(&symbol))
            {
                found.entry((name, section)).or_insert(symbol.value);
            }
        }
        found
    }

    /// The offset of a variable in its section. Compilers fill it in only for static variables; the others have symbols.
    fn offset(
        &self,
        symbols: &HashMap<(&str, SectionIndex), u64>,
        section: Option<SectionIndex>,
        variable: VarSecinfo,
    ) -> Result<u32> {
        let ty = self.btf.get(variable.type_id)?;
        if ty.kind() != Kind::Var || ty.linkage() != Some(Linkage::Global) {
            return Ok(variable.offset);
        }
        let symbol = section.and_then(|section| symbols.get(&(ty.name(), section)));
        let offset = symbol.and_then(|value| u32::try_from(*value).ok());
        offset.ok_or_else(|| {
            invalid(format!(
                "there is no symbol of variable `{}` in this section",
                ty.name()
            ))
        })
    }

    fn list(
        &self,
        layout: &mut Layout<'_>,
        listed: &mut HashSet<TypeId>,
        symbols: &HashMap<(&str, SectionIndex), u64>,
        at: Listing,
        variable: VarSecinfo,
    ) -> Result<()> {
        let ty = self.btf.get(variable.type_id)?;
        if !matches!(ty.kind(), Kind::Var | Kind::Func) {
            let (id, kind) = (ty.id(), ty.kind());
            return Err(invalid(format!(
                "it lists [{id}], which is a {kind} and no variable"
            )));
        }
        let offset = self.offset(symbols, at.index, variable)?;
        let type_id = self.numbers.get(self.number, ty.id());
        if is_shared(&ty) {
            let Some(global) = self.resolved.global(ty.name()) else {
                return Ok(());
            };
            let key = at.index.map(|section| (ty.name(), section));
            let is_defined = key.is_some_and(|key| symbols.contains_key(&key));
            let is_listed = self.is_listed_here(layout, global, at, is_defined)?;
            if !is_listed || !listed.insert(type_id) {
                return Ok(());
            }
        }
        let offset = offset.checked_add(at.moved).ok_or_else(|| {
            let name = ty.name();
            invalid(format!("variable `{name}` would lie beyond 4 GiB"))
        })?;
        if let Some(output) = layout.outputs.get_mut(at.output) {
            output.variables.push(VarSecinfo {
                type_id,
                offset,
                size: variable.size,
            });
        }
        Ok(())
    }

    /// Whether a shared variable is listed where this file has it: where it is defined, or where it is first declared if there
    /// is no definition.
    fn is_listed_here(
        &self,
        layout: &Layout<'_>,
        global: &Global<'_>,
        at: Listing,
        is_defined: bool,
    ) -> Result<bool> {
        let chosen = &global.chosen;
        let is_chosen = chosen.input == self.number;
        let output = match (chosen.symbol.place, global.declared.section) {
            (SymbolPlace::Section(section), _) => {
                let place = layout.place(chosen.input, section);
                place.map(|place| place.output)
            }
            (_, Some(section)) => layout.output_of(section),
            (_, None) => None,
        };
        if output == Some(at.output) {
            return Ok(is_chosen);
        }
        // A definition that was not chosen may have been in another section.
        if is_defined && !is_chosen {
            return Ok(false);
        }
        let there = output.map_or("no section", |output| layout.name(output));
        Err(invalid(format!(
            "`{}` is in this section here, and in `{there}` elsewhere",
            global.name
        ))
        .with_hint("declare it with the same SEC() with which it is defined, or without any"))
    }

    #[doc(alias = "linker_append_btf_ext")]
    fn add_ext(
        &self,
        types: &mut BtfBuilder,
        names: &mut NameMap<'_>,
        all: &mut BtfExt,
        layout: &Layout<'_>,
    ) -> Result<()> {
        let Some(ext) = &self.input.ext else {
            return Ok(());
        };
        let within = |e: Error| e.context("section `.BTF.ext`");
        let mut own = ext.clone();
        let mut places = HashMap::new();
        let mut lost = None;
        own.map_types(|old| {
            let new = self.numbers.get(self.number, old);
            if new.is_void() && !old.is_void() {
                lost.get_or_insert(old);
            }
            new
        });
        if let Some(lost) = lost {
            return Err(within(invalid(format!(
                "it refers to type [{lost}], which does not exist or is left out"
            ))));
        }
        for group in ext
            .func_info()
            .chain(ext.line_info())
            .chain(ext.core_relo())
        {
            let old = group.section_name_off;
            places.insert(types.add_name(names, old), old);
        }
        own.map_strings(|old| types.add_name(names, old));
        if let Some(error) = types.error() {
            return Err(within(error.into()));
        }
        all.append(own, |new| {
            let old = places.get(&new).copied().unwrap_or(0);
            let name = self.btf.section_name_at(old).unwrap_or_default();
            let place = layout.section_of(self.number, name);
            let place = place.and_then(|(_, place)| place).ok_or_else(|| {
                invalid(format!(
                    "it is about section `{name}`, which the file does not have or which is left out"
                ))
            })?;
            Ok::<u32, Error>(place.offset)
        })
        .map_err(within)
    }
}

/// A section that lists variables.
#[derive(Clone, Copy)]
struct Listing {
    /// The index of the input section, if the file has it.
    index: Option<SectionIndex>,
    output: usize,
    /// By how many bytes its part is moved in the output.
    moved: u32,
}
