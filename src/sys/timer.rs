#![allow(unsafe_code)]
//! Sleeping for microseconds, until a signal arrives.
//!
//! `nanosleep` may oversleep by the thread's timer slack (50 microseconds by default), and the standard library's sleep resumes
//! after a signal.

use super::{errno, fd};
use crate::Errno;
use std::fs::File;
use std::io::Read;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::time::Duration;

/// A timer to sleep on.
#[derive(Debug)]
pub struct Timer {
    file: File,
}

impl Timer {
    /// A timer that is not set.
    pub fn new() -> Result<Self, Errno> {
        // SAFETY: the call takes numbers only.
        let raw = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) };
        let raw = errno::check(raw.into())?;
        // SAFETY: the call returns a new descriptor.
        let fd = unsafe { fd::adopt(raw) }?;
        Ok(Self { file: fd.into() })
    }

    /// Sleeps for this long, but at least a nanosecond.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal arrived in the meantime.
    pub fn sleep(&self, duration: Duration) -> Result<(), Errno> {
        // Zero would mean never.
        let duration = duration.max(Duration::from_nanos(1));
        let setting = libc::itimerspec {
            it_interval: timespec(Duration::ZERO),
            it_value: timespec(duration),
        };
        let fd = self.file.as_raw_fd();
        // SAFETY: `setting` is read during the call; null asks for no answer.
        let result = unsafe { libc::timerfd_settime(fd, 0, &raw const setting, null_mut()) };
        errno::check(result.into())?;
        let mut expirations = [0; size_of::<u64>()];
        match (&self.file).read(&mut expirations) {
            // The kernel gives all of them, or none.
            Ok(read) if read == expirations.len() => Ok(()),
            Ok(_) => Err(Errno::EIO),
            Err(error) => Err(errno::from_io(&error)),
        }
    }
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_timer_can_be_slept_by_again_and_again() {
        let timer = Timer::new().unwrap();
        let start = Instant::now();
        for _ in 0..3 {
            timer.sleep(Duration::from_millis(2)).unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(6));
        timer.sleep(Duration::ZERO).unwrap();
    }
}
