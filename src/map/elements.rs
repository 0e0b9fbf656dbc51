//! Elements, one at a time and in batches, as bytes.

use super::Map;
use crate::sys::bpf::{BatchCursor, BatchMode};
use crate::{Errno, Error, Result};

/// What has to be true of the key when an element is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UpdateMode {
    /// Nothing: the element is made or overwritten.
    #[default]
    #[doc(alias = "BPF_ANY")]
    Any,
    /// The key is not there yet.
    #[doc(alias = "BPF_NOEXIST")]
    NoExist,
    /// The key is there already.
    #[doc(alias = "BPF_EXIST")]
    Exist,
}

impl UpdateMode {
    fn flags(self) -> u64 {
        match self {
            Self::Any => 0,
            Self::NoExist => 1,
            Self::Exist => 2,
        }
    }
}

/// Spin-locked values are copied with their lock held.
const LOCK: u64 = 4;

impl Map {
    /// Bytes that user space exchanges for a value: [`Map::value_size`], or in per-CPU maps one value for each possible
    /// CPU, each padded to 8 bytes.
    pub fn value_len(&self) -> Result<usize> {
        self.raw()
            .value_len()
            .map_err(|errno| self.fail(errno, "cannot count the possible CPUs"))
    }

    /// The value at `key`, or `None` if there is none. In per-CPU maps: all values, see [`Map::get_per_cpu`].
    #[doc(alias = "bpf_map__lookup_elem")]
    #[doc(alias = "bpf_map_lookup_elem")]
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut value = vec![0; self.value_len()?];
        Ok(self.get_into(key, &mut value)?.then_some(value))
    }

    /// Copies the value at `key` to `value`, and says whether there is one.
    pub fn get_into(&self, key: &[u8], value: &mut [u8]) -> Result<bool> {
        self.lookup(key, value, 0)
    }

    /// As [`Map::get_into`], holding the `bpf_spin_lock` that is part of the value. Since Linux 5.1.
    #[doc(alias = "bpf_map_lookup_elem_flags")]
    pub fn get_locked_into(&self, key: &[u8], value: &mut [u8]) -> Result<bool> {
        self.lookup(key, value, LOCK)
    }

    fn lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<bool> {
        self.check_key(key)?;
        self.check_value(value)?;
        match self.raw().lookup(key, value, flags) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.fail(errno, "cannot read an element")),
        }
    }

    /// Writes an element. `value` has [`Map::value_len`] bytes.
    ///
    /// # Errors
    ///
    /// `EEXIST` or `ENOENT` if `mode` does not hold, `E2BIG` if the map is full, `EPERM` if it is frozen.
    #[doc(alias = "bpf_map__update_elem")]
    #[doc(alias = "bpf_map_update_elem")]
    pub fn insert(&self, key: &[u8], value: &[u8], mode: UpdateMode) -> Result<()> {
        self.update(key, value, mode.flags())
    }

    /// As [`Map::insert`], holding the `bpf_spin_lock` that is part of the value. Since Linux 5.1.
    pub fn insert_locked(&self, key: &[u8], value: &[u8], mode: UpdateMode) -> Result<()> {
        self.update(key, value, mode.flags() | LOCK)
    }

    fn update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<()> {
        self.check_key(key)?;
        self.check_value(value)?;
        self.raw()
            .update(key, value, flags)
            .map_err(|errno| self.explain_write(errno))
    }

    /// Removes an element, and says whether there was one.
    #[doc(alias = "bpf_map__delete_elem")]
    #[doc(alias = "bpf_map_delete_elem")]
    pub fn remove(&self, key: &[u8]) -> Result<bool> {
        self.check_key(key)?;
        match self.raw().delete(key, 0) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.fail(errno, "cannot remove an element")),
        }
    }

    /// Removes an element and returns its value. Hashes since Linux 5.14.
    #[doc(alias = "bpf_map__lookup_and_delete_elem")]
    #[doc(alias = "bpf_map_lookup_and_delete_elem")]
    pub fn take(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.check_key(key)?;
        let mut value = vec![0; self.value_len()?];
        match self.raw().lookup_and_delete(key, &mut value, 0) {
            Ok(()) => Ok(Some(value)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(self.fail(errno, "cannot take an element")),
        }
    }

    /// Adds a value to a queue, a stack or a bloom filter, which have no keys.
    pub fn push(&self, value: &[u8]) -> Result<()> {
        self.update(&[], value, 0)
    }

    /// Takes the next value off a queue or a stack.
    pub fn pop(&self) -> Result<Option<Vec<u8>>> {
        self.take(&[])
    }

    /// Reads the next value of a queue or a stack.
    pub fn peek(&self) -> Result<Option<Vec<u8>>> {
        self.get(&[])
    }

    /// Reads as many elements as fit into `keys` and `values` and says how many; 0 once `cursor` has come to the end.
    /// Since Linux 5.6, for some types later.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there is not enough room for the next bucket of a hash: repeat with longer slices.
    #[doc(alias = "bpf_map_lookup_batch")]
    #[doc(alias = "bpf_map_lookup_and_delete_batch")]
    pub fn get_batch(
        &self,
        cursor: &mut BatchCursor,
        keys: &mut [u8],
        values: &mut [u8],
        mode: BatchMode,
    ) -> Result<usize> {
        self.raw()
            .lookup_batch(cursor, keys, values, mode, 0)
            .map_err(|errno| self.fail(errno, "cannot read a batch of elements"))
    }

    /// Writes as many elements as `keys` and `values` hold. Since Linux 5.6.
    #[doc(alias = "bpf_map_update_batch")]
    pub fn insert_batch(&self, keys: &[u8], values: &[u8], mode: UpdateMode) -> Result<()> {
        self.raw()
            .update_batch(keys, values, mode.flags())
            .map_err(|stopped| {
                self.explain_write(stopped.errno)
                    .context(format!("batch, after {} elements", stopped.done))
            })
    }

    /// Removes as many elements as `keys` holds. Since Linux 5.6.
    #[doc(alias = "bpf_map_delete_batch")]
    pub fn remove_batch(&self, keys: &[u8]) -> Result<()> {
        self.raw().delete_batch(keys, 0).map_err(|stopped| {
            self.fail(stopped.errno, "cannot remove a batch of elements")
                .context(format!("batch, after {} elements", stopped.done))
        })
    }

    fn explain_write(&self, errno: Errno) -> Error {
        let error = self.fail(errno, "cannot write an element");
        match errno {
            Errno::E2BIG => error.with_hint(format!(
                "the map is full, or the index is not below its {} elements",
                self.max_entries()
            )),
            Errno::EPERM => error.with_hint(
                "the map is frozen or was opened read-only, or this process may not write maps",
            ),
            Errno::EEXIST => error.with_hint("the key is there already (UpdateMode::NoExist)"),
            Errno::ENOENT => error.with_hint("the key is not there (UpdateMode::Exist)"),
            _ => error,
        }
    }

    pub(super) fn check_key(&self, key: &[u8]) -> Result<()> {
        if key.len() == self.key_size() {
            Ok(())
        } else {
            Err(self.wrong_length("key", key.len(), self.key_size()))
        }
    }

    fn check_value(&self, value: &[u8]) -> Result<()> {
        let wanted = self.value_len()?;
        if value.len() == wanted {
            Ok(())
        } else {
            Err(self.wrong_length("value", value.len(), wanted))
        }
    }
}
