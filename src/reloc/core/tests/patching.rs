//! The instructions.

use super::{int, kernel, kind, nothing, question, structure, uint};
use crate::TypeId;
use crate::btf::{BtfBuilder, IntEncoding};
use crate::insn::{Insn, class, jump, mode, size, source};
use crate::reloc::core::answer::Check;
use crate::reloc::core::error::CoreError;
use crate::reloc::core::patch::patch;
use crate::reloc::core::resolver::CoreResolver;
use crate::reloc::core::value::{Resize, Verdict};
use crate::reloc::{CoreOutcome, CoreStep, Poison};

const POISON: Insn = Poison::Core.insn();

fn verdict(before: u64, after: Option<u64>) -> Verdict {
    Verdict {
        before,
        after,
        check: Check::Exact,
        resize: Resize::Keep,
    }
}

fn unchecked(verdict: Verdict) -> Verdict {
    Verdict {
        check: Check::Skip,
        ..verdict
    }
}

fn resized(resize: Resize) -> Verdict {
    Verdict {
        resize,
        ..verdict(4, Some(8))
    }
}

fn alu(imm: i32) -> Insn {
    Insn::new(class::ALU64 | source::K | 0xb0, 3, 0, 0, imm)
}

fn load(width: u8, off: i16) -> Insn {
    Insn::new(class::LDX | width | mode::MEM, 1, 2, off, 0)
}

fn wide(value: u64) -> [Insn; 2] {
    let low = i32::from_ne_bytes(((value & 0xffff_ffff) as u32).to_ne_bytes());
    let high = i32::from_ne_bytes(((value >> 32) as u32).to_ne_bytes());
    [
        Insn::new(Insn::LD_IMM64, 1, 0, 0, low),
        Insn::new(0, 0, 0, 0, high),
    ]
}

/// The instructions after patching the first.
fn patched(insns: &[Insn], verdict: &Verdict) -> Result<Vec<Insn>, CoreError> {
    let mut insns = insns.to_vec();
    patch(&mut insns, 0, verdict)?;
    Ok(insns)
}

#[test]
fn immediates_of_arithmetic() {
    for code in [class::ALU, class::ALU64] {
        let insn = |imm| Insn::new(code | source::K | 0xb0, 3, 0, 0, imm);
        assert_eq!(patched(&[insn(4)], &verdict(4, Some(8))), Ok(vec![insn(8)]));
    }
    // The upper half of the new value is lost.
    let long = verdict(4, Some(0x1_0000_0009));
    assert_eq!(patched(&[alu(4)], &long), Ok(vec![alu(9)]));
    let negative = verdict(u64::MAX, Some(u64::MAX - 1));
    assert_eq!(patched(&[alu(-1)], &negative), Ok(vec![alu(-2)]));
}

/// Edge case 32: what the instruction holds is compared with what the object's own types say, sign-extended.
#[test]
fn the_original_value_is_checked() {
    let wrong = |found| {
        Err(CoreError::OriginalValue {
            what: "immediate",
            found,
            expected: 4,
        })
    };
    assert_eq!(patched(&[alu(5)], &verdict(4, Some(8))), wrong(5));
    assert_eq!(
        patched(&[alu(-4)], &verdict(4, Some(8))),
        wrong(4u64.wrapping_neg())
    );
    let low_half = verdict(0xffff_ffff, Some(8));
    assert!(
        patched(&[alu(-1)], &low_half).is_err(),
        "not the same in 64 bits"
    );
    assert_eq!(
        patched(&[alu(5)], &unchecked(verdict(4, Some(8)))),
        Ok(vec![alu(8)])
    );
    assert!(patched(&[load(size::W, 5)], &verdict(4, Some(8))).is_err());
    assert!(patched(&wide(5), &verdict(4, Some(8))).is_err());
    assert!(patched(&wide(1 << 32 | 4), &verdict(4, Some(8))).is_err());
}

#[test]
fn only_immediates_of_arithmetic_can_be_patched() {
    let register = Insn::new(class::ALU64 | source::X | 0xb0, 3, 4, 0, 4);
    let jump = Insn::new(class::JMP | jump::JA, 0, 0, 4, 4);
    let jump32 = Insn::new(class::JMP32 | source::K | 0x10, 0, 0, 4, 4);
    for insn in [register, jump, jump32, Insn::new(Insn::EXIT, 0, 0, 0, 4)] {
        let failure = patched(&[insn], &verdict(4, Some(8)));
        assert!(
            matches!(failure, Err(CoreError::UnfitInstruction { .. })),
            "{insn:?}: {failure:?}"
        );
        // But any instruction can be poisoned.
        assert_eq!(patched(&[insn], &verdict(4, None)), Ok(vec![POISON]));
    }
}

