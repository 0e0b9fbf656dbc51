#![allow(unsafe_code)]
//! A descriptor that a runtime of tokio watches.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// Tells when a descriptor becomes readable, through a duplicate of its own.
#[derive(Debug)]
pub struct Readiness(AsyncFd<OwnedFd>);

impl Readiness {
    /// Has the runtime that this is called in watch a descriptor.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, and in one without input and output.
    pub fn of(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let owned = fd.try_clone_to_owned()?;
        // SAFETY: the descriptor is owned: it is open, and stays the same as long as its owner lives. That is the value made
        // here, which is private and lends no `&mut`.
        let watched = unsafe { AsyncFd::register_with_interest(owned, Interest::READABLE) };
        Ok(Self(watched?))
    }

    /// Waits until the descriptor has become readable since the last guard was told to forget it.
    pub async fn ready(&self) -> io::Result<AsyncFdReadyGuard<'_, OwnedFd>> {
        self.0.readable().await
    }
}
