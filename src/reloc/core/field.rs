//! Questions about fields: offset, size, existence, sign, and the shifts that isolate a bitfield.

use super::answer::{Access, Answer, Check};
use super::error::CoreError;
use super::kind::RelocKind;
use super::spec::{Accessor, Spec};
use crate::btf::{IntEncoding, Kind, Member, Type};

/// How many bytes the widest load reads.
const WIDEST_LOAD: u32 = 8;

/// The answer for the field at the end of the path.
#[doc(alias = "bpf_core_calc_field_relo")]
pub(super) fn field_answer<'a>(spec: &Spec<'a>) -> Result<Answer<'a>, CoreError> {
    if spec.kind == RelocKind::FieldExists {
        return Ok(Answer::of(1));
    }
    let last = spec.accessors.last().ok_or(CoreError::ArrayElement)?;
    let member = match last.name {
        Some(_) => usize::try_from(last.index)
            .ok()
            .and_then(|index| last.ty.member(index)),
        None => None,
    };
    match member {
        Some(member) => member_answer(spec, last, &member),
        None => element_answer(spec, last),
    }
}

fn element_answer<'a>(spec: &Spec<'a>, last: &Accessor<'a>) -> Result<Answer<'a>, CoreError> {
    match spec.kind {
        RelocKind::FieldByteOffset => Ok(Answer {
            access: Access::to(last.ty)?,
            ..Answer::of((spec.bit_offset / 8).into())
        }),
        RelocKind::FieldByteSize => {
            let size = last.ty.btf().size_of(last.ty.id())?;
            Ok(Answer::of(size.into()))
        }
        _ => Err(CoreError::ArrayElement),
    }
}

fn member_answer<'a>(
    spec: &Spec<'a>,
    last: &Accessor<'a>,
    member: &Member<'a>,
) -> Result<Answer<'a>, CoreError> {
    let ty = last.ty.btf().get(member.type_id)?.resolved()?;
    let bits = match member.bitfield_size {
        0 => Bits::of_plain_field(spec.bit_offset, &ty)?,
        width => Bits::of_bitfield(spec.bit_offset, width, &ty)?,
    };
    // The compiler may have chosen a different load for a bitfield, so only what does not depend on the load can be checked.
    let unless_bitfield = if member.bitfield_size > 0 {
        Check::Skip
    } else {
        Check::Exact
    };
    let answer = |value: u32, check| Answer {
        check,
        ..Answer::of(value.into())
    };
    Ok(match spec.kind {
        RelocKind::FieldByteOffset => Answer {
            access: match member.bitfield_size {
                0 => Access::to(ty)?,
                _ => Access::default(),
            },
            ..answer(bits.byte_offset, unless_bitfield)
        },
        RelocKind::FieldByteSize => answer(bits.load_size, unless_bitfield),
        RelocKind::FieldSigned => answer(is_signed(&ty).into(), Check::Exact),
        RelocKind::FieldLshift => answer(bits.left_shift(), unless_bitfield),
        RelocKind::FieldRshift => answer(64u32.wrapping_sub(bits.width), Check::Exact),
        _ => return Err(CoreError::ArrayElement),
    })
}

fn is_signed(ty: &Type<'_>) -> bool {
    match ty.int_encoding() {
        Some(int) => int.flags & IntEncoding::SIGNED != 0,
        None => ty.kind().is_any_enum() && ty.kflag(),
    }
}

/// Where a field is, and the load that reads it.
struct Bits {
    /// Bits from the start of the structure.
    offset: u32,
    /// Its width in bits.
    width: u32,
    /// Where the load starts.
    byte_offset: u32,
    /// How many bytes the load reads.
    load_size: u32,
}

impl Bits {
    fn of_plain_field(offset: u32, ty: &Type<'_>) -> Result<Self, CoreError> {
        let load_size = ty.btf().size_of(ty.id())?;
        Ok(Self {
            offset,
            width: load_size.wrapping_mul(8),
            byte_offset: offset / 8,
            load_size,
        })
    }

    /// The load starts with the size of the bitfield's declared type, which is doubled until the load covers the bitfield.
    fn of_bitfield(offset: u32, width: u32, ty: &Type<'_>) -> Result<Self, CoreError> {
        // Only integers and enumerations have a size; in other kinds this word is a type id.
        let mut load_size = ty.size_field();
        if load_size == 0 || !matches!(ty.kind(), Kind::Int | Kind::Enum | Kind::Enum64) {
            return Err(CoreError::BitfieldWithoutSize);
        }
        let end = u64::from(offset).saturating_add(u64::from(width));
        loop {
            let byte_offset = (offset / 8 / load_size).saturating_mul(load_size);
            let covered = (u64::from(byte_offset) + u64::from(load_size)).saturating_mul(8);
            if end <= covered {
                return Ok(Self {
                    offset,
                    width,
                    byte_offset,
                    load_size,
                });
            }
            if load_size >= WIDEST_LOAD {
                return Err(CoreError::BitfieldTooWide);
            }
            load_size = load_size.saturating_mul(2);
        }
    }

    /// How far to shift the loaded word to the left so that the field's highest bit becomes the word's.
    fn left_shift(&self) -> u32 {
        let below = self.offset.wrapping_sub(self.byte_offset.wrapping_mul(8));
        if cfg!(target_endian = "little") {
            64u32.wrapping_sub(below.wrapping_add(self.width))
        } else {
            8u32.wrapping_sub(self.load_size)
                .wrapping_mul(8)
                .wrapping_add(below)
        }
    }
}
