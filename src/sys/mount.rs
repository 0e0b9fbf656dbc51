#![allow(unsafe_code)]
//! Detached mounts, and files inside them.
//!
//! Only the holder of its descriptor sees such a mount, which is gone when the descriptor is closed.

use super::{errno, fd};
use crate::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::null;

/// Mounts a file system of this type, visible only to holders of the descriptor. Since Linux 5.2.
///
/// # Errors
///
/// `ENOSYS` on older kernels, `ENODEV` if the kernel has no such file system, `EPERM` without `CAP_SYS_ADMIN` (for most
/// types, in the initial user namespace).
pub fn mount_detached(kind: &CStr) -> Result<OwnedFd, Errno> {
    let context = open_context(kind)?;
    create(context.as_fd())?;
    mount(context.as_fd())
}

fn open_context(kind: &CStr) -> Result<OwnedFd, Errno> {
    /// `FSOPEN_CLOEXEC`
    const CLOEXEC: libc::c_uint = 1;
    // SAFETY: the name ends with a zero byte.
    let raw = unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), CLOEXEC) };
    let raw = errno::check(raw)?;
    // SAFETY: the kernel has just made this descriptor.
    unsafe { fd::adopt(raw) }
}

fn create(context: BorrowedFd<'_>) -> Result<(), Errno> {
    /// `FSCONFIG_CMD_CREATE`, which takes neither key nor value.
    const CREATE: libc::c_uint = 6;
    let nothing = null::<libc::c_char>();
    let context = context.as_raw_fd();
    // SAFETY: the command reads through neither pointer.
    let result = unsafe { libc::syscall(libc::SYS_fsconfig, context, CREATE, nothing, nothing, 0) };
    errno::check(result).map(drop)
}

fn mount(context: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    /// `FSMOUNT_CLOEXEC`
    const CLOEXEC: libc::c_uint = 1;
    /// `MOUNT_ATTR_NOSUID`, `MOUNT_ATTR_NODEV`, `MOUNT_ATTR_NOEXEC`
    const ATTRIBUTES: libc::c_uint = 2 | 4 | 8;
    // SAFETY: the call takes numbers only.
    let raw = unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), CLOEXEC, ATTRIBUTES) };
    let raw = errno::check(raw)?;
    // SAFETY: the kernel has just made this descriptor.
    unsafe { fd::adopt(raw) }
}

/// Opens a file by its path relative to an open folder. `flags` are those of `open(2)`; nothing is created.
pub fn open_at(folder: BorrowedFd<'_>, path: &CStr, flags: i32) -> Result<OwnedFd, Errno> {
    let flags = (flags & !libc::O_CREAT) | libc::O_CLOEXEC;
    // SAFETY: the path ends with a zero byte. Nothing is created, so no mode is read.
    let raw = unsafe { libc::openat(folder.as_raw_fd(), path.as_ptr(), flags) };
    let raw = errno::check(raw.into())?;
    // SAFETY: the kernel has just made this descriptor.
    unsafe { fd::adopt(raw) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;

    #[test]
    fn what_is_no_file_system_is_refused() {
        let error = mount_detached(c"rawbpf_no_such_file_system").unwrap_err();
        // Without rights, the kernel does not even look.
        assert!([Errno::ENODEV, Errno::EPERM].contains(&error), "{error}");
    }

    #[test]
    fn files_are_opened_from_a_folder_on() {
        let folder = File::open("/proc/self").unwrap();
        let file = open_at(folder.as_fd(), c"comm", libc::O_RDONLY).unwrap();
        let mut text = String::new();
        File::from(file).read_to_string(&mut text).unwrap();
        assert!(text.ends_with('\n'), "{text:?}");
        let missing = open_at(folder.as_fd(), c"no/such", libc::O_CREAT);
        assert_eq!(missing.unwrap_err(), Errno::ENOENT);
    }
}
