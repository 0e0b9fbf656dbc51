#![allow(unsafe_code)]
//! The mapping of one CPU's perf buffer: a page of the kernel's with both positions, then the data.
//!
//! The kernel writes only between the head and what it last saw as the tail. Records before the head can therefore be lent as
//! slices, if the tail moves only when none is borrowed: it is published by `&mut` methods only, and the event, which is opened
//! here, has no other mapping.

use super::damage::RingDamage;
use super::memory::{Memory, Word};
use super::perf_reader::{FoundPerf, HEADER, PerfEntry, PerfReader};
use crate::Errno;
use crate::sys::perf_event::{BufferSource, PerfEvent, PerfScope, Wakeup, enable, perf_event_open};
use crate::sys::perf_sample::SampleShape;
use crate::sys::words::{load, store};
use crate::sys::{errno, system};
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};
use zerocopy::FromBytes;

/// Where the positions are in `struct perf_event_mmap_page`.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

/// The memory of a perf event that programs write to on one CPU, and how far it has been read.
#[derive(Debug)]
pub struct PerfMapping {
    event: OwnedFd,
    counts_lost: bool,
    buffer: Buffer,
}

impl AsFd for PerfMapping {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl PerfMapping {
    /// Opens an event of this source on `cpu`, with `pages` of memory (a power of two), and starts it.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the CPU is not there, `EINVAL` if `pages` is no power of two, `EPERM` if they are more than an
    /// unprivileged user may lock.
    pub fn open(
        cpu: u32,
        pages: usize,
        source: &BufferSource,
        wakeup: Wakeup,
    ) -> Result<Self, Errno> {
        if !pages.is_power_of_two() {
            return Err(Errno::EINVAL);
        }
        let page = system::page_size();
        let size = pages.checked_mul(page).ok_or(Errno::E2BIG)?;
        let (event, counts_lost) = Self::open_event(cpu, source, wakeup)?;
        let memory = MmapOptions::new()
            .len(size.checked_add(page).ok_or(Errno::E2BIG)?)
            .map_raw(event.as_raw_fd())
            .map_err(|e| errno::from_io(&e))?;
        enable(event.as_fd())?;
        let buffer = Buffer::over(Pages { memory, page }, size, source.shape);
        Ok(Self {
            event,
            counts_lost,
            buffer,
        })
    }

    /// Opens the event, counting what is lost if the kernel can: before Linux 6.0 it does not know the request.
    fn open_event(
        cpu: u32,
        source: &BufferSource,
        wakeup: Wakeup,
    ) -> Result<(OwnedFd, bool), Errno> {
        let open = |count_lost| {
            let event = PerfEvent::Buffered {
                source: *source,
                wakeup,
                count_lost,
            };
            let event = perf_event_open(&event, PerfScope::Cpu(cpu))?;
            Ok((event, count_lost))
        };
        match open(true) {
            Err(Errno::EINVAL) => open(false),
            result => result,
        }
    }

    /// How many records have found no room so far; `None` where the kernel does not count them. Since Linux 6.0.
    pub fn lost(&self) -> Option<u64> {
        if !self.counts_lost {
            return None;
        }
        // The event's value (of events that were counted), and what is wanted.
        let mut answer = [0; 16];
        let mut event = File::from(self.event.try_clone().ok()?);
        event.read_exact(&mut answer).ok()?;
        let [.., lost] = <[[u8; 8]; 2]>::read_from_bytes(&answer).ok()?;
        Some(u64::from_ne_bytes(lost))
    }

    /// Bytes that the buffer has room for, headers included.
    pub fn size(&self) -> u64 {
        self.buffer.reader.size()
    }

    /// Looks how far the kernel has come since. Records that were taken and not published come again.
    pub fn begin(&mut self) {
        self.buffer.begin();
    }

    /// Whether [`PerfMapping::next`] would lend a record or find damage.
    pub fn is_ready(&self) -> bool {
        self.buffer.reader.is_ready()
    }

    /// Lends the next record.
    pub fn next(&self) -> Result<Option<PerfEntry<'_>>, RingDamage> {
        self.buffer.next()
    }

    /// Tells the kernel that everything taken so far may be overwritten.
    pub fn publish(&mut self) {
        self.buffer.reader.publish(&self.buffer.pages);
    }
}

/// All but the event, so that tests can have one over ordinary memory.
#[derive(Debug)]
struct Buffer {
    pages: Pages,
    shape: SampleShape,
    reader: PerfReader,
    /// A copy of the record that goes over the end of the data. Between a tail and a head, which are at most the data's size
    /// apart, there is at most one; `begin` forgets it.
    wrapped: OnceLock<Vec<u8>>,
}

#[derive(Debug)]
struct Pages {
    memory: MmapRaw,
    page: usize,
}

