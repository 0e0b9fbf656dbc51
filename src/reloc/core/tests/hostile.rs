//! Graphs of types that no compiler makes.

use super::{blob, int, kernel, kind, question, structure};
use crate::TypeId;
use crate::btf::{Btf, BtfBuilder, CoreRelo, Info, Kind, Signedness};
use crate::insn::Insn;
use crate::reloc::core::budget::Budget;
use crate::reloc::core::error::CoreError;
use crate::reloc::core::kind::RelocKind;
use crate::reloc::core::matching::match_candidate;
use crate::reloc::core::resolver::CoreResolver;
use crate::reloc::core::spec::Spec;
use proptest::collection::vec;
use proptest::prelude::*;

/// Steps that a test may take where an object may take millions.
const FEW: u64 = 20_000;

/// Matches the first type that `local` makes, and that is called `t`, with the last one that `target` makes.
fn match_within(
    budget: u64,
    kind: RelocKind,
    access: &str,
    local: impl FnOnce(&mut BtfBuilder) -> TypeId,
    target: impl FnOnce(&mut BtfBuilder) -> TypeId,
) -> Result<bool, CoreError> {
    let of = |build: Box<dyn FnOnce(&mut BtfBuilder) -> TypeId + '_>| {
        let mut editor = BtfBuilder::new();
        let id = build(&mut editor);
        (editor.build().unwrap(), id)
    };
    let (local, local_id) = of(Box::new(local));
    let (target, target_id) = of(Box::new(target));
    let spec = Spec::parse(kind, local.get(local_id)?, access)?;
    let candidate = target.get(target_id)?;
    let found = match_candidate(&spec, candidate, &mut Budget::of(budget))?;
    Ok(found.is_ok())
}

/// A structure that holds the next one twice, and so on: 2^levels paths lead to the bottom.
fn doubling(levels: usize, names: [&'static str; 2]) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| {
        let int = int(b);
        let mut inner = structure(b, "t", 4, &[("end", int, 0)]);
        for _ in 0..levels {
            inner = structure(b, "t", 4, &[(names[0], inner, 0), (names[1], inner, 0)]);
        }
        inner
    }
}

#[test]
fn anonymous_members_do_not_explode() {
    let local = |b: &mut BtfBuilder| {
        let int = int(b);
        structure(b, "t", 4, &[("nowhere", int, 0)])
    };
    let anonymous = doubling(30, ["", ""]);
    let found = match_within(FEW, RelocKind::FieldExists, "0:0", local, anonymous);
    assert_eq!(found, Err(CoreError::TooMuchWork));
}

#[test]
fn anonymous_members_end_at_the_length_of_a_path() {
    let local = |b: &mut BtfBuilder| {
        let int = int(b);
        structure(b, "t", 4, &[("nowhere", int, 0)])
    };
    let endless = |b: &mut BtfBuilder| {
        let own = b.next_id();
        structure(b, "t", 4, &[("", own, 0)])
    };
    let found = match_within(FEW, RelocKind::FieldExists, "0:0", local, endless);
    assert_eq!(found, Err(CoreError::PathTooLong));
}

#[test]
fn matching_types_do_not_explode() {
    let pair = || doubling(29, ["a", "b"]);
    let found = match_within(FEW, RelocKind::TypeMatches, "0", pair(), pair());
    assert_eq!(found, Err(CoreError::TooMuchWork));
    let small = || doubling(5, ["a", "b"]);
    assert_eq!(
        match_within(FEW, RelocKind::TypeMatches, "0", small(), small()),
        Ok(true)
    );
}

#[test]
fn prototypes_do_not_explode() {
    let doubling = |b: &mut BtfBuilder| {
        let mut ty = int(b);
        for _ in 0..30 {
            ty = b.add_func_proto(ty, &[("a", ty), ("b", ty)]);
        }
        b.add_typedef("t", ty)
    };
    for kind in [RelocKind::TypeExists, RelocKind::TypeMatches] {
        let found = match_within(FEW, kind, "0", doubling, doubling);
        assert_eq!(found, Err(CoreError::TooMuchWork));
    }
}

#[test]
fn enumerators_are_compared_within_the_budget() {
    let many = |from: usize| {
        move |b: &mut BtfBuilder| {
            let names: Vec<String> = (from..from + 1000).map(|i| format!("E{i}")).collect();
            let constants: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
            b.add_enum("t", 4, Signedness::Unsigned, &constants)
        }
    };
    let same = |budget| match_within(budget, RelocKind::TypeMatches, "0", many(0), many(0));
    assert_eq!(same(FEW), Err(CoreError::TooMuchWork));
    assert_eq!(same(1 << 20), Ok(true));
}

