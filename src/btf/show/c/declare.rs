//! Declarators: a type around a name. C writes pointers before the name, arrays and parameters after it.

use super::definitions::{Definitions, Qualifiers};
use super::extent::{DEEPEST, LONGEST_CHAIN};
use super::names::Members;
use super::{integer, tags};
use crate::TypeId;
use crate::btf::{Kind, Type};
use std::fmt::Write as _;

impl<'b> Definitions<'b> {
    /// Writes `TYPE NAME` (without a semicolon), on a line that is indented by `level` tabs. An anonymous structure is written
    /// out; if there is no name, its members are added to `scope`.
    pub(super) fn declare(
        &mut self,
        id: TypeId,
        name: &str,
        level: usize,
        scope: Option<&mut Members<'b>>,
    ) {
        if self.is_exhausted() {
            return;
        }
        if self.nesting > 2 * DEEPEST {
            self.text.push_str("void");
            return;
        }
        self.nesting += 1;
        let (links, base) = self.links(id, scope.is_some());
        let leading = links
            .iter()
            .rev()
            .take_while(|link| matches!(link, Link::Word(_)));
        let leading = leading.count();
        let (outer, words) = links.split_at(links.len().saturating_sub(leading));
        let mut last = "";
        for word in words.iter().rev() {
            if let Link::Word(word) = word
                && *word != last
            {
                self.text.push_str(word);
                self.text.push(' ');
                last = word;
            }
        }
        match base {
            Base::Type(ty) => self.base(&ty, level, scope),
            Base::Word(word) => self.text.push_str(word),
        }
        self.around(outer, name, level, false);
        self.nesting -= 1;
    }

    /// The types from the name to the base type, which is the second result. For a member without a name, that is the structure
    /// itself, whatever its name.
    fn links(&mut self, id: TypeId, is_anonymous: bool) -> (Vec<Link<'b>>, Base<'b>) {
        let mut links = Vec::new();
        let mut now = id;
        for _ in 0..LONGEST_CHAIN {
            self.spend(now, 1);
            let Ok(ty) = self.btf.get(now) else {
                break;
            };
            links.push(match ty.kind() {
                Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag
                    if self.qualifiers == Qualifiers::Drop =>
                {
                    now = ty.target().unwrap_or_default();
                    continue;
                }
                Kind::Ptr => Link::Pointer,
                Kind::Const => Link::Word("const"),
                Kind::Volatile => Link::Word("volatile"),
                Kind::Restrict => Link::Word("restrict"),
                Kind::TypeTag => Link::Attribute(tags::of_type(&ty)),
                Kind::FuncProto => Link::Function(ty),
                Kind::Array => {
                    let Some(array) = ty.array() else { break };
                    now = array.element;
                    if self.extent(now, 0).is_none() {
                        // C has no arrays of an incomplete type.
                        let bytes = self.btf.size_of(now).map_or(1, u64::from);
                        links.push(Link::Array(u64::from(array.len).saturating_mul(bytes)));
                        return (links, Base::Word(BYTE));
                    }
                    links.push(Link::Array(u64::from(array.len)));
                    continue;
                }
                Kind::Typedef if is_anonymous => {
                    now = ty.target().unwrap_or_default();
                    continue;
                }
                _ => return (links, Base::Type(ty)),
            });
            now = ty.target().unwrap_or_default();
        }
        (links, Base::Word("void"))
    }

    /// Writes the base type.
    fn base(&mut self, ty: &Type<'b>, level: usize, scope: Option<&mut Members<'b>>) {
        self.spend(ty.id(), ty.name().len());
        match ty.kind() {
            Kind::Struct | Kind::Union if ty.name().is_empty() || scope.is_some() => {
                self.anonymous(ty, level, scope);
            }
            Kind::Enum | Kind::Enum64 if ty.name().is_empty() && ty.vlen() == 0 => {
                self.text.push_str("int");
            }
            Kind::Enum | Kind::Enum64 if ty.name().is_empty() => self.enumeration(ty, level),
            Kind::Struct | Kind::Union | Kind::Fwd | Kind::Enum | Kind::Enum64 => {
                let keyword = keyword(ty);
                let name = self.names.of(ty);
                self.text.push_str(keyword);
                self.text.push(' ');
                self.text.push_str(&name);
            }
            Kind::Int if integer::has_c_name(ty) => self.text.push_str(ty.name()),
            Kind::Int if !integer::needs_alias(ty) => self.text.push_str(integer::c_name(ty)),
            Kind::Float if !integer::needs_alias(ty) => self.text.push_str(ty.name()),
            Kind::Typedef if Self::is_builtin(ty) => self.text.push_str(ty.name()),
            Kind::Typedef | Kind::Int | Kind::Float => {
                let name = self.names.of(ty);
                self.text.push_str(&name);
            }
            _ => self.text.push_str("void"),
        }
    }

