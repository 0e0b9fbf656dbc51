#![allow(unsafe_code)]
//! The two mappings of a ring buffer that user space writes: the consumer's position (the kernel's to write), and the producer's
//! position with the data (ours to write).
//!
//! A slot is lent as `&mut [u8]`. It borrows the mapping, so that there is one at a time, and nothing else makes references to
//! the data. The kernel reads a record only when its header says that it is committed, which happens when its slot is gone.

use super::damage::RingDamage;
use super::mapping::OnlyOne;
use super::memory::{Memory, Word};
use super::writer::{Fate, Reserved, Writer};
use crate::sys::bpf::{MapFd, map_info};
use crate::sys::mapping::{cell_u32, cell_usize};
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
        if shape.map_type != MapType::USER_RINGBUF || !size.is_power_of_two() {
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
        let reserved = self.writer.reserve(&self.pages, len)?;
        Ok(reserved.map(|reserved| UserSlot {
            ring: self,
            reserved,
            fate: Fate::Discard,
        }))
    }
}

/// A record to be written, which programs wait for. Discarded when it is dropped.
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
        Writer::commit(&self.ring.pages, self.reserved, self.fate);
    }
}

impl Deref for UserSlot<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let Some((first, len)) = self.ring.pages.place(self.reserved) else {
            return &[];
        };
        // SAFETY: `place` is inside the mapping, which lives as long as the ring that is borrowed here. Only this slot writes
        // there, by `&mut`: the kernel only reads, and there is no other slot.
        unsafe { std::slice::from_raw_parts(first, len) }
    }
}

impl DerefMut for UserSlot<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        let Some((first, len)) = self.ring.pages.place(self.reserved) else {
            return &mut [];
        };
        // SAFETY: as above; the slice borrows the slot exclusively, and the slot the ring. The mapping is writable, and the
        // kernel does not look at the record before its header is committed.
        unsafe { std::slice::from_raw_parts_mut(first, len) }
    }
}

impl Pages {
    /// Where a record's bytes are: behind its header, in the data that is mapped twice in a row.
    fn place(&self, reserved: Reserved) -> Option<(*mut u8, usize)> {
        const HEADER: usize = 8;
        let len = usize::try_from(reserved.len).ok()?;
        let start = self
            .page
            .checked_add(reserved.header)?
            .checked_add(HEADER)?;
        let inside = start.checked_add(len)? <= self.producer.len();
        inside.then(|| (self.producer.as_mut_ptr().wrapping_add(start), len))
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
        match word {
            // Mapped read-only.
            Word::Consumer => {}
            Word::Producer => {
                if let Some(cell) = cell_usize(&self.producer, 0) {
                    cell.store(value, order);
                }
            }
            Word::Header(offset) => {
                let cell = cell_u32(&self.producer, self.page.saturating_add(offset));
                if let (Some(cell), Ok(value)) = (cell, u32::try_from(value)) {
                    cell.store(value, order);
                }
            }
        }
    }

    fn fence(&self, order: Ordering) {
        fence(order);
    }
}