impl Buffer {
    fn over(pages: Pages, size: usize, shape: SampleShape) -> Self {
        let reader = PerfReader::new(&pages, size as u64);
        Self {
            pages,
            shape,
            reader,
            wrapped: OnceLock::new(),
        }
    }

    fn begin(&mut self) {
        self.wrapped.take();
        self.reader.begin(&self.pages);
    }

    fn next(&self) -> Result<Option<PerfEntry<'_>>, RingDamage> {
        let Some(found) = self.reader.next(&self.pages)? else {
            return Ok(None);
        };
        found.entry(self.shape, self.body(found)).map(Some)
    }

    /// What follows the header, in one piece.
    fn body(&self, found: FoundPerf) -> &[u8] {
        let size = self.reader.size();
        let number = |n| usize::try_from(n).unwrap_or(usize::MAX);
        let start = number(found.position.wrapping_add(HEADER) & (size - 1));
        let len = number(found.len.saturating_sub(HEADER));
        let until_end = number(size).saturating_sub(start);
        if len <= until_end {
            return self.pages.bytes(start, len);
        }
        self.wrapped.get_or_init(|| {
            let first = self.pages.bytes(start, until_end);
            [first, self.pages.bytes(0, len - until_end)].concat()
        })
    }
}

impl Pages {
    /// Bytes of the data, which a record has between the published tail and the head; none if they are not inside.
    fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        let start = self.page.saturating_add(offset);
        if start.saturating_add(len) > self.memory.len() {
            return &[];
        }
        let first = self.memory.as_ptr().wrapping_add(start);
        // SAFETY: just found to be inside the mapping, which lives as long as `self`. The bytes are before the head, which was
        // loaded with acquire, and behind the tail: the kernel does not write to them, and as the tail is published by
        // `&mut` methods of the only owner of both, this stays so as long as the slice lives.
        unsafe { std::slice::from_raw_parts(first, len) }
    }
}

impl Memory<u64> for Pages {
    fn load(&self, word: Word, order: Ordering) -> u64 {
        let at = match word {
            Word::Consumer => DATA_TAIL,
            Word::Producer => DATA_HEAD,
            Word::Header(offset) => self.page.saturating_add(offset),
        };
        load(&self.memory, at, order).unwrap_or(u64::MAX)
    }

    fn store(&self, word: Word, value: u64, order: Ordering) {
        // The rest is the kernel's to write.
        if word == Word::Consumer {
            store(&self.memory, DATA_TAIL, value, order);
        }
    }

