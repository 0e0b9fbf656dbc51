//! Global variables: each data section becomes an array with one value, which programs address directly.

use super::collect::{Collected, Role, invalid};
use super::externs::Externs;
use super::image::Image;
use super::{DataKind, MapOrigin, OpenMap, Variable};
use crate::btf::{Btf, Kind, Linkage, VarSecinfo};
use crate::elf::{Section, Symbol, SymbolPlace};
use crate::kinds::{MapFlags, MapType};
use crate::{Result, SectionIndex, TypeId};
use std::collections::HashMap;

/// The length of the longest name that the kernel accepts.
const KERNEL_NAME_LEN: usize = 15;

/// The sections that the BTF describes, by name: the first of each, and whether any of its variables is visible to user
/// space (then its map can be mapped into memory).
#[derive(Debug, Default)]
pub(super) struct Sections<'b>(HashMap<&'b str, (TypeId, Shared)>);

/// Whether any variable of a section is visible to user space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shared {
    Yes,
    No,
}

impl<'b> Sections<'b> {
    /// Collects all sections in one pass.
    #[doc(alias = "map_is_mmapable")]
    pub(super) fn of(btf: Option<&'b Btf<'_>>) -> Self {
        let mut sections = HashMap::new();
        let Some(btf) = btf else {
            return Self(sections);
        };
        for section in btf.types().filter(|ty| ty.kind() == Kind::Datasec) {
            sections.entry(section.name()).or_insert_with(|| {
                let visible = |variable: VarSecinfo| {
                    btf.get(variable.type_id).is_ok_and(|var| {
                        var.kind() == Kind::Var && var.linkage() != Some(Linkage::Static)
                    })
                };
                let shared = if section.variables().any(visible) {
                    Shared::Yes
                } else {
                    Shared::No
                };
                (section.id(), shared)
            });
        }
        Self(sections)
    }

    /// The type that describes the section with this name.
    pub(super) fn find(&self, name: &str) -> Option<TypeId> {
        self.0.get(name).map(|(id, _)| *id)
    }
}

/// The maps of all data sections, in the order of sections.
#[doc(alias = "bpf_object__init_global_data_maps")]
pub(super) fn maps(
    file: &Collected<'_>,
    types: &Sections<'_>,
    object_name: &str,
) -> Result<Vec<OpenMap>> {
    /// Zeroes take no space in the file, so a few bytes could request any amount. The kernel rejects larger values
    /// (`INT_MAX`).
    const MOST_ZEROES: u64 = i32::MAX as u64;
    let mut maps = Vec::new();
    let mut zeroes: u64 = 0;
    for section in file.sections().filter(|section| section.size > 0) {
        let kind = match file.role_of(section.index) {
            Role::Data => DataKind::Data,
            Role::Rodata => DataKind::Rodata,
            Role::Bss => DataKind::Bss,
            _ => continue,
        };
        let image = if kind == DataKind::Bss {
            zeroes = zeroes.saturating_add(zeroed_size(section).into());
            if zeroes > MOST_ZEROES {
                return Err(invalid(format!(
                    "section `{}`: variables that start as zero take {zeroes} bytes in all, more than {MOST_ZEROES}",
                    section.name
                )));
            }
            Image::zeroed(usize::try_from(zeroed_size(section)).unwrap_or_default())
        } else {
            section.data()?.to_vec().into()
        };
        let mut map = data_map(types, object_name, kind, section.name);
        map.section = section.index;
        map.value_size = match kind {
            DataKind::Bss => zeroed_size(section),
            _ => u32::try_from(section.size).map_err(|_| too_large(section))?,
        };
        map.image = image;
        maps.push(map);
    }
    Ok(maps)
}

/// The size of a section of zeroes, truncated to 32 bits, as in the compiler's BTF and in the map that libbpf creates. 4 GiB
/// and a page become a page; the verifier rejects a program that reaches past it. (No other section can be that large: its
/// bytes are in the file.)
#[expect(clippy::cast_possible_truncation, reason = "as said")]
pub(super) fn zeroed_size(section: &Section<'_>) -> u32 {
    section.size as u32
}

fn too_large(section: &Section<'_>) -> crate::Error {
    invalid(format!(
        "section `{}` holds {} bytes, more than a map's value can",
        section.name, section.size
    ))
}

/// The map of kernel configuration values, if the object needs any. Its contents are not known yet.
#[doc(alias = "bpf_object__init_kconfig_map")]
pub(super) fn kconfig_map(
    types: &Sections<'_>,
    object_name: &str,
    externs: &Externs,
) -> Option<OpenMap> {
    externs.kconfig_section?;
    let mut map = data_map(types, object_name, DataKind::Kconfig, ".kconfig");
    map.value_size = externs.kconfig_size;
    map.image = Image::zeroed(usize::try_from(externs.kconfig_size).unwrap_or_default());
    Some(map)
}

