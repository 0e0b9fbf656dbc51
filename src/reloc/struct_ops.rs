//! `struct_ops` maps: the object's structure, laid out like the kernel's structure of the same name.
//!
//! The kernel has a structure of functions (`tcp_congestion_ops`) and another one around it, which is the map's value
//! (`bpf_struct_ops_tcp_congestion_ops`). Members are matched by name. Members that the kernel does not have must be zero; a
//! program in such a member is not loaded. The member determines what its program is checked against: the kernel's structure
//! as the attach target, the member's index as the attach type.

use super::kernel_types::{KernelType, KernelTypes};
use super::plan::{AttachTarget, FunctionSlot, MapPlan};
use crate::btf::{Btf, Kind, Member, Type, essential_name};
use crate::kinds::{AttachType, MapType, ProgramType};
use crate::open::{MapOrigin, OpenMap, OpenObject};
use crate::{Error, ErrorKind, Result, TypeId};
use std::collections::{BTreeSet, HashMap};

/// The kernel's prefix for the structure around a structure of functions.
const VALUE_PREFIX: &str = "bpf_struct_ops_";
/// No kernel's value is nearly this large; its size comes from a file.
const LARGEST_VALUE: u32 = 1 << 20;

/// What `struct_ops` programs are checked against, by program.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    bound: HashMap<usize, (AttachTarget, AttachType)>,
    /// Programs that the caller removed from a member.
    replaced: Vec<usize>,
    /// For each program in use: whether a map that is to be created uses it.
    used: HashMap<usize, bool>,
}

/// A structure of functions, the object's and the kernel's.
struct Pair<'o, 't> {
    local: Type<'o>,
    kernel: Type<'t>,
    found: KernelType<'t>,
    /// The offset of the kernel's structure in the value, in bytes.
    start: usize,
}

/// Adds the names that must be looked up among the kernel's types.
pub(super) fn wanted_types(object: &OpenObject, names: &mut BTreeSet<String>) {
    for map in maps(object) {
        if let Some(name) = type_name(object, map) {
            names.insert(format!("{VALUE_PREFIX}{name}"));
            names.insert(name.to_string());
        }
    }
}

fn maps(object: &OpenObject) -> impl Iterator<Item = &OpenMap> {
    let maps = object.maps.iter();
    maps.filter(|map| map.origin == MapOrigin::StructOps && map.autocreate)
}

fn type_name<'o>(object: &'o OpenObject, map: &OpenMap) -> Option<&'o str> {
    let ty = object.btf.as_ref()?.get(map.value_type).ok()?;
    Some(essential_name(ty.name()))
}

impl Bindings {
    /// Lays out the values of all `struct_ops` maps for this kernel, in `plans`.
    ///
    /// # Errors
    /// The kernel has no such structure, or its members are different.
    #[doc(alias = "bpf_object__init_kern_struct_ops_maps")]
    pub(super) fn bind(
        object: &OpenObject,
        types: &KernelTypes<'_>,
        plans: &mut [MapPlan],
    ) -> Result<Self> {
        let mut bindings = Self::default();
        let Some(btf) = &object.btf else {
            return Ok(bindings);
        };
        for (map, plan) in object.maps.iter().zip(plans) {
            if map.origin != MapOrigin::StructOps {
                continue;
            }
            if map.autocreate {
                bindings
                    .bind_map(btf, types, object, map, plan)
                    .map_err(|e| e.context(format!("struct_ops map `{}`", map.name)))?;
            }
            bindings.replaced.extend(&map.replaced);
            for member in &map.members {
                *bindings.used.entry(member.program).or_default() |= map.autocreate;
            }
        }
        Ok(bindings)
    }

    /// Programs follow their maps: a program is loaded if a map that is to be created uses it.
    #[doc(alias = "bpf_object_adjust_struct_ops_autoload")]
    pub(super) fn adjust_autoload(&self, object: &OpenObject, autoload: &mut [bool]) {
        for (index, autoload) in autoload.iter_mut().enumerate() {
            let program = object.programs.get(index);
            if program.is_none_or(|p| p.kind != ProgramType::STRUCT_OPS) {
                continue;
            }
            if let Some(used) = self.used.get(&index) {
                *autoload = *used;
            } else if self.replaced.contains(&index) {
                *autoload = false;
            }
        }
    }

