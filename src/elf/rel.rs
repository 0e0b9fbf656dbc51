//! Relocations without addends (`SHT_REL`), the only ones BPF objects have.

use super::{ElfError, ElfFile, Section};
use object::Endianness;
use object::elf::Rel64;

/// One relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rel {
    /// The offset in bytes from the start of the section that it applies to.
    pub(crate) offset: u64,
    /// The symbol's index.
    pub(crate) symbol: usize,
    /// `R_BPF_*`
    pub(crate) kind: u32,
}

impl Rel {
    /// The address in an `ldimm64`.
    pub(crate) const BPF_64_64: u32 = 1;
    /// A 64-bit address in data.
    pub(crate) const BPF_64_ABS64: u32 = 2;
    /// A 32-bit address in data.
    pub(crate) const BPF_64_ABS32: u32 = 3;
    /// The function of a call.
    pub(crate) const BPF_64_32: u32 = 10;
}

impl<'a> ElfFile<'a> {
    /// The relocations in `section`.
    pub(crate) fn rels(
        &self,
        section: &Section<'a>,
    ) -> Result<impl ExactSizeIterator<Item = Rel> + use<'a>, ElfError> {
        section.check_entry_size(16)?;
        let raw = section.entries::<{ size_of::<Rel64<Endianness>>() }>()?;
        let rels: &'a [Rel64<Endianness>] =
            object::pod::slice_from_all_bytes(raw.as_flattened())
                .map_err(|()| ElfError::SectionHeaders("unaligned relocations"))?;
        let endian = self.endian();
        Ok(rels.iter().map(move |rel| Rel {
            offset: rel.r_offset.get(endian),
            symbol: usize::try_from(rel.r_sym(endian)).unwrap_or(usize::MAX),
            kind: rel.r_type(endian).0,
        }))
    }
}
