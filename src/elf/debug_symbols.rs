//! Where the symbols of a stripped program are: what the program says about their location, and the compressed symbols in it.
//!
//! Debian and its derivatives keep them in a file named after the program's build ID; `objcopy --add-gnu-debuglink` records a
//! file name and a checksum; Fedora packs the most useful ones into a section of the program. Not here: looking for the files.

use super::executable::Executable;
use super::read_at::{self, Extent, ReadAt};
use crate::{Error, ErrorKind, Result};
use object::elf;
#[cfg(feature = "xz")]
use std::num::NonZeroUsize;

/// Build IDs usually have 20 bytes, and never more than 64.
const LONGEST_BUILD_ID: u64 = 64;
/// The length of build IDs in the kernel's stack traces, in bytes.
pub(crate) const LONGEST_KERNEL_BUILD_ID: usize = 20;
/// A program has a few short notes.
const MAX_NOTES_LEN: u64 = 1 << 16;
/// `NAME_MAX`, padding and checksum.
const MAX_LINK_LEN: u64 = 264;
/// Compressed symbols of the largest programs take a few MiB.
#[cfg(feature = "xz")]
const MAX_COMPRESSED_LEN: u64 = 64 << 20;
/// The maximum size when decompressed.
#[cfg(feature = "xz")]
const MAX_UNPACKED_LEN: u64 = 256 << 20;
/// The maximum dictionary size, which is the memory that decompression needs in addition: `xz -9` uses 64 MiB.
#[cfg(feature = "xz")]
const MAX_DICTIONARY: usize = 128 << 20;
/// The default of `xz`; more is allocated if a file requires it.
#[cfg(feature = "xz")]
const USUAL_DICTIONARY: usize = 8 << 20;
/// How many compressed bytes are passed on at a time.
#[cfg(feature = "xz")]
const PORTION: NonZeroUsize = NonZeroUsize::new(1 << 16).unwrap();

/// The name of the separate debug file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DebugLink {
    /// The name, without a directory.
    pub(crate) name: Vec<u8>,
    /// The CRC-32 of the file's bytes.
    pub(crate) checksum: u32,
}

/// The build ID, which the linker adds, and which stripping preserves.
pub(crate) fn build_id(file: &Executable<'_>) -> Option<Vec<u8>> {
    let section = file.section_named(b".note.gnu.build-id");
    let section = section.and_then(|section| file.content(section));
    let places = file.notes().iter().copied().chain(section);
    places
        .filter_map(|notes| read_at::read(file.reader(), notes, MAX_NOTES_LEN, "its notes").ok())
        .find_map(|notes| build_id_in(file, &notes))
}

fn build_id_in(file: &Executable<'_>, notes: &[u8]) -> Option<Vec<u8>> {
    const HEADER_LEN: usize = 12;
    const OWNER: &[u8] = b"GNU\0";
    let mut rest = notes;
    while rest.len() > HEADER_LEN {
        let number = |at| file.format().number(rest.get(at..)?);
        let (name_len, len, kind) = (number(0)?, number(4)?, number(8)?);
        let name_len = usize::try_from(name_len).ok()?;
        let content_at = HEADER_LEN.checked_add(name_len.checked_next_multiple_of(4)?)?;
        let end = content_at.checked_add(usize::try_from(len).ok()?)?;
        let content = rest.get(content_at..end)?;
        let is_ours = kind == elf::NT_GNU_BUILD_ID.0 && rest.get(HEADER_LEN..)?.starts_with(OWNER);
        if is_ours && (2..=LONGEST_BUILD_ID).contains(&len.into()) {
            return Some(content.to_vec());
        }
        rest = rest.get(end.checked_next_multiple_of(4)?..)?;
    }
    None
}

/// The section `.gnu_debuglink`: a name, padding up to a multiple of four bytes, a checksum.
pub(crate) fn debug_link(file: &Executable<'_>) -> Option<DebugLink> {
    let content = file.content(file.section_named(b".gnu_debuglink")?)?;
    let bytes = read_at::read(file.reader(), content, MAX_LINK_LEN, "its debug link").ok()?;
    let name = bytes.get(..memchr::memchr(0, &bytes)?)?;
    let checksum_at = (name.len() + 1).next_multiple_of(4);
    // The program's owner must not be able to direct the search to another directory.
    let is_plain = !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/');
    is_plain.then_some(DebugLink {
        name: name.to_vec(),
        checksum: file.format().number(bytes.get(checksum_at..)?)?,
    })
}

