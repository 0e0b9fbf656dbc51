//! Errors where attaching cannot work, on any kernel.

use super::{counter, counters};
use crate::support::{Need, PinFolder};
use rawbpf::attach::{Link, Sampling, SoftwareEvent};
use rawbpf::{Errno, ErrorKind};
use std::process::Command;

#[test]
fn a_section_with_a_wrong_tail_says_what_it_wants() {
    require!(Need::Bpf, Need::Btf);
    for (section, wanted) in [
        ("kprobe/vfs_read+x", "a number of bytes after the `+`"),
        ("kretprobe/vfs_read+8", "no place inside the function"),
        ("kprobe.multi/vfs read", "a pattern of kernel functions"),
        ("tracepoint/sched_switch", "a tracepoint with its category"),
        ("uprobe/no-function", "a file and a function in it"),
    ] {
        let error = counter(section).attach().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidObject, "{section}: {error}");
        assert!(error.message().contains(wanted), "{section}: {error}");
        assert!(error.to_string().contains("program `counter`"), "{error}");
    }
}

#[test]
fn a_program_whose_section_does_not_say_where_is_left_alone() {
    require!(Need::Bpf, Need::Btf);
    let object = counter("kprobe");
    assert!(object.attach().unwrap().is_empty());
    let error = object.programs()[0].attach().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("SEC(\"kprobe/vfs_read\")"), "{hint}");
    assert!(hint.contains("Program::attach_kprobe("), "{hint}");
}

#[test]
fn a_slash_without_a_target_is_no_target() {
    require!(Need::Bpf, Need::Btf);
    let error = counter("raw_tp/").attach().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidObject, "{error}");
    assert!(
        error.to_string().contains("does not name a tracepoint"),
        "{error}"
    );
    assert!(
        error
            .hint()
            .unwrap()
            .contains("SEC(\"raw_tp/sched_switch\")"),
        "{error}"
    );
}

#[test]
fn a_trace_event_has_a_program_once() {
    require!(Need::Bpf, Need::Btf);
    // Not the event that another test fills up.
    let object = counter("tracepoint/syscalls/sys_enter_getpgid");
    let program = &object.programs()[0];
    let _link = program.attach().unwrap();
    let error = program.attach().unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EEXIST), "{error}");
    assert!(error.hint().unwrap().contains("attached"), "{error}");
}

/// The cookie was once blamed for the lack of room.
#[test]
fn a_trace_event_has_64_programs_at_most() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 15));
    let object = counters(&["tracepoint/syscalls/sys_enter_getsid"; 65]);
    let mut links = Vec::new();
    let (category, name) = ("syscalls", "sys_enter_getsid");
    let error = object.programs().iter().find_map(|program| {
        match program.attach_tracepoint_with_cookie(category, name, 7) {
            Ok(link) => {
                links.push(link);
                None
            }
            Err(error) => Some(error),
        }
    });
    let error = error.expect("the 65th is refused");
    assert_eq!(error.errno(), Some(Errno::E2BIG), "{error}");
    assert!(error.hint().unwrap().contains("64 programs"), "{error}");
}

#[test]
fn a_pin_that_is_not_there_is_named() {
    require!(Need::Bpf, Need::Bpffs);
    let pins = PinFolder::new();
    let missing = pins.path().join("stale");
    let error = Link::from_pin(&missing).unwrap_err();
    assert!(
        error.to_string().contains(&missing.display().to_string()),
        "{error}"
    );
    assert!(
        error.hint().unwrap().contains("nothing is pinned there"),
        "{error}"
    );
}

/// The child that [`a_missing_capability_is_named`] runs: drops its rights, and prints what attaching says then.
#[test]
fn child_without_rights() {
    if std::env::var_os("RAWBPF_CHILD_WITHOUT_RIGHTS").is_none() {
        return;
    }
    let sampled = counter("perf_event");
    let nobody = nix::unistd::Uid::from_raw(65534);
    nix::unistd::setresuid(nobody, nobody, nobody).unwrap();
    let clock = Sampling::software(SoftwareEvent::CpuClock);
    let sampling = sampled.programs()[0].attach_sampling(&clock);
    let listed = Link::ids().next().unwrap();
    for error in [listed.unwrap_err(), sampling.unwrap_err()] {
        println!("\nrefused: {}", error.to_string().replace('\n', "; "));
    }
}

#[test]
fn a_missing_capability_is_named() {
    require!(Need::Bpf);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "--nocapture",
        "attach::refusals::child_without_rights",
    ]);
    let output = child
        .env("RAWBPF_CHILD_WITHOUT_RIGHTS", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let refusals = text.lines().filter(|line| line.starts_with("refused: "));
    let lacks = refusals.filter_map(|line| Some(line.split_once("this process lacks ")?.1));
    let lacks: Vec<&str> = lacks.collect();
    assert_eq!(lacks.len(), 2, "{text}");
    assert_eq!(lacks[0], "CAP_SYS_ADMIN");
    assert!(lacks[1].contains("CAP_PERFMON"), "{text}");
}
