//! A type's record as 32-bit words, and which of them are name offsets and type ids.
//!
//! ```text
//!  name  info  size or target | INT, VAR, DECL_TAG   one word
//!                             | ARRAY                element, index, length
//!                             | STRUCT, UNION        name, type, place    for each member
//!                             | ENUM, ENUM64         name, value (1 or 2) for each enumerator
//!                             | FUNC_PROTO           name, type           for each parameter
//!                             | DATASEC              type, place, size    for each variable
//! ```

use crate::TypeId;
use crate::btf::Kind;
use std::ops::Range;

/// The number of words that every record starts with.
pub(super) const HEAD: usize = 3;
/// The word of the head with the name offset.
pub(super) const NAME: usize = 0;
/// The word of the head with kind, element count and flag.
pub(super) const INFO: usize = 1;
/// The word of the head with the size or the target.
pub(super) const SIZE_OR_TARGET: usize = 2;

/// Kind, element count and flag of a type: the second word of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Info {
    /// The kind.
    pub(crate) kind: Kind,
    /// The number of elements; for a function, its linkage.
    pub(crate) vlen: u32,
    /// The flag.
    pub(crate) kflag: bool,
}

impl Info {
    /// The maximum number of elements.
    pub(super) const MOST: u32 = 0x00ff_ffff;

    /// Without elements and flag.
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            kind,
            vlen: 0,
            kflag: false,
        }
    }

    /// With this many elements (at most 2^24 - 1).
    pub(crate) fn with_vlen(self, vlen: usize) -> Self {
        Self {
            vlen: u32::try_from(vlen).unwrap_or(u32::MAX).min(Self::MOST),
            ..self
        }
    }

    /// Sets the flag if `kflag` is set.
    pub(crate) fn flagged(self, kflag: bool) -> Self {
        Self { kflag, ..self }
    }

    /// The encoded word.
    pub(crate) fn word(self) -> u32 {
        u32::from(self.kflag) << 31 | u32::from(self.kind as u8) << 24 | self.vlen & Self::MOST
    }
}

/// The kind in an info word; `None` for a kind that is newer than this library.
#[inline]
pub(super) fn kind_of(info: u32) -> Option<Kind> {
    Kind::from_number(info >> 24 & 0x7f)
}

/// The number of words of an element of this kind; `None` if the kind has none.
pub(super) fn element_words(kind: Kind) -> Option<usize> {
    let (_, bytes) = kind.tail();
    (bytes != 0).then_some(usize::from(bytes / 4))
}

/// The number of words of an element that starts with a name: all do, except those of sections.
fn named_element_words(kind: Kind) -> Option<usize> {
    element_words(kind).filter(|_| kind != Kind::Datasec)
}

/// The name offsets in a record, in order.
#[doc(alias = "btf_field_iter")]
pub(super) fn names(record: &[u32], kind: Kind) -> impl Iterator<Item = u32> {
    let (head, tail) = record.split_at_checked(HEAD).unwrap_or_default();
    let step = named_element_words(kind);
    let tail = step.map_or(&[][..], |_| tail);
    let elements = tail.iter().step_by(step.unwrap_or(1));
    head.get(NAME).into_iter().chain(elements).copied()
}

/// Where the type ids are in a record of this kind with this many words: in every kind, they are equally far apart. Returns the
/// range from the first to the last one, and the distance.
#[doc(alias = "btf_field_iter")]
#[inline]
pub(super) fn type_places(kind: Kind, words: usize) -> (Range<usize>, usize) {
    match kind {
        Kind::Array => (HEAD..HEAD + 2, 1),
        // The result, and each parameter.
        Kind::FuncProto => (SIZE_OR_TARGET..words, 2),
        Kind::Struct | Kind::Union => ((HEAD + 1).min(words)..words, 3),
        Kind::Datasec => (HEAD..words, 3),
        kind if kind.has_target() => (SIZE_OR_TARGET..HEAD, 1),
        _ => (words..words, 1),
    }
}

/// The type ids in a record, in order.
#[inline]
pub(super) fn type_ids(record: &[u32], kind: Kind) -> impl Iterator<Item = TypeId> {
    let (places, step) = type_places(kind, record.len());
    let words = record.get(places).unwrap_or_default().iter();
    words.step_by(step).map(|id| TypeId(*id))
}

/// The kind and the number of words of the record with this `info` word; `None` for a kind that no type is of, or that is newer
/// than this library.
#[inline]
pub(super) fn record_words(info: u32) -> Option<(Kind, usize)> {
    let kind = kind_of(info).filter(|kind| *kind != Kind::Void)?;
    let (once, each) = kind.tail();
    let elements = usize::from(each / 4).saturating_mul((info & Info::MOST) as usize);
    Some((
        kind,
        HEAD.saturating_add(usize::from(once / 4))
            .saturating_add(elements),
    ))
}

/// Calls `visit` with each word of a record that is a name offset.
pub(super) fn visit_names(record: &mut [u32], kind: Kind, mut visit: impl FnMut(&mut u32)) {
    let (head, tail) = record.split_at_mut_checked(HEAD).unwrap_or_default();
    head.get_mut(NAME).into_iter().for_each(&mut visit);
    if let Some(words) = named_element_words(kind) {
        tail.iter_mut().step_by(words).for_each(visit);
    }
}

/// Replaces each type id in a record with what `map` returns for it; `void` stays.
pub(super) fn map_types(record: &mut [u32], kind: Kind, mut map: impl FnMut(TypeId) -> TypeId) {
    let (places, step) = type_places(kind, record.len());
    let words = record.get_mut(places).unwrap_or_default().iter_mut();
    for word in words.step_by(step).filter(|word| **word != 0) {
        *word = map(TypeId(*word)).0;
    }
}

/// The low and high half of a 64-bit number.
pub(super) fn halves(value: u64) -> [u32; 2] {
    let low = u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default();
    let high = u32::try_from(value >> 32).unwrap_or_default();
    [low, high]
}
