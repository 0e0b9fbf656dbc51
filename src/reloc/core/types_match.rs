//! The strict comparison: is the kernel's type the way the program knows it?
//!
//! Names must agree at every level, and so must sizes and signs of integers and lengths of arrays. Every local member and
//! enumerator must be found; the kernel's type may have more of them, in another order and with other values. Behind a
//! pointer, a structure only needs the right name.

use super::budget::Budget;
use super::compat::{MAX_DEPTH, Pair};
use super::error::CoreError;
use crate::btf::{Enumerator, IntEncoding, Kind, Type, essential_name};

/// Whether a pointer was followed on the way: behind it, members of structures are not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    Directly,
    BehindPointer,
}

/// Whether the kernel's type matches the local one.
#[doc(alias = "__bpf_core_types_match")]
pub(super) fn types_match(
    pair: Pair<'_>,
    reached: Reached,
    level: u32,
    budget: &mut Budget,
) -> Result<bool, CoreError> {
    if level == 0 {
        return Err(CoreError::TooDeep);
    }
    let (mut pair, mut reached) = (pair, reached);
    for _ in 0..MAX_DEPTH {
        pair = pair.resolved()?;
        let (local, target) = (&pair.local, &pair.target);
        budget.spend_on(local.name())?;
        if !names_match(local.name(), target.name()) {
            return Ok(false);
        }
        let same_kind = local.kind() == target.kind();
        pair = match local.kind() {
            Kind::Void => return Ok(same_kind),
            Kind::Fwd => return Ok(forward_matches(local, target, reached)),
            Kind::Enum | Kind::Enum64 => return enums_match(local, target, budget),
            Kind::Struct | Kind::Union if reached == Reached::BehindPointer => {
                return Ok(same_kind || is_forward_of(target, local.kind()));
            }
            Kind::Struct | Kind::Union => {
                return Ok(same_kind && members_match(pair, level, budget)?);
            }
            Kind::Int => return Ok(same_kind && integers_match(local, target)),
            Kind::Ptr if same_kind => {
                reached = Reached::BehindPointer;
                pair.targets()?
            }
            Kind::Array if same_kind && array_len(local) == array_len(target) => pair.elements()?,
            Kind::FuncProto if same_kind => {
                if !params_match(pair, reached, level, budget)? {
                    return Ok(false);
                }
                pair.targets()?
            }
            _ => return Ok(false),
        };
    }
    Err(CoreError::TooDeep)
}

/// Compares names without their flavours.
#[doc(alias = "bpf_core_names_match")]
fn names_match(local: &str, target: &str) -> bool {
    local == target || !target.is_empty() && essential_name(local) == essential_name(target)
}

fn array_len(ty: &Type<'_>) -> Option<u32> {
    ty.array().map(|array| array.len)
}

fn integers_match(local: &Type<'_>, target: &Type<'_>) -> bool {
    let signed = |ty: &Type<'_>| {
        ty.int_encoding()
            .is_some_and(|int| int.flags & IntEncoding::SIGNED != 0)
    };
    local.size_field() == target.size_field() && signed(local) == signed(target)
}

/// Whether `ty` is a forward declaration of a type of this kind.
fn is_forward_of(ty: &Type<'_>, kind: Kind) -> bool {
    ty.kind() == Kind::Fwd && ty.kflag() == (kind == Kind::Union)
}

fn forward_matches(local: &Type<'_>, target: &Type<'_>, reached: Reached) -> bool {
    match target.kind() {
        Kind::Fwd => local.kflag() == target.kflag(),
        kind @ (Kind::Struct | Kind::Union) if reached == Reached::BehindPointer => {
            is_forward_of(local, kind)
        }
        _ => false,
    }
}

#[doc(alias = "bpf_core_enums_match")]
fn enums_match(
    local: &Type<'_>,
    target: &Type<'_>,
    budget: &mut Budget,
) -> Result<bool, CoreError> {
    let same_size = local.size_field() == target.size_field();
    if !target.kind().is_any_enum() || !same_size || local.vlen() > target.vlen() {
        return Ok(false);
    }
    for wanted in local.enumerators() {
        if !has_enumerator(target, &wanted, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has_enumerator(
    target: &Type<'_>,
    wanted: &Enumerator<'_>,
    budget: &mut Budget,
) -> Result<bool, CoreError> {
    for found in target.enumerators() {
        budget.spend_on(found.name)?;
        if names_match(wanted.name, found.name) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[doc(alias = "bpf_core_composites_match")]
fn members_match(pair: Pair<'_>, level: u32, budget: &mut Budget) -> Result<bool, CoreError> {
    if pair.local.vlen() > pair.target.vlen() {
        return Ok(false);
    }
    for wanted in pair.local.members() {
        let mut matched = false;
        for found in pair.target.members() {
            budget.spend_on(found.name)?;
            if !names_match(wanted.name, found.name) {
                continue;
            }
            let member = pair.follow(wanted.type_id, found.type_id)?;
            if types_match(member, Reached::Directly, level.saturating_sub(1), budget)? {
                matched = true;
                break;
            }
        }
        if !matched {
            return Ok(false);
        }
    }
    Ok(true)
}

fn params_match(
    pair: Pair<'_>,
    reached: Reached,
    level: u32,
    budget: &mut Budget,
) -> Result<bool, CoreError> {
    let Some(params) = pair.params() else {
        return Ok(false);
    };
    for (local, target) in params {
        let param = pair.follow(local, target)?;
        if !types_match(param, reached, level.saturating_sub(1), budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}
