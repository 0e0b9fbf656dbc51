//! What an object contains, by names instead of numbers of types, symbols and strings, which depend on their order.

use anyhow::{Context as _, Result};
use object::elf::{SHT_NOBITS, SHT_PROGBITS};
use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionFlags, SymbolKind,
};
use rawbpf::OpenObject;
use rawbpf::TypeId;
use rawbpf::btf::{Btf, Kind, Member, Type};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Entities, such as "symbol main", and what is to be said about each.
pub(super) struct Contents(BTreeMap<String, Vec<String>>);

impl Contents {
    /// Of the object in a file.
    pub(super) fn of_file(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let mut contents = Self(BTreeMap::new());
        let file = object::File::parse(&*bytes)?;
        contents.add_sections(&file)?;
        contents.add_symbols(&file)?;
        // Objects without types, or such as no loader opens, have only these.
        match Btf::from_file(path) {
            Ok(btf) => contents.add_types(&btf),
            Err(error) => contents.add("types".to_owned(), &error.to_string()),
        }
        match OpenObject::from_bytes_named("compared", &bytes) {
            Ok(object) => contents.add_core_relocations(&object),
            Err(error) => contents.add("opening".to_owned(), &error.to_string()),
        }
        Ok(contents)
    }

    /// What only one of the two says, or both say differently.
    pub(super) fn differences(&self, theirs: &Self) -> Vec<String> {
        let mut names: Vec<&String> = self.0.keys().chain(theirs.0.keys()).collect();
        names.sort();
        names.dedup();
        let differing = names.into_iter().filter_map(|name| {
            let text = |side: &Self| side.0.get(name).map(|texts| texts.join("; "));
            let [ours, theirs] = [self, theirs].map(|side| text(side).unwrap_or_default());
            let [ours, theirs] = around_difference(&ours, &theirs)?;
            Some(format!("{name}:\n    ours   {ours}\n    theirs {theirs}"))
        });
        differing.collect()
    }

    /// Adds what there is to say about something, of which there may be several, in any order.
    fn add(&mut self, of: String, text: &str) {
        let known = self.0.entry(of).or_default();
        let place = known.partition_point(|other| **other < *text);
        known.insert(place, text.to_owned());
    }

    /// Sections with their relocations, but for debug information.
    fn add_sections(&mut self, file: &object::File<'_>) -> Result<()> {
        for section in file.sections() {
            let name = section.name()?;
            let SectionFlags::Elf { sh_type, .. } = section.flags() else {
                continue;
            };
            let has_contents = sh_type == SHT_PROGBITS || sh_type == SHT_NOBITS;
            if !has_contents || name.starts_with(".debug") || name.starts_with(".BTF") {
                continue;
            }
            let mut text = format!("{} bytes:", section.size());
            for word in section.data()?.chunks(8) {
                text.push(' ');
                text.extend(word.iter().map(|byte| format!("{byte:02x}")));
            }
            self.add(format!("section {name}"), &text);
            for (offset, relocation) in section.relocations() {
                let target = match relocation.target() {
                    RelocationTarget::Symbol(index) => name_of_symbol(file, index)?,
                    other => format!("{other:?}"),
                };
                let (flags, addend) = (relocation.flags(), relocation.addend());
                let text = format!("{flags:?} {target} {addend}");
                self.add(format!("relocation in {name} at {offset}"), &text);
            }
        }
        Ok(())
    }

    /// Symbols, but for those that the assembler numbers.
    fn add_symbols(&mut self, file: &object::File<'_>) -> Result<()> {
        for symbol in file.symbols() {
            let name = symbol.name()?;
            let is_numbered = name.is_empty() || name.starts_with(".L") || name.starts_with("LBB");
            if is_numbered || symbol.kind() == SymbolKind::File {
                continue;
            }
            let place = match symbol.section_index() {
                Some(index) => file.section_by_index(index)?.name()?.to_owned(),
                None => format!("{:?}", symbol.section()),
            };
            let (address, size) = (symbol.address(), symbol.size());
            let flags = symbol.flags();
            let text = format!("in {place} at {address}, {size} bytes, {flags:?}");
            self.add(format!("symbol {name}"), &text);
        }
        Ok(())
    }

