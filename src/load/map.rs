//! Creating one map of a plan.

use super::modules::ModuleFds;
use super::{advice, exclusive, fill, pin};
use crate::kinds::{MapFlags, MapType};
use crate::reloc::{MapPlan, ProgramPlan};
use crate::sys::bpf::{self, MapCreate, MapFd};
use crate::{Error, Result};
use std::os::fd::{AsFd, BorrowedFd};

/// What map creation needs to know about the load.
#[derive(Debug)]
pub(super) struct MapContext<'a> {
    /// The object's uploaded types.
    pub(super) btf: Option<BorrowedFd<'a>>,
    /// Whether the kernel takes names.
    pub(super) named: bool,
    /// Whose rights are used besides this process's.
    pub(super) token: Option<BorrowedFd<'a>>,
    /// The plan's programs, for maps that only one of them may use.
    pub(super) programs: &'a [ProgramPlan],
    /// Modules that were opened.
    pub(super) modules: &'a ModuleFds,
}

/// Opens the pinned map, or creates the map, fills and pins it.
///
/// `others` are the descriptors of the plan's maps, those before this one filled in.
#[doc(alias = "bpf_object__create_maps")]
pub(super) fn make(
    context: &MapContext<'_>,
    plan: &MapPlan,
    others: &[Option<BorrowedFd<'_>>],
    pins: &mut pin::NewPins,
) -> Result<MapFd> {
    let Some(path) = plan.pin_path.as_deref() else {
        return create_and_fill(context, plan, others);
    };
    if let Some(fd) = pin::reuse(path, plan)? {
        return Ok(fd);
    }
    let fd = create_and_fill(context, plan, others)?;
    match pins.add(fd.as_fd(), path)? {
        pin::Pinned::New => Ok(fd),
        // Somebody was faster since we looked.
        pin::Pinned::Exists => pin::reuse(path, plan)?.ok_or_else(|| pin::taken(path)),
    }
}

fn create_and_fill(
    context: &MapContext<'_>,
    plan: &MapPlan,
    others: &[Option<BorrowedFd<'_>>],
) -> Result<MapFd> {
    let fd = create(context, plan)?;
    fill::initial(&fd, plan)?;
    fill::inner_maps(&fd, plan, others)?;
    Ok(fd)
}

#[doc(alias = "bpf_object__create_map")]
fn create(context: &MapContext<'_>, plan: &MapPlan) -> Result<MapFd> {
    // The kernel copies the shape of the template, and does not keep it.
    let inner = match plan.inner.as_deref() {
        Some(inner) => {
            let made = create(context, inner);
            Some(made.map_err(|e| e.context(format!("inner map `{}`", inner.name)))?)
        }
        None => None,
    };
    let value_type_btf = match &plan.value_type_module {
        Some(module) => context.modules.get(module),
        None => None,
    };
    let only = plan.exclusive_program;
    let only = only.and_then(|index| context.programs.get(index));
    let hash = only.map(|program| exclusive::program_hash(&program.insns));
    let request = MapCreate {
        map_type: plan.kind,
        key_size: plan.key_size,
        value_size: plan.value_size,
        max_entries: plan.max_entries,
        flags: MapFlags::from_bits_retain(plan.flags),
        inner_map: inner.as_ref().map(AsFd::as_fd),
        numa_node: plan.numa_node,
        name: if context.named { &plan.kernel_name } else { "" },
        // The kernel wants the object's types, too, though it takes the value's from its own.
        btf: context.btf.filter(|_| plan.kind == MapType::STRUCT_OPS),
        btf_vmlinux_value_type: plan.btf_vmlinux_value_type_id,
        map_extra: plan.extra,
        ifindex: plan.ifindex,
        exclusive_program: hash.as_ref(),
        value_type_btf,
        token: context.token,
        ..MapCreate::default()
    };
    let typed = !plan.btf_key_type_id.is_void() || !plan.btf_value_type_id.is_void();
    if typed && context.btf.is_some() {
        let with_types = MapCreate {
            btf: context.btf,
            btf_key_type: plan.btf_key_type_id,
            btf_value_type: plan.btf_value_type_id,
            ..request
        };
        // Types are a courtesy for most maps: without them it may still work.
        if let Ok(fd) = bpf::map_create(&with_types) {
            return Ok(fd);
        }
    }
    bpf::map_create(&request).map_err(|errno| refused(errno, plan))
}

fn refused(errno: crate::Errno, plan: &MapPlan) -> Error {
    let message = format!(
        "the kernel does not create it: type {}, key of {} bytes, value of {} bytes, {} entries, flags {:#x}",
        plan.kind, plan.key_size, plan.value_size, plan.max_entries, plan.flags
    );
    let error = Error::from_errno(errno, message);
    match advice::for_map(errno, plan) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}
