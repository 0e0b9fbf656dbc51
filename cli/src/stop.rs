//! The signals that end the command: Ctrl-C and SIGTERM.
//!
//! As long as there is nothing to undo, they have their default effect: the process ends. Once something could be left behind
//! in the kernel, the first one asks the command to end, and a second one ends the process immediately.

use rawbpf::{Error, ErrorKind, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A signal this soon after the first is part of the same request: `timeout` signals both the process and its group, and a
/// terminal's Ctrl-C may be accompanied by one from a shell.
const ONE_WISH: Duration = Duration::from_millis(100);

/// Whether the command has been asked to end.
#[derive(Default)]
pub(crate) struct Stop {
    asked: Arc<AtomicBool>,
    /// Whether the next signal ends the process immediately.
    at_once: Arc<AtomicBool>,
}

impl Stop {
    /// From here on, a signal is a request to end, which [`Stop::asked`] reports.
    pub(crate) fn catch_signals(&self) -> Result<()> {
        self.try_to_catch_signals().map_err(|e| {
            Error::new(ErrorKind::Io, format!("cannot handle signals: {e}")).with_source(e)
        })
    }

    fn try_to_catch_signals(&self) -> io::Result<()> {
        let (mut first, sender) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&self.at_once))?;
            flag::register(signal, Arc::clone(&self.asked))?;
            low_level::pipe::register(signal, sender.try_clone()?)?;
        }
        let at_once = Arc::clone(&self.at_once);
        // The thread ends with the process.
        thread::Builder::new().spawn(move || {
            if first.read_exact(&mut [0]).is_ok() {
                thread::sleep(ONE_WISH);
                at_once.store(true, Ordering::Relaxed);
            }
        })?;
        Ok(())
    }

    /// Everything has been undone: from now on a signal ends the process.
    pub(crate) fn nothing_to_undo(&self) {
        // After a first signal, the rest of the same request may still arrive.
        if !self.asked() {
            self.at_once.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a signal has arrived.
    pub(crate) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The same as a flag, for the library.
    pub(crate) fn flag(&self) -> &Arc<AtomicBool> {
        &self.asked
    }
}
