//! The definition of a type: an enumeration, a typedef, or the parts of a structure or union.

use super::Definitions;
use super::compose::{Body, Part, Width, is_wide};
use super::expression::{Expression, Facts, enum_inner};
use super::names::identifier;
use crate::TypeId;
use crate::btf::show::names::Space;
use crate::btf::show::place::place;
use crate::btf::{Enumerator, Kind, Type};
use std::borrow::Cow;
use std::fmt::Write as _;

/// What is derived for an enumeration.
const OF_ENUMS: &[&str] = &[
    "Debug",
    "Clone",
    "Copy",
    "PartialEq",
    "Eq",
    "PartialOrd",
    "Ord",
    "Hash",
    "FromBytes",
    "IntoBytes",
    "Immutable",
    "KnownLayout",
];

/// The maximum length in bytes of a C declaration in a comment.
const LONGEST_REMARK: usize = 200;

impl<'b> Definitions<'b> {
    /// Writes a definition, after all that it contains.
    pub(super) fn write(&mut self, ty: &Type<'b>) {
        match ty.kind() {
            Kind::Struct | Kind::Union => self.composite(ty),
            Kind::Enum | Kind::Enum64 if self.names.get(ty.id()).is_some() => self.enumeration(ty),
            Kind::Enum | Kind::Enum64 => self.constants(ty),
            Kind::Typedef => self.typedef(ty),
            Kind::Fwd => self.forward(ty),
            _ => {}
        }
    }

    fn composite(&mut self, ty: &Type<'b>) {
        let Some(name) = self.names.get(ty.id()).cloned() else {
            return;
        };
        let mut taken = Space::default();
        let mut unnamed = 0_u32;
        let mut parts = Vec::with_capacity(ty.members().len());
        for member in ty.members() {
            let of_member = if member.name.is_empty() {
                unnamed = unnamed.saturating_add(1);
                Cow::from(format!("anon_{}", unnamed.saturating_sub(1)))
            } else {
                identifier(member.name)
            };
            let work = of_member.len().saturating_mul(2).saturating_add(64);
            self.budget.spend(ty.id(), work);
            if self.budget.is_exhausted() {
                return;
            }
            let (offset, width) = place(self.btf, &member);
            let own = self.expression(member.type_id);
            let remark = self.remark(own.is_some(), member.type_id, width);
            let is_bits =
                width.is_some_and(|width| own.as_ref().is_some_and(|own| is_wide(own, width)));
            let width = match width {
                None => Width::Whole,
                Some(width) if is_bits => Width::Bits(width),
                Some(width) => Width::BitsWithoutAccess(width),
            };
            let size = || self.btf.size_of(member.type_id).map_or(0, u64::from);
            parts.push(Part {
                name: taken.take(of_member),
                is_unnamed: member.name.is_empty(),
                offset,
                width,
                ty: own.unwrap_or_else(|| Expression::bytes(size())),
                remark,
            });
        }
        let remark = self.c_name(ty.id());
        let body = Body {
            id: ty.id(),
            name,
            remark,
            size: u64::from(ty.size_field()),
            parts,
            taken,
        };
        let facts = match ty.kind() {
            Kind::Union => self.union(&body),
            _ => self.structure(body),
        };
        self.known.insert(ty.id(), facts);
    }

    /// The comment on a member: its C declaration, if Rust's type does not show it.
    fn remark(&mut self, is_written: bool, id: TypeId, width: Option<u32>) -> Option<String> {
        let tells = !is_written || width.is_some() || self.is_pointer(id);
        tells.then(|| self.c_name(id))
    }

    /// Whether a type is a pointer, or an array of pointers.
    fn is_pointer(&mut self, id: TypeId) -> bool {
        let mut now = id;
        for _ in 0..crate::btf::MAX_CHAIN {
            self.budget.spend(now, 1);
            let Ok(ty) = self.btf.get(now) else { break };
            let next = match ty.kind() {
                Kind::Ptr => return true,
                Kind::Array => ty.array().map(|array| array.element),
                kind if kind.is_modifier() => ty.target(),
                _ => None,
            };
            let Some(next) = next else { break };
            now = next;
        }
        false
    }

    /// A type as written in C, safe for a comment.
    pub(super) fn c_name(&mut self, id: TypeId) -> String {
        let name = comment(&self.btf.type_name(id));
        self.budget.spend(id, name.len());
        name
    }

