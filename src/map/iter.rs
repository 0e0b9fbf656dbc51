//! Walking over the keys and elements of a map.

use super::Map;
use crate::{Errno, Result};

impl Map {
    /// The keys, in the map's own order.
    ///
    /// A hash that changes meanwhile may show a key twice or leave one out: the kernel starts again when the key it was
    /// asked to go on from is gone. The walk ends in any case, after at most [`Map::max_entries`] keys.
    #[doc(alias = "bpf_map__get_next_key")]
    #[doc(alias = "bpf_map_get_next_key")]
    pub fn keys(&self) -> Keys {
        Keys {
            map: self.clone(),
            last: None,
            left: self.max_entries(),
        }
    }

    /// The elements, in the map's own order; see [`Map::keys`]. Elements that are removed meanwhile are left out.
    pub fn iter(&self) -> Iter {
        Iter { keys: self.keys() }
    }
}

impl IntoIterator for &Map {
    type Item = Result<(Vec<u8>, Vec<u8>)>;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}

/// The keys of a map. Returned by [`Map::keys`].
#[derive(Debug, Clone)]
pub struct Keys {
    map: Map,
    last: Option<Vec<u8>>,
    left: u32,
}

impl Iterator for Keys {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut key = vec![0; self.map.key_size()];
        match self.map.raw().next_key(self.last.as_deref(), &mut key) {
            Ok(()) => {
                self.last = Some(key.clone());
                Some(Ok(key))
            }
            Err(errno) => {
                self.left = 0;
                (errno != Errno::ENOENT)
                    .then(|| Err(self.map.fail(errno, "cannot go on to the next key")))
            }
        }
    }
}

/// The elements of a map: key and value. Returned by [`Map::iter`].
#[derive(Debug, Clone)]
pub struct Iter {
    keys: Keys,
}

impl Iterator for Iter {
    type Item = Result<(Vec<u8>, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let key = match self.keys.next()? {
                Ok(key) => key,
                Err(error) => return Some(Err(error)),
            };
            match self.keys.map.get(&key) {
                Ok(Some(value)) => return Some(Ok((key, value))),
                Ok(None) => {}
                Err(error) => {
                    self.keys.left = 0;
                    return Some(Err(error));
                }
            }
        }
    }
}
