#![allow(unsafe_code)]
//! The two mappings of a ring buffer: the consumer's position (ours to write), and the producer's position with the data
//! (ours to read).
//!
//! The kernel writes to a record only before it is committed and after the consumer's position has passed it. Records can
//! therefore be lent as slices, if that position moves only when none is borrowed. Two things see to that: the position is
//! published by `&mut` methods only, and a map has one [`RingMapping`] at a time in a process.

use super::damage::RingDamage;
use super::memory::{Memory, Word};
use super::reader::Reader;
use crate::sys::bpf::{MapFd, map_info};
use crate::sys::mapping::{cell_u32, cell_usize};
use crate::sys::{errno, system};
use crate::{Errno, MapFlags, MapType};
use memmap2::{MmapOptions, MmapRaw};
use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Mutex, PoisonError};

/// A ring buffer's memory, and how far it has been read. Since Linux 5.8.
#[derive(Debug)]
pub struct RingMapping {
    pages: Pages,
    reader: Reader,
    _only_one: OnlyOne,
}

/// The two mappings.
#[derive(Debug)]
struct Pages {
    consumer: MmapRaw,
    producer: MmapRaw,
    page: usize,
}

impl RingMapping {
    /// Maps a ring buffer.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the map is no ring buffer, `EBUSY` if this process reads it already, `EOPNOTSUPP` if the kernel
    /// overwrites records that nobody has read (`BPF_F_RB_OVERWRITE`): those cannot be lent.
    pub fn open(map: &MapFd) -> Result<Self, Errno> {
        let shape = map.shape();
        let size = shape.max_entries as usize;
        if shape.map_type != MapType::RINGBUF || !size.is_power_of_two() {
            return Err(Errno::EINVAL);
        }
        if shape.flags.contains(MapFlags::RB_OVERWRITE) {
            return Err(Errno::EOPNOTSUPP);
        }
        let only_one = OnlyOne::claim(map_info(map.as_fd())?.id)?;
        let page = system::page_size();
        let data = size.checked_mul(2).ok_or(Errno::E2BIG)?;
        let fd = map.as_fd().as_raw_fd();
        let consumer = MmapOptions::new()
            .len(page)
            .map_raw(fd)
            .map_err(|e| errno::from_io(&e))?;
        let producer = MmapOptions::new()
            .offset(page as u64)
            .len(page.checked_add(data).ok_or(Errno::E2BIG)?)
            .map_raw_read_only(fd)
            .map_err(|e| errno::from_io(&e))?;
        let pages = Pages {
            consumer,
            producer,
            page,
        };
        Ok(Self::over(pages, size, only_one))
    }

    fn over(pages: Pages, size: usize, only_one: OnlyOne) -> Self {
        let mut mapping = Self {
            pages,
            reader: Reader::new(size),
            _only_one: only_one,
        };
        mapping.begin();
        mapping
    }

    /// Bytes that the ring has room for, headers included.
    pub fn size(&self) -> usize {
        self.reader.size()
    }

    /// Bytes between the consumer's position and the producer's, as published: headers, padding and busy records included.
    pub fn unread(&self) -> usize {
        Reader::unread(&self.pages)
    }

    /// Looks how far the producer has come since. Records that were taken and not published come again.
    pub fn begin(&mut self) {
        self.reader.begin(&self.pages);
    }

    /// Whether [`RingMapping::next`] would lend a record or find damage.
    pub fn is_ready(&self) -> bool {
        self.reader.is_ready(&self.pages)
    }

    /// Lends the next record; `None` at the end, and in front of one that a program is still writing.
    #[inline]
    pub fn next(&self) -> Result<Option<&[u8]>, RingDamage> {
        let found = self.reader.next(&self.pages)?;
        Ok(found.and_then(|found| self.bytes(found.offset, found.len)))
    }

    /// Tells the kernel that everything taken so far may be overwritten.
    pub fn publish(&mut self) {
        self.reader.publish(&self.pages);
    }

    #[inline]
    fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        let start = self.pages.page.checked_add(offset)?;
        if start.checked_add(len)? > self.pages.producer.len() {
            return None;
        }
        let first = self.pages.producer.as_ptr().wrapping_add(start);
        // SAFETY: just found to be inside the mapping, which lives as long as `self`. The bytes belong to a record whose header,
        // loaded with acquire, said that it is committed, and the consumer's position has not passed it: the kernel does not
        // write to it, and as `publish` takes `&mut self`, this stays so as long as the slice lives.
        Some(unsafe { std::slice::from_raw_parts(first, len) })
    }
}

impl Memory<usize> for Pages {
    fn load(&self, word: Word, order: Ordering) -> usize {
        match word {
            Word::Consumer => cell_usize(&self.consumer, 0).map_or(0, |cell| cell.load(order)),
            Word::Producer => cell_usize(&self.producer, 0).map_or(0, |cell| cell.load(order)),
            Word::Header(offset) => cell_u32(&self.producer, self.page.saturating_add(offset))
                .map_or(usize::MAX, |cell| cell.load(order) as usize),
        }
    }

    fn store(&self, word: Word, value: usize, order: Ordering) {
        // The rest is mapped read-only.
        if word == Word::Consumer
            && let Some(cell) = cell_usize(&self.consumer, 0)
        {
            cell.store(value, order);
        }
    }

    fn fence(&self, order: Ordering) {
        fence(order);
    }
}

/// The claim of a mapping to be the only one of its map in this process.
#[derive(Debug)]
pub(super) struct OnlyOne {
    map_id: u32,
}

/// The maps that are in use. An id is not given to another map as long as this one lives, and a mapping keeps it alive.
static IN_USE: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

impl OnlyOne {
    pub(super) fn claim(map_id: u32) -> Result<Self, Errno> {
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        if in_use.insert(map_id) {
            Ok(Self { map_id })
        } else {
            Err(Errno::EBUSY)
        }
    }
}

impl Drop for OnlyOne {
    fn drop(&mut self) {
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.remove(&self.map_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_has_one_reader() {
        // Far above what the kernel gives out in a test run.
        let id = u32::MAX;
        let first = OnlyOne::claim(id).unwrap();
        assert_eq!(OnlyOne::claim(id).unwrap_err(), Errno::EBUSY);
        drop(first);
        OnlyOne::claim(id).unwrap();
    }
}
