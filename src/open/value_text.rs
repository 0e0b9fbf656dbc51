//! Values of variables, as text from a command line or as Rust values, checked against the variable's type.

use crate::btf::{Btf, ByteOrder, Kind, Layout, Number, Shape, Type};
use crate::{Error, ErrorKind, Result, TypeId, did_you_mean};
use std::any::type_name;

/// Converts text to the bytes of a variable, and checks which Rust values it can have.
pub(super) struct Encoder<'b> {
    pub(super) btf: Option<&'b Btf<'b>>,
    pub(super) order: ByteOrder,
}

fn unfit(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

impl Encoder<'_> {
    /// The `size` bytes of a variable of this type.
    pub(super) fn encode(&self, id: TypeId, size: u32, text: &str) -> Result<Vec<u8>> {
        match self.btf {
            Some(btf) if !id.is_void() => self.typed(&btf.get(id)?.resolved()?, size, text),
            _ => self.untyped(size, text),
        }
    }

    /// Returns why a variable of this type cannot have a Rust value: its layout differs, or it would be rejected as text,
    /// too. For structures and arrays of bytes, only the layout is compared.
    pub(super) fn check<T: Layout>(&self, id: TypeId, value: &T) -> Result<()> {
        let Some(btf) = self.btf.filter(|_| !id.is_void()) else {
            return Ok(());
        };
        btf.check_layout::<T>(id)?;
        self.check_shape(&btf.get(id)?.resolved()?, &T::shape(), value.as_bytes())
            .map_err(|e| {
                let name = type_name::<T>();
                e.context(format!("`{name}` as `{}`", btf.type_name(id)))
            })
    }

    fn check_shape(&self, ty: &Type<'_>, shape: &Shape, bytes: &[u8]) -> Result<()> {
        match shape {
            Shape::Number(number) => self.check_number(ty, *number, bytes),
            Shape::Array { size, element, .. } if *size > 1 => {
                let (Some(array), Some(btf)) = (ty.array(), self.btf) else {
                    return Ok(());
                };
                let ty = btf.get(array.element)?.resolved()?;
                let mut each = bytes.chunks_exact(*size);
                each.try_for_each(|bytes| self.check_shape(&ty, element, bytes))
            }
            _ => Ok(()),
        }
    }

    fn check_number(&self, ty: &Type<'_>, number: Number, bytes: &[u8]) -> Result<()> {
        let is_float = number == Number::Float;
        match ty.kind() {
            Kind::Float if is_float => Ok(()),
            Kind::Float => Err(unfit("it is a floating-point number, the value an integer")),
            Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Ptr if is_float => {
                Err(unfit("it is an integer, the value a floating-point number"))
            }
            Kind::Int | Kind::Enum | Kind::Enum64 if number != Number::Enum => {
                let value = value_of(number, bytes);
                value.map_or(Ok(()), |value| self.check_integer(ty, value))
            }
            Kind::Struct => Err(unfit("it is a structure, the value a number")),
            Kind::Union => Err(unfit("it is a union, the value a number")),
            _ => Ok(()),
        }
    }

    fn check_integer(&self, ty: &Type<'_>, value: i128) -> Result<()> {
        let text = value.to_string();
        if is_bool(ty) && !matches!(value, 0 | 1) {
            return Err(neither_true_nor_false(&text));
        }
        self.integer(value, ty.size_field(), Sign::of(ty), &text)
            .map(drop)
    }

    /// Without a type, any number that fits is accepted.
    fn untyped(&self, size: u32, text: &str) -> Result<Vec<u8>> {
        if !matches!(size, 1 | 2 | 4 | 8) {
            return Err(unfit(format!(
                "the object does not say what type it is, only that it takes {size} bytes"
            ))
            .with_hint("compile with `-g`, so that the object says more"));
        }
        let value = number(text)?;
        let sign = if value < 0 {
            Sign::Signed
        } else {
            Sign::Unsigned
        };
        self.integer(value, size, sign, text)
    }

    fn typed(&self, ty: &Type<'_>, size: u32, text: &str) -> Result<Vec<u8>> {
        match ty.kind() {
            Kind::Int => self.int(ty, text),
            Kind::Enum | Kind::Enum64 => self.constant(ty, text),
            Kind::Array => self.array(ty, size, text),
            other => Err(unfit(format!(
                "a value of kind {other} cannot be written as text"
            ))),
        }
    }

    fn int(&self, ty: &Type<'_>, text: &str) -> Result<Vec<u8>> {
        if is_bool(ty) {
            return match text {
                "true" | "1" | "yes" | "y" => Ok(vec![1]),
                "false" | "0" | "no" | "n" => Ok(vec![0]),
                _ => Err(neither_true_nor_false(text)),
            };
        }
        self.integer(number(text)?, ty.size_field(), Sign::of(ty), text)
    }

    fn constant(&self, ty: &Type<'_>, text: &str) -> Result<Vec<u8>> {
        let named = ty.enumerators().find(|constant| constant.name == text);
        let sign = Sign::of(ty);
        let value = match named {
            Some(constant) if ty.kind() == Kind::Enum64 && sign == Sign::Unsigned => {
                i128::from(constant.value.cast_unsigned())
            }
            Some(constant) => i128::from(constant.value),
            None => number(text).map_err(|_| {
                let near = did_you_mean(text, ty.enumerators().map(|constant| constant.name));
                unfit(format!(
                    "`enum {}` has no constant `{text}`{near}",
                    ty.name()
                ))
            })?,
        };
        self.integer(value, ty.size_field(), sign, text)
    }

    fn array(&self, ty: &Type<'_>, size: u32, text: &str) -> Result<Vec<u8>> {
        let (Some(array), Some(btf)) = (ty.array(), self.btf) else {
            return Err(unfit("its type makes no sense"));
        };
        let element = btf.get(array.element)?.resolved()?;
        let room = usize::try_from(size).unwrap_or_default();
        let is_text = element.kind() == Kind::Int && element.size_field() == 1;
        let mut bytes = if is_text {
            // The last byte stays zero, so that the text is terminated.
            if text.len() >= room {
                return Err(unfit(format!(
                    "`{text}` has {} bytes, but only {} fit in {size} with the NUL that ends it",
                    text.len(),
                    room.saturating_sub(1)
                )));
            }
            text.as_bytes().to_vec()
        } else {
            let element_size = btf.size_of(array.element)?;
            let mut bytes = Vec::new();
            for part in text.split(',') {
                bytes.extend(self.element(&element, element_size, part.trim())?);
            }
            bytes
        };
        if bytes.len() > room {
            return Err(unfit(format!(
                "{} values are too many for an array of {}",
                text.split(',').count(),
                array.len
            )));
        }
        bytes.resize(room, 0);
        Ok(bytes)
    }

    /// A single element; arrays of arrays cannot be set from text.
    fn element(&self, ty: &Type<'_>, size: u32, text: &str) -> Result<Vec<u8>> {
        match ty.kind() {
            Kind::Array => Err(unfit("an array of arrays cannot be written as text")),
            _ => self.typed(ty, size, text),
        }
    }

    fn integer(&self, value: i128, size: u32, sign: Sign, text: &str) -> Result<Vec<u8>> {
        let bits = size.saturating_mul(8);
        let one: i128 = 1;
        let (least, most) = match (bits, sign) {
            (8 | 16 | 32 | 64, Sign::Signed) => (-(one << (bits - 1)), (one << (bits - 1)) - 1),
            (8 | 16 | 32 | 64, Sign::Unsigned) => (0, (one << bits) - 1),
            _ => {
                return Err(unfit(format!(
                    "an integer of {size} bytes cannot be written as text"
                )));
            }
        };
        if value < least || value > most {
            return Err(unfit(format!(
                "{text} does not fit in {size} bytes: it must be from {least} to {most}"
            )));
        }
        let mut bytes = value.to_le_bytes().to_vec();
        bytes.truncate(usize::try_from(size).unwrap_or_default());
        let little = cfg!(target_endian = "little") == (self.order == ByteOrder::Native);
        if !little {
            bytes.reverse();
        }
        Ok(bytes)
    }
}

