//! What is said where attaching cannot work, whatever the kernel.

use super::counter;
use crate::support::{Need, PinFolder};
use rawbpf::ErrorKind;
use rawbpf::attach::{Link, Sampling, SoftwareEvent};
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

/// What [`a_missing_capability_is_named`] runs: gives its rights away, and prints what attaching says then.
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
