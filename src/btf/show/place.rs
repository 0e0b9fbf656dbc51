//! The offsets of structure members.

use crate::btf::{Btf, Member};

/// The offset of a member, and its width if it is a bitfield, in bits. In old BTF the integer specifies them, not the
/// structure.
pub(super) fn place(btf: &Btf<'_>, member: &Member<'_>) -> (u64, Option<u32>) {
    let offset = u64::from(member.bit_offset);
    if member.bitfield_size != 0 {
        return (offset, Some(member.bitfield_size));
    }
    let resolved = btf.get(member.type_id).and_then(|ty| ty.resolved());
    let encoding = resolved.ok().and_then(|ty| {
        let encoding = ty.int_encoding()?;
        let whole = u64::from(encoding.bits) == u64::from(ty.size_field()).saturating_mul(8);
        (encoding.bits != 0 && (!whole || encoding.offset != 0)).then_some(encoding)
    });
    match encoding {
        Some(encoding) => (
            offset.saturating_add(u64::from(encoding.offset)),
            Some(u32::from(encoding.bits)),
        ),
        // A member that is not a bitfield starts at a byte.
        None => (offset, None),
    }
}
