//! Integers, floating-point numbers and enumerations: their names and sizes in C.

use crate::btf::{IntEncoding, Kind, Type};

/// The size in bytes of the type for this integer.
pub(super) fn size(ty: &Type<'_>) -> u32 {
    match ty.size_field() {
        size @ (1 | 2 | 4 | 8 | 16) => size,
        _ => 1,
    }
}

/// Whether C has this integer under its own name, with this size.
pub(super) fn has_c_name(ty: &Type<'_>) -> bool {
    named_size(ty.name()) == Some(ty.size_field())
}

/// Whether all words of a name are C keywords, so that no typedef can have it.
fn is_of_c_words(name: &str) -> bool {
    named_size(name).is_some()
}

/// The size in bytes of the C type with this name, such as `long unsigned int`.
fn named_size(name: &str) -> Option<u32> {
    let (mut longs, mut size, mut words) = (0_u32, None, 0_u32);
    for word in name.split(' ') {
        words = words.saturating_add(1);
        match word {
            "signed" | "unsigned" | "int" => {}
            "long" => longs = longs.saturating_add(1),
            "char" | "_Bool" => size = Some(1),
            "short" => size = Some(2),
            "__int128" => size = Some(16),
            _ => return None,
        }
    }
    let sensible = words <= 4 && longs <= 2 && (size.is_none() || longs == 0);
    sensible.then(|| size.unwrap_or(if longs > 0 { 8 } else { 4 }))
}

/// The C type for an integer of this size and encoding.
pub(super) fn c_name(ty: &Type<'_>) -> &'static str {
    let encoding = ty.int_encoding();
    let flag = |get: fn(&IntEncoding) -> bool| encoding.as_ref().is_some_and(get);
    let signed = flag(|e| e.signed);
    match size(ty) {
        1 if flag(|e| e.bool) => "_Bool",
        1 if signed => "signed char",
        1 => "unsigned char",
        2 if signed => "short",
        2 => "unsigned short",
        8 if signed => "long long",
        8 => "unsigned long long",
        16 if signed => "__int128",
        16 => "unsigned __int128",
        _ if signed => "int",
        _ => "unsigned int",
    }
}

/// The maximum width of a bitfield of this type; 0 if it cannot be one.
pub(super) fn most_bits(ty: &Type<'_>) -> u32 {
    match ty.kind() {
        Kind::Int if ty.name() == "_Bool" || c_name(ty) == "_Bool" => 1,
        Kind::Int => size(ty).saturating_mul(8),
        Kind::Enum | Kind::Enum64 if ty.vlen() > 0 => enum_size(ty).saturating_mul(8),
        _ => 0,
    }
}

/// The size of the type for this floating-point number.
pub(super) fn float_size(ty: &Type<'_>) -> u32 {
    match ty.size_field() {
        size @ (2 | 4 | 8 | 16) => size,
        _ => 1,
    }
}

/// The C type for a floating-point number of this size. BPF has none of 2 bytes, and no compiler has one of a single byte.
pub(super) fn c_float_name(ty: &Type<'_>) -> &'static str {
    match float_size(ty) {
        4 => "float",
        8 => "double",
        16 => "long double",
        2 => "unsigned short",
        _ => "unsigned char",
    }
}

/// The size of an enumeration in C with the attribute of [`enum_mode`].
pub(super) fn enum_size(ty: &Type<'_>) -> u32 {
    match (ty.size_field(), needs_64_bits(ty)) {
        (8, _) | (_, true) => 8,
        (size @ (1 | 2), _) => size,
        _ => 4,
    }
}

/// The machine mode that gives an enumeration its size, unless C chooses that size anyway.
pub(super) fn enum_mode(ty: &Type<'_>) -> Option<&'static str> {
    match ty.size_field() {
        _ if needs_64_bits(ty) => None,
        1 => Some("byte"),
        2 => Some("HI"),
        8 => Some("word"),
        _ => None,
    }
}

/// Whether a constant does not fit in 32 bits.
fn needs_64_bits(ty: &Type<'_>) -> bool {
    if ty.kind() == Kind::Enum {
        // Its constants are all of one sign's 32 bits.
        return false;
    }
    let (mut below, mut above) = (false, false);
    for constant in ty.enumerators() {
        let unsigned = !ty.kflag();
        let negative = constant.value < 0;
        if negative && unsigned
            || constant.value > i64::from(u32::MAX)
            || constant.value < i64::from(i32::MIN)
        {
            return true;
        }
        below |= negative;
        above |= constant.value > i64::from(i32::MAX);
    }
    below && above
}

/// Whether a number type needs a typedef: C has none of this name, or one of a different size.
pub(super) fn needs_alias(ty: &Type<'_>) -> bool {
    match ty.kind() {
        Kind::Int => !has_c_name(ty) && !ty.name().is_empty() && !is_of_c_words(ty.name()),
        // The format of `long double` depends on the target.
        Kind::Float => !matches!(ty.name(), "float" | "double" | "long double"),
        _ => false,
    }
}
