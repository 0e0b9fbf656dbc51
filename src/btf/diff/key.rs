//! The key that identifies a type.

use super::report::Named;
use crate::TypeId;
use crate::btf::{Btf, Kind, Type};

/// Kinds that count as the same are represented by the lowest of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key<'b> {
    rank: u8,
    pub(super) name: &'b str,
    pub(super) is_anonymous: bool,
}

/// In the order in which they are reported.
const KINDS: [Kind; 10] = [
    Kind::Struct,
    Kind::Union,
    Kind::Enum,
    Kind::Typedef,
    Kind::Func,
    Kind::Var,
    Kind::Datasec,
    Kind::Int,
    Kind::Float,
    Kind::Fwd,
];

impl<'b> Key<'b> {
    /// `None` for a type without a name, unless it is an enumeration with constants.
    pub(super) fn of(ty: &Type<'b>) -> Option<Self> {
        let kind = one_enum(ty.kind());
        let rank = (0..).zip(KINDS).find(|(_, known)| *known == kind)?.0;
        let (name, is_anonymous) = match ty.name() {
            "" if kind == Kind::Enum => (ty.enumerator(0)?.name, true),
            name => (name, false),
        };
        (!name.is_empty()).then_some(Self {
            rank,
            name,
            is_anonymous,
        })
    }

    pub(super) fn kind(&self) -> Kind {
        let kind = KINDS.get(usize::from(self.rank)).copied();
        kind.unwrap_or(Kind::Void)
    }

    pub(super) fn named(&self) -> Named {
        Named {
            kind: self.kind(),
            name: self.name.to_owned(),
            is_anonymous: self.is_anonymous,
        }
    }
}

/// Enumerations of both widths count as one kind: which one a compiler uses depends on the constants.
pub(super) fn one_enum(kind: Kind) -> Kind {
    match kind {
        Kind::Enum64 => Kind::Enum,
        kind => kind,
    }
}

/// The anonymous type that a typedef names: `typedef struct { ... } name`. Other types are returned unchanged.
pub(super) fn body<'b>(btf: &'b Btf<'b>, ty: Type<'b>) -> Type<'b> {
    let target = match ty.kind() {
        Kind::Typedef => anonymous(btf, ty.target().unwrap_or_default()),
        _ => None,
    };
    target.unwrap_or(ty)
}

/// The anonymous structure, union or enumeration of this type, skipping qualifiers.
pub(super) fn anonymous<'b>(btf: &'b Btf<'b>, id: TypeId) -> Option<Type<'b>> {
    let mut ty = btf.get(id).ok()?;
    for _ in 0..crate::btf::MAX_CHAIN {
        let has_parts = ty.kind().is_composite() || ty.kind().is_any_enum();
        if has_parts {
            return ty.name().is_empty().then_some(ty);
        }
        if !ty.kind().is_modifier() {
            return None;
        }
        ty = btf.get(ty.target()?).ok()?;
    }
    None
}
