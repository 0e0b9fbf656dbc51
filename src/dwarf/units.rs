//! The units of a file, split into chunks that are read independently of each other.

use super::entry::{Bases, EntryReader, Sections, Slice};
use super::error::DwarfError;
use super::image::{Image, Symbols};
use super::link::link;
use super::merge::Merged;
use super::names::Names;
use super::types::Types;
use super::walk::Reading;
use crate::keyed_hash::Table;
use gimli::{
    Abbreviations, AttributeValue, DebugAbbrev, DebugAbbrevOffset, DebugAddrBase, DebugInfo,
    DebugStrOffsetsBase, DebugTypes, Endianity, UnitHeader, UnitType,
};
use std::collections::hash_map::Entry;
use std::ops::Range;

/// Bytes of units that are read between two merges: enough to make merging cheap, few enough to save memory.
const CHUNK: u64 = 8 << 20;

/// All units of a file.
pub(super) struct Units<'d, E: Endianity> {
    sections: Sections<'d, E>,
    headers: Vec<UnitHeader<Slice<'d, E>>>,
    /// The offsets of the abbreviation tables.
    tables: Vec<usize>,
    abbreviations: &'d [u8],
    symbols: &'d Symbols,
    info_len: u64,
    /// The offsets of types in type units, by signature.
    signatures: Table<u64, u32>,
    /// The maximum size of the file's names in bytes.
    room: usize,
}

/// The attributes of a unit's first entry.
struct Root {
    bases: Bases,
    language: Option<gimli::DwLang>,
    is_elsewhere: bool,
}

/// Why a chunk could not be read.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A unit refers to another one: they must be read together.
    Crosses,
    Error(DwarfError),
}

impl From<DwarfError> for Refusal {
    fn from(error: DwarfError) -> Self {
        Self::Error(error)
    }
}

impl<'d, E: Endianity> Units<'d, E> {
    pub(super) fn of(image: &'d Image, order: E) -> Result<Self, DwarfError> {
        let slice = |bytes: &'d [u8]| Slice::new(bytes, order);
        let info_len = image.info.len() as u64;
        let mut units = Self {
            sections: Sections {
                strings: &image.strings,
                line_strings: &image.line_strings,
                string_offsets: slice(&image.string_offsets).into(),
                addresses: slice(&image.addresses).into(),
                order,
            },
            headers: Vec::new(),
            tables: Vec::new(),
            abbreviations: &image.abbreviations,
            symbols: &image.symbols,
            info_len,
            signatures: Table::default(),
            room: [
                &image.info,
                &image.types,
                &image.strings,
                &image.line_strings,
            ]
            .iter()
            .fold(1 << 16, |room: usize, section| {
                room.saturating_add(section.len())
            }),
        };
        let mut at = 0;
        let damaged = |unit| move |reason| DwarfError::Damaged { unit, reason };
        let mut headers = DebugInfo::from(slice(&image.info)).units();
        while let Some(header) = headers.next().map_err(damaged(at))? {
            at = at.saturating_add(header.length_including_self() as u64);
            units.add(header);
        }
        let mut headers = DebugTypes::from(slice(&image.types)).units();
        while let Some(header) = headers.next().map_err(damaged(at))? {
            at = at.saturating_add(header.length_including_self() as u64);
            units.add(header);
        }
        units.tables.sort_unstable();
        units.tables.dedup();
        Ok(units)
    }

    fn add(&mut self, header: UnitHeader<Slice<'d, E>>) {
        self.tables.push(header.debug_abbrev_offset().0);
        if let UnitType::Type {
            type_signature,
            type_offset,
        } = header.type_()
        {
            let offset = self.start_of(&header).saturating_add(type_offset.0 as u64);
            if let Ok(offset) = u32::try_from(offset) {
                self.signatures.insert(type_signature.0, offset);
            }
        }
        self.headers.push(header);
    }

    /// The offset of a unit. Those of `.debug_types` follow those of `.debug_info`.
    fn start_of(&self, header: &UnitHeader<Slice<'d, E>>) -> u64 {
        let offset = header.offset().0 as u64;
        match header.section() {
            gimli::SectionId::DebugTypes => self.info_len.saturating_add(offset),
            _ => offset,
        }
    }

    /// Ranges of units of roughly equal size; the same for the same file, whatever the number of threads.
    pub(super) fn chunks(&self) -> Vec<Range<usize>> {
        let mut chunks = Vec::new();
        let (mut from, mut size) = (0, 0_u64);
        for (index, header) in self.headers.iter().enumerate() {
            size = size.saturating_add(header.length_including_self() as u64);
            if size >= CHUNK {
                chunks.push(from..index + 1);
                (from, size) = (index + 1, 0);
            }
        }
        chunks.push(from..self.headers.len());
        chunks
    }

    /// Whether units are known to refer to each other.
    pub(super) fn has_type_units(&self) -> bool {
        !self.signatures.is_empty()
    }

