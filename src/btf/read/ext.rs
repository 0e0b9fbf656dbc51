//! `.BTF.ext`: which function and source line each instruction belongs to, and the CO-RE relocations.

use super::header;
use crate::TypeId;
use crate::btf::{BtfError, ByteOrder};

/// The extended type information of an object. Owned; in native byte order.
#[derive(Debug, Clone, Default)]
#[doc(alias = "btf_ext")]
pub struct BtfExt {
    pub(in crate::btf) func_info: ExtTable,
    pub(in crate::btf) line_info: ExtTable,
    pub(in crate::btf) core_relo: ExtTable,
}

/// One of the three tables: records of one size, grouped by ELF section.
#[derive(Debug, Clone, Default)]
pub(in crate::btf) struct ExtTable {
    pub(in crate::btf) record_size: u32,
    pub(in crate::btf) groups: Vec<Group>,
}

#[derive(Debug, Clone)]
pub(in crate::btf) struct Group {
    pub(in crate::btf) section_name_off: u32,
    pub(in crate::btf) records: Vec<u8>,
}

/// The records of one ELF section.
#[derive(Debug, Clone, Copy)]
pub struct ExtSection<'b> {
    /// The section's name, as an offset in the string section of the object's BTF.
    pub section_name_off: u32,
    /// The size of one record; at least that of the kernel's `struct bpf_func_info`, `bpf_line_info` or `bpf_core_relo`.
    pub record_size: u32,
    /// The records; the first word of each is an offset in the section, in bytes.
    pub records: &'b [u8],
}

/// A CO-RE relocation as recorded in the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "bpf_core_relo")]
pub struct CoreRelo {
    /// The instruction's offset in the section, in bytes.
    pub insn_off: u32,
    /// The local type that the relocation is about.
    pub type_id: crate::TypeId,
    /// The path into the type, as an offset in the string section.
    pub access_str_off: u32,
    /// The kind of relocation; see `reloc::core`.
    pub kind: u32,
}

const MIN_HEADER: usize = 24;
/// The sizes of the known records: function, line, CO-RE.
const FUNC_RECORD: u32 = 8;
const LINE_RECORD: u32 = 16;
const CORE_RECORD: u32 = 16;
/// The byte offsets of string offsets in a line record: file name and source line.
const LINE_STRINGS: &[usize] = &[4, 8];
/// The byte offset of the string offset in a relocation record: its path.
const CORE_STRINGS: &[usize] = &[8];
/// The byte offset of the type id in a function or relocation record.
const RECORD_TYPE: &[usize] = &[4];

impl BtfExt {
    /// Reads the section's contents.
    ///
    /// # Errors
    /// The section is malformed; the error contains the offset. In that case, libbpf continues without the information.
    #[doc(alias = "btf_ext__new")]
    pub fn parse(bytes: &[u8]) -> Result<Self, BtfError> {
        let short = BtfError::TooShort {
            len: bytes.len(),
            least: MIN_HEADER,
        };
        let magic = header::u16_at(bytes, 0, ByteOrder::Native).ok_or(short)?;
        let order = match magic {
            header::MAGIC => ByteOrder::Native,
            m if m.swap_bytes() == header::MAGIC => ByteOrder::Foreign,
            m => return Err(BtfError::Magic(m)),
        };
        let mut reader = Reader {
            blob: bytes.to_vec(),
            order,
            header_len: 0,
        };
        let version = bytes.get(2).copied().unwrap_or_default();
        if version != 1 {
            return Err(BtfError::Version(version));
        }
        let header_len = reader.u32(4)?;
        reader.header_len = usize::try_from(header_len).unwrap_or(usize::MAX);
        if reader.header_len < MIN_HEADER || reader.header_len > bytes.len() {
            return Err(BtfError::HeaderLength(header_len));
        }
        let func_info = reader.table(8, FUNC_RECORD)?;
        let line_info = reader.table(16, LINE_RECORD)?;
        let core_relo = if reader.header_len >= 32 {
            reader.table(24, CORE_RECORD)?
        } else {
            ExtTable::default()
        };
        Ok(Self {
            func_info,
            line_info,
            core_relo,
        })
    }

