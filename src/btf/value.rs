//! Bytes and their type in, a value that can be shown out: events, keys and values of maps, variables.
//!
//! Integers, booleans and enumerators become what they are; character arrays become text; addresses of the network
//! become [`IpAddr`]; pointers stay numbers. Bytes that are missing (a record shorter than its type) become
//! [`Value::Missing`], so that a cut record still shows its beginning.

use super::query::MAX_CHAIN;
use super::{Btf, BtfError, Kind, Type};
use crate::TypeId;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Elements of one array that are decoded one by one; the rest of a longer one is not shown.
const MAX_ELEMENTS: usize = 4096;

/// A decoded value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A signed integer of up to 64 bits.
    Int(i64),
    /// An unsigned integer of up to 64 bits.
    Uint(u64),
    /// An integer of 128 bits.
    Wide(u128),
    /// A boolean.
    Bool(bool),
    /// A floating-point number.
    Float(f64),
    /// A constant of an enumeration; the name is `None` for a number that has none.
    Enum {
        /// The constant's name.
        name: Option<String>,
        /// Its number.
        value: i64,
    },
    /// A character array, up to its NUL.
    Text(String),
    /// A pointer.
    Pointer(u64),
    /// An address of the network.
    Ip(IpAddr),
    /// Bytes without a better meaning.
    Bytes(Vec<u8>),
    /// An array.
    Array(Vec<Value>),
    /// A structure or union: names and values. Anonymous members' members stand among their parent's.
    Struct(Vec<(String, Value)>),
    /// The record ends before this value.
    Missing,
}

impl Btf<'_> {
    /// Decodes `bytes` as a value of the type `id`.
    ///
    /// # Errors
    /// The type refers to one that does not exist, or has no size.
    pub fn decode(&self, id: TypeId, bytes: &[u8]) -> Result<Value, BtfError> {
        let size = usize::try_from(self.size_of(id)?).unwrap_or(usize::MAX);
        let mut decoder = Decoder {
            steps: bytes.len().saturating_mul(4).saturating_add(1 << 16),
        };
        decoder.value(
            &self.get(id)?,
            Place {
                bytes,
                offset: 0,
                size,
                name: "",
            },
            MAX_CHAIN,
        )
    }
}

/// Where a value lies, and what it is called.
#[derive(Clone, Copy)]
struct Place<'r> {
    bytes: &'r [u8],
    offset: usize,
    size: usize,
    /// The member's name: hints at what integers mean.
    name: &'r str,
}

impl<'r> Place<'r> {
    fn get(&self) -> Option<&'r [u8]> {
        self.bytes
            .get(self.offset..self.offset.checked_add(self.size)?)
    }

    /// As many of the bytes as there are.
    fn get_partial(&self) -> &'r [u8] {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        rest.get(..self.size).unwrap_or(rest)
    }
}

struct Decoder {
    /// Values that may still be decoded; bounds the work on hostile types.
    steps: usize,
}

impl Decoder {
    fn value(&mut self, ty: &Type<'_>, place: Place<'_>, depth: usize) -> Result<Value, BtfError> {
        let too_deep = BtfError::TooDeep(ty.id());
        let depth = depth.checked_sub(1).ok_or(too_deep)?;
        self.steps = self.steps.checked_sub(1).ok_or(too_deep)?;
        if let Some(ip) = ip_address(ty, &place)? {
            return Ok(Value::Ip(ip));
        }
        let ty = ty.resolved()?;
        match ty.kind() {
            Kind::Struct | Kind::Union => {
                let mut members = Vec::new();
                self.members(&ty, place, depth, &mut members)?;
                Ok(Value::Struct(members))
            }
            Kind::Array => self.array(&ty, place, depth),
            Kind::Var => self.value(&ty.btf().get(TypeId(ty.size_field()))?, place, depth),
            _ => Ok(place.get().map_or(Value::Missing, |raw| scalar(&ty, raw))),
        }
    }

