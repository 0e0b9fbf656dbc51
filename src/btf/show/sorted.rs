//! The types that have their own definitions, in an order that allows comparing two kernels.

use crate::TypeId;
use crate::btf::{Btf, Kind, Type};

/// The order in which types are written, as far as dependencies allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Order {
    /// By kind and name, so that the output of two kernels can be compared.
    #[default]
    Names,
    /// By type id.
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

/// The rank of a type's kind; `None` for types without a definition of their own.
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

/// An anonymous enumeration is identified by its first constant.
fn sort_name<'b>(ty: &Type<'b>) -> &'b str {
    match ty.enumerator(0) {
        Some(constant) if ty.name().is_empty() => constant.name,
        _ => ty.name(),
    }
}
