//! Iterating over the keys and elements of a map.

use super::{Key, Map, Value};
use crate::{Errno, Error, ErrorKind, Result};
use std::fmt;

impl<K: Key + ?Sized, V: ?Sized> Map<K, V> {
    /// The keys, in the map's own order.
    ///
    /// The key that was just returned may be removed: the iterator knows the next one already. If that one is removed by
    /// somebody else, the kernel starts over with the first, so a hash that changes meanwhile may show a key twice or leave
    /// one out. The iteration always ends, after at most [`Map::max_entries`] keys.
    #[doc(alias = "bpf_map__get_next_key")]
    #[doc(alias = "bpf_map_get_next_key")]
    pub fn keys(&self) -> Keys<K> {
        Keys {
            map: self.view_as(),
            ahead: Ahead::First,
            left: self.max_entries(),
        }
    }
}

impl<K: Key + ?Sized, V: Value + ?Sized> Map<K, V> {
    /// The elements, in the map's own order; see [`Map::keys`]. Elements that are removed meanwhile are left out. A key or
    /// value that is invalid for the view's type is an error ([`ErrorKind::Corrupt`]), after which the iteration continues.
    pub fn iter(&self) -> Iter<K, V> {
        Iter {
            map: self.clone(),
            keys: self.keys(),
        }
    }
}

impl<K: Key + ?Sized, V: Value + ?Sized> IntoIterator for &Map<K, V> {
    type Item = Result<(K::Owned, V::Owned)>;
    type IntoIter = Iter<K, V>;

    fn into_iter(self) -> Iter<K, V> {
        self.iter()
    }
}

/// The keys of a map. Returned by [`Map::keys`].
pub struct Keys<K: Key + ?Sized = [u8]> {
    map: Map<K>,
    ahead: Ahead<K::Room>,
    left: u32,
}

/// What the kernel answered about the next key.
enum Ahead<R> {
    /// It has not been asked yet.
    First,
    Key(R),
    Failed(Error),
    End,
}

impl<K: Key + ?Sized> fmt::Debug for Keys<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("map", &self.map)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl<K: Key + ?Sized> Keys<K> {
    /// Asks the kernel for the key after this one.
    fn after(&self, key: Option<&K::Room>) -> Ahead<K::Room> {
        let mut next = K::room(self.map.key_size());
        let key = key.map(K::room_bytes);
        match self.map.raw().next_key(key, K::room_bytes_mut(&mut next)) {
            Ok(()) => Ahead::Key(next),
            Err(Errno::ENOENT) => Ahead::End,
            Err(errno) => Ahead::Failed(self.map.fail(errno, "cannot get the next key")),
        }
    }

    /// The next key, whatever its bytes.
    fn next_room(&mut self) -> Option<Result<K::Room>> {
        self.left = self.left.checked_sub(1)?;
        if let Ahead::First = self.ahead {
            self.ahead = self.after(None);
        }
        match std::mem::replace(&mut self.ahead, Ahead::End) {
            Ahead::Key(key) => {
                if self.left > 0 {
                    self.ahead = self.after(Some(&key));
                }
                Some(Ok(key))
            }
            Ahead::Failed(error) => Some(Err(error)),
            Ahead::First | Ahead::End => None,
        }
    }

    fn key_in(&self, room: K::Room) -> Result<K::Owned> {
        K::from_room(room).map_err(|e| self.map.blame(e.context("key")))
    }
}

impl<K: Key + ?Sized> Iterator for Keys<K> {
    type Item = Result<K::Owned>;

    fn next(&mut self) -> Option<Self::Item> {
        let room = self.next_room()?;
        Some(room.and_then(|room| self.key_in(room)))
    }
}

/// The elements of a map: key and value. Returned by [`Map::iter`].
pub struct Iter<K: Key + ?Sized = [u8], V: Value + ?Sized = [u8]> {
    map: Map<K, V>,
    keys: Keys<K>,
}

impl<K: Key + ?Sized, V: Value + ?Sized> fmt::Debug for Iter<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl<K: Key + ?Sized, V: Value + ?Sized> Iterator for Iter<K, V> {
    type Item = Result<(K::Owned, V::Owned)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let room = match self.keys.next_room()? {
                Ok(room) => room,
                Err(error) => return Some(Err(error)),
            };
            match self.map.lookup_owned(K::room_bytes(&room), 0) {
                Ok(Some(value)) => {
                    return Some(self.keys.key_in(room).map(|key| (key, value)));
                }
                Ok(None) => {}
                // The next value may be valid for the view's type.
                Err(error) if error.kind() == ErrorKind::Corrupt => return Some(Err(error)),
                Err(error) => {
                    self.keys.left = 0;
                    return Some(Err(error));
                }
            }
        }
    }
}
