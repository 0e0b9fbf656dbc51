//! Many elements in one call, or one by one where the kernel has no batches.
//!
//! Linux 5.6 introduced batches for hashes and arrays, later kernels for other types. A map type without them answers
//! [`Errno::ENOTSUPP`]; older kernels do not know the command. Both show at the first batch.

use super::elements::LOCK;
use super::{Map, UpdateMode};
use crate::btf::{Layout, Rooms};
use crate::sys::bpf::{self, BatchMode, BatchStopped, MapFd};
use crate::{Errno, Error, ErrorKind, Result};
use zerocopy::IntoBytes;

/// How many elements the first batch of [`Map::batches`] has.
const FIRST_BATCH: usize = 256;

/// Where the next batch starts; [`BatchCursor::default`] is the beginning of the map.
#[derive(Debug, Clone, Default)]
pub struct BatchCursor(Position);

#[derive(Debug, Clone)]
enum Position {
    /// The kernel's own position.
    Kernel(bpf::BatchCursor),
    /// One by one, after this key; an empty key is the beginning.
    After(Vec<u8>),
    End,
}

impl Default for Position {
    fn default() -> Self {
        Self::Kernel(bpf::BatchCursor::default())
    }
}

impl BatchCursor {
    /// Whether the last element has been read.
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Position::Kernel(cursor) => cursor.is_finished(),
            Position::After(_) => false,
            Position::End => true,
        }
    }

    /// Whether elements are read one by one, because the kernel has no batches for this map type.
    pub fn is_one_by_one(&self) -> bool {
        matches!(self.0, Position::After(_))
    }
}

fn has_no_batches(errno: Errno) -> bool {
    matches!(errno, Errno::ENOTSUPP | Errno::EOPNOTSUPP | Errno::EINVAL)
}

/// Batches of bytes.
impl Map {
    /// Reads as many elements as fit into `keys` and `values` and returns how many; 0 once `cursor` is at the end. In one
    /// call since Linux 5.6 (some types later), one by one before.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there is no room for the next bucket of a hash: repeat with longer slices.
    #[doc(alias = "bpf_map_lookup_batch")]
    #[doc(alias = "bpf_map_lookup_and_delete_batch")]
    pub fn get_batch(
        &self,
        cursor: &mut BatchCursor,
        keys: &mut [u8],
        values: &mut [u8],
        mode: BatchMode,
    ) -> Result<usize> {
        self.get_elements(cursor, keys, values, (mode, 0))
    }

    /// [`Map::get_batch`], holding each element's `bpf_spin_lock` while it is read.
    ///
    /// # Errors
    /// Those of the unlocked method, and `InvalidArgument` if the values have no lock.
    #[doc(alias = "BPF_F_LOCK")]
    #[doc(alias = "bpf_map_batch_opts")]
    pub fn get_batch_locked(
        &self,
        cursor: &mut BatchCursor,
        keys: &mut [u8],
        values: &mut [u8],
        mode: BatchMode,
    ) -> Result<usize> {
        self.get_elements(cursor, keys, values, (mode, LOCK))
    }

    fn get_elements(
        &self,
        cursor: &mut BatchCursor,
        keys: &mut [u8],
        values: &mut [u8],
        (mode, elem_flags): (BatchMode, u64),
    ) -> Result<usize> {
        self.check_room(keys, values)?;
        let read = self.read_batch(cursor, keys, values, (mode, elem_flags));
        read.map_err(|errno| match errno {
            Errno::EINVAL if elem_flags & LOCK != 0 => {
                self.no_lock("cannot read a batch of elements")
            }
            _ => self.fail(errno, "cannot read a batch of elements"),
        })
    }

    fn check_room(&self, keys: &[u8], values: &[u8]) -> Result<()> {
        for (what, given, least) in [
            ("key", keys.len(), self.key_size()),
            ("value", values.len(), self.value_len()?),
        ] {
            if given < least {
                let message = format!("the slice has {given} bytes, but one {what} has {least}");
                return Err(self.blame(Error::new(ErrorKind::InvalidArgument, message)));
            }
        }
        Ok(())
    }

    /// Writes all elements in `keys` and `values`. In one call since Linux 5.6, one by one before.
    ///
    /// # Errors
    ///
    /// The message says how many elements were written before the batch stopped.
    #[doc(alias = "bpf_map_update_batch")]
    pub fn insert_batch(&self, keys: &[u8], values: &[u8], mode: UpdateMode) -> Result<()> {
        self.check_elements(keys, values)?;
        self.write_batch(keys, values, mode.flags())
    }

