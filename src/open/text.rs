//! Values of variables as people write them on a command line.

use crate::btf::{Btf, ByteOrder, Kind, Type};
use crate::{Error, ErrorKind, Result, TypeId, did_you_mean};

/// Turns a text into the bytes of a variable.
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

    /// Without a type, any number that fits is good.
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
        let encoding = ty.int_encoding();
        if encoding.is_some_and(|int| int.bool) && ty.size_field() == 1 {
            return match text {
                "true" | "1" | "yes" | "y" => Ok(vec![1]),
                "false" | "0" | "no" | "n" => Ok(vec![0]),
                _ => Err(unfit(format!("`{text}` is neither true nor false"))),
            };
        }
        let sign = if encoding.is_some_and(|int| int.signed) {
            Sign::Signed
        } else {
            Sign::Unsigned
        };
        self.integer(number(text)?, ty.size_field(), sign, text)
    }

    fn constant(&self, ty: &Type<'_>, text: &str) -> Result<Vec<u8>> {
        let named = ty.enumerators().find(|constant| constant.name == text);
        let sign = if ty.kflag() {
            Sign::Signed
        } else {
            Sign::Unsigned
        };
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
            // The last byte stays zero, so that the text ends.
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

    /// One element; arrays of arrays are not for the command line.
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
    use crate::btf::{BtfEditor, IntEncoding};

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
    }

    fn types() -> Types {
        let mut b = BtfEditor::new();
        let int = b.add_int("int", 4, IntEncoding::SIGNED);
        let u8 = b.add_int("unsigned char", 1, 0);
        let u16 = b.add_int("unsigned short", 2, 0);
        let bool = b.add_int("bool", 1, IntEncoding::BOOL);
        let color = b.add_enum("color", 4, &[("RED", 1), ("GREEN", 2)]);
        let chars = b.add_array(u8, int, 8);
        let shorts = b.add_array(u16, int, 3);
        let float = b.add_type("float", crate::btf::Info::of(Kind::Float), 4, &[]);
        let constant = b.add_reference(Kind::Const, "", int);
        Types {
            btf: Btf::from_vec(b.finish()).unwrap(),
            u8,
            int,
            bool,
            color,
            chars,
            shorts,
            float,
            constant,
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