    /// What this program is checked against.
    ///
    /// # Errors
    /// It is not in any map.
    pub(super) fn of(&self, program: usize) -> Result<&(AttachTarget, AttachType)> {
        self.bound.get(&program).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidObject,
                "this struct_ops program is in no struct_ops map that is to be created",
            )
            .with_hint("name it in a variable in SEC(\".struct_ops\") or SEC(\".struct_ops.link\")")
        })
    }

    fn bind_map(
        &mut self,
        btf: &Btf<'_>,
        types: &KernelTypes<'_>,
        object: &OpenObject,
        map: &OpenMap,
        plan: &mut MapPlan,
    ) -> Result<()> {
        let local = btf.get(map.value_type)?;
        let pair = find_types(types, local, plan)?;
        let size = usize::try_from(plan.value_size).unwrap_or(0);
        let mut image = vec![0; size];
        let mut kernel_members = HashMap::new();
        for (index, member) in pair.kernel.members().enumerate() {
            kernel_members.entry(member.name).or_insert((index, member));
        }
        let programs: HashMap<usize, usize> = map
            .members
            .iter()
            .map(|member| (member.member, member.program))
            .collect();
        for (index, member) in pair.local.members().enumerate() {
            let program = programs.get(&index).copied();
            let place = kernel_members.get(member.name).copied();
            self.bind_member(
                object,
                map,
                &pair,
                (member, program),
                place,
                &mut image,
                plan,
            )
            .map_err(|e| e.context(format!("member `{}`", member.name)))?;
        }
        plan.initial = Some(image);
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a member has two sides, and two results"
    )]
    fn bind_member(
        &mut self,
        object: &OpenObject,
        map: &OpenMap,
        pair: &Pair<'_, '_>,
        (member, program): (Member<'_>, Option<usize>),
        place: Option<(usize, Member<'_>)>,
        image: &mut [u8],
        plan: &mut MapPlan,
    ) -> Result<()> {
        let size = pair.local.btf().size_of(member.type_id)?;
        let offset = byte_offset(member);
        let bytes = slice(map.image.bytes(), offset, size).ok_or_else(outside)?;
        let zero = bytes.iter().all(|byte| *byte == 0);
        let Some((index, kernel)) = place else {
            // As in libbpf, whose image contains the program's address here: only the caller may leave out a program.
            if zero && program.is_none() {
                return Ok(());
            }
            return Err(
                unsupported("it is set, but the kernel's structure has no such member")
                    .with_hint("take it out before loading, see `OpenMapMut::set_member`"),
            );
        };
        if member.bitfield_size != 0 || kernel.bitfield_size != 0 {
            return Err(unsupported("it is a bitfield"));
        }
        let at = pair.start.saturating_add(byte_offset(kernel));
        let local_type = pair.local.btf().get(member.type_id)?.resolved()?;
        let kernel_type = pair.kernel.btf().get(kernel.type_id)?.resolved()?;
        if local_type.kind() != kernel_type.kind() {
            return Err(unsupported(&format!(
                "it is a {}, the kernel's is a {}",
                local_type.kind(),
                kernel_type.kind()
            )));
        }
        if local_type.kind() == Kind::Ptr {
            let Some(program) = program else {
                return if zero {
                    Ok(())
                } else {
                    Err(unsupported(
                        "it is a pointer, but set to no struct_ops program",
                    ))
                };
            };
            is_function_pointer(&kernel_type)?;
            self.bind_program(object, program, pair, index)?;
            let offset = u32::try_from(at).map_err(|_| outside())?;
            plan.functions.push(FunctionSlot { offset, program });
            return Ok(());
        }
        let kernel_size = pair.kernel.btf().size_of(kernel.type_id)?;
        if size != kernel_size {
            return Err(unsupported(&format!(
                "it takes {size} bytes, the kernel's {kernel_size}"
            )));
        }
        let to = at
            .checked_add(bytes.len())
            .and_then(|end| image.get_mut(at..end))
            .ok_or_else(outside)?;
        to.copy_from_slice(bytes);
        Ok(())
    }

    /// A program may be in several maps if it is the same member of the same structure.
    fn bind_program(
        &mut self,
        object: &OpenObject,
        program: usize,
        pair: &Pair<'_, '_>,
        member: usize,
    ) -> Result<()> {
        let open = object.programs.get(program);
        let name = open.map_or("", |p| p.name.as_str());
        if open.is_none_or(|p| p.kind != ProgramType::STRUCT_OPS) {
            return Err(unsupported(&format!("`{name}` is no struct_ops program")));
        }
        let target = AttachTarget::Btf {
            id: pair.kernel.id(),
            module: pair.found.module.cloned(),
            name: pair.kernel.name().to_string(),
        };
        let member = AttachType(u32::try_from(member).map_err(|_| outside())?);
        let bound = self
            .bound
            .entry(program)
            .or_insert_with(|| (target.clone(), member));
        if *bound == (target, member) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidObject,
            format!("program `{name}` already is another member, or one of another structure"),
        ))
    }
}

