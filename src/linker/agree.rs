//! Whether all files agree on a name that they share: on its type, and for a map on its definition.
//!
//! Types are compared as C sees them: typedefs and qualifiers are ignored. Targets of pointers are compared by kind and name,
//! where a forward declaration is enough; structures by value, member by member.

use super::declared::Declared;
use super::input::{Input, invalid};
use super::map_definition;
use super::resolve::{Global, Resolved};
use crate::btf::{Btf, BtfError, Kind, Linkage, Type};
use crate::{Error, Result, TypeId};
use std::collections::HashSet;

/// The section that contains maps.
const MAPS: &str = ".maps";

/// How thoroughly two types are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Depth {
    /// With all of their members.
    Whole,
    /// By kind and name, as the target of a pointer.
    Name,
}

/// Two types to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Pair {
    a: TypeId,
    b: TypeId,
    depth: Depth,
}

/// Compares the types of two files; pairs that were found equal are not compared again.
struct Comparison {
    equal: HashSet<(usize, usize, Pair)>,
    /// The pairs of map definitions that were found equal.
    maps: HashSet<(usize, usize, [Option<TypeId>; 2])>,
    todo: Vec<Pair>,
    /// How many more types, members and parameters may be compared.
    left: usize,
}

/// How many different types one type may be compared with, on average.
const MOST_PAIRS: usize = 8;
/// A constant allowance in addition, for small files.
const LEAST_PAIRS: usize = 1 << 12;

