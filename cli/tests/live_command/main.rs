//! The command on the running kernel. Needs root; skipped with a printed reason elsewhere, and failing there with `CI=true`.
//!
//! A file for what the command does (`run`, `load`), for what it says about objects (`refusals`) and about the machine
//! (`machine`), for the types in the kernel (`types`), and for its programs, maps and links (`listings`).

mod listings;
mod load;
mod machine;
mod refusals;
mod run;
mod types;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A fixture, also in a guest of `cargo xtask vm`.
fn fixture(name: &str) -> PathBuf {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    std::env::var_os("RAWBPF_FIXTURES")
        .map_or_else(here, PathBuf::from)
        .join(name)
}

/// The command's path, also in a guest.
fn binary() -> PathBuf {
    std::env::var_os("RAWBPF_COMMAND")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_rawbpf").into())
        .into()
}

/// Whether the command may load programs here. Prints why if not.
fn can_load(test: &str) -> bool {
    let root = fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .any(|line| line.starts_with("Uid:\t0\t"));
    let btf = Path::new("/sys/kernel/btf/vmlinux").exists();
    let why = match (root, btf) {
        (true, true) => return true,
        (false, _) => "needs root",
        (_, false) => "the kernel has no BTF",
    };
    assert!(
        std::env::var("CI").is_err() || root && !btf,
        "CI must not skip {test}: {why}"
    );
    println!("skipped: {test}: {why}");
    false
}

fn rawbpf(args: &[&str], object: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg(args[0]).arg(object).args(&args[1..]);
    command
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Starts the command and waits until it has attached.
fn start(args: &[&str], object: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = rawbpf(args, &fixture(object))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    assert!(line.contains("attached"), "{line}");
    (child, errors)
}

/// Ends the command as Ctrl-C does; returns what it printed.
fn interrupt(mut child: Child, mut errors: impl Read, signal: &str) -> (String, String) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap()
            .success()
    );
    let mut printed = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut printed)
        .unwrap();
    let mut said = String::new();
    errors.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    (printed, said)
}

/// Opens a file that does not exist, so that the event has a name that no other has.
fn open_a_file(name: &str) {
    assert!(fs::File::open(name).is_err());
}
