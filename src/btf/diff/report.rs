//! The differences, as plain data.

use crate::btf::{IntEncoding, Kind, Linkage};

/// The differences between two sets of types. Returned by [`Comparison::run`](super::Comparison::run).
///
/// All lists are sorted by kind (structures first) and name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Diff {
    /// Types that only the new set has.
    pub added: Vec<Named>,
    /// Types that only the old set has.
    pub removed: Vec<Named>,
    /// Types that both sets have, but with differences.
    pub changed: Vec<Changed>,
}

impl Diff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// The identity of a type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Named {
    /// Its kind; `Enum` for enumerations of either width.
    pub kind: Kind,
    /// Its name; for an anonymous enumeration that of its first constant.
    pub name: String,
    /// Whether it is anonymous.
    pub is_anonymous: bool,
}

/// A type that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changed {
    /// The type.
    pub of: Named,
    /// Its changes. Never empty.
    pub changes: Vec<Change>,
}

/// A single change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The size in bytes.
    Size {
        /// The old size.
        old: u32,
        /// The new size.
        new: u32,
    },
    /// A member of a structure or union, or a variable of a section. Members of an anonymous structure or union are prefixed
    /// with the name of the member of that type (`tree.left`), unless it has none.
    Member {
        /// Its name, preceded by those of the enclosing members.
        name: String,
        /// Its old offset and type; `None` if it was added.
        old: Option<Place>,
        /// Its new offset and type; `None` if it was removed.
        new: Option<Place>,
    },
    /// A constant of an enumeration.
    Constant {
        /// Its name.
        name: String,
        /// The old value; `None` if it was added.
        old: Option<i128>,
        /// The new value; `None` if it was removed.
        new: Option<i128>,
    },
    /// The declaration of a typedef, variable or function in C. The texts are equal if the change is in a part that they omit.
    Declaration {
        /// The old declaration.
        old: String,
        /// The new declaration.
        new: String,
    },
    /// The encoding of an integer.
    Encoding {
        /// The old encoding.
        old: IntEncoding,
        /// The new encoding.
        new: IntEncoding,
    },
    /// Whether the constants of an enumeration are signed.
    Signedness {
        /// Whether they were signed.
        old: bool,
        /// Whether they are signed now.
        new: bool,
    },
    /// The linkage of a function or variable.
    Linkage {
        /// The old linkage.
        old: Linkage,
        /// The new linkage.
        new: Linkage,
    },
    /// A tag of the declaration or of one of its components, such as `bpf_kfunc`.
    Tag {
        /// The text of the tag.
        tag: String,
        /// The index of the tagged member or parameter; `None` if the whole declaration is tagged.
        component: Option<u32>,
        /// Whether the tag was added; otherwise it was removed.
        is_new: bool,
    },
}

/// The offset and type of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Its type, as C writes it.
    pub ty: String,
    /// Offset in the type or section, in bits.
    pub bit_offset: u64,
    /// Its width in bits; `None` if its type has no size.
    pub bits: Option<u64>,
    /// Whether it is a bitfield.
    pub is_bitfield: bool,
}
