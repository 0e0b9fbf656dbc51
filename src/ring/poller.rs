//! Waiting for several readers at once.

use super::wait::{new_epoll, watch};
use crate::sys::epoll::Epoll;
use crate::{Error, Result};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Waits for many readers: ring buffers, perf buffers, and whatever else has a descriptor that becomes readable.
///
/// ```no_run
/// # fn main() -> rawbpf::Result<()> {
/// # let (events, errors): (rawbpf::map::Map, rawbpf::map::Map) = todo!();
/// use rawbpf::ring::{PerfBuffer, Poller, RingBuffer};
///
/// let mut ring = RingBuffer::new(&events)?;
/// let mut perf = PerfBuffer::new(&errors)?;
/// let mut poller = Poller::new()?;
/// let (of_ring, of_perf) = (poller.add(&ring)?, poller.add(&perf)?);
/// loop {
///     for token in poller.wait(None)? {
///         if token == of_ring {
///             ring.poll().iter().for_each(|record| println!("{record:?}"));
///         } else if token == of_perf {
///             perf.poll().iter().for_each(|record| println!("{record:?}"));
///         }
///     }
/// }
/// # }
/// ```
///
/// Read a reported reader until its batch is empty: perf buffers are reported only once.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
    added: u64,
}

/// Identifies a reader in its poller. Returned by [`Poller::add`] and [`Poller::wait`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(u64);

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Poller {
    /// A poller that waits for nothing yet.
    pub fn new() -> Result<Self> {
        Ok(Self {
            epoll: new_epoll()?,
            added: 0,
        })
    }

    /// Adds `reader`, until it is dropped.
    ///
    /// # Errors
    ///
    /// `EPERM` for descriptors that never become readable (files), `EEXIST` for one that was added before.
    pub fn add(&mut self, reader: &impl AsFd) -> Result<Token> {
        let token = Token(self.added);
        watch(&self.epoll, reader.as_fd(), token.0)?;
        self.added += 1;
        Ok(token)
    }

    /// Waits until a reader has something to read, and returns which do: none after `timeout`, or if a signal arrived.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Vec<Token>> {
        let tokens = self
            .epoll
            .wait(timeout)
            .map_err(|errno| Error::from_errno(errno, "cannot wait for readers"))?;
        Ok(tokens.into_iter().map(Token).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Errno;
    use std::io::Write;

    #[test]
    fn readers_are_told_apart() {
        let (first, _first_writer) = std::io::pipe().unwrap();
        let (second, mut writer) = std::io::pipe().unwrap();
        let mut poller = Poller::new().unwrap();
        let first = poller.add(&first).unwrap();
        let token = poller.add(&second).unwrap();
        assert_ne!(first, token);
        assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap(), []);
        writer.write_all(b"x").unwrap();
        assert_eq!(poller.wait(None).unwrap(), [token]);
    }

    #[test]
    fn what_cannot_be_waited_for_is_refused() {
        let mut poller = Poller::new().unwrap();
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let error = poller.add(&file).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EPERM));
        let (pipe, _writer) = std::io::pipe().unwrap();
        poller.add(&pipe).unwrap();
        let error = poller.add(&pipe).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EEXIST));
    }
}
