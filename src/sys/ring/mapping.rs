#![allow(unsafe_code)]
//! The mappings of a ring buffer: the consumer's position (which we write), the producer's position and the data (which we read).
//!
//! The kernel writes to a record only before it is committed and after the consumer's position has passed it. Records can
//! therefore be lent as slices, provided that position moves only when none is borrowed. Two things ensure that: the position
//! is published only by `&mut` methods, and a map has one [`RingMapping`] at a time in a process.

use super::damage::RingDamage;
use super::memory::{Memory, Word, header, position, position_word};
use super::only_one::OnlyOne;
use super::reader::{Patience, Reader};
use super::walk::{Found, Walk};
use crate::sys::bpf::{MapFd, map_info};
use crate::sys::words::{load, store};
use crate::sys::{errno, system};
use crate::{Errno, MapFlags, MapType};
use memmap2::{MmapOptions, MmapRaw};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{Ordering, fence};

/// A ring buffer's memory, and how far it has been read. Since Linux 5.8.
#[derive(Debug)]
pub struct RingMapping {
    pages: Pages,
    reader: Reader,
    _only_one: OnlyOne,
}

/// The mappings: a page for each position, and the data, which the kernel maps twice in a row.
#[derive(Debug)]
struct Pages {
    consumer: MmapRaw,
    producer: MmapRaw,
    data: MmapRaw,
}

impl RingMapping {
    /// Maps a ring buffer.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the map is not a ring buffer, `EBUSY` if this process already reads it, `EOPNOTSUPP` if the kernel
    /// overwrites unread records (`BPF_F_RB_OVERWRITE`): those cannot be lent.
    pub fn open(map: &MapFd) -> Result<Self, Errno> {
        let shape = map.shape();
        let size = shape.max_entries as usize;
        if shape.kind != MapType::RINGBUF || !size.is_power_of_two() {
            return Err(Errno::EINVAL);
        }
        if shape.flags.contains(MapFlags::RB_OVERWRITE) {
            return Err(Errno::EOPNOTSUPP);
        }
        let only_one = OnlyOne::claim(map_info(map.as_fd())?.id)?;
        let pages = Pages::map(map, size)?;
        Ok(Self::over(pages, size, only_one))
    }

    fn over(pages: Pages, size: usize, only_one: OnlyOne) -> Self {
        let reader = Reader::new(&pages, size);
        Self {
            pages,
            reader,
            _only_one: only_one,
        }
    }

    /// The size of the ring in bytes, including headers.
    pub fn size(&self) -> usize {
        self.reader.size()
    }

    /// The distance in bytes between the published positions of consumer and producer, including headers, padding and busy records.
    pub fn unread(&self) -> usize {
        Reader::unread(&self.pages)
    }

    /// Looks how far the producer has come, and begins a new batch. Records that were taken but not published come again.
    pub fn begin(&mut self) {
        self.reader.begin(&self.pages);
    }

    /// Whether there is a record to lend, or damage.
    pub fn is_ready(&self) -> bool {
        self.reader.is_ready(&self.pages)
    }

    /// How many records (or damage) there are to lend, counted up to `most`.
    pub fn count(&self, most: usize) -> usize {
        self.reader.count(&self.pages, most)
    }

    /// Whether the batch ended because a quarter of the ring was lent.
    pub fn took_portion(&self) -> bool {
        self.reader.took_portion()
    }

    /// How long this batch and those to come wait for more at the end of what was there.
    pub fn set_patience(&mut self, patience: Patience) {
        self.reader.set_patience(patience);
    }

    /// The place of the first record that has not been taken yet.
    #[inline]
    pub fn cursor(&self) -> RingCursor<'_> {
        RingCursor {
            ring: self,
            walk: self.reader.walk(),
        }
    }

    /// Tells the kernel that everything taken so far may be overwritten. Returns whether that changed anything: if so, there may be
    /// a record that woke nobody, and the caller has to look again before it sleeps.
    pub fn publish(&mut self) -> bool {
        self.reader.publish(&self.pages)
    }

    #[inline]
    fn bytes(&self, found: Found) -> Option<&[u8]> {
        let data = &self.pages.data;
        if found.offset.checked_add(found.len)? > data.len() {
            return None;
        }
        let first = data.as_ptr().wrapping_add(found.offset);
        // SAFETY: just found to be inside the mapping, which lives as long as `self`. The bytes belong to a record whose header,
        // loaded with acquire, said that it is committed, and the consumer's position has not passed it: the kernel does not
        // write to it, and as `publish` takes `&mut self`, this stays so as long as the slice lives.
        Some(unsafe { std::slice::from_raw_parts(first, found.len) })
    }
}

