//! An object file as a whole: its header and section table.

use super::section::string_at;
use super::{ElfError, NameBudget, Section};
use crate::SectionIndex;
use crate::ids::ByteOrder;
use object::Endianness;
use object::elf::{self, FileHeader64, SectionHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _};

/// A 64-bit ELF file of either byte order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ElfFile<'a> {
    data: &'a [u8],
    endian: Endianness,
    header: &'a FileHeader64<Endianness>,
    sections: &'a [SectionHeader64<Endianness>],
    /// The table of section names.
    names: &'a [u8],
}

impl<'a> ElfFile<'a> {
    /// Reads the header and the section table.
    pub(crate) fn parse(data: &'a [u8]) -> Result<Self, ElfError> {
        check_ident(data)?;
        let header =
            FileHeader64::<Endianness>::parse(data).map_err(|_| ElfError::HeaderCut(data.len()))?;
        let endian = header
            .endian()
            .map_err(|_| ElfError::HeaderCut(data.len()))?;
        let sections =
            header
                .section_headers(endian, data)
                .map_err(|_| ElfError::SectionTable {
                    offset: header.e_shoff(endian),
                    count: header.e_shnum(endian),
                    len: data.len(),
                })?;
        let mut file = Self {
            data,
            endian,
            header,
            sections,
            names: &[],
        };
        if sections.is_empty() {
            return Ok(file);
        }
        let names = header
            .shstrndx(endian, data)
            .map_err(|_| ElfError::SectionHeaders("it does not say where the names are"))?;
        file.names = file.strings(names).ok_or(ElfError::SectionHeaders(
            "the section with the names is missing",
        ))?;
        Ok(file)
    }

    /// Whether this is a relocatable object for BPF (or for no machine, as old compilers wrote it).
    pub(crate) fn check_bpf(&self) -> Result<(), ElfError> {
        let kind = self.header.e_type(self.endian);
        let machine = self.header.e_machine(self.endian);
        if kind == elf::ET_REL && matches!(machine, elf::EM_BPF | elf::EM_NONE) {
            return Ok(());
        }
        Err(ElfError::NotBpf {
            kind: kind_name(kind.0),
            machine: machine_name(machine.0),
        })
    }

    /// Whether this is a relocatable object for BPF, as [`ElfFile::check_bpf`] asks, and says so itself.
    pub(crate) fn check_declares_bpf(&self) -> Result<(), ElfError> {
        self.check_bpf()?;
        if self.header.e_machine(self.endian) == elf::EM_BPF {
            return Ok(());
        }
        Err(ElfError::NotBpf {
            kind: kind_name(self.header.e_type(self.endian).0),
            machine: machine_name(elf::EM_NONE.0),
        })
    }

    pub(super) fn endian(&self) -> Endianness {
        self.endian
    }

    /// The byte order of the file.
    pub(crate) fn byte_order(&self) -> ByteOrder {
        let native = cfg!(target_endian = "little") == (self.endian == Endianness::Little);
        if native {
            ByteOrder::Native
        } else {
            ByteOrder::Foreign
        }
    }

    /// The number of sections, including the empty first one.
    pub(crate) fn section_count(&self) -> usize {
        self.sections.len()
    }

    /// A section's header with this name instead of its own.
    pub(super) fn raw_section(
        &self,
        index: SectionIndex,
        name: &'a str,
    ) -> Result<Section<'a>, ElfError> {
        let raw = self.raw(index)?;
        Ok(Section {
            index,
            name,
            kind: raw.sh_type(self.endian).0,
            flags: raw.sh_flags(self.endian).0,
            offset: raw.sh_offset(self.endian),
            size: raw.sh_size(self.endian),
            link: raw.sh_link(self.endian),
            info: raw.sh_info(self.endian),
            entry_size: raw.sh_entsize(self.endian),
            align: raw.sh_addralign(self.endian),
            file: self.data,
        })
    }

    fn raw(&self, index: SectionIndex) -> Result<&'a SectionHeader64<Endianness>, ElfError> {
        usize::try_from(index.0)
            .ok()
            .and_then(|i| self.sections.get(i))
            .ok_or(ElfError::NoSection(index))
    }

    /// The section with this index.
    pub(crate) fn section(&self, index: SectionIndex) -> Result<Section<'a>, ElfError> {
        let offset = self.raw(index)?.sh_name(self.endian);
        let name = string_at(self.names, offset).ok_or(ElfError::SectionName {
            section: index,
            offset,
        })?;
        self.raw_section(index, name)
    }

    /// The budget for the names of all sections.
    pub(crate) fn section_name_budget(&self) -> NameBudget {
        let number = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        NameBudget::of_table(
            "sections",
            number(self.names.len()),
            number(self.sections.len()),
        )
    }

    /// All sections except the empty first one.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Result<Section<'a>, ElfError>> {
        let count = u32::try_from(self.sections.len()).unwrap_or(u32::MAX);
        (1..count).map(|index| self.section(SectionIndex(index)))
    }
}

