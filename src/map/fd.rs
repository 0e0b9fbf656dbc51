//! Maps whose keys or values are descriptors: of maps, programs, sockets, tasks, files, cgroups.

use super::view::Value;
use super::{Key, Map, UpdateMode};
use crate::{Errno, ErrorKind, Result};
use std::os::fd::{AsFd, AsRawFd};

/// Marks keys or values as descriptors in the type of a view.
///
/// - `Map<u32, Fd>`: program arrays, maps of maps, arrays of perf events and cgroups, maps of sockets. Descriptors are
///   written; the id of the map or program is read back.
/// - `Map<Fd, V>`: local storage of sockets, tasks, files and cgroups. The key is the owner's descriptor (for a task, a
///   pidfd).
///
/// This type is only named, never constructed: methods accept anything that is [`AsFd`].
#[derive(Debug)]
pub enum Fd {}

impl<K: Key + ?Sized> Map<K, Fd> {
    /// Stores the object that `fd` refers to at `key`.
    ///
    /// # Errors
    /// `EBADF` or `EINVAL` if the map cannot hold what the descriptor refers to; see also [`Map::insert`].
    pub fn insert(&self, key: &K, fd: impl AsFd, mode: UpdateMode) -> Result<()> {
        let key = super::typed::key_bytes(self, key)?;
        let raw = fd.as_fd().as_raw_fd();
        // Maps of sockets may have 8-byte values, as long as the number fits in 4 bytes.
        let (narrow, wide) = (raw.to_ne_bytes(), i64::from(raw).to_ne_bytes());
        let value = if self.value_size() == wide.len() {
            &wide[..]
        } else {
            &narrow[..]
        };
        self.raw()
            .update(key, value, mode.flags())
            .map_err(|errno| {
                let error = self.explain_write(errno);
                match errno {
                    Errno::EBADF | Errno::EINVAL | Errno::EOPNOTSUPP => error
                        .with_kind(ErrorKind::InvalidArgument)
                        .with_hint(format!(
                            "the descriptor must refer to something that a map of type {} can hold",
                            self.kind()
                        )),
                    _ => error,
                }
            })
    }

    /// The id of the map or program at `key`, or a socket's cookie if values have 8 bytes; `None` if there is nothing.
    ///
    /// # Errors
    /// Arrays of perf events and cgroups, and maps of sockets with values of 4 bytes, cannot be read.
    pub fn get(&self, key: &K) -> Result<Option<u64>> {
        let key = super::typed::key_bytes(self, key)?;
        let mut value = [0; 8];
        let size = self.value_size();
        let Some(room) = value.get_mut(..size) else {
            return Err(self.wrong_length("value", 8, size));
        };
        match self.raw().lookup(key, room, 0) {
            // The rest is zero, which makes it the same number on little-endian machines; on others the number is in the
            // upper half.
            Ok(()) if size == 4 && cfg!(target_endian = "big") => {
                Ok(Some(u64::from_ne_bytes(value) >> 32))
            }
            Ok(()) => Ok(Some(u64::from_ne_bytes(value))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(self.fail(errno, "cannot read what an element refers to")),
        }
    }
}

impl<V: Value + ?Sized> Map<Fd, V> {
    /// The value that belongs to `owner`, or `None` if it has none.
    pub fn get(&self, owner: impl AsFd) -> Result<Option<V::Owned>> {
        let key = owner.as_fd().as_raw_fd().to_ne_bytes();
        self.lookup_owned(&key, 0)
    }

    /// Sets the value that belongs to `owner`.
    pub fn insert(&self, owner: impl AsFd, value: &V, mode: UpdateMode) -> Result<()> {
        let key = owner.as_fd().as_raw_fd().to_ne_bytes();
        self.update(&key, value.bytes(), mode.flags())
    }

    /// Removes the value that belongs to `owner`, and returns whether there was one.
    pub fn remove(&self, owner: impl AsFd) -> Result<bool> {
        let key = owner.as_fd().as_raw_fd().to_ne_bytes();
        self.delete(&key)
    }
}
