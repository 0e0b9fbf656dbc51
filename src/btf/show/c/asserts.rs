//! Asserts about the sizes and offsets of the definitions, which a compiler checks.

use super::Definitions;
use super::declare::keyword;
use super::extent::{Form, VA_LIST};
use super::layout::Piece;
use super::names::Members;
use crate::TypeId;
use crate::btf::{BtfError, Kind, Type};
use std::collections::HashMap;
use std::fmt::Write as _;

const START: &str = "\
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), \"sizeof(\" #type \")\");
#define MEMBER(type, member, offset, size) \\
\t_Static_assert(__builtin_offsetof(type, member) == (offset), \"offset of \" #type \", \" #member); \\
\t_Static_assert(sizeof(((type *)0)->member) == (size), \"size of \" #type \", \" #member);
#ifndef BITFIELD
#define BITFIELD(type, member, offset, width)
#endif
";

impl Definitions<'_> {
    /// C code that compiles after the definitions only if the sizes of types, and the offsets and sizes of members, are those
    /// in BTF.
    ///
    /// Types with a `va_list`, whose size depends on the compiler, are left out. C cannot express the offset of a bitfield: for
    /// each there is a line `BITFIELD(type, member, offset, width)`, in bits, for a macro that the caller defines first.
    ///
    /// # Errors
    /// `TooMuch` if the output would be too large for the size of the types.
    pub fn asserts(&mut self) -> Result<String, BtfError> {
        let mut asserts = Asserts {
            text: START.to_owned(),
            has_va_list: HashMap::new(),
            definitions: self,
        };
        for id in std::mem::take(&mut asserts.definitions.written) {
            asserts.definition(id);
            asserts.definitions.written.push(id);
        }
        let text = asserts.text;
        self.check()?;
        Ok(text)
    }
}

struct Asserts<'d, 'b> {
    text: String,
    has_va_list: HashMap<TypeId, bool>,
    definitions: &'d mut Definitions<'b>,
}

/// The type that the asserts are about, and the path to a member of it.
struct Path<'p> {
    type_name: &'p str,
    /// The enclosing members, each followed by a `.`.
    prefix: &'p str,
    /// Offset in the type, in bits.
    offset: u64,
    depth: usize,
}

impl<'b> Asserts<'_, 'b> {
    fn definition(&mut self, id: TypeId) {
        let Ok(ty) = self.definitions.btf.get(id) else {
            return;
        };
        let name = self.definitions.names.of(&ty);
        let (type_name, body) = if ty.kind() == Kind::Typedef {
            let target = ty.target().and_then(|id| self.definitions.btf.get(id).ok());
            match target {
                Some(body) if body.kind().is_composite() && body.name().is_empty() => {
                    (name.into_owned(), body)
                }
                _ => return,
            }
        } else {
            (format!("{} {name}", keyword(&ty)), ty)
        };
        if self.has_va_list(body.id(), 0) {
            return;
        }
        let _ = writeln!(self.text, "SIZE({type_name}, {}ull)", body.size_field());
        let path = Path {
            type_name: &type_name,
            prefix: "",
            offset: 0,
            depth: 0,
        };
        self.members(&body, &path, &mut Members::default());
    }

    fn members(&mut self, ty: &Type<'b>, path: &Path<'_>, scope: &mut Members<'b>) {
        // An anonymous type that contains itself was written only up to that point.
        if path.depth > super::extent::DEEPEST || self.definitions.inside.contains(&ty.id()) {
            return;
        }
        self.definitions.inside.push(ty.id());
        let layout = self.definitions.layout(ty, path.depth);
        for piece in layout.pieces {
            match piece {
                Piece::Member(index) => self.member(ty, index, path, scope),
                Piece::Bytes(_) => {
                    scope.gap();
                }
                _ => {}
            }
        }
        self.definitions.inside.pop();
    }

    fn member(&mut self, ty: &Type<'b>, index: usize, path: &Path<'_>, scope: &mut Members<'b>) {
        let Some(member) = ty.member(index) else {
            return;
        };
        // Anonymous structures may contain each other any number of times.
        let text = path.prefix.len().saturating_add(member.name.len());
        self.definitions.spend(ty.id(), text.saturating_add(16));
        if self.definitions.is_exhausted() {
            return;
        }
        let btf = self.definitions.btf;
        let (form, _, (offset, width)) = self.definitions.form(&member, path.depth);
        let is_anonymous = member.name.is_empty() && width.is_none();
        let composite = btf
            .get(member.type_id)
            .and_then(|ty| ty.resolved())
            .ok()
            .filter(|ty| ty.kind().is_composite());
        let offset = path.offset.saturating_add(offset);
        let depth = path.depth.saturating_add(1);
        if let (Form::Own, true, Some(inner)) = (form, is_anonymous, &composite) {
            let path = Path {
                offset,
                depth,
                ..*path
            };
            return self.members(inner, &path, scope);
        }
        let name = match (member.name.is_empty(), width) {
            (true, Some(_)) => return,
            (true, None) => scope.gap(),
            _ => scope.name(member.name),
        };
        let (of, prefix) = (path.type_name, path.prefix);
        if let Some(width) = width {
            let _ = writeln!(
                self.text,
                "BITFIELD({of}, {prefix}{name}, {offset}, {width})"
            );
        }
        if form != Form::Own || width.is_some() || !offset.is_multiple_of(8) {
            return;
        }
        let Ok(size) = btf.size_of(member.type_id) else {
            return;
        };
        let _ = writeln!(
            self.text,
            "MEMBER({of}, {prefix}{name}, {}, {size}ull)",
            offset / 8
        );
        // Members of an anonymous type are reached through this one.
        if let Some(inner) = composite.filter(|ty| ty.name().is_empty()) {
            let is_typedef = btf
                .get(member.type_id)
                .is_ok_and(|ty| ty.kind() == Kind::Typedef);
            if !is_typedef {
                let path = Path {
                    type_name: of,
                    prefix: &format!("{prefix}{name}."),
                    offset,
                    depth,
                };
                self.members(&inner, &path, &mut Members::default());
            }
        }
    }

    /// Whether a type contains a `va_list` by value.
    fn has_va_list(&mut self, id: TypeId, depth: usize) -> bool {
        if let Some(known) = self.has_va_list.get(&id) {
            return *known;
        }
        if depth > super::extent::LONGEST_CHAIN {
            return false;
        }
        let Ok(ty) = self.definitions.btf.get(id) else {
            return false;
        };
        let depth = depth.saturating_add(1);
        // Recursion ends here.
        self.has_va_list.insert(id, false);
        let has = match ty.kind() {
            Kind::Typedef if ty.name() == VA_LIST => true,
            Kind::Typedef | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag => {
                ty.target().is_some_and(|id| self.has_va_list(id, depth))
            }
            Kind::Array => ty
                .array()
                .is_some_and(|array| self.has_va_list(array.element, depth)),
            Kind::Struct | Kind::Union => ty
                .members()
                .any(|member| self.has_va_list(member.type_id, depth)),
            _ => false,
        };
        self.has_va_list.insert(id, has);
        has
    }
}
