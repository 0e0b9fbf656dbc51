//! What the examples share, none of it about BPF: arguments, ending at Ctrl-C, readable errors.

#![allow(dead_code, reason = "each example uses some of it")]

use signal_hook::consts::{SIGINT, SIGTERM};
use std::fmt;
use std::process::exit;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long an example waits before it checks whether it should end.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// What `main` returns: an error is printed as its message, not in `Debug` form.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

pub(crate) struct Failure(Box<dyn std::error::Error>);

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The command line: `--name VALUE` anywhere, operands in order.
pub(crate) struct Args {
    words: Vec<String>,
    help: &'static str,
    duration: Option<u64>,
}

impl Args {
    /// Reads the command line; prints `help` and exits if `--help` is given.
    pub(crate) fn new(help: &'static str) -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        if words.iter().any(|word| word == "--help" || word == "-h") {
            print!("{help}");
            exit(0);
        }
        let mut args = Self {
            words,
            help,
            duration: None,
        };
        args.duration = args.option("--duration");
        args
    }

    /// The value after `name`, such as `--pid`.
    pub(crate) fn option<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let place = self.words.iter().position(|word| word == name)?;
        self.words.remove(place);
        if place == self.words.len() {
            self.wrong(&format!("{name} needs a value"));
        }
        let value = self.words.remove(place);
        Some(self.parsed(name, &value))
    }

    /// The next operand. Options must be taken first.
    pub(crate) fn operand<T: FromStr>(&mut self, name: &str) -> T {
        match self.words.first() {
            Some(word) if !word.starts_with('-') => {
                let value = self.words.remove(0);
                self.parsed(name, &value)
            }
            _ => self.wrong(&format!("{name} is missing")),
        }
    }

    /// All remaining operands.
    pub(crate) fn rest(self) -> Vec<String> {
        self.words
    }

    /// Ends the command line; returns when this program should end.
    pub(crate) fn until(self) -> Outcome<Until> {
        if let Some(word) = self.words.first() {
            self.wrong(&format!("unexpected: {word}"));
        }
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        let end = self
            .duration
            .and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        Ok(Until { interrupted, end })
    }

    fn parsed<T: FromStr>(&self, name: &str, value: &str) -> T {
        let wrong = |_| self.wrong(&format!("not a value for {name}: {value}"));
        value.parse().unwrap_or_else(wrong)
    }

    fn wrong(&self, why: &str) -> ! {
        eprint!("{why}\n\n{}", self.help);
        exit(2)
    }
}

/// When a program ends: at Ctrl-C (or `kill`), or after the `--duration`.
pub(crate) struct Until {
    interrupted: Arc<AtomicBool>,
    end: Option<Instant>,
}

impl Until {
    pub(crate) fn is_over(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
            || self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Waits until then.
    pub(crate) fn sleep(&self) {
        while !self.is_over() {
            thread::sleep(TICK);
        }
    }
}

/// Tells the user that everything is attached.
pub(crate) fn started(what: &str) {
    eprintln!("{what}; press Ctrl-C to stop");
}

/// The C string in a field of fixed size.
pub(crate) fn text(field: &[u8]) -> String {
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// An address in network byte order: the first four bytes for IPv4, all sixteen for IPv6.
pub(crate) fn address(family: u16, bytes: [u8; 16]) -> std::net::IpAddr {
    const AF_INET: u16 = 2;
    match bytes {
        [a, b, c, d, ..] if family == AF_INET => [a, b, c, d].into(),
        bytes => bytes.into(),
    }
}
