//! Maps defined by types: `struct { __uint(type, ...); __type(key, ...); } name SEC(".maps");`.
//!
//! The definition's bytes are never used. The numbers are encoded in the *types* of its members: `int (*max_entries)[1024]` is
//! a pointer to an array of 1024, `struct key *key` gives the type of the key.

use super::collect::{Collected, invalid};
use super::{OpenMap, UnknownAttributes};
use crate::btf::{Btf, Kind, Linkage, Member, Type, VarSecinfo};
use crate::kinds::MapType;
use crate::kinds::Pinning;
use crate::{Error, ErrorKind, Result, SectionIndex, TypeId};

/// All maps of `.maps`, in the order of their offsets.
#[doc(alias = "bpf_object__init_user_btf_maps")]
pub(super) fn maps(
    file: &Collected<'_>,
    btf: Option<&Btf<'_>>,
    unknown: UnknownAttributes,
) -> Result<Vec<OpenMap>> {
    let (Some(section), Some(btf)) = (&file.maps, btf) else {
        return Ok(Vec::new());
    };
    let datasec = btf.find_own(".maps", Kind::Datasec).ok_or_else(|| {
        invalid("section `.maps` is not described by the type information")
            .with_hint("compile with `-g`")
    })?;
    let mut maps = Vec::new();
    for place in btf.get(datasec)?.variables() {
        if u64::from(place.offset) + u64::from(place.size) > section.size {
            return Err(invalid(format!(
                "section `.maps`: a map at offset {:#x} of {} bytes does not fit in {:#x}",
                place.offset, place.size, section.size
            )));
        }
        maps.push(map(btf, place, section.index, unknown)?);
    }
    Ok(maps)
}

/// The index of the only arena map, which the global variables of `.addr_space.1` need.
pub(super) fn arena(file: &Collected<'_>, maps: &[OpenMap]) -> Result<Option<usize>> {
    let mut arenas = maps
        .iter()
        .enumerate()
        .filter(|(_, map)| map.kind == MapType::ARENA);
    let arena = arenas.next();
    if let (Some((_, first)), Some((_, second))) = (arena, arenas.next()) {
        return Err(invalid(format!(
            "there can be only one arena, but maps `{}` and `{}` both are",
            first.name, second.name
        )));
    }
    if arena.is_none() && file.arena.is_some() {
        return Err(invalid(
            "section `.addr_space.1` holds arena variables, but there is no arena map",
        )
        .with_hint("define a map of type BPF_MAP_TYPE_ARENA in SEC(\".maps\")"));
    }
    Ok(arena.map(|(index, _)| index))
}

#[doc(alias = "bpf_object__init_user_btf_map")]
fn map(
    btf: &Btf<'_>,
    place: VarSecinfo,
    section: SectionIndex,
    unknown: UnknownAttributes,
) -> Result<OpenMap> {
    let var = btf.get(place.type_id)?;
    let name = var.name();
    let within = |error: Error| error.context(format!("map `{name}`"));
    btf.string_bytes_at(var.name_offset())?;
    if name.is_empty() || var.kind() != Kind::Var {
        return Err(invalid(format!(
            "section `.maps`: the map at offset {:#x} is no named variable",
            place.offset
        )));
    }
    if var.linkage() != Some(Linkage::Global) {
        return Err(within(
            Error::new(ErrorKind::Unsupported, "a map must be a global variable")
                .with_hint("remove `static` or `__hidden`, and define it in this object"),
        ));
    }
    let definition = btf.get(TypeId(var.size_field()))?.resolved()?;
    if definition.kind() != Kind::Struct {
        return Err(within(invalid(format!(
            "a map is defined by a structure, not by a {}",
            definition.kind()
        ))));
    }
    if definition.size_field() > place.size {
        return Err(within(invalid(format!(
            "its definition takes {} bytes, the variable only {}",
            definition.size_field(),
            place.size
        ))));
    }
    let mut map = OpenMap {
        name: name.to_string(),
        kernel_name: name.to_string(),
        section,
        section_offset: u64::from(place.offset),
        autocreate: true,
        ..OpenMap::default()
    };
    let reader = Reader {
        btf,
        unknown,
        level: Level::Outer,
    };
    reader.read(&mut map, &definition).map_err(within)?;
    Ok(map)
}

