#![allow(unsafe_code)]
//! The system call itself, and the small conversions that every command needs.

use super::program::Log;
use crate::Errno;
use crate::sys::attr::{Attr, CommonAttr};
use crate::sys::{errno, fd};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// The bit of the command that announces a second block: the attributes common to all commands.
pub(in crate::sys) const COMMON_ATTRS: libc::c_long = 1 << 16;

/// The first argument of `bpf(2)` (`enum bpf_cmd`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Command {
    MapCreate = 0,
    MapLookupElem = 1,
    MapUpdateElem = 2,
    MapDeleteElem = 3,
    MapGetNextKey = 4,
    ProgLoad = 5,
    ObjPin = 6,
    ObjGet = 7,
    ProgAttach = 8,
    ProgDetach = 9,
    ProgTestRun = 10,
    ProgGetNextId = 11,
    MapGetNextId = 12,
    ProgGetFdById = 13,
    MapGetFdById = 14,
    ObjGetInfoByFd = 15,
    ProgQuery = 16,
    RawTracepointOpen = 17,
    BtfLoad = 18,
    BtfGetFdById = 19,
    TaskFdQuery = 20,
    MapLookupAndDeleteElem = 21,
    MapFreeze = 22,
    BtfGetNextId = 23,
    MapLookupBatch = 24,
    MapLookupAndDeleteBatch = 25,
    MapUpdateBatch = 26,
    MapDeleteBatch = 27,
    LinkCreate = 28,
    LinkUpdate = 29,
    LinkGetFdById = 30,
    LinkGetNextId = 31,
    EnableStats = 32,
    IterCreate = 33,
    LinkDetach = 34,
    ProgBindMap = 35,
    TokenCreate = 36,
    ProgStreamReadByFd = 37,
    ProgAssocStructOps = 38,
}

/// Calls `bpf(command, attr)`. Returns the kernel's answer: a descriptor, a count or zero.
///
/// # Safety
///
/// Every pointer in `attr` is null, or valid for as many bytes as `command` reads or writes through it.
pub(super) unsafe fn bpf<A: Attr>(command: Command, attr: &mut A) -> Result<libc::c_long, Errno> {
    // SAFETY: `attr` is an exclusive reference to at least `SENT` initialised bytes, which the kernel may read and write;
    // the pointers in it are the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_ulong,
            std::ptr::from_mut(attr),
            A::SENT,
        )
    };
    errno::check(result)
}

/// `bpf(command, attr)` with a log, which every command accepts since Linux 7.2; older kernels answer `EINVAL`.
///
/// # Safety
///
/// As for [`bpf`].
pub(super) unsafe fn bpf_with_log<A: Attr>(
    command: Command,
    attr: &mut A,
    log: &mut Log<'_>,
) -> Result<libc::c_long, Errno> {
    let mut common = CommonAttr {
        log_buf: address_mut(log.buffer),
        log_size: length(log.buffer)?,
        log_level: log.level,
        ..CommonAttr::default()
    };
    // SAFETY: as in `bpf`; `common` is a local whose first `SENT` bytes the kernel may read and write, and its log a buffer
    // that is borrowed exclusively, with its true length.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_long | COMMON_ATTRS,
            std::ptr::from_mut(attr),
            A::SENT,
            std::ptr::from_mut(&mut common),
            CommonAttr::SENT,
        )
    };
    log.true_size = common.log_true_size;
    errno::check(result)
}

/// `bpf(command, attr)` for a command that makes a descriptor.
///
/// # Safety
///
/// As for [`bpf`], and `command` is one that returns a new descriptor.
pub(super) unsafe fn bpf_fd<A: Attr>(command: Command, attr: &mut A) -> Result<OwnedFd, Errno> {
    // SAFETY: the caller's promise about the pointers is passed on.
    let raw = unsafe { bpf(command, attr) }?;
    // SAFETY: the caller says that this command returns a descriptor of its own.
    unsafe { fd::adopt(raw) }
}

/// `bpf(command, attr)` for a command whose attributes hold no pointers (or only null ones).
///
/// # Safety
///
/// All pointer fields of `attr` are zero.
pub(super) unsafe fn bpf_done<A: Attr>(command: Command, attr: &mut A) -> Result<(), Errno> {
    // SAFETY: null pointers are never followed; the caller says there are no others.
    unsafe { bpf(command, attr) }.map(drop)
}

/// The kernel's name field: the first 15 bytes of `name`, the rest zero.
pub fn object_name(name: &str) -> [u8; 16] {
    let mut field = [0; 16];
    for (to, from) in field.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    field
}

/// The text in a name field, up to the first zero byte.
pub(super) fn name_text(field: &[u8]) -> String {
    let end = memchr::memchr(0, field).unwrap_or(field.len());
    let (text, _) = field.split_at(end);
    String::from_utf8_lossy(text).into_owned()
}

/// A descriptor as the kernel's headers declare it.
pub(super) fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// A descriptor for a field in which zero means "none".
pub(super) fn raw_or_zero(fd: Option<BorrowedFd<'_>>) -> u32 {
    fd.map_or(0, raw)
}

/// The address of memory that the kernel will read; null for an empty slice.
pub(super) fn address<T>(slice: &[T]) -> u64 {
    if slice.is_empty() {
        0
    } else {
        slice.as_ptr().expose_provenance() as u64
    }
}

/// The address of memory that the kernel will write; null for an empty slice.
pub(super) fn address_mut<T>(slice: &mut [T]) -> u64 {
    if slice.is_empty() {
        0
    } else {
        slice.as_mut_ptr().expose_provenance() as u64
    }
}

/// A length in a 32-bit field; `E2BIG` if it does not fit.
pub(super) fn length<T>(slice: &[T]) -> Result<u32, Errno> {
    u32::try_from(slice.len()).map_err(|_| Errno::E2BIG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_to_fifteen_bytes() {
        assert_eq!(&object_name("abcdefghijklmnopqrst"), b"abcdefghijklmno\0");
        assert_eq!(name_text(&object_name("events")), "events");
        assert_eq!(name_text(b"no zero byte"), "no zero byte");
    }

    #[test]
    fn empty_slices_are_null() {
        assert_eq!(address::<u64>(&[]), 0);
        assert_eq!(address_mut::<u8>(&mut []), 0);
        assert_ne!(address(&[1u8]), 0);
    }
}
