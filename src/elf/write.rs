//! Writes objects: relocatable ELF files for BPF, from sections, symbols and relocations.
//!
//! Sections are written in the given order, followed by their relocations, the symbols and the names. An object is not loaded
//! as it is, so its sections are aligned to eight bytes, whatever their own alignment.

use super::{ElfError, Section};
use crate::ids::ByteOrder;
use object::elf;
use std::collections::HashMap;

/// Size of the file header in bytes.
const HEADER: u16 = 64;
/// Size of a section header in bytes.
const SECTION_HEADER: u16 = 64;
/// Size of a symbol in bytes.
const SYMBOL: u64 = 24;
/// Size of a relocation in bytes.
const REL: u64 = 16;
/// The alignment of sections in the file.
const ALIGN: usize = 8;

/// A sequence of numbers in the byte order of a file.
#[derive(Debug)]
struct Numbers {
    order: ByteOrder,
    bytes: Vec<u8>,
}

impl Numbers {
    /// An empty sequence.
    fn new(order: ByteOrder) -> Self {
        Self {
            order,
            bytes: Vec::new(),
        }
    }

    fn u16(&mut self, number: u16) {
        let number = match self.order {
            ByteOrder::Native => number,
            ByteOrder::Foreign => number.swap_bytes(),
        };
        self.bytes.extend(number.to_ne_bytes());
    }

    fn u32(&mut self, number: u32) {
        let number = match self.order {
            ByteOrder::Native => number,
            ByteOrder::Foreign => number.swap_bytes(),
        };
        self.bytes.extend(number.to_ne_bytes());
    }

    /// Adds a 64-bit number.
    fn u64(&mut self, number: u64) {
        let number = match self.order {
            ByteOrder::Native => number,
            ByteOrder::Foreign => number.swap_bytes(),
        };
        self.bytes.extend(number.to_ne_bytes());
    }

    fn align(&mut self) {
        let end = self.bytes.len().next_multiple_of(ALIGN);
        self.bytes.resize(end, 0);
    }
}

/// The contents of a section.
#[derive(Debug)]
pub(crate) enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This many zeros, which take no space in the file.
    Zeros(u64),
}

/// A section.
#[derive(Debug)]
pub(crate) struct NewSection<'n> {
    pub(crate) name: &'n str,
    /// `SHT_*`
    pub(crate) kind: u32,
    /// `SHF_*`
    pub(crate) flags: u64,
    pub(crate) align: u64,
    pub(crate) entry_size: u64,
    pub(crate) content: Content,
    pub(crate) rels: Vec<NewRel>,
}

/// A relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewRel {
    /// Offset in the section, in bytes.
    pub(crate) offset: u64,
    /// Index of the symbol; the first one given has index 1.
    pub(crate) symbol: u32,
    /// `R_BPF_*`
    pub(crate) kind: u32,
}

/// A symbol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewSymbol<'n> {
    pub(crate) name: &'n str,
    /// `STT_*`
    pub(crate) kind: u8,
    /// `STB_*`
    pub(crate) binding: u8,
    /// `STV_*`
    pub(crate) other: u8,
    /// Index of its section (the first one given has index 1), or one of `SHN_*`.
    pub(crate) section: u16,
    pub(crate) value: u64,
    pub(crate) size: u64,
}

/// The contents of an object to write.
#[derive(Debug)]
pub(crate) struct NewObject<'n> {
    pub(crate) order: ByteOrder,
    pub(crate) sections: Vec<NewSection<'n>>,
    /// Local symbols come first.
    pub(crate) symbols: Vec<NewSymbol<'n>>,
}

/// A string table: the offset of each name, each stored once.
#[derive(Default)]
struct Names {
    bytes: Vec<u8>,
    known: HashMap<String, usize>,
}

impl Names {
    fn add(&mut self, name: &str) -> Result<u32, ElfError> {
        if self.bytes.is_empty() {
            self.bytes.push(0);
        }
        let too_long = |_| ElfError::TooLong("the names of symbols and sections");
        if name.is_empty() {
            return Ok(0);
        }
        if let Some(offset) = self.known.get(name) {
            return u32::try_from(*offset).map_err(too_long);
        }
        let offset = self.bytes.len();
        self.known.insert(name.to_owned(), offset);
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        u32::try_from(offset).map_err(too_long)
    }
}

/// A section header, as it is written.
#[derive(Default, Clone, Copy)]
struct Header {
    name: u32,
    kind: u32,
    flags: u64,
    offset: usize,
    size: u64,
    link: u32,
    info: u32,
    align: u64,
    entry_size: u64,
}

/// A file under construction.
struct Writer {
    out: Numbers,
    names: Names,
    headers: Vec<Header>,
}