    fn fence(&self, order: Ordering) {
        fence(order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: usize = 4096;
    const SIZE: usize = 256;

    /// A kernel that writes what it likes into ordinary memory.
    struct Hostile {
        buffer: Buffer,
        head: u64,
    }

    impl Hostile {
        fn starting_at(position: u64) -> Self {
            let memory = MmapOptions::new().len(PAGE + SIZE).map_anon().unwrap();
            let pages = Pages {
                memory: memory.into(),
                page: PAGE,
            };
            pages.put_word(DATA_TAIL, position);
            pages.put_word(DATA_HEAD, position);
            Self {
                buffer: Buffer::over(pages, SIZE, SampleShape::PLAIN),
                head: position,
            }
        }

        fn put(&mut self, kind: u32, len: u16, body: &[u8]) {
            let mut record = kind.to_ne_bytes().to_vec();
            record.extend([0; 2]);
            record.extend(len.to_ne_bytes());
            record.extend(body);
            record.resize(record.len().next_multiple_of(8), 0xee);
            for word in record.chunks(8) {
                let offset = usize::try_from(self.head).unwrap() % SIZE;
                let value = u64::from_ne_bytes(word.try_into().unwrap());
                self.buffer.pages.put_word(PAGE + offset, value);
                self.head += 8;
            }
        }

        fn sample(&mut self, bytes: &[u8]) {
            let padded = (bytes.len() + 4).next_multiple_of(8) - 4;
            let mut body = u32::try_from(padded).unwrap().to_ne_bytes().to_vec();
            body.extend(bytes);
            let len = u16::try_from(body.len().next_multiple_of(8) + 8).unwrap();
            self.put(9, len, &body);
        }

        fn all(&mut self) -> (Vec<Seen>, Option<RingDamage>) {
            self.buffer.pages.put_word(DATA_HEAD, self.head);
            self.buffer.begin();
            let mut seen = Vec::new();
            loop {
                match self.buffer.next() {
                    Ok(Some(PerfEntry::Sample { raw, .. })) => {
                        seen.push(Seen::Sample(raw.to_vec()));
                    }
                    Ok(Some(PerfEntry::Lost(count))) => seen.push(Seen::Lost(count)),
                    Ok(Some(PerfEntry::Other(kind))) => seen.push(Seen::Other(kind)),
                    Ok(None) => return (seen, None),
                    Err(damage) => return (seen, Some(damage)),
                }
            }
        }
    }

    impl Pages {
        fn put_word(&self, at: usize, value: u64) {
            store(&self.memory, at, value, Ordering::Relaxed);
        }
    }

    #[derive(Debug, PartialEq)]
    enum Seen {
        Sample(Vec<u8>),
        Lost(u64),
        Other(u32),
    }

    #[test]
    fn samples_and_lost_counts_are_told_apart() {
        let mut kernel = Hostile::starting_at(0);
        kernel.sample(b"four");
        kernel.put(2, 24, &[[7; 8], 3_u64.to_ne_bytes()].concat());
        kernel.put(5, 8, &[]);
        let (seen, damage) = kernel.all();
        assert_eq!(damage, None);
        let four = b"four".to_vec();
        assert_eq!(seen, [Seen::Sample(four), Seen::Lost(3), Seen::Other(5)]);
    }

    #[test]
    fn of_threads_that_share_a_batch_one_gets_each_record() {
        let mut kernel = Hostile::starting_at(8);
        (0..12).for_each(|number| kernel.sample(&[number; 4]));
        kernel.buffer.pages.put_word(DATA_HEAD, kernel.head);
        kernel.buffer.begin();
        let buffer = &kernel.buffer;
        let take = || {
            let mut numbers = Vec::new();
            while let Some(entry) = buffer.next().unwrap() {
                let PerfEntry::Sample { raw: bytes, .. } = entry else {
                    panic!("{entry:?}")
                };
                numbers.push(bytes[0]);
            }
            numbers
        };
        let mut all: Vec<u8> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        all.sort_unstable();
        assert_eq!(all, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn records_over_the_end_are_put_together_again() {
        let bytes: Vec<u8> = (0..=99).collect();
        for before_end in (8..112).step_by(8) {
            let mut kernel = Hostile::starting_at((3 * SIZE - before_end) as u64);
            kernel.sample(&bytes);
            kernel.sample(b"next");
            let (seen, damage) = kernel.all();
            assert_eq!(damage, None);
            let expected = [Seen::Sample(bytes.clone()), Seen::Sample(b"next".to_vec())];
            assert_eq!(seen, expected, "{before_end}");
        }
    }

    #[test]
    fn records_come_again_until_they_are_published() {
        let mut kernel = Hostile::starting_at((SIZE - 16) as u64);
        kernel.sample(b"over the end");
        let first = kernel.all();
        assert_eq!(first.0, [Seen::Sample(b"over the end".to_vec())]);
        assert_eq!(kernel.all(), first);
        kernel.buffer.reader.publish(&kernel.buffer.pages);
        assert_eq!(kernel.all(), (Vec::new(), None));
    }

    #[test]
    fn lengths_that_lie_are_reported_with_both_sizes() {
        // (kind, the header's length, the sample's own length)
        for (kind, len, raw, words) in [
            (9, 4, 0, "takes 8"),
            (9, 248, 0, "claims 248 bytes, but only 16"),
            (9, 16, 100, "has 16 bytes, but what it holds takes 112"),
            (9, 16, u32::MAX, "takes 4294967307"),
            (9, 8, 0, "takes 12"),
            (2, 16, 0, "takes 24"),
        ] {
            let mut kernel = Hostile::starting_at(64);
            let mut body = raw.to_ne_bytes().to_vec();
            body.resize(8, 0);
            kernel.put(kind, len, &body);
            let damage = kernel.all().1.unwrap().to_string();
            assert!(damage.contains(words), "{damage}");
        }
    }

    #[test]
    fn a_head_that_lies_is_reported() {
        let mut kernel = Hostile::starting_at(0);
        kernel.head = SIZE as u64 + 8;
        let damage = kernel.all().1;
        assert!(matches!(damage, Some(RingDamage::Overfull { .. })));
        kernel.head = u64::MAX - 7;
        let damage = kernel.all().1;
        assert!(matches!(damage, Some(RingDamage::Overfull { .. })));
    }

    proptest! {
        #[test]
        fn any_memory_is_read_without_harm(
            words in proptest::collection::vec(any::<u64>(), SIZE / 8),
            kinds in proptest::collection::vec(0_u32..12, SIZE / 8),
            lens in proptest::collection::vec(0_u16..80, SIZE / 8),
            plausible in proptest::collection::vec(any::<bool>(), SIZE / 8),
            tail in any::<u64>(),
            distance in 0_u64..300,
        ) {
            let mut kernel = Hostile::starting_at(tail & !7);
            for (i, word) in words.iter().enumerate() {
                let header = u64::from(kinds[i]) | u64::from(lens[i]) << 48;
                let word = if plausible[i] { header } else { *word };
                kernel.buffer.pages.put_word(PAGE + 8 * i, word);
            }
            kernel.head = (tail & !7).wrapping_add(distance);
            let (seen, _) = kernel.all();
            prop_assert!(seen.len() <= SIZE / 8);
        }
    }
}