impl Pages {
    fn map(map: &MapFd, size: usize) -> Result<Self, Errno> {
        let page = system::page_size();
        let twice = size.checked_mul(2).ok_or(Errno::E2BIG)?;
        let fd = map.as_fd().as_raw_fd();
        let read_only = |pages: usize, len| {
            let offset = page.saturating_mul(pages) as u64;
            MmapOptions::new()
                .offset(offset)
                .len(len)
                .map_raw_read_only(fd)
        };
        let map = || {
            Ok(Self {
                consumer: MmapOptions::new().len(page).map_raw(fd)?,
                producer: read_only(1, page)?,
                data: read_only(2, twice)?,
            })
        };
        map().map_err(|error| errno::from_io(&error))
    }
}

/// A position in a ring, which moves from record to record and lends them. Returned by [`RingMapping::cursor`].
#[derive(Debug, Clone, Copy)]
pub struct RingCursor<'a> {
    ring: &'a RingMapping,
    walk: Walk,
}

impl<'a> RingCursor<'a> {
    /// Lends the next record, if it is there. Small enough to be inlined into the caller's loop. If this is `None`, call
    /// [`RingCursor::seek`].
    #[inline]
    pub fn take(&mut self) -> Option<&'a [u8]> {
        let ring = self.ring;
        let found = ring.reader.take(&mut self.walk, &ring.pages)?;
        ring.bytes(found)
    }

    /// Moves on to the next record, past discarded ones; may wait briefly for a program to write more. False at the end, in
    /// front of a record that a program is still writing, and once a quarter of the ring was lent.
    pub fn seek(&mut self) -> Result<bool, RingDamage> {
        self.ring.reader.seek(&mut self.walk, &self.ring.pages)
    }
}

impl Memory<usize> for Pages {
    fn load(&self, word: Word, order: Ordering) -> usize {
        match word {
            Word::Consumer => load(&self.consumer, 0, order).map_or(0, position),
            Word::Producer => load(&self.producer, 0, order).map_or(0, position),
            Word::Header(offset) => load(&self.data, offset, order).map_or(usize::MAX, header),
        }
    }

    fn store(&self, word: Word, value: usize, order: Ordering) {
        // The rest is mapped read-only.
        if word == Word::Consumer {
            store(&self.consumer, 0, position_word(value), order);
        }
    }

    fn fence(&self, order: Ordering) {
        fence(order);
    }
}

#[cfg(test)]
mod tests {
    use super::super::walk::{BUSY, DISCARDED};
    use super::*;
    use crate::sys::words::copy_in;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicU32;

    const SIZE: usize = 256;

    /// A kernel that writes what it likes into ordinary memory.
    struct Hostile {
        ring: RingMapping,
        producer: usize,
    }

    impl Hostile {
        fn starting_at(position: usize) -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(1 << 31);
            let map = |len| MmapRaw::from(MmapOptions::new().len(len).map_anon().unwrap());
            let pages = Pages {
                consumer: map(4096),
                producer: map(4096),
                data: map(2 * SIZE),
            };
            put(&pages.consumer, position);
            put(&pages.producer, position);
            // Far above the ids that the kernel assigns in a test run.
            let only_one = OnlyOne::claim(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap();
            Self {
                ring: RingMapping::over(pages, SIZE, only_one),
                producer: position,
            }
        }

        /// Four bytes of the data, which the kernel maps twice in a row.
        fn put_word(&self, offset: usize, word: u32) {
            for offset in [offset % SIZE, offset % SIZE + SIZE] {
                copy_in(&self.ring.pages.data, offset, &word.to_ne_bytes()).unwrap();
            }
        }

        /// A record, with whatever its header says of its length.
        fn put(&mut self, header: u32, bytes: &[u8]) {
            let mut record = [header.to_ne_bytes(), [0; 4]].concat();
            record.extend(bytes);
            record.resize(record.len().next_multiple_of(8), 0xee);
            for word in record.chunks(4) {
                let word = u32::from_ne_bytes(word.try_into().unwrap());
                self.put_word(self.producer % SIZE, word);
                self.producer = self.producer.wrapping_add(4);
            }
        }

        fn record(&mut self, bytes: &[u8]) {
            self.put(u32::try_from(bytes.len()).unwrap(), bytes);
        }

