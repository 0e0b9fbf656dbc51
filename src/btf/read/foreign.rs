//! Converts a blob of the other byte order to native byte order, word by word.

use super::header::{Header, u32_at};
use super::index::Tails;
use crate::TypeId;
use crate::btf::{BtfError, ByteOrder, Kind};

/// The same blob in native byte order. The layout section consists of bytes and 16-bit flags; only the flags are swapped.
pub(super) fn to_native(blob: &[u8], header: &Header) -> Result<Vec<u8>, BtfError> {
    let mut out = blob.to_vec();
    reverse(&mut out, 0, 2);
    let mut offset = 4;
    while offset < header.len {
        reverse(&mut out, offset, 4);
        offset += 4;
    }
    for entry in header.layout.clone().step_by(4) {
        reverse(&mut out, entry + 2, 2);
    }
    let types = blob.get(header.types.clone()).unwrap_or_default();
    let layout = blob.get(header.layout.clone()).unwrap_or_default();
    let tails = Tails::new(layout);
    let mut offset = 0;
    let mut id = 1;
    while offset < types.len() {
        let cut = BtfError::Truncated {
            id: TypeId(id),
            offset,
        };
        let info = u32_at(types, offset + 4, ByteOrder::Foreign).ok_or(cut)?;
        let kind = info >> 24 & 0x7f;
        let (once, each) = tails.of(info).ok_or(BtfError::UnknownKind {
            id: TypeId(id),
            kind,
        })?;
        let vlen = usize::try_from(info & 0x00ff_ffff).unwrap_or(usize::MAX);
        let len = usize::from(each)
            .saturating_mul(vlen)
            .saturating_add(12 + usize::from(once));
        if types.len() - offset < len {
            return Err(cut);
        }
        for word in (0..len).step_by(4) {
            reverse(&mut out, header.types.start + offset + word, 4);
        }
        // An integer's encoding is a 32-bit word like the others, so no kind requires special treatment.
        debug_assert!(Kind::from_number(kind).is_none_or(|k| k.tail().0 % 4 == 0));
        offset += len;
        id = id.saturating_add(1);
    }
    Ok(out)
}

fn reverse(bytes: &mut [u8], offset: usize, len: usize) {
    if let Some(word) = bytes.get_mut(offset..).and_then(|b| b.get_mut(..len)) {
        word.reverse();
    }
}

#[cfg(test)]
pub(super) mod tests_support {
    use super::*;

    /// The same blob in the other byte order. Swapping twice restores the original, so this is the inverse of `to_native`
    /// except for the numbers that are read on the way.
    pub(in super::super) fn to_foreign(blob: &[u8]) -> Vec<u8> {
        let header = Header::parse(blob).unwrap();
        let mut out = blob.to_vec();
        reverse(&mut out, 0, 2);
        for at in (4..header.len).step_by(4) {
            reverse(&mut out, at, 4);
        }
        for at in header.types.clone().step_by(4) {
            reverse(&mut out, at, 4);
        }
        out
    }
}
