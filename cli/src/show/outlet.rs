//! Standard output and standard error, whose readers may be slow or gone: a write never prevents the command from ending.

use crate::show::escape::{Escaping, Format};
use crate::stop::Stop;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fmt;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// How many bytes a pipe accepts without blocking once it is writable (`PIPE_BUF`).
const AT_ONCE: usize = 4096;

/// The length of a wait before signals are checked again.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// How many ticks a reader has to take the rest once the command was asked to end.
const PATIENCE: u32 = 10;

/// A file that is written to as long as it has a reader.
pub(crate) struct Outlet<'s> {
    file: BorrowedFd<'static>,
    stop: &'s Stop,
    patience: u32,
}

impl<'s> Outlet<'s> {
    /// Standard output.
    pub(crate) fn stdout(stop: &'s Stop) -> Self {
        // The standard library's own buffer is empty: nothing else prints.
        Self::new(rustix::stdio::stdout(), stop)
    }

    /// Standard error.
    pub(crate) fn stderr(stop: &'s Stop) -> Self {
        Self::new(rustix::stdio::stderr(), stop)
    }

    fn new(file: BorrowedFd<'static>, stop: &'s Stop) -> Self {
        Self {
            file,
            stop,
            patience: PATIENCE,
        }
    }

    /// Waits until the file accepts something, or until there has been no reader for too long after a signal.
    fn wait(&mut self) -> io::Result<()> {
        loop {
            let mut files = [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::OUT)];
            match poll(&mut files, Some(&TICK)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
            if self.stop.asked() {
                self.patience = self.patience.saturating_sub(1);
            }
            if self.patience == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "nobody has read it since the command was asked to end",
                ));
            }
        }
    }
}

impl Write for Outlet<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = bytes.get(..AT_ONCE).unwrap_or(bytes);
        loop {
            self.wait()?;
            match rustix::io::write(self.file, bytes) {
                // Another process has filled it, or has made it non-blocking.
                Err(Errno::AGAIN) => {}
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A number of things: `1 program`, `2 programs`.
pub(crate) fn plural(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Prints a message on standard error, ignoring failures.
pub(crate) fn say(stop: &Stop, message: fmt::Arguments<'_>) {
    let mut stderr = Escaping::new(Outlet::stderr(stop), Format::Text);
    let written = stderr.write_all(format!("{message}\n").as_bytes());
    let _ = written.and_then(|()| stderr.finish());
}
