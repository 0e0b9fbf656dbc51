//! Asking whether programs could be attached.

use crate::net::in_network;
use crate::support::{Need, check};
use rawbpf::attach::TcHook;
use rawbpf::probe::{self, Attachable};
use rawbpf::{AttachType, ErrorKind, ProgramType};

fn error(answer: &Attachable) -> String {
    answer.error().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn tracing_and_lsm_are_tried_out() {
    require!(Need::Bpf, Need::Btf);
    let _alone = super::alone();
    let of =
        |attach_type, target| probe::attach(ProgramType::TRACING, attach_type, target).unwrap();
    let tp = of(AttachType::TRACE_RAW_TP, "sys_enter");
    assert!(tp.is_yes(), "{}", error(&tp));
    let fentry = of(AttachType::TRACE_FENTRY, "vfs_read");
    let expected = check(&[Need::Fentry]).is_ok();
    assert_eq!(fentry.is_yes(), expected, "{}", error(&fentry));
    let guard = probe::attach(ProgramType::LSM, AttachType::LSM_MAC, "file_open").unwrap();
    let expected = check(&[Need::Lsm]).is_ok();
    assert_eq!(guard.is_yes(), expected, "{}", error(&guard));
    if !expected {
        assert!(guard.error().is_some());
    }

    let nowhere = of(AttachType::TRACE_FENTRY, "no_such_function");
    assert!(matches!(&nowhere, Attachable::No(e) if e.kind() == ErrorKind::NotFound));
    let text = error(&nowhere);
    assert!(text.contains("no_such_function"), "{text}");
}

#[test]
fn other_places_are_tried_out_by_type_and_by_section() {
    require!(Need::Bpf, Need::Tracefs);
    let _alone = super::alone();
    let none = AttachType::default();
    for answer in [
        probe::section("raw_tp/sys_enter"),
        probe::section("tp/raw_syscalls/sys_enter"),
        probe::attach(ProgramType::RAW_TRACEPOINT, none, "sys_enter"),
        probe::attach(ProgramType::SOCKET_FILTER, none, ""),
    ] {
        let answer = answer.unwrap();
        assert!(answer.is_yes(), "{}", error(&answer));
    }
    let kprobe = probe::section("kprobe/vfs_read").unwrap();
    let expected = check(&[Need::Kprobes]).is_ok();
    assert_eq!(kprobe.is_yes(), expected, "{}", error(&kprobe));

    let missing = probe::attach(ProgramType::TRACEPOINT, none, "sched/no_such").unwrap();
    let text = error(&missing);
    assert!(
        matches!(&missing, Attachable::LoadsOnly(e) if e.kind() == ErrorKind::NotFound),
        "{text}"
    );
}

#[test]
fn interfaces_are_tried_out_and_left_as_they_were() {
    require!(Need::Bpf, Need::Linux(5, 9));
    in_network(|| {
        let of = |kind, attach_type, target| probe::attach(kind, attach_type, target).unwrap();
        let xdp = of(ProgramType::XDP, AttachType::XDP, "lo");
        assert!(xdp.is_yes(), "{}", error(&xdp));
        let lookup = of(ProgramType::SK_LOOKUP, AttachType::SK_LOOKUP, "");
        assert!(lookup.is_yes(), "{}", error(&lookup));
        let filter = of(ProgramType::SCHED_CLS, AttachType::default(), "lo");
        assert!(filter.is_yes(), "{}", error(&filter));
        let both = TcHook::both("lo");
        assert!(both.create().unwrap(), "the qdisc is gone again");
        let missing = of(ProgramType::XDP, AttachType::XDP, "no-such-if");
        assert!(matches!(&missing, Attachable::LoadsOnly(e) if e.kind() == ErrorKind::NotFound));
    });
}

#[test]
fn questions_without_an_answer_are_errors() {
    let kind = |answer: rawbpf::Result<Attachable>| answer.unwrap_err().kind();
    let unsupported = ErrorKind::Unsupported;
    assert_eq!(kind(probe::section("syscall")), unsupported);
    assert_eq!(kind(probe::section("xdp")), unsupported, "which interface?");
    let misfit = probe::attach(ProgramType::XDP, AttachType::LSM_MAC, "lo").unwrap_err();
    assert_eq!(misfit.kind(), ErrorKind::InvalidArgument);
    assert!(misfit.to_string().contains("xdp_devmap"), "{misfit}");
    for name in ["fentrry/vfs_read", "fentry", "kprobe/"] {
        let found = kind(probe::section(name));
        assert_eq!(found, ErrorKind::InvalidArgument, "{name}");
    }
}