    /// [`Map::insert_batch`], holding each element's `bpf_spin_lock` while it is written.
    ///
    /// # Errors
    /// Those of the unlocked method, and `InvalidArgument` if the values have no lock.
    #[doc(alias = "BPF_F_LOCK")]
    #[doc(alias = "bpf_map_batch_opts")]
    pub fn insert_batch_locked(&self, keys: &[u8], values: &[u8], mode: UpdateMode) -> Result<()> {
        self.check_elements(keys, values)?;
        self.write_batch(keys, values, mode.flags() | LOCK)
    }

    fn check_elements(&self, keys: &[u8], values: &[u8]) -> Result<()> {
        let value_len = self.value_len()?;
        let counts = [(keys, self.key_size()), (values, value_len)].map(|(bytes, one)| {
            bytes
                .len()
                .checked_div(one)
                .filter(|n| n * one == bytes.len())
        });
        let [Some(key_count), Some(value_count)] = counts else {
            let message = format!(
                "{} bytes of keys and {} bytes of values are not a whole number of elements of {} and {value_len} bytes",
                keys.len(),
                values.len(),
                self.key_size()
            );
            return Err(self.blame(Error::new(ErrorKind::InvalidArgument, message)));
        };
        self.check_counts(key_count, value_count)
    }

    /// Removes the elements with these keys. In one call since Linux 5.6, one by one before.
    #[doc(alias = "bpf_map_delete_batch")]
    pub fn remove_batch(&self, keys: &[u8]) -> Result<()> {
        if !keys.len().is_multiple_of(self.key_size().max(1)) {
            let message = format!(
                "{} bytes are not a whole number of keys of {} bytes",
                keys.len(),
                self.key_size()
            );
            return Err(self.blame(Error::new(ErrorKind::InvalidArgument, message)));
        }
        self.delete_batch(keys)
    }
}

/// Batches of plain data.
impl<K: Layout, V: Layout> Map<K, V> {
    /// Reads all elements, a batch at a time. Each batch is lent.
    ///
    /// ```no_run
    /// # fn main() -> rawbpf::Result<()> {
    /// # let map = rawbpf::map::Map::from_id(1)?.typed::<u32, u64>()?;
    /// let mut sum = 0;
    /// let mut batches = map.batches();
    /// while let Some((_keys, values)) = batches.next_batch()? {
    ///     sum += values.iter().sum::<u64>();
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn batches(&self) -> Batches<K, V> {
        Batches::new(self, BatchMode::Keep)
    }

    /// Reads and removes all elements, a batch at a time. Each batch is lent. Elements that programs insert meanwhile may be
    /// left.
    pub fn drain(&self) -> Batches<K, V> {
        Batches::new(self, BatchMode::Remove)
    }

    /// Writes elements: the first key with the first value, and so on. In one call since Linux 5.6, one by one before.
    pub fn insert_batch(&self, keys: &[K], values: &[V], mode: UpdateMode) -> Result<()> {
        self.check_counts(keys.len(), values.len())?;
        self.write_batch(keys.as_bytes(), values.as_bytes(), mode.flags())
    }

    /// Removes elements, stopping at the first that does not exist. In one call since Linux 5.6, one by one before.
    pub fn remove_batch(&self, keys: &[K]) -> Result<()> {
        self.delete_batch(keys.as_bytes())
    }
}

/// Reads a map a batch at a time. Returned by [`Map::batches`] and [`Map::drain`].
#[derive(Debug)]
pub struct Batches<K, V> {
    map: Map<K, V>,
    cursor: BatchCursor,
    mode: BatchMode,
    keys: Rooms<K>,
    values: Rooms<V>,
}

impl<K: Layout, V: Layout> Batches<K, V> {
    fn new(map: &Map<K, V>, mode: BatchMode) -> Self {
        Self {
            map: map.clone(),
            cursor: BatchCursor::default(),
            mode,
            keys: Rooms::new(FIRST_BATCH),
            values: Rooms::new(FIRST_BATCH),
        }
    }

    /// Sets the maximum number of elements per batch. It grows automatically when a bucket of a hash needs more room.
    pub fn with_batch_size(mut self, elements: usize) -> Self {
        self.resize(elements.max(1));
        self
    }

    fn resize(&mut self, elements: usize) {
        self.keys = Rooms::new(elements);
        self.values = Rooms::new(elements);
    }

