//! A ring buffer whose records are all of one type.

use super::buffer::{Batch, Records, RingBuffer};
use super::event::Event;
use crate::map::Map;
use crate::{Error, Result};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// The map of a ring buffer, together with the type of its records: a [`Map`] with [`RingMap::ring`].
pub struct RingMap<T: ?Sized> {
    map: Map,
    event: PhantomData<fn() -> Box<T>>,
}

impl<T: ?Sized> RingMap<T> {
    /// Says what the records of a map are. The type is checked record by record.
    pub fn new(map: Map) -> Self {
        Self {
            map,
            event: PhantomData,
        }
    }

    /// A reader. A ring buffer has one at a time.
    pub fn ring(&self) -> Result<TypedRing<T>>
    where
        T: Event,
    {
        RingBuffer::new(&self.map).map(TypedRing::from)
    }
}

impl<T: ?Sized> From<Map> for RingMap<T> {
    fn from(map: Map) -> Self {
        Self::new(map)
    }
}

impl<T: ?Sized> Clone for RingMap<T> {
    fn clone(&self) -> Self {
        Self::new(self.map.clone())
    }
}

impl<T: ?Sized> Deref for RingMap<T> {
    type Target = Map;

    fn deref(&self) -> &Map {
        &self.map
    }
}

impl<T: ?Sized> fmt::Debug for RingMap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RingMap").field(&self.map).finish()
    }
}

/// Reads the records of a ring buffer as values of one type; otherwise a [`RingBuffer`].
///
/// ```no_run
/// # fn main() -> rawbpf::Result<()> {
/// # let map = rawbpf::map::Map::from_id(1)?;
/// use rawbpf::ring::{RingBuffer, TypedRing};
///
/// let mut numbers = TypedRing::<u64>::from(RingBuffer::new(&map)?);
/// for number in &numbers.wait(None)? {
///     println!("{}", number?);
/// }
/// # Ok(())
/// # }
/// ```
pub struct TypedRing<T: ?Sized> {
    ring: RingBuffer,
    event: PhantomData<fn() -> Box<T>>,
}

impl<T: ?Sized> From<RingBuffer> for TypedRing<T> {
    fn from(ring: RingBuffer) -> Self {
        Self {
            ring,
            event: PhantomData,
        }
    }
}

impl<T: Event + ?Sized> TypedRing<T> {
    /// Waits until there is an event, and lends those that are there, as [`RingBuffer::wait`] does.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<TypedBatch<'_, T>> {
        self.ring.wait(timeout).map(TypedBatch::from)
    }

    /// Lends the events that are there now, as [`RingBuffer::poll`] does.
    pub fn poll(&mut self) -> TypedBatch<'_, T> {
        self.ring.poll().into()
    }
}

impl<T: ?Sized> TypedRing<T> {
    /// The reader of bytes.
    pub fn into_inner(self) -> RingBuffer {
        self.ring
    }
}

impl<T: ?Sized> AsFd for TypedRing<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

impl<T: ?Sized> fmt::Debug for TypedRing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedRing").field(&self.ring).finish()
    }
}

/// Events that are ready. Returned by [`TypedRing::wait`] and [`TypedRing::poll`]; see [`Batch`].
pub struct TypedBatch<'a, T: ?Sized> {
    batch: Batch<'a>,
    event: PhantomData<fn() -> Box<T>>,
}

impl<'a, T: ?Sized> From<Batch<'a>> for TypedBatch<'a, T> {
    fn from(batch: Batch<'a>) -> Self {
        Self {
            batch,
            event: PhantomData,
        }
    }
}

impl<T: Event + ?Sized> TypedBatch<'_, T> {
    /// The events that have not been taken yet.
    pub fn iter(&self) -> TypedRecords<'_, T> {
        TypedRecords {
            records: self.batch.iter(),
            event: PhantomData,
        }
    }

    /// Whether nothing is left to take from this batch.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }
}

impl<T: ?Sized> fmt::Debug for TypedBatch<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedBatch").field(&self.batch).finish()
    }
}

impl<'b, T: Event + ?Sized> IntoIterator for &'b TypedBatch<'_, T> {
    type Item = Result<&'b T>;
    type IntoIter = TypedRecords<'b, T>;

    fn into_iter(self) -> TypedRecords<'b, T> {
        self.iter()
    }
}

/// An iterator over the events of a batch. Returned by [`TypedBatch::iter`].
///
/// A record that is no event of the type is an error, and does not end the iteration.
pub struct TypedRecords<'b, T: ?Sized> {
    records: Records<'b>,
    event: PhantomData<fn() -> Box<T>>,
}

impl<'b, T: Event + ?Sized + 'b> Iterator for TypedRecords<'b, T> {
    type Item = Result<&'b T>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let record = self.records.next()?;
        Some(record.and_then(|record| T::view(record.bytes()).map_err(of_ring)))
    }
}

#[cold]
fn of_ring(error: Error) -> Error {
    error.context("event of a ring buffer")
}

impl<T: ?Sized> fmt::Debug for TypedRecords<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedRecords").field(&self.records).finish()
    }
}
