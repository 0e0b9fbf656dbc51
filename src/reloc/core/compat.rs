//! Loose comparisons: can this field be read the way the program expects, and is this the type that the program means?

use super::budget::Budget;
use super::error::CoreError;
use super::kind::kinds_agree;
use crate::TypeId;
use crate::btf::{Btf, Kind, Type, essential_name};

/// How deep types may be nested, and how many references may be followed in a row.
pub(super) const MAX_DEPTH: u32 = 32;

/// A type of the object and one of the kernel, side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) local: Type<'a>,
    pub(super) target: Type<'a>,
}

impl Pair<'_> {
    /// The two types with these ids, in the blobs that this pair comes from.
    pub(super) fn follow(self, local: TypeId, target: TypeId) -> Result<Self, CoreError> {
        Ok(Self {
            local: self.local.btf().get(local)?,
            target: self.target.btf().get(target)?,
        })
    }

    /// Both without typedefs and qualifiers.
    pub(super) fn resolved(self) -> Result<Self, CoreError> {
        Ok(Self {
            local: self.local.resolved()?,
            target: self.target.resolved()?,
        })
    }

    /// What both pointers point to, or what both prototypes return.
    pub(super) fn targets(self) -> Result<Self, CoreError> {
        self.follow(
            TypeId(self.local.size_field()),
            TypeId(self.target.size_field()),
        )
    }

    /// The elements of both arrays.
    pub(super) fn elements(self) -> Result<Self, CoreError> {
        match (self.local.array(), self.target.array()) {
            (Some(local), Some(target)) => self.follow(local.element, target.element),
            _ => Ok(self),
        }
    }

    /// Whether both are of the same kind; enumerations of both widths count as one.
    pub(super) fn kinds_agree(&self) -> bool {
        kinds_agree(self.local.kind(), self.target.kind())
    }

    /// Whether both are ordinary integers, not the bitfields that old compilers described as integers with an offset.
    fn are_whole_integers(&self) -> bool {
        let whole = |ty: &Type<'_>| ty.int_encoding().is_some_and(|int| int.offset == 0);
        whole(&self.local) && whole(&self.target)
    }

    /// The parameters of both prototypes, if there are as many of each.
    pub(super) fn params(self) -> Option<impl Iterator<Item = (TypeId, TypeId)>> {
        let (local, target) = (self.local.params(), self.target.params());
        (local.len() == target.len())
            .then(|| local.zip(target).map(|(l, t)| (l.type_id, t.type_id)))
    }
}

/// Whether a program that knows a field by its local type can read the kernel's field.
///
/// Structures and unions always agree, whatever their members, because the path says more; so do pointers. Sizes and signs of
/// integers may differ: the load is adjusted.
#[doc(alias = "bpf_core_fields_are_compat")]
pub(super) fn fields_are_compatible<'a>(
    local: (&'a Btf<'a>, TypeId),
    target: (&'a Btf<'a>, TypeId),
    budget: &mut Budget,
) -> Result<bool, CoreError> {
    let mut pair = Pair {
        local: local.0.get(local.1)?,
        target: target.0.get(target.1)?,
    };
    loop {
        budget.spend(1)?;
        pair = pair.resolved()?;
        let (local, target) = (pair.local, pair.target);
        if local.kind().is_composite() && target.kind().is_composite() {
            return Ok(true);
        }
        if !pair.kinds_agree() {
            return Ok(false);
        }
        return Ok(match local.kind() {
            Kind::Ptr | Kind::Float => true,
            Kind::Int => pair.are_whole_integers(),
            Kind::Fwd | Kind::Enum | Kind::Enum64 => {
                local.name().is_empty()
                    || target.name().is_empty()
                    || essential_name(local.name()) == essential_name(target.name())
            }
            Kind::Array => {
                pair = pair.elements()?;
                continue;
            }
            _ => false,
        });
    }
}

/// Whether a kernel's type is the one that the program's type stands for. Names have been compared already; members do not count.
#[doc(alias = "__bpf_core_types_are_compat")]
pub(super) fn types_are_compatible(
    pair: Pair<'_>,
    level: u32,
    budget: &mut Budget,
) -> Result<bool, CoreError> {
    // A typedef is compatible with typedefs only.
    if !pair.kinds_agree() {
        return Ok(false);
    }
    let mut pair = pair;
    for _ in 0..MAX_DEPTH {
        budget.spend(1)?;
        pair = pair.resolved()?;
        if !pair.kinds_agree() {
            return Ok(false);
        }
        pair = match pair.local.kind() {
            Kind::Void | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Fwd => {
                return Ok(true);
            }
            Kind::Int => return Ok(pair.are_whole_integers()),
            Kind::Ptr => pair.targets()?,
            Kind::Array => pair.elements()?,
            Kind::FuncProto => {
                if !params_are_compatible(pair, level, budget)? {
                    return Ok(false);
                }
                pair.targets()?.resolved()?
            }
            // CO-RE has no questions about floating-point numbers, functions and variables.
            _ => return Ok(false),
        };
    }
    Err(CoreError::TooDeep)
}

/// Whether the object's type with this id is compatible with the kernel's, independently of any relocation. Externs are
/// checked this way.
///
/// # Errors
/// One of them cannot be resolved.
pub(crate) fn declarations_are_compatible(
    (local, local_id): (&Btf<'static>, TypeId),
    (target, target_id): (&Btf<'static>, TypeId),
) -> crate::Result<bool> {
    let pair = Pair {
        local: local.get(local_id)?,
        target: target.get(target_id)?,
    };
    Ok(types_are_compatible(
        pair,
        MAX_DEPTH,
        &mut Budget::default(),
    )?)
}

fn params_are_compatible(
    pair: Pair<'_>,
    level: u32,
    budget: &mut Budget,
) -> Result<bool, CoreError> {
    let Some(params) = pair.params() else {
        return Ok(false);
    };
    for (local, target) in params {
        let deeper = level.checked_sub(1).ok_or(CoreError::TooDeep)?;
        let param = pair.follow(local, target)?.resolved()?;
        if !types_are_compatible(param, deeper, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}
