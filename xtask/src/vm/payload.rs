//! Extracts the kernel from its bootable image, and the BTF from the kernel.
//!
//! An x86 `bzImage` starts with a setup header that says where the compressed ELF file is and how long it is (Linux's
//! `Documentation/arch/x86/boot.rst`).

use std::io::{Cursor, Read};

use anyhow::{Context, Result, anyhow, bail};
use object::{Object, ObjectSection};

/// The longest kernel that is accepted: unpacked ones are some 60 MiB.
const LARGEST: u64 = 1 << 30;

/// What every block but the last of the old LZ4 format unpacks to.
const LZ4_BLOCK: usize = 8 << 20;

/// The `.BTF` section of the kernel in a `bzImage`.
pub(crate) fn btf(image: &[u8]) -> Result<Vec<u8>> {
    let kernel = unpacked(packed_kernel(image)?)?;
    let elf = object::File::parse(&*kernel).context("the unpacked kernel is not an ELF file")?;
    let section = elf
        .section_by_name(".BTF")
        .context("the kernel has no .BTF section: it was built without CONFIG_DEBUG_INFO_BTF")?;
    Ok(section.data()?.to_vec())
}

/// The compressed kernel in a `bzImage`.
fn packed_kernel(image: &[u8]) -> Result<&[u8]> {
    if image.get(0x202..0x206) != Some(b"HdrS") {
        bail!("the image has no x86 boot header");
    }
    let field = |offset: usize| -> Option<usize> {
        let bytes: [u8; 4] = image.get(offset..offset + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let found = || {
        // Zero stands for four, in images older than anything that has BTF.
        let setup = match *image.get(0x1f1)? {
            0 => 4,
            sectors => usize::from(sectors),
        };
        let start = ((setup + 1) * 512).checked_add(field(0x248)?)?;
        image.get(start..start.checked_add(field(0x24c)?)?)
    };
    found().ok_or_else(|| {
        anyhow!(
            "the boot header points outside the image of {} bytes",
            image.len()
        )
    })
}

/// Unpacks a kernel, whatever it was packed with.
fn unpacked(packed: &[u8]) -> Result<Vec<u8>> {
    // The size of the unpacked kernel follows the compressed stream; no reader goes that far.
    let (format, kernel) = match packed {
        [0x1f, 0x8b, ..] => ("gzip", read(flate2::bufread::GzDecoder::new(packed))),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => (
            "xz",
            read(xz4rust::XzReader::new(Cursor::new(packed.to_vec()))),
        ),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => (
            "zstd",
            ruzstd::decoding::StreamingDecoder::new(packed)
                .map_err(anyhow::Error::from)
                .and_then(read),
        ),
        [0x02, 0x21, 0x4c, 0x18, blocks @ ..] => ("lz4", lz4(blocks)),
        [b'\x7f', b'E', b'L', b'F', ..] => ("no packing", Ok(packed.to_vec())),
        _ => bail!(
            "the kernel is packed in a way that is not gzip, xz, zstd or lz4: it starts with {:02x?}",
            packed.get(..6).unwrap_or(packed)
        ),
    };
    kernel.with_context(|| format!("while unpacking the kernel ({format})"))
}

fn read(reader: impl Read) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    reader.take(LARGEST).read_to_end(&mut data)?;
    Ok(data)
}

/// Unpacks the old LZ4 format: blocks, each after its length.
fn lz4(mut blocks: &[u8]) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    let mut block = vec![0; LZ4_BLOCK];
    while let Some((length, rest)) = blocks.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length))?;
        // What follows the last block is the size of the unpacked kernel, and padding.
        let Some((packed, rest)) = rest.split_at_checked(length).filter(|_| length != 0) else {
            break;
        };
        let size = lz4_flex::block::decompress_into(packed, &mut block)?;
        data.extend_from_slice(&block[..size]);
        blocks = rest;
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A boot image with `packed` behind three sectors of setup code.
    fn image(packed: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 4 * 512];
        image[0x1f1] = 3;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248..0x24c].copy_from_slice(&16u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&u32::try_from(packed.len()).unwrap().to_le_bytes());
        image.extend([0; 16]);
        image.extend_from_slice(packed);
        image
    }

    #[test]
    fn the_header_leads_to_the_payload() {
        assert_eq!(packed_kernel(&image(b"payload")).unwrap(), b"payload");
    }

    #[test]
    fn a_header_that_points_outside_is_an_error() {
        let mut image = image(b"payload");
        image.pop();
        let error = packed_kernel(&image).unwrap_err().to_string();
        assert!(error.contains("points outside"), "{error}");
        assert!(packed_kernel(b"short").is_err());
    }

    #[test]
    fn gzip_with_the_size_behind_it() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(b"kernel").unwrap();
        let mut packed = packer.finish().unwrap();
        packed.extend(6u32.to_le_bytes());
        assert_eq!(unpacked(&packed).unwrap(), b"kernel");
    }

    #[test]
    fn lz4_blocks_with_the_size_behind_them() {
        let mut packed = vec![0x02, 0x21, 0x4c, 0x18];
        for part in [&b"ker"[..], b"nel"] {
            let block = lz4_flex::block::compress(part);
            packed.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
            packed.extend(block);
        }
        packed.extend(6u32.to_le_bytes());
        assert_eq!(unpacked(&packed).unwrap(), b"kernel");
    }

    #[test]
    fn an_unknown_packing_is_an_error() {
        assert!(
            unpacked(b"BZh9....")
                .unwrap_err()
                .to_string()
                .contains("42, 5a, 68")
        );
    }
}
