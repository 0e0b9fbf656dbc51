//! A growing string section that stores each string once, and none that the base has already.

use super::hash::Key;
use crate::btf::Btf;
use std::sync::Arc;

/// Strings under construction, as offsets that continue those of a base.
#[derive(Debug, Clone)]
pub(super) struct Strings {
    base: Option<Arc<Btf<'static>>>,
    /// The offset of the first own byte.
    first: u32,
    bytes: Vec<u8>,
    /// The table of strings; built at the first look-up.
    table: Option<Table>,
}

impl Strings {
    /// Only the empty string, and those of `base`.
    pub(super) fn new(base: Option<Arc<Btf<'static>>>) -> Self {
        // A split section continues its base's, so it has no empty string of its own.
        let bytes = if base.is_some() { Vec::new() } else { vec![0] };
        Self::with_bytes(base, bytes)
    }

    /// The strings of `btf`.
    pub(super) fn copy_of(btf: &Btf<'_>) -> Self {
        let mut bytes = btf.string_bytes().to_vec();
        if bytes.is_empty() && btf.base().is_none() {
            bytes.push(0);
        }
        Self::with_bytes(btf.base().cloned(), bytes)
    }

    fn with_bytes(base: Option<Arc<Btf<'static>>>, bytes: Vec<u8>) -> Self {
        Self {
            first: base.as_ref().map_or(0, |base| base.end_string()),
            base,
            bytes,
            table: None,
        }
    }

    /// The section's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The offset after the last own string.
    pub(super) fn end(&self) -> u32 {
        let len = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.first.saturating_add(len)
    }

    /// The string at this offset without its NUL; empty if there is none.
    pub(super) fn at(&self, offset: u32) -> &[u8] {
        let tail = match offset.checked_sub(self.first) {
            Some(own) => usize::try_from(own)
                .ok()
                .and_then(|own| self.bytes.get(own..)),
            None => self
                .base
                .as_ref()
                .and_then(|base| base.strings_from(offset).ok()),
        };
        let tail = tail.unwrap_or_default();
        let end = memchr::memchr(0, tail).unwrap_or(tail.len());
        tail.get(..end).unwrap_or_default()
    }

    /// The offset of this string; `None` if there is none.
    pub(super) fn find(&mut self, string: &[u8]) -> Option<u32> {
        if string.is_empty() {
            return Some(0);
        }
        let table = self.take_table();
        let found = table.find(string, table.hash(string), self);
        self.table = Some(table);
        found
    }

    /// The offset of this string, which is added if necessary. It must not contain a NUL.
    pub(super) fn add(&mut self, string: &[u8]) -> u32 {
        if string.is_empty() {
            return 0;
        }
        let mut table = self.take_table();
        let hash = table.hash(string);
        let found = table.find(string, hash, self);
        let offset = found.unwrap_or_else(|| {
            let offset = self.end();
            self.bytes.extend_from_slice(string);
            self.bytes.push(0);
            table.insert(hash, offset);
            offset
        });
        self.table = Some(table);
        offset
    }

    /// Changes the bytes of the string at this offset in place, for everything that shares it.
    pub(super) fn change(&mut self, offset: u32, mut change: impl FnMut(usize, &mut u8)) {
        self.table = None;
        let own = offset.checked_sub(self.first);
        let own = own.and_then(|own| usize::try_from(own).ok());
        let bytes = own
            .and_then(|own| self.bytes.get_mut(own..))
            .unwrap_or_default();
        let bytes = bytes.iter_mut().take_while(|byte| **byte != 0);
        bytes
            .enumerate()
            .for_each(|(index, byte)| change(index, byte));
    }

    fn take_table(&mut self) -> Table {
        self.table.take().unwrap_or_else(|| {
            let mut table = Table {
                slots: Vec::new(),
                used: 0,
                key: Key::random(),
            };
            let mut level = self.base.as_deref();
            while let Some(btf) = level {
                table.insert_all(btf.string_bytes(), btf.first_string(), self);
                level = btf.base().map(Arc::as_ref);
            }
            table.insert_all(&self.bytes, self.first, self);
            table
        })
    }
}

