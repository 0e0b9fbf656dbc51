//! The structures of ELF files of either class and byte order, decoded to plain numbers.

use super::ElfError;
use crate::{Error, ErrorKind, Result};
use object::elf::{self, FileHeader32, FileHeader64};
use object::pod::{self, Pod};
use object::read::elf::{
    CompressionHeader, Dyn, FileHeader, ProgramHeader, Rel, Rela, SectionHeader, Sym,
};
use object::{Endianness, U32};
use std::mem::size_of;

type Elf32 = FileHeader32<Endianness>;
type Elf64 = FileHeader64<Endianness>;

/// The layout of a file's structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) class: Class,
    pub(super) endian: Endianness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Elf32,
    Elf64,
}

/// The file header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) kind: elf::FileType,
    pub(super) machine: elf::Machine,
    pub(super) segments: Entries,
    pub(super) sections: Entries,
    /// The section that contains the section names.
    pub(super) names: u16,
}

/// A table of headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entries {
    pub(super) offset: u64,
    pub(super) count: u16,
}

/// A program header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) kind: elf::ProgramType,
    pub(super) executable: bool,
    pub(super) address: u64,
    pub(super) offset: u64,
    /// The size in the file, and in memory.
    pub(super) file_len: u64,
    pub(super) memory_len: u64,
}

/// A section header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    pub(super) name: u32,
    pub(super) kind: elf::SectionType,
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) link: u32,
    pub(super) info: u32,
    pub(super) flags: elf::SectionFlags,
    pub(super) align: u64,
}

impl Section {
    /// The number of sections, and the index of the one with their names, from the ELF header's fields. Numbers that do
    /// not fit there are in the first section header, this one, which describes no section.
    pub(super) fn numbers(&self, count: u16, names: u16) -> (u64, u32) {
        let count = match count {
            0 => self.len,
            count => count.into(),
        };
        let names = match names {
            0xffff => self.link,
            names => names.into(),
        };
        (count, names)
    }
}

/// An entry of a symbol table.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawSymbol {
    pub(super) name: u32,
    pub(super) kind: elf::SymbolType,
    pub(super) bind: elf::SymbolBind,
    pub(super) section: elf::SymbolSection,
    pub(super) value: u64,
    /// The size in bytes of what it names.
    pub(super) size: u64,
}

/// The header of a compressed section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compression {
    pub(super) kind: elf::CompressionType,
    /// The uncompressed size in bytes.
    pub(super) size: u64,
    /// The size of this header in bytes.
    pub(super) header_len: usize,
}

/// An entry of a relocation table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relocation {
    pub(super) offset: u64,
    pub(super) symbol: u32,
    pub(super) kind: u32,
    /// `None` if the addend is at the place that is relocated.
    pub(super) addend: Option<i64>,
}

/// Calls a function that is generic over the ELF class.
macro_rules! by_class {
    ($format:expr, $function:ident($($argument:expr),*)) => {
        match $format.class {
            Class::Elf32 => $function::<Elf32>($($argument),*),
            Class::Elf64 => $function::<Elf64>($($argument),*),
        }
    };
}

impl Format {
    /// Determines the class and the byte order from the first bytes of a file.
    pub(super) fn of(start: &[u8]) -> Result<Self> {
        let magic = start.get(..4).unwrap_or(start);
        if magic != elf::ELFMAG {
            let error = match magic {
                [] => ElfError::Empty,
                _ => ElfError::Magic(magic.to_vec()),
            };
            return Err(Error::new(ErrorKind::Elf, error.to_string())
                .with_hint("name an executable or a library, not a script that starts one"));
        }
        let Some(&[class, order]) = start.get(4..6) else {
            return Err(ElfError::HeaderCut(start.len()).into());
        };
        let class = match class {
            1 => Some(Class::Elf32),
            2 => Some(Class::Elf64),
            _ => None,
        };
        let endian = match order {
            1 => Some(Endianness::Little),
            2 => Some(Endianness::Big),
            _ => None,
        };
        class
            .zip(endian)
            .map(|(class, endian)| Self { class, endian })
            .ok_or_else(|| {
                let message = "the file is damaged: its ELF header names no class or byte order";
                Error::new(ErrorKind::Elf, message)
            })
    }

    pub(super) fn header(self, bytes: &[u8]) -> Option<Header> {
        by_class!(self, header(bytes, self.endian))
    }

    pub(super) fn segment(self, bytes: &[u8]) -> Option<Segment> {
        by_class!(self, segment(bytes, self.endian))
    }

    pub(super) fn section(self, bytes: &[u8]) -> Option<Section> {
        by_class!(self, section(bytes, self.endian))
    }

    pub(super) fn symbol(self, bytes: &[u8]) -> Option<RawSymbol> {
        by_class!(self, symbol(bytes, self.endian))
    }

    /// Tag and value.
    pub(super) fn dynamic(self, bytes: &[u8]) -> Option<(elf::DynamicTag, u64)> {
        by_class!(self, dynamic(bytes, self.endian))
    }

    pub(super) fn compression(self, bytes: &[u8]) -> Option<Compression> {
        by_class!(self, compression(bytes, self.endian))
    }

    /// An entry of a table with addends (`SHT_RELA`).
    pub(super) fn rela(self, bytes: &[u8], mips: bool) -> Option<Relocation> {
        by_class!(self, rela(bytes, self.endian, self.is_odd(mips)))
    }

