//! What can be wrong with a BTF blob.

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
    /// A value whose type leads to more work than its bytes can be worth.
    #[error(
        "type [{0}] takes too much work to decode: its members lie upon each other, or have names without end"
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
