//! From record to record, over memory that may hold anything.
//!
//! Positions count bytes since the ring was made and wrap around like the kernel's `unsigned long`. The data area is
//! mapped twice in a row, so that a record that begins near its end goes on behind it:
//!
//! ```text
//!            position & (size - 1)                      size                          2 * size
//!   |----------|hdr|record....|hdr|rec..|hdr|record.......:.....|-----------------------|
//!              ^ consumer                ^ busy: a program is still writing   ^ producer
//! ```
//!
//! A header is 8 bytes: the record's length with two flags on top, and four bytes of the kernel's own. Records are padded to 8.

use super::damage::RingDamage;

pub(super) const HEADER: usize = 8;
/// A program is still writing the record.
pub(super) const BUSY: u32 = 1 << 31;
/// The program changed its mind.
pub(super) const DISCARDED: u32 = 1 << 30;

/// A walk over the records between two positions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    /// Everything before is done with.
    pub(super) position: usize,
    pub(super) producer: usize,
    /// Bytes in the ring, a power of two.
    pub(super) size: usize,
}

/// A record: where its bytes are in the (doubled) data area, and where the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) next: usize,
}

/// What is at the position of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    Record(Found),
    /// A record to be passed, and where the next one begins.
    Discarded(usize),
    /// The producer's position, or a busy record.
    Nothing,
    Damage(RingDamage),
}

impl Walk {
    /// The next record that can be read, past discarded ones; `None` at the end and in front of a busy one.
    ///
    /// `header` reads the four bytes at an offset of the data area that is a multiple of 8 and below `size`. The walk
    /// itself stays in front of the record: whoever takes it sets `position` to its `next`.
    pub(super) fn find(
        &mut self,
        header: impl Fn(usize) -> u32,
    ) -> Result<Option<Found>, RingDamage> {
        loop {
            match self.ahead(&header) {
                Ahead::Record(found) => return Ok(Some(found)),
                Ahead::Discarded(next) => self.position = next,
                Ahead::Nothing => return Ok(None),
                Ahead::Damage(damage) => return Err(damage),
            }
        }
    }

    /// The record at the position; `None` where [`Walk::find`] has more to say.
    #[inline]
    pub(super) fn next(&self, header: impl Fn(usize) -> u32) -> Option<Found> {
        match self.ahead(header) {
            Ahead::Record(found) => Some(found),
            _ => None,
        }
    }