        /// Publishes what was put, and reads a batch.
        fn batch(&mut self) -> (Vec<Vec<u8>>, Option<RingDamage>) {
            put(&self.ring.pages.producer, self.producer);
            self.ring.begin();
            let mut cursor = self.ring.cursor();
            let mut records = Vec::new();
            loop {
                match cursor.seek() {
                    Ok(true) => records.push(cursor.take().unwrap().to_vec()),
                    Ok(false) => return (records, None),
                    Err(damage) => return (records, Some(damage)),
                }
            }
        }

        fn consumer(&self) -> usize {
            self.ring.pages.load(Word::Consumer, Ordering::Relaxed)
        }
    }

    fn put(page: &MmapRaw, position: usize) {
        store(page, 0, position_word(position), Ordering::Relaxed);
    }

    #[test]
    fn records_are_lent_whole_at_any_place_of_the_ring() {
        let step = if cfg!(miri) { 32 } else { 8 };
        // Across the end of the ring, and across the overflow of positions.
        for start in (0..SIZE).step_by(step).chain([usize::MAX - 23]) {
            let mut kernel = Hostile::starting_at(start);
            let long: Vec<u8> = (0..=40).collect();
            kernel.record(&long);
            kernel.record(b"");
            let (records, damage) = kernel.batch();
            assert_eq!(records, [&long[..], b""], "{start}");
            assert_eq!(damage, None);
            assert_eq!(kernel.consumer(), start, "nothing is published yet");
            kernel.ring.publish();
            assert_eq!(kernel.consumer(), kernel.producer);
        }
    }

    fn as_arrays(records: &[Vec<u8>]) -> Vec<[u8; 8]> {
        let arrays = records.iter().map(|record| record[..].try_into().unwrap());
        arrays.collect()
    }

