//! The producer's half of a ring buffer that user space writes.
//!
//! ```text
//!   writer                                        program that drains (one at a time)
//!   ------                                        -----------------------------------
//!   consumer (acquire): is there room?        <-  consumer := next (release)
//!   header   := length | BUSY
//!   producer := producer + step   (release)   ->  producer (acquire)
//!   ... writes the record ...
//!   header   := length [| DISCARD] (release)  ->  header   (acquire): stops at a busy one
//! ```
//!
//! Our own position is kept here, so that whoever else may write to the memory cannot move it.

use super::damage::RingDamage;
use super::memory::{Memory, Word};
use super::walk::{BUSY, DISCARDED, HEADER};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// How far a ring has been written.
#[derive(Debug)]
pub(super) struct Writer {
    position: usize,
    size: usize,
}

/// A record that has been reserved: where its header is in the data, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reserved {
    pub(super) header: usize,
    pub(super) len: u32,
}

/// What becomes of a reserved record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Submit,
    Discard,
}

impl Writer {
    /// Goes on where the last writer of a ring of `size` bytes, a power of two, stopped.
    pub(super) fn new(memory: &impl Memory<usize>, size: usize) -> Self {
        let position = memory.load(Word::Producer, Acquire) & !(HEADER - 1);
        Self { position, size }
    }

    /// The longest record there can be.
    pub(super) fn longest(&self) -> usize {
        // Of the header's 32 bits, two are flags.
        (self.size - HEADER).min((DISCARDED - 1) as usize)
    }

    /// Whether a record of `len` bytes could be reserved now.
    pub(super) fn has_room(
        &self,
        memory: &impl Memory<usize>,
        len: usize,
    ) -> Result<bool, RingDamage> {
        let consumer = memory.load(Word::Consumer, Acquire);
        let used = self.position.wrapping_sub(consumer);
        if used > self.size {
            return Err(RingDamage::Overfull {
                position: consumer as u64,
                producer: self.position as u64,
                size: self.size as u64,
            });
        }
        Ok(len <= self.longest() && step(len) <= self.size - used)
    }

    /// Reserves a record; `None` if there is no room for it.
    pub(super) fn reserve(
        &mut self,
        memory: &impl Memory<usize>,
        len: usize,
    ) -> Result<Option<Reserved>, RingDamage> {
        let Ok(header_len) = u32::try_from(len) else {
            return Ok(None);
        };
        if !self.has_room(memory, len)? {
            return Ok(None);
        }
        let header = self.position & (self.size - 1);
        memory.store(Word::Header(header), len | BUSY as usize, Relaxed);
        self.position = self.position.wrapping_add(step(len));
        memory.store(Word::Producer, self.position, Release);
        Ok(Some(Reserved {
            header,
            len: header_len,
        }))
    }

    /// Gives a record to the program, which passes over discarded ones.
    pub(super) fn commit(memory: &impl Memory<usize>, reserved: Reserved, fate: Fate) {
        let flag = match fate {
            Fate::Submit => 0,
            Fate::Discard => DISCARDED,
        };
        let header = (reserved.len | flag) as usize;
        memory.store(Word::Header(reserved.header), header, Release);
    }
}

