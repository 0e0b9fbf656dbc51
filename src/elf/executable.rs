//! A program or library: which parts are loaded where, and where its tables are.
//!
//! Such a file may come from anybody, so everything is checked before it is used, and no more is read than is needed.
//! The *program headers* say what runs; the section headers are an index for tools and may be missing or wrong.

use super::format::{Format, Section, Segment};
use super::read_at::{self, Extent, ReadAt};
use crate::{Error, ErrorKind, Result};
use object::elf;
use std::ops::Range;

/// The kernel does not run programs with a larger program header table.
const MAX_SEGMENTS_LEN: u64 = 1 << 16;
/// Linked programs have about forty sections. A table with more entries than this is considered damaged and not read.
const MAX_SECTIONS: u64 = 1 << 16;

/// An executable or a library.
#[derive(Debug)]
pub struct Executable<'r> {
    reader: &'r dyn ReadAt,
    format: Format,
    kind: elf::FileType,
    machine: elf::Machine,
    /// The segments that are loaded, by address.
    loaded: Vec<Segment>,
    /// `PT_DYNAMIC`
    dynamic: Option<Extent>,
    /// `PT_NOTE`
    notes: Vec<Extent>,
    /// Empty if they were stripped, or are not where the header says.
    sections: Vec<Section>,
    /// The sections' names.
    names: Option<Extent>,
}

/// Where an address of a program is in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodePlace {
    /// At this offset.
    At(u64),
    /// In a segment that is loaded but not executable.
    NotExecuted,
    /// Outside all segments that are loaded from the file.
    NotLoaded,
}

impl<'r> Executable<'r> {
    /// Reads the headers.
    ///
    /// # Errors
    /// `Elf` if this is not an ELF file, is damaged, or is neither an executable nor a library.
    pub fn open(reader: &'r dyn ReadAt) -> Result<Self> {
        let len = reader.size().min(64);
        let start = read_at::read(reader, Extent { offset: 0, len }, 64, "its ELF header")?;
        let format = Format::of(&start)?;
        let header = format.header(&start).ok_or_else(|| {
            let message = format!("the file ends in its ELF header, after {len} bytes");
            Error::new(ErrorKind::Elf, message)
        })?;
        if header.kind == elf::ET_REL {
            let message = "it is no executable and no library, but an object file (ET_REL)";
            return Err(Error::new(ErrorKind::Elf, message)
                .with_hint("name the executable or library that it was linked into"));
        }
        let mut file = Self {
            reader,
            format,
            kind: header.kind,
            machine: header.machine,
            loaded: Vec::new(),
            dynamic: None,
            notes: Vec::new(),
            sections: Vec::new(),
            names: None,
        };
        file.read_segments(header.segments.offset, header.segments.count)?;
        file.read_sections(header.sections.offset, header.sections.count, header.names)?;
        Ok(file)
    }

    #[doc(alias = "parse_elf_segs")]
    fn read_segments(&mut self, offset: u64, count: u16) -> Result<()> {
        let entry = self.format.segment_len();
        let len = u64::from(count).saturating_mul(entry as u64);
        let table = Extent { offset, len };
        let what = "its table of program headers";
        let bytes = read_at::read(self.reader, table, MAX_SEGMENTS_LEN, what)?;
        for segment in bytes.chunks_exact(entry) {
            let Some(segment) = self.format.segment(segment) else {
                continue;
            };
            let extent = Extent {
                offset: segment.offset,
                len: segment.file_len,
            };
            match segment.kind {
                elf::PT_LOAD if segment.memory_len > 0 => self.loaded.push(segment),
                elf::PT_DYNAMIC => self.dynamic = Some(extent),
                elf::PT_NOTE => self.notes.push(extent),
                _ => {}
            }
        }
        self.loaded.sort_by_key(|segment| segment.address);
        Ok(())
    }

