//! What fields of events mean.

use rawbpf::btf::Value;
use std::net::IpAddr;

/// The C string in a field of fixed size.
pub(crate) fn text(field: &[u8]) -> Value {
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    Value::Text(String::from_utf8_lossy(text).into_owned())
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
