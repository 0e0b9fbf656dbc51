//! What can be wrong with a BTF blob.

use super::read::kind::Kind;
use crate::{Error, ErrorKind, TypeId};

/// A malformed BTF or `.BTF.ext` blob, or a question about a type that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BtfError {
    /// Fewer bytes than a header.
    #[error("{len} bytes are too few for a BTF header, which takes at least {least}")]
    TooShort {
        /// Bytes there are.
        len: usize,
        /// Bytes a header takes.
        least: usize,
    },
    /// The magic number is neither `0xeb9f` nor its mirror image.
    #[error("bad magic number {0:#06x} (BTF starts with 0xeb9f)")]
    Magic(u16),
    /// A version other than 1.
    #[error("unsupported BTF version {0}")]
    Version(u8),
    /// The header says it is shorter than a header, or longer than the blob.
    #[error("bad header length {0}")]
    HeaderLength(u32),
    /// A header longer than the known fields, whose unknown fields mean something.
    #[error("the header has unknown fields that are not zero")]
    UnknownHeader,
    /// A section lies outside the blob, overlaps another one or is not aligned.
    #[error("the {section} section (offset {offset:#x}, length {len:#x}) does not fit")]
    Section {
        /// Which one.
        section: &'static str,
        /// Where it starts, counted from the end of the header.
        offset: u32,
        /// Its length in bytes.
        len: u32,
    },
    /// The string section does not start or does not end with a NUL.
    #[error("the string section must start and end with a NUL")]
    Strings,
    /// A type's record reaches past the type section.
    #[error("type [{id}] at offset {offset:#x} is cut off")]
    Truncated {
        /// The type.
        id: TypeId,
        /// Where its record starts in the type section.
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
    /// A string with more bytes than the kernel allows a name.
    #[error(
        "the string at offset {offset:#x} has more than {longest} bytes, which no kernel takes for a name"
    )]
    LongString {
        /// Where it starts in the string section.
        offset: u32,
        /// Bytes that it may have.
        longest: usize,
    },
    /// A chain of types that is deeper than a sane one, most likely a loop.
    #[error("type [{0}] leads through more than 32 others, most likely in a loop")]
    TooDeep(TypeId),
    /// A type that leads to more work than the bytes of a value, or those of all types, can be worth.
    #[error(
        "type [{0}] takes too much work to show: its members lie upon each other, lead to ever more types, or have names without end"
    )]
    TooMuch(TypeId),
    /// A type without a size was asked for its size.
    #[error("type [{0}] has no size")]
    NoSize(TypeId),
    /// A type of the wrong kind where the format demands another.
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
    /// A record that does not consist of whole words, so that it cannot be copied.
    #[error(
        "the record of type [{0}] does not take a multiple of four bytes, so it cannot be rewritten"
    )]
    Unaligned(TypeId),
    /// A kind that must have a name was to be written without one.
    #[error("type [{id}] needs a name: no kernel takes a {kind} without one")]
    NoName {
        /// The type.
        id: TypeId,
        /// Its kind.
        kind: Kind,
    },
    /// A name with a NUL was to be written.
    #[error("a name of type [{0}] has a NUL in it, which would end it there")]
    NulInName(TypeId),
    /// More strings were to be written than a kernel takes.
    #[error("a string would have the offset {0:#x}, and no kernel takes names after 0xffffff")]
    NameOffset(u32),
    /// More types were to be written than a kernel takes.
    #[error("{0} types are more than a kernel takes, which is 1048575")]
    TooManyTypes(u32),
    /// A type with more members, constants, parameters or variables was to be written than there can be.
    #[error(
        "{count} members, constants, parameters or variables are too many for a type, which takes {most} \
         (65535 before Linux 7.1)"
    )]
    TooManyElements {
        /// How many.
        count: usize,
        /// The most.
        most: usize,
    },
    /// A bitfield that is too wide or too far away was to be written, or another member of a structure with bitfields.
    #[error(
        "member {member} of a structure with bitfields cannot have {bits} bits at bit {bit_offset}: there is room for a \
         width of 255 and a place of 0xffffff"
    )]
    Bitfield {
        /// The member's index.
        member: usize,
        /// Bits from the start.
        bit_offset: u32,
        /// Its width.
        bits: u32,
    },
    /// A constant was to be written that its enumeration has no room for.
    #[error(
        "constant {index} is {value}, which does not fit into 32 bits; write an enumeration of 64 bits"
    )]
    Constant {
        /// Its index.
        index: usize,
        /// Its value.
        value: i64,
    },
    /// A size that no type of this kind can have was to be written.
    #[error("type [{id}] cannot have a size of {size} bytes")]
    Size {
        /// The type.
        id: TypeId,
        /// Bytes.
        size: u32,
    },
    /// Something was to be changed that types of this kind do not have.
    #[error("type [{id}] is a {kind}, which has no {what}")]
    NotOfKind {
        /// The type.
        id: TypeId,
        /// Its kind.
        kind: Kind,
        /// What was to be changed.
        what: &'static str,
    },
    /// An element was to be changed that is not there.
    #[error("type [{id}] has no {what} of index {index}")]
    NoElement {
        /// The type.
        id: TypeId,
        /// What was to be changed.
        what: &'static str,
        /// Its index.
        index: usize,
    },
    /// New numbers do not have each number of a type once.
    #[error("the new numbers do not have each number of an own type once")]
    Permutation,
    /// The names of a blob come to many times the bytes that hold them.
    #[error("the strings overlap each other, and come to many times the bytes that hold them")]
    OverlappingStrings,
    /// Split types were to be added to others that have another base.
    #[error("the types continue another base than those that they are added to")]
    OtherBase,
    /// A record of `.BTF.ext` does not hold together.
    #[error(".BTF.ext: {what} at offset {offset:#x}")]
    Ext {
        /// What is wrong.
        what: &'static str,
        /// Where, from the start of the blob.
        offset: usize,
    },
}

impl From<BtfError> for Error {
    fn from(error: BtfError) -> Self {
        Error::new(ErrorKind::Btf, error.to_string())
    }
}
