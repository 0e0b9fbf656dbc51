//! What can be wrong with an ELF file.

use crate::{Error, ErrorKind, SectionIndex};

/// A file that is not an ELF file, is damaged, or is the wrong kind of ELF file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ElfError {
    #[error("the file is empty")]
    Empty,
    #[error("not an ELF file: it starts with \"{}\", not with \"\\x7fELF\"", .0.escape_ascii())]
    Magic(Vec<u8>),
    #[error("the file ends in its ELF header: it has {0} bytes, the header takes 64")]
    HeaderCut(usize),
    #[error("a 32-bit ELF file; BPF objects are 64-bit")]
    Class32,
    #[error(
        "an ELF file of class {class}, byte order {order} and version {version}, which mean nothing"
    )]
    Ident { class: u8, order: u8, version: u8 },
    #[error("an ELF {kind} for {machine}, not a BPF object")]
    NotBpf { kind: String, machine: String },
    #[error(
        "the section table ({count} entries at offset {offset:#x}) lies outside the file, which has {len} bytes"
    )]
    SectionTable { offset: u64, count: u16, len: usize },
    #[error("the section table is damaged: {0}")]
    SectionHeaders(&'static str),
    #[error("there is no section {0}")]
    NoSection(SectionIndex),
    #[error(
        "the name of section {section} (offset {offset:#x} in the section names) is out of bounds or no text"
    )]
    SectionName { section: SectionIndex, offset: u32 },
    #[error(
        "section {section} `{name}` (offset {offset:#x}, {size:#x} bytes) lies outside the file, which has {len} bytes"
    )]
    SectionData {
        section: SectionIndex,
        name: String,
        offset: u64,
        size: u64,
        len: usize,
    },
    #[error(
        "section {section} `{name}` holds {size} bytes, which is no multiple of its entries' {entry}"
    )]
    Entries {
        section: SectionIndex,
        name: String,
        size: u64,
        entry: u64,
    },
    #[error("section {section} `{name}` has entries of {found} bytes, {expected} are expected")]
    EntrySize {
        section: SectionIndex,
        name: String,
        found: u64,
        expected: u64,
    },
    #[error("the symbol table's names (section {0}) are missing or no string table")]
    SymbolNames(u32),
    #[error(
        "the name of symbol {symbol} (offset {offset:#x} in the symbol names) is out of bounds or no text"
    )]
    SymbolName { symbol: usize, offset: u32 },
    #[error("{0} sections are too many: an object can have 65279")]
    TooManySections(usize),
    #[error("{0} would take 4 GiB or more")]
    TooLong(&'static str),
    #[error(
        "the file is damaged: the names of its {0} overlap each other, and come to many times what holds them"
    )]
    OverlappingNames(&'static str),
}

impl From<ElfError> for Error {
    fn from(error: ElfError) -> Self {
        let hint = match &error {
            ElfError::Empty | ElfError::Magic(_) => {
                Some("a BPF object is what `clang -target bpf -g -O2 -c` writes")
            }
            ElfError::NotBpf { .. } | ElfError::Class32 => {
                Some("compile for BPF: `clang -target bpf -g -O2 -c`")
            }
            ElfError::HeaderCut(_)
            | ElfError::SectionTable { .. }
            | ElfError::SectionData { .. } => {
                Some("the file is damaged or cut off; build or copy it again")
            }
            _ => None,
        };
        let result = Error::new(ErrorKind::Elf, error.to_string());
        match hint {
            Some(hint) => result.with_hint(hint),
            None => result,
        }
    }
}
