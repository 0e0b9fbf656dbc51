#![allow(unsafe_code)]
//! Memory that the kernel shares: its BTF, and maps that can be mapped.

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
    /// Maps `/sys/kernel/btf/vmlinux`; `None` where the kernel does not allow that (before Linux 6.16), or where something
    /// else is mounted in its place.
    pub fn map() -> Option<Self> {
        let file = open_genuine(FileSystem::Sysfs, "/sys", c"kernel/btf/vmlinux").ok()?;
        // SAFETY: the file is the kernel's own, not just any file at this path: nothing is mounted over sysfs on the way
        // from its root. Its contents are part of the kernel's image, which neither changes nor disappears while the kernel
        // runs.
        let map = unsafe { MmapOptions::new().map_copy_read_only(&file) }.ok()?;
        Some(Self(map))
    }
}

impl AsRef<[u8]> for KernelBtf {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a mapping of a map can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read-only: the only choice for a map that has been frozen.
    ReadOnly,
    /// Readable and writable. The map cannot be frozen while this mapping exists.
    ReadWrite,
}

/// The values of an array map that was created with `BPF_F_MMAPABLE`, as memory. Since Linux 5.5.
///
/// Programs and other processes may change this memory at any time, so it is never lent: bytes are copied in and out. Up to
/// eight bytes within an aligned 8-byte word are copied in one access, and are therefore never half old, half new.
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
    /// `EINVAL` if the map is not an array or not `BPF_F_MMAPABLE`, `EPERM` for a writable mapping of a frozen map.
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

    /// Size of all elements in bytes, each padded to a multiple of 8.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies `into.len()` bytes, starting at `offset`; `None` if they are not all inside.
    #[inline]
    pub fn read(&self, offset: usize, into: &mut [u8]) -> Option<()> {
        self.check(offset, into.len())?;
        copy_out(&self.raw, offset, into)
    }

    /// Copies `from` to the elements, starting at `offset`; `None` if it does not fit, or if the mapping is read-only.
    #[inline]
    pub fn write(&self, offset: usize, from: &[u8]) -> Option<()> {
        if self.access == Access::ReadOnly {
            return None;
        }
        self.check(offset, from.len())?;
        copy_in(&self.raw, offset, from)
    }

    /// The 32 bits at `offset`, shared with programs and other processes; `None` if they are unaligned or outside, or if the
    /// mapping is read-only.
    pub fn atomic_u32(&self, offset: usize) -> Option<SharedU32<'_>> {
        self.check(offset, 4)?;
        (self.access == Access::ReadWrite).then(|| shared_u32(&self.raw, offset))?
    }

    /// The 64 bits at `offset`, shared with programs and other processes; `None` if they are unaligned or outside, or if the
    /// mapping is read-only.
    pub fn atomic_u64(&self, offset: usize) -> Option<&AtomicU64> {
        self.check(offset, 8)?;
        (self.access == Access::ReadWrite).then(|| word(&self.raw, offset))?
    }

    fn check(&self, offset: usize, len: usize) -> Option<()> {
        (offset.checked_add(len)? <= self.len).then_some(())
    }
}

// SAFETY: a mapping of memmap2 lives as long as its value, starts at a page, and lends only pointers. The only parts of such
// mappings that this crate reads in other ways are lent records, which nobody writes while they are lent.
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
