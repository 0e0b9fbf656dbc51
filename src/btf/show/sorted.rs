//! The types that have definitions of their own, in an order that can be compared with another kernel's.

use crate::TypeId;
use crate::btf::{Btf, Kind, Type};

/// In which order types are written, as far as what they need leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Order {
    /// By kind and name, so that what is written of two kernels can be compared.
    #[default]
    Names,
    /// By number.
    Numbers,
}

/// The blob's own types that have definitions, in this order.
pub(super) fn sorted(btf: &Btf<'_>, order: Order) -> Vec<TypeId> {
    let defined = |ty: &Type<'_>| rank(ty).is_some();
    let types = btf.types().filter(defined);
    match order {
        Order::Numbers => types.map(|ty| ty.id()).collect(),
        Order::Names => {
            let mut keys: Vec<_> = types
                .map(|ty| (rank(&ty), sort_name(&ty), ty.id()))
                .collect();
            keys.sort_unstable();
            keys.into_iter().map(|(_, _, id)| id).collect()
        }
    }
}

/// Which types come first; `None` for those without a definition of their own.
fn rank(ty: &Type<'_>) -> Option<u8> {
    let is_named = || !ty.name().is_empty();
    match ty.kind() {
        Kind::Enum | Kind::Enum64 if !is_named() => Some(0),
        Kind::Enum | Kind::Enum64 => Some(1),
        Kind::Typedef => Some(2),
        Kind::Struct | Kind::Union if is_named() => Some(3),
        Kind::Fwd => Some(4),
        _ => None,
    }
}

/// An enumeration without a name is known by its first constant.
fn sort_name<'b>(ty: &Type<'b>) -> &'b str {
    match ty.enumerator(0) {
        Some(constant) if ty.name().is_empty() => constant.name,
        _ => ty.name(),
    }
}
