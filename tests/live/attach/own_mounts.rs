//! Machines and containers without the kernel's file systems mounted.

use super::capabilities::with_only;
use super::tracer;
use super::uprobe::rawbpf_uprobe_target;
use crate::load::load_fixture;
use crate::support::Need;
use rawbpf::attach::{ProbeMode, Processes, Uprobe};
use rawbpf::{ErrorKind, Result};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use rustix::thread::CapabilitySet;
use std::path::Path;

/// Runs `job` on a thread with its own mounts, without those at `places`.
fn without<T: Send>(places: &[&str], job: impl FnOnce() -> T + Send) -> T {
    let own = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("a mount namespace");
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).unwrap();
        for place in places {
            // Not all are mounted, and one may be mounted more than once.
            while unmount(*place, UnmountFlags::DETACH).is_ok() {}
        }
        job()
    };
    std::thread::scope(|scope| scope.spawn(own).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

const TRACING: &[&str] = &["/sys/kernel/debug", "/sys/kernel/tracing"];

/// Attaches to a tracepoint, and returns whether a call is seen.
fn is_seen() -> Result<bool> {
    let object = tracer("tracepoint").unwrap();
    let _link = object.program("tracepoint")?.attach()?;
    super::call_getppid(7);
    Ok(super::number(&object, "hits") > 0)
}

#[test]
fn tracepoints_are_found_wherever_tracefs_is() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let seen = without(TRACING, || {
        assert!(!Path::new("/sys/kernel/tracing/events").exists());
        let seen = is_seen().unwrap();
        let mounts = std::fs::read_to_string("/proc/thread-self/mounts").unwrap();
        assert!(!mounts.contains(" tracefs "), "nobody sees it: {mounts}");
        seen
    });
    assert!(seen);
    for places in [&["/sys"], &["/proc"]] {
        // Loading needs the kernel's types, which are in /sys.
        let object = tracer("tracepoint").unwrap();
        let attached = without(places, || object.attach().map(drop));
        attached.unwrap_or_else(|error| panic!("without {places:?}: {error}"));
    }
}

#[test]
fn tracefs_is_used_wherever_it_is_mounted_without_the_right_to_mount() {
    require!(
        Need::Bpf,
        Need::Btf,
        Need::Linux(5, 8),
        Need::PerfWithoutSysAdmin
    );
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("with a blank");
    std::fs::create_dir(&place).unwrap();
    let elsewhere = || {
        use rustix::mount::{MountFlags, mount};
        mount("tracefs", &place, "tracefs", MountFlags::empty(), None).unwrap();
        with_only(CapabilitySet::BPF | CapabilitySet::PERFMON, is_seen)
    };
    assert!(without(TRACING, elsewhere).unwrap());
}

#[test]
fn tracepoints_that_are_not_there_are_named_in_an_own_mount_too() {
    require!(Need::Bpf, Need::Btf);
    let object = tracer("tracepoint").unwrap();
    let program = object.program("tracepoint").unwrap();
    for (category, name, words) in [
        ("sched", "sched_swich", "`sched_switch`"),
        ("schd", "sched_switch", "`sched`"),
    ] {
        let error = without(TRACING, || {
            program.attach_tracepoint(category, name).map(drop)
        });
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
}

/// The probe lives in the kernel, whatever mount it was created through; it is removed through the same one.
#[test]
fn a_probe_is_made_and_removed_in_an_own_mount() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes, Need::Tracefs);
    let _alone = super::alone();
    let list = crate::support::mount_point("tracefs").unwrap();
    let listed = || std::fs::read_to_string(list.join("uprobe_events")).unwrap();
    let own = std::env::current_exe().unwrap();
    let at = Uprobe::entry(own, "rawbpf_uprobe_target")
        .mode(ProbeMode::Tracefs)
        .processes(Processes::All);
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let program = object.program("call").unwrap();
    let link = without(TRACING, || program.attach_uprobe(&at)).unwrap();
    let mine = format!("rawbpf_{}_", std::process::id());
    assert!(listed().contains(&mine), "{}", listed());
    rawbpf_uprobe_target(4);
    assert!(super::number(&object, "calls") >= 1);
    link.detach().unwrap();
    assert!(!listed().contains(&mine), "{}", listed());
}

#[test]
fn a_process_that_may_not_mount_is_told_what_to_do() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let object = tracer("tracepoint").unwrap();
    let rights = CapabilitySet::BPF | CapabilitySet::PERFMON;
    let error = without(TRACING, || with_only(rights, || object.attach().map(drop)));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    assert!(
        error.message().contains("tracefs is not mounted"),
        "{error}"
    );
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("this process lacks CAP_SYS_ADMIN")
            && hint.contains("mount -t tracefs tracefs /sys/kernel/tracing"),
        "{hint}"
    );
}
