//! The sections of a file that are needed for source locations.

use super::super::error::DwarfError;
use crate::Result;
use crate::elf::ReadAt;
use crate::elf::parts::Parts;
use crate::elf::read_at::{self, Extent};
use gimli::{EndianSlice, RunTimeEndian};
use std::ops::Range;

pub(super) type Slice<'d> = EndianSlice<'d, RunTimeEndian>;

/// A single unit is smaller than this; linkers merge some of the largest programs into one.
const MAX_UNIT: u64 = 1 << 32;

/// The sections of a file.
#[derive(Debug)]
pub(super) struct Sections {
    file: Box<dyn ReadAt + Send + Sync>,
    order: RunTimeEndian,
    info: Info,
    abbreviations: Vec<u8>,
    lines: Vec<u8>,
    strings: Vec<u8>,
    line_strings: Vec<u8>,
    string_offsets: Vec<u8>,
    addresses: Vec<u8>,
    ranges: Vec<u8>,
    range_lists: Vec<u8>,
    aranges: Vec<u8>,
    /// Whether code can be at address zero, which linkers also use for discarded code.
    starts_at_zero: bool,
}

/// `.debug_info`
#[derive(Debug)]
enum Info {
    /// As it is in the file.
    InFile(Extent),
    /// Decompressed, or relocated.
    Read(Vec<u8>),
}

impl Info {
    fn len(&self) -> u64 {
        match self {
            Self::InFile(extent) => extent.len,
            Self::Read(bytes) => bytes.len() as u64,
        }
    }
}

impl Sections {
    pub(super) fn open(file: Box<dyn ReadAt + Send + Sync>) -> Result<Self> {
        let parts = Parts::open(&*file)?;
        let section = |name: &str| Ok::<_, crate::Error>(parts.section(name)?.unwrap_or_default());
        let info = match parts.plain(".debug_info") {
            Some(extent) => Info::InFile(extent),
            None => Info::Read(section(".debug_info")?),
        };
        if info.len() == 0 {
            return Err(DwarfError::no_debug_info(&parts).into());
        }
        let order = if parts.is_little_endian() {
            RunTimeEndian::Little
        } else {
            RunTimeEndian::Big
        };
        let sections = Self {
            order,
            abbreviations: section(".debug_abbrev")?,
            lines: section(".debug_line")?,
            strings: section(".debug_str")?,
            line_strings: section(".debug_line_str")?,
            string_offsets: section(".debug_str_offsets")?,
            addresses: section(".debug_addr")?,
            ranges: section(".debug_ranges")?,
            range_lists: section(".debug_rnglists")?,
            aranges: section(".debug_aranges")?,
            starts_at_zero: parts.is_relocatable(),
            info,
            file,
        };
        if sections.abbreviations.is_empty() {
            let section = ".debug_abbrev";
            return Err(DwarfError::NoSection { section }.into());
        }
        Ok(sections)
    }

    /// Whether there can be code: linkers leave discarded code at address zero.
    pub(super) fn is_live(&self, range: &Range<u64>) -> bool {
        range.start < range.end && (range.start > 0 || self.starts_at_zero)
    }

    pub(super) fn info_len(&self) -> u64 {
        self.info.len()
    }

    /// This many bytes of `.debug_info`, or as many as there are.
    pub(super) fn info(&self, offset: u64, len: u64) -> Result<Vec<u8>> {
        match &self.info {
            Info::InFile(extent) => {
                let none = Extent {
                    offset: extent.offset,
                    len: 0,
                };
                let part = extent.part(offset, len).unwrap_or(none);
                read_at::read(&*self.file, part, MAX_UNIT, "a unit of .debug_info")
            }
            Info::Read(bytes) => {
                let from = usize::try_from(offset)
                    .ok()
                    .and_then(|from| bytes.get(from..));
                let from = from.unwrap_or_default();
                let len = usize::try_from(len).unwrap_or(usize::MAX).min(from.len());
                Ok(from.get(..len).unwrap_or_default().to_vec())
            }
        }
    }

    /// The size in bytes of the unit at an offset, including its header; `None` at the end.
    pub(super) fn unit_len(&self, offset: u64) -> Result<Option<u64>> {
        use gimli::Reader as _;
        let start = self.info(offset, 12)?;
        let mut start = Slice::new(&start, self.order);
        if start.is_empty() {
            return Ok(None);
        }
        let damaged = |reason| DwarfError::Damaged {
            unit: offset,
            reason,
        };
        let (len, format) = start.read_initial_length().map_err(damaged)?;
        let len = (len as u64).saturating_add(format.initial_length_size().into());
        let rest = self.info_len().saturating_sub(offset);
        if len > rest {
            let reason = gimli::Error::UnexpectedEof(gimli::ReaderOffsetId(0));
            return Err(damaged(reason).into());
        }
        Ok(Some(len))
    }

    /// The offset of the abbreviation table of the unit at an offset; past all tables if the unit is damaged.
    pub(super) fn table_of_unit(&self, offset: u64) -> Result<u64> {
        use gimli::Reader as _;
        let start = self.info(offset, 32)?;
        let mut start = Slice::new(&start, self.order);
        let mut table = || {
            let (_, format) = start.read_initial_length()?;
            if start.read_u16()? >= 5 {
                // The unit type, and the size of addresses.
                start.read_u16()?;
            }
            start.read_offset(format)
        };
        Ok(table().map_or(u64::MAX, |table| table as u64))
    }

    /// The abbreviation table at an offset, which ends before the next one.
    pub(super) fn abbreviations(
        &self,
        start: u64,
        next: Option<u64>,
    ) -> gimli::Result<gimli::Abbreviations> {
        let offset = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = &self.abbreviations;
        let end = next.map_or(bytes.len(), offset).min(bytes.len());
        let bytes = bytes.get(..end).unwrap_or_default();
        let tables = gimli::DebugAbbrev::from(Slice::new(bytes, self.order));
        tables.abbreviations(gimli::DebugAbbrevOffset(offset(start)))
    }

    /// The bytes of one unit.
    pub(super) fn unit(&self, offset: u64) -> Result<Vec<u8>> {
        match self.unit_len(offset)? {
            Some(len) => self.info(offset, len),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn aranges(&self) -> gimli::DebugAranges<Slice<'_>> {
        gimli::DebugAranges::from(Slice::new(&self.aranges, self.order))
    }

    /// All sections, with the bytes of one unit instead of all units.
    pub(super) fn around<'d>(&'d self, unit: &'d [u8]) -> gimli::Dwarf<Slice<'d>> {
        let slice = |bytes: &'d [u8]| Slice::new(bytes, self.order);
        gimli::Dwarf {
            debug_info: slice(unit).into(),
            debug_abbrev: slice(&self.abbreviations).into(),
            debug_line: slice(&self.lines).into(),
            debug_str: slice(&self.strings).into(),
            debug_line_str: slice(&self.line_strings).into(),
            debug_str_offsets: slice(&self.string_offsets).into(),
            debug_addr: slice(&self.addresses).into(),
            ranges: gimli::RangeLists::new(
                slice(&self.ranges).into(),
                slice(&self.range_lists).into(),
            ),
            ..gimli::Dwarf::default()
        }
    }
}
