//! Waiting in a tokio task instead of a thread.

use super::{
    Batch, Event, PerfBatch, PerfBuffer, PlainEvent, Poller, RingBuffer, TypedBatch, TypedPerf,
    TypedPerfBatch, TypedRing,
};
use crate::sys::readiness::Readiness;
use crate::{Errno, Error, ErrorKind, Result};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::runtime::Handle;

/// A reader whose `wait` is a future. Requires the feature `tokio`.
///
/// Waiting has no timeout of its own: use `tokio::time::timeout`, or `select!` to wait for something else as well. Dropping a
/// pending wait loses no records.
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
    /// Registers a reader with the current runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] outside of a runtime.
    ///
    /// # Panics
    ///
    /// In a runtime that was built without `enable_io`, like all of tokio's I/O.
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
    /// A reference to the reader.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// A mutable reference to the reader, to read without waiting.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Returns the reader, and stops waiting for it.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// Waits until a look at the reader finds something.
    ///
    /// tokio remembers that the descriptor was ready until told to clear it. It is told only after a look that found nothing, and
    /// does not clear a wake-up that came since: a record that the look missed wakes the task again.
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
    /// Records submitted with `BPF_RB_NO_WAKEUP` are seen together with the next record that wakes the reader.
    pub async fn wait(&mut self) -> Result<Batch<'_>> {
        self.wait_until(|ring| !ring.poll().is_empty()).await?;
        Ok(self.get_mut().poll())
    }
}

impl<T: Event + ?Sized> Async<TypedRing<T>> {
    /// Waits until there is an event, and lends those that are there, as [`TypedRing::wait`] does.
    pub async fn wait(&mut self) -> Result<TypedBatch<'_, T>> {
        self.wait_until(|ring| !ring.poll().is_empty()).await?;
        Ok(self.get_mut().poll())
    }
}

impl<T: PlainEvent> Async<TypedPerf<T>> {
    /// Waits until a CPU wakes the reader, and lends what all CPUs have written, as [`TypedPerf::wait`] does.
    pub async fn wait(&mut self) -> Result<TypedPerfBatch<'_, T>> {
        self.wait_until(|perf| !perf.poll().is_empty()).await?;
        Ok(self.get_mut().poll())
    }
}

impl Async<PerfBuffer> {
    /// Waits until a CPU wakes the reader, and lends what all CPUs have written, as [`PerfBuffer::wait`] does.
    ///
    /// What is too little for a wake-up stays in the buffer: [`PerfBuffer::poll`] lends it.
    pub async fn wait(&mut self) -> Result<PerfBatch<'_>> {
        self.wait_until(|perf| !perf.poll().is_empty()).await?;
        Ok(self.get_mut().poll())
    }
}

impl Async<Poller> {
    /// Waits until a reader may have something to read: then read all of them until their batches are empty.
    ///
    /// It cannot say which: the kernel reports a perf buffer only once, and has already reported it to tokio.
    pub async fn wait(&mut self) -> Result<()> {
        let mut ready = self.readiness.ready().await.map_err(cannot_wait)?;
        // If a ring still has something, the next wait must return at once.
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