/// Bytes that a record takes; `len` is at most [`Writer::longest`].
fn step(len: usize) -> usize {
    (len + HEADER).next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::super::walk::Walk;
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::sync::atomic::Ordering;

    /// Memory in which only headers and positions are kept.
    #[derive(Debug, Default)]
    struct Words {
        consumer: RefCell<usize>,
        producer: RefCell<usize>,
        headers: RefCell<BTreeMap<usize, usize>>,
    }

    impl Memory<usize> for Words {
        fn load(&self, word: Word, _: Ordering) -> usize {
            match word {
                Word::Consumer => *self.consumer.borrow(),
                Word::Producer => *self.producer.borrow(),
                Word::Header(at) => self.headers.borrow().get(&at).copied().unwrap_or(0),
            }
        }

        fn store(&self, word: Word, value: usize, _: Ordering) {
            match word {
                Word::Consumer => *self.consumer.borrow_mut() = value,
                Word::Producer => *self.producer.borrow_mut() = value,
                Word::Header(at) => drop(self.headers.borrow_mut().insert(at, value)),
            }
        }

        fn fence(&self, _: Ordering) {}
    }

    impl Words {
        /// Reads as the kernel does, up to the first busy record; the lengths of what was submitted.
        fn drain(&self, size: usize) -> Vec<usize> {
            let mut walk = Walk {
                position: self.load(Word::Consumer, Acquire),
                producer: self.load(Word::Producer, Acquire),
                size,
            };
            let mut lens = Vec::new();
            let header = |at| u32::try_from(self.load(Word::Header(at), Acquire)).unwrap();
            while let Some(found) = walk.find(header).unwrap() {
                lens.push(found.len);
                walk.position = found.next;
            }
            self.store(Word::Consumer, walk.position, Release);
            lens
        }
    }

    #[test]
    fn busy_records_are_published_and_not_passed() {
        let words = Words::default();
        let mut writer = Writer::new(&words, 64);
        let first = writer.reserve(&words, 5).unwrap().unwrap();
        assert_eq!(words.load(Word::Producer, Acquire), 16);
        assert!(words.drain(64).is_empty());
        let second = writer.reserve(&words, 8).unwrap().unwrap();
        Writer::commit(&words, second, Fate::Submit);
        assert!(words.drain(64).is_empty());
        Writer::commit(&words, first, Fate::Submit);
        assert_eq!(words.drain(64), [5, 8]);
    }

    #[test]
    fn a_full_ring_has_no_room_until_it_is_drained() {
        let words = Words::default();
        let mut writer = Writer::new(&words, 64);
        let all = writer.reserve(&words, 56).unwrap().unwrap();
        assert_eq!(writer.reserve(&words, 0), Ok(None));
        Writer::commit(&words, all, Fate::Discard);
        assert!(words.drain(64).is_empty(), "discarded");
        assert!(writer.reserve(&words, 56).unwrap().is_some());
    }

    #[test]
    fn what_can_never_fit_is_refused() {
        let words = Words::default();
        let mut writer = Writer::new(&words, 64);
        assert_eq!(writer.longest(), 56);
        for len in [57, 1 << 30, u32::MAX as usize, usize::MAX] {
            assert_eq!(writer.reserve(&words, len), Ok(None));
        }
        let large = Writer::new(&words, 1 << 31);
        assert_eq!(large.longest(), (1 << 30) - 1);
    }

    #[test]
    fn a_consumer_that_lies_is_reported() {
        let words = Words::default();
        let mut writer = Writer::new(&words, 64);
        for position in [8, usize::MAX - 100] {
            words.store(Word::Consumer, position, Relaxed);
            let damage = writer.reserve(&words, 1);
            assert!(matches!(damage, Err(RingDamage::Overfull { .. })));
        }
    }

    #[test]
    fn a_producer_that_lies_changes_nothing() {
        let words = Words::default();
        let mut writer = Writer::new(&words, 64);
        words.store(Word::Producer, 4711, Relaxed);
        let reserved = writer.reserve(&words, 1).unwrap().unwrap();
        assert_eq!(reserved.header, 0);
        assert_eq!(words.load(Word::Producer, Acquire), 16);
    }

    proptest! {
        #[test]
        fn what_is_submitted_is_drained(
            start in any::<usize>(),
            lens in proptest::collection::vec((0_usize..100, any::<bool>()), 0..40),
        ) {
            let words = Words::default();
            words.store(Word::Consumer, start & !7, Relaxed);
            words.store(Word::Producer, start & !7, Relaxed);
            let mut writer = Writer::new(&words, 256);
            let (mut expected, mut drained) = (Vec::new(), Vec::new());
            for (len, keep) in lens {
                if !writer.has_room(&words, len).unwrap() {
                    drained.extend(words.drain(256));
                }
                let reserved = writer.reserve(&words, len).unwrap().unwrap();
                Writer::commit(&words, reserved, if keep { Fate::Submit } else { Fate::Discard });
                if keep {
                    expected.push(len);
                }
            }
            drained.extend(words.drain(256));
            prop_assert_eq!(drained, expected);
        }
    }
}
