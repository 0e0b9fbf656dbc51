#![allow(unsafe_code)]
//! The memory of an arena map, mapped at the address that its program uses as well.

use super::words::{Mapped, SharedU32, copy_in, copy_out, shared_u32, word};
use super::{errno, system};
use crate::sys::bpf::MapFd;
use crate::{Errno, MapType};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// An arena, mapped. Since Linux 6.9.
///
/// The first mapping fixes the arena's address for all others, so it should live as long as the map is used. Programs may
/// change the memory at any time: bytes are copied in and out.
#[derive(Debug)]
pub struct ArenaMemory {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is shared with the kernel anyway, and is only accessed through atomics.
unsafe impl Send for ArenaMemory {}
// SAFETY: as above.
unsafe impl Sync for ArenaMemory {}

impl ArenaMemory {
    /// Maps the whole arena at `address` (its `map_extra`); 0 lets the kernel choose.
    ///
    /// # Errors
    /// `EINVAL` if the map is not an arena, `EEXIST` if something else is mapped at the address.
    pub(crate) fn map(map: &MapFd, address: u64) -> Result<Self, Errno> {
        let shape = map.shape();
        if shape.kind != MapType::ARENA {
            return Err(Errno::EINVAL);
        }
        let len = (shape.max_entries as usize)
            .checked_mul(system::page_size())
            .filter(|len| *len > 0)
            .ok_or(Errno::E2BIG)?;
        let wanted = usize::try_from(address).map_err(|_| Errno::EINVAL)?;
        let fixed = if wanted == 0 {
            0
        } else {
            libc::MAP_FIXED_NOREPLACE
        };
        let hint = std::ptr::without_provenance_mut(wanted);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let fd = map.as_fd().as_raw_fd();
        // SAFETY: a new mapping replaces no other one (MAP_FIXED_NOREPLACE).
        let start = unsafe { libc::mmap(hint, len, access, libc::MAP_SHARED | fixed, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(errno::last());
        }
        let start = NonNull::new(start.cast()).ok_or(Errno::EFAULT)?;
        Ok(Self { start, len })
    }

    /// The address of its first byte, here and in the program.
    pub fn address(&self) -> usize {
        self.start.addr().get()
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies `from` to the arena, starting at `offset`; `None` if it does not fit. The bytes of one aligned 8-byte word are
    /// written in one access.
    pub fn write(&self, offset: usize, from: &[u8]) -> Option<()> {
        copy_in(self, offset, from)
    }

    /// Copies `into.len()` bytes, starting at `offset`; `None` if they are not all inside. The bytes of one aligned 8-byte
    /// word are read in one access.
    ///
    /// This allocates pages that nobody has written yet, unless the arena was created with `BPF_F_SEGV_ON_FAULT`: then the
    /// process gets `SIGSEGV`.
    pub fn read(&self, offset: usize, into: &mut [u8]) -> Option<()> {
        copy_out(self, offset, into)
    }

    /// The 32 bits at `offset`, shared with programs; `None` if they are unaligned or outside.
    pub fn atomic_u32(&self, offset: usize) -> Option<SharedU32<'_>> {
        shared_u32(self, offset)
    }

    /// The 64 bits at `offset`, shared with programs; `None` if they are unaligned or outside.
    pub fn atomic_u64(&self, offset: usize) -> Option<&AtomicU64> {
        word(self, offset)
    }
}

// SAFETY: the mapping lives as long as the value and starts at a page, and nothing else in this file accesses it.
unsafe impl Mapped for ArenaMemory {
    fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    fn len(&self) -> usize {
        self.len
    }
}

impl Drop for ArenaMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length, and nothing that was lent outlives `self`.
        let _ = unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
