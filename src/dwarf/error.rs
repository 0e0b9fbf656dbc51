//! Errors of debug information.

use crate::elf::parts::{PartSection, Parts};
use crate::{Error, ErrorKind};

/// Why debug information cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DwarfError {
    #[error("the file has no debug information (no section `.debug_info`)")]
    NoDebugInfo,
    #[error("section `{section}` is missing, to which `.debug_info` refers")]
    NoSection { section: &'static str },
    #[error("the unit at {unit:#x} of `.debug_info` is damaged: {reason}")]
    Damaged { unit: u64, reason: gimli::Error },
    #[error(
        "the unit at {unit:#x} of `.debug_info` is damaged: entries are nested more than {depth} deep"
    )]
    Nested { unit: u64, depth: usize },
    #[error("the entry at {offset:#x} of `.debug_info` is meant to be a type, and is none")]
    NoType { offset: u64 },
    #[error("the types cannot be written: {0}")]
    Write(String),
    #[error("{what} is not supported")]
    Unsupported {
        what: &'static str,
        hint: Option<&'static str>,
    },
}

impl DwarfError {
    /// For a file without `.debug_info`, which may have it under the name that split files use.
    pub(super) fn no_debug_info(parts: &Parts<'_>) -> Self {
        let is_split = |section: PartSection<'_>| section.name == ".debug_info.dwo";
        if parts.sections().any(is_split) {
            return Self::Unsupported {
                what: "a part that `-gsplit-dwarf` made (`.dwo`, `.dwp`)",
                hint: Some(
                    "name the program that it belongs to; for types, compile without -gsplit-dwarf",
                ),
            };
        }
        Self::NoDebugInfo
    }
}

impl From<DwarfError> for Error {
    fn from(error: DwarfError) -> Self {
        let kind = match error {
            DwarfError::NoDebugInfo => ErrorKind::NotFound,
            DwarfError::Unsupported { .. } => ErrorKind::Unsupported,
            DwarfError::NoSection { .. } => ErrorKind::Elf,
            _ => ErrorKind::Btf,
        };
        let hint = match error {
            DwarfError::NoDebugInfo => Some(
                "compile with -g; distributions keep debug information in packages of their own (`linux-image-*-dbg`, `*-dbgsym`, \
                 `*-debuginfo`)",
            ),
            DwarfError::NoSection { .. } | DwarfError::NoType { .. } => Some(
                "was the file changed by a tool that does not know this version of DWARF? take the one that the linker wrote",
            ),
            DwarfError::Unsupported { hint, .. } => hint,
            _ => None,
        };
        let result = Self::new(kind, error.to_string()).with_source(error);
        match hint {
            Some(hint) => result.with_hint(hint),
            None => result,
        }
    }
}
