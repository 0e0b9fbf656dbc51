//! A progress line on the terminal for long operations: the current step, and the elapsed seconds. Nothing is shown for
//! operations that take less than half a second, and nothing at all if standard error is not a terminal.

use crate::show::escape;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, IsTerminal};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Shorter operations are not shown.
const PATIENCE: Duration = Duration::from_millis(500);

/// The interval at which the seconds are updated.
const TICK: Duration = Duration::from_millis(500);

/// The line must not wrap, since it is overwritten. No terminal in use is narrower.
const WIDTH: usize = 79;

/// Moves to the start of the line, and clears it.
const CLEAR: &str = "\r\x1b[K";

/// Shows the current step until it is dropped.
pub(crate) struct Progress(Option<Shown>);

struct Shown {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    what: String,
    has_ended: bool,
}

impl Progress {
    /// Starts showing this step.
    pub(crate) fn of(what: impl Into<String>) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let shared = Arc::new(Shared::default());
        shared.set(what.into());
        let watched = Arc::clone(&shared);
        // Without a thread nothing is shown, which is no reason to fail.
        let thread = thread::Builder::new().spawn(move || watched.show()).ok();
        Self(thread.map(|thread| Shown { shared, thread }))
    }

    /// Shows this step instead.
    pub(crate) fn step(&self, what: impl FnOnce() -> String) {
        if let Some(shown) = &self.0 {
            shown.shared.set(what());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(Shown { shared, thread }) = self.0.take() {
            shared.lock().has_ended = true;
            shared.ended.notify_all();
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, what: String) {
        self.lock().what = what;
    }

    /// Rewrites the line until the operation has ended.
    fn show(&self) {
        let start = Instant::now();
        let mut pause = PATIENCE;
        let mut is_shown = false;
        let mut state = self.lock();
        while !state.has_ended {
            let waited = self
                .ended
                .wait_timeout_while(state, pause, |state| !state.has_ended);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if !state.has_ended {
                write(&line(&state.what, start.elapsed()));
                (is_shown, pause) = (true, TICK);
            }
        }
        if is_shown {
            write(CLEAR);
        }
    }
}

/// The line as written over the previous one.
fn line(what: &str, since: Duration) -> String {
    let end = format!(" ... {} s", since.as_secs());
    let room = WIDTH.saturating_sub(end.len());
    let what: String = escape::name(what).chars().take(room).collect();
    format!("{CLEAR}{what}{end}")
}

/// Writes to the terminal without blocking, in case its output was stopped (Ctrl-S).
fn write(text: &str) {
    let stderr = rustix::stdio::stderr();
    let now = Timespec::default();
    let mut files = [PollFd::new(&stderr, PollFlags::OUT)];
    if matches!(poll(&mut files, Some(&now)), Ok(1)) {
        let _ = rustix::io::write(stderr, text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_and_obeys_nobody() {
        let since = Duration::from_millis(2900);
        assert_eq!(line("reading", since), format!("{CLEAR}reading ... 2 s"));
        let long = line(&"\x1b[2Jx".repeat(100), since);
        let shown = long.strip_prefix(CLEAR).unwrap();
        assert_eq!(shown.chars().count(), WIDTH);
        assert!(!shown.contains('\x1b'), "{shown:?}");
    }
}
