#![allow(unsafe_code)]
//! Which file system a file is on.

use super::errno;
use crate::Errno;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The file systems that matter to a BPF loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// Where objects are pinned.
    Bpf,
    /// `/sys`.
    Sysfs,
    /// Where tracepoints and legacy probes are.
    Tracefs,
    /// Control groups, version 2.
    Cgroup2,
    /// Something else.
    Other,
}

impl FileSystem {
    /// That of the file at `path`.
    pub fn of_path(path: &CStr) -> Result<Self, Errno> {
        let mut facts = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: the path ends with a zero byte, and there is room for the answer.
        let result = unsafe { libc::statfs(path.as_ptr(), facts.as_mut_ptr()) };
        errno::check(result.into())?;
        // SAFETY: the call has succeeded, so the kernel has filled the struct.
        Ok(Self::from_magic(unsafe { facts.assume_init() }.f_type))
    }

    /// That of an open file.
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
        const TRACEFS: u32 = libc::TRACEFS_MAGIC as u32;
        const CGROUP2: u32 = libc::CGROUP2_SUPER_MAGIC as u32;
        match magic.into() as u32 {
            BPF => Self::Bpf,
            SYSFS => Self::Sysfs,
            TRACEFS => Self::Tracefs,
            CGROUP2 => Self::Cgroup2,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn sysfs_is_told_from_the_rest() {
        assert_eq!(FileSystem::of_path(c"/sys"), Ok(FileSystem::Sysfs));
        assert_eq!(FileSystem::of_path(c"/proc"), Ok(FileSystem::Other));
        let file = std::fs::File::open("/proc/self/stat").unwrap();
        assert_eq!(FileSystem::of_file(file.as_fd()), Ok(FileSystem::Other));
        assert_eq!(FileSystem::of_path(c"/no/such/file"), Err(Errno::ENOENT));
    }
}
