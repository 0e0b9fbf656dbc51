//! Global variables after loading, read and written in place.

use super::object::Object;
use crate::btf::{Layout, Room};
use crate::map::{Access, Map, MapMemory, SharedU32};
use crate::open::Variable;
use crate::sys::arena::ArenaMemory;
use crate::{Error, ErrorKind, MapFlags, MapType, Result, did_you_mean};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError};
use zerocopy::FromBytes;

impl Object {
    /// The object's global variables, if it was loaded from an opened object.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The bytes of a global variable, as programs see them now. Makes a system call, and works for variables in any map.
    ///
    /// # Errors
    /// `NotFound` if there is no variable with this name, or its map was not created.
    pub fn read_variable(&self, name: &str) -> Result<Vec<u8>> {
        let (variable, map) = self.find_variable(name)?;
        let (start, size) = range(variable);
        let bytes = if map.kind() == MapType::ARENA {
            let (memory, base) = self.arena_memory(name)?;
            let mut bytes = vec![0; size];
            memory
                .read(base.saturating_add(start), &mut bytes)
                .map(|()| bytes)
        } else {
            let value = map.get(&[0; 4])?.unwrap_or_default();
            let end = start.saturating_add(size);
            value.get(start..end).map(<[u8]>::to_vec)
        };
        bytes.ok_or_else(|| self.outside(name))
    }

    /// A global variable as memory shared with the programs: reading and writing it need no system calls.
    ///
    /// Its map must be mappable, which it is if at least one of its variables is not `static`. Since Linux 5.5, in an arena since
    /// 6.9. Constants (`.rodata`) are read-only.
    ///
    /// # Errors
    /// `NotFound` if there is no variable with this name; `InvalidArgument` if `T` has a different layout (the message has
    /// the variable's type and both sizes), or the map cannot be mapped.
    #[doc(alias = "bpf_map__initial_value")]
    pub fn live<T: Layout>(&self, name: &str) -> Result<Live<T>> {
        let (variable, _) = self.find_variable(name)?;
        self.check_variable::<T>(variable)?;
        self.live_at(variable.map(), variable.offset(), name)
    }

    /// A global variable in the map with this index in the file, at this offset. Its type is the caller's business.
    ///
    /// # Errors
    /// Those of [`Object::live`], but for a wrong type.
    pub(crate) fn live_at<T>(&self, map: usize, offset: u32, name: &str) -> Result<Live<T>> {
        let map = self.map_at(map).ok_or_else(|| self.not_created(name))?;
        let (start, size) = (as_usize(offset), size_of::<T>());
        let (memory, base) = if map.kind() == MapType::ARENA {
            let (memory, base) = self.arena_memory(name)?;
            (Memory::Arena(memory), base)
        } else {
            (Memory::Map(self.map_memory(name, map)?), 0)
        };
        let offset = base.saturating_add(start);
        if offset
            .checked_add(size)
            .is_none_or(|end| end > memory.len())
        {
            return Err(self.outside(name));
        }
        Ok(Live {
            memory,
            offset,
            value: PhantomData,
        })
    }

    fn find_variable(&self, name: &str) -> Result<(&Variable, &Map)> {
        let found = self.variables.iter().find(|v| v.name() == name);
        let variable = found.ok_or_else(|| {
            let near = did_you_mean(name, self.variables.iter().map(Variable::name));
            let message = format!("object {} has no variable `{name}`{near}", self.name);
            Error::new(ErrorKind::NotFound, message)
        })?;
        let map = self.map_at(variable.map());
        Ok((variable, map.ok_or_else(|| self.not_created(name))?))
    }

    fn check_variable<T: Layout>(&self, variable: &Variable) -> Result<()> {
        let about = |e: Error| {
            e.context(format!("variable `{}`", variable.name()))
                .context(format!("object {}", self.name))
        };
        let (_, size) = range(variable);
        match &self.types {
            Some(btf) if !variable.type_id().is_void() => {
                btf.check_layout::<T>(variable.type_id()).map_err(about)
            }
            _ if size == size_of::<T>() => Ok(()),
            _ => {
                let message = format!("it takes {size} bytes, not {}", size_of::<T>());
                Err(about(Error::new(ErrorKind::InvalidArgument, message)))
            }
        }
    }