    pub(super) fn names(&self) -> Names<'d> {
        Names::new(self.room)
    }

    /// The types of a chunk, whose units do not refer to each other.
    pub(super) fn read_chunk(&self, chunk: Range<usize>) -> Result<(Types, Names<'d>), Refusal> {
        let mut merged = Merged::default();
        let mut reading = Reading::default();
        let mut shared = Shared::new(self);
        for header in self.headers.get(chunk).unwrap_or_default() {
            reading.clear();
            let start = self.start_of(header);
            let end = start.saturating_add(header.length_including_self() as u64);
            self.read_unit(header, start..end, &mut reading, &mut shared)?;
            self.link(&mut reading, start, &shared.names)?;
            merged.absorb(&reading.types);
        }
        Ok((merged.into_types(), shared.names))
    }

    /// The types of all units, which refer to each other.
    pub(super) fn read_together(&self) -> Result<(Types, Names<'d>), Refusal> {
        let mut reading = Reading::default();
        let mut shared = Shared::new(self);
        for header in &self.headers {
            self.read_unit(header, 0..u64::MAX, &mut reading, &mut shared)?;
        }
        self.link(&mut reading, 0, &shared.names)?;
        let mut merged = Merged::default();
        merged.absorb(&reading.types);
        Ok((merged.finish(), shared.names))
    }

    fn link(&self, reading: &mut Reading, base: u64, names: &Names<'d>) -> Result<(), DwarfError> {
        link(reading, &self.signatures, base, |function| {
            self.symbols
                .has_function(names.text(function.name), function.is_global)
        })
    }

    /// Adds the types of a unit to those of its group, which is at these offsets.
    fn read_unit(
        &self,
        header: &UnitHeader<Slice<'d, E>>,
        group: Range<u64>,
        reading: &mut Reading,
        shared: &mut Shared<'d>,
    ) -> Result<(), Refusal> {
        let unit = self.start_of(header);
        let damaged = |reason| DwarfError::Damaged { unit, reason };
        let table = header.debug_abbrev_offset().0;
        let abbreviations = match shared.tables.entry(table) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.table(table).map_err(damaged)?),
        };
        let root = root(header, abbreviations).map_err(damaged)?;
        if root.is_elsewhere {
            return Err(DwarfError::Unsupported {
                what: "debug information that is in files of its own (`.dwo`, by `-gsplit-dwarf`)",
                hint: Some(
                    "compile without -gsplit-dwarf; places in the source are found all the same, but not what is inlined",
                ),
            }
            .into());
        }
        // Kernels are built with types from C alone; Rust's have no counterpart in BTF.
        if root.language == Some(gimli::DW_LANG_Rust) {
            return Ok(());
        }
        let start = u32::try_from(unit.saturating_sub(group.start));
        let start = start.map_err(|_| DwarfError::Unsupported {
            what: "more than 4 GiB of units that refer to each other",
            hint: None,
        })?;
        let mut reader = EntryReader {
            sections: &self.sections,
            encoding: header.encoding(),
            bases: root.bases,
            unit_base: start,
            group,
            crosses: false,
            signatures: &self.signatures,
            names: &mut shared.names,
            known: &mut shared.known,
        };
        let walked = reading.walk(header, abbreviations, &mut reader);
        if reader.crosses {
            return Err(Refusal::Crosses);
        }
        Ok(walked?)
    }

    /// An abbreviation table, which ends before the next one starts: otherwise each unit could have all tables from its own on.
    fn table(&self, start: usize) -> gimli::Result<Abbreviations> {
        let next = self.tables.partition_point(|table| *table <= start);
        let end = self.tables.get(next).copied().unwrap_or(usize::MAX);
        let bytes = self.abbreviations.get(..end).unwrap_or(self.abbreviations);
        let tables = DebugAbbrev::new(bytes, self.sections.order);
        tables.abbreviations(DebugAbbrevOffset(start))
    }
}

/// State shared by the units of a chunk.
struct Shared<'d> {
    names: Names<'d>,
    known: Table<u64, super::names::Name>,
    tables: Table<usize, Abbreviations>,
}

impl<'d> Shared<'d> {
    fn new<E: Endianity>(units: &Units<'d, E>) -> Self {
        Self {
            names: units.names(),
            known: Table::default(),
            tables: Table::default(),
        }
    }
}

fn root<E: Endianity>(
    header: &UnitHeader<Slice<'_, E>>,
    abbreviations: &Abbreviations,
) -> gimli::Result<Root> {
    let encoding = header.encoding();
    let main = gimli::DwarfFileType::Main;
    let mut root = Root {
        bases: Bases {
            strings: DebugStrOffsetsBase::default_for_encoding_and_file(encoding, main),
            addresses: DebugAddrBase(0),
        },
        language: None,
        is_elsewhere: matches!(header.type_(), UnitType::Skeleton(_)),
    };
    let mut entries = header.entries_raw(abbreviations, None)?;
    if entries.is_empty() {
        return Ok(root);
    }
    let Some(abbreviation) = entries.read_abbreviation()? else {
        return Ok(root);
    };
    for specification in abbreviation.attributes() {
        let attribute = entries.read_attribute(*specification)?;
        match (attribute.name(), attribute.value()) {
            (gimli::DW_AT_language, AttributeValue::Language(language)) => {
                root.language = Some(language);
            }
            (_, AttributeValue::DebugStrOffsetsBase(base)) => root.bases.strings = base,
            (_, AttributeValue::DebugAddrBase(base)) => root.bases.addresses = base,
            (gimli::DW_AT_dwo_name | gimli::DW_AT_GNU_dwo_name, _) => root.is_elsewhere = true,
            _ => {}
        }
    }
    Ok(root)
}
