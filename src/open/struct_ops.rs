//! `struct_ops` variables: tables of functions that the kernel calls. Each becomes a map with one value.

use super::collect::{Collected, Role, invalid};
use super::globals::Sections;
use super::{MapOrigin, OpenMap};
use crate::btf::{Btf, Kind, Type, VarSecinfo};
use crate::elf::Section;
use crate::kinds::{MapFlags, MapType};
use crate::{Error, ErrorKind, Result, TypeId};
use std::collections::HashMap;

/// The maps of all variables in the sections `.struct_ops`, `.struct_ops.link`, and these with a leading `?`.
#[doc(alias = "bpf_object_init_struct_ops")]
pub(super) fn maps(
    file: &Collected<'_>,
    btf: Option<&Btf<'_>>,
    types: &Sections<'_>,
) -> Result<Vec<OpenMap>> {
    /// Variables may overlap, but not so much that a small file fills the memory.
    const MOST_BYTES: usize = 1 << 24;
    let mut maps: Vec<OpenMap> = Vec::new();
    let mut bytes: usize = 0;
    let Some(btf) = btf else {
        return Ok(maps);
    };
    for section in file.with_role(Role::StructOps) {
        let datasec = types.find(section.name);
        let datasec = datasec.ok_or_else(|| {
            invalid(format!(
                "section `{}` is not described by the type information",
                section.name
            ))
        })?;
        // libbpf applies the question mark to the first variable only.
        let mut autocreate = !section.name.starts_with('?');
        for place in btf.get(datasec)?.variables() {
            let map = map(btf, section, place, autocreate)
                .map_err(|e| e.context(format!("section `{}`", section.name)))?;
            bytes = bytes
                .saturating_add(map.image.len())
                .saturating_add(size_of::<OpenMap>());
            if bytes > MOST_BYTES {
                return Err(invalid(format!(
                    "section `{}`: struct_ops variables take more than {MOST_BYTES} bytes in all",
                    section.name
                )));
            }
            maps.push(map);
            autocreate = true;
        }
    }
    Ok(maps)
}

fn map(
    btf: &Btf<'_>,
    section: &Section<'_>,
    place: VarSecinfo,
    autocreate: bool,
) -> Result<OpenMap> {
    let var = btf.get(place.type_id)?;
    let ty = struct_of(btf, &var).map_err(|e| e.context(format!("variable `{}`", var.name())))?;
    let range = usize::try_from(place.offset)
        .ok()
        .zip(usize::try_from(ty.size_field()).ok());
    let data = section.data()?;
    let image = range.and_then(|(offset, size)| data.get(offset..)?.get(..size));
    let image = image.ok_or_else(|| {
        invalid(format!(
            "variable `{}` at offset {:#x} with {} bytes does not fit in {:#x}",
            var.name(),
            place.offset,
            ty.size_field(),
            section.size
        ))
    })?;
    let flags = if section.name.trim_start_matches('?') == ".struct_ops.link" {
        MapFlags::LINK
    } else {
        MapFlags::empty()
    };
    Ok(OpenMap {
        name: var.name().to_string(),
        kernel_name: var.name().to_string(),
        origin: MapOrigin::StructOps,
        section: section.index,
        section_offset: u64::from(place.offset),
        kind: MapType::STRUCT_OPS,
        key_size: 4,
        value_size: ty.size_field(),
        max_entries: 1,
        flags: flags.bits(),
        value_type: ty.id(),
        image: image.to_vec().into(),
        autocreate,
        autoattach: true,
        ..OpenMap::default()
    })
}

/// The structure type of a variable.
fn struct_of<'b>(btf: &'b Btf<'b>, var: &Type<'b>) -> Result<Type<'b>> {
    let target = match var.kind() {
        Kind::Var => TypeId(var.size_field()),
        _ => var.id(),
    };
    let ty = btf.get(target)?.resolved()?;
    if ty.name().is_empty() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "it is of a type without a name, so that the kernel's cannot be found",
        ));
    }
    if ty.kind() != Kind::Struct {
        return Err(invalid(format!(
            "`{}` is a {}, not a structure",
            ty.name(),
            ty.kind()
        )));
    }
    Ok(ty)
}

/// The members of a structure by bit offset; the first one at each offset.
pub(super) fn members_by_offset(btf: &Btf<'_>, ty: TypeId) -> Result<HashMap<u64, usize>> {
    let mut members = HashMap::new();
    for (index, member) in btf.get(ty)?.members().enumerate() {
        members.entry(u64::from(member.bit_offset)).or_insert(index);
    }
    Ok(members)
}

/// Whether a member is a pointer to a function.
#[doc(alias = "resolve_func_ptr")]
pub(super) fn check_function_member(btf: &Btf<'_>, ty: TypeId, index: usize) -> Result<()> {
    let ty = btf.get(ty)?;
    let member = ty.member(index).ok_or_else(|| invalid("no such member"))?;
    let pointer = btf.get(member.type_id)?.resolved()?;
    let is_function = pointer.kind() == Kind::Ptr
        && btf.get(TypeId(pointer.size_field()))?.resolved()?.kind() == Kind::FuncProto;
    if is_function {
        return Ok(());
    }
    Err(invalid(format!(
        "member `{}` is initialised with an address, but is no pointer to a function",
        member.name
    )))
}
