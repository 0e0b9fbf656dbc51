//! Machines on which something is missing, hidden or not mounted.

use super::{binary, can_load, fixture, interrupt, message, open_a_file, rawbpf, start};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::path::Path;
use std::process::{Command, Output};

/// Loads a fixture in its own mount namespace, after a script has changed the mounts there.
fn load_after(script: &str, object: &str) -> Output {
    Command::new("unshare")
        .args(["-m", "sh", "-ec"])
        .arg(format!("{script}\nexec \"$0\" load \"$1\""))
        .arg(binary())
        .arg(fixture(object))
        .output()
        .unwrap()
}

#[track_caller]
fn fails_with(output: &Output, words: &[&str]) {
    let message = message(output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
}

#[test]
fn a_kernel_without_types_is_told_apart() {
    if !can_load("a_kernel_without_types_is_told_apart") {
        return;
    }
    // A folder with the kernel's name there is as useless as nothing.
    let script = "mount -t tmpfs none /sys/kernel/btf; mkdir -p /boot; mount -t tmpfs none /boot
        mkdir /boot/vmlinux-$(uname -r)";
    fails_with(
        &load_after(script, "core_kinds.bpf.o"),
        &[
            "core_kinds.bpf.o",
            "has no usable type information; tried",
            "\n  /sys/kernel/btf/vmlinux: No such file",
            "\n  /boot/vmlinux-",
            ": it is a directory",
            "\n  /usr/lib/debug/boot/vmlinux-",
            "CONFIG_DEBUG_INFO_BTF",
        ],
    );
}

#[test]
fn missing_mounts_are_reported_as_such() {
    if !can_load("missing_mounts_are_reported_as_such") {
        return;
    }
    fails_with(
        &load_after("mount -t tmpfs none /sys", "core_kinds.bpf.o"),
        &[
            "/sys/kernel/btf/vmlinux: sysfs is not mounted at /sys",
            "hint: mount -t sysfs sysfs /sys",
        ],
    );
    let script = "mkdir -p /boot; mount -t tmpfs none /boot; mount -t tmpfs none /proc";
    fails_with(
        &load_after(script, "kconfig.bpf.o"),
        &[
            "/proc/config.gz: procfs is not mounted at /proc",
            "hint: mount -t proc proc /proc",
        ],
    );
    fails_with(
        &load_after("mount -t tmpfs none /proc", "ksyms.bpf.o"),
        &["/proc/kallsyms", "procfs is not mounted at /proc"],
    );
}

#[test]
fn unusable_files_are_skipped() {
    if !can_load("unusable_files_are_skipped") {
        return;
    }
    let script = "mkdir -p /boot; mount -t tmpfs none /boot
        cp /sys/kernel/btf/vmlinux /boot/vmlinux-$(uname -r)
        mount -t tmpfs none /sys/kernel/btf
        echo nonsense > /sys/kernel/btf/vmlinux";
    let output = load_after(script, "core_kinds.bpf.o");
    assert!(output.status.success(), "{}", message(&output));
    if !Path::new("/proc/config.gz").exists() {
        return;
    }
    for nonsense in [
        "echo nonsense > $config",
        "printf '\\037\\213nonsense' > $config",
        "mkfifo $config",
    ] {
        let script = "mkdir -p /boot; mount -t tmpfs none /boot; config=/boot/config-$(uname -r)";
        let output = load_after(&format!("{script}; {nonsense}"), "kconfig.bpf.o");
        assert!(output.status.success(), "{nonsense}: {}", message(&output));
    }
}

#[test]
fn hidden_addresses_are_unknown() {
    if !can_load("hidden_addresses_are_unknown") {
        return;
    }
    let unseeing = |program: &Path| {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-syslog", "--inh-caps", "-syslog", "--"]);
        command.arg(program);
        command
    };
    // Whether this hides the addresses depends on `kernel.kptr_restrict` and `kernel.perf_event_paranoid`.
    let list = unseeing(Path::new("cat")).arg("/proc/kallsyms").output();
    let hidden = list.is_ok_and(|list| {
        list.status.success() && !list.stdout.is_empty() && {
            let text = String::from_utf8_lossy(&list.stdout).into_owned();
            text.lines()
                .all(|line| line.starts_with("0000000000000000 "))
        }
    });
    if !hidden {
        println!("skipped: hidden_addresses_are_unknown: nothing hides them here");
        return;
    }
    let output = unseeing(&binary())
        .arg("load")
        .arg(fixture("ksyms.bpf.o"))
        .output();
    fails_with(
        &output.unwrap(),
        &[
            "extern `vfs_read` (used by `report`): the kernel hides the addresses",
            "hint: ",
            "kptr_restrict",
            "CAP_SYSLOG",
        ],
    );
}

/// Runs `job` on a thread with its own mounts, without tracefs, debugfs and the BPF file system.
fn on_a_bare_machine<T: Send>(job: impl FnOnce() -> T + Send) -> T {
    let own = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        for place in ["/sys/kernel/debug", "/sys/kernel/tracing", "/sys/fs/bpf"] {
            while umount2(place, MntFlags::MNT_DETACH).is_ok() {}
        }
        job()
    };
    std::thread::scope(|scope| scope.spawn(own).join().unwrap())
}

/// The first command of the README, on a machine where nothing is mounted.
#[test]
fn run_needs_no_mounted_tracefs() {
    if !can_load("run_needs_no_mounted_tracefs") {
        return;
    }
    let only_me = format!("targ_tgid={}", std::process::id());
    let (printed, said) = on_a_bare_machine(|| {
        let (child, errors) = start(&["run", "--json", "--set", &only_me], "opensnoop.bpf.o");
        open_a_file("/nonexistent/rawbpf-bare");
        interrupt(child, errors, "-INT")
    });
    assert!(printed.contains("/nonexistent/rawbpf-bare"), "{said}");
}

#[test]
fn maps_are_pinned_where_no_bpf_file_system_is_mounted() {
    if !can_load("maps_are_pinned_where_no_bpf_file_system_is_mounted") {
        return;
    }
    for args in [&["load"][..], &["load", "--each"]] {
        let mut command = rawbpf(args, &fixture("maps_pinned.bpf.o"));
        let output = on_a_bare_machine(|| command.output().unwrap());
        let said = message(&output);
        assert!(output.status.success(), "{said}");
        assert!(
            said.contains("only this run sees the pinned maps"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
