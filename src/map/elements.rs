//! Elements, one at a time.

use super::Map;
use super::typed::key_bytes;
use super::view::{Key, Value};
use crate::btf::{Layout, Room, hex};
use crate::{Errno, Error, ErrorKind, MapType, Result};

/// The condition on the key when an element is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UpdateMode {
    /// None: the element is created or overwritten.
    #[default]
    #[doc(alias = "BPF_ANY")]
    Any,
    /// The key must not exist.
    #[doc(alias = "BPF_NOEXIST")]
    NoExist,
    /// The key must exist.
    #[doc(alias = "BPF_EXIST")]
    Exist,
}

impl UpdateMode {
    pub(super) fn flags(self) -> u64 {
        match self {
            Self::Any => 0,
            Self::NoExist => 1,
            Self::Exist => 2,
        }
    }
}

/// `BPF_F_LOCK`: values are copied with their spin lock held.
pub(super) const LOCK: u64 = 4;

impl<K: Key + ?Sized, V: Value + ?Sized> Map<K, V> {
    /// The value at `key`, or `None` if there is none. As bytes, a per-CPU map returns all values, see [`Map::get_per_cpu`].
    ///
    /// # Errors
    /// `Corrupt` if the bytes are invalid for the view's type: 2 is not a `bool`.
    #[doc(alias = "bpf_map__lookup_elem")]
    #[doc(alias = "bpf_map_lookup_elem")]
    pub fn get(&self, key: &K) -> Result<Option<V::Owned>> {
        self.lookup_owned(key_bytes(self, key)?, 0)
    }

    /// Like [`Map::get`], holding the value's `bpf_spin_lock`. Since Linux 5.1.
    #[doc(alias = "bpf_map_lookup_elem_flags")]
    pub fn get_locked(&self, key: &K) -> Result<Option<V::Owned>> {
        self.lookup_owned(key_bytes(self, key)?, LOCK)
    }

    /// Copies the value at `key` to `value`, and returns whether there is one. A byte slice must have [`Map::value_len`]
    /// bytes.
    pub fn get_into(&self, key: &K, value: &mut V::Owned) -> Result<bool> {
        let key = key_bytes(self, key)?;
        let mut found = Ok(false);
        let read = |bytes: &mut [u8]| {
            found = self.lookup(key, bytes, 0);
            matches!(found, Ok(true))
        };
        V::replace(value, read).map_err(|e| self.blame(about_value(e, key)))?;
        found
    }

    /// Writes an element. A byte slice must have [`Map::value_len`] bytes.
    ///
    /// # Errors
    ///
    /// `EEXIST` or `ENOENT` if the condition of `mode` is not met, `E2BIG` if the map is full, `EPERM` if it is frozen.
    #[doc(alias = "bpf_map__update_elem")]
    #[doc(alias = "bpf_map_update_elem")]
    pub fn insert(&self, key: &K, value: &V, mode: UpdateMode) -> Result<()> {
        self.update(key_bytes(self, key)?, value.bytes(), mode.flags())
    }

    /// Like [`Map::insert`], holding the value's `bpf_spin_lock`. Since Linux 5.1.
    pub fn insert_locked(&self, key: &K, value: &V, mode: UpdateMode) -> Result<()> {
        self.update(key_bytes(self, key)?, value.bytes(), mode.flags() | LOCK)
    }

    /// Removes an element and returns its value. For hashes since Linux 5.14.
    #[doc(alias = "bpf_map__lookup_and_delete_elem")]
    #[doc(alias = "bpf_map_lookup_and_delete_elem")]
    pub fn take(&self, key: &K) -> Result<Option<V::Owned>> {
        self.take_bytes(key_bytes(self, key)?, 0)
    }

    /// Like [`Map::take`], holding the value's `bpf_spin_lock`. For hashes since Linux 5.14.
    #[doc(alias = "bpf_map_lookup_and_delete_elem_flags")]
    pub fn take_locked(&self, key: &K) -> Result<Option<V::Owned>> {
        self.take_bytes(key_bytes(self, key)?, LOCK)
    }
}

