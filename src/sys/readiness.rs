#![allow(unsafe_code)]
//! A descriptor that a tokio runtime watches.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// Tells when a descriptor becomes readable, through a duplicate of its own.
#[derive(Debug)]
pub struct Readiness(AsyncFd<OwnedFd>);

impl Readiness {
    /// Registers a descriptor with the current runtime.
    ///
    /// # Panics
    ///
    /// Outside a runtime, and in one without I/O enabled.
    pub fn of(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let owned = fd.try_clone_to_owned()?;
        // SAFETY: the descriptor is owned, so it is open and stays the same as long as its owner lives. The owner is the
        // value made here, which is private and lends no `&mut`.
        let watched = unsafe { AsyncFd::register_with_interest(owned, Interest::READABLE) };
        Ok(Self(watched?))
    }

    /// Waits until the descriptor has become readable since readiness was last cleared through a guard.
    pub async fn ready(&self) -> io::Result<AsyncFdReadyGuard<'_, OwnedFd>> {
        self.0.readable().await
    }
}