fn data_map(types: &Sections<'_>, object_name: &str, kind: DataKind, section: &str) -> OpenMap {
    let kernel_name = kernel_name(object_name, section);
    let described = types.0.get(section).copied();
    let mut flags = MapFlags::empty();
    if matches!(kind, DataKind::Rodata | DataKind::Kconfig) {
        flags |= MapFlags::RDONLY_PROG;
    }
    if described.is_some_and(|(_, shared)| shared == Shared::Yes) {
        flags |= MapFlags::MMAPABLE;
    }
    OpenMap {
        name: section.to_string(),
        kernel_name,
        origin: MapOrigin::Data(kind),
        kind: MapType::ARRAY,
        key_size: 4,
        max_entries: 1,
        flags: flags.bits(),
        value_type: described.map(|(id, _)| id).unwrap_or_default(),
        autocreate: true,
        ..OpenMap::default()
    }
}

/// The name of a data section's map in the kernel: as much of the object's name as fits before the section's name, which
/// keeps at least seven characters. Sections with a second dot are named without the object's name.
#[doc(alias = "internal_map_name")]
pub(crate) fn kernel_name(object_name: &str, section: &str) -> String {
    const LEAST_SUFFIX: usize = 7;
    let suffix_len = section.len().clamp(LEAST_SUFFIX, KERNEL_NAME_LEN);
    let custom = section.bytes().skip(1).any(|byte| byte == b'.');
    let prefix_len = if custom {
        0
    } else {
        KERNEL_NAME_LEN - suffix_len
    };
    let allowed = |byte: u8| {
        let byte = char::from(byte);
        if byte.is_ascii_alphanumeric() || byte == '.' {
            byte
        } else {
            '_'
        }
    };
    let prefix = object_name.bytes().take(prefix_len);
    prefix
        .chain(section.bytes().take(suffix_len))
        .map(allowed)
        .collect()
}

/// All variables of the data sections and of the arena: the symbols, with their types from the BTF.
///
/// If the BTF does not describe a section, every symbol in it is a variable; if it does, only those it lists (which excludes
/// symbols generated by the compiler).
pub(super) fn variables(
    file: &Collected<'_>,
    btf: Option<&Btf<'_>>,
    maps: &[OpenMap],
    arena_map: Option<usize>,
) -> Vec<Variable> {
    let mut map_of: HashMap<SectionIndex, usize> = HashMap::new();
    for (index, map) in maps.iter().enumerate() {
        if matches!(map.origin, MapOrigin::Data(kind) if kind != DataKind::Kconfig) {
            map_of.insert(map.section, index);
        }
    }
    if let (Some(section), Some(map)) = (&file.arena, arena_map) {
        map_of.insert(section.index, map);
    }
    let types = match btf {
        Some(btf) => types_by_name(btf),
        None => HashMap::new(),
    };
    let mut variables = Vec::new();
    for symbol in file.symbols.iter().filter(|s| s.kind == Symbol::OBJECT) {
        let SymbolPlace::Section(section) = symbol.place else {
            continue;
        };
        let (Some(map), Ok(name)) = (map_of.get(&section), file.symbols.name(&symbol)) else {
            continue;
        };
        let known = types.get(file.section_name(section));
        let type_id = match known.map(|types| types.get(name)) {
            Some(None) => continue,
            Some(Some(id)) => *id,
            None => TypeId::VOID,
        };
        let size = match maps.get(*map) {
            Some(map) if map.section == section => map.value_size.into(),
            // The size of an arena's map is not that of its variables.
            _ => file.section(section).map_or(0, |(section, _)| section.size),
        };
        let end = symbol.value.checked_add(symbol.size);
        let fits = end.is_some_and(|end| end <= size);
        let range = u32::try_from(symbol.value)
            .ok()
            .zip(u32::try_from(symbol.size).ok());
        let (true, Some((offset, size))) = (fits, range) else {
            continue;
        };
        variables.push(Variable {
            name: name.to_string(),
            map: *map,
            offset,
            size,
            type_id,
        });
    }
    variables.sort_by_key(|variable| (variable.map, variable.offset));
    variables
}

/// The type of each variable of each section, by section name and variable name.
fn types_by_name<'b>(btf: &'b Btf<'_>) -> HashMap<&'b str, HashMap<&'b str, TypeId>> {
    let mut sections: HashMap<&str, HashMap<&str, TypeId>> = HashMap::new();
    for section in btf.types().filter(|ty| ty.kind() == Kind::Datasec) {
        let types = sections.entry(section.name()).or_default();
        for variable in section.variables() {
            if let Ok(var) = btf.get(variable.type_id) {
                types.insert(var.name(), TypeId(var.size_field()));
            }
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::kernel_name;

    #[test]
    fn data_sections_share_fifteen_characters_with_the_object() {
        for (object, section, name) in [
            ("my_object_name", ".rodata", "my_objec.rodata"),
            ("my_object_name", ".bss", "my_objec.bss"),
            ("my_object_name", ".kconfig", "my_obje.kconfig"),
            ("x", ".data", "x.data"),
            ("my_object_name", ".rodata.abracadabra", ".rodata.abracad"),
            ("my_object_name", ".data.x", ".data.x"),
            ("a-b c", ".data", "a_b_c.data"),
        ] {
            assert_eq!(kernel_name(object, section), name);
        }
    }
}