    /// Calls `visit` with each string offset: names of sections and files, source lines, and paths of relocations.
    #[doc(alias = "btf_ext_visit_str_offs")]
    pub(in crate::btf) fn visit_strings(&self, mut visit: impl FnMut(u32)) {
        for (table, words) in self.tables() {
            for section in Self::sections(table) {
                visit(section.section_name_off);
                for record in section.iter() {
                    let word = |place| header::u32_at(record, place, ByteOrder::Native);
                    words
                        .iter()
                        .filter_map(|place| word(*place))
                        .for_each(&mut visit);
                }
            }
        }
    }

    /// Each table, with the byte offsets of string offsets in its records.
    fn tables(&self) -> [(&ExtTable, &'static [usize]); 3] {
        [
            (&self.func_info, &[]),
            (&self.line_info, LINE_STRINGS),
            (&self.core_relo, CORE_STRINGS),
        ]
    }

    /// Replaces each string offset with what `map` returns for it.
    #[doc(alias = "btf_ext_visit_str_offs")]
    pub fn map_strings(&mut self, mut map: impl FnMut(u32) -> u32) {
        let tables = [
            (&mut self.func_info, &[][..]),
            (&mut self.line_info, LINE_STRINGS),
            (&mut self.core_relo, CORE_STRINGS),
        ];
        for (table, places) in tables {
            for group in &mut table.groups {
                group.section_name_off = map(group.section_name_off);
            }
            table.change(places, &mut map);
        }
    }

    /// Replaces each type id with what `map` returns for it.
    #[doc(alias = "btf_ext_visit_type_ids")]
    pub fn map_types(&mut self, mut map: impl FnMut(TypeId) -> TypeId) {
        let mut map = |word| map(TypeId(word)).0;
        self.func_info.change(RECORD_TYPE, &mut map);
        self.core_relo.change(RECORD_TYPE, &mut map);
    }

    fn sections(table: &ExtTable) -> impl Iterator<Item = ExtSection<'_>> {
        table.groups.iter().map(|group| ExtSection {
            section_name_off: group.section_name_off,
            record_size: table.record_size,
            records: &group.records,
        })
    }

    /// The function records.
    pub fn func_info(&self) -> impl Iterator<Item = ExtSection<'_>> {
        Self::sections(&self.func_info)
    }

    /// The line records.
    pub fn line_info(&self) -> impl Iterator<Item = ExtSection<'_>> {
        Self::sections(&self.line_info)
    }

    /// The CO-RE relocations; see [`ExtSection::core_relos`].
    pub fn core_relo(&self) -> impl Iterator<Item = ExtSection<'_>> {
        Self::sections(&self.core_relo)
    }

    /// The size of a function record in bytes.
    pub fn func_record_size(&self) -> u32 {
        self.func_info.record_size
    }

    /// The size of a line record in bytes.
    pub fn line_record_size(&self) -> u32 {
        self.line_info.record_size
    }
}

impl ExtTable {
    /// The size of a record in bytes, at least 1.
    fn size(&self) -> usize {
        let size = usize::try_from(self.record_size);
        size.unwrap_or(usize::MAX).max(1)
    }

    /// Adds a record to those of a section.
    pub(in crate::btf) fn add(&mut self, section_name_off: u32, words: &[u32]) {
        let known = u32::try_from(words.len()).unwrap_or(0).saturating_mul(4);
        self.record_size = self.record_size.max(known);
        let same = |group: &Group| group.section_name_off == section_name_off;
        let index = self.groups.iter().rposition(same).unwrap_or_else(|| {
            self.groups.push(Group {
                section_name_off,
                records: Vec::new(),
            });
            self.groups.len().saturating_sub(1)
        });
        let size = self.size();
        if let Some(group) = self.groups.get_mut(index) {
            let end = group.records.len().saturating_add(size);
            let words = words.iter().flat_map(|word| word.to_ne_bytes());
            group.records.extend(words);
            // Records that were read from a blob may be longer than the known ones.
            group.records.resize(end, 0);
        }
    }

