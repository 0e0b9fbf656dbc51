//! An executable or library with probes.

use super::arg::{UsdtArg, parse_args};
use super::note::{UsdtNote, notes};
use super::register::Machine;
use crate::elf::executable::Executable;
use crate::elf::format::{Class, Format};
use crate::elf::read_at::{self, ReadAt};
use crate::{Error, ErrorKind, Result};
use object::Endianness;
use object::elf;

/// The section that contains the notes.
const NOTES: &[u8] = b".note.stapsdt";
/// Programs with thousands of probes have a few hundred KiB of notes.
const MAX_NOTES_LEN: u64 = 64 << 20;
/// The section whose address shows by how much addresses have moved since the notes were written.
const BASE: &[u8] = b".stapsdt.base";
/// A one-byte `nop` and a five-byte one: newer probes are at such a pair.
const NOP_NOP5: [u8; 6] = [0x90, 0x0f, 0x1f, 0x44, 0x00, 0x00];

/// This machine's byte order.
const NATIVE: Endianness = if cfg!(target_endian = "little") {
    Endianness::Little
} else {
    Endianness::Big
};

/// An executable or library for a machine like this one, with its USDT probes.
#[derive(Debug)]
pub struct UsdtFile<'r> {
    file: Executable<'r>,
    machine: Machine,
    /// Where [`BASE`] is.
    base: Option<u64>,
    notes: Vec<UsdtNote>,
}

/// Where a probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "usdt_target")]
pub struct UsdtPlace {
    /// The address of its instruction, before the file is loaded.
    pub address: u64,
    /// The file offset of its instruction.
    pub offset: u64,
    /// The file offset of its semaphore.
    pub semaphore: Option<u64>,
    /// Whether it is at a one-byte `nop` followed by a five-byte one, as on x86-64: newer kernels handle the second one
    /// without a trap.
    pub has_nop5: bool,
}

impl<'r> UsdtFile<'r> {
    /// Reads the notes.
    ///
    /// # Errors
    /// `Elf` if this is not an executable or library for a 64-bit machine with this machine's byte order, or is damaged.
    /// `NotFound` if it has no notes.
    #[doc(alias = "sanity_check_usdt_elf")]
    pub fn open(reader: &'r dyn ReadAt) -> Result<Self> {
        let file = Executable::open(reader)?;
        check(&file)?;
        let machine = Machine::of(file.machine()).ok_or_else(|| {
            let number = file.machine().0;
            let message =
                format!("arguments of probes cannot be read on this machine (ELF number {number})");
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let notes = read_notes(&file)?;
        let base = file.section_named(BASE).map(|section| section.address);
        Ok(Self {
            file,
            machine,
            base,
            notes,
        })
    }

    /// The locations of all probes.
    pub fn notes(&self) -> &[UsdtNote] {
        &self.notes
    }

    /// Whether it can be loaded anywhere (a library or a position-independent executable).
    pub fn is_shared(&self) -> bool {
        self.file.kind() == elf::ET_DYN
    }

    /// Where the arguments of the probe are.
    ///
    /// # Errors
    /// Those of [`parse_args`].
    pub fn args(&self, note: &UsdtNote) -> Result<Vec<UsdtArg>> {
        parse_args(&note.args, self.machine)
    }

    /// Where the probe is in the file, according to the segments: they, not the sections, are what is loaded.
    ///
    /// # Errors
    /// `Elf` if it is outside all segments or not in executable code, or if its semaphore is outside all segments or in executable code.
    #[doc(alias = "collect_usdt_targets")]
    pub fn place(&self, note: &UsdtNote) -> Result<UsdtPlace> {
        let nowhere = |what: &str, address: u64, why: &str| {
            let message = format!("the note says that {what} is at {address:#x}, {why}");
            Error::new(ErrorKind::Elf, message)
        };
        let moved = match self.base {
            Some(base) if base != 0 && note.base != 0 => base.wrapping_sub(note.base),
            _ => 0,
        };
        let address = note.location.wrapping_add(moved);
        let (segment, offset) = self
            .file
            .find(address)
            .ok_or_else(|| nowhere("the probe", address, "where nothing is loaded"))?;
        if !segment.executable {
            return Err(nowhere("the probe", address, "where nothing is executed"));
        }
        let semaphore = match note.semaphore {
            0 => None,
            at => match self.file.find(at) {
                None => return Err(nowhere("its semaphore", at, "where nothing is loaded")),
                Some((segment, _)) if segment.executable => {
                    return Err(nowhere("its semaphore", at, "among what is executed"));
                }
                Some((_, offset)) => Some(offset),
            },
        };
        Ok(UsdtPlace {
            address,
            offset,
            semaphore,
            has_nop5: self.machine == Machine::X86_64 && self.has_nop5(offset),
        })
    }

    fn has_nop5(&self, offset: u64) -> bool {
        let mut found = [0; NOP_NOP5.len()];
        let read = self.file.reader().read_at(offset, &mut found);
        read.is_ok() && found == NOP_NOP5
    }
}

/// Whether the notes have this machine's class and byte order.
fn check(file: &Executable<'_>) -> Result<()> {
    let Format { class, endian } = file.format();
    let message = if class != Class::Elf64 {
        "its probes cannot be read: it is a 32-bit ELF file"
    } else if endian != NATIVE {
        "an ELF file of the other byte order has no probes for this machine"
    } else if !matches!(file.kind(), elf::ET_EXEC | elf::ET_DYN) {
        "it is no executable and no library, but an ELF file of another type"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Elf, message))
}

fn read_notes(file: &Executable<'_>) -> Result<Vec<UsdtNote>> {
    let section = file.section_named(NOTES).ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "it has no USDT probes: there is no section .note.stapsdt",
        )
        .with_hint("was it built without them (--enable-dtrace, --with-dtrace, or sys/sdt.h)?")
    })?;
    if section.kind != elf::SHT_NOTE {
        let message = "its section .note.stapsdt holds no notes";
        return Err(Error::new(ErrorKind::Elf, message));
    }
    let content = file.content(section).ok_or_else(|| {
        let message = "the file is damaged: its section .note.stapsdt lies outside of it";
        Error::new(ErrorKind::Elf, message)
    })?;
    let what = "its section .note.stapsdt";
    notes(&read_at::read(file.reader(), content, MAX_NOTES_LEN, what)?)
}