    #[inline]
    fn ahead(&self, header: impl Fn(usize) -> u32) -> Ahead {
        let left = self.producer.wrapping_sub(self.position);
        if left > self.size {
            return Ahead::Damage(RingDamage::Overfull {
                position: self.position as u64,
                producer: self.producer as u64,
                size: self.size as u64,
            });
        }
        if !self.position.is_multiple_of(8) {
            return Ahead::Damage(RingDamage::Misaligned {
                position: self.position as u64,
            });
        }
        if left < HEADER {
            return Ahead::Nothing;
        }
        let offset = self.position & (self.size - 1);
        let word = header(offset);
        if word & BUSY != 0 {
            return Ahead::Nothing;
        }
        let len = (word & !DISCARDED) as usize;
        let step = (len + HEADER + 7) & !7;
        if step > left {
            return Ahead::Damage(RingDamage::RecordTooLong {
                position: self.position as u64,
                len: len as u64,
                left: left as u64,
            });
        }
        let next = self.position.wrapping_add(step);
        if word & DISCARDED != 0 {
            return Ahead::Discarded(next);
        }
        let offset = offset + HEADER;
        Ahead::Record(Found { offset, len, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A ring in ordinary memory, filled as the kernel would.
    struct Simulated {
        data: Vec<u8>,
        start: usize,
        producer: usize,
    }

    impl Simulated {
        fn starting_at(size: usize, start: usize) -> Self {
            Self {
                data: vec![0; size],
                start,
                producer: start,
            }
        }

        fn put_byte(&mut self, position: usize, byte: u8) {
            let index = position & (self.data.len() - 1);
            self.data[index] = byte;
        }

        fn put(&mut self, bytes: &[u8], flags: u32) {
            let header = u32::try_from(bytes.len()).unwrap() | flags;
            let position = self.producer;
            for (i, byte) in header
                .to_ne_bytes()
                .iter()
                .chain(&[0; 4])
                .chain(bytes)
                .enumerate()
            {
                self.put_byte(position.wrapping_add(i), *byte);
            }
            let step = (bytes.len() + HEADER).next_multiple_of(8);
            self.producer = position.wrapping_add(step);
        }

        fn walk(&self) -> Walk {
            Walk {
                position: self.start,
                producer: self.producer,
                size: self.data.len(),
            }
        }

        fn header(&self, offset: usize) -> u32 {
            u32::from_ne_bytes(self.data[offset..offset + 4].try_into().unwrap())
        }

        fn bytes(&self, found: Found) -> Vec<u8> {
            assert!(found.offset + found.len <= 2 * self.data.len());
            let doubled = self.data.iter().chain(&self.data);
            doubled
                .skip(found.offset)
                .take(found.len)
                .copied()
                .collect()
        }

        fn all(&self) -> (Vec<Vec<u8>>, Walk, Option<RingDamage>) {
            let mut walk = self.walk();
            let mut records = Vec::new();
            loop {
                match walk.find(|offset| self.header(offset)) {
                    Ok(Some(found)) => {
                        records.push(self.bytes(found));
                        walk.position = found.next;
                    }
                    Ok(None) => return (records, walk, None),
                    Err(damage) => return (records, walk, Some(damage)),
                }
            }
        }
    }

    #[test]
    fn records_are_found_across_the_end_of_the_ring() {
        // Both ends: that of the ring, and that of the numbers.
        for start in [48, usize::MAX - 15] {
            let mut ring = Simulated::starting_at(64, start);
            ring.put(b"first", 0);
            ring.put(b"", 0);
            ring.put(b"the third one", 0);
            let (records, walk, damage) = ring.all();
            assert_eq!(records, [&b"first"[..], b"", b"the third one"]);
            assert_eq!(walk.position, ring.producer);
            assert_eq!(damage, None);
        }
    }

    #[test]
    fn discarded_records_are_skipped_and_busy_ones_stop_the_walk() {
        let mut ring = Simulated::starting_at(128, 0);
        ring.put(b"dropped", DISCARDED);
        ring.put(b"seen", 0);
        ring.put(b"dropped", DISCARDED);
        let before_busy = ring.producer;
        ring.put(b"in the making", BUSY);
        ring.put(b"behind it", 0);
        let (records, walk, damage) = ring.all();
        assert_eq!(records, [b"seen"]);
        assert_eq!(walk.position, before_busy);
        assert_eq!(damage, None);
    }

    #[test]
    fn a_full_ring_is_read_whole() {
        let mut ring = Simulated::starting_at(64, 24);
        ring.put(&[1; 56], 0);
        assert_eq!(ring.all().0, [[1; 56]]);
    }

    #[test]
    fn a_length_that_lies_is_reported() {
        let mut ring = Simulated::starting_at(64, 0);
        ring.put(b"fine", 0);
        ring.put(b"liar", 0);
        for (i, byte) in 9u32.to_ne_bytes().into_iter().enumerate() {
            ring.put_byte(16 + i, byte);
        }
        let (records, _, damage) = ring.all();
        assert_eq!(records, [b"fine"]);
        let expected = RingDamage::RecordTooLong {
            position: 16,
            len: 9,
            left: 16,
        };
        assert_eq!(damage, Some(expected));
    }

    #[test]
    fn positions_that_lie_are_reported() {
        let walk = |position, producer| {
            Walk {
                position,
                producer,
                size: 64,
            }
            .find(|_| 0)
        };
        assert!(matches!(walk(0, 65), Err(RingDamage::Overfull { .. })));
        assert!(matches!(walk(8, 0), Err(RingDamage::Overfull { .. })));
        assert!(matches!(walk(4, 16), Err(RingDamage::Misaligned { .. })));
        assert_eq!(walk(0, 0), Ok(None));
        assert_eq!(walk(0, 4), Ok(None));
    }

    proptest! {
        #[test]
        fn any_memory_ends_the_walk_inside_the_ring(
            data in proptest::collection::vec(any::<u8>(), 256),
            start in any::<usize>(),
            producer in any::<usize>(),
            near in 0usize..300,
            choose_near in any::<bool>(),
        ) {
            let producer = if choose_near { start.wrapping_add(near) } else { producer };
            let ring = Simulated { data, start, producer };
            let (records, walk, damage) = ring.all();
            // Every record takes at least 8 bytes, and the walk never runs past the producer.
            prop_assert!(records.len() <= 256 / HEADER);
            let done = walk.position.wrapping_sub(start);
            prop_assert!(done <= producer.wrapping_sub(start) || damage.is_some());
            prop_assert!(done <= 256);
        }

        #[test]
        fn what_was_put_is_found(
            start in any::<usize>(),
            records in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..5),
        ) {
            let mut ring = Simulated::starting_at(256, start & !7);
            for (bytes, kept) in &records {
                ring.put(bytes, if *kept { 0 } else { DISCARDED });
            }
            let kept: Vec<_> = records.into_iter().filter(|r| r.1).map(|r| r.0).collect();
            prop_assert_eq!(ring.all().0, kept);
        }
    }
}
