//! How the command ends when it is asked to: soon, and with nothing left behind. Needs root; skipped with a printed reason
//! elsewhere, and failing there with `CI=true`.

mod common;

use common::{can_load, fixture};
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What `events.bpf.o` pins. Tests that run it hold [`PINNED`].
const PIN: &str = "/sys/fs/bpf/rawbpf_events_pinned";
static PINNED: Mutex<()> = Mutex::new(());

/// Anything faster than this is soon: without the signal all of these would go on for minutes.
const SOON: Duration = Duration::from_secs(15);

/// Reserves the pin's name for one test; `None` if there is no BPF file system.
fn pin(test: &str) -> Option<MutexGuard<'static, ()>> {
    if !can_load(test) {
        return None;
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    if !mounts.contains(" /sys/fs/bpf bpf ") {
        println!("skipped: {test}: no BPF file system is mounted at /sys/fs/bpf");
        return None;
    }
    Some(PINNED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A running command, which is killed if the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Waits until SIGTERM no longer ends the process by itself: from then on there may be something to undo.
    fn wait_until_signals_are_caught(&self) {
        let status = format!("/proc/{}/status", self.0.id());
        let is_caught = || {
            let text = fs::read_to_string(&status).unwrap();
            let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
            caught & 1 << 14 != 0
        };
        while !is_caught() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn start(args: &[&str]) -> Self {
        let command = std::env::var_os("RAWBPF_COMMAND")
            .unwrap_or_else(|| env!("CARGO_BIN_EXE_rawbpf").into());
        let child = Command::new(command)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    fn send(&self, signal: &str) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end, and returns what was printed on standard error.
    fn end(mut self) -> (ExitStatus, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < SOON, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut said = String::new();
        let mut errors = self.0.stderr.take().unwrap();
        errors.read_to_string(&mut said).unwrap();
        (status, said)
    }

    /// Waits until it prints this on standard error.
    fn wait_for(&mut self, words: &str) {
        let mut said = Vec::new();
        let errors = self.0.stderr.as_mut().unwrap();
        let mut byte = [0];
        while !String::from_utf8_lossy(&said).contains(words) {
            assert_ne!(
                errors.read(&mut byte).unwrap(),
                0,
                "{}",
                String::from_utf8_lossy(&said)
            );
            said.extend(byte);
        }
    }

    /// Whether it sleeps, as it does while it waits for the reader of a pipe.
    fn sleeps(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('S')
    }
}

/// Makes `run` fill a pipe that nobody reads with this process's events.
fn with_a_full_pipe() -> Running {
    let mine = format!("targ_tgid={}", std::process::id());
    let object = fixture("events.bpf.o");
    let mut running = Running::start(&["run", object.to_str().unwrap(), "--set", &mine]);
    running.wait_for("attached");
    for _ in 0..20_000 {
        // Any system call is an event.
        assert!(!Path::new("/nonexistent/rawbpf").exists());
    }
    while !running.sleeps() {
        std::thread::sleep(Duration::from_millis(10));
    }
    running
}

/// Whether programs started by this one ignore a signal, as background jobs of shells without job control do.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
    ignored >> (signal - 1) & 1 == 1
}

#[test]
fn an_unread_pipe_does_not_keep_plan_from_ending() {
    for (signal, number) in [("-TERM", 15), ("-INT", 2)] {
        if is_ignored(number) {
            continue;
        }
        let object = fixture("slow.bpf.o");
        let running = Running::start(&["plan", "--json", object.to_str().unwrap()]);
        std::thread::sleep(Duration::from_secs(1));
        running.send(signal);
        let (status, said) = running.end();
        assert_eq!(status.signal(), Some(number), "{said}");
    }
}

#[test]
fn an_unread_pipe_does_not_keep_run_from_undoing() {
    let Some(_pin) = pin("an_unread_pipe_does_not_keep_run_from_undoing") else {
        return;
    };
    let running = with_a_full_pipe();
    assert!(Path::new(PIN).exists());
    running.send("-TERM");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("nobody has read it"), "{said}");
    assert!(!Path::new(PIN).exists());
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let Some(_pin) = pin("a_second_signal_ends_the_process_at_once") else {
        return;
    };
    let running = with_a_full_pipe();
    running.send("-INT");
    std::thread::sleep(Duration::from_millis(300));
    running.send("-TERM");
    let (status, said) = running.end();
    // A process that is ended immediately undoes nothing; only the pin can be left.
    let _ = fs::remove_file(PIN);
    assert_eq!(status.code(), Some(128 + 15), "{said}");
}

/// `timeout` sends its signal twice in a row.
#[test]
fn two_signals_in_a_row_are_one() {
    let Some(_pin) = pin("two_signals_in_a_row_are_one") else {
        return;
    };
    let object = fixture("events.bpf.o");
    for _ in 0..10 {
        let mut running = Running::start(&["run", object.to_str().unwrap()]);
        running.wait_for("attached");
        let pid = nix::unistd::Pid::from_raw(running.0.id().try_into().unwrap());
        for _ in 0..5 {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::SIGTERM);
            std::thread::yield_now();
        }
        let (status, said) = running.end();
        assert!(!Path::new(PIN).exists(), "{said}");
        // One of them ends the process itself only after everything has been undone.
        assert!(
            status.success() || status.code() == Some(128 + 15),
            "{said}"
        );
    }
}

#[test]
fn loading_ends_between_two_programs() {
    if !can_load("loading_ends_between_two_programs") {
        return;
    }
    let object = fixture("slow.bpf.o");
    let args = ["run", object.to_str().unwrap(), "--set", "rounds=100000"];
    let running = Running::start(&args);
    running.wait_until_signals_are_caught();
    std::thread::sleep(Duration::from_secs(1));
    running.send("-TERM");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("stopped before everything was loaded"),
        "{said}"
    );
}

#[test]
fn run_removes_the_pins_that_it_made_and_no_others() {
    let Some(_pin) = pin("run_removes_the_pins_that_it_made_and_no_others") else {
        return;
    };
    let object = fixture("events.bpf.o");
    let object = object.to_str().unwrap();
    let mut first = Running::start(&["run", object]);
    first.wait_for("attached");
    assert!(Path::new(PIN).exists());
    let second = Running::start(&["run", object, "--duration", "0.1"]);
    let (status, said) = second.end();
    assert!(status.success(), "{said}");
    assert!(Path::new(PIN).exists(), "it is the first one's");
    first.send("-INT");
    let (status, said) = first.end();
    assert!(status.success(), "{said}");
    assert!(!Path::new(PIN).exists());
}

#[test]
fn a_run_that_fails_leaves_no_pin() {
    let Some(_pin) = pin("a_run_that_fails_leaves_no_pin") else {
        return;
    };
    // No program says what to attach it to.
    let object = fixture("maps_pinned.bpf.o");
    let (status, said) = Running::start(&["run", object.to_str().unwrap()]).end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("what to attach it to"), "{said}");
    assert!(!Path::new("/sys/fs/bpf/rawbpf_pinned").exists());
}

/// 1e19 seconds fit a duration, but no clock.
#[test]
fn a_time_that_no_clock_can_count_never_comes() {
    if !can_load("a_time_that_no_clock_can_count_never_comes") {
        return;
    }
    let object = fixture("tables.bpf.o");
    let object = object.to_str().unwrap();
    let args = ["run", object, "--duration", "1e19", "--map", "calls:1e19"];
    let mut running = Running::start(&args);
    running.wait_for("attached");
    std::thread::sleep(Duration::from_millis(500));
    running.send("-TERM");
    let (status, said) = running.end();
    assert!(status.success(), "{said}");
}
