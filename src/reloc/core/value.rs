//! From a pair of paths to numbers: what the instruction holds, what it is to hold, and whether it can.

use super::error::CoreError;
use super::field::field_answer;
use super::kind::{RelocClass, RelocKind};
use super::spec::Spec;
use super::type_enum::{enumval_answer, type_answer};
use crate::btf::{IntEncoding, Type};

/// One side's answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) value: u64,
    pub(super) check: Check,
    pub(super) access: Access<'a>,
}

/// Whether the instruction must hold the local answer before it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Exact,
    Skip,
}

/// How a load or store would reach the field. Only offsets have one: `size` is 0 otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Access<'a> {
    /// Bytes of the field; of an array, bytes of an element.
    size: u32,
    /// The field's type, without typedefs and qualifiers.
    ty: Option<Type<'a>>,
}

impl<'a> Answer<'a> {
    /// An answer that is checked and says nothing of loads.
    pub(super) fn of(value: u64) -> Self {
        Self {
            value,
            check: Check::Exact,
            access: Access::default(),
        }
    }

    /// What a found path answers.
    pub(super) fn from_path(spec: &Spec<'a>) -> Result<Self, CoreError> {
        match spec.kind.class() {
            RelocClass::Field => field_answer(spec),
            RelocClass::Type => type_answer(spec),
            RelocClass::Enumval => enumval_answer(spec),
        }
    }
}

impl<'a> Access<'a> {
    /// The access to a value of this type.
    pub(super) fn to(ty: Type<'a>) -> Result<Self, CoreError> {
        let mut element = ty;
        // Nesting is bounded as in `size_of`, which would refuse what is deeper.
        for _ in 0..super::compat::MAX_DEPTH {
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

    /// Whether a load of `self` may become one of `other`: pointers, and integers that are not signed, for both are
    /// extended with zeros.
    fn may_become(&self, other: &Self) -> bool {
        let (Some(old), Some(new)) = (self.ty, other.ty) else {
            return false;
        };
        if old.kind() == crate::btf::Kind::Ptr && new.kind() == crate::btf::Kind::Ptr {
            return true;
        }
        // Of the flags only "signed and nothing else" counts; a signed char passes, as it does in libbpf.
        let extends = |ty: Type<'_>| {
            ty.int_encoding()
                .is_some_and(|int| int.flags != IntEncoding::SIGNED)
        };
        extends(old) && extends(new)
    }
}

/// What is to become of the instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What the object's own types say.
    pub(super) before: u64,
    /// What the kernel's types say; `None` if they have no answer, so that the instruction must not be reached.
    pub(super) after: Option<u64>,
    pub(super) check: Check,
    pub(super) resize: Resize,
}

/// Whether the width of a load or store has to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resize {
    Keep,
    To {
        old: u32,
        new: u32,
    },
    /// It would have to, but the value would come out wrong.
    Unfit,
}

impl Verdict {
    /// With a path found in the kernel's types.
    #[doc(alias = "bpf_core_calc_relo")]
    pub(super) fn found(local: &Answer<'_>, target: &Answer<'_>) -> Self {
        let (old, new) = (local.access, target.access);
        let resize = if old.size == new.size {
            Resize::Keep
        } else if old.may_become(&new) {
            Resize::To {
                old: old.size,
                new: new.size,
            }
        } else {
            Resize::Unfit
        };
        Self {
            before: local.value,
            after: Some(target.value),
            check: local.check,
            resize,
        }
    }

    /// Without any.
    pub(super) fn not_found(kind: RelocKind, local: &Answer<'_>) -> Self {
        let has_answer = match kind.class() {
            RelocClass::Type => true,
            RelocClass::Field => kind == RelocKind::FieldExists,
            RelocClass::Enumval => kind == RelocKind::EnumvalExists,
        };
        Self {
            before: local.value,
            after: has_answer.then_some(0),
            check: local.check,
            resize: Resize::Keep,
        }
    }
}