/// The ELF file in the section `.gnu_debugdata`, decompressed; `None` if there is no such section.
///
/// # Errors
/// `Elf` if it is damaged or unreasonably large. `Unsupported` without the feature `xz`.
pub(crate) fn embedded(file: &Executable<'_>) -> Result<Option<Vec<u8>>> {
    let section = file.section_named(b".gnu_debugdata");
    let content = section.and_then(|section| file.content(section));
    content.map(|content| unpacked(file, content)).transpose()
}

#[cfg(feature = "xz")]
fn unpacked(file: &Executable<'_>, content: Extent) -> Result<Vec<u8>> {
    use std::io::Read;
    use xz4rust::{XzDecoder, XzReader};

    let what = "its section .gnu_debugdata";
    let packed = read_at::read(file.reader(), content, MAX_COMPRESSED_LEN, what)?;
    let decoder = XzDecoder::in_heap_with_alloc_dict_size(USUAL_DICTIONARY, MAX_DICTIONARY);
    let packed = std::io::Cursor::new(packed);
    let reader = XzReader::new_with_buffer_size_and_decoder(packed, PORTION, decoder);
    let mut bytes = Vec::new();
    let read = reader.take(MAX_UNPACKED_LEN + 1).read_to_end(&mut bytes);
    let refused = |why: &str| {
        Err(Error::new(
            ErrorKind::Elf,
            format!("cannot unpack {what}: {why}"),
        ))
    };
    match read {
        Err(error) => refused(&error.to_string()),
        Ok(_) if bytes.len() as u64 > MAX_UNPACKED_LEN => {
            refused(&format!("it has more than {MAX_UNPACKED_LEN} bytes"))
        }
        Ok(_) => Ok(bytes),
    }
}

#[cfg(not(feature = "xz"))]
fn unpacked(_file: &Executable<'_>, _content: Extent) -> Result<Vec<u8>> {
    let message = "its symbols are in its section .gnu_debugdata, compressed";
    Err(Error::new(ErrorKind::Unsupported, message).with_hint("build rawbpf with the feature `xz`"))
}

/// The CRC-32 of all bytes, as in Ethernet, gzip and zip.
///
/// # Errors
/// The bytes cannot be read.
#[doc(alias = "gnu_debuglink_crc32")]
pub(crate) fn checksum(file: &dyn ReadAt) -> Result<u32> {
    const CHUNK: u64 = 1 << 18;
    let whole = Extent {
        offset: 0,
        len: file.size(),
    };
    let (mut sum, mut at) = (u32::MAX, 0);
    while let Some(part) = whole.part(at, CHUNK).filter(|part| part.len > 0) {
        let bytes = read_at::read(file, part, CHUNK, "the file")?;
        sum = crc32(sum, &bytes);
        at += part.len;
    }
    Ok(!sum)
}

/// The effect of the eight bits shifted out at the low end on the remainder, by the number of bytes that follow.
const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut tables = [[0; 256]; 8];
    let mut byte: u32 = 0;
    while byte < 256 {
        let mut sum = byte;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ (POLYNOMIAL * (sum & 1));
            bit += 1;
        }
        tables[0][byte as usize] = sum;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let sum: u32 = tables[table - 1][byte];
            tables[table][byte] = (sum >> 8) ^ tables[0][(sum & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// Eight bytes at a time: debug files can have gigabytes.
fn crc32(sum: u32, bytes: &[u8]) -> u32 {
    let look_up = |table: usize, byte: u8| -> u32 {
        let row = TABLES.get(table).map(|row| row.get(usize::from(byte)));
        row.flatten().copied().unwrap_or(0)
    };
    let (groups, rest) = bytes.as_chunks::<8>();
    let sum = groups.iter().fold(sum, |sum, group| {
        let mixed = u64::from_le_bytes(*group) ^ u64::from(sum);
        let bytes = mixed.to_le_bytes().into_iter().zip((0..8).rev());
        bytes.fold(0, |sum, (byte, table)| sum ^ look_up(table, byte))
    });
    rest.iter().fold(sum, |sum, byte| {
        let [low, ..] = sum.to_le_bytes();
        (sum >> 8) ^ look_up(0, low ^ byte)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zip() {
        assert_eq!(checksum(&b"123456789".to_vec()).unwrap(), 0xcbf4_3926);
        assert_eq!(checksum(&Vec::new()).unwrap(), 0);
        let bytes: Vec<u8> = (0..=255u8).cycle().take(600_001).collect();
        let naive = bytes.iter().fold(u32::MAX, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
                (sum >> 1) ^ (0xedb8_8320 * (sum & 1))
            })
        });
        assert_eq!(checksum(&bytes).unwrap(), !naive);
    }
}
