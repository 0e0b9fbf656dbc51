#![allow(unsafe_code)]
//! Memory that the kernel shares: its BTF, and maps that may be mapped.

use super::bpf::MapFd;
use super::file_system::{FileSystem, open_genuine};
use super::{errno, system};
use crate::{Errno, MapFlags, MapType};
use memmap2::{Mmap, MmapOptions, MmapRaw};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{
    AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};

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
    pub fn map(map: &MapFd, access: Access) -> Result<Self, Errno> {
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
    pub fn atomic_u32(&self, offset: usize) -> Option<&AtomicU32> {
        self.check(offset, 4)?;
        (self.access == Access::ReadWrite).then(|| cell_u32(&self.raw, offset))?
    }

    /// The 64 bits at `offset`, shared with programs and other processes; `None` off their alignment, outside, and in a
    /// read-only mapping.
    pub fn atomic_u64(&self, offset: usize) -> Option<&AtomicU64> {
        self.check(offset, 8)?;
        (self.access == Access::ReadWrite).then(|| cell_u64(&self.raw, offset))?
    }

    fn check(&self, offset: usize, len: usize) -> Option<()> {
        (offset.checked_add(len)? <= self.len).then_some(())
    }
}

/// Memory that is mapped: shared with the kernel, touched through atomics only.
///
/// # Safety
///
/// From `start` on, `len` bytes may be read as long as the value lives, and start at a page. Nothing in this program
/// borrows them other than as atomics.
pub(super) unsafe trait Mapped {
    /// Where the memory starts.
    fn start(&self) -> *mut u8;
    /// Bytes.
    fn len(&self) -> usize;
}

// SAFETY: a mapping of memmap2 lives as long as its value, starts at a page, and lends pointers only.
unsafe impl Mapped for MmapRaw {
    fn start(&self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn len(&self) -> usize {
        self.len()
    }
}

/// Copies bytes out of shared memory. An aligned piece of up to eight bytes is copied in one access.
#[inline]
pub(super) fn copy_out(memory: &impl Mapped, offset: usize, into: &mut [u8]) -> Option<()> {
    // A number in its place. Where the compiler knows the length, nothing but one of these loads is left.
    match into.len() {
        8 if offset.is_multiple_of(8) => {
            into.copy_from_slice(&cell_u64(memory, offset)?.load(Relaxed).to_ne_bytes());
            Some(())
        }
        4 if offset.is_multiple_of(4) => {
            into.copy_from_slice(&cell_u32(memory, offset)?.load(Relaxed).to_ne_bytes());
            Some(())
        }
        _ => copy_out_pieces(memory, offset, into),
    }
}

#[inline(never)]
fn copy_out_pieces(memory: &impl Mapped, offset: usize, into: &mut [u8]) -> Option<()> {
    let mut at = offset;
    let mut rest = into;
    while !rest.is_empty() {
        let width = piece_width(at, rest.len());
        let (piece, tail) = rest.split_at_mut_checked(width)?;
        match width {
            8 => piece.copy_from_slice(&cell_u64(memory, at)?.load(Relaxed).to_ne_bytes()),
            4 => piece.copy_from_slice(&cell_u32(memory, at)?.load(Relaxed).to_ne_bytes()),
            2 => piece.copy_from_slice(&cell_u16(memory, at)?.load(Relaxed).to_ne_bytes()),
            _ => piece.copy_from_slice(&[cell_u8(memory, at)?.load(Relaxed)]),
        }
        at += width;
        rest = tail;
    }
    Some(())
}

/// Copies bytes into shared memory that may be written. An aligned piece of up to eight bytes is copied in one access.
#[inline]
pub(super) fn copy_in(memory: &impl Mapped, offset: usize, from: &[u8]) -> Option<()> {
    let mut at = offset;
    let mut rest = from;
    while !rest.is_empty() {
        let width = piece_width(at, rest.len());
        let (piece, tail) = rest.split_at_checked(width)?;
        match width {
            8 => cell_u64(memory, at)?.store(u64::from_ne_bytes(piece.try_into().ok()?), Relaxed),
            4 => cell_u32(memory, at)?.store(u32::from_ne_bytes(piece.try_into().ok()?), Relaxed),
            2 => cell_u16(memory, at)?.store(u16::from_ne_bytes(piece.try_into().ok()?), Relaxed),
            _ => cell_u8(memory, at)?.store(u8::from_ne_bytes(piece.try_into().ok()?), Relaxed),
        }
        at += width;
        rest = tail;
    }
    Some(())
}

/// Bytes to copy in one access: a power of two up to 8 that divides the offset and does not exceed what is left.
#[inline]
fn piece_width(at: usize, left: usize) -> usize {
    let aligned = 1 << at.trailing_zeros().min(3);
    let fitting = 1 << left.ilog2().min(3);
    aligned.min(fitting)
}

macro_rules! cells {
    ($($name:ident: $atomic:ident),*) => {$(
        /// A cell of a mapping; `None` outside of it and off its alignment.
        #[inline]
        pub(super) fn $name<M: Mapped>(memory: &M, at: usize) -> Option<&$atomic> {
            let end = at.checked_add(size_of::<$atomic>())?;
            if end > memory.len() || at % size_of::<$atomic>() != 0 {
                return None;
            }
            let cell = memory.start().wrapping_add(at).cast();
            // SAFETY: just found to be inside the mapping (which lives as long as the borrow) and, as mappings start at a
            // page, aligned. Whoever else has the memory mapped is outside of this program, or uses atomics as well. A
            // relaxed or acquiring load of this size is allowed on read-only memory; nobody stores to a read-only mapping.
            Some(unsafe { $atomic::from_ptr(cell) })
        }
    )*};
}
cells!(cell_u8: AtomicU8, cell_u16: AtomicU16, cell_u32: AtomicU32, cell_u64: AtomicU64, cell_usize: AtomicUsize);

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
    fn pieces_are_aligned_and_fit() {
        assert_eq!(piece_width(0, 100), 8);
        assert_eq!(piece_width(4, 100), 4);
        assert_eq!(piece_width(6, 100), 2);
        assert_eq!(piece_width(7, 100), 1);
        assert_eq!(piece_width(8, 7), 4);
        assert_eq!(piece_width(8, 1), 1);
    }

    #[test]
    fn what_is_written_is_read_back_at_any_offset() {
        let memory = memory(64);
        let bytes: Vec<u8> = (1..=32).collect();
        for offset in 0..32 {
            for len in 0..=32 {
                let (from, _) = bytes.split_at(len);
                memory.write(offset, from).unwrap();
                let mut back = vec![0; len];
                memory.read(offset, &mut back).unwrap();
                assert_eq!(back, from, "offset {offset}, length {len}");
            }
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
