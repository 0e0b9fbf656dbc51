//! Patches the answer into the instruction.

use super::answer::Check;
use super::error::CoreError;
use super::value::{Resize, Verdict};
use crate::insn::{Insn, class, mode, size, source};
use crate::reloc::{CoreOutcome, Poison};

/// What was done to an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patched {
    /// The previous value of the field that was to be patched; `None` if the instruction has none.
    pub(super) before: Option<u64>,
    pub(super) outcome: CoreOutcome,
}

/// Patches the instruction at `at`, after checking that it is what the object's own types imply.
#[doc(alias = "bpf_core_patch_insn")]
pub(super) fn patch(
    insns: &mut [Insn],
    at: usize,
    verdict: &Verdict,
) -> Result<Patched, CoreError> {
    let len = insns.len();
    let insns = insns.get_mut(at..).unwrap_or_default();
    let Some((insn, rest)) = insns.split_first_mut() else {
        return Err(CoreError::NoInstruction { insn: at, len });
    };
    let second = rest.first_mut();
    let Some(after) = verdict.after else {
        let before = held_value(*insn, second.as_deref().copied());
        return Ok(poison(insn, second, before));
    };
    match insn.class() {
        class::ALU | class::ALU64 => patch_immediate(insn, verdict, after),
        class::LDX | class::ST | class::STX => patch_offset(insn, verdict, after),
        class::LD => patch_wide_immediate(insn, second, verdict, after),
        _ => Err(unfit(*insn, "value")),
    }
}

fn unfit(insn: Insn, what: &'static str) -> CoreError {
    let code = insn.code;
    CoreError::UnfitInstruction { code, what }
}

/// Replaces the instruction with one that the verifier accepts only in code that is never reached.
#[doc(alias = "bpf_core_poison_insn")]
fn poison(insn: &mut Insn, second: Option<&mut Insn>, before: Option<u64>) -> Patched {
    let call = Poison::Core.insn();
    if insn.is_ldimm64()
        && let Some(second) = second
    {
        *second = call;
    }
    *insn = call;
    Patched {
        before,
        outcome: CoreOutcome::Poisoned,
    }
}

/// The value of the field that a relocation would patch.
fn held_value(insn: Insn, second: Option<Insn>) -> Option<u64> {
    match insn.class() {
        class::ALU | class::ALU64 => Some(extend(insn.imm)),
        class::LDX | class::ST | class::STX => Some(i64::from(insn.off).cast_unsigned()),
        class::LD if insn.is_ldimm64() => Some(join(insn.imm, second?.imm)),
        _ => None,
    }
}

fn extend(imm: i32) -> u64 {
    i64::from(imm).cast_unsigned()
}

fn join(low: i32, high: i32) -> u64 {
    u64::from(high.cast_unsigned()) << 32 | u64::from(low.cast_unsigned())
}

/// The two halves of a 64-bit immediate, low half first.
fn split(value: u64) -> [i32; 2] {
    let half = |shift: u32| u32::try_from(value >> shift & u64::from(u32::MAX));
    [half(0), half(32)].map(|half| half.unwrap_or_default().cast_signed())
}

fn check(verdict: &Verdict, what: &'static str, found: u64) -> Result<(), CoreError> {
    if verdict.check == Check::Exact && found != verdict.before {
        return Err(CoreError::OriginalValue {
            what,
            found,
            expected: verdict.before,
        });
    }
    Ok(())
}

fn patched(before: u64) -> Patched {
    Patched {
        before: Some(before),
        outcome: CoreOutcome::Patched,
    }
}

fn patch_immediate(insn: &mut Insn, verdict: &Verdict, after: u64) -> Result<Patched, CoreError> {
    if insn.code & source::X != source::K {
        return Err(unfit(*insn, "immediate"));
    }
    let before = extend(insn.imm);
    check(verdict, "immediate", before)?;
    let [low, _] = split(after);
    insn.imm = low;
    Ok(patched(before))
}

fn patch_offset(insn: &mut Insn, verdict: &Verdict, after: u64) -> Result<Patched, CoreError> {
    let before = i64::from(insn.off).cast_unsigned();
    check(verdict, "offset", before)?;
    let offset = i16::try_from(after).map_err(|_| CoreError::OffsetTooLarge(after))?;
    let code = match verdict.resize {
        Resize::Unfit => return Ok(poison(insn, None, Some(before))),
        Resize::Keep => insn.code,
        Resize::To { old, new } => {
            let found = access_bytes(insn.code);
            if found != old {
                return Err(CoreError::AccessSize {
                    found,
                    expected: old,
                });
            }
            let bits = access_bits(new).ok_or(CoreError::NoAccessSize(new))?;
            insn.code & mode::MASK | bits | insn.class()
        }
    };
    insn.off = offset;
    insn.code = code;
    Ok(patched(before))
}

fn patch_wide_immediate(
    insn: &mut Insn,
    second: Option<&mut Insn>,
    verdict: &Verdict,
    after: u64,
) -> Result<Patched, CoreError> {
    let clean_second = |second: &Insn| second.code == 0 && second.regs == 0 && second.off == 0;
    let Some(second) = second.filter(|second| clean_second(second)) else {
        return Err(unfit(*insn, "64-bit immediate"));
    };
    if !insn.is_ldimm64() || insn.src() != 0 || insn.off != 0 {
        return Err(unfit(*insn, "64-bit immediate"));
    }
    let before = join(insn.imm, second.imm);
    check(verdict, "64-bit immediate", before)?;
    [insn.imm, second.imm] = split(after);
    Ok(patched(before))
}

/// How many bytes a load or store accesses.
fn access_bytes(code: u8) -> u32 {
    match code & size::MASK {
        size::B => 1,
        size::H => 2,
        size::W => 4,
        _ => 8,
    }
}

/// The size bits of a load or store of this many bytes.
fn access_bits(bytes: u32) -> Option<u8> {
    match bytes {
        1 => Some(size::B),
        2 => Some(size::H),
        4 => Some(size::W),
        8 => Some(size::DW),
        _ => None,
    }
}
