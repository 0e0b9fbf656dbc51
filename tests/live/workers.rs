//! Programs that are loaded in parallel: the outcome is the same as loading them in turn.

use crate::load::{RETURN_0, careless, filter, hash, plan};
use crate::support::Need;
use rawbpf::insn::Insn;
use rawbpf::load::{LoadOptions, Object};
use rawbpf::reloc::{LoadPlan, MapPlan, ProgramPlan, Ref, RefKind, Target};
use rawbpf::{ErrorKind, MapType, ProgramType};

/// A program that returns this number.
fn returning(number: i32) -> ProgramPlan {
    let [mut first, exit] = RETURN_0;
    first.imm = number;
    filter(&format!("f{number}"), &[first, exit])
}

fn many() -> LoadPlan {
    plan(vec![hash("m")], (0..40).map(returning).collect())
}

fn load(plan: &LoadPlan, workers: usize) -> rawbpf::Result<Object> {
    let options = LoadOptions::new().workers(workers);
    plan.load_with(&Target::running(), &options)
}

#[test]
fn programs_are_the_same_however_many_load_them() {
    require!(Need::Bpf);
    let plan = many();
    let tags = |object: Object| -> Vec<(String, [u8; 8])> {
        let programs = object.programs().iter();
        programs
            .map(|p| (p.name().to_owned(), p.info().unwrap().tag))
            .collect()
    };
    let in_turn = tags(load(&plan, 1).unwrap());
    assert_eq!(in_turn.len(), 40);
    for workers in [2, 3, 64] {
        assert_eq!(tags(load(&plan, workers).unwrap()), in_turn);
    }
    assert_eq!(tags(plan.load(&Target::running()).unwrap()), in_turn);
}

#[test]
fn the_first_refusal_in_the_order_of_the_plan_is_told() {
    require!(Need::Bpf);
    let mut plan = many();
    for (at, name) in [(31, "third"), (5, "first"), (6, "second")] {
        plan.programs[at] = ProgramPlan {
            name: name.to_owned(),
            ..careless(0)
        };
    }
    for workers in [1, 2, 8, 40] {
        let error = load(&plan, workers).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Verifier, "{error}");
        assert!(error.to_string().contains("program `first`"), "{error}");
        assert!(error.verifier_log().is_some());
    }
}

/// The first program that uses a program array decides which others may.
#[test]
fn users_of_a_program_array_are_loaded_in_turn() {
    require!(Need::Bpf);
    let mut plan = many();
    plan.maps.push(MapPlan {
        kind: MapType::PROG_ARRAY,
        value_size: 4,
        ..hash("jumps")
    });
    let map = plan.maps.len() - 1;
    let user = |name: &str, kind| ProgramPlan {
        kind,
        refs: vec![Ref {
            insn: 0,
            kind: RefKind::Map { map },
            name: "jumps".into(),
        }],
        ..filter(
            name,
            &[
                Insn::new(Insn::LD_IMM64, 2, rawbpf::insn::pseudo::MAP_FD, 0, 0),
                Insn::default(),
                // bpf_tail_call(context, jumps, 0); the context is in its register already.
                Insn::new(RETURN_0[0].code, 3, 0, 0, 0),
                Insn::new(Insn::CALL, 0, 0, 0, 12),
                RETURN_0[0],
                RETURN_0[1],
            ],
        )
    };
    plan.programs[10] = user("owner", ProgramType::SOCKET_FILTER);
    plan.programs[11] = user("other", ProgramType::XDP);
    for workers in [1, 2, 8] {
        for _ in 0..10 {
            let error = load(&plan, workers).unwrap_err();
            assert!(error.to_string().contains("program `other`"), "{error}");
        }
    }
}
