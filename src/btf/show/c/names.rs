//! Unique valid C names: structures, unions and enumerations share one namespace, typedefs and constants another, and the
//! members of each structure have their own.

use crate::TypeId;
use crate::btf::show::names::{Space, plain};
use crate::btf::{Kind, Type};
use crate::keyed_hash::Table;
use std::borrow::Cow;
use std::collections::hash_map::Entry;

/// Keywords of C (up to C23, without those that kernels define: `bool`, `true`, `false`), and those of gcc and clang.
const KEYWORDS: &[&str] = &[
    "alignas",
    "alignof",
    "asm",
    "auto",
    "break",
    "case",
    "char",
    "const",
    "constexpr",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "nullptr",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "struct",
    "switch",
    "thread_local",
    "typedef",
    "typeof",
    "typeof_unqual",
    "union",
    "unsigned",
    "void",
    "volatile",
    "while",
    "_Alignas",
    "_Alignof",
    "_Atomic",
    "_BitInt",
    "_Bool",
    "_Complex",
    "_Decimal128",
    "_Decimal32",
    "_Decimal64",
    "_Generic",
    "_Imaginary",
    "_Noreturn",
    "_Static_assert",
    "_Thread_local",
    "__asm__",
    "__attribute__",
    "__const",
    "__extension__",
    "__inline",
    "__int128",
    "__restrict",
    "__signed__",
    "__typeof__",
    "__volatile__",
];

/// A valid C identifier: invalid characters become `_`, and keywords are changed.
pub(crate) fn identifier(name: &str) -> Cow<'_, str> {
    if is_keyword(name) {
        format!("{name}_").into()
    } else {
        plain(name)
    }
}

fn is_keyword(name: &str) -> bool {
    // All are short, and no kernel uses one as a name: checking the length avoids most comparisons.
    (2..=14).contains(&name.len()) && KEYWORDS.contains(&name)
}

/// The owner of a name in the namespace of structures, unions and enumerations.
#[derive(Clone, Copy)]
struct Tag {
    kind: Kind,
    /// Whether a definition has it, and not only forward declarations.
    is_defined: bool,
}

/// The names in use.
#[derive(Default)]
pub(super) struct Names<'b> {
    tags: Table<Cow<'b, str>, Tag>,
    /// How often each tag was requested by types other than its first owner.
    more_tags: Space<'b>,
    ordinary: Space<'b>,
    of_types: Table<TypeId, Cow<'b, str>>,
}

impl<'b> Names<'b> {
    /// The name of a structure, union, enumeration, forward declaration, typedef or integer.
    pub(super) fn of(&mut self, ty: &Type<'b>) -> Cow<'b, str> {
        if let Some(name) = self.of_types.get(&ty.id()) {
            return name.clone();
        }
        let name = identifier(ty.name());
        let name = match tag_of(ty) {
            Some(tag) => self.tag(&name, tag),
            None => self.ordinary(name),
        };
        self.of_types.insert(ty.id(), name.clone());
        name
    }

    /// A name for a constant, typedef or function.
    pub(super) fn ordinary(&mut self, name: Cow<'b, str>) -> Cow<'b, str> {
        self.ordinary.take(name)
    }

    /// A forward declaration and the first definition of the same kind have the same name.
    fn tag(&mut self, name: &Cow<'b, str>, wanted: Tag) -> Cow<'b, str> {
        let mut free = name.clone();
        loop {
            match self.tags.entry(free.clone()) {
                Entry::Vacant(entry) => {
                    entry.insert(wanted);
                    return free;
                }
                Entry::Occupied(mut entry) => {
                    let has = entry.get_mut();
                    if has.kind == wanted.kind && !(has.is_defined && wanted.is_defined) {
                        has.is_defined |= wanted.is_defined;
                        return free;
                    }
                }
            }
            free = self.more_tags.next(name);
        }
    }
}

/// `None` for types that are not written with `struct`, `union` or `enum`.
fn tag_of(ty: &Type<'_>) -> Option<Tag> {
    let tag = |kind, is_defined| Some(Tag { kind, is_defined });
    match ty.kind() {
        Kind::Struct | Kind::Union => tag(ty.kind(), true),
        // An enumeration without constants is a forward declaration.
        Kind::Enum | Kind::Enum64 => tag(Kind::Enum, ty.vlen() > 0),
        Kind::Fwd if ty.kflag() => tag(Kind::Union, false),
        Kind::Fwd => tag(Kind::Struct, false),
        _ => None,
    }
}

/// The names of one structure's members, including those of its anonymous members.
#[derive(Default)]
pub(super) struct Members<'b> {
    taken: Space<'b>,
    gaps: u32,
}

impl<'b> Members<'b> {
    /// A member's name, which depends only on the order of calls.
    pub(super) fn name(&mut self, name: &'b str) -> Cow<'b, str> {
        self.taken.take(identifier(name))
    }

    /// A name for an array of padding bytes.
    pub(super) fn gap(&mut self) -> Cow<'b, str> {
        self.gaps = self.gaps.saturating_add(1);
        self.taken.take(format!("__gap{}", self.gaps).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        for (name, expected) in [
            ("task_struct", "task_struct"),
            ("default", "default_"),
            ("_Bool", "_Bool_"),
            ("Option<&str>", "Option__str_"),
            ("3com", "_3com"),
            ("größe", "gr__e"),
            ("", "_"),
        ] {
            assert_eq!(identifier(name), expected);
        }
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let mut names = Names::default();
        let given: Vec<_> = ["a", "a", "a___2", "a", "b"]
            .map(|name| names.ordinary(name.into()).into_owned())
            .into();
        assert_eq!(given, ["a", "a___2", "a___2___2", "a___3", "b"]);
        let mut members = Members::default();
        assert_eq!(
            ["x", "x", "y"].map(|name| members.name(name)),
            ["x", "x___2", "y"]
        );
    }
}
