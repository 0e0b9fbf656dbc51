//! What fields of events mean.

use rawbpf::btf::{CharArray, Value};
use std::net::IpAddr;

/// The text in a field of an event.
pub(crate) fn text<const N: usize>(field: &CharArray<N>) -> Value {
    Value::Text(field.to_str_lossy().into_owned())
}

/// An unsigned number.
pub(crate) fn uint(number: impl Into<u128>) -> Value {
    Value::Uint(number.into())
}

/// An address in network byte order: the first four bytes for IPv4, all sixteen for IPv6.
pub(crate) fn address(family: u16, bytes: [u8; 16]) -> Value {
    const AF_INET: u16 = 2;
    Value::Ip(match bytes {
        [a, b, c, d, ..] if family == AF_INET => IpAddr::from([a, b, c, d]),
        bytes => bytes.into(),
    })
}

/// A number in units of this many: nanoseconds as seconds, bytes as kilobytes.
#[allow(
    clippy::cast_precision_loss,
    reason = "at most six digits of the fraction are shown"
)]
pub(crate) fn fraction(number: u64, unit: f64) -> Value {
    Value::Float(number as f64 / unit)
}
