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
pub(super) fn kind_of(info: u32) -> Option<Kind> {
    Kind::from_number(info >> 24 & 0x7f)
}

/// The layout of an element: the number of words, and which of them is a name offset, which a type id.
#[derive(Clone, Copy)]
pub(super) struct Element {
    pub(super) words: usize,
    pub(super) name: Option<usize>,
    pub(super) target: Option<usize>,
}

/// The elements that records of this kind have; `None` if they have none.
pub(super) fn element(kind: Kind) -> Option<Element> {
    let (words, name, target) = match kind {
        Kind::Struct | Kind::Union => (3, Some(0), Some(1)),
        Kind::Enum => (2, Some(0), None),
        Kind::Enum64 => (3, Some(0), None),
        Kind::FuncProto => (2, Some(0), Some(1)),
        Kind::Datasec => (3, None, Some(0)),
        _ => return None,
    };
    Some(Element {
        words,
        name,
        target,
    })
}

/// The positions of name offsets in a record of this kind with this many words.
#[doc(alias = "btf_field_iter")]
pub(super) fn name_places(kind: Kind, words: usize) -> impl Iterator<Item = usize> + use<> {
    let elements = element(kind).and_then(|e| Some((e.name?, e.words)));
    std::iter::once(NAME).chain(places(elements, words))
}

/// The positions of type ids in a record of this kind with this many words.
#[doc(alias = "btf_field_iter")]
pub(super) fn type_places(kind: Kind, words: usize) -> impl Iterator<Item = usize> + use<> {
    let once = if kind.has_target() {
        SIZE_OR_TARGET..HEAD
    } else if kind == Kind::Array {
        HEAD..HEAD + 2
    } else {
        0..0
    };
    let elements = element(kind).and_then(|e| Some((e.target?, e.words)));
    once.chain(places(elements, words))
}

/// The positions of a word in each element: the first, then one per element.
fn places(element: Option<(usize, usize)>, words: usize) -> impl Iterator<Item = usize> + use<> {
    let (first, step) = element.unwrap_or((words, 1));
    (HEAD.saturating_add(first)..words).step_by(step)
}

/// Calls `visit` with each word of a record that is a name offset.
pub(super) fn visit_names(record: &mut [u32], kind: Kind, mut visit: impl FnMut(&mut u32)) {
    let (head, tail) = record
        .split_at_mut_checked(HEAD)
        .unwrap_or((&mut [], &mut []));
    head.get_mut(NAME).into_iter().for_each(&mut visit);
    if let Some((name, words)) = element(kind).and_then(|e| Some((e.name?, e.words))) {
        let elements = tail.chunks_exact_mut(words);
        elements
            .filter_map(|element| element.get_mut(name))
            .for_each(visit);
    }
}

/// Replaces each type id in a record with what `map` returns for it; `void` stays.
pub(super) fn map_types(record: &mut [u32], kind: Kind, mut map: impl FnMut(TypeId) -> TypeId) {
    for place in type_places(kind, record.len()) {
        if let Some(word) = record.get_mut(place).filter(|word| **word != 0) {
            *word = map(TypeId(*word)).0;
        }
    }
}

/// The low and high half of a 64-bit number.
pub(super) fn halves(value: u64) -> [u32; 2] {
    let low = u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default();
    let high = u32::try_from(value >> 32).unwrap_or_default();
    [low, high]
}
