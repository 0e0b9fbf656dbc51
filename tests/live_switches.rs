//! Kernel-wide switches, which are restored afterwards: a test program of its own, as other tests need what is switched off.
//! Guests only.

use rawbpf::attach::{Kprobe, KprobeMulti};
use rawbpf::load::Object;
use rawbpf::{ErrorKind, OpenObject, Result};
use rustix::mount::{MountFlags, mount};
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use support::{Need, check, fixture};

#[macro_use]
#[allow(dead_code, reason = "this test program uses some of it")]
#[path = "live/support.rs"]
mod support;

/// A switch that was on, and will be on again.
struct Off(&'static str);

impl Off {
    fn switch(path: &'static str) -> Self {
        fs::write(path, "0").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap().trim(), "0");
        Self(path)
    }
}

impl Drop for Off {
    fn drop(&mut self) {
        fs::write(self.0, "1").unwrap();
    }
}

fn object(name: &str) -> Object {
    OpenObject::from_file(fixture(&format!("{name}.bpf.o")))
        .and_then(OpenObject::load)
        .unwrap()
}

/// One test at a time: others need what one switches off.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn assert_silenced<T: std::fmt::Debug>(attached: Result<T>, switch: &str) {
    let error = attached.expect_err("it would never run");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains(switch), "{error}");
    assert!(error.hint().unwrap().contains("switch"), "{error}");
}

#[test]
fn what_would_never_run_is_not_attached() {
    require!(
        Need::Guest,
        Need::Bpf,
        Need::Btf,
        Need::Kprobes,
        Need::Tracefs
    );
    let _alone = alone();
    let kprobes = object("kprobe_latency");
    let kprobe = |at: Kprobe| kprobes.program("read_enter").unwrap().attach_kprobe(&at);
    let fentry = check(&[Need::Fentry]).is_ok().then(|| object("fentry"));
    let multi = check(&[Need::KprobeMulti])
        .is_ok()
        .then(|| object("kprobe_multi"));
    let multi_program = multi.as_ref().map(|object| &object.programs()[0]);

    let ftrace = Off::switch("/proc/sys/kernel/ftrace_enabled");
    assert_silenced(kprobe(Kprobe::entry("vfs_read")), "ftrace_enabled");
    assert_silenced(kprobe(Kprobe::ret("vmlinux:vfs_read")), "ftrace_enabled");
    if let Some(object) = &fentry {
        assert_silenced(object.attach(), "ftrace_enabled");
    }
    if let Some(program) = multi_program {
        let at = KprobeMulti::names(["vfs_read"]);
        assert_silenced(program.attach_kprobe_multi(&at), "ftrace_enabled");
    }
    drop(ftrace);

    // Guests may have it mounted already.
    let _ = mount(
        "debugfs",
        "/sys/kernel/debug",
        "debugfs",
        MountFlags::empty(),
        None,
    );
    let off = Off::switch("/sys/kernel/debug/kprobes/enabled");
    assert_silenced(kprobe(Kprobe::entry("vfs_read")), "kprobes/enabled");
    drop(off);
    drop(kprobe(Kprobe::entry("vfs_read")).unwrap());
    if let Some(object) = &fentry {
        drop(object.attach().unwrap());
    }
}

#[test]
fn functions_that_were_meant_can_be_probed() {
    require!(
        Need::Guest,
        Need::Bpf,
        Need::Btf,
        Need::Kprobes,
        Need::Tracefs
    );
    let _alone = alone();
    let kprobes = object("kprobe_latency");
    let program = kprobes.program("read_enter").unwrap();
    for wanted in [
        "sys_openat",
        "__arm64_sys_nanosleep",
        "vfs_raed",
        "tcp_v4_conect",
    ] {
        let error = program.attach_kprobe(&Kprobe::entry(wanted)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let named: Vec<&str> = error.message().split('`').skip(3).step_by(2).collect();
        assert!(!named.is_empty(), "{error}");
        for name in named {
            drop(program.attach_kprobe(&Kprobe::entry(name)).unwrap());
        }
        let hint = error.hint().unwrap_or_default();
        assert_eq!(
            hint.contains("ksyscall/"),
            wanted.contains("sys_"),
            "{error}"
        );
    }
}
