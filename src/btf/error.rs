//! What can be wrong with a BTF blob.

use super::read::kind::Kind;
use crate::{Error, ErrorKind, TypeId};

/// A malformed BTF or `.BTF.ext` blob, or a query about a type that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BtfError {
    /// The blob is shorter than a header.
    #[error("{len} bytes are too few for a BTF header, which takes at least {least}")]
    TooShort {
        /// The length of the blob in bytes.
        len: usize,
        /// The length of a header in bytes.
        least: usize,
    },
    /// The magic number is neither `0xeb9f` nor its byte-swapped form.
    #[error("bad magic number {0:#06x} (BTF starts with 0xeb9f)")]
    Magic(u16),
    /// A version other than 1.
    #[error("unsupported BTF version {0}")]
    Version(u8),
    /// The header says it is shorter than a header, or longer than the blob.
    #[error("bad header length {0}")]
    HeaderLength(u32),
    /// The header is longer than the known fields, and its unknown fields are not zero.
    #[error("the header has unknown fields that are not zero")]
    UnknownHeader,
    /// A section is outside the blob, overlaps another one or is not aligned.
    #[error("the {section} section (offset {offset:#x}, length {len:#x}) does not fit")]
    Section {
        /// Which one.
        section: &'static str,
        /// Its offset from the end of the header.
        offset: u32,
        /// Its length in bytes.
        len: u32,
    },
    /// The string section does not start or does not end with a NUL.
    #[error("the string section must start and end with a NUL")]
    Strings,
    /// A type's record extends past the type section.
    #[error("type [{id}] at offset {offset:#x} is cut off")]
    Truncated {
        /// The type.
        id: TypeId,
        /// The offset of its record in the type section.
        offset: usize,
    },
    /// A kind that neither this library nor the blob's layout section knows.
    #[error("type [{id}] has the unknown kind {kind}")]
    UnknownKind {
        /// The type.
        id: TypeId,
        /// Its kind's number.
        kind: u32,
    },
    /// A type id past the last type.
    #[error("there is no type [{0}]")]
    NoType(TypeId),
    /// A string offset past the string section.
    #[error("string offset {0:#x} is out of bounds")]
    NoString(u32),
    /// A string that is longer than a name may be in the kernel.
    #[error(
        "the string at offset {offset:#x} has more than {longest} bytes, which no kernel takes for a name"
    )]
    LongString {
        /// Its offset in the string section.
        offset: u32,
        /// The maximum length in bytes.
        longest: usize,
    },
    /// A chain of types that is deeper than real ones, most likely a loop.
    #[error("type [{0}] leads through more than 32 others, most likely in a loop")]
    TooDeep(TypeId),
    /// A type that causes more work than a value's bytes, or all types, can justify.
    #[error(
        "type [{0}] takes too much work to show: its members lie upon each other, lead to ever more types, or have names without end"
    )]
    TooMuch(TypeId),
    /// The size of a type that has none was requested.
    #[error("type [{0}] has no size")]
    NoSize(TypeId),
    /// A type of the wrong kind where the format requires another.
    #[error("type [{id}] refers to type [{target}] of an unfit kind")]
    Reference {
        /// The type.
        id: TypeId,
        /// What it refers to.
        target: TypeId,
    },
    /// An integer's encoding is impossible.
    #[error("type [{0}] has an impossible integer encoding")]
    IntEncoding(TypeId),
    /// A size computation overflowed 32 bits.
    #[error("the size of type [{0}] overflows")]
    Overflow(TypeId),
    /// A record that does not consist of whole 32-bit words, so that it cannot be copied.
    #[error(
        "the record of type [{0}] does not take a multiple of four bytes, so it cannot be rewritten"
    )]
    Unaligned(TypeId),
    /// An attempt to write a type without a name whose kind requires one.
    #[error("type [{id}] needs a name: no kernel takes a {kind} without one")]
    NoName {
        /// The type.
        id: TypeId,
        /// Its kind.
        kind: Kind,
    },
    /// An attempt to write a name that contains a NUL.
    #[error("a name of type [{0}] has a NUL in it, which would end it there")]
    NulInName(TypeId),
    /// An attempt to write more strings than kernels accept.
    #[error("a string would have the offset {0:#x}, and no kernel takes names after 0xffffff")]
    NameOffset(u32),
    /// An attempt to write more types than kernels accept.
    #[error("{0} types are more than a kernel takes, which is 1048575")]
    TooManyTypes(u32),
    /// An attempt to write a type with more members, constants, parameters or variables than the format allows.
    #[error(
        "{count} members, constants, parameters or variables are too many for a type, which takes {most} \
         (65535 before Linux 7.1)"
    )]
    TooManyElements {
        /// The number of elements.
        count: usize,
        /// The maximum.
        most: usize,
    },
    /// An attempt to write a bitfield whose width or offset is too large, or another such member of a structure with
    /// bitfields.
    #[error(
        "member {member} of a structure with bitfields cannot have {bits} bits at bit {bit_offset}: there is room for a \
         width of 255 and a place of 0xffffff"
    )]
    Bitfield {
        /// The member's index.
        member: usize,
        /// Its offset in bits from the start.
        bit_offset: u32,
        /// Its width in bits.
        bits: u32,
    },
    /// An attempt to write a constant that does not fit into its enumeration.
    #[error(
        "constant {index} is {value}, which does not fit into 32 bits; write an enumeration of 64 bits"
    )]
    Constant {
        /// Its index.
        index: usize,
        /// Its value.
        value: i64,
    },
    /// An attempt to write a size that no type of this kind can have.
    #[error("type [{id}] cannot have a size of {size} bytes")]
    Size {
        /// The type.
        id: TypeId,
        /// The size in bytes.
        size: u32,
    },
    /// An attempt to change something that types of this kind do not have.
    #[error("type [{id}] is a {kind}, which has no {what}")]
    NotOfKind {
        /// The type.
        id: TypeId,
        /// Its kind.
        kind: Kind,
        /// What was to be changed.
        what: &'static str,
    },
    /// An attempt to change an element that does not exist.
    #[error("type [{id}] has no {what} of index {index}")]
    NoElement {
        /// The type.
        id: TypeId,
        /// What was to be changed.
        what: &'static str,
        /// Its index.
        index: usize,
    },
    /// A permutation that does not contain the id of each own type exactly once.
    #[error("the new numbers do not have each number of an own type once")]
    Permutation,
    /// The names of a blob come to many times the bytes that hold them.
    #[error("the strings overlap each other, and come to many times the bytes that hold them")]
    OverlappingStrings,
    /// Split types were to be added to others that have another base.
    #[error("the types continue another base than those that they are added to")]
    OtherBase,
    /// A malformed record of `.BTF.ext`.
    #[error(".BTF.ext: {what} at offset {offset:#x}")]
    Ext {
        /// What is wrong.
        what: &'static str,
        /// The offset from the start of the blob.
        offset: usize,
    },
}

impl From<BtfError> for Error {
    fn from(error: BtfError) -> Self {
        Error::new(ErrorKind::Btf, error.to_string())
    }
}