/// Whether an integer may be negative.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Signed,
    Unsigned,
}

impl Sign {
    /// The signedness of an integer or enumeration.
    fn of(ty: &Type<'_>) -> Self {
        let signed = match ty.int_encoding() {
            Some(int) => int.signed,
            None => ty.kflag(),
        };
        if signed { Self::Signed } else { Self::Unsigned }
    }
}

fn is_bool(ty: &Type<'_>) -> bool {
    ty.int_encoding().is_some_and(|int| int.bool) && ty.size_field() == 1
}

#[cold]
fn neither_true_nor_false(text: &str) -> Error {
    unfit(format!("`{text}` is neither true nor false"))
}

/// The value of a Rust integer of up to 64 bits.
fn value_of(number: Number, bytes: &[u8]) -> Option<i128> {
    let bits = u32::try_from(bytes.len()).ok()?.checked_mul(8)?;
    if !(1..=64).contains(&bits) {
        return None;
    }
    let add = |value: i128, byte: &u8| value << 8 | i128::from(*byte);
    let value = if cfg!(target_endian = "little") {
        bytes.iter().rev().fold(0, add)
    } else {
        bytes.iter().fold(0, add)
    };
    let one: i128 = 1;
    if number == Number::Signed && value >= one << (bits - 1) {
        return Some(value - (one << bits));
    }
    Some(value)
}

