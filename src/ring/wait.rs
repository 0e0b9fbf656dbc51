//! How all readers wait.

use crate::sys::epoll::Epoll;
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// An empty set of descriptors to wait for.
pub(super) fn new_epoll() -> Result<Epoll> {
    Epoll::new().map_err(|errno| Error::from_errno(errno, "cannot make an epoll descriptor"))
}

/// Adds a descriptor to a set, under a token that [`Epoll::wait`] reports.
pub(super) fn watch(epoll: &Epoll, fd: BorrowedFd<'_>, token: u64) -> Result<()> {
    epoll.add(fd, token).map_err(|errno| {
        let error = Error::from_errno(
            errno,
            "the descriptor is of a kind that cannot be waited for, or is waited for already",
        );
        match errno {
            Errno::EPERM | Errno::EEXIST => error.with_kind(ErrorKind::InvalidArgument),
            _ => error,
        }
    })
}

/// Whether a reader looks for records before it waits for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// Records that are there are lent at once.
    Look,
    /// Records that are there were not enough for a wake-up.
    Wait,
}

/// Waits until `look` finds something, for at most `timeout`, or until a signal arrives.
pub(super) fn wait_until(
    epoll: &Epoll,
    timeout: Option<Duration>,
    first: First,
    mut look: impl FnMut() -> bool,
) -> Result<()> {
    if first == First::Look && look() {
        return Ok(());
    }
    // A timeout that a clock cannot represent is no timeout.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let readable = epoll
            .wait(left)
            .map_err(|errno| Error::from_errno(errno, "cannot wait for events"))?;
        if look() || readable.is_empty() || left.is_some_and(|left| left.is_zero()) {
            return Ok(());
        }
        // Readable, but a program is in the middle of writing a record.
        std::thread::yield_now();
    }
}
