//! Questions about whole types and about enumerators.

use super::answer::{Answer, Check};
use super::error::CoreError;
use super::kind::RelocKind;
use super::spec::Spec;
use crate::btf::Kind;

/// The answer for a type.
#[doc(alias = "bpf_core_calc_type_relo")]
pub(super) fn type_answer<'a>(spec: &Spec<'a>) -> Result<Answer<'a>, CoreError> {
    let root = &spec.root;
    Ok(match spec.kind {
        // Linking renumbers types without patching the instructions that contain the ids.
        RelocKind::TypeIdLocal | RelocKind::TypeIdTarget => Answer {
            check: Check::Skip,
            ..Answer::of(root.id().0.into())
        },
        RelocKind::TypeSize => Answer::of(root.btf().size_of(root.id())?.into()),
        _ => Answer::of(1),
    })
}

/// The answer for an enumerator.
#[doc(alias = "bpf_core_calc_enumval_relo")]
pub(super) fn enumval_answer<'a>(spec: &Spec<'a>) -> Result<Answer<'a>, CoreError> {
    if spec.kind == RelocKind::EnumvalExists {
        return Ok(Answer::of(1));
    }
    let last = spec.accessors.first();
    let found = last.and_then(|last| {
        let index = usize::try_from(last.index).ok()?;
        let value = last.ty.enumerator(index)?.value.cast_unsigned();
        Some(match last.ty.kind() {
            // The low half, sign-extended, whether or not the enumeration is signed.
            Kind::Enum => sign_extend(value),
            _ => value,
        })
    });
    found
        .map(Answer::of)
        .ok_or_else(|| CoreError::NotAnEnumerator(super::spec::describe(&spec.root)))
}

fn sign_extend(value: u64) -> u64 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i64::from(i32::from_le_bytes([a, b, c, d])).cast_unsigned()
}