#[cfg(test)]
mod tests {
    use super::super::arg::ArgPlace;
    use super::super::note::tests::bytes as note;
    use super::*;
    use object::write::elf::{FileHeader, ProgramHeader, SectionHeader, Writer};
    use proptest::prelude::*;

    const TEXT: u64 = 0x40_1000;
    const DATA: u64 = 0x60_2000;

    /// An executable with a page of `nop`s at [`TEXT`], where one place has two of them, a page at [`DATA`], and these notes.
    fn program(kind: elf::FileType, notes: &[u8], base: u64) -> Vec<u8> {
        program_of(NATIVE, kind, notes, base)
    }

    fn program_of(endian: Endianness, kind: elf::FileType, notes: &[u8], base: u64) -> Vec<u8> {
        let notes_len = u64::try_from(notes.len()).unwrap();
        let mut bytes = Vec::new();
        let mut writer = Writer::new(endian, true, &mut bytes);
        writer.reserve_file_header();
        writer.reserve_program_headers(2);
        let mut text = vec![0x90; 0x100];
        text[0x20..0x26].copy_from_slice(&NOP_NOP5);
        let text_at = writer.reserve(0x100, 16);
        let notes_at = writer.reserve(notes_len, 4);
        let names = [NOTES, BASE].map(|name| writer.add_section_name(name));
        for _ in names {
            writer.reserve_section_index();
        }
        writer.reserve_shstrtab_section_index();
        let _ = writer.reserve_shstrtab();
        writer.reserve_section_headers();
        let header = FileHeader {
            os_abi: elf::ELFOSABI_NONE,
            abi_version: 0,
            e_type: kind,
            e_machine: elf::EM_X86_64,
            e_entry: 0,
            e_flags: elf::FileFlags(0),
        };
        writer.write_file_header(&header).unwrap();
        // Not in the order of their addresses.
        for (address, offset, flags) in [
            (DATA, 0x3000, elf::PF_R | elf::PF_W),
            (TEXT, text_at, elf::PF_R | elf::PF_X),
        ] {
            writer.write_program_header(&ProgramHeader {
                p_type: elf::PT_LOAD,
                p_flags: flags,
                p_offset: offset,
                p_vaddr: address,
                p_paddr: address,
                p_filesz: 0x100,
                p_memsz: 0x100,
                p_align: 1,
            });
        }
        writer.write_align(16);
        writer.write(&text);
        writer.write_align(4);
        writer.write(notes);
        writer.write_shstrtab();
        writer.write_null_section_header();
        let names = names.map(|name| writer.section_name_offset(Some(name)));
        let section = |name, sh_type, addr, offset, size| SectionHeader {
            sh_name: name,
            sh_type,
            sh_flags: elf::SectionFlags(0),
            sh_addr: addr,
            sh_offset: offset,
            sh_size: size,
            sh_link: 0,
            sh_info: 0,
            sh_addralign: 4,
            sh_entsize: 0,
        };
        writer.write_section_header(&section(
            names[0],
            elf::SHT_NOTE,
            0,
            notes_at,
            notes.len() as u64,
        ));
        writer.write_section_header(&section(names[1], elf::SHT_PROGBITS, base, 0, 1));
        writer.write_shstrtab_section_header();
        bytes
    }