impl NewObject<'_> {
    /// Returns the bytes of the file.
    ///
    /// # Errors
    /// The file would have more sections or longer names than ELF allows.
    pub(crate) fn write(self) -> Result<Vec<u8>, ElfError> {
        let relocated = self.sections.iter().filter(|s| !s.rels.is_empty()).count();
        // Including the empty first one, and those of symbols and names at the end.
        let symbols = self
            .sections
            .len()
            .saturating_add(relocated)
            .saturating_add(1);
        let count = symbols.saturating_add(2);
        let numbers = u16::try_from(count)
            .ok()
            .filter(|count| *count < elf::SHN_LORESERVE);
        let count = numbers.ok_or(ElfError::TooManySections(count))?;
        let mut writer = Writer {
            out: Numbers::new(self.order),
            names: Names::default(),
            headers: vec![Header::default()],
        };
        writer.out.bytes.resize(usize::from(HEADER), 0);
        for section in &self.sections {
            writer.section(section)?;
        }
        let symbol_table = u32::from(count.saturating_sub(2));
        for (number, section) in (1..).zip(&self.sections) {
            writer.rels(section, number, symbol_table)?;
        }
        writer.symbols(&self.symbols, symbol_table.saturating_add(1))?;
        writer.strings()?;
        Ok(writer.finish(count))
    }
}

impl Writer {
    /// Starts a section at the current offset.
    fn start(&mut self, name: &str, kind: u32) -> Result<Header, ElfError> {
        self.out.align();
        Ok(Header {
            name: self.names.add(name)?,
            kind,
            offset: self.out.bytes.len(),
            ..Header::default()
        })
    }

    /// Ends it at the current offset.
    fn end(&mut self, header: Header) {
        let size = self.out.bytes.len().saturating_sub(header.offset);
        self.headers.push(Header {
            size: u64::try_from(size).unwrap_or(u64::MAX),
            ..header
        });
    }

    fn section(&mut self, section: &NewSection<'_>) -> Result<(), ElfError> {
        let mut header = self.start(section.name, section.kind)?;
        header.flags = section.flags;
        header.align = section.align;
        header.entry_size = section.entry_size;
        match &section.content {
            Content::Bytes(bytes) => {
                self.out.bytes.extend_from_slice(bytes);
                self.end(header);
            }
            Content::Zeros(size) => self.headers.push(Header {
                size: *size,
                ..header
            }),
        }
        Ok(())
    }

    fn rels(
        &mut self,
        section: &NewSection<'_>,
        number: u32,
        symbol_table: u32,
    ) -> Result<(), ElfError> {
        if section.rels.is_empty() {
            return Ok(());
        }
        let name = format!(".rel{}", section.name);
        let header = Header {
            flags: elf::SHF_INFO_LINK.0,
            link: symbol_table,
            info: number,
            align: 8,
            entry_size: REL,
            ..self.start(&name, Section::REL)?
        };
        for rel in &section.rels {
            self.out.u64(rel.offset);
            self.out
                .u64(u64::from(rel.symbol) << 32 | u64::from(rel.kind));
        }
        self.end(header);
        Ok(())
    }

