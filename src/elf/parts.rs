//! The sections of any ELF file, linked or not, read one at a time, and its symbols: for debug information.
//!
//! Compressed sections are decompressed. In a relocatable file (a kernel module, an object), the relocations of debug sections
//! are applied, and loadable sections are assigned consecutive addresses, so that an address identifies its section.

use super::format::{Format, RawSymbol, Relocation, Section};
use super::read_at::{self, Extent, ReadAt};
use super::section::string_at;
use crate::{Error, ErrorKind, Result};
use object::elf;
use std::io::Read;

/// Linked files have about forty sections, relocatable ones up to tens of thousands.
const MAX_SECTIONS: u64 = 1 << 20;
/// Names of sections or symbols, in bytes.
const MAX_NAMES: u64 = 1 << 30;
/// The largest compression ratio of a section: debug information usually compresses about fourfold.
const MOST_UNPACKED: u64 = 64;
/// A table of sections or symbols, or the contents of one section, in bytes.
const MAX_PART: u64 = 1 << 32;

/// A file and its sections and symbols.
#[derive(Debug)]
pub(crate) struct Parts<'r> {
    reader: &'r dyn ReadAt,
    format: Format,
    kind: elf::FileType,
    machine: elf::Machine,
    sections: Vec<Section>,
    names: Vec<u8>,
    /// The addresses of the sections.
    addresses: Vec<u64>,
    symbols: Vec<u8>,
    symbol_names: Vec<u8>,
}

/// A section for users of this module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartSection<'p> {
    pub(crate) name: &'p str,
    pub(crate) address: u64,
    pub(crate) len: u64,
    /// Whether it is loaded and contains data.
    pub(crate) is_data: bool,
}

/// The kind of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartSymbolKind {
    Function,
    Data,
    Other,
}

/// A defined symbol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartSymbol<'p> {
    pub(crate) name: &'p str,
    pub(crate) kind: PartSymbolKind,
    pub(crate) address: u64,
    pub(crate) size: u64,
    /// The index of its section.
    pub(crate) section: usize,
}

impl<'r> Parts<'r> {
    /// Reads the headers and the symbol table.
    ///
    /// # Errors
    /// `Elf` if this is not an ELF file, or a damaged one.
    pub(crate) fn open(reader: &'r dyn ReadAt) -> Result<Self> {
        let len = reader.size().min(64);
        let start = read_at::read(reader, Extent { offset: 0, len }, 64, "its ELF header")?;
        let format = Format::of(&start)?;
        let header = format.header(&start).ok_or_else(|| {
            let message = format!("the file ends in its ELF header, after {len} bytes");
            Error::new(ErrorKind::Elf, message)
        })?;
        let mut file = Self {
            reader,
            format,
            kind: header.kind,
            machine: header.machine,
            sections: Vec::new(),
            names: Vec::new(),
            addresses: Vec::new(),
            symbols: Vec::new(),
            symbol_names: Vec::new(),
        };
        file.read_sections(header.sections.offset, header.sections.count, header.names)?;
        file.place_sections();
        file.read_symbols()?;
        Ok(file)
    }

    fn read_sections(&mut self, offset: u64, count: u16, names: u16) -> Result<()> {
        if offset == 0 {
            return Ok(());
        }
        let what = "its table of sections";
        let entry = self.format.section_len() as u64;
        let first = Extent { offset, len: entry };
        let bytes = read_at::read(self.reader, first, entry, what)?;
        let Some(first) = self.format.section(&bytes) else {
            return Ok(());
        };
        let (count, names) = first.numbers(count, names);
        let len = count.saturating_mul(entry);
        let most = MAX_SECTIONS * entry;
        let bytes = read_at::read(self.reader, Extent { offset, len }, most, what)?;
        let sections = bytes.chunks_exact(self.format.section_len());
        let sections = sections.filter_map(|bytes| self.format.section(bytes));
        self.sections = sections.collect();
        let names = usize::try_from(names).unwrap_or(usize::MAX);
        self.names = match self.sections.get(names) {
            Some(names) => self.raw(names, MAX_NAMES, "its table of sections' names")?,
            None => Vec::new(),
        };
        Ok(())
    }

