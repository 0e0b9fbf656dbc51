//! One consumer over one or several ring buffers.

use super::pace::{Found, MANY, Naps, Slept};
use super::typed;
use super::wait::{First, new_epoll, wait_until, watch};
use crate::map::Map;
use crate::sys::epoll::Epoll;
use crate::sys::ring::{Patience, RingCursor, RingDamage, RingMapping};
use crate::{Errno, Error, ErrorKind, MapType, Result};
use std::fmt;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use zerocopy::{Immutable, KnownLayout, TryFromBytes};

/// Reads the records that programs put into ring buffers. Since Linux 5.8.
///
/// Its descriptor ([`AsFd`]) is readable when there are records. In an event loop, call [`RingBuffer::poll`] then, until a
/// batch is empty; otherwise call [`RingBuffer::wait`].
///
/// A ring buffer has one reader. This is checked within a process; do not read one from two processes either.
#[derive(Debug)]
#[doc(alias = "ring_buffer")]
pub struct RingBuffer {
    epoll: Epoll,
    rings: Vec<Ring>,
    naps: Naps,
}

#[derive(Debug)]
struct Ring {
    name: String,
    memory: RingMapping,
}

impl AsFd for RingBuffer {
    #[doc(alias = "ring_buffer__epoll_fd")]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl RingBuffer {
    /// A reader for one map.
    #[doc(alias = "ring_buffer__new")]
    pub fn new(map: &Map) -> Result<Self> {
        let mut reader = Self {
            epoll: new_epoll()?,
            rings: Vec::new(),
            naps: Naps::default(),
        };
        reader.add(map)?;
        Ok(reader)
    }

    /// Adds another map, whose records have the next number as their [`Record::ring`].
    #[doc(alias = "ring_buffer__add")]
    pub fn add(&mut self, map: &Map) -> Result<()> {
        let memory = RingMapping::open(map.raw()).map_err(|errno| explain_open(map, errno))?;
        watch(&self.epoll, map.as_fd(), self.rings.len() as u64)
            .map_err(|error| map.blame(error))?;
        self.rings.push(Ring {
            name: map.name().to_owned(),
            memory,
        });
        Ok(())
    }

    /// Waits until there is a record, and lends those that are there (see [`Batch`]). The batch is empty after `timeout`, or
    /// when a signal arrives.
    ///
    /// While programs write many records, waking the reader again and again would cost both sides more than the records do. The
    /// reader then sleeps for a fixed time, 64 microseconds at most, before it looks: less where the ring would be half full
    /// by then. It goes back to being woken as soon as fewer than eight records come in that time.
    #[doc(alias = "ring_buffer__poll")]
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Batch<'_>> {
        let took_portion = self.took_portion();
        let slept = self.nap(timeout);
        let rings = &mut self.rings;
        match slept {
            Slept::Interrupted => drop(look(rings)),
            Slept::For(nap) => {
                let left = timeout.map(|timeout| timeout.saturating_sub(nap));
                wait_until(&self.epoll, left, First::Look, || look(rings))?;
            }
        }
        self.naps.note(found(rings, took_portion));
        let patience = self.naps.patience();
        Ok(self.batch(patience))
    }

    /// Lends the records that are there now (see [`Batch`]).
    #[doc(alias = "ring_buffer__consume")]
    pub fn poll(&mut self) -> Batch<'_> {
        let took_portion = self.took_portion();
        look(&mut self.rings);
        let found = found(&self.rings, took_portion);
        self.batch(found.patience())
    }

    fn batch(&mut self, patience: Patience) -> Batch<'_> {
        for ring in &mut self.rings {
            ring.memory.set_patience(patience);
        }
        Batch {
            rings: &mut self.rings,
        }
    }

    fn took_portion(&self) -> bool {
        self.rings.iter().any(|ring| ring.memory.took_portion())
    }

    /// Lets records gather, if programs write so many that it pays; not if there are some that the last batch lent in vain.
    fn nap(&mut self, timeout: Option<Duration>) -> Slept {
        let rings = &self.rings;
        self.naps.take(timeout, || {
            let all_taken = !rings.iter().any(|ring| ring.memory.is_ready());
            all_taken && eighths(rings) == 0
        })
    }

    /// How many maps are read.
    pub fn len(&self) -> usize {
        self.rings.len()
    }

    /// Whether no map is read.
    pub fn is_empty(&self) -> bool {
        self.rings.is_empty()
    }

    /// The size of a ring in bytes, and how many bytes are not yet read.
    #[doc(alias = "ring__size")]
    #[doc(alias = "ring__avail_data_size")]
    pub fn fill(&self, ring: usize) -> Option<(usize, usize)> {
        let memory = &self.rings.get(ring)?.memory;
        Some((memory.size(), memory.unread()))
    }
}

/// Updates every ring, and returns whether any has a record (or damage to report).
fn look(rings: &mut [Ring]) -> bool {
    let mut ready = false;
    for ring in rings {
        loop {
            ring.memory.begin();
            if ring.memory.is_ready() {
                ready = true;
                break;
            }
            // Discarded records take up room and keep programs from waking the reader.
            if !ring.memory.publish() {
                break;
            }
        }
    }
    ready
}

/// What the rings hold after a look.
fn found(rings: &[Ring], took_portion: bool) -> Found {
    let count = |most, ring: &Ring| most - ring.memory.count(most);
    let is_many = || rings.iter().fold(MANY, count) == 0;
    Found {
        is_many: took_portion || is_many(),
        eighths: eighths(rings),
    }
}

/// How full the fullest ring is.
fn eighths(rings: &[Ring]) -> usize {
    let of = |ring: &Ring| ring.memory.unread() / (ring.memory.size() / 8).max(1);
    rings.iter().map(of).max().unwrap_or(0)
}

