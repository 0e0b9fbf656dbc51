//! A value as text and as JSON.

use super::Value;
use std::fmt::{self, Display, Write};

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => n.fmt(f),
            Self::Uint(n) => n.fmt(f),
            Self::Bool(b) => b.fmt(f),
            Self::Float(x) => x.fmt(f),
            Self::Enum {
                name: Some(name), ..
            } => text(f, name),
            Self::Enum { name: None, value } => value.fmt(f),
            Self::Text(shown) => text(f, shown),
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
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    text(f, name)?;
                    write!(f, ": {value}")?;
                }
                f.write_str("}")
            }
            Self::Missing => f.write_str("-"),
        }
    }
}

/// Text from a program, and names from a file, must not move the cursor or break the line.
pub(super) fn text(f: &mut impl Write, text: &str) -> fmt::Result {
    text.chars().try_for_each(|c| escaped(f, c))
}

fn escaped(f: &mut impl Write, c: char) -> fmt::Result {
    if matches!(c, '"' | '\'') {
        f.write_char(c)
    } else {
        write!(f, "{}", c.escape_debug())
    }
}

impl Value {
    /// The value as JSON, on one line.
    ///
    /// Numbers that need more than 64 bits, pointers, addresses and bytes are strings; missing values are `null`.
    pub fn json(&self) -> Json<'_> {
        Json(self)
    }
}

/// A value that displays as JSON. Returned by [`Value::json`].
#[derive(Debug, Clone, Copy)]
pub struct Json<'v>(&'v Value);

impl Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Int(n)
            | Value::Enum {
                name: None,
                value: n,
            } => integer(f, n),
            Value::Uint(n) => integer(f, n),
            Value::Bool(b) => b.fmt(f),
            Value::Float(x) if x.is_finite() => fmt::Debug::fmt(x, f),
            Value::Float(_) | Value::Missing => f.write_str("null"),
            Value::Text(text) => string(f, text),
            Value::Array(elements) => {
                f.write_str("[")?;
                for (i, element) in elements.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    element.json().fmt(f)?;
                }
                f.write_str("]")
            }
            Value::Struct(members) => {
                f.write_str("{")?;
                for (i, (name, value)) in members.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    string(f, name)?;
                    write!(f, ":{}", value.json())?;
                }
                f.write_str("}")
            }
            Value::Enum { .. } | Value::Pointer(_) | Value::Ip(_) | Value::Bytes(_) => {
                string(f, &self.0.to_string())
            }
        }
    }
}

/// Most JSON parsers support 64 bits; wider numbers are strings.
fn integer<N: Copy + Display>(f: &mut fmt::Formatter<'_>, n: &N) -> fmt::Result
where
    i64: TryFrom<N>,
    u64: TryFrom<N>,
{
    if i64::try_from(*n).is_ok() || u64::try_from(*n).is_ok() {
        n.fmt(f)
    } else {
        write!(f, "\"{n}\"")
    }
}

fn string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