    fn place_sections(&mut self) {
        let mut next = 0_u64;
        for section in &self.sections {
            let mut address = section.address;
            if self.is_relocatable() && section.flags.0 & elf::SHF_ALLOC.0 != 0 {
                let align = section.align.clamp(1, 1 << 20);
                address = next.checked_next_multiple_of(align).unwrap_or(next);
                // With a gap, since a symbol may be at the very end.
                next = address.saturating_add(section.len).saturating_add(1);
            }
            self.addresses.push(address);
        }
    }

    fn read_symbols(&mut self) -> Result<()> {
        let table = self.sections.iter().find(|s| s.kind == elf::SHT_SYMTAB);
        let Some(table) = table.copied() else {
            return Ok(());
        };
        self.symbols = self.raw(&table, MAX_PART, "its symbol table")?;
        let names = usize::try_from(table.link).unwrap_or(usize::MAX);
        if let Some(names) = self.sections.get(names) {
            self.symbol_names = self.raw(names, MAX_NAMES, "its symbols' names")?;
        }
        Ok(())
    }

    /// The contents of a section as they are in the file.
    fn raw(&self, section: &Section, limit: u64, what: &str) -> Result<Vec<u8>> {
        if matches!(section.kind, elf::SHT_NOBITS | elf::SHT_NULL) {
            return Ok(Vec::new());
        }
        let extent = Extent {
            offset: section.offset,
            len: section.len,
        };
        read_at::read(self.reader, extent, limit, what)
    }

    /// Whether it has yet to be linked.
    pub(crate) fn is_relocatable(&self) -> bool {
        self.kind == elf::ET_REL
    }

    pub(crate) fn is_little_endian(&self) -> bool {
        self.format.endian == object::Endianness::Little
    }

    /// Whether it is BPF code.
    pub(crate) fn is_bpf(&self) -> bool {
        self.machine == elf::EM_BPF
    }

