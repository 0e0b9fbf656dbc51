//! `vmlinux.h` with the types that a source may name alone: clang needs a second for all of a kernel's types, and a few
//! milliseconds for those.
//!
//! A word of the source may be the name of a type, a constant or a kernel function: those are written, with what they contain.
//! If a member's name is a word of the source, too, the source may look at what it points to, so that is written as well. A
//! source can get at a type in other ways (through what a function returns, by a name that a macro puts together). Then clang finds it
//! incomplete, and gets all types.

use crate::words::Words;
use rawbpf::TypeId;
use rawbpf::btf::c::Header;
use rawbpf::btf::{Btf, BtfError, Kind, Type};
use std::collections::HashSet;

/// All types of a kernel.
pub(crate) fn whole(btf: &Btf<'_>) -> Result<String, BtfError> {
    Ok(Header::new(btf).write()?.take_text())
}

/// Those that the words may name.
pub(crate) fn naming(btf: &Btf<'_>, words: &Words) -> Result<String, BtfError> {
    let mut choice = Choice {
        btf,
        words,
        roots: HashSet::new(),
        seen: HashSet::new(),
    };
    choice.choose_named();
    let mut roots: Vec<_> = choice.roots.into_iter().collect();
    if roots.is_empty() {
        // Without any, the header would have all.
        return Ok(String::new());
    }
    // Of two types with one name, the first keeps it, as in the whole header.
    roots.sort_unstable();
    Ok(Header::new(btf).only(roots).write()?.take_text())
}

/// The types that are going to be written.
struct Choice<'b, 'w> {
    btf: &'b Btf<'b>,
    words: &'w Words,
    roots: HashSet<TypeId>,
    /// What was looked at, and whether pointers were followed.
    seen: HashSet<(TypeId, Reach)>,
}

/// How a type is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reach {
    /// It is part of a type that is written.
    Contained,
    /// The source may look into it.
    Used,
}

impl<'b> Choice<'b, '_> {
    fn choose_named(&mut self) {
        let mut constants = HashSet::new();
        for ty in self.btf.types() {
            let is_named = self.words.may_name(ty.name());
            let is_wanted = match ty.kind() {
                Kind::Struct
                | Kind::Union
                | Kind::Typedef
                | Kind::Int
                | Kind::Float
                | Kind::Func => is_named,
                Kind::Enum | Kind::Enum64 => {
                    let mut names = ty.enumerators();
                    let has_named = names.any(|constant| self.words.may_name(constant.name));
                    if has_named && ty.name().is_empty() {
                        constants.insert(ty.id());
                    }
                    is_named || has_named
                }
                _ => false,
            };
            if is_wanted {
                self.walk(ty.id());
            }
        }
        self.choose_owners(&constants);
    }

    /// An enumeration without a name is written with the type that contains it.
    fn choose_owners(&mut self, constants: &HashSet<TypeId>) {
        if constants.is_empty() {
            return;
        }
        for ty in self.btf.types().filter(|ty| !ty.name().is_empty()) {
            let is_owner = match ty.kind() {
                Kind::Typedef => ty.target().is_some_and(|id| constants.contains(&id)),
                Kind::Struct | Kind::Union => ty
                    .members()
                    .any(|member| constants.contains(&member.type_id)),
                _ => false,
            };
            if is_owner {
                self.walk(ty.id());
            }
        }
    }

    /// Chooses a type that may be used, and what may be used through it.
    fn walk(&mut self, id: TypeId) {
        let mut open = vec![(id, Reach::Used)];
        while let Some((id, reach)) = open.pop() {
            if !self.seen.insert((id, reach)) {
                continue;
            }
            let Ok(ty) = self.btf.get(id) else { continue };
            match ty.kind() {
                Kind::Struct | Kind::Union => {
                    self.root(&ty, reach);
                    self.members(&ty, &mut open);
                }
                Kind::Ptr if reach == Reach::Contained => {}
                Kind::Array => open.extend(ty.array().map(|array| (array.element, reach))),
                Kind::FuncProto => {
                    let params = ty.params().map(|param| (param.type_id, Reach::Contained));
                    open.extend(params);
                    open.extend(ty.target().map(|id| (id, reach)));
                }
                _ => {
                    self.root(&ty, reach);
                    open.extend(ty.target().map(|id| (id, reach)));
                }
            }
        }
    }

    fn root(&mut self, ty: &Type<'b>, reach: Reach) {
        if reach == Reach::Used && (!ty.name().is_empty() || ty.vlen() > 0) {
            self.roots.insert(ty.id());
        }
    }

    fn members(&self, ty: &Type<'b>, open: &mut Vec<(TypeId, Reach)>) {
        for member in ty.members() {
            let reach = if self.words.may_look_into(member.name) {
                Reach::Used
            } else {
                Reach::Contained
            };
            open.push((member.type_id, reach));
        }
    }
}
