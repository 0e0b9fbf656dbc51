//! Interned names, so that comparing two names is comparing their indices.

use crate::btf::LONGEST_NAME;
use crate::keyed_hash::Table;

/// The index of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct Name(pub(super) u32);

impl Name {
    /// No name, as for an anonymous structure.
    pub(super) const NONE: Self = Self(0);

    pub(super) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// Names that borrow from the file's strings.
#[derive(Debug)]
pub(super) struct Names<'d> {
    texts: Vec<&'d str>,
    numbers: Table<&'d [u8], Name>,
    /// How many more bytes of names may be added. Names can share the bytes of a longer one, so that without a limit they could
    /// add up to many times the size of the file.
    room: usize,
}

impl<'d> Names<'d> {
    /// No names yet, and room for this many bytes.
    pub(super) fn new(room: usize) -> Self {
        Self {
            texts: vec![""],
            numbers: Table::default(),
            room,
        }
    }

    /// The index of a name. One that is not UTF-8, is longer than the kernel allows, or exceeds the room counts as none.
    pub(super) fn number(&mut self, text: &'d [u8]) -> Name {
        if text.is_empty() || text.len() > LONGEST_NAME {
            return Name::NONE;
        }
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let (Ok(name), Some(room)) = (std::str::from_utf8(text), self.room.checked_sub(text.len()))
        else {
            return Name::NONE;
        };
        self.room = room;
        let number = Name(u32::try_from(self.texts.len()).unwrap_or_default());
        self.texts.push(name);
        self.numbers.insert(text, number);
        number
    }

    /// The name with this index.
    pub(super) fn text(&self, name: Name) -> &'d str {
        let index = usize::try_from(name.0).unwrap_or(usize::MAX);
        self.texts.get(index).copied().unwrap_or_default()
    }

    /// For each index here, the index there.
    pub(super) fn translate_to(&self, other: &mut Self) -> Vec<Name> {
        self.texts
            .iter()
            .map(|text| other.number(text.as_bytes()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number() {
        let mut names = Names::new(100);
        let a = names.number(b"a");
        assert_eq!(names.number(&b"ba"[1..]), a);
        assert_ne!(names.number(b"b"), a);
        assert_eq!(names.text(a), "a");
        assert!(names.number(b"").is_none() && names.number(b"\xff").is_none());
        assert!(names.number(&[b'x'; LONGEST_NAME + 1]).is_none());
        assert_eq!(names.text(Name(99)), "");
    }

    #[test]
    fn names_have_room_for_so_many_bytes() {
        let mut names = Names::new(3);
        let ab = names.number(b"ab");
        assert!(names.number(b"abc").is_none());
        assert_eq!(names.number(b"ab"), ab);
        assert!(!names.number(b"a").is_none());
        assert!(names.number(b"b").is_none());
    }

    #[test]
    fn numbers_are_translated() {
        let (mut here, mut there) = (Names::new(100), Names::new(100));
        let (a, b) = (here.number(b"a"), here.number(b"b"));
        let there_b = there.number(b"b");
        let translated = here.translate_to(&mut there);
        let of = |name: Name| translated[name.0 as usize];
        assert_eq!((of(Name::NONE), of(b)), (Name::NONE, there_b));
        assert_eq!(there.text(of(a)), "a");
    }
}
