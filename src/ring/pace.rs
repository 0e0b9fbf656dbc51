//! How long a reader rests while programs flood its rings.
//!
//! A record that is the first unread one wakes the reader. That takes either side as long as tens or hundreds of records: an
//! interrupt and a look for who sleeps, a system call and a change of tasks. Where records come faster, a reader that is always
//! woken for the next one slows down the programs, and one that looks all the time occupies a CPU. So it sleeps by a timer, for
//! which no program has to do anything, and takes what came meanwhile:
//!
//! ```text
//!             many records                         more than half of the ring
//!   Calm ---------------------> Flood (naps) --------------------------------> Torrent
//!   woken by programs           longer while they leave the ring empty,        looks again and again
//!     ^                         shorter when they fill it                         |
//!     |                             | few records                                 | few records
//!     +-----------------------------+---------------------------------------------+
//! ```

use crate::Errno;
use crate::sys::ring::Patience;
use crate::sys::timer::Timer;
use std::time::Duration;

/// How many records have to come during a nap (or while the reader wakes up) to make the next one worthwhile. A program that
/// waits for the answer to its last record never gets this far, and is answered at once.
pub(super) const MANY: usize = 8;

const SHORTEST: Duration = Duration::from_micros(8);
const FIRST: Duration = Duration::from_micros(16);
const LONGEST: Duration = Duration::from_micros(64);

/// What a look at the rings found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// At least [`MANY`] records, or as many bytes as a batch holds.
    pub(super) is_many: bool,
    /// How full the fullest ring is.
    pub(super) eighths: usize,
}

impl Found {
    /// How long a batch waits for more where nobody may sleep.
    pub(super) fn patience(self) -> Patience {
        if self.is_many {
            Patience::SHORT
        } else {
            Patience::NONE
        }
    }
}

/// How fast programs write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Pace {
    /// Programs wake the reader.
    #[default]
    Calm,
    /// The reader takes naps of this length.
    Flood(Duration),
    /// The ring would be full before the shortest nap is over.
    Torrent,
}

impl Pace {
    fn after(self, found: Found, napped: bool) -> Self {
        match self {
            _ if !found.is_many => Self::Calm,
            Self::Calm => Self::Flood(FIRST),
            Self::Flood(nap) if napped && found.eighths > 4 => match nap / 2 {
                nap if nap < SHORTEST => Self::Torrent,
                nap => Self::Flood(nap),
            },
            Self::Flood(nap) if napped && found.eighths < 1 => Self::Flood(LONGEST.min(nap * 2)),
            same => same,
        }
    }
}

/// The naps of one reader.
#[derive(Debug, Default)]
pub(super) struct Naps {
    pace: Pace,
    /// Made for the first nap.
    timer: Option<Timer>,
    /// Whether one was taken since the rings were last looked at.
    napped: bool,
}

/// How a nap ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slept {
    /// After as long; zero if none was taken.
    For(Duration),
    /// By a signal.
    Interrupted,
}

impl Naps {
    /// Takes a nap, if programs flood the rings, `timeout` has time for it, and `has_room` says that the rings do.
    pub(super) fn take(
        &mut self,
        timeout: Option<Duration>,
        has_room: impl FnOnce() -> bool,
    ) -> Slept {
        let Pace::Flood(nap) = self.pace else {
            return Slept::For(Duration::ZERO);
        };
        if timeout.is_some_and(|timeout| timeout < nap) || !has_room() {
            return Slept::For(Duration::ZERO);
        }
        match self.sleep(nap) {
            Ok(()) => {
                self.napped = true;
                Slept::For(nap)
            }
            Err(Errno::EINTR) => Slept::Interrupted,
            Err(_) => {
                // No descriptor is left for a timer, or this process may not have one.
                self.pace = Pace::Torrent;
                Slept::For(Duration::ZERO)
            }
        }
    }

    fn sleep(&mut self, nap: Duration) -> Result<(), Errno> {
        let timer = match self.timer.take() {
            Some(timer) => timer,
            None => Timer::new()?,
        };
        self.timer.insert(timer).sleep(nap)
    }

    /// Notes what a look found after the nap, if one was taken.
    pub(super) fn note(&mut self, found: Found) {
        self.pace = self.pace.after(found, self.napped);
        self.napped = false;
    }

    /// How long a batch waits for more: not at all where a nap does it better.
    pub(super) fn patience(&self) -> Patience {
        match self.pace {
            Pace::Calm | Pace::Flood(_) => Patience::NONE,
            Pace::Torrent => Patience::SHORT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn many(eighths: usize) -> Found {
        Found {
            is_many: true,
            eighths,
        }
    }

    const FEW: Found = Found {
        is_many: false,
        eighths: 0,
    };

    fn nap(micros: u64) -> Pace {
        Pace::Flood(Duration::from_micros(micros))
    }

    #[test]
    fn naps_grow_while_they_leave_the_ring_empty_and_shrink_when_they_fill_it() {
        let mut pace = Pace::Calm;
        let looks = [
            (many(0), nap(16)),
            (many(0), nap(32)),
            (many(1), nap(32)),
            (many(4), nap(32)),
            (many(0), nap(64)),
            (many(0), nap(64)),
            (many(5), nap(32)),
            (many(8), nap(16)),
            (many(8), nap(8)),
            (many(8), Pace::Torrent),
            (many(0), Pace::Torrent),
        ];
        for (found, expected) in looks {
            pace = pace.after(found, true);
            assert_eq!(pace, expected);
        }
    }

    #[test]
    fn few_records_wake_the_reader() {
        for pace in [Pace::Calm, nap(64), Pace::Torrent] {
            assert_eq!(pace.after(FEW, true), Pace::Calm);
            assert_eq!(pace.after(FEW, false), Pace::Calm);
        }
    }

    #[test]
    fn a_look_without_a_nap_says_nothing_about_its_length() {
        assert_eq!(nap(32).after(many(0), false), nap(32));
        assert_eq!(nap(32).after(many(8), false), nap(32));
    }

    #[test]
    fn a_nap_needs_a_flood_and_time_and_room() {
        let none = Slept::For(Duration::ZERO);
        let mut naps = Naps::default();
        assert_eq!(naps.take(None, || true), none);
        naps.note(many(0));
        assert_eq!(naps.take(Some(Duration::from_micros(15)), || true), none);
        assert_eq!(naps.take(None, || false), none);
        assert_eq!(naps.take(None, || true), Slept::For(FIRST));
        naps.note(many(0));
        assert_eq!(naps.pace, nap(32));
    }
}
