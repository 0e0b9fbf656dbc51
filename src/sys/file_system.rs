#![allow(unsafe_code)]
//! Which file system a file is on, and opening files that are certain to be the kernel's.

use super::{errno, fd};
use crate::Errno;
use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

/// The file systems that matter to a BPF loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// Where objects are pinned.
    Bpf,
    /// `/sys`.
    Sysfs,
    /// `/proc`.
    Procfs,
    /// Tracing: tracepoints and legacy probes.
    Tracefs,
    /// Debugging aids of the kernel.
    Debugfs,
    /// Control groups, version 2.
    Cgroup2,
    /// Something else.
    Other,
}

impl FileSystem {
    /// The file system of the file at `path`.
    pub fn of_path(path: &CStr) -> Result<Self, Errno> {
        let mut facts = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: the path ends with a zero byte, and there is room for the answer.
        let result = unsafe { libc::statfs(path.as_ptr(), facts.as_mut_ptr()) };
        errno::check(result.into())?;
        // SAFETY: the call has succeeded, so the kernel has filled the struct.
        Ok(Self::from_magic(unsafe { facts.assume_init() }.f_type))
    }

    /// The file system of an open file.
    pub fn of_file(file: BorrowedFd<'_>) -> Result<Self, Errno> {
        let mut facts = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: there is room for the answer.
        let result = unsafe { libc::fstatfs(file.as_raw_fd(), facts.as_mut_ptr()) };
        errno::check(result.into())?;
        // SAFETY: the call has succeeded, so the kernel has filled the struct.
        Ok(Self::from_magic(unsafe { facts.assume_init() }.f_type))
    }

    #[expect(
        clippy::allow_attributes,
        reason = "whether the casts narrow depends on the C library"
    )]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "magics are 32 bits wide; the field's type and the constants' differ between C libraries"
    )]
    fn from_magic(magic: impl Into<i128>) -> Self {
        const BPF: u32 = libc::BPF_FS_MAGIC as u32;
        const SYSFS: u32 = libc::SYSFS_MAGIC as u32;
        const PROCFS: u32 = libc::PROC_SUPER_MAGIC as u32;
        const TRACEFS: u32 = libc::TRACEFS_MAGIC as u32;
        const DEBUGFS: u32 = libc::DEBUGFS_MAGIC as u32;
        const CGROUP2: u32 = libc::CGROUP2_SUPER_MAGIC as u32;
        match magic.into() as u32 {
            BPF => Self::Bpf,
            SYSFS => Self::Sysfs,
            PROCFS => Self::Procfs,
            TRACEFS => Self::Tracefs,
            DEBUGFS => Self::Debugfs,
            CGROUP2 => Self::Cgroup2,
            _ => Self::Other,
        }
    }
}

/// Opens a file that the kernel itself provides, for reading. Since Linux 5.6.
///
/// In a namespace of their own, users can mount anything on `/sys` and `/proc`, so where memory safety depends on a file's
/// contents, its path alone proves nothing: `root` must be the root of a file system of this kind, and nothing may be
/// mounted on the way from there to `place`.
///
/// # Errors
///
/// `ENODEV` if something else is mounted at `root`, `EXDEV` if something is mounted on the way.
pub(super) fn open_genuine(sort: FileSystem, root: &str, place: &CStr) -> Result<File, Errno> {
    /// Inode number of the root, in sysfs and in procfs.
    const ROOT: u64 = 1;
    let root = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
        .open(root)
        .map_err(|e| errno::from_io(&e))?;
    let inode = root.metadata().map_err(|e| errno::from_io(&e))?.ino();
    if FileSystem::of_file(root.as_fd())? != sort || inode != ROOT {
        return Err(Errno::ENODEV);
    }
    open_beneath(root.as_fd(), place).map(File::from)
}

/// Opens a file for reading, unless there are mounts on the way, or links that lead out of the folder.
fn open_beneath(folder: BorrowedFd<'_>, place: &CStr) -> Result<OwnedFd, Errno> {
    // SAFETY: every bit pattern is valid for this struct of integers.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY) as u64;
    how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_MAGICLINKS;
    // SAFETY: the path ends with a zero byte, the struct's size stands next to it, and both live through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            folder.as_raw_fd(),
            place.as_ptr(),
            &raw const how,
            size_of::<libc::open_how>(),
        )
    };
    let raw = errno::check(result)?;
    // SAFETY: the call has succeeded and returned a new descriptor.
    unsafe { fd::adopt(raw) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sysfs_is_told_from_the_rest() {
        assert_eq!(FileSystem::of_path(c"/sys"), Ok(FileSystem::Sysfs));
        assert_eq!(FileSystem::of_path(c"/proc"), Ok(FileSystem::Procfs));
        let file = File::open("/proc/self/stat").unwrap();
        assert_eq!(FileSystem::of_file(file.as_fd()), Ok(FileSystem::Procfs));
        assert_eq!(FileSystem::of_path(c"/dev/null"), Ok(FileSystem::Other));
        assert_eq!(FileSystem::of_path(c"/no/such/file"), Err(Errno::ENOENT));
    }
    #[test]
    fn files_of_the_kernel_are_opened_by_their_place() {
        let open = |sort, root, place| open_genuine(sort, root, place).map(drop);
        let procfs = FileSystem::Procfs;
        assert_eq!(open(procfs, "/proc", c"thread-self/stat"), Ok(()));
        assert_eq!(open(FileSystem::Sysfs, "/sys", c"kernel/mm"), Ok(()));
        // Another file system, and a folder that is not its root.
        let other = open(FileSystem::Sysfs, "/proc", c"thread-self/stat");
        assert_eq!(other, Err(Errno::ENODEV));
        let inside = open(procfs, "/proc/thread-self", c"stat");
        assert_eq!(inside, Err(Errno::ENODEV));
        // Links that lead elsewhere.
        let magic = open(procfs, "/proc", c"thread-self/exe");
        assert_eq!(magic, Err(Errno::ELOOP));
        let above = open(procfs, "/proc", c"../dev/null");
        assert_eq!(above, Err(Errno::EXDEV));
    }
}
