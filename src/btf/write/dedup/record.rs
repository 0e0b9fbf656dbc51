//! A type's record: what the type looks like, and what it refers to.

use crate::btf::Kind;
use crate::btf::write::hash::Key;
use crate::btf::write::record::{INFO, Info, NAME, SIZE_OR_TARGET, type_ids, type_places};
use std::ops::Range;

/// A record among others.
#[derive(Clone, Copy)]
pub(super) struct Record<'g> {
    /// Its first word.
    pub(super) start: u32,
    pub(super) kind: Kind,
    pub(super) words: &'g [u32],
}

/// What a forward declaration and its type have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum About {
    Struct {
        name: u32,
    },
    Union {
        name: u32,
    },
    /// Of either width, but of the same size.
    Enum {
        name: u32,
        size: u32,
    },
}

impl<'g> Record<'g> {
    /// The word after its last one.
    #[inline]
    pub(super) fn end(&self) -> u32 {
        let len = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.start.saturating_add(len)
    }

    /// The nodes that it refers to, in order, including [`VOID`](super::graph::VOID).
    #[inline]
    pub(super) fn targets(&self) -> impl Iterator<Item = u32> + use<'g> {
        // `void` is 0, which wraps around to the number that represents it.
        type_ids(self.words, self.kind).map(|id| id.0.wrapping_sub(1))
    }

    /// The hash of what the type looks like.
    pub(super) fn looks_hash(&self, key: &Key) -> u64 {
        key.hash(self.looks())
    }

    /// Whether a type looks the same.
    pub(super) fn looks_like(&self, other: &Record<'_>) -> bool {
        let (places, step) = type_places(self.kind, self.words.len());
        let (before, among, after) = self.parts(&places);
        let (other_before, other_among, other_after) = other.parts(&places);
        // The kind and the number of elements, by which the records are equally long, are in front of all type ids.
        equal(before, other_before)
            && equal(after, other_after)
            && among
                .chunks(step)
                .zip(other_among.chunks(step))
                .all(|(own, other)| {
                    own.iter()
                        .zip(other)
                        .skip(1)
                        .all(|(own, other)| own == other)
                })
    }

    /// The words that are not type ids.
    #[inline]
    fn looks(&self) -> impl Iterator<Item = u32> + use<'g> {
        let (places, step) = type_places(self.kind, self.words.len());
        let (before, among, after) = self.parts(&places);
        let among = among.chunks(step).flat_map(|chunk| chunk.iter().skip(1));
        before.iter().chain(among).chain(after).copied()
    }

    /// The words before the first type id, up to the last one, and after it.
    #[inline]
    fn parts(&self, places: &Range<usize>) -> (&'g [u32], &'g [u32], &'g [u32]) {
        let words = self.words;
        let (before, rest) = words.split_at_checked(places.start).unwrap_or((words, &[]));
        let (among, after) = rest.split_at_checked(places.len()).unwrap_or((rest, &[]));
        (before, among, after)
    }

    /// Whether it is a structure or union with a name.
    pub(super) fn is_named_composite(&self) -> bool {
        self.kind.is_composite() && self.word(NAME) != 0
    }

    /// What it declares without defining it.
    #[inline]
    pub(super) fn declares(&self) -> Option<About> {
        let (name, size, info) = self.head()?;
        match self.kind {
            Kind::Fwd if info >> 31 == 0 => Some(About::Struct { name }),
            Kind::Fwd => Some(About::Union { name }),
            Kind::Enum | Kind::Enum64 if info & Info::MOST == 0 => Some(About::Enum { name, size }),
            _ => None,
        }
    }

    /// What it defines.
    #[inline]
    pub(super) fn defines(&self) -> Option<About> {
        let (name, size, info) = self.head()?;
        match self.kind {
            Kind::Struct => Some(About::Struct { name }),
            Kind::Union => Some(About::Union { name }),
            Kind::Enum | Kind::Enum64 if info & Info::MOST != 0 => Some(About::Enum { name, size }),
            _ => None,
        }
    }

    /// Name, size and info, if it has a name.
    #[inline]
    fn head(&self) -> Option<(u32, u32, u32)> {
        let name = self.word(NAME);
        (name != 0).then(|| (name, self.word(SIZE_OR_TARGET), self.word(INFO)))
    }

    #[inline]
    fn word(&self, place: usize) -> u32 {
        self.words.get(place).copied().unwrap_or(0)
    }
}

/// Compares slices that are too short for a call of `memcmp`.
#[inline]
fn equal(one: &[u32], other: &[u32]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one == other)
}
