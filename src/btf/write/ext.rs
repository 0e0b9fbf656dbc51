//! Writes `.BTF.ext`: records are added one by one, and encoded in either byte order.

use super::finish::in_order;
use crate::TypeId;
use crate::btf::read::ext::ExtTable;
use crate::btf::read::header::MAGIC;
use crate::btf::{BtfError, BtfExt, ByteOrder, CoreRelo};
use std::collections::HashMap;

/// The length of the header, including the table of relocations, in bytes.
const HEADER_LEN: u32 = 32;

/// Encodes the line and column of an instruction in one word.
fn line_col(line: u32, column: u32) -> u32 {
    line.min(0x3f_ffff) << 10 | column.min(0x3ff)
}

impl BtfExt {
    /// No records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the function that starts at an instruction of a section. The section's name is a string offset, the instruction's
    /// offset is in bytes.
    pub fn add_func_info(&mut self, section: u32, insn_off: u32, function: TypeId) {
        self.func_info.add(section, &[insn_off, function.0]);
    }

    /// Adds the source line of an instruction: the string offsets of the file name and the line's text, the line and the
    /// column (at most 1023).
    pub fn add_line_info(
        &mut self,
        section: u32,
        insn_off: u32,
        (file, text): (u32, u32),
        (line, column): (u32, u32),
    ) {
        let words = [insn_off, file, text, line_col(line, column)];
        self.line_info.add(section, &words);
    }

    /// Adds a CO-RE relocation.
    pub fn add_core_relo(&mut self, section: u32, relo: CoreRelo) {
        let words = [
            relo.insn_off,
            relo.type_id.0,
            relo.access_str_off,
            relo.kind,
        ];
        self.core_relo.add(section, &words);
    }

    /// Adds the records of another, whose strings and types are those of this one. `place` has how many bytes further the
    /// instructions of a section are now, by the offset of its name.
    ///
    /// # Errors
    /// Those of `place`; records of one kind differ in size.
    pub(crate) fn append<E: From<BtfError>>(
        &mut self,
        other: Self,
        mut place: impl FnMut(u32) -> Result<u32, E>,
    ) -> Result<(), E> {
        self.func_info.append(other.func_info, &mut place)?;
        self.line_info.append(other.line_info, &mut place)?;
        self.core_relo.append(other.core_relo, &mut place)
    }

    /// Whether there are no records.
    pub(crate) fn is_empty(&self) -> bool {
        let tables = [&self.func_info, &self.line_info, &self.core_relo];
        tables.iter().all(|table| table.groups.is_empty())
    }

    /// The section's contents in this byte order.
    #[doc(alias = "btf_ext__raw_data")]
    pub fn to_bytes(&self, order: ByteOrder) -> Vec<u8> {
        let tables = [&self.func_info, &self.line_info, &self.core_relo];
        let tables = tables.map(table_words);
        let mut words = vec![HEADER_LEN];
        let mut offset = 0_u32;
        for table in &tables {
            let len = u32::try_from(table.len().saturating_mul(4)).unwrap_or(u32::MAX);
            words.extend([offset, len]);
            offset = offset.saturating_add(len);
        }
        words.extend(tables.iter().flatten());
        let mut bytes = order.u16(MAGIC.to_ne_bytes()).to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        bytes.extend(words.iter().flat_map(|word| in_order(order, *word)));
        bytes
    }
}

impl ExtTable {
    fn append<E: From<BtfError>>(
        &mut self,
        other: Self,
        place: &mut impl FnMut(u32) -> Result<u32, E>,
    ) -> Result<(), E> {
        if other.groups.is_empty() {
            return Ok(());
        }
        if !self.groups.is_empty() && self.record_size != other.record_size {
            let what = "records of one kind differ in size";
            return Err(BtfError::Ext { what, offset: 0 }.into());
        }
        self.record_size = other.record_size;
        let names = self.groups.iter().map(|group| group.section_name_off);
        let mut known: HashMap<u32, usize> = names.zip(0..).collect();
        let size = usize::try_from(self.record_size).unwrap_or(usize::MAX);
        for mut group in other.groups {
            let by = place(group.section_name_off)?;
            for record in group.records.chunks_exact_mut(size.max(1)) {
                if let Some(offset) = record.first_chunk_mut() {
                    let moved = u32::from_ne_bytes(*offset).wrapping_add(by);
                    *offset = moved.to_ne_bytes();
                }
            }
            let next = self.groups.len();
            let index = *known.entry(group.section_name_off).or_insert(next);
            match self.groups.get_mut(index) {
                Some(same) => same.records.append(&mut group.records),
                None => self.groups.push(group),
            }
        }
        Ok(())
    }
}

/// A table: the size of its records, then each section's name, their count, and they themselves.
fn table_words(table: &ExtTable) -> Vec<u32> {
    let mut words = Vec::new();
    if table.groups.is_empty() {
        return words;
    }
    words.push(table.record_size);
    let size = usize::try_from(table.record_size)
        .unwrap_or(usize::MAX)
        .max(1);
    for group in &table.groups {
        let count = group.records.len() / size;
        words.extend([
            group.section_name_off,
            u32::try_from(count).unwrap_or(u32::MAX),
        ]);
        let records = group.records.as_chunks::<4>().0.iter();
        words.extend(records.map(|word| u32::from_ne_bytes(*word)));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_in_both_byte_orders() {
        let mut ext = BtfExt::new();
        let relo = CoreRelo {
            insn_off: 16,
            type_id: TypeId(3),
            access_str_off: 9,
            kind: 2,
        };
        ext.add_func_info(1, 0, TypeId(5));
        ext.add_func_info(4, 8, TypeId(6));
        ext.add_func_info(1, 24, TypeId(7));
        ext.add_line_info(1, 8, (10, 20), (7, 3));
        ext.add_core_relo(4, relo);
        for order in [ByteOrder::Native, ByteOrder::Foreign] {
            let read = BtfExt::parse(&ext.to_bytes(order)).unwrap();
            let words = |records: &[u8]| -> Vec<u32> {
                let words = records.as_chunks::<4>().0.iter();
                words.map(|word| u32::from_ne_bytes(*word)).collect()
            };
            let functions: Vec<_> = read
                .func_info()
                .map(|s| (s.section_name_off, words(s.records)))
                .collect();
            assert_eq!(functions, [(1, vec![0, 5, 24, 7]), (4, vec![8, 6])]);
            let lines = read.line_info().next().unwrap();
            assert_eq!(words(lines.records), [8, 10, 20, 7 << 10 | 3]);
            let relos: Vec<CoreRelo> = read.core_relo().flat_map(|s| s.core_relos()).collect();
            assert_eq!(relos, [relo]);
            assert_eq!(read.to_bytes(order), ext.to_bytes(order));
        }
        assert_eq!(BtfExt::new().to_bytes(ByteOrder::Native).len(), 32);
    }
}