    /// A structure that is written where it is used.
    fn anonymous(&mut self, ty: &Type<'b>, level: usize, scope: Option<&mut Members<'b>>) {
        if self.inside.contains(&ty.id()) {
            self.text.push_str("void");
            return;
        }
        self.inside.push(ty.id());
        self.text.push_str(keyword(ty));
        self.body(ty, level, scope.unwrap_or(&mut Members::default()));
        self.inside.pop();
    }

    /// Writes the links around the name; the last one in the list is next to the base type.
    fn around(&mut self, links: &[Link<'b>], name: &str, level: usize, mut after_star: bool) {
        let Some((link, outer)) = links.split_last() else {
            if !name.is_empty() {
                self.text.push_str(if after_star { "" } else { " " });
                self.text.push_str(name);
            }
            return;
        };
        match link {
            Link::Pointer => {
                self.text.push_str(if after_star { "*" } else { " *" });
                after_star = true;
                self.around(outer, name, level, after_star);
            }
            Link::Word(word) => {
                self.text.push(' ');
                self.text.push_str(word);
                self.around(outer, name, level, false);
            }
            Link::Attribute(attribute) => {
                self.text.push_str(attribute);
                self.around(outer, name, level, after_star && attribute.is_empty());
            }
            Link::Array(len) => {
                let outer = without_words(outer);
                self.group(
                    outer,
                    name,
                    level,
                    after_star,
                    matches!(outer.last(), Some(Link::Array(_))),
                );
                // Writing to a string does not fail.
                let _ = write!(self.text, "[{len}]");
            }
            Link::Function(prototype) => {
                let outer = without_words(outer);
                self.group(outer, name, level, after_star, false);
                self.params(prototype, level);
            }
        }
    }

    /// Writes what comes before dimensions or parameters, in parentheses if needed.
    fn group(
        &mut self,
        outer: &[Link<'b>],
        name: &str,
        level: usize,
        after_star: bool,
        is_dimension: bool,
    ) {
        if outer.is_empty() || is_dimension {
            self.around(outer, name, level, after_star);
        } else {
            self.text.push_str(" (");
            self.around(outer, name, level, true);
            self.text.push(')');
        }
    }

    pub(super) fn params(&mut self, prototype: &Type<'b>, level: usize) {
        let params = prototype.params();
        if params.len() == 0 {
            self.text.push_str("(void)");
            return;
        }
        self.text.push('(');
        let last = params.len().saturating_sub(1);
        let mut names = Members::default();
        for (index, param) in params.enumerate() {
            if index > 0 {
                self.text.push_str(", ");
            }
            if index == last && index > 0 && param.type_id.is_void() {
                // A variadic function ends in a parameter without name and type.
                self.text.push_str("...");
            } else if param.name.is_empty() {
                self.declare(param.type_id, "", level, None);
            } else {
                let name = names.name(param.name);
                self.declare(param.type_id, &name, level, None);
            }
        }
        self.text.push(')');
    }
}

/// A step from the name towards the base type.
enum Link<'b> {
    Pointer,
    /// `const`, `volatile` or `restrict`.
    Word(&'static str),
    Attribute(String),
    Array(u64),
    Function(Type<'b>),
}

/// The base type of a declaration.
enum Base<'b> {
    Type(Type<'b>),
    Word(&'static str),
}

/// The replacement for an incomplete type.
pub(super) const BYTE: &str = "unsigned char";

/// Qualifiers of arrays and functions have no meaning: gcc emits some for elements and for `noreturn`.
fn without_words<'l, 'b>(mut links: &'l [Link<'b>]) -> &'l [Link<'b>] {
    while let Some((Link::Word(_), rest)) = links.split_last() {
        links = rest;
    }
    links
}

/// The keyword before the name of a type that has its own name.
pub(super) fn keyword(ty: &Type<'_>) -> &'static str {
    match ty.kind() {
        Kind::Union => "union",
        Kind::Fwd if ty.kflag() => "union",
        Kind::Enum | Kind::Enum64 => "enum",
        _ => "struct",
    }
}