/// Finds the kernel's structures for `local`, and turns `plan` into a map of the outer one.
fn find_types<'o, 't>(
    types: &KernelTypes<'t>,
    local: Type<'o>,
    plan: &mut MapPlan,
) -> Result<Pair<'o, 't>> {
    let name = essential_name(local.name());
    let value_name = format!("{VALUE_PREFIX}{name}");
    let missing = |name: &str| {
        Error::new(
            ErrorKind::NotFound,
            format!("the kernel has no `struct {name}`"),
        )
        .with_hint("it may come with a newer kernel, another configuration, or a module that is not loaded")
    };
    let value = types.find(&value_name, Kind::Struct)?;
    let value = value.ok_or_else(|| missing(&value_name))?;
    let id = match value.module {
        None => types.find_in_vmlinux(name, Kind::Struct)?.map(|t| t.id),
        Some(_) => value.btf.find(name, Kind::Struct),
    };
    let id = id.ok_or_else(|| missing(name))?;
    let outer = value.btf.get(value.id)?;
    let data = outer.members().find(|member| member.type_id == id);
    let data = data.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidObject,
            format!("the kernel's `struct {value_name}` holds no `struct {name}`"),
        )
    })?;
    if outer.size_field() > LARGEST_VALUE {
        return Err(unsupported(&format!(
            "the kernel's `struct {value_name}` takes {} bytes",
            outer.size_field()
        )));
    }
    plan.kind = MapType::STRUCT_OPS;
    plan.value_size = outer.size_field();
    plan.btf_vmlinux_value_type_id = value.id;
    plan.value_type_module = value.module.cloned();
    let start = byte_offset(data);
    Ok(Pair {
        local,
        kernel: value.btf.get(id)?,
        found: value,
        start,
    })
}

fn is_function_pointer(pointer: &Type<'_>) -> Result<()> {
    let pointee = pointer.target().unwrap_or(TypeId::VOID);
    if pointer.btf().get(pointee)?.resolved()?.kind() == Kind::FuncProto {
        Ok(())
    } else {
        Err(unsupported("the kernel's is no pointer to a function"))
    }
}

fn byte_offset(member: Member<'_>) -> usize {
    usize::try_from(member.bit_offset / 8).unwrap_or(usize::MAX)
}

fn slice(bytes: &[u8], offset: usize, size: u32) -> Option<&[u8]> {
    let end = offset.checked_add(usize::try_from(size).ok()?)?;
    bytes.get(offset..end)
}

fn outside() -> Error {
    Error::new(
        ErrorKind::InvalidObject,
        "it lies outside the structure's bytes",
    )
}

fn unsupported(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, why)
}