/// A hash table of string offsets, with open addressing. The strings themselves stay in their sections.
#[derive(Debug, Clone)]
struct Table {
    /// The hash and the offset of a string; an offset of 0, the empty string's, marks a free slot.
    slots: Vec<(u32, u32)>,
    used: usize,
    key: Key,
}

impl Table {
    fn hash(&self, string: &[u8]) -> u32 {
        u32::try_from(self.key.hash_bytes(string) >> 32).unwrap_or_default()
    }

    fn insert_all(&mut self, section: &[u8], first: u32, strings: &Strings) {
        let mut start = 0;
        for end in memchr::memchr_iter(0, section) {
            let string = section.get(start..end).unwrap_or_default();
            let offset = u32::try_from(start)
                .unwrap_or(u32::MAX)
                .saturating_add(first);
            start = end.saturating_add(1);
            let hash = self.hash(string);
            if !string.is_empty() && self.find(string, hash, strings).is_none() {
                self.insert(hash, offset);
            }
        }
    }

    fn mask(&self) -> usize {
        self.slots.len().saturating_sub(1)
    }

    fn places(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let (mask, first) = (self.mask(), hash as usize);
        (0..=mask).map(move |step| first.wrapping_add(step) & mask)
    }

    fn find(&self, string: &[u8], hash: u32, strings: &Strings) -> Option<u32> {
        for place in self.places(hash) {
            match self.slots.get(place) {
                None | Some((_, 0)) => return None,
                Some((found, offset)) if *found == hash && strings.at(*offset) == string => {
                    return Some(*offset);
                }
                Some(_) => {}
            }
        }
        None
    }

    /// Adds a string that is not in the table yet.
    fn insert(&mut self, hash: u32, offset: u32) {
        // At least a quarter of the slots is kept free.
        if self.used.saturating_mul(4) >= self.slots.len().saturating_mul(3) {
            let twice = self.slots.len().saturating_mul(2).max(64);
            let old = std::mem::replace(&mut self.slots, vec![(0, 0); twice]);
            let old = old.into_iter().filter(|(_, offset)| *offset != 0);
            old.for_each(|(hash, offset)| self.put(hash, offset));
        }
        self.put(hash, offset);
        self.used = self.used.saturating_add(1);
    }

    fn put(&mut self, hash: u32, offset: u32) {
        let free = |place: &usize| self.slots.get(*place).is_some_and(|slot| slot.1 == 0);
        if let Some(place) = self.places(hash).find(free)
            && let Some(slot) = self.slots.get_mut(place)
        {
            *slot = (hash, offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_string_is_kept_once() {
        let mut strings = Strings::new(None);
        let names: Vec<String> = (0..1000).map(|n| format!("name{n}")).collect();
        let offsets: Vec<u32> = names.iter().map(|n| strings.add(n.as_bytes())).collect();
        let len = strings.bytes().len();
        for (name, offset) in names.iter().zip(&offsets) {
            assert_eq!(strings.add(name.as_bytes()), *offset);
            assert_eq!(strings.at(*offset), name.as_bytes());
        }
        assert_eq!(strings.bytes().len(), len);
        assert_eq!((strings.add(b""), strings.find(b"name1000")), (0, None));
    }

    #[test]
    fn a_bases_strings_are_found_and_own_ones_continue_them() {
        let mut base = crate::btf::BtfBuilder::new();
        let known = base.add_string("known");
        let base = Arc::new(base.build().unwrap());
        let mut strings = Strings::new(Some(base.clone()));
        assert_eq!(strings.add(b"known"), known);
        assert_eq!(strings.add(b"new"), base.end_string());
        assert_eq!(strings.bytes(), b"new\0");
    }

    #[test]
    fn a_change_is_seen_by_who_looks_for_strings() {
        let mut strings = Strings::new(None);
        let offset = strings.add(b".data");
        strings.change(offset, |index, byte| {
            if index == 0 {
                *byte = b'_';
            }
        });
        assert_eq!(
            (strings.find(b".data"), strings.find(b"_data")),
            (None, Some(offset))
        );
    }
}
