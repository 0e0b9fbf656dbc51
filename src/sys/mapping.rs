#![allow(unsafe_code)]
//! Memory that the kernel shares: its BTF, and maps that may be mapped.

use super::bpf::MapFd;
use super::file_system::{FileSystem, open_genuine};
use super::words::{Mapped, SharedU32, copy_in, copy_out, shared_u32, word};
use super::{errno, system};
use crate::{Errno, MapFlags, MapType};
use memmap2::{Mmap, MmapOptions, MmapRaw};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::AtomicU64;

/// The running kernel's BTF, mapped.
#[derive(Debug)]
pub struct KernelBtf(Mmap);

impl KernelBtf {
    /// Maps `/sys/kernel/btf/vmlinux`; `None` where that cannot be done (before Linux 6.16), or where something else is mounted
    /// in its place.
    pub fn map() -> Option<Self> {
        let file = open_genuine(FileSystem::Sysfs, "/sys", c"kernel/btf/vmlinux").ok()?;
        // SAFETY: the file is the kernel's own, not just any at this path: sysfs, from its root on, has nothing else there. Its
        // contents are a part of the kernel's image, which neither changes nor goes away as long as the kernel runs.
        let map = unsafe { MmapOptions::new().map_copy_read_only(&file) }.ok()?;
        Some(Self(map))
    }
}

impl AsRef<[u8]> for KernelBtf {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a mapping of a map may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only: the only choice for a map that has been frozen.
    ReadOnly,
    /// Reading and writing. The map cannot be frozen as long as this mapping exists.
    ReadWrite,
}

/// The values of an array map that was created with `BPF_F_MMAPABLE`, as memory. Since Linux 5.5.
///
/// Programs and other processes change this memory at any time, so it is never lent: bytes are copied in and out. An
/// aligned piece of up to eight bytes is copied in one access and therefore never half old, half new.
#[derive(Debug)]
pub struct MapMemory {
    raw: MmapRaw,
    access: Access,
    len: usize,
}

impl MapMemory {
    /// Maps all elements of an array.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a map that is no array or not `BPF_F_MMAPABLE`, `EPERM` for writing to a frozen one.
    pub(crate) fn map(map: &MapFd, access: Access) -> Result<Self, Errno> {
        let shape = map.shape();
        if shape.kind != MapType::ARRAY || !shape.flags.contains(MapFlags::MMAPABLE) {
            return Err(Errno::EINVAL);
        }
        let element = (shape.value_size as usize).next_multiple_of(8);
        let len = element
            .checked_mul(shape.max_entries as usize)
            .ok_or(Errno::E2BIG)?;
        let whole = len
            .checked_next_multiple_of(system::page_size())
            .ok_or(Errno::E2BIG)?;
        let mut options = MmapOptions::new();
        options.len(whole);
        let fd = map.as_fd().as_raw_fd();
        let raw = match access {
            Access::ReadOnly => options.map_raw_read_only(fd),
            Access::ReadWrite => options.map_raw(fd),
        }
        .map_err(|e| errno::from_io(&e))?;
        Ok(Self { raw, access, len })
    }

    /// Bytes of all elements together; each element is padded to 8.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies `into.len()` bytes from `offset` on; `None` if they are not all inside.
    #[inline]
    pub fn read(&self, offset: usize, into: &mut [u8]) -> Option<()> {
        self.check(offset, into.len())?;
        copy_out(&self.raw, offset, into)
    }

    /// Copies `from` to `offset` on; `None` if it does not fit, or if the mapping is read-only.
    #[inline]
    pub fn write(&self, offset: usize, from: &[u8]) -> Option<()> {
        if self.access == Access::ReadOnly {
            return None;
        }
        self.check(offset, from.len())?;
        copy_in(&self.raw, offset, from)
    }

    /// The 32 bits at `offset`, shared with programs and other processes; `None` off their alignment, outside, and in a
    /// read-only mapping.
    pub fn atomic_u32(&self, offset: usize) -> Option<SharedU32<'_>> {
        self.check(offset, 4)?;
        (self.access == Access::ReadWrite).then(|| shared_u32(&self.raw, offset))?
    }

    /// The 64 bits at `offset`, shared with programs and other processes; `None` off their alignment, outside, and in a
    /// read-only mapping.
    pub fn atomic_u64(&self, offset: usize) -> Option<&AtomicU64> {
        self.check(offset, 8)?;
        (self.access == Access::ReadWrite).then(|| word(&self.raw, offset))?
    }

    fn check(&self, offset: usize, len: usize) -> Option<()> {
        (offset.checked_add(len)? <= self.len).then_some(())
    }
}

// SAFETY: a mapping of memmap2 lives as long as its value, starts at a page, and lends nothing but pointers. The only parts of
// such mappings that this crate reads otherwise are records that are lent, to which nobody writes as long as they are.
unsafe impl Mapped for MmapRaw {
    fn start(&self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn len(&self) -> usize {
        self.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(len: usize) -> MapMemory {
        let raw = MmapOptions::new().len(4096).map_anon().unwrap().into();
        MapMemory {
            raw,
            access: Access::ReadWrite,
            len,
        }
    }

    #[test]
    fn accesses_outside_are_refused() {
        let mut memory = memory(64);
        assert!(memory.read(60, &mut [0; 5]).is_none());
        assert!(memory.read(usize::MAX, &mut [0; 2]).is_none());
        assert!(memory.write(64, &[1]).is_none());
        assert!(memory.write(64, &[]).is_some());
        memory.access = Access::ReadOnly;
        assert!(memory.write(0, &[1]).is_none());
    }
}
