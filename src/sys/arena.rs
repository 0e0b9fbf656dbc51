#![allow(unsafe_code)]
//! The memory of an arena map, at the address that its program uses, too.

use super::words::{Mapped, SharedU32, copy_in, copy_out, shared_u32, word};
use super::{errno, system};
use crate::sys::bpf::MapFd;
use crate::{Errno, MapType};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// An arena, mapped. Since Linux 6.9.
///
/// The first mapping fixes the arena's address for all others, so it should live as long as the map is used. Programs
/// change the memory at any time: bytes are copied in and out.
#[derive(Debug)]
pub struct ArenaMemory {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is shared with the kernel anyway, and only touched through atomics.
unsafe impl Send for ArenaMemory {}
// SAFETY: as above.
unsafe impl Sync for ArenaMemory {}

impl ArenaMemory {
    /// Maps the whole arena at `address` (its `map_extra`); 0 lets the kernel choose.
    ///
    /// # Errors
    /// `EINVAL` for a map that is no arena, `EEXIST` if something else is mapped at the address.
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

    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies `from` to `offset` on; `None` if it does not fit. Bytes of the same aligned eight are written at once.
    pub fn write(&self, offset: usize, from: &[u8]) -> Option<()> {
        copy_in(self, offset, from)
    }

    /// Copies `into.len()` bytes from `offset` on; `None` if they are not all inside. Bytes of the same aligned eight
    /// are read at once.
    ///
    /// Pages that nobody has written are allocated by this, unless the arena was made with `BPF_F_SEGV_ON_FAULT`: then the
    /// process gets a signal.
    pub fn read(&self, offset: usize, into: &mut [u8]) -> Option<()> {
        copy_out(self, offset, into)
    }

    /// The 32 bits at `offset`, shared with programs; `None` off their alignment and outside.
    pub fn atomic_u32(&self, offset: usize) -> Option<SharedU32<'_>> {
        shared_u32(self, offset)
    }

    /// The 64 bits at `offset`, shared with programs; `None` off their alignment and outside.
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