impl<K: Key + ?Sized, V: ?Sized> Map<K, V> {
    /// Removes an element, and returns whether there was one.
    #[doc(alias = "bpf_map__delete_elem")]
    #[doc(alias = "bpf_map_delete_elem")]
    pub fn remove(&self, key: &K) -> Result<bool> {
        self.delete(key_bytes(self, key)?)
    }
}

/// Queues, stacks and bloom filters, as bytes.
impl Map {
    /// Adds a value.
    ///
    /// # Errors
    /// `InvalidArgument` for maps with keys, `E2BIG` if a queue or stack is full.
    pub fn push(&self, value: &[u8]) -> Result<()> {
        self.check_keyless()?;
        self.update(&[], value, 0)
    }

    /// Removes and returns the next value of a queue or stack; `None` if it is empty. Since Linux 4.20.
    pub fn pop(&self) -> Result<Option<Vec<u8>>> {
        self.check_keyless()?;
        self.take(&[])
    }

    /// Returns the next value of a queue or stack without removing it; `None` if it is empty. Since Linux 4.20.
    pub fn peek(&self) -> Result<Option<Vec<u8>>> {
        self.check_keyless()?;
        self.get(&[])
    }

    fn check_keyless(&self) -> Result<()> {
        if self.key_size() == 0 {
            return Ok(());
        }
        let message = format!(
            "the elements of a map of type {} have keys of {} bytes",
            self.kind(),
            self.key_size()
        );
        let error = Error::new(ErrorKind::InvalidArgument, message);
        let hint = "only queues, stacks and bloom filters have values without keys";
        Err(self.blame(error).with_hint(hint))
    }
}

/// Queues, stacks and bloom filters, whose elements have no keys.
impl<V: Layout> Map<(), V> {
    /// Adds a value.
    ///
    /// # Errors
    /// `E2BIG` if a queue or stack is full.
    pub fn push(&self, value: &V) -> Result<()> {
        self.update(&[], value.as_bytes(), 0)
    }

    /// Removes and returns the next value of a queue or stack; `None` if it is empty. Since Linux 4.20.
    pub fn pop(&self) -> Result<Option<V>> {
        self.take_bytes(&[], 0)
    }

    /// Returns the next value of a queue or stack without removing it; `None` if it is empty. Since Linux 4.20.
    pub fn peek(&self) -> Result<Option<V>> {
        self.get(&())
    }

    /// Whether a bloom filter may hold the value: `false` is certain, `true` is likely. Since Linux 5.16.
    ///
    /// # Errors
    /// `InvalidArgument` for other maps.
    pub fn contains(&self, value: &V) -> Result<bool> {
        if self.kind() != MapType::BLOOM_FILTER {
            let message = format!(
                "a map of type {} cannot be asked whether it contains a value",
                self.kind()
            );
            let error = Error::new(ErrorKind::InvalidArgument, message);
            return Err(self.blame(error).with_hint("only bloom filters can"));
        }
        // The kernel reads the value here, where for other maps it writes one.
        let mut asked = Room::<V>::new();
        asked.bytes_mut().copy_from_slice(value.as_bytes());
        self.lookup(&[], asked.bytes_mut(), 0)
    }
}

/// Names the key whose value an error is about.
#[cold]
pub(super) fn about_value(error: Error, key: &[u8]) -> Error {
    if key.is_empty() {
        return error.context("value");
    }
    error.context(format!("value of key {}", hex(key)))
}

/// Shared by all views.
impl<K: ?Sized, V: ?Sized> Map<K, V> {
    /// How many bytes user space reads and writes for a value: [`Map::value_size`], or in per-CPU maps one value for each
    /// possible CPU, each padded to 8 bytes.
    pub fn value_len(&self) -> Result<usize> {
        self.raw()
            .value_len()
            .map_err(|errno| self.fail(errno, "cannot count the possible CPUs"))
    }

