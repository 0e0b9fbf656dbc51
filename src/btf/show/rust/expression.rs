//! How a type is written where it is used, and its properties.

use super::Definitions;
use crate::TypeId;
use crate::btf::{IntEncoding, Kind, Type};
use std::borrow::Cow;
use std::fmt::Write as _;

/// The maximum length of a chain of qualifiers, typedefs and arrays.
const LONGEST_CHAIN: usize = 256;

/// The maximum nesting of arrays; anything deeper is written as bytes. Compilers have a limit, too.
const DEEPEST: usize = 32;

/// Compilers do not accept larger types.
const LARGEST: u64 = 1 << 46;

/// A type as written, and its properties in Rust.
#[derive(Debug, Clone)]
pub(super) struct Expression<'b> {
    pub(super) text: Cow<'b, str>,
    pub(super) facts: Facts,
    pub(super) class: Class,
}

/// The properties of a type that has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// Size in bytes.
    pub(super) size: u64,
    /// Alignment in Rust, in bytes.
    pub(super) align: u32,
    /// Not all byte patterns are valid: it contains a `bool`.
    pub(super) has_bool: bool,
    /// It contains a pointer, which has no meaning outside of the kernel.
    pub(super) has_pointer: bool,
}

/// The representation of a bitfield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Unsigned,
    Signed,
    Bool,
    Enum {
        inner: &'static str,
        is_signed: bool,
    },
    /// Not a number.
    Other,
}

impl Facts {
    pub(super) fn plain(size: u64, align: u32) -> Self {
        Self {
            size,
            align,
            has_bool: false,
            has_pointer: false,
        }
    }
}

impl Expression<'_> {
    /// An array of this many characters.
    fn text(len: u32) -> Self {
        Self {
            text: format!("::rawbpf::btf::CharArray<{len}>").into(),
            facts: Facts::plain(u64::from(len), 1),
            class: Class::Other,
        }
    }

    /// An array of this many bytes.
    pub(super) fn bytes(size: u64) -> Self {
        Self {
            text: format!("[u8; {size}]").into(),
            facts: Facts::plain(size, 1),
            class: Class::Other,
        }
    }
}

/// An integer or a floating-point number; `None` if Rust has none of this size.
pub(super) fn number(ty: &Type<'_>) -> Option<Expression<'static>> {
    let size = ty.size_field();
    let (text, class) = match ty.kind() {
        Kind::Float if size == 4 => ("f32", Class::Other),
        Kind::Float if size == 8 => ("f64", Class::Other),
        Kind::Int => {
            let encoding = ty.int_encoding()?;
            if encoding.bool && size == 1 {
                ("bool", Class::Bool)
            } else if encoding.signed && !is_text(ty) {
                (signed(size)?, Class::Signed)
            } else {
                (unsigned(size)?, Class::Unsigned)
            }
        }
        _ => return None,
    };
    let facts = Facts {
        has_bool: class == Class::Bool,
        ..Facts::plain(u64::from(size), size)
    };
    let text = text.into();
    Some(Expression { text, facts, class })
}

/// Whether it is a character: the integer called `char`, not `signed char` or `unsigned char`.
fn is_text(ty: &Type<'_>) -> bool {
    let is_char = |encoding: IntEncoding| !encoding.bool && (encoding.char || ty.name() == "char");
    ty.kind() == Kind::Int && ty.size_field() == 1 && ty.int_encoding().is_some_and(is_char)
}

/// The integer type of an enumeration; `None` if Rust has none of its size.
pub(super) fn enum_inner(ty: &Type<'_>) -> Option<&'static str> {
    let size = ty.size_field();
    match (size, ty.kflag()) {
        (16, _) => None,
        (_, true) => signed(size),
        (_, false) => unsigned(size),
    }
}

fn signed(size: u32) -> Option<&'static str> {
    Some(match size {
        1 => "i8",
        2 => "i16",
        4 => "i32",
        8 => "i64",
        16 => "i128",
        _ => return None,
    })
}

fn unsigned(size: u32) -> Option<&'static str> {
    Some(match size {
        1 => "u8",
        2 => "u16",
        4 => "u32",
        8 => "u64",
        16 => "u128",
        _ => return None,
    })
}

impl<'b> Definitions<'b> {
    /// The type of a member as written; `None` if it has no size, or is not written.
    pub(super) fn expression(&mut self, id: TypeId) -> Option<Expression<'b>> {
        let mut lengths = Vec::new();
        let mut elements: u64 = 1;
        let mut now = id;
        for _ in 0..LONGEST_CHAIN {
            self.budget.spend(now, 1);
            let ty = self.btf.get(now).ok()?;
            now = match ty.kind() {
                Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag | Kind::Var => {
                    ty.target()?
                }
                Kind::Array => {
                    let array = ty.array()?;
                    elements = elements.checked_mul(u64::from(array.len))?;
                    lengths.push(array.len);
                    array.element
                }
                _ => {
                    if self.uses.rawbpf
                        && is_text(&ty)
                        && let Some(len) = lengths.pop()
                    {
                        let count = elements.checked_div(u64::from(len)).unwrap_or_default();
                        return array(Expression::text(len), &lengths, count);
                    }
                    let element = self.plain_expression(&ty)?;
                    return array(element, &lengths, elements);
                }
            };
        }
        None
    }

    /// A type other than an array.
    fn plain_expression(&mut self, ty: &Type<'b>) -> Option<Expression<'b>> {
        match ty.kind() {
            Kind::Ptr => Some(Expression {
                text: "u64".into(),
                facts: Facts {
                    has_pointer: true,
                    ..Facts::plain(8, 8)
                },
                class: Class::Other,
            }),
            Kind::Int | Kind::Float => number(ty),
            Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Typedef => {
                let facts = *self.known.get(&ty.id())?;
                let text = self.names.get(ty.id())?.clone();
                Some(Expression {
                    text,
                    facts,
                    class: class(ty),
                })
            }
            _ => None,
        }
    }
}

/// An array, nested if there are several lengths, outermost first.
fn array<'b>(element: Expression<'b>, lengths: &[u32], elements: u64) -> Option<Expression<'b>> {
    let size = element.facts.size.checked_mul(elements)?;
    if size > LARGEST || lengths.len() > DEEPEST {
        return None;
    }
    if lengths.is_empty() {
        return Some(element);
    }
    let mut text = "[".repeat(lengths.len());
    text.push_str(&element.text);
    for length in lengths.iter().rev() {
        // Writing to a string does not fail.
        let _ = write!(text, "; {length}]");
    }
    Some(Expression {
        text: text.into(),
        facts: Facts {
            size,
            ..element.facts
        },
        class: Class::Other,
    })
}

/// The representation of a bitfield declared with this type.
fn class(ty: &Type<'_>) -> Class {
    let Ok(ty) = ty.resolved() else {
        return Class::Other;
    };
    match enum_inner(&ty) {
        Some(inner) if ty.kind().is_any_enum() => Class::Enum {
            inner,
            is_signed: ty.kflag(),
        },
        _ => number(&ty).map_or(Class::Other, |number| number.class),
    }
}
