//! One section of an ELF file.

use super::{ElfError, ElfFile};
use crate::SectionIndex;
use object::elf;

/// A section's header, decoded; the contents are looked up by [`Section::data`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section<'a> {
    pub(crate) index: SectionIndex,
    pub(crate) name: &'a str,
    /// `SHT_*`
    pub(crate) kind: u32,
    /// `SHF_*`
    pub(crate) flags: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) link: u32,
    pub(crate) info: u32,
    pub(crate) entry_size: u64,
    /// The alignment in its header; 0 and 1 mean none.
    pub(crate) align: u64,
    /// The whole file.
    pub(super) file: &'a [u8],
}

impl<'a> Section<'a> {
    pub(crate) const PROGBITS: u32 = elf::SHT_PROGBITS.0;
    pub(crate) const SYMTAB: u32 = elf::SHT_SYMTAB.0;
    pub(crate) const STRTAB: u32 = elf::SHT_STRTAB.0;
    pub(crate) const NOBITS: u32 = elf::SHT_NOBITS.0;
    pub(crate) const REL: u32 = elf::SHT_REL.0;
    /// A list of address-significant symbols, which clang writes.
    pub(crate) const LLVM_ADDRSIG: u32 = 0x6fff_4c03;

    /// Whether it contains instructions.
    pub(crate) fn is_executable(&self) -> bool {
        self.flags & elf::SHF_EXECINSTR.0 != 0
    }

    /// Its bytes in the file; empty if it takes no space there.
    pub(crate) fn data(&self) -> Result<&'a [u8], ElfError> {
        if self.kind == Self::NOBITS || self.size == 0 {
            return Ok(&[]);
        }
        let range = usize::try_from(self.offset)
            .ok()
            .zip(usize::try_from(self.size).ok());
        let data = range.and_then(|(offset, size)| self.file.get(offset..)?.get(..size));
        data.ok_or_else(|| ElfError::SectionData {
            section: self.index,
            name: self.name.to_string(),
            offset: self.offset,
            size: self.size,
            len: self.file.len(),
        })
    }

    /// Whether its header says that its entries have this size in bytes.
    pub(crate) fn check_entry_size(&self, expected: u64) -> Result<(), ElfError> {
        if self.entry_size == expected {
            return Ok(());
        }
        Err(ElfError::EntrySize {
            section: self.index,
            name: self.name.to_string(),
            found: self.entry_size,
            expected,
        })
    }

    /// Its bytes as entries of `SIZE` bytes each.
    pub(crate) fn entries<const SIZE: usize>(&self) -> Result<&'a [[u8; SIZE]], ElfError> {
        let (entries, rest) = self.data()?.as_chunks::<SIZE>();
        if rest.is_empty() {
            return Ok(entries);
        }
        Err(ElfError::Entries {
            section: self.index,
            name: self.name.to_string(),
            size: self.size,
            entry: u64::try_from(SIZE).unwrap_or_default(),
        })
    }
}

/// The text at `offset` in a string table. Names are at most 4 KiB long, so that a table without a NUL cannot turn
/// every lookup into a search through all of it.
pub(super) fn string_at(strings: &[u8], offset: u32) -> Option<&str> {
    const LONGEST: usize = 1 << 12;
    let tail = strings.get(usize::try_from(offset).ok()?..)?;
    let window = tail.get(..LONGEST).unwrap_or(tail);
    let len = memchr::memchr(0, window)?;
    std::str::from_utf8(window.get(..len)?).ok()
}

impl<'a> ElfFile<'a> {
    /// The string table in section `index`; `None` if that section is not a string table.
    pub(super) fn strings(&self, index: u32) -> Option<&'a [u8]> {
        let section = self.raw_section(SectionIndex(index), "").ok()?;
        (section.kind == Section::STRTAB)
            .then(|| section.data().ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::string_at;

    #[test]
    fn strings_need_their_nul() {
        assert_eq!(string_at(b"\0abc\0", 1), Some("abc"));
        assert_eq!(string_at(b"\0abc\0", 2), Some("bc"));
        assert_eq!(string_at(b"\0abc", 1), None);
        assert_eq!(string_at(b"\0abc\0", 5), None);
        assert_eq!(string_at(b"\0\xff\0", 1), None);
        assert_eq!(string_at(&[b'a'; 5000], 0), None);
    }
}
