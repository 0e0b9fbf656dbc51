//! Bytes and their type in, a displayable value out: events, keys and values of maps, global variables.
//!
//! [`Btf::decode`](crate::btf::Btf::decode) turns bytes of any type into a [`Value`]. A value can be displayed as text
//! ([`Display`](std::fmt::Display)) and as JSON ([`Value::json`]); [`Columns`] arranges many of them in a table.
//!
//! ```
//! use rawbpf::btf::{Btf, BtfBuilder, IntEncoding, Kind};
//!
//! let mut types = BtfBuilder::new();
//! let int = types.add_int("int", 4, IntEncoding::SIGNED);
//! let letter = types.add_int("char", 1, IntEncoding::SIGNED);
//! let comm = types.add_array(letter, int, 8);
//! let event = types.add_struct("event", 12, &[("pid", int, 0), ("comm", comm, 32)]);
//! let btf = types.build()?;
//!
//! let value = btf.decode(event, b"\x07\0\0\0cat\0\0\0\0\0")?;
//! # #[cfg(target_endian = "little")]
//! assert_eq!(value.to_string(), "{pid: 7, comm: cat}");
//! # #[cfg(target_endian = "little")]
//! assert_eq!(value.json().to_string(), r#"{"pid":7,"comm":"cat"}"#);
//! # Ok::<(), rawbpf::btf::BtfError>(())
//! ```
//!
//! # Mapping of types
//!
//! | Type | [`Value`] | Text | JSON |
//! |---|---|---|---|
//! | integer of up to 128 bits, bitfield | `Int`, `Uint` | `-1` | number; as text if it needs more than 64 bits |
//! | `bool` | `Bool` | `true` | `true` |
//! | `float`, `double` | `Float` | `0.5` | number; `null` if it is not one |
//! | enumeration of either width and sign, also as a bitfield | `Enum` | `RED`, or the number if it has no name | the same |
//! | `char[]` | `Text`, up to its NUL | control characters escaped | text |
//! | array of other one-byte integers | `Bytes` | `00ff` | text |
//! | pointer | `Pointer` | `0xffff888100000000` | text |
//! | array | `Array` | `[1, 2]` | array |
//! | structure, union | `Struct`, the members of anonymous members among its own | `{a: 1, b: 2}` | object |
//! | section of variables | `Struct` of the variables | the same | object |
//! | `in_addr`, `in6_addr`; see below | `Ip` | `127.0.0.1` | text |
//! | float of another width | `Bytes` | its bytes | text |
//!
//! Qualifiers, typedefs, variables and tags are skipped.
//!
//! - **Network addresses** are also members whose names say so (one of the words between underscores is `addr`, `saddr`, `daddr`,
//!   `laddr`, `raddr`, `ip`, `sip`, `dip`, `ip4`, `ip6`) if they are a `__be32`, an array of 4 or 16 bytes, or a 16-byte integer.
//! - **Flexible arrays** (of length 0) at the end of the type take the remaining bytes; others are empty.
//! - **Fewer bytes than the type has** (a truncated record): what is missing becomes [`Value::Missing`] (`-`, `null`), and an
//!   array ends with the last element that has begun. More bytes than the type has are ignored.
//! - **Hostile types** are an error. Nesting is followed to the depth that libbpf allows; time, memory and output
//!   are bounded by the number of bytes, not by what the types claim.

mod address;
mod columns;
mod decode;
mod number;
mod show;
#[cfg(test)]
mod tests;

pub use columns::Columns;
pub use show::Json;

use std::net::IpAddr;

/// A decoded value. Returned by [`Btf::decode`](crate::btf::Btf::decode).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A signed integer.
    Int(i128),
    /// An unsigned integer.
    Uint(u128),
    /// A boolean.
    Bool(bool),
    /// A floating-point number.
    Float(f64),
    /// A constant of an enumeration.
    Enum {
        /// The constant's name; `None` if no constant has this value.
        name: Option<String>,
        /// Its value.
        value: i128,
    },
    /// A character array, up to its NUL. Invalid UTF-8 becomes U+FFFD.
    Text(String),
    /// A pointer.
    Pointer(u64),
    /// A network address.
    Ip(IpAddr),
    /// Bytes without a more specific meaning.
    Bytes(Vec<u8>),
    /// An array.
    Array(Vec<Value>),
    /// A structure, union or section: names and values, including those of anonymous members.
    Struct(Vec<(String, Value)>),
    /// The bytes end before this value.
    Missing,
}
