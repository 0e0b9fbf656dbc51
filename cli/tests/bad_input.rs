//! Misuse: every wrong input gives one clear message that names the file and the problem, exit status 1, and no panic.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures")
        .join(name)
}

fn rawbpf(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
    command.args(args);
    command
}

/// Runs the command, which must fail with exit status 1 and one message; returns the message.
fn failure(command: &mut Command) -> String {
    let output: Output = command.output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("rawbpf: "), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    message
}

/// A file with these bytes, in a folder that is removed when the first value is dropped.
fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.bpf.o");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The message of each command that opens an object, for this file.
fn every_command(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    ["inspect", "plan", "load", "run"]
        .map(|job| failure(&mut rawbpf(&[job, path])))
        .into()
}

fn assert_says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
}

#[test]
fn a_missing_file_is_named() {
    for message in every_command(Path::new("/nonexistent/x.bpf.o")) {
        assert_says(&message, &["/nonexistent/x.bpf.o", "No such file"]);
    }
}

#[test]
fn a_directory_is_no_object() {
    for message in every_command(&fixture("src")) {
        assert_says(&message, &["fixtures/src", "irectory"]);
    }
}

#[test]
fn only_regular_files_of_a_reasonable_size_are_read() {
    let (folder, path) = file(b"");
    let at = |name: &str| folder.path().join(name);
    let made = Command::new("mkfifo").arg(at("fifo")).status().unwrap();
    assert!(made.success());
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(200 << 30)
        .unwrap();
    let cases = [
        (at("fifo"), ["FIFO", "not a regular file"]),
        ("/dev/zero".into(), ["device", "not a regular file"]),
        (path, ["214748364800", "at most"]),
    ];
    let object = fixture("opensnoop.bpf.o");
    let object = object.to_str().unwrap();
    for (path, words) in cases {
        let name = path.to_str().unwrap();
        let mut messages = every_command(&path);
        messages.push(failure(&mut rawbpf(&["plan", object, "--btf", name])));
        let sysfs = Path::new("/sys/kernel/btf/vmlinux");
        if sysfs.exists() {
            let args = ["plan", object, "--btf", sysfs.to_str().unwrap()];
            messages.push(failure(rawbpf(&args).args(["--kconfig", name])));
        }
        for message in messages {
            assert_says(&message, &words);
            assert_says(&message, &[name]);
        }
    }
}

#[test]
fn an_empty_file_is_no_object() {
    let (_folder, path) = file(b"");
    for message in every_command(&path) {
        assert_says(&message, &["bad.bpf.o", "empty"]);
    }
}

#[test]
fn text_is_no_object() {
    let (_folder, path) = file(b"#include <linux/bpf.h>\nint main(void) { return 0; }\n");
    for message in every_command(&path) {
        assert_says(&message, &["bad.bpf.o", "ELF"]);
    }
}

#[test]
fn a_truncated_object_is_named() {
    let whole = fs::read(fixture("opensnoop.bpf.o")).unwrap();
    for len in [3, 20, 63, 64, 100, whole.len() / 2, whole.len() - 1] {
        let (_folder, path) = file(&whole[..len]);
        for message in every_command(&path) {
            assert_says(&message, &["bad.bpf.o"]);
        }
    }
}

#[test]
fn a_random_elf_is_named() {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.extend((0..4000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]));
    let (_folder, path) = file(&bytes);
    for message in every_command(&path) {
        assert_says(&message, &["bad.bpf.o"]);
    }
}

#[test]
fn a_program_of_another_machine_is_told_apart() {
    for message in every_command(Path::new(env!("CARGO_BIN_EXE_rawbpf"))) {
        assert_says(&message, &["BPF"]);
    }
}

#[test]
fn a_big_endian_object_opens_but_is_not_loaded() {
    let path = fixture("big_endian.bpf.o");
    let path = path.to_str().unwrap();
    let output = rawbpf(&["inspect", path]).output().unwrap();
    assert!(output.status.success());
    assert_says(&String::from_utf8(output.stdout).unwrap(), &["big"]);
    for job in ["load", "run"] {
        assert_says(
            &failure(&mut rawbpf(&[job, path])),
            &["big_endian", "endian"],
        );
    }
}

#[test]
fn an_unknown_variable_is_answered_with_near_names() {
    let path = fixture("opensnoop.bpf.o");
    let path = path.to_str().unwrap();
    let message = failure(&mut rawbpf(&["run", path, "--set", "targ_pidd=1"]));
    assert_says(&message, &["targ_pidd", "did you mean", "targ_pid"]);
}

#[test]
fn a_value_that_does_not_fit_is_refused() {
    let path = fixture("opensnoop.bpf.o");
    let path = path.to_str().unwrap();
    for value in ["targ_pid=many", "targ_pid=99999999999999999999"] {
        let message = failure(&mut rawbpf(&["run", path, "--set", value]));
        assert_says(&message, &["targ_pid", value.split_once('=').unwrap().1]);
    }
}

