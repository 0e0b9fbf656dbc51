//! The consumer's half of a perf event's buffer, and the way from record to record in it.
//!
//! Positions count bytes since the buffer was made. Unlike a ring buffer's, the data area is mapped once: a record that begins
//! near its end goes on at its start.
//!
//! ```text
//!   kernel (the buffer's CPU)                 reader
//!   -------------------------                 ------
//!   room check               (acquire)  <-    tail := position   (release)
//!   ... writes the record ...
//!   head := head + size      (release)  ->    head               (acquire), then all records up to it may be read
//! ```
//!
//! A record begins with 8 bytes: its kind (4), flags (2) and its size, header included (2), which is a multiple of 8.

use super::damage::RingDamage;
use super::memory::{Memory, Word};
use crate::sys::perf_sample::{SampleDetails, SampleShape};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

pub(super) const HEADER: u64 = 8;
/// `PERF_RECORD_LOST`: after the header the event's id (8) and how many records found no room (8).
const LOST: u32 = 2;
/// `PERF_RECORD_SAMPLE`: after the header what `PERF_SAMPLE_RAW` asks for, a length (4) and as many bytes.
const SAMPLE: u32 = 9;

/// How far a perf buffer has been read.
#[derive(Debug)]
pub(super) struct PerfReader {
    /// The tail. Nobody else writes it, so that it need not be loaded again.
    published: u64,
    /// Everything before is taken. An atomic, so that a batch can be read in any thread.
    taken: AtomicU64,
    head: u64,
    /// Bytes in the data area, a power of two.
    size: u64,
}

#[derive(Debug, Clone, Copy)]
struct Walk {
    /// Everything before is done with.
    position: u64,
    head: u64,
    /// Bytes in the data area, a power of two.
    size: u64,
}

/// A record: where it begins, and how long it is with its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FoundPerf {
    pub(super) kind: u32,
    pub(super) position: u64,
    pub(super) len: u64,
}

impl PerfReader {
    /// A reader of a buffer of `size` bytes, a power of two.
    pub(super) fn new(memory: &impl Memory<u64>, size: u64) -> Self {
        let position = memory.load(Word::Consumer, Acquire);
        Self {
            published: position,
            taken: AtomicU64::new(position),
            head: position,
            size,
        }
    }

    /// Bytes that the buffer has room for.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Looks how far the kernel has come since. Records that were taken and not published come again.
    pub(super) fn begin(&mut self, memory: &impl Memory<u64>) {
        *self.taken.get_mut() = self.published;
        self.head = memory.load(Word::Producer, Acquire);
    }

    /// Whether [`PerfReader::next`] would find a record or damage.
    pub(super) fn is_ready(&self) -> bool {
        self.taken.load(Relaxed) != self.head
    }

    /// Takes the next record, which no other thread gets.
    pub(super) fn next(&self, memory: &impl Memory<u64>) -> Result<Option<FoundPerf>, RingDamage> {
        loop {
            let position = self.taken.load(Relaxed);
            let walk = Walk {
                position,
                head: self.head,
                size: self.size,
            };
            let Some(found) = walk.find(memory)? else {
                return Ok(None);
            };
            let next = position.wrapping_add(found.len);
            let mine = self
                .taken
                .compare_exchange(position, next, Relaxed, Relaxed);
            if mine.is_ok() {
                return Ok(Some(found));
            }
        }
    }

    /// Tells the kernel that everything taken so far may be overwritten.
    pub(super) fn publish(&mut self, memory: &impl Memory<u64>) {
        // The kernel wakes by counting what it writes, not by looking how far we are: no fence is needed.
        self.published = *self.taken.get_mut();
        memory.store(Word::Consumer, self.published, Release);
    }
}

impl Walk {
    fn find(&self, memory: &impl Memory<u64>) -> Result<Option<FoundPerf>, RingDamage> {
        let position = self.position;
        let left = self.head.wrapping_sub(position);
        if left == 0 {
            return Ok(None);
        }
        if left > self.size {
            return Err(RingDamage::Overfull {
                position,
                producer: self.head,
                size: self.size,
            });
        }
        if !position.is_multiple_of(HEADER) {
            return Err(RingDamage::Misaligned { position });
        }
        // A multiple of 8 below the size, which is one, too: the header is in one piece.
        let offset = usize::try_from(position & (self.size - 1)).unwrap_or(usize::MAX);
        // Everything up to the head was written before the head was: no order is needed any more.
        let header = memory.load(Word::Header(offset), Relaxed).to_ne_bytes();
        let [k0, k1, k2, k3, _, _, s0, s1] = header;
        let len = u64::from(u16::from_ne_bytes([s0, s1]));
        if len < HEADER {
            return Err(RingDamage::RecordTooShort {
                position,
                len,
                wanted: HEADER,
            });
        }
        if len > left {
            return Err(RingDamage::RecordTooLong {
                position,
                len,
                left,
            });
        }
        Ok(Some(FoundPerf {
            kind: u32::from_ne_bytes([k0, k1, k2, k3]),
            position,
            len,
        }))
    }
}

/// What a perf event wrote into its buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PerfEntry<'a> {
    /// A sample.
    Sample {
        /// What a program wrote, padded by up to seven bytes.
        raw: &'a [u8],
        /// What else the event was opened for.
        details: SampleDetails,
    },
    /// So many records found no room before this one did.
    Lost(u64),
    /// A record of a kind that nobody asked for (`PERF_RECORD_*`).
    Other(u32),
}

impl FoundPerf {
    /// Makes sense of the record's bytes, those behind the header.
    pub(super) fn entry<'a>(
        &self,
        shape: SampleShape,
        body: &'a [u8],
    ) -> Result<PerfEntry<'a>, RingDamage> {
        let too_short = |wanted: u64| RingDamage::RecordTooShort {
            position: self.position,
            len: self.len,
            wanted: wanted.saturating_add(HEADER),
        };
        match self.kind {
            SAMPLE => {
                let (details, raw) = shape.parse(body).map_err(too_short)?;
                Ok(PerfEntry::Sample { raw, details })
            }
            LOST => {
                let count = body.get(8..).and_then(|rest| rest.first_chunk());
                let count = count.ok_or_else(|| too_short(16))?;
                Ok(PerfEntry::Lost(u64::from_ne_bytes(*count)))
            }
            kind => Ok(PerfEntry::Other(kind)),
        }
    }
}
