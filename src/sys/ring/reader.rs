//! The consumer's half of a ring buffer: which word is loaded and stored when.
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
use std::cell::Cell;
use std::sync::atomic::Ordering::{Acquire, Release, SeqCst};

/// How far a ring buffer has been read.
#[derive(Debug)]
pub(super) struct Reader {
    /// What is lent borrows the mapping; only this moves while it is alive.
    position: Cell<usize>,
    producer: usize,
    size: usize,
}

impl Reader {
    /// A reader of a ring of `size` bytes, a power of two.
    pub(super) fn new(size: usize) -> Self {
        Self {
            position: Cell::new(0),
            producer: 0,
            size,
        }
    }

    /// Bytes that the ring has room for, headers included.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Bytes between the positions, as published: headers, padding and busy records included.
    pub(super) fn unread(memory: &impl Memory<usize>) -> usize {
        let producer = memory.load(Word::Producer, Acquire);
        producer.wrapping_sub(memory.load(Word::Consumer, Acquire))
    }

    /// Looks how far the producer has come since. Records that were taken and not published come again.
    pub(super) fn begin(&mut self, memory: &impl Memory<usize>) {
        self.position.set(memory.load(Word::Consumer, Acquire));
        self.producer = memory.load(Word::Producer, Acquire);
    }

    /// Whether [`Reader::next`] would find a record or damage. Discarded records are passed.
    pub(super) fn is_ready(&self, memory: &impl Memory<usize>) -> bool {
        let mut walk = self.walk();
        let found = walk.find(|offset| header(memory, offset));
        self.position.set(walk.position);
        !matches!(found, Ok(None))
    }

    /// Takes the next record; `None` at the end, and in front of one that a program is still writing.
    #[inline]
    pub(super) fn next(&self, memory: &impl Memory<usize>) -> Result<Option<Found>, RingDamage> {
        let mut walk = self.walk();
        let found = walk.find(|offset| header(memory, offset));
        let taken = match found {
            Ok(Some(found)) => found.next,
            _ => walk.position,
        };
        self.position.set(taken);
        found
    }

    fn walk(&self) -> Walk {
        Walk {
            position: self.position.get(),
            producer: self.producer,
            size: self.size,
        }
    }

    /// Tells the kernel that everything taken so far may be overwritten.
    pub(super) fn publish(&mut self, memory: &impl Memory<usize>) {
        let position = self.position.get();
        if position == memory.load(Word::Consumer, Acquire) {
            return;
        }
        memory.store(Word::Consumer, position, Release);
        // A program that commits a record wakes us only if it sees that we have read everything before it. Whoever looks for
        // records after this must not have looked before the program could see the store: release and acquire alone allow it.
        memory.fence(SeqCst);
    }
}

/// The word that says how long the record is that begins at `offset` of the data. Its upper bits, if it has any, are none of it.
fn header(memory: &impl Memory<usize>, offset: usize) -> u32 {
    u32::try_from(memory.load(Word::Header(offset), Acquire)).unwrap_or(u32::MAX)
}
