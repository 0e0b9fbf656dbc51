//! Finds the path of a local type in a candidate of the kernel.

use super::budget::Budget;
use super::compat::{MAX_DEPTH, Pair, fields_are_compatible, types_are_compatible};
use super::error::CoreError;
use super::kind::{RelocClass, RelocKind};
use super::spec::{Accessor, Spec, describe};
use super::types_match::{Reached, types_match};
use crate::TypeId;
use crate::btf::{Member, Type, essential_name};
use std::fmt;

/// The path in a kernel's type, or why it is not there.
pub(super) type Match<'a> = Result<Spec<'a>, Mismatch<'a>>;

/// Why a type with the right name is not the one that the program means.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mismatch<'a> {
    /// It is a different type.
    OtherShape,
    /// It is not an enumeration.
    NoEnumeration(Type<'a>),
    /// The enumeration lacks the enumerator.
    NoEnumerator(&'a str),
    /// The structure lacks the field.
    NoMember(Type<'a>, &'a str),
    /// The structure's field cannot be read the way the program expects.
    OtherMember {
        of: Type<'a>,
        name: &'a str,
        found: TypeId,
        local: Type<'a>,
        expected: TypeId,
    },
    /// A field that must be an array is not one.
    NotArray(Type<'a>),
    /// An array is too short.
    TooShort { len: u32, index: u32 },
}

impl<'a> Mismatch<'a> {
    /// The type in which a field was looked for, if it is not the one that the path starts at.
    pub(super) fn place(&self, root: &Type<'_>) -> Option<String> {
        match self {
            Self::NoMember(of, _) | Self::OtherMember { of, .. } if of.id() != root.id() => {
                Some(describe(of))
            }
            _ => None,
        }
    }

    /// Fields that may be the missing one under another name: ``"; did you mean `__state`?"``.
    pub(super) fn suggestion(&self) -> String {
        /// Suggestions from thousands of fields help nobody, and comparing takes time.
        const MOST: usize = 1000;
        let Self::NoMember(of, name) = self else {
            return String::new();
        };
        let mut names: Vec<&'a str> = Vec::new();
        for member in of.members().take(MOST) {
            if !member.name.is_empty() {
                names.push(member.name);
                continue;
            }
            // In kernels, nearly all anonymous members are one level deep.
            let inner = of.btf().get(member.type_id).and_then(|ty| ty.resolved());
            let inner = inner.map(|inner| inner.members().take(MOST - names.len().min(MOST)));
            names.extend(inner.into_iter().flatten().map(|member| member.name));
        }
        crate::did_you_mean(name, names.into_iter().filter(|name| !name.is_empty()))
    }
}

impl fmt::Display for Mismatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherShape => f.write_str("is another type than the program's"),
            Self::NoEnumeration(ty) => write!(f, "is {}, no enumeration", describe(ty)),
            Self::NoEnumerator(name) => write!(f, "has no enumerator `{name:.200}`"),
            Self::NoMember(_, name) => write!(f, "has no member `{name:.200}`"),
            Self::OtherMember {
                of,
                name,
                found,
                local,
                expected,
            } => {
                let found = of.btf().type_name(*found);
                let expected = local.btf().type_name(*expected);
                write!(
                    f,
                    "has a member `{name:.200}` of another type: {found:.200}, where the program has {expected:.200}"
                )
            }
            Self::NotArray(ty) => write!(f, "has {} where the program has an array", describe(ty)),
            Self::TooShort { len, index } => {
                write!(
                    f,
                    "has an array of {len} elements, too short for index {index}"
                )
            }
        }
    }
}

/// Looks for the local path in the candidate.
#[doc(alias = "bpf_core_spec_match")]
pub(super) fn match_candidate<'a>(
    local: &Spec<'a>,
    candidate: Type<'a>,
    budget: &mut Budget,
) -> Result<Match<'a>, CoreError> {
    match local.kind.class() {
        RelocClass::Type => match_type(local, candidate, budget),
        RelocClass::Enumval => match_enumerator(local, candidate, budget),
        RelocClass::Field => match_path(local, candidate, budget),
    }
}

fn match_type<'a>(
    local: &Spec<'a>,
    candidate: Type<'a>,
    budget: &mut Budget,
) -> Result<Match<'a>, CoreError> {
    let pair = Pair {
        local: local.root,
        target: candidate,
    };
    let same = match local.kind {
        RelocKind::TypeMatches => types_match(pair, Reached::Directly, MAX_DEPTH, budget)?,
        _ => types_are_compatible(pair, MAX_DEPTH, budget)?,
    };
    Ok(if same {
        Ok(Spec::at_root(local.kind, candidate))
    } else {
        Err(Mismatch::OtherShape)
    })
}

fn match_enumerator<'a>(
    local: &Spec<'a>,
    candidate: Type<'a>,
    budget: &mut Budget,
) -> Result<Match<'a>, CoreError> {
    let wanted = local.accessors.first().and_then(|first| first.name);
    let wanted = wanted.unwrap_or_default();
    let ty = candidate.resolved()?;
    if !ty.kind().is_any_enum() {
        return Ok(Err(Mismatch::NoEnumeration(ty)));
    }
    // Unreadable names are empty, which does not make them equal.
    if wanted.is_empty() {
        return Ok(Err(Mismatch::NoEnumerator(wanted)));
    }
    let essential = essential_name(wanted);
    for (index, found) in (0..).zip(ty.enumerators()) {
        budget.spend_on(found.name)?;
        if essential_name(found.name) == essential {
            let mut spec = Spec::at_root(local.kind, candidate);
            spec.push_raw(index)?;
            spec.accessors.push(Accessor {
                ty,
                index,
                name: Some(found.name),
            });
            return Ok(Ok(spec));
        }
    }
    Ok(Err(Mismatch::NoEnumerator(wanted)))
}