    fn symbols(&mut self, symbols: &[NewSymbol<'_>], names: u32) -> Result<(), ElfError> {
        let is_local = |symbol: &&NewSymbol<'_>| symbol.binding == elf::STB_LOCAL.0;
        let locals = symbols.iter().take_while(is_local).count();
        let header = Header {
            link: names,
            // The index of the first symbol that is not local, including the empty one.
            info: u32::try_from(locals).unwrap_or(u32::MAX).saturating_add(1),
            align: 8,
            entry_size: SYMBOL,
            ..self.start(".symtab", Section::SYMTAB)?
        };
        self.out.bytes.extend([0; 24]);
        for symbol in symbols {
            let name = self.names.add(symbol.name)?;
            self.out.u32(name);
            let info = symbol.binding << 4 | symbol.kind & 0xf;
            self.out.bytes.extend([info, symbol.other]);
            self.out.u16(symbol.section);
            self.out.u64(symbol.value);
            self.out.u64(symbol.size);
        }
        self.end(header);
        Ok(())
    }

    fn strings(&mut self) -> Result<(), ElfError> {
        let header = Header {
            align: 1,
            ..self.start(".strtab", Section::STRTAB)?
        };
        let names = std::mem::take(&mut self.names.bytes);
        self.out.bytes.extend(names);
        self.end(header);
        Ok(())
    }

    /// Adds the section headers, and the file header at the beginning.
    fn finish(mut self, count: u16) -> Vec<u8> {
        self.out.align();
        let headers = u64::try_from(self.out.bytes.len()).unwrap_or(u64::MAX);
        for header in &self.headers {
            let out = &mut self.out;
            out.u32(header.name);
            out.u32(header.kind);
            out.u64(header.flags);
            out.u64(0);
            out.u64(u64::try_from(header.offset).unwrap_or(u64::MAX));
            out.u64(header.size);
            out.u32(header.link);
            out.u32(header.info);
            out.u64(header.align);
            out.u64(header.entry_size);
        }
        let start = file_header(self.out.order, headers, count);
        let mut bytes = self.out.bytes;
        for (to, from) in bytes.iter_mut().zip(start) {
            *to = from;
        }
        bytes
    }
}

/// The header of a file with `count` section headers at the offset `headers`, the last of which is for the names.
fn file_header(order: ByteOrder, headers: u64, count: u16) -> Vec<u8> {
    let mut start = Numbers::new(order);
    let data = if (order == ByteOrder::Native) == cfg!(target_endian = "little") {
        elf::ELFDATA2LSB.0
    } else {
        elf::ELFDATA2MSB.0
    };
    start.bytes.extend(b"\x7fELF");
    start.bytes.extend([elf::ELFCLASS64.0, data, 1]);
    start.bytes.resize(16, 0);
    start.u16(elf::ET_REL.0);
    start.u16(elf::EM_BPF.0);
    start.u32(1);
    start.u64(0);
    start.u64(0);
    start.u64(headers);
    start.u32(0);
    start.u16(HEADER);
    start.u16(0);
    start.u16(0);
    start.u16(SECTION_HEADER);
    start.u16(count);
    start.u16(count.saturating_sub(1));
    start.bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SectionIndex;
    use crate::elf::{ElfFile, Rel, Symbol, SymbolPlace};

    fn sample(order: ByteOrder) -> Vec<u8> {
        let section = |name, kind, content| NewSection {
            name,
            kind,
            flags: elf::SHF_ALLOC.0,
            align: 16,
            entry_size: 0,
            content,
            rels: Vec::new(),
        };
        let symbol = |name, binding, section| NewSymbol {
            name,
            kind: Symbol::OBJECT,
            binding,
            other: Symbol::HIDDEN,
            section,
            value: 3,
            size: 2,
        };
        let mut data = section(".data", Section::PROGBITS, Content::Bytes(vec![7; 5]));
        data.rels.push(NewRel {
            offset: 1,
            symbol: 2,
            kind: Rel::BPF_64_ABS64,
        });
        let object = NewObject {
            order,
            sections: vec![
                data,
                section(".bss", Section::NOBITS, Content::Zeros(1 << 33)),
            ],
            symbols: vec![symbol(".data", 0, 1), symbol("b", 1, 2)],
        };
        object.write().unwrap()
    }

    #[test]
    fn what_was_written_is_read_in_both_byte_orders() {
        for order in [ByteOrder::Native, ByteOrder::Foreign] {
            let bytes = sample(order);
            let file = ElfFile::parse(&bytes).unwrap();
            file.check_declares_bpf().unwrap();
            assert_eq!(file.byte_order(), order);
            let sections: Vec<Section<'_>> = file.sections().map(Result::unwrap).collect();
            let names: Vec<&str> = sections.iter().map(|section| section.name).collect();
            assert_eq!(names, [".data", ".bss", ".rel.data", ".symtab", ".strtab"]);
            let [data, bss, rel, symbols, _] = sections.as_slice() else {
                panic!("{sections:?}");
            };
            assert_eq!((data.data().unwrap(), data.align), (&[7; 5][..], 16));
            assert_eq!((bss.size, bss.data().unwrap()), (1 << 33, &[][..]));
            let rels: Vec<Rel> = file.rels(rel).unwrap().collect();
            let expected = Rel {
                offset: 1,
                symbol: 2,
                kind: Rel::BPF_64_ABS64,
            };
            assert_eq!(
                (rels, rel.info, rel.link),
                (vec![expected], 1, symbols.index.0)
            );
            assert_eq!(symbols.info, 2, "the first that is not local");
            let table = file.symbols(symbols).unwrap();
            assert!(table.get(0).unwrap().is_empty());
            let b = table.get(2).unwrap();
            assert_eq!(table.name(&b).unwrap(), "b");
            assert_eq!(b.place, SymbolPlace::Section(SectionIndex(2)));
            assert_eq!((b.value, b.size, b.other), (3, 2, Symbol::HIDDEN));
            assert_eq!((b.kind, b.is_global()), (Symbol::OBJECT, true));
        }
    }

    #[test]
    fn more_sections_than_there_are_numbers_are_refused() {
        let section = |_| NewSection {
            name: "x",
            kind: Section::PROGBITS,
            flags: 0,
            align: 1,
            entry_size: 0,
            content: Content::Zeros(0),
            rels: Vec::new(),
        };
        let object = NewObject {
            order: ByteOrder::Native,
            sections: (0..0xff00).map(section).collect(),
            symbols: Vec::new(),
        };
        let error = object.write().unwrap_err();
        assert_eq!(error, ElfError::TooManySections(0xff03));
    }
}