    fn enumeration(&mut self, ty: &Type<'b>) {
        let name = self.names.get(ty.id()).cloned().unwrap_or_default();
        let Some(inner) = enum_inner(ty) else { return };
        let size = ty.size_field();
        let remark = self.c_name(ty.id());
        let derives = self.uses.derives(OF_ENUMS);
        let zerocopy = self.zerocopy();
        self.budget.spend(ty.id(), derives.len());
        let _ = write!(
            self.text,
            "/// `{remark}`: {size} bytes, of any value.\n#[repr(transparent)]\n\
             #[derive({derives})]\n{zerocopy}pub struct {name}(pub {inner});\n"
        );
        if ty.vlen() > 0 {
            let _ = writeln!(self.text, "impl {name} {{");
            let mut taken = Space::default();
            for constant in ty.enumerators() {
                self.budget
                    .spend(ty.id(), constant.name.len().saturating_add(24));
                if self.budget.is_exhausted() {
                    return;
                }
                let of_constant = taken.take(identifier(constant.name));
                let value = value(ty, &constant);
                let _ = writeln!(
                    self.text,
                    "    pub const {of_constant}: Self = Self({value});"
                );
            }
            self.text.push_str("}\n");
        }
        let _ = writeln!(
            self.text,
            "const _: () = assert!(::core::mem::size_of::<{name}>() == {size});"
        );
        let facts = Facts::plain(u64::from(size), size);
        self.traits(&name, facts);
        self.text.push('\n');
        self.known.insert(ty.id(), facts);
    }

    /// The constants of an anonymous enumeration that is not used as a type.
    fn constants(&mut self, ty: &Type<'b>) {
        let Some(inner) = enum_inner(ty) else { return };
        for constant in ty.enumerators() {
            self.budget
                .spend(ty.id(), constant.name.len().saturating_add(24));
            if self.budget.is_exhausted() {
                return;
            }
            let name = self.names.take(constant.name);
            let value = value(ty, &constant);
            let _ = writeln!(self.text, "pub const {name}: {inner} = {value};");
        }
        self.text.push('\n');
    }

    fn typedef(&mut self, ty: &Type<'b>) {
        let target = ty.target().unwrap_or_default();
        let Some(expression) = self.expression(target) else {
            return;
        };
        self.known.insert(ty.id(), expression.facts);
        if !self.names.is_own(ty.id()) {
            return;
        }
        let Some(name) = self.names.get(ty.id()).cloned() else {
            return;
        };
        let remark = self.remark(true, target, None);
        let text = &expression.text;
        self.budget
            .spend(ty.id(), name.len().saturating_add(text.len()));
        if let Some(remark) = remark {
            let _ = writeln!(self.text, "/// `{remark}`");
        }
        let _ = write!(self.text, "pub type {name} = {text};\n\n");
    }

    /// A type that is only declared: it has no values.
    fn forward(&mut self, ty: &Type<'b>) {
        let Some(name) = self.names.get(ty.id()).cloned() else {
            return;
        };
        self.budget.spend(ty.id(), name.len().saturating_add(64));
        let remark = self.c_name(ty.id());
        let _ = write!(
            self.text,
            "/// `{remark}`: only declared, so that nobody has a value of it.\n#[derive(Debug)]\npub enum {name} {{}}\n\n"
        );
    }
}

/// The value of a constant as an integer of its enumeration; truncated if it does not fit.
fn value(ty: &Type<'_>, constant: &Enumerator<'_>) -> i128 {
    let bits = ty.size_field().saturating_mul(8).clamp(8, 64);
    let unused = 64_u32.saturating_sub(bits);
    let shifted = constant.value.wrapping_shl(unused);
    if ty.kflag() {
        i128::from(shifted.wrapping_shr(unused))
    } else {
        i128::from(shifted.cast_unsigned().wrapping_shr(unused))
    }
}

/// A name as it may stand in a comment.
pub(crate) fn comment(name: &str) -> String {
    name.chars().take(LONGEST_REMARK).map(harmless).collect()
}

/// Excludes characters that could end the comment, change the text direction, or act as markup.
fn harmless(c: char) -> char {
    if c.is_ascii_graphic() && c != '`' || c == ' ' {
        c
    } else {
        '_'
    }
}
