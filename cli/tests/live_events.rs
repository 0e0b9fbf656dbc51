//! What `run` says about events, and what it is told about the kernel. Needs root; skipped with a printed reason elsewhere,
//! and failing there with `CI=true`.

mod common;

use common::{can_load, fixture};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What it printed on standard output and standard error, and whether it succeeded.
struct Outcome {
    printed: String,
    said: String,
    success: bool,
}

impl Outcome {
    /// The JSON lines about this map.
    fn of_map(&self, map: &str) -> Vec<Value> {
        let lines = self.printed.lines();
        let values = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found: Vec<Value> = values.filter(|value| value["map"] == map).collect();
        assert!(
            !found.is_empty(),
            "nothing of {map}: {}{}",
            self.printed,
            self.said
        );
        found
    }
}

/// Runs an object for a second, in which this process makes system calls.
fn run(object: &str, args: &[&str]) -> Outcome {
    let command =
        std::env::var_os("RAWBPF_COMMAND").unwrap_or_else(|| env!("CARGO_BIN_EXE_rawbpf").into());
    let mine = format!("targ_tgid={}", std::process::id());
    let child = Command::new(command)
        .arg("run")
        .arg(fixture(object))
        .args(["--set", &mine, "--duration", "1"])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    // Waiting for its output makes a system call now and then.
    let output = child.unwrap().wait_with_output().unwrap();
    Outcome {
        printed: String::from_utf8(output.stdout).unwrap(),
        said: String::from_utf8(output.stderr).unwrap(),
        success: output.status.success(),
    }
}

/// Tests of `events.bpf.o` take turns: it pins a map.
static EVENTS: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[test]
fn every_event_tells_its_map_and_is_of_its_own_type() {
    if !can_load("every_event_tells_its_map_and_is_of_its_own_type") {
        return;
    }
    let _turn = EVENTS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let types = ["calls=called", "words=said", "numbers=numbered"];
    let types = types.iter().flat_map(|of_map| ["--event", of_map]);
    let mut args: Vec<&str> = types.collect();
    args.push("--json");
    let outcome = run("events.bpf.o", &args);
    assert!(outcome.success, "{}", outcome.said);
    let me = std::process::id();
    assert_eq!(outcome.of_map("calls")[0]["pid"], me);
    assert_eq!(outcome.of_map("numbers")[0]["pid"], me);
    // Two of 32 letters were sent.
    let said = &outcome.of_map("words")[0];
    assert_eq!((&said["len"], &said["text"]), (&2.into(), &"hi".into()));
    assert!(!outcome.said.contains("hex"), "{}", outcome.said);

    args.pop();
    let outcome = run("events.bpf.o", &args);
    let line = |start: &str, end: &str| {
        let mut lines = outcome.printed.lines();
        lines.any(|line| line.starts_with(start) && line.contains(end))
    };
    assert!(line("MAP      PID   COMM", ""), "{}", outcome.printed);
    assert!(line("calls    ", &me.to_string()), "{}", outcome.printed);
    assert!(line("words    2", "hi"), "{}", outcome.printed);
}

#[test]
fn why_events_are_shown_as_hex_is_said_once() {
    if !can_load("why_events_are_shown_as_hex_is_said_once") {
        return;
    }
    let _turn = EVENTS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let outcome = run("events.bpf.o", &["--json", "--event", "words=said"]);
    assert!(outcome.success, "{}", outcome.said);
    let told = outcome
        .said
        .matches("events of map `calls` are shown as hex")
        .count();
    assert_eq!(told, 1, "{}", outcome.said);
    assert!(
        outcome.said.contains("--event calls=TYPE"),
        "{}",
        outcome.said
    );
    assert!(
        outcome.said.contains("of that size: `called`"),
        "{}",
        outcome.said
    );
    assert!(!outcome.said.contains("map `words`"), "{}", outcome.said);
    let events = outcome.of_map("calls");
    for event in &events {
        assert_eq!(event["data"].as_str().unwrap().len(), 2 * 20);
        let why = event["why"].as_str().unwrap();
        assert!(why.contains("does not state their type"), "{why}");
    }
}

#[test]
fn a_type_of_another_size_is_refused() {
    if !can_load("a_type_of_another_size_is_refused") {
        return;
    }
    let _turn = EVENTS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    for json in [&[][..], &["--json"]] {
        let args = [&["--event", "calls=numbered"][..], json].concat();
        let outcome = run("events.bpf.o", &args);
        assert!(!outcome.success);
        for word in [
            "`calls`",
            "20 bytes",
            "`numbered` has 16",
            "of that size: `called`",
        ] {
            assert!(outcome.said.contains(word), "{word}: {}", outcome.said);
        }
        assert!(!outcome.printed.contains("calls  "), "{}", outcome.printed);
        assert!(!Path::new("/sys/fs/bpf/rawbpf_events_pinned").exists());
    }
}

#[test]
fn a_kernel_that_does_not_tell_is_described_by_files() {
    if !can_load("a_kernel_that_does_not_tell_is_described_by_files") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let text = "CONFIG_BPF_SYSCALL=y\nCONFIG_TUN=m\nCONFIG_VETH=m\nCONFIG_HZ=123\nCONFIG_NR_CPUS=7\n\
                CONFIG_PANIC_TIMEOUT=0\nCONFIG_ILLEGAL_POINTER_VALUE=0x10\n\
                CONFIG_DEFAULT_HOSTNAME=\"x\"\nCONFIG_CC_VERSION_TEXT=\"clang\"\n";
    fs::write(&config, text).unwrap();
    let args = [
        "--json",
        "--map",
        ".kconfig",
        "--kernel-version",
        "5.4.3",
        "--kconfig",
        config.to_str().unwrap(),
    ];
    let outcome = run("kconfig.bpf.o", &args);
    let section = &outcome.of_map(".kconfig")[0]["value"];
    assert_eq!(section["CONFIG_HZ"], 123, "{}", outcome.said);
    assert_eq!(section["CONFIG_NR_CPUS"], 7);
    assert_eq!(section["LINUX_KERNEL_VERSION"], 0x05_04_03);
}

/// These types lack everything the object relocates against.
#[test]
fn programs_adapt_to_the_types_of_a_file() {
    if !can_load("programs_adapt_to_the_types_of_a_file") {
        return;
    }
    let command =
        std::env::var_os("RAWBPF_COMMAND").unwrap_or_else(|| env!("CARGO_BIN_EXE_rawbpf").into());
    let load = |types: &str| {
        let output = Command::new(&command)
            .arg("load")
            .arg(fixture("tcpconnect.bpf.o"))
            .arg("--btf")
            .arg(fixture(types))
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(
        load("events.bpf.o").contains("no struct named `sock`"),
        "{}",
        load("events.bpf.o")
    );
    assert!(load("nothing.btf").contains("nothing.btf"));
}