    /// Changes the words at these byte offsets of each record.
    fn change(&mut self, places: &[usize], map: &mut impl FnMut(u32) -> u32) {
        let size = self.size();
        for group in &mut self.groups {
            for record in group.records.chunks_exact_mut(size) {
                for place in places {
                    let word = record.get_mut(*place..).and_then(<[u8]>::first_chunk_mut);
                    if let Some(word) = word {
                        *word = map(u32::from_ne_bytes(*word)).to_ne_bytes();
                    }
                }
            }
        }
    }
}

impl<'b> ExtSection<'b> {
    /// The records one by one.
    pub fn iter(&self) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let size = usize::try_from(self.record_size)
            .unwrap_or(usize::MAX)
            .max(1);
        self.records.chunks_exact(size)
    }

    /// The records, read as CO-RE relocations.
    pub fn core_relos(&self) -> impl Iterator<Item = CoreRelo> + use<'b> {
        self.iter().filter_map(|record| {
            let word = |at| header::u32_at(record, at, ByteOrder::Native);
            Some(CoreRelo {
                insn_off: word(0)?,
                type_id: crate::TypeId(word(4)?),
                access_str_off: word(8)?,
                kind: word(12)?,
            })
        })
    }
}

struct Reader {
    blob: Vec<u8>,
    order: ByteOrder,
    header_len: usize,
}

impl Reader {
    /// The number at `offset`, which is also converted to native byte order in the blob.
    fn u32(&mut self, offset: usize) -> Result<u32, BtfError> {
        let cut = BtfError::Ext {
            what: "the blob ends",
            offset,
        };
        let word = self
            .blob
            .get_mut(offset..)
            .and_then(<[u8]>::first_chunk_mut::<4>)
            .ok_or(cut)?;
        let value = self.order.u32(*word);
        *word = value.to_ne_bytes();
        Ok(value)
    }

    /// Reads the table whose offset and length are at `field` in the header.
    fn table(&mut self, field: usize, least: u32) -> Result<ExtTable, BtfError> {
        let (offset, len) = (self.u32(field)?, self.u32(field + 4)?);
        if len == 0 {
            return Ok(ExtTable::default());
        }
        let outside = BtfError::Section {
            section: "info",
            offset,
            len,
        };
        if !offset.is_multiple_of(4) {
            return Err(outside);
        }
        let start = usize::try_from(offset)
            .ok()
            .and_then(|o| o.checked_add(self.header_len));
        let start = start.ok_or(outside)?;
        let end = usize::try_from(len)
            .ok()
            .and_then(|l| l.checked_add(start))
            .ok_or(outside)?;
        if end > self.blob.len() || len < 4 {
            return Err(outside);
        }
        let record_size = self.u32(start)?;
        let exact = self.order == ByteOrder::Native || record_size == least;
        if record_size < least || !record_size.is_multiple_of(4) || !exact {
            return Err(BtfError::Ext {
                what: "impossible record size",
                offset: start,
            });
        }
        let mut groups = Vec::new();
        let mut at = start + 4;
        if at == end {
            return Err(BtfError::Ext {
                what: "a table without records",
                offset: start,
            });
        }
        while at < end {
            if end - at < 8 {
                return Err(BtfError::Ext {
                    what: "a section's header is cut off",
                    offset: at,
                });
            }
            let (section_name_off, count) = (self.u32(at)?, self.u32(at + 4)?);
            let bytes = u64::from(count) * u64::from(record_size);
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            at += 8;
            if count == 0 || bytes > end - at {
                return Err(BtfError::Ext {
                    what: "impossible number of records",
                    offset: at - 4,
                });
            }
            let records = at..at + bytes;
            if self.order == ByteOrder::Foreign {
                for word in records.clone().step_by(4) {
                    self.u32(word)?;
                }
            }
            let records = self.blob.get(records).unwrap_or_default().to_vec();
            groups.push(Group {
                section_name_off,
                records,
            });
            at += bytes;
        }
        Ok(ExtTable {
            record_size,
            groups,
        })
    }
}
