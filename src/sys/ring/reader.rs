//! The consumer's side of a ring buffer: which words are loaded and stored, and when.
//!
//! ```text
//!   program (any CPU)                            reader
//!   -----------------                            ------
//!   header  := length | BUSY
//!   producer := producer + step   (release)  ->  producer  (acquire)
//!   ... writes the record ...
//!   header  := length             (exchange) ->  header    (acquire), then the record may be read
//!   producer's room check         (acquire)  <-  consumer := position  (release)
//!   if consumer is here: wake                    full fence, then header and producer are looked at again
//! ```

use super::damage::RingDamage;
use super::memory::{Memory, Word};
use super::walk::{Found, Walk};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// How far a ring buffer has been read.
#[derive(Debug)]
pub(super) struct Reader {
    /// The consumer's position. Nobody else writes it, so it need not be loaded again.
    published: usize,
    /// Where the batch begins.
    start: usize,
    /// The producer's position when the batch began.
    producer: usize,
    /// How far records have been taken. What is lent borrows the mapping; only this moves while it is alive.
    ///
    /// An atomic, so that a batch can be read in any thread; but it is loaded and stored in two steps, which costs no more than a
    /// plain number. If two threads take records of one batch at the same time, the one that is behind may therefore move this
    /// back, to a record that was taken, which then comes again. Nothing is skipped, and what is lent stays as it is.
    taken: AtomicUsize,
    /// Bytes in the ring, a power of two.
    size: usize,
    patience: Patience,
}

/// How long a batch waits for more at the end of what was there, if that was something.
///
/// A program whose record is the first unread one wakes the reader, which costs it as much as tens of records; while a batch goes
/// on, it wakes nobody. Looking all the time would cost it, too: both CPUs would fight for the same memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often to look again.
    pub(super) looks: u32,
    /// How many moments to let pass before each look.
    pub(super) pauses: u32,
}

impl Patience {
    /// The batch ends with what was there when it began.
    pub const NONE: Self = Self {
        looks: 0,
        pauses: 0,
    };
    /// About a microsecond in all, in which a program writes some records.
    pub const SHORT: Self = Self {
        looks: 2,
        pauses: 16,
    };
}

/// Which part of a ring is lent at a time, as a shift of its size. Programs can write to the rest in the meantime.
const PORTION: u32 = 2;

impl Reader {
    /// Continues where the last reader of a ring of `size` bytes, a power of two, stopped. Batches end with what is there.
    pub(super) fn new(memory: &impl Memory<usize>, size: usize) -> Self {
        let position = memory.load(Word::Consumer, Acquire);
        Self {
            published: position,
            start: position,
            producer: position,
            taken: AtomicUsize::new(position),
            size,
            patience: Patience::NONE,
        }
    }

    /// The size of the ring in bytes, including headers.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The distance in bytes between the published positions, including headers, padding and busy records.
    pub(super) fn unread(memory: &impl Memory<usize>) -> usize {
        let producer = memory.load(Word::Producer, Acquire);
        producer.wrapping_sub(memory.load(Word::Consumer, Acquire))
    }

    /// How long this batch and those to come wait for more.
    pub(super) fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// Whether all has been taken that a batch may lend.
    pub(super) fn took_portion(&self) -> bool {
        self.is_portion(&self.walk())
    }

    /// How many records (or damage) there are to lend, counted up to `most`.
    pub(super) fn count(&self, memory: &impl Memory<usize>, most: usize) -> usize {
        let mut walk = self.walk();
        let mut count = 0;
        while count < most && !self.is_portion(&walk) {
            match walk.find(|offset| header(memory, offset)) {
                Ok(Some(found)) if !self.is_portion(&walk) => walk.position = found.next,
                Ok(_) => break,
                Err(_) => return count + 1,
            }
            count += 1;
        }
        count
    }

    /// Looks how far the producer has come, and begins a new batch. Records that were taken but not published come again.
    pub(super) fn begin(&mut self, memory: &impl Memory<usize>) {
        *self.taken.get_mut() = self.published;
        self.producer = memory.load(Word::Producer, Acquire);
        let mut walk = self.walk();
        // Skips discarded records: there may be more than a portion of them. Damage is found again when records are taken.
        let _ = walk.find(|offset| header(memory, offset));
        self.start = walk.position;
        *self.taken.get_mut() = walk.position;
    }

    /// Whether [`Reader::seek`] would find a record or damage.
    pub(super) fn is_ready(&self, memory: &impl Memory<usize>) -> bool {
        self.count(memory, 1) > 0
    }

    /// A walk that starts at the first record that has not been taken.
    #[inline]
    pub(super) fn walk(&self) -> Walk {
        Walk {
            position: self.taken.load(Relaxed),
            producer: self.producer,
            size: self.size,
        }
    }

    /// Takes the record at the position of a walk; if this is `None`, call [`Reader::seek`].
    #[inline]
    pub(super) fn take(&self, walk: &mut Walk, memory: &impl Memory<usize>) -> Option<Found> {
        if self.is_portion(walk) {
            return None;
        }
        let found = walk.next(|offset| header(memory, offset))?;
        walk.position = found.next;
        self.note_taken(walk);
        Some(found)
    }

    /// Moves on to the next record. False at the end, in front of a record that a program is still writing, and once a portion
    /// of the ring was taken.
    pub(super) fn seek(
        &self,
        walk: &mut Walk,
        memory: &impl Memory<usize>,
    ) -> Result<bool, RingDamage> {
        if self.is_portion(walk) {
            return Ok(false);
        }
        let mut found = walk.find(|offset| header(memory, offset))?;
        let is_at_work = walk.position != self.start;
        let mut looks = if is_at_work { self.patience.looks } else { 0 };
        while found.is_none() && looks > 0 {
            looks -= 1;
            (0..self.patience.pauses).for_each(|_| memory.pause());
            walk.producer = memory.load(Word::Producer, Acquire);
            found = walk.find(|offset| header(memory, offset))?;
        }
        self.note_taken(walk);
        // Discarded records count as taken, and may have used up the portion.
        Ok(found.is_some() && !self.is_portion(walk))
    }

    #[inline]
    fn is_portion(&self, walk: &Walk) -> bool {
        walk.position.wrapping_sub(self.start) >= self.size >> PORTION
    }

    /// Records that everything in front of a walk has been taken; another walk may be ahead.
    #[inline]
    fn note_taken(&self, walk: &Walk) {
        let taken = |position: usize| position.wrapping_sub(self.start);
        if taken(walk.position) > taken(self.taken.load(Relaxed)) {
            self.taken.store(walk.position, Relaxed);
        }
    }

    /// Tells the kernel that everything taken so far may be overwritten. Returns whether that changed anything.
    pub(super) fn publish(&mut self, memory: &impl Memory<usize>) -> bool {
        let position = *self.taken.get_mut();
        if position == self.published {
            return false;
        }
        self.published = position;
        memory.store(Word::Consumer, position, Release);
        // A program that commits a record wakes us only if it sees that we have read everything before it. Loads that look for
        // more records must not be reordered before this store, which release and acquire alone would allow.
        memory.fence(SeqCst);
        true
    }
}

/// The header of the record that begins at `offset` of the data; all ones if it does not fit 32 bits.
#[inline]
fn header(memory: &impl Memory<usize>, offset: usize) -> u32 {
    u32::try_from(memory.load(Word::Header(offset), Acquire)).unwrap_or(u32::MAX)
}
