//! The two mappings of a ring buffer that user space writes: the consumer's position (the kernel's to write), and the producer's
//! position with the data (ours to write).
//!
//! A record is written in memory of our own, and copied into the ring when it is submitted. Whoever else has the ring mapped can
//! thus spoil what programs read, and nothing here.

use super::damage::RingDamage;
use super::memory::{Memory, Word, header, header_word, position, position_word};
use super::only_one::OnlyOne;
use super::walk::HEADER;
use super::writer::{Fate, Reserved, Writer};
use crate::sys::bpf::{MapFd, map_info};
use crate::sys::words::{copy_in, load, store};
use crate::sys::{errno, system};
use crate::{Errno, MapType};
use memmap2::{MmapOptions, MmapRaw};
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{Ordering, fence};

/// The memory of a ring buffer that programs drain, and how far it has been written. Since Linux 6.1.
#[derive(Debug)]
pub struct UserRingMapping {
    pages: Pages,
    writer: Writer,
    /// The bytes of the record that is reserved.
    draft: Vec<u8>,
    _only_one: OnlyOne,
}

#[derive(Debug)]
struct Pages {
    consumer: MmapRaw,
    producer: MmapRaw,
    page: usize,
}

impl UserRingMapping {
    /// Maps a ring buffer.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the map is no user ring buffer, `EBUSY` if this process writes it already.
    pub fn open(map: &MapFd) -> Result<Self, Errno> {
        let shape = map.shape();
        let size = shape.max_entries as usize;
        if shape.kind != MapType::USER_RINGBUF || !size.is_power_of_two() {
            return Err(Errno::EINVAL);
        }
        let only_one = OnlyOne::claim(map_info(map.as_fd())?.id)?;
        let page = system::page_size();
        let data = size.checked_mul(2).ok_or(Errno::E2BIG)?;
        let fd = map.as_fd().as_raw_fd();
        let consumer = MmapOptions::new()
            .len(page)
            .map_raw_read_only(fd)
            .map_err(|e| errno::from_io(&e))?;
        let producer = MmapOptions::new()
            .offset(page as u64)
            .len(page.checked_add(data).ok_or(Errno::E2BIG)?)
            .map_raw(fd)
            .map_err(|e| errno::from_io(&e))?;
        let pages = Pages {
            consumer,
            producer,
            page,
        };
        let writer = Writer::new(&pages, size);
        Ok(Self {
            pages,
            writer,
            draft: Vec::new(),
            _only_one: only_one,
        })
    }

    /// The longest record there can be.
    pub fn longest(&self) -> usize {
        self.writer.longest()
    }

    /// Whether a record of `len` bytes could be reserved now.
    pub fn has_room(&self, len: usize) -> Result<bool, RingDamage> {
        self.writer.has_room(&self.pages, len)
    }

    /// Reserves a record; `None` if there is no room for it.
    pub fn reserve(&mut self, len: usize) -> Result<Option<UserSlot<'_>>, RingDamage> {
        let Some(reserved) = self.writer.reserve(&self.pages, len)? else {
            return Ok(None);
        };
        self.draft.clear();
        self.draft.resize(len, 0);
        Ok(Some(UserSlot {
            ring: self,
            reserved,
            fate: Fate::Discard,
        }))
    }
}

/// A record to be written, which programs wait for; it begins as zeros. Discarded when it is dropped.
#[derive(Debug)]
pub struct UserSlot<'a> {
    ring: &'a mut UserRingMapping,
    reserved: Reserved,
    fate: Fate,
}

impl UserSlot<'_> {
    /// Gives the record to the program that drains the ring next.
    pub fn submit(mut self) {
        self.fate = Fate::Submit;
    }
}

impl Drop for UserSlot<'_> {
    fn drop(&mut self) {
        let UserRingMapping { pages, draft, .. } = &*self.ring;
        let fate = match self.fate {
            Fate::Submit if pages.write(self.reserved, draft).is_some() => Fate::Submit,
            _ => Fate::Discard,
        };
        Writer::commit(pages, self.reserved, fate);
    }
}

impl Deref for UserSlot<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.ring.draft
    }
}

impl DerefMut for UserSlot<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.ring.draft
    }
}

impl Pages {
    /// Copies a record's bytes behind its header, into the data that is mapped twice in a row.
    fn write(&self, reserved: Reserved, bytes: &[u8]) -> Option<()> {
        let start = self
            .page
            .checked_add(reserved.header)?
            .checked_add(HEADER)?;
        copy_in(&self.producer, start, bytes)
    }
}

impl Memory<usize> for Pages {
    fn load(&self, word: Word, order: Ordering) -> usize {
        match word {
            Word::Consumer => load(&self.consumer, 0, order).map_or(0, position),
            Word::Producer => load(&self.producer, 0, order).map_or(0, position),
            Word::Header(offset) => load(&self.producer, self.page.saturating_add(offset), order)
                .map_or(usize::MAX, header),
        }
    }

    fn store(&self, word: Word, value: usize, order: Ordering) {
        let (at, value) = match (word, u32::try_from(value)) {
            (Word::Producer, _) => (0, position_word(value)),
            (Word::Header(offset), Ok(header)) => {
                (self.page.saturating_add(offset), header_word(header))
            }
            // The consumer's position is mapped read-only.
            _ => return,
        };
        store(&self.producer, at, value, order);
    }

    fn fence(&self, order: Ordering) {
        fence(order);
    }
}