    /// Reads the section headers as far as they are sound; nothing depends on them alone.
    fn read_sections(&mut self, offset: u64, count: u16, names: u16) -> Result<()> {
        let entry = self.format.section_len() as u64;
        let first = Extent { offset, len: entry };
        let Some(first) = first.within(self.reader.size()).filter(|_| offset > 0) else {
            return Ok(());
        };
        let what = "its table of sections";
        let bytes = read_at::read(self.reader, first, entry, what)?;
        let Some(first) = self.format.section(&bytes) else {
            return Ok(());
        };
        let (count, names) = first.numbers(count, names);
        let table = Extent {
            offset,
            len: count.saturating_mul(entry),
        };
        if count > MAX_SECTIONS || table.within(self.reader.size()).is_none() {
            return Ok(());
        }
        let bytes = read_at::read(self.reader, table, table.len, what)?;
        let sections = bytes.chunks_exact(self.format.section_len());
        self.sections
            .extend(sections.filter_map(|bytes| self.format.section(bytes)));
        self.names = self.section(names).and_then(|names| self.content(names));
        Ok(())
    }

    pub(super) fn reader(&self) -> &'r dyn ReadAt {
        self.reader
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn kind(&self) -> elf::FileType {
        self.kind
    }

    pub(super) fn machine(&self) -> elf::Machine {
        self.machine
    }

    pub(super) fn dynamic(&self) -> Option<Extent> {
        self.dynamic
    }

    pub(super) fn notes(&self) -> &[Extent] {
        &self.notes
    }

    pub(super) fn section(&self, index: u32) -> Option<&Section> {
        self.sections.get(usize::try_from(index).ok()?)
    }

    /// The first section with this type.
    pub(super) fn section_of(&self, kind: elf::SectionType) -> Option<&Section> {
        self.sections.iter().find(|section| section.kind == kind)
    }

    /// The first section with this name.
    pub(super) fn section_named(&self, wanted: &[u8]) -> Option<&Section> {
        let names = self.names?;
        let mut found = vec![0; wanted.len() + 1];
        self.sections.iter().find(|section| {
            let len = found.len() as u64;
            let at = names.part(section.name.into(), len);
            let at = at.filter(|at| at.len == len);
            at.is_some_and(|at| {
                self.reader.read_at(at.offset, &mut found).is_ok()
                    && found.strip_suffix(&[0]) == Some(wanted)
            })
        })
    }

    /// Where a section's bytes are; `None` if it has none in the file, or they are outside of it.
    pub(super) fn content(&self, section: &Section) -> Option<Extent> {
        let extent = Extent {
            offset: section.offset,
            len: section.len,
        };
        let is_there = section.kind != elf::SHT_NOBITS && section.kind != elf::SHT_NULL;
        extent.within(self.reader.size()).filter(|_| is_there)
    }

    /// The loaded segment that contains this address, and the address's offset in the file.
    #[doc(alias = "find_elf_seg")]
    pub(super) fn find(&self, address: u64) -> Option<(&Segment, u64)> {
        let after = self.loaded.partition_point(|s| s.address <= address);
        let segment = self.loaded.get(after.checked_sub(1)?)?;
        let inside = address.checked_sub(segment.address)?;
        let offset = segment.offset.checked_add(inside)?;
        (inside < segment.memory_len).then_some((segment, offset))
    }

    /// Where the instruction at an address is in the file.
    pub(super) fn code_at(&self, address: u64) -> CodePlace {
        match self.find(address) {
            Some((segment, _)) if !segment.executable => CodePlace::NotExecuted,
            Some((segment, offset)) if address - segment.address < segment.file_len => {
                CodePlace::At(offset)
            }
            _ => CodePlace::NotLoaded,
        }
    }

    /// Which parts of the file are loaded, and at which addresses.
    pub(crate) fn loaded_parts(&self) -> Vec<(Range<u64>, u64)> {
        let part = |segment: &Segment| {
            let end = segment.offset.checked_add(segment.file_len)?;
            Some((segment.offset..end, segment.address))
        };
        self.loaded.iter().filter_map(part).collect()
    }

    /// The part of the file from an address to the end of its segment.
    pub(super) fn loaded_from(&self, address: u64) -> Option<Extent> {
        let (segment, offset) = self.find(address)?;
        let len = segment.file_len.checked_sub(address - segment.address)?;
        Extent { offset, len }.within(self.reader.size())
    }
}