/// `42`, `-1`, `0xff`, `0o17`, `0b101`, or a character as `'x'`.
fn number(text: &str) -> Result<i128> {
    if let [b'\'', byte, b'\''] = text.as_bytes() {
        return Ok(i128::from(*byte));
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, digits.get(2..).unwrap_or_default()),
        Some("0o" | "0O") => (8, digits.get(2..).unwrap_or_default()),
        Some("0b" | "0B") => (2, digits.get(2..).unwrap_or_default()),
        _ => (10, digits),
    };
    let value = u64::from_str_radix(digits, radix)
        .ok()
        .filter(|_| !digits.starts_with('+'));
    let value = value.ok_or_else(|| unfit(format!("`{text}` is no integer of at most 64 bits")))?;
    let value = i128::from(value);
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{BtfBuilder, IntEncoding, Signedness};

    struct Types {
        btf: Btf<'static>,
        u8: TypeId,
        int: TypeId,
        bool: TypeId,
        color: TypeId,
        chars: TypeId,
        shorts: TypeId,
        float: TypeId,
        constant: TypeId,
        pair: TypeId,
        single: TypeId,
        pointer: TypeId,
    }

    fn types() -> Types {
        let mut b = BtfBuilder::new();
        let int = b.add_int("int", 4, IntEncoding::SIGNED);
        let u8 = b.add_int("unsigned char", 1, 0);
        let u16 = b.add_int("unsigned short", 2, 0);
        let bool = b.add_int("bool", 1, IntEncoding::BOOL);
        let color = b.add_enum(
            "color",
            4,
            Signedness::Unsigned,
            &[("RED", 1), ("GREEN", 2)],
        );
        let chars = b.add_array(u8, int, 8);
        let shorts = b.add_array(u16, int, 3);
        let float = b.add_float("float", 4);
        let constant = b.add_const(int);
        let members = [("a", int, 0), ("b", int, 32)];
        let pair = b.add_struct("pair", 8, &members);
        let single = b.add_struct("single", 4, &[("a", int, 0)]);
        let pointer = b.add_ptr(int);
        Types {
            btf: b.build().unwrap(),
            u8,
            int,
            bool,
            color,
            chars,
            shorts,
            float,
            constant,
            pair,
            single,
            pointer,
        }
    }

    fn encode(types: &Types, id: TypeId, size: u32, text: &str) -> Result<Vec<u8>, String> {
        let encoder = Encoder {
            btf: Some(&types.btf),
            order: ByteOrder::Native,
        };
        encoder
            .encode(id, size, text)
            .map_err(|error| error.message().to_string())
    }

    #[test]
    fn numbers_are_checked_against_the_type() {
        let t = types();
        let int = |text| encode(&t, t.int, 4, text);
        assert_eq!(int("-2"), Ok((-2i32).to_ne_bytes().to_vec()));
        assert_eq!(int("0x7fffffff"), Ok(i32::MAX.to_ne_bytes().to_vec()));
        assert_eq!(
            encode(&t, t.constant, 4, "'a'"),
            Ok(97i32.to_ne_bytes().to_vec())
        );
        let error = int("2147483648").unwrap_err();
        assert_eq!(
            error,
            "2147483648 does not fit in 4 bytes: it must be from -2147483648 to 2147483647"
        );
        for bad in ["", "-", "1.5", "0x", "+-1", "12a", "99999999999999999999"] {
            assert!(int(bad).is_err(), "{bad}");
        }
        assert_eq!(encode(&t, t.u8, 1, "255"), Ok(vec![255]));
        assert!(encode(&t, t.u8, 1, "-1").is_err());
        assert!(encode(&t, t.u8, 1, "256").is_err());
    }

    #[test]
    fn names_stand_for_values() {
        let t = types();
        assert_eq!(encode(&t, t.bool, 1, "true"), Ok(vec![1]));
        assert_eq!(encode(&t, t.bool, 1, "n"), Ok(vec![0]));
        assert!(encode(&t, t.bool, 1, "2").is_err());
        let green = Ok(2u32.to_ne_bytes().to_vec());
        assert_eq!(encode(&t, t.color, 4, "GREEN"), green);
        assert_eq!(encode(&t, t.color, 4, "2"), green);
        let error = encode(&t, t.color, 4, "GREN").unwrap_err();
        assert_eq!(
            error,
            "`enum color` has no constant `GREN`; did you mean `GREEN`?"
        );
    }

    #[test]
    fn arrays_are_texts_or_lists() {
        let t = types();
        let text = Ok(b"hello\0\0\0".to_vec());
        assert_eq!(encode(&t, t.chars, 8, "hello"), text);
        assert_eq!(encode(&t, t.chars, 8, "1234567").map(|b| b.len()), Ok(8));
        assert!(encode(&t, t.chars, 8, "12345678").is_err());
        let list: Vec<u8> = [1u16, 2, 0].iter().flat_map(|n| n.to_ne_bytes()).collect();
        assert_eq!(encode(&t, t.shorts, 6, "1, 2"), Ok(list));
        assert!(encode(&t, t.shorts, 6, "1,2,3,4").is_err());
        assert!(encode(&t, t.shorts, 6, "1,x").is_err());
    }

    fn check<T: Layout>(types: &Types, id: TypeId, value: &T) -> Result<(), String> {
        let encoder = Encoder {
            btf: Some(&types.btf),
            order: ByteOrder::Native,
        };
        encoder.check(id, value).map_err(|error| error.to_string())
    }

    #[test]
    fn rust_values_are_refused_where_texts_are() {
        let t = types();
        let says = |result: Result<(), String>, words: &str| {
            let error = result.unwrap_err();
            assert!(error.contains(words), "{error}");
        };
        assert_eq!(check(&t, t.int, &-1), Ok(()));
        assert_eq!(check(&t, t.int, &7_u32), Ok(()), "the value fits");
        says(
            check(&t, t.int, &u32::MAX),
            "`u32` as `int`: 4294967295 does not fit",
        );
        assert_eq!(check(&t, t.u8, &1_i8), Ok(()));
        says(
            check(&t, t.u8, &-1_i8),
            "-1 does not fit in 1 bytes: it must be from 0 to 255",
        );
        assert_eq!(check(&t, t.bool, &true), Ok(()));
        assert_eq!(check(&t, t.bool, &1_u8), Ok(()));
        says(
            check(&t, t.bool, &2_u8),
            "`u8` as `bool`: `2` is neither true nor false",
        );
        assert_eq!(check(&t, t.color, &2_u32), Ok(()));
        says(
            check(&t, t.color, &-1_i32),
            "`i32` as `enum color`: -1 does not fit",
        );
        assert_eq!(check(&t, t.shorts, &[1_i16, 2, 3]), Ok(()));
        says(check(&t, t.shorts, &[1_i16, 2, -3]), "-3 does not fit");
        says(check(&t, t.shorts, &[1_u32; 3]), "6 bytes, not 12");
        assert_eq!(check(&t, t.chars, b"8 bytes."), Ok(()));
        says(
            check(&t, t.chars, &8_u64),
            "`unsigned char[8]` is not a number",
        );
        assert_eq!(check(&t, t.float, &1.5_f32), Ok(()));
        says(
            check(&t, t.float, &1_u32),
            "`u32` as `float`: it is a floating-point number",
        );
        says(
            check(&t, t.int, &1.5_f32),
            "`f32` as `int`: it is an integer",
        );
        says(check(&t, t.pair, &1_u64), "`u64` as `struct pair`");
        says(
            check(&t, t.single, &1_u32),
            "it is a structure, the value a number",
        );
        assert_eq!(
            check(&t, t.pair, &[0_u8; 8]),
            Ok(()),
            "bytes stand for anything"
        );
        assert_eq!(check(&t, t.pointer, &1_u64), Ok(()));
        assert_eq!(check(&t, TypeId::VOID, &-1), Ok(()));
    }

    #[test]
    fn what_has_no_text_form_is_refused() {
        let t = types();
        assert!(encode(&t, t.float, 4, "1").is_err());
        let untyped = |size, text| encode(&t, TypeId::VOID, size, text);
        assert_eq!(untyped(2, "-1"), Ok(vec![255, 255]));
        assert_eq!(untyped(2, "65535"), Ok(vec![255, 255]));
        assert!(untyped(3, "1").is_err());
    }
}
