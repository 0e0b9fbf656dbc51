//! A line on the terminal about work that takes long: what is being done, and for how many seconds. Nothing is shown of work that is
//! done within half a second, and nothing at all if standard error is no terminal.

use crate::show::escape;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, IsTerminal};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is done sooner is not worth a word.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the seconds are counted.
const TICK: Duration = Duration::from_millis(500);

/// The line must not wrap, since it is written over. No terminal in use is narrower.
const WIDTH: usize = 79;

/// To the start of the line, and nothing on it.
const CLEAR: &str = "\r\x1b[K";

/// Shows what is being done until it is dropped.
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
    /// From here on, this is being done.
    pub(crate) fn of(what: impl Into<String>) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let shared = Arc::new(Shared::default());
        shared.set(what.into());
        let watched = Arc::clone(&shared);
        // Without a thread there is nothing to see, which is no reason not to work.
        let thread = thread::Builder::new().spawn(move || watched.show()).ok();
        Self(thread.map(|thread| Shown { shared, thread }))
    }

    /// Now this is being done instead.
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

    /// Writes the line again and again until the work has ended.
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

/// The line as it is written, over the one before it.
fn line(what: &str, since: Duration) -> String {
    let end = format!(" ... {} s", since.as_secs());
    let room = WIDTH.saturating_sub(end.len());
    let what: String = escape::name(what).chars().take(room).collect();
    format!("{CLEAR}{what}{end}")
}

/// Writes to the terminal, unless somebody has stopped its output (Ctrl-S): then it waits for nobody.
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
