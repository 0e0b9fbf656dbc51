//! `.BTF.ext`: which function and source line each instruction belongs to, and the CO-RE relocations.

use super::header;
use crate::btf::{BtfError, ByteOrder};
use std::ops::Range;

/// The extended type information of an object. Owned; in this machine's byte order.
#[derive(Debug, Clone)]
#[doc(alias = "btf_ext")]
pub struct BtfExt {
    blob: Vec<u8>,
    func_info: ExtTable,
    line_info: ExtTable,
    core_relo: ExtTable,
}

/// One of the three tables: records of one size, grouped by ELF section.
#[derive(Debug, Clone, Default)]
struct ExtTable {
    record_size: u32,
    groups: Vec<Group>,
}

#[derive(Debug, Clone)]
struct Group {
    section_name_off: u32,
    records: Range<usize>,
}

/// The records of one ELF section.
#[derive(Debug, Clone, Copy)]
pub struct ExtSection<'b> {
    /// The section's name, as an offset in the string section of the object's BTF.
    pub section_name_off: u32,
    /// Bytes of one record; at least what the kernel's `struct bpf_func_info`, `bpf_line_info` or `bpf_core_relo` takes.
    pub record_size: u32,
    /// The records; the first word of each is an offset in the section, in bytes.
    pub records: &'b [u8],
}

/// A CO-RE relocation as the object states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "bpf_core_relo")]
pub struct CoreRelo {
    /// The instruction, in bytes from the section's start.
    pub insn_off: u32,
    /// The local type that the question is about.
    pub type_id: crate::TypeId,
    /// The path into the type, as an offset in the string section.
    pub access_str_off: u32,
    /// What is asked; see `reloc::core`.
    pub kind: u32,
}

const MIN_HEADER: usize = 24;
/// Bytes of the known records: function, line, CO-RE.
const FUNC_RECORD: u32 = 8;
const LINE_RECORD: u32 = 16;
const CORE_RECORD: u32 = 16;

impl BtfExt {
    /// Reads the section's contents.
    ///
    /// # Errors
    /// What does not hold together, with its offset. libbpf goes on without the information in that case.
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
            blob: reader.blob,
            func_info,
            line_info,
            core_relo,
        })
    }

    fn sections<'b>(&'b self, table: &'b ExtTable) -> impl Iterator<Item = ExtSection<'b>> {
        table.groups.iter().map(|group| ExtSection {
            section_name_off: group.section_name_off,
            record_size: table.record_size,
            records: self.blob.get(group.records.clone()).unwrap_or_default(),
        })
    }

    /// Which function each instruction belongs to.
    pub fn func_info(&self) -> impl Iterator<Item = ExtSection<'_>> {
        self.sections(&self.func_info)
    }

    /// Which source line each instruction belongs to.
    pub fn line_info(&self) -> impl Iterator<Item = ExtSection<'_>> {
        self.sections(&self.line_info)
    }

    /// The CO-RE relocations; see [`ExtSection::core_relos`].
    pub fn core_relo(&self) -> impl Iterator<Item = ExtSection<'_>> {
        self.sections(&self.core_relo)
    }

    /// Bytes of one function record.
    pub fn func_record_size(&self) -> u32 {
        self.func_info.record_size
    }

    /// Bytes of one line record.
    pub fn line_record_size(&self) -> u32 {
        self.line_info.record_size
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
    /// The number at `offset`, which is turned to this machine's byte order in the blob.
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

    /// Reads the table whose offset and length stand at `field` in the header.
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
