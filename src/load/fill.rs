//! Initial contents: global data, inner maps, programs in program arrays.

use super::program::LoadedProgram;
use crate::kinds::MapType;
use crate::map::Map;
use crate::open::MapOrigin;
use crate::reloc::{MapPlan, MapSlot, ProgramPlan, SlotTarget};
use crate::sys::arena::ArenaMemory;
use crate::sys::bpf::MapFd;
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Writes the initial values, and freezes the map if the plan requires it.
#[doc(alias = "bpf_object__populate_internal_map")]
pub(super) fn initial(fd: &MapFd, plan: &MapPlan) -> Result<()> {
    // A struct_ops map gets its value when it is attached, because the value contains program descriptors; an arena is memory.
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

/// The programs of a plan, and those that were loaded.
#[derive(Clone, Copy)]
pub(super) struct Programs<'a> {
    pub(super) plans: &'a [ProgramPlan],
    pub(super) loaded: &'a [Option<LoadedProgram>],
}

impl<'a> Programs<'a> {
    fn get(&self, index: usize) -> Option<BorrowedFd<'a>> {
        let loaded = self.loaded.get(index)?.as_ref();
        loaded.map(AsFd::as_fd)
    }

    fn name(&self, index: usize) -> &'a str {
        self.plans.get(index).map_or("", |plan| plan.name.as_str())
    }

    /// The error for a program that is not loaded.
    fn missing(&self, index: usize, message: String) -> Error {
        let error = Error::new(ErrorKind::InvalidArgument, message);
        if self.plans.get(index).is_some_and(|plan| !plan.autoload) {
            return error.with_hint("turn on autoload of the program");
        }
        error
    }
}

/// The value of a struct_ops map, with the descriptors of its programs.
#[doc(alias = "bpf_map_prepare_vdata")]
pub(super) fn struct_ops_value(plan: &MapPlan, programs: &Programs<'_>) -> Vec<u8> {
    let mut value = plan.initial.clone().unwrap_or_default();
    value.resize(
        usize::try_from(plan.value_size)
            .unwrap_or(0)
            .max(value.len()),
        0,
    );
    for slot in &plan.functions {
        let fd = programs.get(slot.program);
        let offset = usize::try_from(slot.offset).unwrap_or(usize::MAX);
        let place = value.get_mut(offset..).and_then(<[u8]>::first_chunk_mut);
        if let (Some(fd), Some(place)) = (fd, place) {
            *place = u64::from(fd.as_raw_fd().cast_unsigned()).to_ne_bytes();
        }
    }
    value
}

/// Whether all functions of a `struct_ops` map are loaded.
///
/// # Errors
/// The first one that is not.
pub(super) fn functions_are_there(plan: &MapPlan, programs: &Programs<'_>) -> Result<()> {
    let lacks = plan.functions.iter().map(|slot| slot.program);
    let lacks = lacks.filter(|program| programs.get(*program).is_none());
    first_of(lacks.map(|program| {
        let name = programs.name(program);
        let message = format!("its function `{name}` is not loaded, so it cannot be attached");
        programs.missing(program, message)
    }))
}

/// The first of these errors, with the number of errors.
fn first_of(errors: impl Iterator<Item = Error>) -> Result<()> {
    let mut errors = errors;
    let Some(first) = errors.next() else {
        return Ok(());
    };
    let count = errors.count() + 1;
    if count == 1 {
        return Err(first);
    }
    let message = format!(
        "{count} of its entries cannot be filled: {}",
        first.message()
    );
    let error = Error::new(first.kind(), message);
    Err(match first.hint() {
        Some(hint) => error.with_hint(hint),
        None => error,
    })
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

/// Puts the plan's inner maps into an outer one. `plans` are the plans of all maps, `maps` the maps created from them.
#[doc(alias = "init_map_in_map_slots")]
pub(super) fn inner_maps(
    outer: &MapFd,
    plan: &MapPlan,
    plans: &[MapPlan],
    maps: &[Option<Map>],
) -> Result<()> {
    for slot in &plan.slots {
        if let SlotTarget::Map(index) = slot.target {
            let name = plans.get(index).map_or("", |map| map.name.as_str());
            let what = format!("map `{name}`");
            let inner = maps.get(index).and_then(Option::as_ref).ok_or_else(|| {
                let message = format!(
                    "the {what} that goes to index {} is not created",
                    slot.index
                );
                Error::new(ErrorKind::InvalidArgument, message).with_hint(
                    "inner maps must be defined before the map that holds them, and be created",
                )
            })?;
            put(outer, *slot, inner.as_fd(), &what)?;
        }
    }
    Ok(())
}

/// Puts the plan's loaded programs into a program array.
///
/// # Errors
/// The first entry that remains empty, after the others were filled.
#[doc(alias = "init_prog_array_slots")]
pub(super) fn programs(array: &MapFd, plan: &MapPlan, programs: &Programs<'_>) -> Result<()> {
    let mut errors = Vec::new();
    for slot in &plan.slots {
        if let SlotTarget::Program(index) = slot.target {
            let name = programs.name(index);
            let put = programs.get(index).map_or_else(
                || Err(programs.missing(index, not_loaded(name, *slot))),
                |program| put(array, *slot, program, &format!("program `{name}`")),
            );
            errors.extend(put.err());
        }
    }
    first_of(errors.into_iter())
}

fn not_loaded(program: &str, slot: MapSlot) -> String {
    let at = slot.index;
    format!("the program `{program}` that goes to index {at} is not loaded")
}

fn put(map: &MapFd, slot: MapSlot, held: BorrowedFd<'_>, what: &str) -> Result<()> {
    let value = held.as_raw_fd().to_ne_bytes();
    map.update(&slot.index.to_ne_bytes(), &value, 0)
        .map_err(|e| cannot(e, &format!("cannot put the {what} at index {}", slot.index)))
}

fn cannot(errno: Errno, what: &str) -> Error {
    Error::from_errno(errno, what)
}