/// Checks that all files that mention a name agree on it.
#[doc(alias = "glob_syms_match")]
pub(super) fn check(
    inputs: &[Input<'_>],
    declared: &[Declared<'_>],
    resolved: &Resolved<'_>,
) -> Result<()> {
    let bytes = inputs.iter().filter_map(|input| input.btf.as_ref());
    let elements = bytes.map(|btf| btf.bytes().len() / 8);
    let elements = elements.fold(0, usize::saturating_add);
    let mut comparison = Comparison {
        equal: HashSet::new(),
        maps: HashSet::new(),
        todo: Vec::new(),
        left: elements
            .saturating_mul(MOST_PAIRS)
            .saturating_add(LEAST_PAIRS),
    };
    for (input, symbol, global) in resolved.shared() {
        if (global.chosen.input, global.chosen.symbol.index) == (input, symbol) {
            continue;
        }
        let (Some(here), Some(names)) = (inputs.get(input), declared.get(input)) else {
            continue;
        };
        let Some(there) = inputs.get(global.chosen.input) else {
            continue;
        };
        let other = names.find(global.name).and_then(|other| {
            let types = (here.btf.as_ref()).zip(there.btf.as_ref());
            let Some((a, b)) = types else {
                return Ok(());
            };
            let files = (input, global.chosen.input);
            comparison.global(global, files, (a, other.id), (b, global.declared.id))
        });
        other.map_err(|e| {
            e.context(format!("`{}`: here and in {}", global.name, there.name))
                .context(here.name.to_owned())
        })?;
    }
    Ok(())
}

impl Comparison {
    fn global(
        &mut self,
        global: &Global<'_>,
        files: (usize, usize),
        (a, a_id): (&Btf<'_>, TypeId),
        (b, b_id): (&Btf<'_>, TypeId),
    ) -> Result<()> {
        if global.declared.section == Some(MAPS) {
            let types = [a.get(a_id)?.target(), b.get(b_id)?.target()];
            if !self.maps.insert((files.0, files.1, types)) {
                return Ok(());
            }
            return map_definition::check((a, a_id), (b, b_id), &mut |x, y| {
                self.types(files, (a, x), (b, y))
            });
        }
        self.types(files, (a, a_id), (b, b_id))
    }

    /// Whether two types are the same in C.
    #[doc(alias = "glob_sym_btf_matches")]
    fn types(
        &mut self,
        (first, second): (usize, usize),
        (a, a_id): (&Btf<'_>, TypeId),
        (b, b_id): (&Btf<'_>, TypeId),
    ) -> Result<()> {
        self.todo.clear();
        self.later(a_id, b_id, Depth::Whole);
        while let Some(pair) = self.todo.pop() {
            if !self.equal.insert((first, second, pair)) {
                continue;
            }
            let types = (a.get(pair.a)?.resolved()?, b.get(pair.b)?.resolved()?);
            let elements = usize::try_from(types.0.vlen()).unwrap_or(usize::MAX);
            let left = self.left.checked_sub(elements.saturating_add(1));
            self.left = left.ok_or(BtfError::TooMuch(pair.a))?;
            self.pair(&types.0, &types.1, pair.depth)?;
        }
        Ok(())
    }

    fn later(&mut self, a: TypeId, b: TypeId, depth: Depth) {
        self.todo.push(Pair { a, b, depth });
    }

    fn pair(&mut self, a: &Type<'_>, b: &Type<'_>, depth: Depth) -> Result<()> {
        let is_forward = |ty: &Type<'_>| ty.kind() == Kind::Fwd;
        if depth == Depth::Name && is_forward(a) != is_forward(b) {
            return if is_forward(a) {
                forward(a, b)
            } else {
                forward(b, a)
            };
        }
        if a.kind() != b.kind() {
            return Err(different("kind", a, b));
        }
        match a.kind() {
            Kind::Void => {}
            Kind::Fwd => same_name(a, b)?,
            Kind::Int | Kind::Float => same_size(a, b)?,
            Kind::Enum | Kind::Enum64 => {
                same_name(a, b)?;
                same_size(a, b)?;
            }
            Kind::Ptr => self.later(TypeId(a.size_field()), TypeId(b.size_field()), Depth::Name),
            Kind::Array => {
                if let (Some(x), Some(y)) = (a.array(), b.array()) {
                    self.later(x.element, y.element, depth);
                }
            }
            Kind::Func | Kind::Var => {
                same_name(a, b)?;
                if (a.linkage() == Some(Linkage::Static)) != (b.linkage() == Some(Linkage::Static))
                {
                    return Err(different("linkage", a, b));
                }
                self.later(TypeId(a.size_field()), TypeId(b.size_field()), depth);
            }
            Kind::Struct | Kind::Union => {
                same_name(a, b)?;
                if depth == Depth::Whole {
                    self.members(a, b)?;
                }
            }
            Kind::FuncProto => self.params(a, b, depth)?,
            _ => return Err(different("kind", a, b)),
        }
        Ok(())
    }

    fn members(&mut self, a: &Type<'_>, b: &Type<'_>) -> Result<()> {
        if a.vlen() != b.vlen() {
            return Err(different("number of members", a, b));
        }
        for (x, y) in a.members().zip(b.members()) {
            let places =
                [x, y].map(|member| (member.name, member.bit_offset, member.bitfield_size));
            let [here, there] = places;
            if here != there {
                let (of, kind) = (a.name(), a.kind());
                return Err(invalid(format!(
                    "{kind} `{of}` has the member `{}` at bit {} here, and `{}` at bit {} there",
                    x.name, x.bit_offset, y.name, y.bit_offset
                ))
                .with_hint(HINT));
            }
            self.later(x.type_id, y.type_id, Depth::Whole);
        }
        Ok(())
    }

    fn params(&mut self, a: &Type<'_>, b: &Type<'_>, depth: Depth) -> Result<()> {
        if a.vlen() != b.vlen() {
            return Err(different("number of parameters", a, b));
        }
        for (x, y) in a.params().zip(b.params()) {
            self.later(x.type_id, y.type_id, depth);
        }
        self.later(TypeId(a.size_field()), TypeId(b.size_field()), depth);
        Ok(())
    }
}

const HINT: &str = "declare it in one header that all of these files include";

/// Whether a forward declaration is one of this structure or union.
fn forward(declared: &Type<'_>, ty: &Type<'_>) -> Result<()> {
    same_name(declared, ty)?;
    let expected = if declared.kflag() {
        Kind::Union
    } else {
        Kind::Struct
    };
    if ty.kind() == expected {
        return Ok(());
    }
    Err(different("kind", declared, ty))
}

fn same_name(a: &Type<'_>, b: &Type<'_>) -> Result<()> {
    if a.name() == b.name() {
        return Ok(());
    }
    Err(different("name", a, b))
}

fn same_size(a: &Type<'_>, b: &Type<'_>) -> Result<()> {
    if a.size_field() == b.size_field() {
        return Ok(());
    }
    Err(different("size", a, b))
}

#[cold]
fn different(what: &str, a: &Type<'_>, b: &Type<'_>) -> Error {
    let [here, there] = [a, b].map(|ty| ty.btf().type_name(ty.id()));
    invalid(format!(
        "the types differ in their {what}: `{here}` and `{there}`"
    ))
    .with_hint(HINT)
}
