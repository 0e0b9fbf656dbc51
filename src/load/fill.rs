//! First contents: global data, inner maps, programs of program arrays.

use crate::kinds::MapType;
use crate::open::MapOrigin;
use crate::reloc::{MapPlan, ProgramPlan, SlotPlan, SlotTarget};
use crate::sys::arena::ArenaMemory;
use crate::sys::bpf::MapFd;
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Writes the first values, and freezes the map if the plan says so.
#[doc(alias = "bpf_object__populate_internal_map")]
pub(super) fn initial(fd: &MapFd, plan: &MapPlan) -> Result<()> {
    // A struct_ops map gets its value when it is attached, because that holds descriptors of programs; an arena is memory.
    let written = plan.origin != MapOrigin::StructOps && plan.kind != MapType::ARENA;
    if let Some(initial) = plan.initial.as_deref().filter(|_| written) {
        values(fd, plan, initial)?;
    }
    if plan.freeze {
        fd.freeze()
            .map_err(|e| cannot(e, "cannot make the map read-only after filling it"))?;
    }
    Ok(())
}

/// Maps an arena into memory, which fixes its address, and writes its variables.
pub(super) fn arena(fd: &MapFd, plan: &MapPlan) -> Result<ArenaMemory> {
    let memory = ArenaMemory::map(fd, plan.extra).map_err(|errno| {
        let error = cannot(errno, &format!("cannot map the arena at {:#x}", plan.extra));
        match errno {
            Errno::EEXIST => {
                error.with_hint("this process uses the address already; choose another `map_extra`")
            }
            _ => error,
        }
    })?;
    let initial = plan.initial.as_deref().unwrap_or_default();
    let written = usize::try_from(plan.initial_offset)
        .ok()
        .and_then(|offset| memory.write(offset, initial));
    match written {
        Some(()) => Ok(memory),
        None => Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "{} bytes of variables at offset {:#x} do not fit an arena of {} bytes",
                initial.len(),
                plan.initial_offset,
                memory.len()
            ),
        )),
    }
}

/// The value of a struct_ops map, with the descriptors of its programs.
#[doc(alias = "bpf_map_prepare_vdata")]
pub(super) fn struct_ops_value(plan: &MapPlan, programs: &[Option<BorrowedFd<'_>>]) -> Vec<u8> {
    let mut value = plan.initial.clone().unwrap_or_default();
    value.resize(
        usize::try_from(plan.value_size)
            .unwrap_or(0)
            .max(value.len()),
        0,
    );
    for slot in &plan.functions {
        let fd = programs.get(slot.program).copied().flatten();
        let offset = usize::try_from(slot.offset).unwrap_or(usize::MAX);
        let place = value.get_mut(offset..).and_then(<[u8]>::first_chunk_mut);
        if let (Some(fd), Some(place)) = (fd, place) {
            *place = u64::from(fd.as_raw_fd().cast_unsigned()).to_ne_bytes();
        }
    }
    value
}

fn values(fd: &MapFd, plan: &MapPlan, initial: &[u8]) -> Result<()> {
    let size = usize::try_from(plan.value_size).unwrap_or(0);
    let whole = initial.len().checked_rem(size) == Some(0);
    if !whole {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "the first contents have {} bytes, a value {size}",
                initial.len()
            ),
        ));
    }
    for (index, value) in (0u32..).zip(initial.chunks_exact(size)) {
        // A new array is zero already.
        if value.iter().all(|byte| *byte == 0) {
            continue;
        }
        fd.update(&index.to_ne_bytes(), value, 0)
            .map_err(|e| cannot(e, &format!("cannot write the first value at index {index}")))?;
    }
    Ok(())
}

/// Puts the plan's inner maps into an outer one. `plans` are those of all maps, `maps` their descriptors.
#[doc(alias = "init_map_in_map_slots")]
pub(super) fn inner_maps(
    outer: &MapFd,
    plan: &MapPlan,
    plans: &[MapPlan],
    maps: &[Option<BorrowedFd<'_>>],
) -> Result<()> {
    for slot in &plan.slots {
        if let SlotTarget::Map(index) = slot.target {
            let what = named("map", plans.get(index).map(|map| map.name.as_str()));
            let inner = maps.get(index).copied().flatten().ok_or_else(|| {
                not_there(*slot, &what).with_hint(
                    "inner maps must be defined before the map that holds them, and be created",
                )
            })?;
            put(outer, *slot, inner, &what)?;
        }
    }
    Ok(())
}

/// Puts the plan's programs into a program array. `plans` are those of all programs, `programs` their descriptors.
#[doc(alias = "init_prog_array_slots")]
pub(super) fn programs(
    array: &MapFd,
    plan: &MapPlan,
    plans: &[ProgramPlan],
    programs: &[Option<BorrowedFd<'_>>],
) -> Result<()> {
    for slot in &plan.slots {
        if let SlotTarget::Program(index) = slot.target {
            let what = named(
                "program",
                plans.get(index).map(|program| program.name.as_str()),
            );
            let program = programs.get(index).copied().flatten().ok_or_else(|| {
                not_there(*slot, &what).with_hint("turn on autoload of the program")
            })?;
            put(array, *slot, program, &what)?;
        }
    }
    Ok(())
}

fn named(what: &str, name: Option<&str>) -> String {
    format!("{what} `{}`", name.unwrap_or_default())
}

fn not_there(slot: SlotPlan, what: &str) -> Error {
    let message = format!("the {what} that goes to index {} is not loaded", slot.index);
    Error::new(ErrorKind::InvalidArgument, message)
}

fn put(map: &MapFd, slot: SlotPlan, held: BorrowedFd<'_>, what: &str) -> Result<()> {
    let value = held.as_raw_fd().to_ne_bytes();
    map.update(&slot.index.to_ne_bytes(), &value, 0)
        .map_err(|e| cannot(e, &format!("cannot put the {what} at index {}", slot.index)))
}

fn cannot(errno: Errno, what: &str) -> Error {
    Error::from_errno(errno, what)
}