fn match_path<'a>(
    local: &Spec<'a>,
    candidate: Type<'a>,
    budget: &mut Budget,
) -> Result<Match<'a>, CoreError> {
    let mut walk = Walk {
        spec: Spec::at_root(local.kind, candidate),
        budget,
    };
    let btf = candidate.btf();
    let mut at = candidate.id();
    for (place, accessor) in local.accessors.iter().enumerate() {
        let ty = btf.get(at)?.resolved()?;
        let step = match accessor.name {
            Some(name) => walk.field(accessor, name, ty)?,
            // The first index is into the array that the pointer may point to.
            None if place == 0 => walk.element(ty, accessor.index)?,
            None => walk.array(ty, accessor.index)?,
        };
        match step {
            Ok(next) => at = next,
            Err(mismatch) => return Ok(Err(mismatch)),
        }
    }
    Ok(Ok(walk.spec))
}

/// Where a step leads, or why it leads nowhere.
type Step<'a> = Result<TypeId, Mismatch<'a>>;

/// The result of a search for a member.
enum Search<'a> {
    /// It is not in this structure; the search continues.
    Absent,
    /// It is here. The first member with the right name decides, whatever comes later.
    Decided(Step<'a>),
}

/// The path so far, while the local one is followed through the kernel's types.
struct Walk<'a, 'b> {
    spec: Spec<'a>,
    budget: &'b mut Budget,
}

/// The member that is searched for.
struct Wanted<'a> {
    name: &'a str,
    ty: TypeId,
    of: Type<'a>,
}

impl<'a> Walk<'a, '_> {
    fn array(&mut self, ty: Type<'a>, index: u32) -> Result<Step<'a>, CoreError> {
        let Some(array) = ty.array() else {
            return Ok(Err(Mismatch::NotArray(ty)));
        };
        if index >= array.len && !self.spec.is_flexible(&array) {
            let len = array.len;
            return Ok(Err(Mismatch::TooShort { len, index }));
        }
        let element = ty.btf().get(array.element)?.resolved()?;
        self.element(element, index)
    }

    fn element(&mut self, element: Type<'a>, index: u32) -> Result<Step<'a>, CoreError> {
        self.budget.spend(1)?;
        self.spec.push_raw(index)?;
        self.spec.push_element(element, index)?;
        Ok(Ok(element.id()))
    }

    fn field(
        &mut self,
        accessor: &Accessor<'a>,
        name: &'a str,
        ty: Type<'a>,
    ) -> Result<Step<'a>, CoreError> {
        let member = usize::try_from(accessor.index)
            .ok()
            .and_then(|index| accessor.ty.member(index));
        let Some(member) = member else {
            return Ok(Err(Mismatch::NoMember(ty, name)));
        };
        let wanted = Wanted {
            name,
            ty: member.type_id,
            of: accessor.ty,
        };
        match self.search(&wanted, ty)? {
            Search::Decided(step) => Ok(step),
            Search::Absent => Ok(Err(Mismatch::NoMember(ty, name))),
        }
    }

    /// Searches the members in order, and those of anonymous structures and unions in their places; as
    /// deep as a path may be long, and as wide as the budget allows.
    #[doc(alias = "bpf_core_match_member")]
    fn search(&mut self, wanted: &Wanted<'a>, ty: Type<'a>) -> Result<Search<'a>, CoreError> {
        for (index, member) in (0..).zip(ty.members()) {
            self.budget.spend(1)?;
            let found = if member.name.is_empty() {
                self.search_anonymous(wanted, ty, index, &member)?
            } else if member.name == wanted.name {
                self.take(wanted, ty, index, &member)?
            } else if self.spec.raw.len() >= super::error::MAX_PATH {
                return Err(CoreError::PathTooLong);
            } else {
                Search::Absent
            };
            if let Search::Decided(_) = found {
                return Ok(found);
            }
        }
        Ok(Search::Absent)
    }

    fn search_anonymous(
        &mut self,
        wanted: &Wanted<'a>,
        ty: Type<'a>,
        index: u32,
        member: &Member<'a>,
    ) -> Result<Search<'a>, CoreError> {
        let before = self.spec.bit_offset;
        self.spec.push_raw(index)?;
        self.spec.bit_offset = before.wrapping_add(member.bit_offset);
        let inner = ty.btf().get(member.type_id)?.resolved()?;
        let found = self.search(wanted, inner)?;
        if let Search::Absent = found {
            self.spec.raw.pop();
            self.spec.bit_offset = before;
        }
        Ok(found)
    }

    /// Checks the type of a member that has the right name.
    fn take(
        &mut self,
        wanted: &Wanted<'a>,
        ty: Type<'a>,
        index: u32,
        member: &Member<'a>,
    ) -> Result<Search<'a>, CoreError> {
        self.budget.spend_on(member.name)?;
        self.spec.push_raw(index)?;
        let local = (wanted.of.btf(), wanted.ty);
        let target = (ty.btf(), member.type_id);
        if !fields_are_compatible(local, target, self.budget)? {
            return Ok(Search::Decided(Err(Mismatch::OtherMember {
                of: ty,
                name: member.name,
                found: member.type_id,
                local: wanted.of,
                expected: wanted.ty,
            })));
        }
        self.spec.bit_offset = self.spec.bit_offset.wrapping_add(member.bit_offset);
        self.spec.accessors.push(Accessor {
            ty,
            index,
            name: Some(member.name),
        });
        Ok(Search::Decided(Ok(member.type_id)))
    }
}