    fn lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<bool> {
        self.check_value(value)?;
        match self.raw().lookup(key, value, flags) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(Errno::EINVAL) if flags & LOCK != 0 => Err(self.no_lock("cannot read an element")),
            Err(errno) => {
                let error = self.no_elements(errno, "cannot read an element");
                Err(match errno {
                    Errno::EPERM => error.with_hint(
                        "the map was created or opened write-only, or this process may not read maps",
                    ),
                    _ => error,
                })
            }
        }
    }

    pub(super) fn update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<()> {
        self.check_value(value)?;
        match self.raw().update(key, value, flags) {
            Err(Errno::EINVAL) if flags & LOCK != 0 => Err(self.no_lock("cannot write an element")),
            result => result.map_err(|errno| self.explain_write(errno)),
        }
    }

    #[cold]
    pub(super) fn no_lock(&self, doing: &str) -> Error {
        let error = self.fail(Errno::EINVAL, doing);
        error.with_kind(ErrorKind::InvalidArgument).with_hint(
            "its values have no lock: that is a member of type `struct bpf_spin_lock`, described by BTF",
        )
    }

    pub(super) fn delete(&self, key: &[u8]) -> Result<bool> {
        match self.raw().delete(key, 0) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.no_elements(errno, "cannot remove an element")),
        }
    }

    /// The error for a map whose type may not support this.
    #[cold]
    fn no_elements(&self, errno: Errno, doing: &str) -> Error {
        let error = self.fail(errno, doing);
        match errno {
            Errno::ENOTSUPP | Errno::EOPNOTSUPP => error
                .with_kind(ErrorKind::InvalidArgument)
                .with_hint(format!(
                    "a map of type {} does not support this",
                    self.kind()
                )),
            _ => error,
        }
    }

    #[cold]
    pub(super) fn explain_write(&self, errno: Errno) -> Error {
        let error = self.no_elements(errno, "cannot write an element");
        match errno {
            Errno::E2BIG => error.with_hint(format!(
                "the map is full, or the index is not below its {} elements",
                self.max_entries()
            )),
            Errno::EPERM => error.with_hint(
                "the map is frozen, was created or opened read-only, or this process may not write maps",
            ),
            Errno::EEXIST => error.with_hint("the key already exists (UpdateMode::NoExist)"),
            Errno::ENOENT => error.with_hint("the key does not exist (UpdateMode::Exist)"),
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

impl<K: ?Sized, V: Value + ?Sized> Map<K, V> {
    pub(super) fn lookup_owned(&self, key: &[u8], flags: u64) -> Result<Option<V::Owned>> {
        let mut room = self.room()?;
        if !self.lookup(key, V::room_bytes_mut(&mut room), flags)? {
            return Ok(None);
        }
        self.value_in(room, key).map(Some)
    }

    pub(super) fn take_bytes(&self, key: &[u8], flags: u64) -> Result<Option<V::Owned>> {
        let mut room = self.room()?;
        match self
            .raw()
            .lookup_and_delete(key, V::room_bytes_mut(&mut room), flags)
        {
            Ok(()) => self.value_in(room, key).map(Some),
            Err(Errno::ENOENT) => Ok(None),
            Err(Errno::EINVAL) if flags & LOCK != 0 => Err(self.no_lock("cannot take an element")),
            Err(errno) => Err(self.fail(errno, "cannot take an element")),
        }
    }

    fn room(&self) -> Result<V::Room> {
        V::room(self.raw()).map_err(|errno| self.fail(errno, "cannot count the possible CPUs"))
    }

    fn value_in(&self, room: V::Room, key: &[u8]) -> Result<V::Owned> {
        V::from_room(room).map_err(|e| self.blame(about_value(e, key)))
    }
}