    fn add_types(&mut self, btf: &Btf<'_>) {
        for ty in btf.types().filter(is_root) {
            let of = format!("type {} {}", ty.kind(), ty.name());
            self.add(of, &inside(btf, &ty, 0));
        }
    }

    fn add_core_relocations(&mut self, object: &OpenObject) {
        let Some(btf) = object.btf() else { return };
        for relocation in object.core_relocations() {
            let of = format!("CO-RE in {} at {}", relocation.section, relocation.insn);
            let ty = shown(btf, relocation.type_id, 0);
            let text = format!("{} {} of {ty}", relocation.kind, relocation.access);
            self.add(of, &text);
        }
    }
}

/// The parts of two texts from shortly before they differ; `None` if they do not.
fn around_difference<'t>(ours: &'t str, theirs: &'t str) -> Option<[String; 2]> {
    let same = |(ours, theirs): &(char, char)| ours == theirs;
    let shared = ours.chars().zip(theirs.chars()).take_while(same).count();
    let part = |text: &'t str| {
        text.chars()
            .skip(shared.saturating_sub(BEFORE))
            .take(SHOWN)
            .collect()
    };
    (ours != theirs).then(|| [part(ours), part(theirs)])
}

/// How many characters are shown before a difference, and altogether.
const BEFORE: usize = 60;
const SHOWN: usize = 400;

fn name_of_symbol(file: &object::File<'_>, index: object::SymbolIndex) -> Result<String> {
    let symbol = file.symbol_by_index(index)?;
    let name = symbol.name()?;
    match symbol.section_index() {
        Some(section) if name.is_empty() || symbol.is_local() => {
            let section = file.section_by_index(section)?;
            Ok(format!("{} + {}", section.name()?, symbol.address()))
        }
        _ => Ok(name.to_owned()),
    }
}

/// Whether a type is described by itself; the others are described where they are used.
fn is_root(ty: &Type<'_>) -> bool {
    !ty.name().is_empty() && !matches!(ty.kind(), Kind::Int | Kind::Float)
}

/// Types in types, until one that has a name.
const DEPTH: u32 = 16;

/// The type where it is used.
fn shown(btf: &Btf<'_>, id: TypeId, depth: u32) -> String {
    match btf.get(id) {
        _ if id.is_void() => "void".to_owned(),
        Ok(ty) if depth > DEPTH => format!("{} ...", ty.kind()),
        Ok(ty) if !ty.name().is_empty() && ty.kind() != Kind::TypeTag => {
            format!("{} {}", ty.kind(), ty.name())
        }
        Ok(ty) => format!("{} {}{}", ty.kind(), ty.name(), inside(btf, &ty, depth)),
        Err(error) => error.to_string(),
    }
}

/// What the type consists of.
fn inside(btf: &Btf<'_>, ty: &Type<'_>, depth: u32) -> String {
    let show = |id| shown(btf, id, depth + 1);
    let mut parts = Vec::new();
    if let Some(array) = ty.array() {
        parts.push(format!("[{}] {}", array.len, show(array.element)));
    }
    if matches!(
        ty.kind(),
        Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64
    ) {
        parts.push(format!("{} bytes", ty.size_field()));
    }
    parts.extend(ty.members().map(|member| {
        let Member {
            name,
            bit_offset,
            bitfield_size,
            ..
        } = member;
        format!(
            "{name} at {bit_offset}:{bitfield_size} {}",
            show(member.type_id)
        )
    }));
    parts.extend(ty.enumerators().map(|one| {
        // The reference's name for a number in a map's definition can be used once; ours differs.
        let name = if one.name.starts_with("__unique_value") {
            "__unique_value"
        } else {
            one.name
        };
        format!("{name} = {}", one.value)
    }));
    parts.extend(
        ty.params()
            .map(|param| format!("{} {}", show(param.type_id), param.name)),
    );
    parts.extend(ty.variables().map(|variable| {
        format!(
            "{} at {}, {}",
            show(variable.type_id),
            variable.offset,
            variable.size
        )
    }));
    parts.extend(ty.target().map(&show));
    parts.extend(ty.linkage().map(|linkage| format!("{linkage:?}")));
    parts.extend(
        ty.tag_component()
            .map(|component| format!("of {component}")),
    );
    format!("{{{}}}", parts.join(", "))
}

#[cfg(test)]
mod tests;