fn explain_open(map: &Map, errno: Errno) -> Error {
    let error = map.fail(errno, "cannot read the map as a ring buffer");
    match errno {
        Errno::EINVAL if map.kind() != MapType::RINGBUF => error
            .with_kind(ErrorKind::InvalidArgument)
            .with_hint(format!("its type is {}, not ringbuf", map.kind())),
        Errno::EBUSY => error.with_hint("this process reads it already: a ring has one reader"),
        Errno::EOPNOTSUPP => error.with_hint(
            "it was created with BPF_F_RB_OVERWRITE: records vanish while they are being read",
        ),
        Errno::EPERM | Errno::EACCES => error.with_hint("the map was opened without write access"),
        _ => error,
    }
}

/// Records that are ready. Returned by [`RingBuffer::wait`] and [`RingBuffer::poll`].
///
/// While programs are writing at full speed, a batch may go on with what they write while it is read. It ends when they pause
/// (within a microsecond of the last record), or when a quarter of the ring has been taken, so that they have room to write to;
/// the next one, for which nobody waits, goes on where it ended. Taking batches until one is empty reads all there is.
///
/// When the batch is dropped, programs get back the room of the records that were taken from it. The others come again with
/// the next batch.
///
/// Batches and records can be sent to other threads, so a task can hold them while it waits for something else. If several
/// threads take records of one batch at the same time, each sees everything that its iterator passes, and some records may come
/// again.
#[derive(Debug)]
pub struct Batch<'a> {
    rings: &'a mut [Ring],
}

impl Batch<'_> {
    /// The records that have not been taken yet: ring by ring, in the order in which they were reserved. Two iterators do not
    /// take records away from each other.
    pub fn iter(&self) -> Records<'_> {
        Records {
            rings: self.rings,
            place: Place::start_of(self.rings, 0),
        }
    }

    /// Whether nothing is left to take from this batch.
    pub fn is_empty(&self) -> bool {
        !self.rings.iter().any(|ring| ring.memory.is_ready())
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for ring in &mut *self.rings {
            ring.memory.publish();
        }
    }
}

impl<'b> IntoIterator for &'b Batch<'_> {
    type Item = Result<Record<'b>>;
    type IntoIter = Records<'b>;

    fn into_iter(self) -> Records<'b> {
        self.iter()
    }
}

/// An iterator over the records of a batch. Returned by [`Batch::iter`].
#[derive(Debug)]
pub struct Records<'b> {
    rings: &'b [Ring],
    place: Option<Place<'b>>,
}

/// A place in a ring of several.
#[derive(Debug, Clone, Copy)]
struct Place<'b> {
    ring: usize,
    cursor: RingCursor<'b>,
}

impl<'b> Place<'b> {
    fn start_of(rings: &'b [Ring], ring: usize) -> Option<Self> {
        let cursor = rings.get(ring)?.memory.cursor();
        Some(Self { ring, cursor })
    }

    /// The place of the next record, which may be in the next ring; the rest of a damaged ring is skipped. `None` at the end.
    ///
    /// By value, so that the loop over records that are simply there keeps its place in registers.
    #[cold]
    fn seek(mut self, rings: &'b [Ring]) -> (Option<Self>, Option<Error>) {
        loop {
            let found = self.cursor.seek();
            if found == Ok(true) {
                return (Some(self), None);
            }
            let error = match (found, rings.get(self.ring)) {
                (Err(damage), Some(ring)) => Some(corrupt(ring, damage)),
                _ => None,
            };
            match Self::start_of(rings, self.ring + 1) {
                Some(next) if error.is_none() => self = next,
                next => return (next, error),
            }
        }
    }
}

impl<'b> Iterator for Records<'b> {
    type Item = Result<Record<'b>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut place = self.place?;
            if let Some(bytes) = place.cursor.take() {
                self.place = Some(place);
                let ring = place.ring;
                return Some(Ok(Record { bytes, ring }));
            }
            let (place, error) = place.seek(self.rings);
            self.place = place;
            if let Some(error) = error {
                return Some(Err(error));
            }
        }
    }
}

#[cold]
fn corrupt(ring: &Ring, damage: RingDamage) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!("the ring buffer cannot be read any further: {damage}"),
    )
    .context(format!("map `{}`", ring.name))
    .with_hint("does another process read this ring buffer, too?")
}

/// One record, borrowed from the ring.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'b> {
    bytes: &'b [u8],
    ring: usize,
}

impl<'b> Record<'b> {
    /// What the program wrote.
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// What the program wrote, as a value in place.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the record does not have exactly the size of `T`, or if the alignment of `T` is more
    /// than 8; [`ErrorKind::Corrupt`] if its bytes are not a valid value of `T` (such as 2 for a `bool`). For records of varying
    /// length see [`Record::bytes`].
    pub fn view<T: TryFromBytes + KnownLayout + Immutable>(&self) -> Result<&'b T> {
        typed::view(self.bytes).map_err(|e| self.blame(e))
    }

    /// A copy of what the program wrote, which outlives the batch. The errors are those of [`Record::view`], except that any
    /// alignment is allowed.
    pub fn read<T: TryFromBytes>(&self) -> Result<T> {
        typed::read(self.bytes, 0).map_err(|e| self.blame(e))
    }

    #[cold]
    fn blame(&self, error: Error) -> Error {
        error.context(format!("record of ring {}", self.ring))
    }

    /// Which ring it came from: 0 for the first map, and so on.
    pub fn ring(&self) -> usize {
        self.ring
    }
}

impl Deref for Record<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("ring", &self.ring)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
