//! The verifier's log: how much of it is kept, and who gets it.

use crate::load::{RETURN_0, careless, filter, plan};
use crate::support::Need;
use rawbpf::insn::{Insn, class};
use rawbpf::load::LoadOptions;
use rawbpf::reloc::{ProgramPlan, Target};
use rawbpf::{Error, ErrorKind, VerifierLog};

const ADD64_IMM: u8 = class::ALU64;
const MOV64_IMM: u8 = class::ALU64 | 0xb0;
const JUMP_LESS_IMM: u8 = class::JMP | 0xa0;

/// The program, preceded by this many no-op instructions.
fn after_nops(count: usize, program: ProgramPlan) -> ProgramPlan {
    let nop = Insn::new(MOV64_IMM, 7, 0, 0, 7);
    let mut insns = vec![nop; count];
    insns.extend_from_slice(&program.insns);
    let refs = program.refs.iter().cloned().map(|mut reference| {
        reference.insn += count;
        reference
    });
    ProgramPlan {
        refs: refs.collect(),
        insns,
        ..program
    }
}

fn log_of(program: ProgramPlan, options: &LoadOptions) -> Option<VerifierLog> {
    let plan = plan(vec![], vec![program]);
    let object = plan.load_with(&Target::running(), options).unwrap();
    object.programs()[0].verifier_log().cloned()
}

fn refusal_of(program: ProgramPlan, options: &LoadOptions) -> Error {
    let maps = vec![crate::load::hash("rawbpf_log")];
    let plan = plan(maps, vec![program]);
    plan.load_with(&Target::running(), options).unwrap_err()
}

#[test]
fn the_log_of_an_accepted_program_is_there_if_it_was_asked_for() {
    require!(Need::Bpf);
    let program = || filter("fine", &RETURN_0);
    assert_eq!(log_of(program(), &LoadOptions::default()), None);
    let log = log_of(program(), &LoadOptions::new().log_level(2)).unwrap();
    assert!(log.full().contains("0: (b7) r0 = 0"), "{log:?}");
    assert!(log.summary().starts_with("processed 2 insns"), "{log:?}");
    let statistics = log_of(program(), &LoadOptions::new().log_level(4)).unwrap();
    assert!(
        statistics.full().contains("verification time"),
        "{statistics:?}"
    );
}

#[test]
fn one_program_alone_has_its_log() {
    require!(Need::Bpf, Need::Btf);
    let mut open =
        rawbpf::OpenObject::from_file(crate::support::fixture("count_tp_btf.bpf.o")).unwrap();
    let program = open.program_mut("count_switch").unwrap();
    assert_eq!(program.set_log_level(1).log_level(), 1);
    let object = open.load().unwrap();
    let log = |name: &str| object.program(name).unwrap().verifier_log();
    let own = log("count_switch").unwrap();
    assert!(own.summary().starts_with("processed "), "{own:?}");
    assert_eq!(log("count_sys_enter"), None);
}

#[test]
fn a_log_past_its_limit_says_what_is_missing() {
    require!(Need::Bpf);
    let options = LoadOptions::new().log_level(2).log_limit(4096);
    let log = log_of(after_nops(1000, filter("long", &RETURN_0)), &options).unwrap();
    assert!(log.full().len() <= 4096, "{}", log.full().len());
    assert!(log.full().contains("LoadOptions::log_limit"), "{log:?}");
    assert!(
        log.summary().starts_with("processed 1002 insns"),
        "{:?}",
        log.summary()
    );
}

#[test]
fn the_reason_of_a_refusal_is_kept_whatever_the_limit() {
    require!(Need::Bpf);
    let program = || after_nops(1000, careless(0));
    let whole = refusal_of(program(), &LoadOptions::default());
    let cut = refusal_of(program(), &LoadOptions::new().log_limit(4096));
    let reason = |error: &Error| {
        error
            .message()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert!(reason(&whole).contains("R0 invalid mem access"), "{whole}");
    assert_eq!(reason(&cut), reason(&whole));
    assert_eq!((cut.errno(), cut.hint()), (whole.errno(), whole.hint()));
    let full = |error: &Error| error.verifier_log().unwrap().full().to_owned();
    assert!(!full(&whole).contains("LoadOptions"), "{}", full(&whole));
    assert!(full(&cut).contains("LoadOptions") && full(&cut).len() <= 4096);
}

/// A loop that ends, but not before the verifier gives up.
#[test]
fn a_program_that_takes_too_long_to_verify_is_refused_with_advice() {
    require!(Need::Bpf);
    let insns = [
        Insn::new(MOV64_IMM, 0, 0, 0, 0),
        Insn::new(MOV64_IMM, 1, 0, 0, 0),
        Insn::new(ADD64_IMM, 1, 0, 0, 1),
        Insn::new(JUMP_LESS_IMM, 1, 0, -2, 2_000_000),
        Insn::new(Insn::EXIT, 0, 0, 0, 0),
    ];
    let error = refusal_of(filter("long_loop", &insns), &LoadOptions::default());
    assert_eq!(error.kind(), ErrorKind::Verifier);
    assert!(
        error
            .message()
            .contains("BPF program is too large. Processed 1000001 insn"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("bpf_loop()"), "{error}");
    let log = error.verifier_log().unwrap().full();
    assert!(log.len() <= 16 << 20, "{}", log.len());
}
