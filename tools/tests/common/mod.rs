//! A running tool, and rows that it prints.

#![allow(dead_code, reason = "each test program uses some of it")]

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::env;
use std::io::{BufRead, BufReader, Lines, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

/// The binary, also in a guest of `cargo xtask vm`.
pub(crate) fn binary() -> PathBuf {
    env::var_os("RAWBPF_TOOLS")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_rawbpf-tools").into())
        .into()
}

/// Runs a tool until it ends by itself.
pub(crate) fn run(args: &[&str]) -> Output {
    Command::new(binary()).args(args).output().unwrap()
}

/// This process, as an argument.
pub(crate) fn own_id() -> String {
    std::process::id().to_string()
}

/// A tool that has attached.
pub(crate) struct Running {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: BufReader<ChildStderr>,
}

impl Running {
    /// Starts a tool, which prints JSON, and waits until it says that it is attached.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::try_start(args).unwrap_or_else(|said| panic!("{args:?}: {said}"))
    }

    /// The same; if it ends instead, returns what it said.
    pub(crate) fn try_start(args: &[&str]) -> Result<Self, String> {
        // Whatever goes wrong, it ends, and so does the test.
        let mut child = Command::new(binary())
            .args(args)
            .args(["--json", "-d", "60"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        errors.read_line(&mut said).unwrap();
        let mut running = Self {
            name: args.join(" "),
            child,
            lines,
            errors,
        };
        if said.ends_with("; Ctrl-C ends it\n") {
            Ok(running)
        } else {
            Err(said + &running.rest_of_errors())
        }
    }

    fn rest_of_errors(&mut self) -> String {
        let mut said = String::new();
        self.errors.read_to_string(&mut said).unwrap();
        said
    }

    /// Waits for a row.
    pub(crate) fn wait_for(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut before = Vec::new();
        while let Some(row) = self.next() {
            if is_it(&row) {
                return row;
            }
            before.push(row);
        }
        let said = self.rest_of_errors();
        panic!("{}: not among {before:#?}\n{said}", self.name);
    }

    fn next(&mut self) -> Option<Value> {
        let line = self.lines.next()?.unwrap();
        let row = serde_json::from_str(&line);
        Some(row.unwrap_or_else(|error| panic!("{}: {error}: {line}", self.name)))
    }

    /// Ends it as Ctrl-C does; returns the rows that are left.
    pub(crate) fn interrupt(self) -> Vec<Value> {
        self.end(Signal::INT)
    }

    /// Ends it by a signal; returns the rows that are left.
    pub(crate) fn end(mut self, signal: Signal) -> Vec<Value> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let mut rows = Vec::new();
        while let Some(row) = self.next() {
            rows.push(row);
        }
        let said = self.rest_of_errors();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}: {status}: {said}", self.name);
        rows
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `job` in a network namespace of its own, whose only interface is up.
#[macro_export]
macro_rules! in_network {
    ($job:expr) => {
        $crate::support::in_own_network(|| {
            let ip = std::process::Command::new("ip")
                .args(["link", "set", "lo", "up"])
                .status();
            assert!(ip.unwrap().success());
            $job
        })
    };
}