#[test]
fn long_names_cost_more() {
    let named = |len: usize| {
        move |b: &mut BtfBuilder| {
            let name = "x".repeat(len);
            let constants: Vec<_> = vec![(name.as_str(), 1); 100];
            b.add_enum("t", 4, Signedness::Unsigned, &constants)
        }
    };
    let other = |b: &mut BtfBuilder| b.add_enum("t", 4, Signedness::Unsigned, &[("y", 1)]);
    let found = |len| match_within(200, RelocKind::EnumvalExists, "0", other, named(len));
    assert_eq!(found(20), Ok(false));
    assert_eq!(found(500), Err(CoreError::TooMuchWork));
}

#[test]
fn loops_of_references_end() {
    let endless = |kind: Kind| {
        move |b: &mut BtfBuilder| {
            let own = b.next_id();
            b.add_raw("t", Info::of(kind), own.0, &[])
        }
    };
    let failure =
        question(kind::TYPE_EXISTS, "0", endless(Kind::Typedef)).failure(endless(Kind::Typedef));
    assert!(failure.contains("most likely in a loop"), "{failure}");
    let array = |b: &mut BtfBuilder| {
        let own = b.next_id();
        let array = b.add_array(own, own, 1);
        structure(b, "t", 4, &[("x", array, 0)])
    };
    let found = match_within(FEW, RelocKind::FieldExists, "0:0", array, array);
    assert_eq!(found, Err(CoreError::TooMuchWork));
    let failure = question(kind::BYTE_OFFSET, "0:0:0", array).failure(array);
    assert!(failure.contains("most likely in a loop"), "{failure}");
}

#[test]
fn a_spent_budget_stays_spent() {
    let mut budget = Budget::of(10);
    assert_eq!(budget.spend(11), Err(CoreError::TooMuchWork));
    assert_eq!(budget.spend(1), Err(CoreError::TooMuchWork));
}

/// Types of any kind that refer to any others, some of them to none that exists.
fn any_blob() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec!["", "t", "t___x", "a", "b", "c___y"]);
    let element = (name.clone(), 0u32..14, 0u32..200);
    let record = (1u32..20, name, 0u32..14, any::<bool>(), vec(element, 0..4));
    vec(record, 1..12).prop_map(|records| {
        blob(|b| {
            for (number, name, word, kflag, elements) in records {
                let kind = Kind::from_number(number).unwrap();
                let (once, each) = kind.tail();
                let mut tail = vec![word % 9; usize::from(once) / 4];
                for (name, ty, offset) in &elements {
                    if each > 0 {
                        tail.extend([b.add_string(name), *ty]);
                    }
                    if each > 8 {
                        tail.push(*offset);
                    }
                }
                let vlen = if each > 0 { elements.len() } else { 0 };
                let info = Info {
                    kflag,
                    ..Info::of(kind).with_vlen(vlen)
                };
                b.add_raw(name, info, word, &tail);
            }
            for access in ACCESSES {
                b.add_string(access);
            }
        })
    })
}

const ACCESSES: &[&str] = &[
    "0",
    "1",
    "0:0",
    "0:1",
    "0:0:0",
    "2:1:0",
    "0:2:1:0",
    "0:3:3:3:3",
];

proptest! {
    #[test]
    fn any_graph_gets_an_answer(
        local in any_blob(),
        target in any_blob(),
        asked in vec((0u32..14, 0u32..14, 0..ACCESSES.len()), 1..20),
        code in any::<[u64; 3]>(),
    ) {
        let local = Btf::from_vec(local).unwrap();
        let target = kernel_of(target);
        let mut resolver = CoreResolver::new(&local, &target);
        for (kind, type_id, access) in asked {
            let record = CoreRelo {
                insn_off: 0,
                type_id: TypeId(type_id),
                access_str_off: offset_of(&local, ACCESSES[access]),
                kind,
            };
            let mut insns = code.map(|word| Insn::from_bytes(word.to_ne_bytes()));
            let before = insns;
            if let Ok(step) = resolver.apply(&mut insns, 0, &record) {
                prop_assert_eq!(step.insn, 0);
            } else {
                prop_assert_eq!(insns, before, "a failure changes nothing");
            }
            prop_assert_eq!(insns[2], before[2]);
        }
    }

    #[test]
    fn any_access_string_gets_an_answer(access in "[0-9:+ -]{0,12}|(0:){60,70}0|[^\\x00]{0,8}") {
        let build = doubling(3, ["a", ""]);
        let question = question(kind::BYTE_OFFSET, &access, &build);
        let _ = question.ask_kernel(&kernel(&build));
    }
}

fn kernel_of(blob: Vec<u8>) -> crate::reloc::Target {
    crate::reloc::Target::offline(crate::reloc::OfflineKernel {
        btf: Some(blob),
        ..Default::default()
    })
}

fn offset_of(btf: &Btf<'_>, text: &str) -> u32 {
    (0..10_000)
        .find(|offset| btf.str_at(*offset) == Some(text))
        .unwrap_or(0)
}
