//! The headers of BTF: 24 bytes, 32 since Linux 7.1 (with the layout section), and longer ones in the future.

use crate::btf::BtfError;
use crate::ids::ByteOrder;
use std::ops::Range;

/// The magic number in native byte order.
pub(crate) const MAGIC: u16 = 0xeb9f;
/// The length of the header that every BTF has.
pub(crate) const HEADER_LEN: usize = 24;
/// The length of the header with the fields of the layout section.
pub(crate) const HEADER_LEN_LAYOUT: usize = 32;

/// The 16-bit number at `offset`.
pub(crate) fn u16_at(bytes: &[u8], offset: usize, order: ByteOrder) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|b| order.u16(*b))
}

/// The 32-bit number at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize, order: ByteOrder) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|b| order.u32(*b))
}

/// The sections of a BTF blob, as byte ranges of the whole blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) order: ByteOrder,
    /// The length of the header itself.
    pub(crate) len: usize,
    pub(crate) types: Range<usize>,
    pub(crate) strings: Range<usize>,
    /// The layout section, with the sizes of kinds, four bytes each; empty if there is none.
    pub(crate) layout: Range<usize>,
}

impl Header {
    /// Reads the header and checks that its sections are inside the blob.
    pub(crate) fn parse(blob: &[u8]) -> Result<Self, BtfError> {
        let short = BtfError::TooShort {
            len: blob.len(),
            least: HEADER_LEN,
        };
        let magic = u16_at(blob, 0, ByteOrder::Native).ok_or(short)?;
        let order = match magic {
            MAGIC => ByteOrder::Native,
            m if m.swap_bytes() == MAGIC => ByteOrder::Foreign,
            m => return Err(BtfError::Magic(m)),
        };
        let field = |offset| u32_at(blob, offset, order).ok_or(short);
        let header_len = field(4)?;
        let version = blob.get(2).copied().unwrap_or_default();
        if version != 1 {
            return Err(BtfError::Version(version));
        }
        let len = usize::try_from(header_len).unwrap_or(usize::MAX);
        if len < HEADER_LEN || len > blob.len() {
            return Err(BtfError::HeaderLength(header_len));
        }
        let section = |section, offset: u32, size: u32| {
            let outside = BtfError::Section {
                section,
                offset,
                len: size,
            };
            let start = usize::try_from(offset)
                .ok()
                .and_then(|o| o.checked_add(len));
            let start = start.ok_or(outside)?;
            let end = usize::try_from(size)
                .ok()
                .and_then(|s| s.checked_add(start));
            let end = end.filter(|end| *end <= blob.len()).ok_or(outside)?;
            Ok(start..end)
        };
        let (type_off, type_len, str_off, str_len) =
            (field(8)?, field(12)?, field(16)?, field(20)?);
        if type_off % 4 != 0 {
            return Err(BtfError::Section {
                section: "type",
                offset: type_off,
                len: type_len,
            });
        }
        let types = section("type", type_off, type_len)?;
        let strings = section("string", str_off, str_len)?;
        if types.end > strings.start {
            return Err(BtfError::Section {
                section: "string",
                offset: str_off,
                len: str_len,
            });
        }
        let layout = if len >= HEADER_LEN_LAYOUT {
            let (offset, size) = (field(24)?, field(28)?);
            if offset % 4 != 0 || size % 4 != 0 {
                return Err(BtfError::Section {
                    section: "layout",
                    offset,
                    len: size,
                });
            }
            section("layout", offset, size)?
        } else {
            0..0
        };
        Ok(Self {
            order,
            len,
            types,
            strings,
            layout,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(len: u32, fields: [u32; 4]) -> Vec<u8> {
        let mut blob = MAGIC.to_ne_bytes().to_vec();
        blob.extend([1, 0]);
        for n in std::iter::once(len).chain(fields) {
            blob.extend(n.to_ne_bytes());
        }
        blob
    }

    #[test]
    fn a_header_alone_is_legal() {
        let parsed = Header::parse(&header(24, [0; 4])).unwrap();
        assert_eq!(
            (parsed.types, parsed.strings, parsed.layout),
            (24..24, 24..24, 0..0)
        );
    }

    #[test]
    fn a_longer_header_moves_the_sections() {
        let mut blob = header(40, [0, 4, 4, 1]);
        blob.resize(45, 0);
        let parsed = Header::parse(&blob).unwrap();
        assert_eq!(
            (parsed.types, parsed.strings, parsed.layout),
            (40..44, 44..45, 40..40)
        );
    }

    #[test]
    fn bad_headers_are_named() {
        assert_eq!(
            Header::parse(&[]),
            Err(BtfError::TooShort { len: 0, least: 24 })
        );
        assert_eq!(Header::parse(&[0; 24]), Err(BtfError::Magic(0)));
        assert_eq!(
            Header::parse(&header(25, [0; 4])),
            Err(BtfError::HeaderLength(25))
        );
        let outside = BtfError::Section {
            section: "type",
            offset: 0,
            len: 8,
        };
        assert_eq!(Header::parse(&header(24, [0, 8, 8, 0])), Err(outside));
        let overlap = BtfError::Section {
            section: "string",
            offset: 0,
            len: 0,
        };
        let mut blob = header(24, [0, 4, 0, 0]);
        blob.extend([0; 4]);
        assert_eq!(Header::parse(&blob), Err(overlap));
    }
}
