//! Waiting in a task of tokio instead of in a thread.

use super::{Batch, PerfBatch, PerfBuffer, Poller, RingBuffer};
use crate::sys::readiness::Readiness;
use crate::{Errno, Error, ErrorKind, Result};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::runtime::Handle;

/// A reader whose `wait` is a future. With feature `tokio`.
///
/// Waiting has no timeout of its own: `tokio::time::timeout` gives one, and `select!` waits for something else, too. A wait that
/// is dropped has taken nothing.
///
/// ```no_run
/// use rawbpf::map::Map;
/// use rawbpf::ring::{Async, RingBuffer};
///
/// async fn print(events: &Map) -> rawbpf::Result<()> {
///     let mut ring = Async::new(RingBuffer::new(events)?)?;
///     loop {
///         for record in &ring.wait().await? {
///             println!("{} bytes", record?.bytes().len());
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Async<R> {
    readiness: Readiness,
    reader: R,
}

impl<R: AsFd> Async<R> {
    /// Registers a reader with the runtime that this is called in.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] outside of a runtime.
    ///
    /// # Panics
    ///
    /// As all of tokio's input and output, in a runtime that was built without `enable_io`.
    pub fn new(reader: R) -> Result<Self> {
        if Handle::try_current().is_err() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "there is no tokio runtime to wait in",
            )
            .with_hint("call it in a task, or where `Runtime::enter` is in force"));
        }
        let readiness = Readiness::of(reader.as_fd());
        let readiness =
            readiness.map_err(|error| failed(&error, "cannot register a reader with tokio"))?;
        Ok(Self { readiness, reader })
    }
}

impl<R> Async<R> {
    /// The reader, to ask it something.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The reader, to read without waiting.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The reader, which no task waits for any more.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// Waits until a look at the reader finds something.
    ///
    /// tokio hears of wake-ups, and remembers the last until it is told to forget it. It is told only after a look that found
    /// nothing, and forgets none that came since this began: a record that the look missed wakes us again.
    async fn wait_until(&mut self, mut look: impl FnMut(&mut R) -> bool) -> Result<()> {
        loop {
            let mut ready = self.readiness.ready().await.map_err(cannot_wait)?;
            if look(&mut self.reader) {
                return Ok(());
            }
            ready.clear_ready();
        }
    }
}

impl Async<RingBuffer> {
    /// Waits until there is a record, and lends those that are there, as [`RingBuffer::wait`] does.
    ///
    /// What programs submit with `BPF_RB_NO_WAKEUP` is seen together with the next record that wakes.
    pub async fn wait(&mut self) -> Result<Batch<'_>> {
        self.wait_until(|ring| !ring.poll().is_empty()).await?;
        Ok(self.get_mut().poll())
    }
}

impl Async<PerfBuffer> {
    /// Waits until a CPU wakes us, and lends what all of them have written, as [`PerfBuffer::wait`] does.
    ///
    /// What is too little to be woken for stays in the buffer: [`PerfBuffer::poll`] lends it.
    pub async fn wait(&mut self) -> Result<PerfBatch<'_>> {
        self.wait_until(|perf| !perf.poll().is_empty()).await?;
        Ok(self.get_mut().poll())
    }
}

impl Async<Poller> {
    /// Waits until a reader may have something to read: then read all of them until their batches are empty.
    ///
    /// It is not said which: the kernel tells once that a perf buffer has something, and has told tokio.
    pub async fn wait(&mut self) -> Result<()> {
        let mut ready = self.readiness.ready().await.map_err(cannot_wait)?;
        // Where a ring still has something, the next wait is to end at once.
        if self.reader.wait(Some(Duration::ZERO))?.is_empty() {
            ready.clear_ready();
        }
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn cannot_wait(error: io::Error) -> Error {
    failed(&error, "cannot wait for events")
}

fn failed(error: &io::Error, what: &str) -> Error {
    match error.raw_os_error() {
        Some(errno) => Error::from_errno(Errno(errno), what),
        None => Error::new(ErrorKind::Io, format!("{what}: {error}")),
    }
}
