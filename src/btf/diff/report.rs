//! What changed, as plain data.

use crate::btf::{IntEncoding, Kind, Linkage};

/// What changed from one set of types to another. Returned by [`Comparison::run`](super::Comparison::run).
///
/// All lists are in order of kinds (structures first) and names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Diff {
    /// Types that only the new set has.
    pub added: Vec<Named>,
    /// Types that only the old set has.
    pub removed: Vec<Named>,
    /// Types that both have, but not alike.
    pub changed: Vec<Changed>,
}

impl Diff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// What a type is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Named {
    /// Its kind; `Enum` for enumerations of either width.
    pub kind: Kind,
    /// Its name; of an enumeration without one, that of its first constant.
    pub name: String,
    /// Whether it has no name of its own.
    pub is_anonymous: bool,
}

/// A type that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changed {
    /// Which.
    pub of: Named,
    /// In what. Never empty.
    pub changes: Vec<Change>,
}

/// One thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The size in bytes.
    Size {
        /// Before.
        old: u32,
        /// Now.
        new: u32,
    },
    /// A member of a structure or union, or a variable of a section. Members of anonymous members have theirs in front of their names
    /// (`tree.left`), unless that has no name either.
    Member {
        /// Its name, and those on the way to it.
        name: String,
        /// Where and what it was; `None` if it is new.
        old: Option<Place>,
        /// Where and what it is; `None` if it is gone.
        new: Option<Place>,
    },
    /// A constant of an enumeration.
    Constant {
        /// Its name.
        name: String,
        /// Its value before; `None` if it is new.
        old: Option<i128>,
        /// Its value now; `None` if it is gone.
        new: Option<i128>,
    },
    /// What a typedef, variable or function is, as C writes it. The texts are equal if the change is within a part that they leave out.
    Declaration {
        /// Before.
        old: String,
        /// Now.
        new: String,
    },
    /// How an integer is encoded.
    Encoding {
        /// Before.
        old: IntEncoding,
        /// Now.
        new: IntEncoding,
    },
    /// Whether the constants of an enumeration are signed.
    Signedness {
        /// Whether they were.
        old: bool,
        /// Whether they are.
        new: bool,
    },
    /// How a function or variable is visible.
    Linkage {
        /// Before.
        old: Linkage,
        /// Now.
        new: Linkage,
    },
    /// A tag of the declaration or of one of its components, such as `bpf_kfunc`.
    Tag {
        /// What it says.
        tag: String,
        /// The index of the member or parameter that it is about; `None` for the whole declaration.
        component: Option<u32>,
        /// Whether the new set has it; otherwise only the old one did.
        is_new: bool,
    },
}

/// Where a member lies, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Its type, as C writes it.
    pub ty: String,
    /// Bits from the start of the type or section.
    pub bit_offset: u64,
    /// Its width in bits; `None` if its type has no size.
    pub bits: Option<u64>,
    /// Whether it is a bitfield.
    pub is_bitfield: bool,
}
