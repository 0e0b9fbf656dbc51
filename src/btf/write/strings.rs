//! A growing string section that stores each string once, and none that the base has already.

use super::hash::{Key, Numbers};
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
        let tail = self.tail(offset);
        let end = memchr::memchr(0, tail).unwrap_or(tail.len());
        tail.get(..end).unwrap_or_default()
    }

    /// The bytes from this offset to the end of the section.
    fn tail(&self, offset: u32) -> &[u8] {
        let tail = match offset.checked_sub(self.first) {
            Some(own) => usize::try_from(own)
                .ok()
                .and_then(|own| self.bytes.get(own..)),
            None => self
                .base
                .as_ref()
                .and_then(|base| base.strings_from(offset).ok()),
        };
        tail.unwrap_or_default()
    }

    /// Whether this string is at this offset.
    fn is_at(&self, offset: u32, string: &[u8]) -> bool {
        let rest = self.tail(offset).strip_prefix(string);
        rest.is_some_and(|rest| rest.first().is_none_or(|byte| *byte == 0))
    }

    /// Whether a string starts at this offset, rather than being the end of another one.
    pub(super) fn starts_at(&self, offset: u32) -> bool {
        let before = offset.checked_sub(1);
        before.is_none_or(|before| self.tail(before).first() == Some(&0))
    }

    /// Whether the string at this offset is one of the base's.
    pub(super) fn is_of_base(&self, offset: u32) -> bool {
        offset < self.first
    }

    /// Drops the table, which takes as much memory as the strings. The next look-up builds it again.
    pub(super) fn forget_table(&mut self) {
        self.table = None;
    }

    /// Whether no string exists twice, here or in the base. This forgets the table.
    pub(super) fn are_distinct(&mut self) -> bool {
        let table = self.take_table();
        let sections = self.sections();
        let all = sections.flat_map(|(section, first)| pieces(section, first));
        table.offsets.len() == all.count()
    }

    /// The offset of this string; `None` if there is none.
    pub(super) fn find(&mut self, string: &[u8]) -> Option<u32> {
        if string.is_empty() {
            return Some(0);
        }
        let table = self.take_table();
        let found = table.find(string, table.key.hash_bytes(string), self);
        self.table = Some(table);
        found
    }

    /// The offset of this string, which is added if necessary. It must not contain a NUL.
    pub(super) fn add(&mut self, string: &[u8]) -> u32 {
        if string.is_empty() {
            return 0;
        }
        let mut table = self.take_table();
        let hash = table.key.hash_bytes(string);
        let found = table.find(string, hash, self);
        let offset = found.unwrap_or_else(|| {
            let offset = self.append(string);
            table.offsets.insert(hash, offset);
            offset
        });
        self.table = Some(table);
        offset
    }

    /// Appends a string that is known not to exist yet.
    pub(super) fn append(&mut self, string: &[u8]) -> u32 {
        if string.is_empty() {
            return 0;
        }
        self.table = None;
        let offset = self.end();
        self.bytes.extend_from_slice(string);
        self.bytes.push(0);
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

    /// The sections of the base and those below it, and the own one, with the offset of their first byte.
    fn sections(&self) -> impl Iterator<Item = (&[u8], u32)> {
        let bases = std::iter::successors(self.base.as_deref(), |btf| btf.base().map(Arc::as_ref));
        let bases = bases.map(|btf| (btf.string_bytes(), btf.first_string()));
        bases.chain(std::iter::once((&*self.bytes, self.first)))
    }

    fn take_table(&mut self) -> Table {
        self.table.take().unwrap_or_else(|| {
            let mut table = Table {
                offsets: Numbers::default(),
                key: Key::random(),
            };
            for (section, first) in self.sections() {
                table.insert_all(section, first, self);
            }
            table
        })
    }
}

/// The offsets of the strings, by their hashes. The strings themselves stay in their sections.
#[derive(Debug, Clone)]
struct Table {
    offsets: Numbers,
    key: Key,
}

impl Table {
    fn insert_all(&mut self, section: &[u8], first: u32, strings: &Strings) {
        for (offset, string) in pieces(section, first) {
            let hash = self.key.hash_bytes(string);
            if self.find(string, hash, strings).is_none() {
                self.offsets.insert(hash, offset);
            }
        }
    }

    fn find(&self, string: &[u8], hash: u64, strings: &Strings) -> Option<u32> {
        self.offsets
            .find(hash, |offset| strings.is_at(offset, string))
    }
}

/// The strings in a section that are not empty, and their offsets, which start with `first`.
fn pieces(section: &[u8], first: u32) -> impl Iterator<Item = (u32, &[u8])> {
    let ends = memchr::memchr_iter(0, section);
    let pieces = ends.scan(0, move |start, end| {
        let own = std::mem::replace(start, end.saturating_add(1));
        let offset = u32::try_from(own).unwrap_or(u32::MAX).saturating_add(first);
        Some((offset, section.get(own..end)?))
    });
    pieces.filter(|(_, string)| !string.is_empty())
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