#[test]
fn an_unknown_event_structure_is_named() {
    let path = fixture("opensnoop.bpf.o");
    let message = failure(&mut rawbpf(&[
        "run",
        path.to_str().unwrap(),
        "--event",
        "evnt",
    ]));
    assert_says(&message, &["evnt", "event"]);
}

#[test]
fn without_root_the_capability_is_named() {
    if !is_root() {
        println!("skipped: without_root_the_capability_is_named: only root can give up its rights");
        return;
    }
    // Somewhere that anybody can read, with the object next to it.
    let folder = tempfile::Builder::new()
        .prefix("rawbpf-")
        .tempdir_in("/tmp")
        .unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), open).unwrap();
    let binary = folder.path().join("rawbpf");
    // By another process: a program that this one has open for writing, or that a child of another test has inherited,
    // cannot be run.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_rawbpf"))
        .arg(&binary)
        .status();
    assert!(copied.unwrap().success());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let has_bpffs = mounts.contains(" /sys/fs/bpf bpf ");
    // The second's map is refused for lack of its types, which are refused for lack of the capability.
    for name in ["opensnoop", "storage", "maps_pinned"] {
        let object = folder.path().join(name).with_extension("bpf.o");
        fs::copy(fixture(&format!("{name}.bpf.o")), &object).unwrap();
        for job in ["load", "run"] {
            let mut command = Command::new(&binary);
            command.arg(job).arg(&object).uid(65534).gid(65534);
            let message = failure(&mut command);
            let lacks = match name {
                "maps_pinned" if !has_bpffs => "CAP_SYS_ADMIN",
                _ => "CAP_BPF",
            };
            assert_says(&message, &[name, lacks, "root"]);
        }
    }
}

#[test]
fn wrong_usage_exits_with_two() {
    for args in [
        &["run"][..],
        &["frobnicate"],
        &["run", "x", "--set", "novalue"],
        &["plan", "--btf"],
    ] {
        let output = rawbpf(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn another_kernel_needs_its_types() {
    let path = fixture("opensnoop.bpf.o");
    let message = failure(&mut rawbpf(&[
        "plan",
        path.to_str().unwrap(),
        "--kernel-version",
        "5.10",
    ]));
    assert_says(&message, &["--btf"]);
}

#[test]
fn what_events_are_must_make_sense() {
    let path = fixture("events.bpf.o");
    for (options, words) in [
        (
            &["cals=called"][..],
            &["`cals`", "did you mean `calls`"][..],
        ),
        (
            &["rawbpf_events_pinned=called"],
            &["type array sends no events", "calls"],
        ),
        (&["calls=calld"], &["`calld`", "did you mean `called`"]),
        (
            &["frobnicate"],
            &["`frobnicate`", "left out by the compiler"],
        ),
        (&["called", "numbered"], &["is given twice", "all maps"]),
        (
            &["calls=called", "calls=numbered"],
            &["is given twice", "map `calls`"],
        ),
    ] {
        let mut command = rawbpf(&["run", path.to_str().unwrap()]);
        for option in options {
            command.args(["--event", option]);
        }
        assert_says(&failure(&mut command), words);
    }
    let path = fixture("tables.bpf.o");
    let args = ["run", path.to_str().unwrap(), "--event", "called"];
    assert_says(&failure(&mut rawbpf(&args)), &["sends no events"]);
    let path = fixture("events.bpf.o");
    for nothing in ["", "=called", "calls="] {
        let args = ["run", path.to_str().unwrap(), "--event", nothing];
        assert_eq!(rawbpf(&args).status().unwrap().code(), Some(2));
    }
}

#[test]
fn a_file_that_is_no_btf_is_named() {
    let path = fixture("opensnoop.bpf.o");
    let (_folder, btf) = file(b"no types at all, and quite long enough for a header");
    let args = [
        "plan",
        path.to_str().unwrap(),
        "--btf",
        btf.to_str().unwrap(),
    ];
    assert_says(
        &failure(&mut rawbpf(&args)),
        &["bad.bpf.o", "0xeb9f", "/sys/kernel/btf/vmlinux"],
    );
}

#[test]
fn a_closed_pipe_is_not_a_failure() {
    let path = fixture("core_kinds.bpf.o");
    let mut child = rawbpf(&["inspect", path.to_str().unwrap(), "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .any(|line| line.starts_with("Uid:\t0\t"))
}

#[test]
fn a_map_that_cannot_be_shown_is_refused_before_anything_is_loaded() {
    let path = fixture("tables.bpf.o");
    let path = path.to_str().unwrap();
    let message = failure(&mut rawbpf(&["run", path, "--map", "by_proces:1"]));
    assert_says(
        &message,
        &["--map", "`by_proces`", "did you mean `by_process`?"],
    );
    let message = failure(&mut rawbpf(&["run", path, "--map", "queue"]));
    assert_says(&message, &["`queue`", "have no keys"]);
    let path = fixture("opensnoop.bpf.o");
    let message = failure(&mut rawbpf(&[
        "run",
        path.to_str().unwrap(),
        "--map",
        "events",
    ]));
    assert_says(&message, &["`events`", "without --map"]);
}