    fn members(
        &mut self,
        ty: &Type<'_>,
        place: Place<'_>,
        depth: usize,
        out: &mut Vec<(String, Value)>,
    ) -> Result<(), BtfError> {
        for member in ty.members() {
            let too_deep = BtfError::TooDeep(ty.id());
            let depth = depth.checked_sub(1).ok_or(too_deep)?;
            self.steps = self.steps.checked_sub(1).ok_or(too_deep)?;
            let of = ty.btf().get(member.type_id)?;
            let bit_offset = usize::try_from(member.bit_offset).unwrap_or(usize::MAX);
            let start = place.offset.saturating_add(bit_offset / 8);
            if member.bitfield_size != 0 || !bit_offset.is_multiple_of(8) {
                let value = bitfield(&of, &place, member.bit_offset, member.bitfield_size)?;
                out.push((member.name.to_string(), value));
                continue;
            }
            let size = usize::try_from(ty.btf().size_of(member.type_id)?).unwrap_or(usize::MAX);
            let inner = Place {
                bytes: place.bytes,
                offset: start,
                size,
                name: member.name,
            };
            let resolved = of.resolved()?;
            if member.name.is_empty() && resolved.kind().is_composite() {
                self.members(&resolved, inner, depth, out)?;
            } else {
                out.push((member.name.to_string(), self.value(&of, inner, depth)?));
            }
        }
        Ok(())
    }

    fn array(&mut self, ty: &Type<'_>, place: Place<'_>, depth: usize) -> Result<Value, BtfError> {
        let array = ty.array().ok_or(BtfError::NoSize(ty.id()))?;
        let element = ty.btf().get(array.element)?;
        let resolved = element.resolved()?;
        // A flexible array takes what is left of the record.
        let bytes = if array.len == 0 {
            place.bytes.get(place.offset..).unwrap_or_default()
        } else {
            place.get_partial()
        };
        if is_char(&resolved) {
            return Ok(Value::Text(text(bytes)));
        }
        let size = usize::try_from(ty.btf().size_of(array.element)?).unwrap_or(usize::MAX);
        if resolved.kind() == Kind::Int && size == 1 {
            return Ok(if bytes.is_empty() {
                Value::Missing
            } else {
                Value::Bytes(bytes.to_vec())
            });
        }
        let count = bytes.len().checked_div(size).unwrap_or(0).min(MAX_ELEMENTS);
        let mut elements = Vec::with_capacity(count);
        for index in 0..count {
            let offset = place.offset.saturating_add(index.saturating_mul(size));
            let at = Place {
                bytes: place.bytes,
                offset,
                size,
                name: place.name,
            };
            elements.push(self.value(&element, at, depth)?);
        }
        Ok(Value::Array(elements))
    }
}

/// An integer, pointer, enumeration or float; other kinds stay bytes.
fn scalar(ty: &Type<'_>, raw: &[u8]) -> Value {
    let Some(wide) = unsigned(raw) else {
        return Value::Bytes(raw.to_vec());
    };
    let Ok(number) = u64::try_from(wide) else {
        return Value::Wide(wide);
    };
    match ty.kind() {
        Kind::Int if raw.len() > 8 => Value::Wide(wide),
        Kind::Int => integer(ty, number, u32::try_from(raw.len() * 8).unwrap_or(64)),
        Kind::Ptr => Value::Pointer(number),
        Kind::Enum | Kind::Enum64 => {
            enumerator(ty, number, u32::try_from(raw.len() * 8).unwrap_or(64))
        }
        Kind::Float => match raw.len() {
            4 => u32::try_from(number)
                .map_or(Value::Missing, |n| Value::Float(f32::from_bits(n).into())),
            8 => Value::Float(f64::from_bits(number)),
            _ => Value::Bytes(raw.to_vec()),
        },
        _ => Value::Bytes(raw.to_vec()),
    }
}

fn integer(ty: &Type<'_>, number: u64, bits: u32) -> Value {
    match ty.int_encoding() {
        Some(encoding) if encoding.bool => Value::Bool(number != 0),
        Some(encoding) if encoding.signed => Value::Int(sign_extend(number, bits)),
        _ => Value::Uint(number),
    }
}

fn enumerator(ty: &Type<'_>, number: u64, bits: u32) -> Value {
    let value = if ty.kflag() {
        sign_extend(number, bits)
    } else {
        number.cast_signed()
    };
    let name = ty
        .enumerators()
        .find(|e| e.value == value)
        .map(|e| e.name.to_string());
    Value::Enum { name, value }
}