    /// An entry of a table without addends (`SHT_REL`).
    pub(super) fn rel(self, bytes: &[u8], mips: bool) -> Option<Relocation> {
        by_class!(self, rel(bytes, self.endian, self.is_odd(mips)))
    }

    /// Little-endian 64-bit MIPS orders the parts of a relocation differently.
    fn is_odd(self, mips: bool) -> bool {
        mips && self.class == Class::Elf64 && self.endian == Endianness::Little
    }

    pub(super) fn rela_len(self) -> usize {
        fn len<H: FileHeader>() -> usize {
            size_of::<H::Rela>()
        }
        by_class!(self, len())
    }

    pub(super) fn rel_len(self) -> usize {
        fn len<H: FileHeader>() -> usize {
            size_of::<H::Rel>()
        }
        by_class!(self, len())
    }

    pub(super) fn segment_len(self) -> usize {
        fn len<H: FileHeader>() -> usize {
            size_of::<H::ProgramHeader>()
        }
        by_class!(self, len())
    }

    pub(super) fn section_len(self) -> usize {
        fn len<H: FileHeader>() -> usize {
            size_of::<H::SectionHeader>()
        }
        by_class!(self, len())
    }

    pub(super) fn symbol_len(self) -> usize {
        fn len<H: FileHeader>() -> usize {
            size_of::<H::Sym>()
        }
        by_class!(self, len())
    }

    pub(super) fn dynamic_len(self) -> usize {
        fn len<H: FileHeader>() -> usize {
            size_of::<H::Dyn>()
        }
        by_class!(self, len())
    }

    /// The size of an address, in bytes.
    pub(super) fn word_len(self) -> u64 {
        match self.class {
            Class::Elf32 => 4,
            Class::Elf64 => 8,
        }
    }

    /// A 32-bit number.
    pub(super) fn number(self, bytes: &[u8]) -> Option<u32> {
        Some(structure::<U32<Endianness>>(bytes)?.get(self.endian))
    }
}

/// The structure at the start of the bytes.
pub(super) fn structure<T: Pod>(bytes: &[u8]) -> Option<&T> {
    let (value, _) = pod::from_bytes(bytes).ok()?;
    Some(value)
}

fn header<H: FileHeader<Endian = Endianness>>(bytes: &[u8], endian: Endianness) -> Option<Header> {
    let header: &H = structure(bytes)?;
    Some(Header {
        kind: header.e_type(endian),
        machine: header.e_machine(endian),
        segments: Entries {
            offset: header.e_phoff(endian).into(),
            count: header.e_phnum(endian),
        },
        sections: Entries {
            offset: header.e_shoff(endian).into(),
            count: header.e_shnum(endian),
        },
        names: header.e_shstrndx(endian).0,
    })
}

fn segment<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    endian: Endianness,
) -> Option<Segment> {
    let header: &H::ProgramHeader = structure(bytes)?;
    Some(Segment {
        kind: header.p_type(endian),
        executable: header.p_flags(endian).0 & elf::PF_X.0 != 0,
        address: header.p_vaddr(endian).into(),
        offset: header.p_offset(endian).into(),
        file_len: header.p_filesz(endian).into(),
        memory_len: header.p_memsz(endian).into(),
    })
}

fn section<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    endian: Endianness,
) -> Option<Section> {
    let header: &H::SectionHeader = structure(bytes)?;
    Some(Section {
        name: header.sh_name(endian),
        kind: header.sh_type(endian),
        address: header.sh_addr(endian).into(),
        offset: header.sh_offset(endian).into(),
        len: header.sh_size(endian).into(),
        link: header.sh_link(endian),
        info: header.sh_info(endian),
        flags: header.sh_flags(endian),
        align: header.sh_addralign(endian).into(),
    })
}

fn symbol<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    endian: Endianness,
) -> Option<RawSymbol> {
    let symbol: &H::Sym = structure(bytes)?;
    Some(RawSymbol {
        name: symbol.st_name(endian),
        kind: symbol.st_type(),
        bind: symbol.st_bind(),
        section: symbol.st_shndx(endian),
        value: symbol.st_value(endian).into(),
        size: symbol.st_size(endian).into(),
    })
}

fn dynamic<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    endian: Endianness,
) -> Option<(elf::DynamicTag, u64)> {
    let entry: &H::Dyn = structure(bytes)?;
    Some((entry.d_tag(endian), entry.d_val(endian).into()))
}

fn compression<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    endian: Endianness,
) -> Option<Compression> {
    let header: &H::CompressionHeader = structure(bytes)?;
    Some(Compression {
        kind: header.ch_type(endian),
        size: header.ch_size(endian).into(),
        header_len: size_of::<H::CompressionHeader>(),
    })
}

fn rela<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    endian: Endianness,
    is_odd: bool,
) -> Option<Relocation> {
    let entry: &H::Rela = structure(bytes)?;
    Some(Relocation {
        offset: entry.r_offset(endian).into(),
        symbol: entry.r_sym(endian, is_odd),
        kind: entry.r_type(endian, is_odd).0,
        addend: Some(entry.r_addend(endian).into()),
    })
}

fn rel<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    endian: Endianness,
    _is_odd: bool,
) -> Option<Relocation> {
    let entry: &H::Rel = structure(bytes)?;
    Some(Relocation {
        offset: entry.r_offset(endian).into(),
        symbol: entry.r_sym(endian),
        kind: entry.r_type(endian).0,
        addend: None,
    })
}
