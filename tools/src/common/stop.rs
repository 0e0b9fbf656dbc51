//! When a tool ends: at Ctrl-C or SIGTERM, or after its time.

use super::Outcome;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a tool waits before it checks whether it should end.
pub(crate) const TICK: Duration = Duration::from_millis(100);

pub(crate) struct Stop {
    asked: Arc<AtomicBool>,
    after: Option<Duration>,
    end: Option<Instant>,
}

impl Stop {
    /// The time counts from [`Stop::begin`] on.
    pub(crate) fn after(time: Option<Duration>) -> Self {
        Self {
            asked: Arc::default(),
            after: time,
            end: None,
        }
    }

    /// Everything is attached: tells the user, and from now on signals and time are heeded. A second signal ends the process at
    /// once.
    pub(crate) fn begin(&mut self, doing: &str) -> Outcome {
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&self.asked))?;
            flag::register(signal, Arc::clone(&self.asked))?;
        }
        self.end = self.after.and_then(|time| Instant::now().checked_add(time));
        writeln!(io::stderr(), "{doing}; Ctrl-C ends it")?;
        Ok(())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.asked.load(Ordering::Relaxed) || self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Waits until the end.
    pub(crate) fn wait(&self) {
        while self.wait_for(TICK) {}
    }

    /// Waits for this time, or until the end; returns whether that is yet to come.
    pub(crate) fn wait_for(&self, time: Duration) -> bool {
        let until = Instant::now().checked_add(time);
        while !self.is_over() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match left {
                Some(Duration::ZERO) => return true,
                left => thread::sleep(left.unwrap_or(TICK).min(TICK)),
            }
        }
        false
    }
}