/// A bitfield, `bit_offset` bits after the start of its structure.
fn bitfield(
    of: &Type<'_>,
    place: &Place<'_>,
    bit_offset: u32,
    bits: u32,
) -> Result<Value, BtfError> {
    let ty = of.resolved()?;
    let bits = if bits == 0 {
        of.btf().size_of(of.id())?.saturating_mul(8)
    } else {
        bits
    };
    let first = usize::try_from(bit_offset / 8).unwrap_or(usize::MAX);
    let shift = bit_offset % 8;
    let size = usize::try_from((shift + bits.min(128)).div_ceil(8)).unwrap_or(usize::MAX);
    let at = Place {
        offset: place.offset.saturating_add(first),
        size,
        ..*place
    };
    let Some(raw) = at.get() else {
        return Ok(Value::Missing);
    };
    let Some(window) = unsigned(raw).filter(|_| bits <= 64) else {
        return Ok(Value::Bytes(raw.to_vec()));
    };
    let mask = if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    };
    let shift = if cfg!(target_endian = "little") {
        shift
    } else {
        u32::try_from(size * 8)
            .unwrap_or(0)
            .saturating_sub(shift + bits)
    };
    let number = u64::try_from(window >> shift & u128::from(mask)).unwrap_or_default();
    Ok(if ty.kind().is_any_enum() {
        enumerator(&ty, number, bits)
    } else {
        integer(&ty, number, bits)
    })
}

/// Up to sixteen bytes as a number.
fn unsigned(raw: &[u8]) -> Option<u128> {
    let mut wide = [0; 16];
    if cfg!(target_endian = "little") {
        wide.get_mut(..raw.len())?.copy_from_slice(raw);
    } else {
        let start = wide.len().checked_sub(raw.len())?;
        wide.get_mut(start..)?.copy_from_slice(raw);
    }
    Some(u128::from_ne_bytes(wide))
}

fn sign_extend(number: u64, bits: u32) -> i64 {
    let unused = 64_u32.saturating_sub(bits.max(1));
    (number << unused).cast_signed() >> unused
}

/// clang does not set the character flag, so the name decides.
fn is_char(ty: &Type<'_>) -> bool {
    ty.kind() == Kind::Int
        && ty.size_field() == 1
        && (ty.name() == "char" || ty.int_encoding().is_some_and(|e| e.char))
}

fn text(bytes: &[u8]) -> String {
    let len = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..len).unwrap_or_default()).into_owned()
}

/// An address of the network: by its type's name (`in_addr`, `in6_addr`), or by a member's name that says so (`saddr`,
/// `daddr_v6`, `ip`) together with a type that is in network order or an array of the right size.
fn ip_address(ty: &Type<'_>, place: &Place<'_>) -> Result<Option<IpAddr>, BtfError> {
    let resolved = ty.resolved()?;
    let named = says_address(place.name);
    let v4 = resolved.name() == "in_addr" || named && (is_be32(ty)? || is_bytes(&resolved, 4)?);
    let v6 = resolved.name() == "in6_addr"
        || named
            && (is_bytes(&resolved, 16)?
                || resolved.kind() == Kind::Int && resolved.size_field() == 16);
    let raw = place.get().unwrap_or_default();
    if v4 && let Ok(octets) = <[u8; 4]>::try_from(raw) {
        return Ok(Some(Ipv4Addr::from(octets).into()));
    }
    if v6 && let Ok(octets) = <[u8; 16]>::try_from(raw) {
        // Tools that handle both versions leave the last twelve bytes of a version 4 address zero.
        return Ok(Some(match octets {
            [a, b, c, d, rest @ ..] if rest == [0; 12] && [a, b, c, d] != [0; 4] => {
                Ipv4Addr::new(a, b, c, d).into()
            }
            _ => Ipv6Addr::from(octets).into(),
        }));
    }
    Ok(None)
}

fn says_address(name: &str) -> bool {
    let parts = || name.split('_');
    parts().any(|part| {
        matches!(
            part,
            "addr" | "saddr" | "daddr" | "laddr" | "raddr" | "ip" | "sip" | "dip" | "ip4" | "ip6"
        )
    })
}

/// Whether one of the names on the way to the integer is `__be32`.
fn is_be32(ty: &Type<'_>) -> Result<bool, BtfError> {
    let mut now = *ty;
    for _ in 0..MAX_CHAIN {
        if now.name() == "__be32" {
            return Ok(true);
        }
        if !now.kind().is_modifier() && now.kind() != Kind::Typedef {
            break;
        }
        now = now.btf().get(TypeId(now.size_field()))?;
    }
    Ok(false)
}