/// The definition that a variable of `.maps` is, wherever it lies; attributes that no map has are refused.
pub(crate) fn map_definition(btf: &Btf<'_>, var: TypeId) -> Result<OpenMap> {
    let var = btf.get(var)?;
    if var.kind() != Kind::Var {
        let kind = var.kind();
        return Err(invalid(format!(
            "a map is a variable, and this is a {kind}"
        )));
    }
    let definition = btf.get(TypeId(var.size_field()))?.resolved()?;
    if definition.kind() != Kind::Struct {
        return Err(invalid(format!(
            "a map is defined by a structure, not by a {}",
            definition.kind()
        )));
    }
    let mut map = OpenMap {
        name: var.name().to_owned(),
        ..OpenMap::default()
    };
    let reader = Reader {
        btf,
        unknown: UnknownAttributes::Refuse,
        level: Level::Outer,
    };
    reader.read(&mut map, &definition)?;
    Ok(map)
}

/// Whether a map or the template of its inner maps is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Outer,
    Inner,
}

struct Reader<'b> {
    btf: &'b Btf<'b>,
    unknown: UnknownAttributes,
    level: Level,
}

impl<'b> Reader<'b> {
    #[doc(alias = "parse_btf_map_def")]
    fn read(&self, map: &mut OpenMap, definition: &Type<'b>) -> Result<()> {
        /// There are eleven known attributes; this leaves room for unknown ones.
        const MOST: usize = 256;
        let count = definition.members().len();
        if count > MOST {
            return Err(invalid(format!(
                "its definition has {count} attributes, more than {MOST}"
            )));
        }
        let last = count.saturating_sub(1);
        for (index, member) in definition.members().enumerate() {
            if member.name == "values" && index != last {
                return Err(invalid("attribute `values` must be the last one"));
            }
            self.attribute(map, &member)
                .map_err(|e| e.context(format!("attribute `{}`", member.name)))?;
        }
        if map.kind == MapType::UNSPEC {
            return Err(invalid("it has no type").with_hint("add `__uint(type, BPF_MAP_TYPE_...)`"));
        }
        Ok(())
    }