    /// All sections, by index. Those with an invalid name have an empty one.
    pub(crate) fn sections(&self) -> impl Iterator<Item = PartSection<'_>> {
        let addresses = self.addresses.iter().copied();
        self.sections
            .iter()
            .zip(addresses)
            .map(|(section, address)| {
                let flags = section.flags.0;
                PartSection {
                    name: string_at(&self.names, section.name).unwrap_or_default(),
                    address,
                    len: section.len,
                    is_data: flags & elf::SHF_ALLOC.0 != 0 && flags & elf::SHF_EXECINSTR.0 == 0,
                }
            })
    }

    /// The symbols that have a name and are defined in a section.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = PartSymbol<'_>> {
        let entries = self.symbols.chunks_exact(self.format.symbol_len());
        entries.filter_map(|entry| {
            let symbol = self.format.symbol(entry)?;
            let name = string_at(&self.symbol_names, symbol.name)?;
            let section = usize::from(symbol.section.0);
            let is_defined = section > 0 && section < self.sections.len();
            (is_defined && !name.is_empty()).then(|| PartSymbol {
                name,
                kind: match symbol.kind {
                    elf::STT_FUNC | elf::STT_GNU_IFUNC => PartSymbolKind::Function,
                    elf::STT_OBJECT => PartSymbolKind::Data,
                    _ => PartSymbolKind::Other,
                },
                address: self.address_of(&symbol),
                size: symbol.size,
                section,
            })
        })
    }

    fn address_of(&self, symbol: &RawSymbol) -> u64 {
        let section = self.addresses.get(usize::from(symbol.section.0));
        let start = section.filter(|_| self.is_relocatable());
        symbol.value.wrapping_add(start.copied().unwrap_or(0))
    }

    /// The contents of the first section of this name; `None` if there is no such section.
    ///
    /// # Errors
    /// They are not in the file, cannot be decompressed, or have a relocation outside of them.
    pub(crate) fn section(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let of = |wanted: &str| {
            let is_it = |s: &Section| string_at(&self.names, s.name) == Some(wanted);
            self.sections.iter().position(is_it)
        };
        // Sections compressed in the old GNU format have a name of their own.
        let old_name = name.strip_prefix('.').map(|name| format!(".z{name}"));
        let (index, is_old) = match of(name) {
            Some(index) => (index, false),
            None => match old_name.as_deref().and_then(of) {
                Some(index) => (index, true),
                None => return Ok(None),
            },
        };
        let contents = self.contents(index, is_old, name);
        contents
            .map(Some)
            .map_err(|e| e.context(format!("section `{name}`")))
    }

    /// The location of a section's contents in the file, if they can be used as they are: neither compressed nor in need of
    /// relocation.
    pub(crate) fn plain(&self, name: &str) -> Option<Extent> {
        let is_it = |s: &&Section| string_at(&self.names, s.name) == Some(name);
        let section = self.sections.iter().find(is_it)?;
        let is_packed = section.flags.0 & elf::SHF_COMPRESSED.0 != 0;
        let is_there = !matches!(section.kind, elf::SHT_NOBITS | elf::SHT_NULL);
        let extent = Extent {
            offset: section.offset,
            len: section.len,
        };
        let extent = extent.within(self.reader.size())?;
        (is_there && !is_packed && !self.is_relocatable()).then_some(extent)
    }

    fn contents(&self, index: usize, is_old: bool, name: &str) -> Result<Vec<u8>> {
        let Some(section) = self.sections.get(index) else {
            return Ok(Vec::new());
        };
        let bytes = self.raw(section, MAX_PART, &format!("its section {name}"))?;
        let mut bytes = if section.flags.0 & elf::SHF_COMPRESSED.0 != 0 {
            let header = self.format.compression(&bytes);
            let header = header.ok_or_else(|| damaged("it ends in its header"))?;
            let packed = bytes.get(header.header_len..).unwrap_or_default();
            unpack(header.kind, packed, header.size)?
        } else if is_old {
            let size = bytes.strip_prefix(b"ZLIB").and_then(<[u8]>::first_chunk);
            let size = size.ok_or_else(|| damaged("it ends in its header"))?;
            let packed = bytes.get(12..).unwrap_or_default();
            unpack(elf::ELFCOMPRESS_ZLIB, packed, u64::from_be_bytes(*size))?
        } else {
            bytes
        };
        if self.is_relocatable() {
            self.relocate(index, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// Applies the relocations of a section.
    fn relocate(&self, index: usize, bytes: &mut [u8]) -> Result<()> {
        let is_about = |s: &&Section| usize::try_from(s.info).is_ok_and(|info| info == index);
        for table in self.sections.iter().filter(is_about) {
            let entry = match table.kind {
                elf::SHT_RELA => self.format.rela_len(),
                elf::SHT_REL => self.format.rel_len(),
                _ => continue,
            };
            let mips = self.machine == elf::EM_MIPS;
            let entries = self.raw(table, MAX_PART, "its table of relocations")?;
            for entry in entries.chunks_exact(entry) {
                let relocation = match table.kind {
                    elf::SHT_RELA => self.format.rela(entry, mips),
                    _ => self.format.rel(entry, mips),
                };
                if let Some(relocation) = relocation {
                    self.apply(&relocation, bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the address of a symbol. Relocations other than absolute addresses occur only in sections that are not read.
    fn apply(&self, relocation: &Relocation, bytes: &mut [u8]) -> Result<()> {
        let Some(len) = absolute_len(self.machine, relocation.kind) else {
            return Ok(());
        };
        let at = usize::try_from(relocation.offset).ok();
        let field = at.and_then(|at| bytes.get_mut(at..)?.get_mut(..len));
        let field = field.ok_or_else(|| {
            damaged(&format!(
                "a relocation at {:#x} lies outside of it",
                relocation.offset
            ))
        })?;
        let symbol = usize::try_from(relocation.symbol).unwrap_or(usize::MAX);
        let symbol_at = symbol.saturating_mul(self.format.symbol_len());
        let symbol = self
            .symbols
            .get(symbol_at..)
            .and_then(|s| self.format.symbol(s));
        let target = symbol.map_or(0, |symbol| self.address_of(&symbol));
        let is_little = self.is_little_endian();
        let addend = match relocation.addend {
            Some(addend) => addend.cast_unsigned(),
            None => number(field, is_little),
        };
        let value = target.wrapping_add(addend).to_le_bytes();
        if is_little {
            field
                .iter_mut()
                .zip(value)
                .for_each(|(to, from)| *to = from);
        } else {
            field
                .iter_mut()
                .rev()
                .zip(value)
                .for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

fn number(bytes: &[u8], is_little: bool) -> u64 {
    let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    if is_little {
        bytes.iter().rev().fold(0, add)
    } else {
        bytes.iter().fold(0, add)
    }
}

#[cold]
fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::Elf, format!("the file is damaged: {why}"))
}

/// The size in bytes of an absolute address; `None` for relocations of other kinds.
fn absolute_len(machine: elf::Machine, kind: u32) -> Option<usize> {
    let (four, eight): (&[u32], &[u32]) = match machine {
        elf::EM_X86_64 => (&[10, 11], &[1]),
        elf::EM_AARCH64 => (&[258], &[257]),
        elf::EM_BPF => (&[3, 4], &[2]),
        elf::EM_RISCV | elf::EM_LOONGARCH => (&[1], &[2]),
        elf::EM_S390 => (&[4], &[22]),
        elf::EM_PPC64 => (&[1], &[38]),
        elf::EM_386 => (&[1], &[]),
        elf::EM_ARM => (&[2], &[]),
        elf::EM_MIPS => (&[2], &[18]),
        _ => (&[], &[]),
    };
    if four.contains(&kind) {
        return Some(4);
    }
    eight.contains(&kind).then_some(8)
}

fn unpack(kind: elf::CompressionType, packed: &[u8], size: u64) -> Result<Vec<u8>> {
    let packed_len = packed.len() as u64;
    let most = packed_len
        .saturating_mul(MOST_UNPACKED)
        .saturating_add(1 << 16);
    if size > most.min(MAX_PART) {
        return Err(damaged(&format!(
            "it would have {size} bytes when unpacked, and has {packed_len}"
        )));
    }
    let mut bytes = Vec::new();
    let read = match kind {
        elf::ELFCOMPRESS_ZLIB => {
            let unpacked = flate2::read::ZlibDecoder::new(packed);
            unpacked.take(size).read_to_end(&mut bytes)
        }
        elf::ELFCOMPRESS_ZSTD => match ruzstd::decoding::StreamingDecoder::new(packed) {
            Ok(unpacked) => unpacked.take(size).read_to_end(&mut bytes),
            Err(error) => return Err(damaged(&format!("it cannot be unpacked: {error}"))),
        },
        other => {
            let message = format!("it is compressed in a way that is not known ({})", other.0);
            return Err(Error::new(ErrorKind::Unsupported, message).with_hint(
                "`objcopy --decompress-debug-sections` writes a file that can be read",
            ));
        }
    };
    read.map_err(|e| damaged(&format!("it cannot be unpacked: {e}")))?;
    if bytes.len() as u64 != size {
        let message = format!("it has {} bytes when unpacked, not {size}", bytes.len());
        return Err(damaged(&message));
    }
    Ok(bytes)
}
