//! Numbers from bits: integers, enumerations, pointers, floats, and bitfields of all of them.

use super::Value;
use crate::btf::{Kind, Type};

/// A single number; bytes of other types stay bytes.
pub(super) fn scalar(ty: &Type<'_>, raw: &[u8]) -> Value {
    match (ty.kind(), raw.len()) {
        (Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Ptr, 1..=16) => {
            let (skipped, bits) = int_bits(ty, raw.len());
            number(ty, bits_of(raw, skipped, bits), bits)
        }
        (Kind::Float, 4 | 8) => float(bits_of(raw, 0, 64), raw.len()),
        _ => Value::Bytes(raw.to_vec()),
    }
}

/// A bitfield: `bits` bits that start `skipped` bits after the first of `raw`.
pub(super) fn bitfield(ty: &Type<'_>, raw: &[u8], skipped: u32, bits: u32) -> Value {
    if matches!(ty.kind(), Kind::Int | Kind::Enum | Kind::Enum64) && (1..=128).contains(&bits) {
        number(ty, bits_of(raw, skipped, bits), bits)
    } else {
        Value::Bytes(raw.to_vec())
    }
}

/// The offset and width of an integer in its storage. Before the flag for bitfields, compilers described those by integers that
/// are narrower than their bytes.
pub(super) fn int_bits(ty: &Type<'_>, len: usize) -> (u32, u32) {
    let all = u32::try_from(len.saturating_mul(8)).unwrap_or(u32::MAX);
    match ty.int_encoding() {
        Some(encoding) if encoding.bits != 0 && u32::from(encoding.bits) < all => {
            (encoding.offset.into(), encoding.bits.into())
        }
        _ => (0, all),
    }
}

fn number(ty: &Type<'_>, number: u128, bits: u32) -> Value {
    match ty.kind() {
        Kind::Ptr => Value::Pointer(u64::try_from(number).unwrap_or(u64::MAX)),
        Kind::Enum | Kind::Enum64 => enumerator(ty, number, bits),
        _ => match ty.int_encoding() {
            Some(encoding) if encoding.bool => Value::Bool(number != 0),
            Some(encoding) if encoding.signed => Value::Int(sign_extend(number, bits)),
            _ => Value::Uint(number),
        },
    }
}

fn enumerator(ty: &Type<'_>, number: u128, bits: u32) -> Value {
    let value = if ty.kflag() {
        sign_extend(number, bits)
    } else {
        number.cast_signed()
    };
    let constant = |value: i64| {
        if ty.kflag() {
            i128::from(value)
        } else {
            i128::from(value.cast_unsigned())
        }
    };
    let name = ty
        .enumerators()
        .find(|e| constant(e.value) == value)
        .map(|e| e.name.to_string());
    Value::Enum { name, value }
}

fn float(number: u128, len: usize) -> Value {
    let narrow = u32::try_from(number).map(f32::from_bits);
    let wide = u64::try_from(number).map(f64::from_bits);
    match (len, narrow, wide) {
        (4, Ok(narrow), _) => Value::Float(narrow.into()),
        (_, _, Ok(wide)) => Value::Float(wide),
        _ => Value::Missing,
    }
}

/// `bits` bits of memory that start `skipped` bits after the first: counted from the lowest bit of the first byte on
/// little-endian machines, otherwise from the highest.
fn bits_of(raw: &[u8], skipped: u32, bits: u32) -> u128 {
    let all = u32::try_from(raw.len().saturating_mul(8)).unwrap_or(u32::MAX);
    let little = cfg!(target_endian = "little");
    let below = if little {
        skipped
    } else {
        all.saturating_sub(skipped.saturating_add(bits))
    };
    let mut number = 0_u128;
    let mut at = 0_u32;
    let mut add = |byte: &u8| {
        let byte = u128::from(*byte);
        // A byte that starts below the first wanted bit, then those above it; anything above 128 bits is shifted out.
        number |= match at.checked_sub(below) {
            Some(up) => byte.checked_shl(up).unwrap_or(0),
            None => byte.checked_shr(below - at).unwrap_or(0),
        };
        at = at.saturating_add(8);
    };
    if little {
        raw.iter().for_each(&mut add);
    } else {
        raw.iter().rev().for_each(&mut add);
    }
    let unused = 128_u32.saturating_sub(bits);
    number.checked_shl(unused).unwrap_or(0) >> unused.min(127)
}

fn sign_extend(number: u128, bits: u32) -> i128 {
    let unused = 128_u32.saturating_sub(bits.max(1));
    (number << unused).cast_signed() >> unused
}
