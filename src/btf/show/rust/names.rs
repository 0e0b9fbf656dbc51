//! Unique valid Rust names: types of all kinds and constants share one namespace.

use super::bits::RESERVED;
use crate::TypeId;
use crate::btf::show::budget::Budget;
use crate::btf::show::names::{Space, plain};
use crate::btf::{Btf, Kind, Type};
use crate::keyed_hash::Table;
use std::borrow::Cow;

/// Keywords of Rust, which are names only with the prefix `r#`.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Words that are not names even then.
const NEVER_NAMES: &[&str] = &["_", "crate", "self", "super", "Self"];

/// Primitive types, whose names must keep their meaning.
const PRIMITIVES: &[&str] = &[
    "bool", "char", "f16", "f32", "f64", "f128", "i8", "i16", "i32", "i64", "i128", "isize", "str",
    "u8", "u16", "u32", "u64", "u128", "usize",
];

/// The maximum length of names composed of those of enclosing types.
const LONGEST: usize = 200;

/// A valid Rust identifier: invalid characters become `_`.
pub(crate) fn identifier(name: &str) -> Cow<'_, str> {
    spelled(plain(name))
}

fn spelled(name: Cow<'_, str>) -> Cow<'_, str> {
    if NEVER_NAMES.contains(&&*name) {
        format!("{name}_").into()
    } else if (2..=8).contains(&name.len()) && KEYWORDS.contains(&&*name) {
        format!("r#{name}").into()
    } else {
        name
    }
}

/// Without `r#`, to add a prefix.
pub(super) fn bare(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// The meaning of a type's name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Named<'b> {
    /// The type has a definition with this name.
    Own(Cow<'b, str>),
    /// The name of another type that is the same: `typedef struct s s`.
    Same(Cow<'b, str>),
}

/// The names of types and constants.
pub(super) struct Names<'b> {
    space: Space<'b>,
    of_types: Table<TypeId, Named<'b>>,
    /// The anonymous enumerations that are the type of a member or typedef.
    used: Vec<bool>,
}

impl<'b> Names<'b> {
    /// Names all types: structures, unions and enumerations first, so that a typedef of the same name has to give way.
    pub(super) fn of(btf: &'b Btf<'b>, others: &[&'static str], budget: &mut Budget) -> Self {
        let mut names = Self {
            space: Space::default(),
            of_types: Table::default(),
            used: vec![false; usize::try_from(btf.end_id()).unwrap_or_default()],
        };
        for name in PRIMITIVES.iter().chain(RESERVED).chain(others) {
            names.space.take((*name).into());
        }
        let all = || (1..btf.end_id()).filter_map(|id| btf.get(TypeId(id)).ok());
        for ty in all() {
            budget.spend(ty.id(), ty.name().len());
            let is_defined = ty.kind().is_composite() || ty.kind().is_any_enum();
            if is_defined && !ty.name().is_empty() {
                names.give(ty.id(), identifier(ty.name()));
            }
            names.note_uses(&ty);
            if budget.is_exhausted() {
                return names;
            }
        }
        for ty in all().filter(|ty| ty.kind() == Kind::Typedef) {
            names.typedef(btf, &ty);
        }
        // A type that is only declared gets its name if nothing else has it.
        for ty in all().filter(|ty| ty.kind() == Kind::Fwd) {
            let name = identifier(ty.name());
            if !ty.name().is_empty() && !names.space.has(&name) {
                names.give(ty.id(), name);
            }
        }
        names
    }

    fn give(&mut self, id: TypeId, name: Cow<'b, str>) {
        let name = self.space.take(name);
        self.of_types.insert(id, Named::Own(name));
    }

    fn note_uses(&mut self, ty: &Type<'_>) {
        if matches!(ty.kind(), Kind::Ptr | Kind::FuncProto | Kind::DeclTag) {
            return;
        }
        for id in ty.referenced() {
            let index = usize::try_from(id.0).unwrap_or(usize::MAX);
            if let Some(used) = self.used.get_mut(index) {
                *used = true;
            }
        }
    }

    /// A typedef names an anonymous type; it is not written if it only repeats another name.
    fn typedef(&mut self, btf: &'b Btf<'b>, ty: &Type<'b>) {
        let name = identifier(ty.name());
        let target = ty.target().unwrap_or_default();
        let number = || {
            let number = ty.resolved().ok()?;
            super::expression::number(&number)
        };
        let same = match self.of_types.get(&target) {
            Some(Named::Own(other)) => *other == name,
            Some(Named::Same(_)) => false,
            None => {
                let body = btf.get(target).ok().filter(|ty| ty.name().is_empty());
                let body = body.filter(|ty| ty.kind().is_composite() || ty.kind().is_any_enum());
                if body.is_some() {
                    self.give(target, name.clone());
                    let name = self.get(target).cloned().unwrap_or(name);
                    self.of_types.insert(ty.id(), Named::Same(name));
                    return;
                }
                false
            }
        };
        if same || number().is_some_and(|number| *number.text == *name) {
            self.of_types.insert(ty.id(), Named::Same(name));
        } else {
            self.give(ty.id(), name);
        }
    }

    /// The name of a type, if it has one.
    pub(super) fn get(&self, id: TypeId) -> Option<&Cow<'b, str>> {
        match self.of_types.get(&id)? {
            Named::Own(name) | Named::Same(name) => Some(name),
        }
    }

    /// Whether a type has a definition of its own name.
    pub(super) fn is_own(&self, id: TypeId) -> bool {
        matches!(self.of_types.get(&id), Some(Named::Own(_)))
    }

    /// Whether a member, a typedef or an array is of this type.
    pub(super) fn is_used(&self, id: TypeId) -> bool {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        self.used.get(index).copied().unwrap_or_default()
    }

    /// Names an anonymous type after a member of that type, unless it already has a name.
    pub(super) fn name_after(&mut self, id: TypeId, outer: &str, member: &str) {
        if !self.of_types.contains_key(&id) {
            let name = combined(outer, member, id);
            self.give(id, name);
        }
    }

    /// A name for a structure that no type describes.
    pub(super) fn take_owned(&mut self, name: String) -> Cow<'b, str> {
        self.space.take(name.into())
    }

    /// A name for a constant.
    pub(super) fn take(&mut self, name: &'b str) -> Cow<'b, str> {
        self.space.take(identifier(name))
    }
}

fn combined<'b>(outer: &str, member: &str, id: TypeId) -> Cow<'b, str> {
    let name = format!("{}_{}", bare(outer), bare(member));
    if name.len() > LONGEST {
        return format!("anonymous_{id}").into();
    }
    spelled(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        for (name, expected) in [
            ("task_struct", "task_struct"),
            ("type", "r#type"),
            ("self", "self_"),
            ("crate", "crate_"),
            ("_", "__"),
            ("", "__"),
            ("3com", "_3com"),
            ("Option<&str>", "Option__str_"),
            ("größe", "gr__e"),
        ] {
            assert_eq!(identifier(name), expected);
        }
    }
}