    #[test]
    fn threads_that_share_a_batch_see_all_of_it() {
        let mut kernel = Hostile::starting_at(8);
        (0..3).for_each(|number| kernel.record(&[number; 8]));
        put(&kernel.ring.pages.producer, kernel.producer);
        kernel.ring.begin();
        let ring = &kernel.ring;
        let read = || {
            let mut cursor = ring.cursor();
            let mut seen = Vec::new();
            while cursor.seek().unwrap() {
                seen.push(cursor.take().unwrap().to_vec());
            }
            seen
        };
        // Each from where the others were when it began.
        let seen = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(read)).collect();
            let seen = threads.into_iter().map(|thread| thread.join().unwrap());
            seen.collect::<Vec<_>>()
        });
        let all = [[0; 8], [1; 8], [2; 8]];
        assert!(seen.iter().any(|records| *records == all));
        assert!(
            seen.iter()
                .all(|records| all.ends_with(&as_arrays(records)))
        );
        // What was published lies between two records, whoever was last.
        kernel.ring.publish();
        assert!(all.ends_with(&as_arrays(&kernel.batch().0)));
    }

    #[test]
    fn busy_records_end_a_batch_and_discarded_ones_are_passed() {
        let mut kernel = Hostile::starting_at(8);
        kernel.put(5 | DISCARDED, b"never");
        kernel.record(b"seen");
        kernel.put(5 | DISCARDED, b"never");
        let busy = kernel.producer;
        kernel.put(8 | BUSY, b"being wr");
        kernel.record(b"behind");
        assert_eq!(kernel.batch(), (vec![b"seen".to_vec()], None));
        kernel.ring.publish();
        assert_eq!(kernel.consumer(), busy);
        assert!(!kernel.ring.is_ready());
        kernel.put_word(busy, 8);
        let rest = vec![b"being wr".to_vec(), b"behind".to_vec()];
        assert_eq!(kernel.batch(), (rest, None));
    }

    /// More than a batch holds, and none of it to be lent: the batch begins behind them.
    #[test]
    fn a_ring_full_of_discarded_records_does_not_hide_what_follows() {
        let mut kernel = Hostile::starting_at(0);
        for _ in 0..14 {
            kernel.put(8 | DISCARDED, &[0; 8]);
        }
        kernel.record(b"behind");
        assert_eq!(kernel.batch(), (vec![b"behind".to_vec()], None));
        kernel.ring.publish();
        assert_eq!(kernel.consumer(), kernel.producer);
    }

    #[test]
    fn a_batch_is_a_quarter_of_the_ring() {
        let mut kernel = Hostile::starting_at(16);
        for _ in 0..16 {
            kernel.record(&[7; 8]);
        }
        for _ in 0..4 {
            assert_eq!(kernel.batch().0.len(), 4);
            assert!(!kernel.ring.is_ready());
            kernel.ring.publish();
        }
        assert_eq!(kernel.batch(), (Vec::new(), None));
    }

    /// What was found is what can be taken, also where discarded records use up the rest of the batch.
    #[test]
    fn discarded_records_can_end_a_batch() {
        let mut kernel = Hostile::starting_at(0);
        kernel.record(b"first");
        for _ in 0..4 {
            kernel.put(8 | DISCARDED, &[0; 8]);
        }
        kernel.record(b"behind");
        assert_eq!(kernel.batch(), (vec![b"first".to_vec()], None));
        assert!(!kernel.ring.is_ready(), "this batch lends no more");
        kernel.ring.publish();
        assert_eq!(kernel.batch(), (vec![b"behind".to_vec()], None));
    }

    /// Two iterators begin at the same record; what was taken is what one of them has passed.
    #[test]
    fn the_foremost_cursor_counts() {
        let mut kernel = Hostile::starting_at(0);
        kernel.record(b"1");
        kernel.record(b"2");
        put(&kernel.ring.pages.producer, kernel.producer);
        kernel.ring.begin();
        let (mut first, mut second) = (kernel.ring.cursor(), kernel.ring.cursor());
        assert_eq!(first.take(), Some(&b"1"[..]));
        assert_eq!(first.take(), Some(&b"2"[..]));
        assert_eq!(second.take(), Some(&b"1"[..]));
        assert_eq!(kernel.ring.cursor().take(), None);
        kernel.ring.publish();
        assert_eq!(kernel.consumer(), kernel.producer);
    }

    #[test]
    fn lengths_and_positions_that_lie_are_reported() {
        // What a header says, in a ring that holds 16 bytes of which 8 are the header.
        for len in [9, 17, SIZE, (1 << 30) - 1] {
            let mut kernel = Hostile::starting_at(SIZE - 16);
            kernel.record(b"fine");
            kernel.put(u32::try_from(len).unwrap(), &[0; 8]);
            let (records, damage) = kernel.batch();
            assert_eq!(records, [b"fine"]);
            let damage = damage.unwrap().to_string();
            let words = format!("claims {len} bytes, but only 16 follow");
            assert!(damage.contains(&words), "{damage}");
        }
        for (start, producer, words) in [
            (0, SIZE + 8, "only 256 bytes"),
            (64, 0, "only 256 bytes"),
            (64, usize::MAX - 7, "only 256 bytes"),
            (4, 20, "not a multiple of 8"),
        ] {
            let mut kernel = Hostile::starting_at(start);
            kernel.producer = producer;
            let (records, damage) = kernel.batch();
            assert!(records.is_empty());
            let damage = damage.unwrap().to_string();
            assert!(damage.contains(words), "{damage}");
            assert!(kernel.ring.is_ready(), "damage is reported, not waited for");
            kernel.ring.publish();
            assert_eq!(kernel.consumer(), start, "a damaged ring is left as it is");
        }
        // Not where a record can end, but there is nothing wrong before it.
        let mut kernel = Hostile::starting_at(0);
        kernel.record(b"fine");
        kernel.producer += 4;
        assert_eq!(kernel.batch(), (vec![b"fine".to_vec()], None));
    }

    proptest! {
        #[test]
        fn any_memory_is_read_without_harm(
            words in proptest::collection::vec(any::<u32>(), SIZE / 4),
            lens in proptest::collection::vec(0_u32..80, SIZE / 4),
            flags in proptest::collection::vec(0_u32..8, SIZE / 4),
            start in any::<usize>(),
            producer in any::<usize>(),
            distance in proptest::option::of(0_usize..300),
        ) {
            let mut kernel = Hostile::starting_at(start);
            for (i, word) in words.iter().enumerate() {
                // Mostly what could be a header; busy and discarded ones are rare.
                let word = match flags[i] {
                    0 => *word,
                    1 => lens[i] | DISCARDED,
                    2 => lens[i] | BUSY,
                    _ => lens[i],
                };
                kernel.put_word(4 * i, word);
            }
            kernel.producer = distance.map_or(producer, |distance| start.wrapping_add(distance));
            let (records, _) = kernel.batch();
            prop_assert!(records.len() <= SIZE / 8);
            kernel.ring.publish();
            prop_assert!(kernel.consumer().wrapping_sub(start) <= SIZE);
        }
    }
}