/// Checks the first bytes one by one, so that the message can say what is wrong with them.
fn check_ident(data: &[u8]) -> Result<(), ElfError> {
    if data.is_empty() {
        return Err(ElfError::Empty);
    }
    let magic = data.get(..4).unwrap_or(data);
    if magic != b"\x7fELF" {
        return Err(ElfError::Magic(magic.to_vec()));
    }
    let Some([class, order, version]) = data.get(4..).and_then(<[u8]>::first_chunk) else {
        return Err(ElfError::HeaderCut(data.len()));
    };
    if *class == elf::ELFCLASS32.0 {
        return Err(ElfError::Class32);
    }
    let known = *class == elf::ELFCLASS64.0
        && matches!(*order, 1 | 2)
        && u32::from(*version) == u32::from(elf::EV_CURRENT.0);
    if known {
        return Ok(());
    }
    Err(ElfError::Ident {
        class: *class,
        order: *order,
        version: *version,
    })
}

fn kind_name(kind: u16) -> String {
    match kind {
        1 => "relocatable object".into(),
        2 => "executable".into(),
        3 => "executable or shared library".into(),
        4 => "core dump".into(),
        n => format!("file of type {n}"),
    }
}

fn machine_name(machine: u16) -> String {
    let name = match machine {
        0 => "no machine",
        3 => "i386",
        8 => "MIPS",
        20 => "PowerPC",
        21 => "64-bit PowerPC",
        22 => "S/390",
        40 => "ARM",
        43 => "SPARC",
        62 => "x86-64",
        183 => "AArch64",
        243 => "RISC-V",
        247 => "BPF",
        258 => "LoongArch",
        n => return format!("machine {n}"),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_elf_file_is_named() {
        assert_eq!(ElfFile::parse(&[]).unwrap_err(), ElfError::Empty);
        let text = ElfFile::parse(b"#!/bin/sh\n").unwrap_err();
        assert_eq!(text, ElfError::Magic(b"#!/b".to_vec()));
        assert_eq!(
            ElfFile::parse(b"\x7fELF").unwrap_err(),
            ElfError::HeaderCut(4)
        );
        let mut header = [0u8; 64];
        header[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
        assert_eq!(ElfFile::parse(&header).unwrap_err(), ElfError::Class32);
        header[4] = 2;
        assert_eq!(
            ElfFile::parse(&header[..63]).unwrap_err(),
            ElfError::HeaderCut(63)
        );
        header[5] = 7;
        let ident = ElfError::Ident {
            class: 2,
            order: 7,
            version: 1,
        };
        assert_eq!(ElfFile::parse(&header).unwrap_err(), ident);
    }

    #[test]
    fn this_test_itself_is_no_bpf_object() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let file = ElfFile::parse(&own).unwrap();
        assert_eq!(file.byte_order(), ByteOrder::Native);
        let message = file.check_bpf().unwrap_err().to_string();
        assert!(message.contains("not a BPF object"), "{message}");
        assert!(file.sections().any(|s| s.unwrap().name == ".text"));
    }

    #[test]
    fn a_table_outside_the_file_is_refused() {
        let mut header = [0u8; 64];
        header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        header[40] = 0xff;
        header[58] = 64;
        header[60] = 3;
        let error = ElfFile::parse(&header).unwrap_err();
        let expected = ElfError::SectionTable {
            offset: 0xff,
            count: 3,
            len: 64,
        };
        assert_eq!(error, expected);
    }
}
