#![allow(unsafe_code)]
//! Descriptors: owned from the start, close-on-exec, never 0 to 2.
//!
//! A process may have closed its standard streams: the next `println!` would write to a map that landed on 1. And in most
//! attribute fields, the kernel takes a zero for "no descriptor".

use super::errno;
use crate::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

const FIRST_FREE: RawFd = 3;

/// Takes ownership of a descriptor that a system call returned, and moves it clear of the standard streams.
///
/// # Safety
///
/// `raw` was returned by a system call that made a new descriptor, and nothing else owns it.
pub(super) unsafe fn adopt(raw: libc::c_long) -> Result<OwnedFd, Errno> {
    let raw = RawFd::try_from(raw).map_err(|_| Errno::EBADF)?;
    // SAFETY: the caller vouches that the descriptor is new and unowned.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    keep_clear_of_standard_streams(fd)
}

/// The same open file at a number of at least 3, close-on-exec; `fd` itself if its number will do.
#[doc(alias = "ensure_good_fd")]
pub fn keep_clear_of_standard_streams(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    if fd.as_raw_fd() >= FIRST_FREE {
        return Ok(fd);
    }
    // SAFETY: F_DUPFD_CLOEXEC takes a number and touches no memory.
    let raw = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, FIRST_FREE) };
    let raw = errno::check(raw.into())?;
    let raw = RawFd::try_from(raw).map_err(|_| Errno::EBADF)?;
    // SAFETY: fcntl has just made this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// A duplicate, close-on-exec, that is closed independently.
pub fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    fd.try_clone_to_owned()
        .map_err(|error| errno::from_io(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn a_duplicate_outlives_the_descriptor_that_it_was_made_of() {
        let file = OwnedFd::from(File::open("/dev/null").unwrap());
        let other = duplicate(file.as_fd()).unwrap();
        assert_ne!(other.as_raw_fd(), file.as_raw_fd());
        drop(file);
        let kept = File::from(other).metadata().unwrap();
        assert_eq!(kept.rdev(), fs::metadata("/dev/null").unwrap().rdev());
    }

    #[test]
    fn duplicates_are_closed_on_exec_and_clear_of_the_standard_streams() {
        let file = OwnedFd::from(File::open("/dev/null").unwrap());
        let other = duplicate(file.as_fd()).unwrap();
        assert!(other.as_raw_fd() >= FIRST_FREE);
        // SAFETY: F_GETFD touches no memory.
        let flags = unsafe { libc::fcntl(other.as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }

    #[test]
    fn ordinary_descriptors_stay_as_they_are() {
        let file = OwnedFd::from(File::open("/dev/null").unwrap());
        let number = file.as_raw_fd();
        let kept = keep_clear_of_standard_streams(file).unwrap();
        assert_eq!(kept.as_raw_fd(), number);
    }

    #[test]
    fn standard_numbers_are_left() {
        const DONE: i32 = 42;
        // A child, so that no other test's standard input is taken away: it closes 0, opens a file (which lands on 0)
        // and moves it.
        if std::env::var_os("RAWBPF_FD_CHILD").is_some() {
            // SAFETY: this process runs this one test; nothing in it owns standard input.
            drop(unsafe { OwnedFd::from_raw_fd(0) });
            let file = OwnedFd::from(File::open("/dev/null").unwrap());
            assert_eq!(file.as_raw_fd(), 0);
            let moved = keep_clear_of_standard_streams(file).unwrap();
            assert!(moved.as_raw_fd() >= FIRST_FREE);
            // SAFETY: F_GETFD touches no memory.
            let flags = unsafe { libc::fcntl(moved.as_raw_fd(), libc::F_GETFD) };
            assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
            std::process::exit(DONE);
        }
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sys::fd::tests::standard_numbers_are_left"])
            .args(["--test-threads", "1"])
            .env("RAWBPF_FD_CHILD", "1")
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(DONE));
    }
}
