//! Turns a pair of paths into numbers: what the instruction contains, what it must contain, and whether it can.

use super::answer::{Answer, Check};
use super::error::CoreError;
use super::field::field_answer;
use super::kind::{RelocClass, RelocKind};
use super::spec::Spec;
use super::type_enum::{enumval_answer, type_answer};

impl<'a> Answer<'a> {
    /// What a found path answers.
    pub(super) fn from_path(spec: &Spec<'a>) -> Result<Self, CoreError> {
        match spec.kind.class() {
            RelocClass::Field => field_answer(spec),
            RelocClass::Type => type_answer(spec),
            RelocClass::Enumval => enumval_answer(spec),
        }
    }
}

/// How the instruction is to be patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The answer of the object's own types.
    pub(super) before: u64,
    /// The kernel's answer; `None` if there is none, so that the instruction must never be reached.
    pub(super) after: Option<u64>,
    pub(super) check: Check,
    pub(super) resize: Resize,
}

/// Whether the width of a load or store must change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resize {
    Keep,
    To {
        old: u32,
        new: u32,
    },
    /// It would have to, but the value would be wrong.
    Unfit,
}

impl Verdict {
    /// For a path that was found in the kernel's types.
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

    /// For a path that was not found.
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