#[test]
fn offsets_of_loads_and_stores() {
    for class in [class::LDX, class::ST, class::STX] {
        let insn = |off| Insn::new(class | size::W | mode::MEM, 1, 2, off, 7);
        assert_eq!(patched(&[insn(4)], &verdict(4, Some(8))), Ok(vec![insn(8)]));
        let last = verdict(4, Some(32767));
        assert_eq!(patched(&[insn(4)], &last), Ok(vec![insn(32767)]));
        assert_eq!(
            patched(&[insn(4)], &verdict(4, Some(32768))),
            Err(CoreError::OffsetTooLarge(32768))
        );
        let huge = verdict(4, Some(u64::MAX));
        assert_eq!(
            patched(&[insn(4)], &huge),
            Err(CoreError::OffsetTooLarge(u64::MAX))
        );
    }
}

#[test]
fn widths_of_loads_and_stores() {
    let widths = [(1, size::B), (2, size::H), (4, size::W), (8, size::DW)];
    for (old, old_bits) in widths {
        for (new, new_bits) in widths {
            let verdict = resized(Resize::To { old, new });
            let found = patched(&[load(old_bits, 4)], &verdict);
            assert_eq!(found, Ok(vec![load(new_bits, 8)]));
        }
    }
    let sign_extending = |bits, off| Insn::new(class::LDX | bits | mode::MEMSX, 1, 2, off, 0);
    assert_eq!(
        patched(
            &[sign_extending(size::W, 4)],
            &resized(Resize::To { old: 4, new: 2 })
        ),
        Ok(vec![sign_extending(size::H, 8)])
    );
    assert_eq!(
        patched(&[load(size::W, 4)], &resized(Resize::To { old: 8, new: 4 })),
        Err(CoreError::AccessSize {
            found: 4,
            expected: 8
        })
    );
    for new in [0, 3, 16] {
        assert_eq!(
            patched(&[load(size::W, 4)], &resized(Resize::To { old: 4, new })),
            Err(CoreError::NoAccessSize(new))
        );
    }
    // Widths are a matter of loads and stores only.
    let moved = patched(&[alu(4)], &resized(Resize::To { old: 4, new: 3 }));
    assert_eq!(moved, Ok(vec![alu(8)]));
    assert_eq!(
        patched(&[alu(4)], &resized(Resize::Unfit)),
        Ok(vec![alu(8)])
    );
}

/// Edge case 34: a load that would have to change its width but must not is poisoned, not truncated.
#[test]
fn loads_that_cannot_be_resized_are_poisoned() {
    let mut insns = [load(size::W, 4)];
    let done = patch(&mut insns, 0, &resized(Resize::Unfit)).unwrap();
    assert_eq!(
        (done.before, done.outcome),
        (Some(4), CoreOutcome::Poisoned)
    );
    assert_eq!(insns, [POISON]);
    // Checks come first, as in libbpf.
    assert!(patched(&[load(size::W, 5)], &resized(Resize::Unfit)).is_err());
}

#[test]
fn wide_immediates_are_patched_in_both_halves() {
    let both = verdict(0x1_8000_0002, Some(0x8765_4321_ffff_0000));
    assert_eq!(
        patched(&wide(0x1_8000_0002), &both),
        Ok(wide(0x8765_4321_ffff_0000).to_vec())
    );
    let [first, second] = wide(4);
    let misshapen = [
        [first.with_src(1), second],
        [Insn { off: 1, ..first }, second],
        [first, Insn { off: 1, ..second }],
        [first, Insn { code: 1, ..second }],
        [first, second.with_src(2)],
        [first, Insn { regs: 1, ..second }],
        [
            Insn {
                code: class::LD | size::W | mode::ABS,
                ..first
            },
            second,
        ],
    ];
    for insns in misshapen {
        let failure = patched(&insns, &verdict(4, Some(8)));
        assert!(
            matches!(failure, Err(CoreError::UnfitInstruction { .. })),
            "{insns:?}"
        );
    }
    let cut = patched(&[first], &verdict(4, Some(8)));
    assert!(matches!(cut, Err(CoreError::UnfitInstruction { .. })));
}

#[test]
fn poison_replaces_both_halves_of_a_wide_immediate() {
    assert_eq!(POISON.to_bytes(), [0x85, 0, 0, 0, 0x10, 0x23, 0xad, 0x0b]);
    assert_eq!(
        patched(&wide(4), &verdict(4, None)),
        Ok(vec![POISON, POISON])
    );
    assert_eq!(
        patched(&[alu(4), alu(5)], &verdict(4, None)),
        Ok(vec![POISON, alu(5)])
    );
    // Poisoning asks nothing of the instruction.
    assert_eq!(patched(&[alu(77)], &verdict(4, None)), Ok(vec![POISON]));
    assert_eq!(patched(&wide(4)[..1], &verdict(4, None)), Ok(vec![POISON]));
}