    fn map_memory(&self, name: &str, map: &Map) -> Result<Arc<MapMemory>> {
        if !map.flags().contains(MapFlags::MMAPABLE) {
            let message = format!(
                "variable `{name}` lies in `{}`, which cannot be mapped",
                map.name()
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message).with_hint(
                "a section is mappable if one of its variables is not `static`, since Linux 5.5; `read_variable` reads any",
            ));
        }
        let mut known = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, memory)) = known.iter().find(|(of, _)| of == map.name()) {
            return Ok(Arc::clone(memory));
        }
        let constant = map.flags().contains(MapFlags::RDONLY_PROG);
        let access = if constant {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        };
        let memory = Arc::new(map.memory(access)?);
        known.push((map.name().to_owned(), Arc::clone(&memory)));
        Ok(memory)
    }

    fn arena_memory(&self, name: &str) -> Result<(Arc<ArenaMemory>, usize)> {
        let memory = self.arena.as_ref().ok_or_else(|| self.not_created(name))?;
        let base = usize::try_from(self.arena_data).map_err(|_| self.outside(name))?;
        Ok((Arc::clone(memory), base))
    }

    #[cold]
    fn not_created(&self, name: &str) -> Error {
        let message = format!(
            "object {}: the map of variable `{name}` was not created",
            self.name
        );
        Error::new(ErrorKind::NotFound, message)
    }

    #[cold]
    fn outside(&self, name: &str) -> Error {
        let message = format!(
            "object {}: variable `{name}` lies outside of its map",
            self.name
        );
        Error::new(ErrorKind::Corrupt, message)
    }
}

fn range(variable: &Variable) -> (usize, usize) {
    (as_usize(variable.offset()), as_usize(variable.size()))
}

fn as_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A global variable shared by programs and user space. Returned by [`Object::live`].
///
/// Programs may change it at any time, so values are copied in and out. A number of up to eight bytes is copied in one access
/// (it is never half old, half new); a larger value may be read while a program is writing it. Use [`Live::atomic`] for
/// counters that both sides change.
pub struct Live<T> {
    memory: Memory,
    offset: usize,
    value: PhantomData<fn() -> T>,
}

#[derive(Clone)]
enum Memory {
    Map(Arc<MapMemory>),
    Arena(Arc<ArenaMemory>),
}

impl Memory {
    fn len(&self) -> usize {
        match self {
            Self::Map(memory) => memory.len(),
            Self::Arena(memory) => memory.len(),
        }
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self {
            memory: self.memory.clone(),
            offset: self.offset,
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

impl<T: Layout + FromBytes> Live<T> {
    /// Its current value.
    #[inline]
    pub fn get(&self) -> T {
        let mut value = T::new_zeroed();
        self.read(value.as_mut_bytes());
        value
    }
}

impl<T: Layout> Live<T> {
    /// Its current value, if valid: for types such as `bool` and enums, for which not all bytes are.
    ///
    /// # Errors
    /// `Corrupt` if a program wrote an invalid value.
    pub fn try_get(&self) -> Result<T> {
        let mut room = Room::<T>::new();
        self.read(room.bytes_mut());
        room.value().map_err(|e| e.context("global variable"))
    }

    fn read(&self, bytes: &mut [u8]) {
        // The offset is inside the memory, as was checked when this was created.
        let _ = match &self.memory {
            Memory::Map(memory) => memory.read(self.offset, bytes),
            Memory::Arena(memory) => memory.read(self.offset, bytes),
        };
    }

    /// Sets its value.
    ///
    /// # Errors
    /// `InvalidArgument` for a constant, which cannot change once the object is loaded.
    pub fn set(&self, value: &T) -> Result<()> {
        let bytes = value.as_bytes();
        match &self.memory {
            Memory::Map(memory) => memory.write(self.offset, bytes),
            Memory::Arena(memory) => memory.write(self.offset, bytes),
        }
        .ok_or_else(constant)
    }
}

#[cold]
fn constant() -> Error {
    Error::new(ErrorKind::InvalidArgument, "the variable is a constant")
        .with_hint("set it before the object is loaded, see `OpenObject::variable_mut`")
}

macro_rules! atomics {
    ($($number:ty: $atomic:ty, $get:ident);*) => {$(
        impl Live<$number> {
            /// The variable as an atomic, so that no update is lost.
            ///
            /// # Errors
            /// `InvalidArgument` for a constant.
            pub fn atomic(&self) -> Result<$atomic> {
                match &self.memory {
                    Memory::Map(memory) => memory.$get(self.offset),
                    Memory::Arena(memory) => memory.$get(self.offset),
                }
                .ok_or_else(constant)
            }
        }
    )*};
}
atomics!(u32: SharedU32<'_>, atomic_u32; u64: &AtomicU64, atomic_u64);
