//! Alternative programs, one of which is enough.

use crate::attach::{alone, number, own_process, reads_of_this_file};
use crate::load::{RETURN_0, load_fixture, plan};
use crate::support::{Need, check};
use rawbpf::insn::Insn;
use rawbpf::load::Object;
use rawbpf::open::{OpenObject, SectionDef};
use rawbpf::program::Program;
use rawbpf::reloc::{Choice, LoadPlan, ProgramPlan, Target};
use rawbpf::{Error, ErrorKind, ProgramType};

const NAMES: [&str; 2] = ["vfs_read_fentry", "vfs_read_kprobe"];

/// Loads one of them alone, and attaches it.
fn works_alone(name: &str) -> Result<(), Error> {
    let only = |object: &mut OpenObject| {
        for program in object.programs_mut() {
            let is_it = program.name() == name;
            program.set_autoload(is_it);
        }
        Ok(())
    };
    load_fixture("prefer", only)?.attach().map(drop)
}

fn preferred() -> rawbpf::Result<Object> {
    load_fixture("prefer", |object| {
        own_process(object)?;
        object.prefer(&NAMES).map(drop)
    })
}

#[test]
fn the_first_program_that_can_be_loaded_and_attached_is() {
    require!(Need::Bpf, Need::Btf);
    let _alone = alone();
    let alone: Vec<_> = NAMES.iter().map(|name| works_alone(name)).collect();
    let Some(expected) = alone.iter().position(Result::is_ok) else {
        let error = preferred().unwrap_err();
        for name in NAMES {
            assert!(
                error.to_string().contains(&format!("`{name}`: ")),
                "{error}"
            );
        }
        return;
    };
    if check(&[Need::Guest]).is_ok() {
        // The fentry program calls a helper that came with that version.
        let is_new = check(&[Need::Linux(5, 15)]).is_ok();
        assert_eq!(expected, usize::from(!is_new));
    }
    let object = preferred().unwrap();
    let choice = &object.choices()[0];
    assert_eq!(choice.chosen.as_deref(), Some(NAMES[expected]));
    let passed_over: Vec<_> = choice.passed_over.iter().map(|one| &one.name).collect();
    assert_eq!(passed_over, NAMES[..expected].iter().collect::<Vec<_>>());
    let programs: Vec<_> = object.programs().iter().map(Program::name).collect();
    assert_eq!(programs, [NAMES[expected]]);
    let links = object.attach().unwrap();
    assert_eq!(links.len(), 1);
    reads_of_this_file();
    let seen = [number(&object, "by_fentry"), number(&object, "by_kprobe")];
    assert!(seen[expected] >= 5 && seen[1 - expected] == 0, "{seen:?}");
    let error = object.program(NAMES[1 - expected]).unwrap_err();
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains(NAMES[expected]), "{error}");
}

/// What a plan for this kernel predicts is what happens when it is loaded.
#[test]
fn a_plan_for_this_kernel_foresees_what_is_loaded() {
    require!(Need::Bpf, Need::Btf);
    let _alone = alone();
    let path = crate::support::fixture("prefer.bpf.o");
    let mut object = OpenObject::from_file(path).unwrap();
    object.prefer(&NAMES).unwrap();
    let plan = object.relocate(&Target::running()).unwrap();
    let planned = plan.choices[0].chosen.as_deref();
    let works = NAMES.into_iter().find(|name| works_alone(name).is_ok());
    assert_eq!(planned, works, "{:?}", plan.choices);
}

/// Three socket filters: the verifier refuses the first two, which cannot be foreseen.
fn refused_twice() -> LoadPlan {
    const FORGETS_ITS_RESULT: [Insn; 1] = [Insn::new(Insn::EXIT, 0, 0, 0, 0)];
    let names = ["first", "second", "third"];
    let program = |name: &str, insns: &[Insn]| ProgramPlan {
        name: name.into(),
        section: "socket".into(),
        kind: ProgramType::SOCKET_FILTER,
        insns: insns.to_vec(),
        autoload: name == "first",
        autoattach: name == "first",
        ..ProgramPlan::default()
    };
    let mut plan = plan(
        Vec::new(),
        vec![
            program("third", &RETURN_0),
            program("first", &FORGETS_ITS_RESULT),
            program("second", &FORGETS_ITS_RESULT),
        ],
    );
    plan.choices.push(Choice {
        names: names.map(str::to_owned).to_vec(),
        chosen: Some("first".into()),
        passed_over: Vec::new(),
    });
    plan
}

fn is_third(object: &Object) {
    let programs: Vec<_> = object.programs().iter().collect();
    assert_eq!(programs[0].name(), "third");
    assert!(programs.len() == 1 && programs[0].autoattach());
    let choice = &object.choices()[0];
    assert_eq!(choice.chosen.as_deref(), Some("third"));
    for (passed_over, name) in choice.passed_over.iter().zip(["first", "second"]) {
        assert_eq!(passed_over.name, name);
        assert_eq!(passed_over.reason.kind(), ErrorKind::Verifier);
    }
    let error = object.program("second").unwrap_err();
    assert!(error.hint().unwrap().contains("passed over"), "{error}");
}

#[test]
fn a_program_that_the_verifier_refuses_is_passed_over() {
    require!(Need::Bpf);
    is_third(&refused_twice().load(&Target::running()).unwrap());
    let each = refused_twice().load_each(&Target::running()).unwrap();
    let outcomes: Vec<_> = each.programs.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(outcomes, ["third"]);
    assert!(each.programs[0].error.is_none());
    is_third(&each.object);
}

/// The kernel would load it: only attaching it shows the problem.
#[test]
fn a_program_that_could_not_be_attached_is_passed_over() {
    require!(Need::Bpf);
    let mut plan = refused_twice();
    let second = &mut plan.programs[2];
    second.section = "tracepoint/sched/no_such_event".into();
    second.def = SectionDef::find(&second.section);
    second.kind = ProgramType::TRACEPOINT;
    second.insns = RETURN_0.to_vec();
    let object = plan.load(&Target::running()).unwrap();
    let choice = &object.choices()[0];
    assert_eq!(choice.chosen.as_deref(), Some("third"));
    let reason = &choice.passed_over[1].reason;
    assert_eq!(reason.kind(), ErrorKind::NotFound, "{reason}");
    assert!(reason.to_string().contains("no_such_event"), "{reason}");
}

#[test]
fn if_the_verifier_refuses_all_the_error_has_all_reasons_and_its_log() {
    require!(Need::Bpf);
    let mut plan = refused_twice();
    plan.programs.remove(0);
    plan.choices[0].names.pop();
    let error = plan.load(&Target::running()).unwrap_err();
    for words in ["none of `first`, `second`", "`first`: ", "`second`: "] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(error.verifier_log().is_some());
}
