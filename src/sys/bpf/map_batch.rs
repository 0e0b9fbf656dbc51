#![allow(unsafe_code)]
//! Many elements in one call. Since Linux 5.6.

use super::call::{Command, address, address_mut, bpf, raw};
use super::map::MapFd;
use crate::Errno;
use crate::sys::attr::MapBatchAttr;
use std::os::fd::AsFd;

/// Whether elements stay in the map after they have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchMode {
    /// The elements stay.
    Keep,
    /// The elements are removed.
    Remove,
}

/// Where the next batch starts; [`BatchCursor::default`] is the beginning of the map.
#[derive(Debug, Clone, Default)]
pub struct BatchCursor {
    /// The kernel's own mark: a bucket number or a key. Empty before the first batch.
    mark: Vec<u8>,
    finished: bool,
}

impl BatchCursor {
    /// Whether any batch has been requested.
    pub fn is_started(&self) -> bool {
        !self.mark.is_empty()
    }

    /// Whether the last element has been read.
    pub fn is_finished(&self) -> bool {
        self.finished
    }
}

/// A batch that stopped early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchStopped {
    /// How many elements were processed before it stopped.
    pub done: usize,
    /// Why it stopped.
    pub errno: Errno,
}

impl From<Errno> for BatchStopped {
    fn from(errno: Errno) -> Self {
        Self { done: 0, errno }
    }
}

impl MapFd {
    /// Reads as many elements as both slices have room for, returns how many, and advances `cursor`.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the slices are too small for the next bucket of a hash; `EINVAL` if they have room for no element.
    #[doc(alias = "bpf_map_lookup_batch")]
    #[doc(alias = "bpf_map_lookup_and_delete_batch")]
    pub fn lookup_batch(
        &self,
        cursor: &mut BatchCursor,
        keys: &mut [u8],
        values: &mut [u8],
        mode: BatchMode,
        elem_flags: u64,
    ) -> Result<usize, Errno> {
        if cursor.finished {
            return Ok(0);
        }
        let room = self.room_for(keys.len(), values.len())?;
        let first = cursor.mark.is_empty();
        // Hashes mark a bucket with 4 bytes, whatever their key; other maps mark a key.
        cursor.mark.resize(self.key_len().max(4), 0);
        let mark = address_mut(&mut cursor.mark);
        let mut attr = MapBatchAttr {
            in_batch: if first { 0 } else { mark },
            out_batch: mark,
            keys: address_mut(keys),
            values: address_mut(values),
            count: room,
            map_fd: raw(self.as_fd()),
            elem_flags,
            flags: 0,
        };
        let command = match mode {
            BatchMode::Keep => Command::MapLookupBatch,
            BatchMode::Remove => Command::MapLookupAndDeleteBatch,
        };
        // SAFETY: both slices have room for `room` elements, and the mark for a bucket number or a key; the mark is read
        // before it is written, and nothing else uses these buffers during the call.
        let result = unsafe { bpf(command, &mut attr) };
        match result {
            Ok(_) => {}
            Err(Errno::ENOENT) => cursor.finished = true,
            Err(errno) => return Err(errno),
        }
        Ok(attr.count.min(room) as usize)
    }

    /// Writes `keys.len() / key_len` elements.
    #[doc(alias = "bpf_map_update_batch")]
    pub fn update_batch(
        &self,
        keys: &[u8],
        values: &[u8],
        elem_flags: u64,
    ) -> Result<(), BatchStopped> {
        let count = self.room_for(keys.len(), values.len())?;
        let attr = MapBatchAttr {
            keys: address(keys),
            values: address(values),
            count,
            elem_flags,
            ..MapBatchAttr::default()
        };
        // SAFETY: both slices hold `count` elements, and the kernel only reads them.
        unsafe { self.write_batch(Command::MapUpdateBatch, attr) }
    }

    /// Removes `keys.len() / key_len` elements.
    #[doc(alias = "bpf_map_delete_batch")]
    pub fn delete_batch(&self, keys: &[u8], elem_flags: u64) -> Result<(), BatchStopped> {
        let count = keys
            .len()
            .checked_div(self.key_len())
            .and_then(|count| u32::try_from(count).ok())
            .filter(|count| *count > 0)
            .ok_or(Errno::EINVAL)?;
        let attr = MapBatchAttr {
            keys: address(keys),
            count,
            elem_flags,
            ..MapBatchAttr::default()
        };
        // SAFETY: the slice holds `count` keys, and the kernel only reads it.
        unsafe { self.write_batch(Command::MapDeleteBatch, attr) }
    }

    /// # Safety
    ///
    /// The pointers in `attr` are valid for reading `count` elements.
    unsafe fn write_batch(
        &self,
        command: Command,
        mut attr: MapBatchAttr,
    ) -> Result<(), BatchStopped> {
        let wanted = attr.count;
        attr.map_fd = raw(self.as_fd());
        // SAFETY: the caller's promise.
        match unsafe { bpf(command, &mut attr) } {
            Ok(_) => Ok(()),
            Err(errno) => Err(BatchStopped {
                // A kernel that refuses the whole command leaves the count unchanged.
                done: if attr.count < wanted {
                    attr.count as usize
                } else {
                    0
                },
                errno,
            }),
        }
    }

    /// How many elements slices of these lengths have room for.
    fn room_for(&self, keys: usize, values: usize) -> Result<u32, Errno> {
        let by_key = keys.checked_div(self.key_len()).ok_or(Errno::EINVAL)?;
        let by_value = values.checked_div(self.value_len()?).ok_or(Errno::EINVAL)?;
        match u32::try_from(by_key.min(by_value)) {
            Ok(0) => Err(Errno::EINVAL),
            Ok(room) => Ok(room),
            Err(_) => Err(Errno::E2BIG),
        }
    }
}