#[test]
fn instructions_must_be_there() {
    let failure = patch(&mut [alu(4)], 1, &verdict(4, Some(8)));
    assert_eq!(failure, Err(CoreError::NoInstruction { insn: 1, len: 1 }));
    assert!(patch(&mut [], usize::MAX, &verdict(4, None)).is_err());
}

fn point(at: u32, width: u32) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| {
        let ty = uint(b, width);
        structure(b, "point", 16, &[("x", ty, at * 8)])
    }
}

#[test]
fn a_step_tells_what_was_done() {
    let offset = question(kind::BYTE_OFFSET, "0:0", point(4, 4));
    let target = kernel(|b| {
        int(b);
        point(8, 8)(b)
    });
    let mut insns = [load(size::W, 4)];
    let mut resolver = CoreResolver::new(&offset.btf, &target);
    let step = resolver.apply(&mut insns, 0, &offset.record).unwrap();
    assert_eq!(insns, [load(size::DW, 8)]);
    assert_eq!(
        step,
        CoreStep {
            insn: 0,
            kind: "field_byte_offset",
            spec: "<byte_off> [2] struct point.x (0:0 @ offset 4)".to_string(),
            candidates: vec!["<byte_off> [3] struct point.x (0:0 @ offset 8)".to_string()],
            missing: None,
            mismatches: vec![],
            value_before: Some(4),
            value_after: Some(8),
            outcome: CoreOutcome::Patched,
        }
    );
}

#[test]
fn a_failure_tells_the_instruction_and_the_question() {
    let offset = question(kind::BYTE_OFFSET, "0:0", point(4, 4));
    let target = kernel(point(8, 4));
    let mut insns = [alu(0), alu(3)];
    let mut resolver = CoreResolver::new(&offset.btf, &target);
    let error = resolver.apply(&mut insns, 1, &offset.record).unwrap_err();
    assert_eq!(
        error.message(),
        "the instruction's immediate is 3, but the object's own types say 4"
    );
    assert_eq!(
        error.chain().collect::<Vec<_>>(),
        [
            "CO-RE relocation of instruction 1",
            "<byte_off> [2] struct point.x (0:0 @ offset 4)"
        ]
    );
    assert_eq!(insns[1], alu(3), "left as it was");
}

#[test]
fn missing_types_poison_and_say_so() {
    let offset = question(kind::BYTE_OFFSET, "0:0", point(4, 4));
    let target = kernel(nothing);
    let mut insns = [alu(4)];
    let mut resolver = CoreResolver::new(&offset.btf, &target);
    let step = resolver.apply(&mut insns, 0, &offset.record).unwrap();
    assert_eq!(step.outcome, CoreOutcome::Poisoned);
    assert_eq!((step.value_before, step.value_after), (Some(4), None));
    assert!(step.candidates.is_empty());
    assert_eq!(step.missing.as_deref(), Some("field `x` of `struct point`"));
    assert_eq!(step.mismatches, ["the kernel has no struct named `point`"]);
    assert_eq!(insns, [POISON]);
}

#[test]
fn a_load_that_cannot_be_resized_says_so() {
    let field = |size: u32| {
        move |b: &mut BtfBuilder| {
            let ty = b.add_int("int", size, IntEncoding::SIGNED);
            structure(b, "point", 16, &[("x", ty, 32)])
        }
    };
    let offset = question(kind::BYTE_OFFSET, "0:0", field(4));
    let target = kernel(field(8));
    let mut insns = [load(size::W, 4)];
    let mut resolver = CoreResolver::new(&offset.btf, &target);
    let step = resolver.apply(&mut insns, 0, &offset.record).unwrap();
    assert_eq!(
        (step.outcome, step.value_after),
        (CoreOutcome::Poisoned, None)
    );
    assert_eq!(step.candidates.len(), 1);
    assert!(step.mismatches[0].contains("another width"), "{step:?}");
}

#[test]
fn a_missing_field_is_told_with_the_candidates_and_what_they_have() {
    let offset = question(kind::BYTE_OFFSET, "0:0", |b| {
        let ty = b.add_int("int", 4, IntEncoding::SIGNED);
        structure(b, "task___old", 16, &[("state", ty, 0)])
    });
    let target = kernel(|b| {
        let ty = b.add_int("int", 4, IntEncoding::SIGNED);
        structure(b, "task", 16, &[("flags", ty, 0), ("__state", ty, 32)]);
        let pointer = b.add_ptr(ty);
        structure(b, "task", 16, &[("state", pointer, 0)])
    });
    let mut insns = [alu(0)];
    let mut resolver = CoreResolver::new(&offset.btf, &target);
    let step = resolver.apply(&mut insns, 0, &offset.record).unwrap();
    assert_eq!(
        step.missing.as_deref(),
        Some("field `state` of `struct task___old`")
    );
    assert_eq!(
        step.mismatches,
        [
            "[2] struct task has no member `state`; did you mean `__state`?",
            "[4] struct task has a member `state` of another type: int *, where the program has int"
        ]
    );
}
