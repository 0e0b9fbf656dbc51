#![allow(unsafe_code)]
//! Waiting for several descriptors at once.

use super::{errno, fd};
use crate::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A set of descriptors that become readable or writable. It is itself readable when one of them is ready.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Epoll {
    /// An empty set.
    pub fn new() -> Result<Self, Errno> {
        // SAFETY: the call takes a number only.
        let raw = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        let raw = errno::check(raw.into())?;
        // SAFETY: the call returns a new descriptor.
        let fd = unsafe { fd::adopt(raw) }?;
        Ok(Self { fd })
    }

    /// Adds `fd`, to wait until it is readable; [`Epoll::wait`] reports it as `token`.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> Result<(), Errno> {
        self.control(fd, libc::EPOLLIN, token)
    }

    /// Adds `fd`, to wait until it is writable (edge-triggered: every wake-up is reported once).
    pub fn add_writable(&self, fd: BorrowedFd<'_>, token: u64) -> Result<(), Errno> {
        self.control(fd, libc::EPOLLOUT | libc::EPOLLET, token)
    }

    fn control(&self, fd: BorrowedFd<'_>, events: libc::c_int, token: u64) -> Result<(), Errno> {
        let mut event = libc::epoll_event {
            events: events.cast_unsigned(),
            u64: token,
        };
        // SAFETY: `event` is read during the call.
        let result = unsafe {
            libc::epoll_ctl(
                self.fd.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                fd.as_raw_fd(),
                &raw mut event,
            )
        };
        errno::check(result.into()).map(drop)
    }

    /// Waits until a descriptor is ready, and returns the tokens of those that are (at most 64 at a time); none after
    /// `timeout`, and none if a signal arrived.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Vec<u64>, Errno> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
        let room = libc::c_int::try_from(events.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the array is borrowed exclusively, with its true length.
        let result = unsafe {
            libc::epoll_wait(
                self.fd.as_raw_fd(),
                events.as_mut_ptr(),
                room,
                milliseconds(timeout),
            )
        };
        match errno::check(result.into()) {
            Ok(count) => {
                let count = usize::try_from(count).unwrap_or(0);
                Ok(events.iter().take(count).map(|event| event.u64).collect())
            }
            Err(Errno::EINTR) => Ok(Vec::new()),
            Err(errno) => Err(errno),
        }
    }
}

/// Milliseconds, rounded up so that a short timeout does not become zero; -1 waits forever.
fn milliseconds(timeout: Option<Duration>) -> libc::c_int {
    let Some(timeout) = timeout else { return -1 };
    let whole = timeout.as_nanos().div_ceil(1_000_000);
    libc::c_int::try_from(whole).unwrap_or(libc::c_int::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn timeouts_are_rounded_up() {
        assert_eq!(milliseconds(None), -1);
        assert_eq!(milliseconds(Some(Duration::ZERO)), 0);
        assert_eq!(milliseconds(Some(Duration::from_nanos(1))), 1);
        assert_eq!(milliseconds(Some(Duration::MAX)), libc::c_int::MAX);
    }

    #[test]
    fn readable_descriptors_are_reported_by_token() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let epoll = Epoll::new().unwrap();
        epoll.add(reader.as_fd(), 7).unwrap();
        assert!(epoll.wait(Some(Duration::ZERO)).unwrap().is_empty());
        writer.write_all(b"x").unwrap();
        assert_eq!(epoll.wait(None).unwrap(), [7]);
    }
}