    /// The next elements, or `None` after the last.
    ///
    /// # Errors
    /// `Corrupt` if the bytes of a key or value are invalid for the view's type; the next call continues after this batch.
    pub fn next_batch(&mut self) -> Result<Option<(&[K], &[V])>> {
        while !self.cursor.is_finished() {
            let (keys, values) = (self.keys.bytes_mut(), self.values.bytes_mut());
            let count = match self
                .map
                .read_batch(&mut self.cursor, keys, values, (self.mode, 0))
            {
                Ok(0) => continue,
                Ok(count) => count,
                Err(Errno::ENOSPC) if self.keys.len() < self.map.max_entries() as usize => {
                    self.resize(self.keys.len().saturating_mul(2));
                    continue;
                }
                Err(errno) => return Err(self.map.fail(errno, "cannot read a batch of elements")),
            };
            let keys = self.keys.values(count);
            let keys = keys.map_err(|e| self.map.blame(e.context("key")))?;
            let values = self.values.values(count);
            let values = values.map_err(|e| self.map.blame(e.context("value")))?;
            return Ok(Some((keys, values)));
        }
        Ok(None)
    }
}

impl<K: ?Sized, V: ?Sized> Map<K, V> {
    fn check_counts(&self, keys: usize, values: usize) -> Result<()> {
        if keys == values {
            return Ok(());
        }
        let message = format!("{keys} keys were given, but {values} values");
        Err(self.blame(Error::new(ErrorKind::InvalidArgument, message)))
    }

    fn read_batch(
        &self,
        cursor: &mut BatchCursor,
        keys: &mut [u8],
        values: &mut [u8],
        (mode, elem_flags): (BatchMode, u64),
    ) -> Result<usize, Errno> {
        let value_len = self.raw().value_len()?;
        if keys.len() < self.key_size() || values.len() < value_len {
            return Err(Errno::EINVAL);
        }
        if let Position::Kernel(kernel) = &mut cursor.0 {
            let first = !kernel.is_started();
            match self
                .raw()
                .lookup_batch(kernel, keys, values, mode, elem_flags)
            {
                Err(errno) if first && has_no_batches(errno) => {
                    cursor.0 = Position::After(Vec::new());
                }
                result => return result,
            }
        }
        let pairs = keys
            .chunks_exact_mut(self.key_size().max(1))
            .zip(values.chunks_exact_mut(value_len.max(1)));
        let mut done = 0;
        for (key, value) in pairs {
            if !read_one(self.raw(), &mut cursor.0, (key, value), (mode, elem_flags))? {
                break;
            }
            done += 1;
        }
        Ok(done)
    }

    fn write_batch(&self, keys: &[u8], values: &[u8], elem_flags: u64) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        match self.raw().update_batch(keys, values, elem_flags) {
            Err(BatchStopped { done: 0, errno }) if has_no_batches(errno) => {}
            result => {
                return result.map_err(|stopped| {
                    self.explain_write(stopped.errno)
                        .context(format!("batch, after {} elements", stopped.done))
                });
            }
        }
        let value_len = self.value_len()?;
        let pairs = keys
            .chunks_exact(self.key_size().max(1))
            .zip(values.chunks_exact(value_len.max(1)));
        for (done, (key, value)) in pairs.enumerate() {
            self.update(key, value, elem_flags)
                .map_err(|e| e.context(format!("batch, after {done} elements")))?;
        }
        Ok(())
    }

    fn delete_batch(&self, keys: &[u8]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let stop = |errno, done: usize| {
            self.fail(errno, "cannot remove a batch of elements")
                .context(format!("batch, after {done} elements"))
        };
        match self.raw().delete_batch(keys, 0) {
            Err(BatchStopped { done: 0, errno }) if has_no_batches(errno) => {}
            result => return result.map_err(|stopped| stop(stopped.errno, stopped.done)),
        }
        for (done, key) in keys.chunks_exact(self.key_size().max(1)).enumerate() {
            self.raw()
                .delete(key, 0)
                .map_err(|errno| stop(errno, done))?;
        }
        Ok(())
    }
}

/// Copies the element after `position`, and returns whether there was one.
fn read_one(
    map: &MapFd,
    position: &mut Position,
    (key, value): (&mut [u8], &mut [u8]),
    (mode, elem_flags): (BatchMode, u64),
) -> Result<bool, Errno> {
    while let Position::After(last) = position {
        // A removed key cannot be continued from: the first key is the next one.
        let after = match mode {
            BatchMode::Keep if !last.is_empty() => Some(&last[..]),
            _ => None,
        };
        match map.next_key(after, key) {
            Ok(()) => {}
            Err(Errno::ENOENT) => {
                *position = Position::End;
                break;
            }
            Err(errno) => return Err(errno),
        }
        last.clear();
        last.extend_from_slice(key);
        match map.lookup(key, value, elem_flags) {
            Ok(()) => {}
            // It was removed meanwhile.
            Err(Errno::ENOENT) => continue,
            Err(errno) => return Err(errno),
        }
        if mode == BatchMode::Remove {
            match map.delete(key, 0) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        return Ok(true);
    }
    Ok(false)
}
