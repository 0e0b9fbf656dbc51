//! Why a CO-RE relocation fails. A missing answer is not a failure: the instruction is poisoned instead.

use crate::btf::BtfError;
use crate::{Error, ErrorKind};

/// How many steps a path may have.
pub(super) const MAX_PATH: usize = 64;

/// A relocation that makes the load fail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CoreError {
    #[error("unknown relocation kind {0} (the known ones are 0 to 12)")]
    UnknownKind(u32),
    #[error(
        "the access string {0:?} is no list of numbers with colons between them, such as \"0:1:2\""
    )]
    AccessString(String),
    #[error("the access string of a question about a type is \"0\", not {0:?}")]
    TypeAccess(String),
    #[error("the path has more than {MAX_PATH} steps")]
    PathTooLong,
    #[error("step {step} of the path asks for element {index} of {of}, which has {len}")]
    OutOfRange {
        step: usize,
        index: u32,
        of: String,
        len: u32,
    },
    #[error("step {step} of the path leads into {of}, which has no members or elements")]
    NotAContainer { step: usize, of: String },
    #[error("the path of a question about an enumerator is one number, but leads into {0}")]
    NotAnEnumerator(String),
    #[error("a type without a name cannot be looked for in the kernel")]
    Anonymous,
    #[error("{0}")]
    Btf(#[from] BtfError),
    #[error("types are nested more than 32 deep")]
    TooDeep,
    #[error(
        "the types are too tangled: comparing them takes more steps than any real object needs"
    )]
    TooMuchWork,
    #[error("the answer for an element of an array can only be its offset, size or existence")]
    ArrayElement,
    #[error("the bitfield cannot be read with one load of at most 8 bytes")]
    BitfieldTooWide,
    #[error("the bitfield's type has no size")]
    BitfieldWithoutSize,
    #[error(
        "the kernel has several types that fit and that disagree: {first} gives {first_answer}, {second} gives {second_answer}"
    )]
    Ambiguous {
        first: String,
        first_answer: String,
        second: String,
        second_answer: String,
    },
    #[error("there is no instruction {insn}: the program has {len}")]
    NoInstruction { insn: usize, len: usize },
    #[error("the instruction (code {code:#04x}) has no {what} that could be relocated")]
    UnfitInstruction { code: u8, what: &'static str },
    #[error("the instruction's {what} is {found}, but the object's own types say {expected}")]
    OriginalValue {
        what: &'static str,
        found: u64,
        expected: u64,
    },
    #[error("the new offset {0} does not fit into a load or store, which takes at most 32767")]
    OffsetTooLarge(u64),
    #[error("the instruction accesses {found} bytes, but the object's own types say {expected}")]
    AccessSize { found: u32, expected: u32 },
    #[error("no instruction accesses {0} bytes at once")]
    NoAccessSize(u32),
}

impl CoreError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Ambiguous { .. } => Some(
                "ask first for a field that only the right type has: types without it are left out from then on",
            ),
            Self::OriginalValue { .. } | Self::AccessSize { .. } => Some(
                "the object contradicts itself: rebuild it, or relink it with `rawbpf gen object`",
            ),
            Self::OffsetTooLarge(_) => {
                Some("read the field with bpf_core_read() instead of a direct access")
            }
            Self::UnknownKind(_) => Some("the object was made by a newer compiler"),
            _ => None,
        }
    }
}

impl From<CoreError> for Error {
    fn from(error: CoreError) -> Self {
        let kind = match error {
            CoreError::Btf(_) => ErrorKind::Btf,
            _ => ErrorKind::Core,
        };
        let result = Self::new(kind, error.to_string());
        match error.hint() {
            Some(hint) => result.with_hint(hint),
            None => result,
        }
    }
}
