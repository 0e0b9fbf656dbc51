//! The answer that a path into one side's types gives, in numbers.

use super::compat::MAX_DEPTH;
use super::error::CoreError;
use crate::btf::{IntEncoding, Kind, Type};

/// One side's answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) value: u64,
    pub(super) check: Check,
    pub(super) access: Access<'a>,
}

/// Whether the instruction must contain the local answer before it is patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Exact,
    Skip,
}

/// How a load or store would reach the field. Only offsets have one: `size` is 0 otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Access<'a> {
    /// The field's size in bytes; for an array, the size of an element.
    pub(super) size: u32,
    /// The field's type, without typedefs and qualifiers.
    ty: Option<Type<'a>>,
}

impl Answer<'_> {
    /// An answer that is checked and does not affect loads.
    pub(super) fn of(value: u64) -> Self {
        Self {
            value,
            check: Check::Exact,
            access: Access::default(),
        }
    }
}

impl<'a> Access<'a> {
    /// The access to a value of this type.
    pub(super) fn to(ty: Type<'a>) -> Result<Self, CoreError> {
        let mut element = ty;
        // Nesting is bounded as in `size_of`, which would reject anything deeper.
        for _ in 0..MAX_DEPTH {
            match element.array() {
                Some(array) => element = ty.btf().get(array.element)?.resolved()?,
                None => break,
            }
        }
        Ok(Self {
            size: ty.btf().size_of(element.id())?,
            ty: Some(ty),
        })
    }

    /// Whether a load of `self` may become a load of `other`: pointers and unsigned integers may, because both are
    /// zero-extended.
    pub(super) fn may_become(&self, other: &Self) -> bool {
        let (Some(old), Some(new)) = (self.ty, other.ty) else {
            return false;
        };
        if old.kind() == Kind::Ptr && new.kind() == Kind::Ptr {
            return true;
        }
        // Only a flag word that is exactly "signed" counts; a signed char passes, as it does in libbpf.
        let extends = |ty: Type<'_>| {
            ty.int_encoding()
                .is_some_and(|int| int.flags != IntEncoding::SIGNED)
        };
        extends(old) && extends(new)
    }
}