fn is_bytes(ty: &Type<'_>, len: u32) -> Result<bool, BtfError> {
    let Some(array) = ty.array().filter(|array| array.len == len) else {
        return Ok(false);
    };
    let element = ty.btf().get(array.element)?.resolved()?;
    Ok(element.kind() == Kind::Int && element.size_field() == 1 && !is_char(&element))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => n.fmt(f),
            Self::Uint(n) => n.fmt(f),
            Self::Wide(n) => n.fmt(f),
            Self::Bool(b) => b.fmt(f),
            Self::Float(x) => x.fmt(f),
            Self::Enum {
                name: Some(name), ..
            } => f.write_str(name),
            Self::Enum { name: None, value } => value.fmt(f),
            Self::Text(text) => f.write_str(&text.escape_debug().to_string()),
            Self::Pointer(p) => write!(f, "{p:#x}"),
            Self::Ip(ip) => ip.fmt(f),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|b| write!(f, "{b:02x}")),
            Self::Array(elements) => {
                f.write_str("[")?;
                for (i, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Struct(members) => {
                f.write_str("{")?;
                for (i, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{name}: {value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Missing => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BtfEditor, Info, IntEncoding};
    use super::*;

    /// An event such as a tool sends.
    fn event() -> (Btf<'static>, TypeId) {
        let mut b = BtfEditor::new();
        let u32_ = b.add_int("unsigned int", 4, 0);
        let i32_ = b.add_int("int", 4, IntEncoding::SIGNED);
        let char_ = b.add_int("char", 1, IntEncoding::SIGNED);
        let comm = b.add_array(char_, u32_, 8);
        let be32 = b.add_reference(Kind::Typedef, "__be32", u32_);
        let color = b.add_enum("color", 4, &[("RED", 1)]);
        let inner = b.add_composite(Kind::Struct, "", 4, &[("ret", i32_, 0)]);
        let flexible = b.add_array(char_, u32_, 0);
        let members = [
            ("pid", u32_, 0),
            ("", inner, 32),
            ("comm", comm, 64),
            ("saddr", be32, 128),
            ("color", color, 160),
            ("args", flexible, 192),
        ];
        let id = b.add_composite(Kind::Struct, "event", 24, &members);
        (Btf::from_vec(b.finish()).unwrap(), id)
    }

    fn record() -> Vec<u8> {
        let mut raw = 7_u32.to_ne_bytes().to_vec();
        raw.extend((-2_i32).to_ne_bytes());
        raw.extend(b"cat\0\0\0\0\0");
        raw.extend([127, 0, 0, 1]);
        raw.extend(1_u32.to_ne_bytes());
        raw.extend(b"-x\0junk");
        raw
    }

    #[test]
    fn a_record_becomes_names_and_values() {
        let (btf, id) = event();
        let value = btf.decode(id, &record()).unwrap();
        assert_eq!(
            value.to_string(),
            "{pid: 7, ret: -2, comm: cat, saddr: 127.0.0.1, color: RED, args: -x}"
        );
    }

    #[test]
    fn a_cut_record_shows_its_beginning() {
        let (btf, id) = event();
        let value = btf.decode(id, &record()[..10]).unwrap();
        assert_eq!(
            value.to_string(),
            "{pid: 7, ret: -2, comm: ca, saddr: -, color: -, args: }"
        );
    }

    #[test]
    fn bitfields_are_cut_out_and_sign_extended() {
        let mut b = BtfEditor::new();
        let i32_ = b.add_int("int", 4, IntEncoding::SIGNED);
        let u32_ = b.add_int("unsigned int", 4, 0);
        let names = [b.add_string("a"), b.add_string("b")];
        let tail = [names[0], i32_.0, 3 << 24, names[1], u32_.0, 7 << 24 | 3];
        let info = Info::of(Kind::Struct).with_vlen(2).with_kflag();
        let id = b.add_type("bits", info, 4, &tail);
        let btf = Btf::from_vec(b.finish()).unwrap();
        let value = btf.decode(id, &(0b10_1010_1111_u32).to_le_bytes()).unwrap();
        assert_eq!(value.to_string(), "{a: -1, b: 85}");
    }

    #[test]
    fn a_type_that_contains_itself_ends() {
        let mut b = BtfEditor::new();
        let id = b.next_id();
        b.add_composite(Kind::Struct, "s", 8, &[("a", id, 0), ("b", id, 0)]);
        let btf = Btf::from_vec(b.finish()).unwrap();
        assert_eq!(btf.decode(id, &[0; 8]), Err(BtfError::TooDeep(id)));
    }
}
