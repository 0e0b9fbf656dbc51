//! A perf buffer whose samples are all of one type.

use super::event::PlainEvent;
use super::perf::{PerfBatch, PerfBuffer, PerfBufferBuilder, PerfRecord, PerfRecords};
use crate::Result;
use crate::map::Map;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// A perf event array, together with the type of what programs send through it: a [`Map`] with [`PerfMap::perf`].
pub struct PerfMap<T> {
    map: Map,
    event: PhantomData<fn() -> T>,
}

impl<T> PerfMap<T> {
    /// Says what is sent through a map. The type is checked sample by sample.
    pub fn new(map: Map) -> Self {
        Self {
            map,
            event: PhantomData,
        }
    }

    /// A reader for all CPUs, see [`PerfBuffer::new`].
    pub fn perf(&self) -> Result<TypedPerf<T>>
    where
        T: PlainEvent,
    {
        self.perf_with(|options| options)
    }

    /// A reader with other options: `perf_with(|options| options.pages(8))`.
    pub fn perf_with(
        &self,
        set: impl FnOnce(PerfBufferBuilder<'_>) -> PerfBufferBuilder<'_>,
    ) -> Result<TypedPerf<T>>
    where
        T: PlainEvent,
    {
        set(PerfBuffer::builder(&self.map))
            .build()
            .map(TypedPerf::from)
    }
}

impl<T> From<Map> for PerfMap<T> {
    fn from(map: Map) -> Self {
        Self::new(map)
    }
}

impl<T> Clone for PerfMap<T> {
    fn clone(&self) -> Self {
        Self::new(self.map.clone())
    }
}

impl<T> Deref for PerfMap<T> {
    type Target = Map;

    fn deref(&self) -> &Map {
        &self.map
    }
}

impl<T> fmt::Debug for PerfMap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PerfMap").field(&self.map).finish()
    }
}

/// Reads the samples of a perf buffer as values of one type; otherwise a [`PerfBuffer`].
pub struct TypedPerf<T> {
    perf: PerfBuffer,
    event: PhantomData<fn() -> T>,
}

impl<T> From<PerfBuffer> for TypedPerf<T> {
    fn from(perf: PerfBuffer) -> Self {
        Self {
            perf,
            event: PhantomData,
        }
    }
}

impl<T: PlainEvent> TypedPerf<T> {
    /// Waits until a CPU wakes the reader, and lends what all CPUs have written, as [`PerfBuffer::wait`] does.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<TypedPerfBatch<'_, T>> {
        self.perf.wait(timeout).map(TypedPerfBatch::from)
    }

    /// Lends what is there now, as [`PerfBuffer::poll`] does.
    pub fn poll(&mut self) -> TypedPerfBatch<'_, T> {
        self.perf.poll().into()
    }
}

impl<T> TypedPerf<T> {
    /// How many events were lost for lack of room, see [`PerfBuffer::lost`].
    pub fn lost(&self) -> u64 {
        self.perf.lost()
    }

    /// The reader of bytes.
    pub fn into_inner(self) -> PerfBuffer {
        self.perf
    }
}

impl<T> AsFd for TypedPerf<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.perf.as_fd()
    }
}

impl<T> fmt::Debug for TypedPerf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedPerf").field(&self.perf).finish()
    }
}

/// Samples that are ready. Returned by [`TypedPerf::wait`] and [`TypedPerf::poll`]; see [`PerfBatch`].
pub struct TypedPerfBatch<'a, T> {
    batch: PerfBatch<'a>,
    event: PhantomData<fn() -> T>,
}

impl<'a, T> From<PerfBatch<'a>> for TypedPerfBatch<'a, T> {
    fn from(batch: PerfBatch<'a>) -> Self {
        Self {
            batch,
            event: PhantomData,
        }
    }
}

impl<T: PlainEvent> TypedPerfBatch<'_, T> {
    /// What has not been taken yet.
    pub fn iter(&self) -> TypedSamples<'_, T> {
        TypedSamples {
            records: self.batch.iter(),
            event: PhantomData,
        }
    }

    /// Whether nothing is left to take from this batch.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }
}

impl<T> fmt::Debug for TypedPerfBatch<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedPerfBatch").field(&self.batch).finish()
    }
}

impl<'b, T: PlainEvent> IntoIterator for &'b TypedPerfBatch<'_, T> {
    type Item = Result<TypedSample<T>>;
    type IntoIter = TypedSamples<'b, T>;

    fn into_iter(self) -> TypedSamples<'b, T> {
        self.iter()
    }
}

/// What a perf buffer holds, with the samples as values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypedSample<T> {
    /// What a program sent.
    Event {
        /// Which CPU wrote it.
        cpu: u32,
        /// What it sent: a copy, since the buffer does not align it.
        event: T,
    },
    /// Events are missing here, because there was no room.
    Lost {
        /// Whose buffer was full.
        cpu: u32,
        /// How many.
        count: u64,
    },
}

/// An iterator over the samples of a batch. Returned by [`TypedPerfBatch::iter`].
///
/// A sample that is no event of the type is an error, and does not end the iteration.
pub struct TypedSamples<'b, T> {
    records: PerfRecords<'b>,
    event: PhantomData<fn() -> T>,
}

impl<T: PlainEvent> Iterator for TypedSamples<'_, T> {
    type Item = Result<TypedSample<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.records.next()? {
            Ok(record) => record,
            Err(error) => return Some(Err(error)),
        };
        Some(match record {
            PerfRecord::Sample(sample) => sample.read().map(|event| TypedSample::Event {
                cpu: sample.cpu(),
                event,
            }),
            PerfRecord::Lost { cpu, count } => Ok(TypedSample::Lost { cpu, count }),
        })
    }
}

impl<T> fmt::Debug for TypedSamples<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedSamples").field(&self.records).finish()
    }
}
