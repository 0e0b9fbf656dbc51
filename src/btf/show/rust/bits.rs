//! Bitfields and members of unions: accessors in Rust, with helper functions that all of them share.

use super::expression::{Class, Expression};
use std::fmt::Write as _;

/// The text that precedes all definitions: imports, and the helper functions for bitfields and unions.
///
/// [`Module`](super::Module) writes it. No type gets a name that it uses.
pub const PRELUDE: &str = "\
use ::zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// The bits from `first_` on, as a number. On big-endian machines the first bit is the highest.
const fn get_bits(storage_: &[u8], first_: usize, width_: usize) -> u64 {
    let mut value_ = 0;
    let mut at_ = 0;
    while at_ < width_ {
        let bit_ = first_ + at_;
        let byte_ = storage_[bit_ / 8] as u64;
        if cfg!(target_endian = \"big\") {
            value_ = value_ << 1 | byte_ >> (7 - bit_ % 8) & 1;
        } else {
            value_ |= (byte_ >> (bit_ % 8) & 1) << at_;
        }
        at_ += 1;
    }
    value_
}

/// The bits from `first_` on, as a number with a sign.
const fn get_signed_bits(storage_: &[u8], first_: usize, width_: usize) -> i64 {
    let unused_ = 64 - width_;
    (get_bits(storage_, first_, width_) << unused_) as i64 >> unused_
}

/// Writes the lowest `width_` bits of a number to the bits from `first_` on.
const fn set_bits(storage_: &mut [u8], first_: usize, width_: usize, value_: u64) {
    let mut at_ = 0;
    while at_ < width_ {
        let bit_ = first_ + at_;
        let (shift_, place_) = if cfg!(target_endian = \"big\") {
            (7 - bit_ % 8, width_ - 1 - at_)
        } else {
            (bit_ % 8, at_)
        };
        let one_ = (value_ >> place_ & 1) as u8;
        storage_[bit_ / 8] = storage_[bit_ / 8] & !(1 << shift_) | one_ << shift_;
        at_ += 1;
    }
}

/// The member of a union that starts at this byte.
fn get_member<Member_: FromBytes>(storage_: &[u8], start_: usize) -> Member_ {
    // Members lie within their union, so that this never fails.
    let bytes_ = storage_.get(start_..).unwrap_or_default();
    Member_::read_from_prefix(bytes_).map_or_else(|_| Member_::new_zeroed(), |(value_, _)| value_)
}

/// The member of a union that starts at this byte; `None` if its bytes are no value of it.
fn try_get_member<Member_: TryFromBytes>(storage_: &[u8], start_: usize) -> ::core::option::Option<Member_> {
    let (value_, _) = Member_::try_read_from_prefix(storage_.get(start_..)?).ok()?;
    ::core::option::Option::Some(value_)
}

/// Writes to the member of a union that starts at this byte.
fn set_member<Member_: IntoBytes + Immutable>(storage_: &mut [u8], start_: usize, value_: Member_) {
    if let ::core::option::Option::Some(bytes_) = storage_.get_mut(start_..) {
        let _ = value_.write_to_prefix(bytes_);
    }
}
";

/// Names in [`PRELUDE`], and names of variables in the output and in the expansion of zerocopy's macros: in patterns, Rust
/// would take a variable for a constant of the same name.
pub(super) const RESERVED: &[&str] = &[
    "FromBytes",
    "FromZeros",
    "Immutable",
    "IntoBytes",
    "KnownLayout",
    "TryFromBytes",
    "Member_",
    "get_bits",
    "get_member",
    "try_get_member",
    "set_member",
    "start_",
    "bytes_",
    "get_signed_bits",
    "set_bits",
    "at_",
    "bit_",
    "byte_",
    "first_",
    "formatter_",
    "one_",
    "place_",
    "shift_",
    "storage_",
    "unused_",
    "value_",
    "width_",
    "bytes",
    "candidate",
    "elem",
    "meta",
    "ptr",
    "slf",
];

/// A number in bytes that contain it: a bitfield, or a member of a union.
pub(super) struct Bitfield<'t> {
    /// The bytes, as an expression, to read and to write.
    pub(super) bytes: &'t str,
    pub(super) bytes_mut: &'t str,
    /// Whether these expressions are allowed in a `const fn`.
    pub(super) is_const: bool,
    /// Offset in those bytes, in bits.
    pub(super) first: u64,
    /// Its width, 1 to 64 bits.
    pub(super) width: u32,
    pub(super) ty: &'t Expression<'t>,
    /// The names of its accessors.
    pub(super) getter: &'t str,
    pub(super) setter: &'t str,
}

impl Bitfield<'_> {
    /// Writes both functions.
    pub(super) fn write(&self, text: &mut String) {
        let Self {
            bytes,
            bytes_mut,
            is_const,
            first,
            width,
            ty,
            getter,
            setter,
        } = self;
        let name = &ty.text;
        let place = format!("{bytes}, {first}, {width}");
        let bits = format!("get_bits({place})");
        let (get, value) = match ty.class {
            Class::Bool => (format!("{bits} != 0"), "value_ as u64".to_owned()),
            Class::Signed => (
                format!("get_signed_bits({place}) as {name}"),
                "value_ as u64".to_owned(),
            ),
            Class::Enum { inner, is_signed } => {
                let of = if is_signed {
                    format!("get_signed_bits({place})")
                } else {
                    bits
                };
                (
                    format!("{name} {{ 0: {of} as {inner} }}"),
                    "value_.0 as u64".to_owned(),
                )
            }
            Class::Unsigned | Class::Other => {
                (format!("{bits} as {name}"), "value_ as u64".to_owned())
            }
        };
        let keyword = if *is_const { "const fn" } else { "fn" };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "    pub {keyword} {getter}(&self) -> {name} {{\n        {get}\n    }}\n    \
             pub {keyword} {setter}(&mut self, value_: {name}) {{\n        set_bits({bytes_mut}, {first}, {width}, {value});\n    }}"
        );
    }
}

/// A member of a union that is not a bitfield.
pub(super) struct Variant<'t> {
    /// Offset in bytes.
    pub(super) start: u64,
    pub(super) ty: &'t Expression<'t>,
    /// The names of its accessors.
    pub(super) getter: &'t str,
    pub(super) setter: &'t str,
}

impl Variant<'_> {
    /// Writes both functions. Not all bytes are a value with a `bool`.
    pub(super) fn write(&self, text: &mut String) {
        let Self {
            start,
            ty,
            getter,
            setter,
        } = self;
        let name = &ty.text;
        let (result, get) = if ty.facts.has_bool {
            (format!("::core::option::Option<{name}>"), "try_get_member")
        } else {
            (name.to_string(), "get_member")
        };
        let _ = writeln!(
            text,
            "    pub fn {getter}(&self) -> {result} {{\n        {get}(self._storage.as_bytes(), {start})\n    }}\n    \
             pub fn {setter}(&mut self, value_: {name}) {{\n        set_member(self._storage.as_mut_bytes(), {start}, value_);\n    }}"
        );
    }
}