    /// Where the first note's probe is.
    fn place(addresses: [u64; 3], base: u64) -> Result<UsdtPlace> {
        let bytes = program(elf::ET_EXEC, &note(addresses, b"p\0n\0\0"), base);
        let file = UsdtFile::open(&bytes)?;
        file.place(&file.notes()[0])
    }

    #[test]
    fn probes_are_found_by_segments() {
        let found = place([TEXT + 0x10, 0, DATA + 8], 0).unwrap();
        let start = found.offset - 0x10;
        assert_eq!(
            (found.address, found.semaphore),
            (TEXT + 0x10, Some(0x3008))
        );
        assert!(!found.has_nop5);
        let found = place([TEXT + 0x20, 0x5000, 0], 0x5000).unwrap();
        assert_eq!((found.offset, found.semaphore), (start + 0x20, None));
        assert!(found.has_nop5, "two instructions that do nothing");
    }

    #[test]
    fn addresses_that_were_moved_are_followed() {
        let found = place([TEXT - 0x1000 + 0x20, 0x4000, 0], 0x5000).unwrap();
        assert_eq!(found.address, TEXT + 0x20);
        assert!(found.has_nop5);
        let found = place([TEXT + 0x2000, 0x5000, 0], 0x3000).unwrap();
        assert_eq!(found.address, TEXT, "backwards, too");
    }

    #[test]
    fn places_that_cannot_be_are_named() {
        for (addresses, word) in [
            ([TEXT + 0x100, 0, 0], "loaded"),
            ([TEXT - 1, 0, 0], "loaded"),
            ([DATA, 0, 0], "executed"),
            ([TEXT, 0, u64::MAX], "its semaphore"),
            ([TEXT, 0, TEXT], "among what is executed"),
        ] {
            let error = place(addresses, 0).unwrap_err();
            assert!(error.message().contains(word), "{addresses:x?}: {error}");
        }
    }

    #[test]
    fn arguments_are_those_of_the_files_machine() {
        let bytes = program(elf::ET_DYN, &note([TEXT, 0, 0], b"p\0n\0-4@%edi\0"), 0);
        let file = UsdtFile::open(&bytes).unwrap();
        assert!(file.is_shared());
        let args = file.args(&file.notes()[0]).unwrap();
        assert_eq!(args[0].place, ArgPlace::Register(112));
    }

    #[test]
    fn other_files_are_refused() {
        let notes = note([TEXT, 0, 0], b"p\0n\0\0");
        let good = program(elf::ET_EXEC, &notes, 0);
        let foreign = match NATIVE {
            Endianness::Little => Endianness::Big,
            Endianness::Big => Endianness::Little,
        };
        let foreign = program_of(foreign, elf::ET_EXEC, &notes, 0);
        let error = UsdtFile::open(&foreign).unwrap_err();
        assert!(error.to_string().contains("byte order"), "{error}");
        let refused = |at: usize, byte: u8, word: &str| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            let error = UsdtFile::open(&bytes).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        };
        refused(4, 1, "32-bit");
        refused(1, b'X', "not an ELF file");
        refused(16, 1, "object file");
        refused(16, 4, "another type");
        refused(18, 3, "cannot be read on this machine");
        let name = good.windows(NOTES.len()).position(|w| w == NOTES).unwrap();
        refused(name, b'-', "no USDT probes");
        for len in 0..good.len() {
            let _ = UsdtFile::open(&&good[..len]);
        }
    }

    proptest! {
        #[test]
        fn a_file_with_any_bytes_changed_is_read_or_refused(
            changes in proptest::collection::vec((0..1500usize, any::<u8>()), 1..4),
        ) {
            let mut bytes = program(elf::ET_DYN, &note([TEXT, 0, DATA], b"p\0n\0-4@%edi\0"), 0x5000);
            for (at, byte) in changes {
                let len = bytes.len();
                bytes[at % len] = byte;
            }
            if let Ok(file) = UsdtFile::open(&bytes) {
                for note in file.notes() {
                    let _ = (file.place(note), file.args(note));
                }
            }
        }
    }
}