    fn attribute(&self, map: &mut OpenMap, member: &Member<'b>) -> Result<()> {
        match member.name {
            "type" => map.kind = MapType(self.number(member)?),
            "max_entries" => map.max_entries = self.number(member)?,
            "map_flags" => map.flags = self.number(member)?,
            "numa_node" => map.numa_node = self.number(member)?,
            "key_size" => set_size(&mut map.key_size, self.number(member)?)?,
            "value_size" => set_size(&mut map.value_size, self.number(member)?)?,
            "key" => {
                let ty = self.pointee(member)?;
                set_size(&mut map.key_size, self.btf.size_of(ty)?)?;
                map.key_type = ty;
            }
            "value" => {
                let ty = self.pointee(member)?;
                set_size(&mut map.value_size, self.btf.size_of(ty)?)?;
                map.value_type = ty;
            }
            "values" => self.values(map, member)?,
            "pinning" => map.pinning = self.pinning(member)?,
            "map_extra" => map.extra = self.long_number(member)?,
            name if self.unknown == UnknownAttributes::Refuse => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("maps have no such attribute{}", did_you_mean(name)),
                ));
            }
            _ => {}
        }
        Ok(())
    }

    /// `int (*name)[N]`: N.
    #[doc(alias = "get_map_field_int")]
    fn number(&self, member: &Member<'b>) -> Result<u32> {
        let pointer = self.btf.get(member.type_id)?.resolved()?;
        let array = match pointer.kind() {
            Kind::Ptr => self.btf.get(TypeId(pointer.size_field()))?.array(),
            _ => None,
        };
        array.map(|array| array.len).ok_or_else(|| {
            invalid("its value must be the length of an array that it points to")
                .with_hint("write it as `__uint(name, value)`")
        })
    }

    /// The same, or an enumeration with exactly one constant.
    #[doc(alias = "get_map_field_long")]
    fn long_number(&self, member: &Member<'b>) -> Result<u64> {
        let ty = self.btf.get(member.type_id)?.resolved()?;
        if ty.kind() == Kind::Ptr {
            return self.number(member).map(u64::from);
        }
        let mut constants = ty.enumerators();
        let (Some(constant), None) = (constants.next(), constants.next()) else {
            return Err(
                invalid("its value must be an enumeration with one constant")
                    .with_hint("write it as `__ulong(name, value)`"),
            );
        };
        if ty.kind() == Kind::Enum64 {
            return Ok(constant.value.cast_unsigned());
        }
        // 32-bit constants are treated as signed, whatever the enumeration says.
        let [a, b, c, d, ..] = constant.value.to_le_bytes();
        Ok(i64::from(i32::from_le_bytes([a, b, c, d])).cast_unsigned())
    }

    /// `struct type *name`: the type.
    fn pointee(&self, member: &Member<'b>) -> Result<TypeId> {
        let ty = self.btf.get(member.type_id)?;
        if ty.kind() == Kind::Ptr {
            return Ok(TypeId(ty.size_field()));
        }
        Err(
            invalid(format!("it must be a pointer, not a {}", ty.kind()))
                .with_hint("write it as `__type(name, type)`"),
        )
    }

    fn pinning(&self, member: &Member<'b>) -> Result<Pinning> {
        if self.level == Level::Inner {
            return Err(invalid("an inner map cannot be pinned"));
        }
        match self.number(member)? {
            0 => Ok(Pinning::None),
            1 => Ok(Pinning::ByName),
            other => Err(invalid(format!(
                "{other} is neither 0 (none) nor 1 (by name)"
            ))),
        }
    }

    /// `values`: a zero-length array of pointers to the type of the entries.
    fn values(&self, map: &mut OpenMap, member: &Member<'b>) -> Result<()> {
        if self.level == Level::Inner {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "an inner map cannot hold maps itself",
            ));
        }
        if !map.kind.is_map_of_maps() && map.kind != MapType::PROG_ARRAY {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "only arrays and hashes of maps and program arrays have it, not a map of type {}",
                    map.kind
                ),
            ));
        }
        set_size(&mut map.value_size, 4)?;
        let array = self.btf.get(member.type_id)?.array();
        let element = array.filter(|array| array.len == 0).map(|a| a.element);
        let element = element.ok_or_else(|| invalid("it must be an array of length zero"))?;
        let pointer = self.btf.get(element)?.resolved()?;
        if pointer.kind() != Kind::Ptr {
            return Err(invalid(format!(
                "its elements must be pointers, not of kind {}",
                pointer.kind()
            )));
        }
        let target = self.btf.get(TypeId(pointer.size_field()))?.resolved()?;
        let expected = match map.kind {
            MapType::PROG_ARRAY => Kind::FuncProto,
            _ => Kind::Struct,
        };
        if target.kind() != expected {
            return Err(invalid(format!(
                "its elements must point to a {expected}, not to a {}",
                target.kind()
            )));
        }
        if expected == Kind::Struct {
            map.inner = Some(Box::new(self.inner(map, &target)?));
        }
        Ok(())
    }

    fn inner(&self, outer: &OpenMap, definition: &Type<'b>) -> Result<OpenMap> {
        let name = format!("{}.inner", outer.name);
        let mut map = OpenMap {
            kernel_name: name.clone(),
            section: outer.section,
            autocreate: true,
            name,
            ..OpenMap::default()
        };
        let reader = Reader {
            btf: self.btf,
            unknown: self.unknown,
            level: Level::Inner,
        };
        reader
            .read(&mut map, definition)
            .map_err(|e| e.context(format!("inner map `{}`", map.name)))?;
        Ok(map)
    }
}

/// A size may be stated twice, by number and by type, but not differently.
fn set_size(size: &mut u32, stated: u32) -> Result<()> {
    if *size != 0 && *size != stated {
        return Err(invalid(format!(
            "its size is stated as {} and as {stated} bytes",
            *size
        )));
    }
    *size = stated;
    Ok(())
}

fn did_you_mean(name: &str) -> String {
    const NAMES: [&str; 11] = [
        "type",
        "max_entries",
        "map_flags",
        "numa_node",
        "key_size",
        "value_size",
        "key",
        "value",
        "values",
        "pinning",
        "map_extra",
    ];
    crate::did_you_mean(name, NAMES)
}
