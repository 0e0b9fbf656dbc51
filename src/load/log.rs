//! Retrieves the kernel's log (of the verifier, or of the BTF check), with limited memory.
//!
//! There is one buffer, as large as the caller allows. If a log does not fit, kernels since 6.4 keep its end, which contains
//! the reason, and report its full length; older ones keep the beginning. Those are asked again, for statistics only: that
//! log contains the reason, but no trace of instructions.

use crate::Errno;
use crate::sys::bpf::Log;

/// `BPF_LOG_STATS`. Since Linux 5.2.
const STATISTICS: u32 = 4;
/// Kernels before 6.4 reject fewer than 128 bytes, and the notes about what is missing need space, too.
const SMALLEST: usize = 4096;
/// The largest that kernels accept.
const LARGEST: usize = (u32::MAX >> 2) as usize;
/// Enough for a note about what is missing.
const NOTE_ROOM: usize = 256;
/// Enough for a reason without the trace leading to it.
const REASON_ROOM: usize = 1 << 16;

/// What the kernel wrote, or as much of it as was to be kept.
#[derive(Debug, Default)]
pub(super) struct LogText {
    text: String,
    /// The start of the part that extends to the end of the log.
    end_from: usize,
}

impl LogText {
    /// Everything that was kept, with a line that replaces anything missing.
    pub(super) fn into_full(self) -> String {
        self.text
    }

    /// Whether the log is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The end of the log; empty if it was not kept.
    pub(super) fn end(&self) -> &str {
        self.text.get(self.end_from..).unwrap_or_default()
    }

    /// `end_from` is where the end of the log starts in `bytes`, if it was kept.
    fn new(bytes: Vec<u8>, end_from: usize) -> Self {
        let mut text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        text.shrink_to_fit();
        Self { text, end_from }
    }

    fn whole(bytes: Vec<u8>) -> Self {
        Self::new(bytes, 0)
    }

    /// The end of a log of `size` bytes, counted before the verifier removed what turned out harmless. The first line is
    /// rarely complete, and is replaced by the note.
    fn tail(mut bytes: Vec<u8>, size: usize) -> Self {
        let searched = bytes.get(NOTE_ROOM..).unwrap_or_default();
        let start = memchr::memchr(b'\n', searched).map_or(0, |at| NOTE_ROOM + at + 1);
        let cut = size.saturating_sub(bytes.len() - start);
        let note = format!(
            "... up to {cut} bytes before this are not kept (LoadOptions::log_limit) ...\n"
        );
        bytes.splice(..start, note.bytes());
        Self::new(bytes, note.len())
    }

    /// The beginning of a log, followed by a log of statistics instead of the rest.
    fn head(mut bytes: Vec<u8>, end: &[u8]) -> Self {
        let last_line = memchr::memrchr(b'\n', &bytes).map_or(0, |at| at + 1);
        bytes.truncate(last_line);
        let note = "... the rest of the log is not kept (LoadOptions::log_limit; Linux 6.4 keeps the end); it ends with ...\n";
        bytes.extend_from_slice(note.as_bytes());
        let end_from = bytes.len();
        bytes.extend_from_slice(end);
        Self::new(bytes, end_from)
    }
}

impl From<&[u8]> for LogText {
    /// What a kernel wrote into a buffer that is large enough: everything before the first NUL.
    fn from(buffer: &[u8]) -> Self {
        let end = memchr::memchr(0, buffer).unwrap_or(buffer.len());
        Self::whole(buffer.get(..end).unwrap_or_default().to_vec())
    }
}

/// Calls `load` without a log first, which is faster, unless a `level` requests one anyway; if that fails, tries again to
/// find out why. At most `limit` bytes of log are kept in memory.
///
/// The result is that of the load, whatever happened to the log.
pub(super) fn load_with_log<T>(
    level: u32,
    limit: usize,
    mut load: impl FnMut(Option<&mut Log<'_>>) -> Result<T, Errno>,
) -> (Result<T, Errno>, LogText) {
    let limit = limit.clamp(SMALLEST, LARGEST);
    let mut first = None;
    if level == 0 {
        match load(None) {
            Ok(loaded) => return (Ok(loaded), LogText::default()),
            Err(errno) => first = Some(errno),
        }
    }
    let (result, mut bytes, size) = ask(level.max(1), limit, &mut load);
    if !matches!(result, Err(Errno::ENOSPC)) {
        return (result, LogText::whole(bytes));
    }
    // The log did not fit, which says nothing about the load.
    if size > 0 {
        let result = match first {
            Some(errno) => Err(errno),
            None => load(None),
        };
        return (result, LogText::tail(bytes, size));
    }
    let reason_room = REASON_ROOM.min(limit / 2);
    bytes.truncate(limit - reason_room);
    bytes.shrink_to_fit();
    let (result, end, _) = ask(STATISTICS, reason_room - NOTE_ROOM, &mut load);
    match result {
        Err(Errno::ENOSPC) => {
            let errno = first.unwrap_or(Errno::ENOSPC);
            (Err(errno), LogText::head(bytes, &[]))
        }
        result => (result, LogText::head(bytes, &end)),
    }
}

/// A single load with a log: its outcome, the log up to its NUL, and its full length if the kernel reports it.
fn ask<T>(
    level: u32,
    room: usize,
    load: &mut impl FnMut(Option<&mut Log<'_>>) -> Result<T, Errno>,
) -> (Result<T, Errno>, Vec<u8>, usize) {
    let mut bytes = vec![0u8; room];
    let mut log = Log::new(level, &mut bytes);
    let result = load(Some(&mut log));
    let size = usize::try_from(log.true_size).unwrap_or(usize::MAX);
    let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
    bytes.truncate(end);
    (result, bytes, size.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a kernel keeps logs.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Keeps {
        /// Before 6.4.
        Beginning,
        /// Since then.
        End,
    }

    /// A kernel that writes a long log whose last line matters, and may or may not fail with `E2BIG`.
    struct Kernel {
        keeps: Keeps,
        refuses: bool,
        loads: Vec<Option<(u32, usize)>>,
    }

    const REASON: &str = "it is too large\n";

    fn line(number: usize) -> String {
        format!("{number}: (b7) r0 = {number}\n")
    }

    impl Kernel {
        fn new(keeps: Keeps, refuses: bool) -> Self {
            Self {
                keeps,
                refuses,
                loads: Vec::new(),
            }
        }

        fn load(&mut self, log: Option<&mut Log<'_>>) -> Result<(), Errno> {
            let size = log.as_ref().map(|log| (log.level, log.buffer.len()));
            self.loads.push(size);
            let fits = log.is_none_or(|log| self.write(log));
            match (fits, self.refuses) {
                (false, _) => Err(Errno::ENOSPC),
                (true, true) => Err(Errno::E2BIG),
                (true, false) => Ok(()),
            }
        }

        fn write(&self, log: &mut Log<'_>) -> bool {
            let trace = if log.level == STATISTICS { 0 } else { 10_000 };
            let mut text: Vec<u8> = (0..trace).flat_map(|n| line(n).into_bytes()).collect();
            text.extend_from_slice(REASON.as_bytes());
            text.push(0);
            let room = log.buffer.len();
            let fits = text.len() <= room;
            let kept = match self.keeps {
                Keeps::End => {
                    log.true_size = u32::try_from(text.len()).unwrap();
                    &text[text.len().saturating_sub(room)..]
                }
                Keeps::Beginning => {
                    text.truncate(room);
                    *text.last_mut().unwrap() = 0;
                    &text[..]
                }
            };
            log.buffer[..kept.len()].copy_from_slice(kept);
            fits
        }

        fn ask(&mut self, level: u32, limit: usize) -> (Result<(), Errno>, LogText) {
            load_with_log(level, limit, |log| self.load(log))
        }
    }

    fn trace() -> String {
        (0..10_000).map(line).collect()
    }

    #[test]
    fn nothing_is_asked_for_if_nothing_is_wrong() {
        let mut kernel = Kernel::new(Keeps::End, false);
        let (result, log) = kernel.ask(0, 1 << 20);
        assert!(result.is_ok() && log.is_empty());
        assert_eq!(kernel.loads, [None]);
    }

    #[test]
    fn a_log_that_fits_is_kept_whole() {
        for keeps in [Keeps::Beginning, Keeps::End] {
            let mut kernel = Kernel::new(keeps, true);
            let (result, log) = kernel.ask(0, 1 << 20);
            assert_eq!(result, Err(Errno::E2BIG));
            assert_eq!(log.into_full(), trace() + REASON);
            assert_eq!(kernel.loads, [None, Some((1, 1 << 20))]);
        }
    }

    #[test]
    fn of_a_longer_log_the_end_is_kept_and_the_rest_is_counted() {
        for (refuses, level, loads) in [(true, 0, 2), (false, 2, 2)] {
            let mut kernel = Kernel::new(Keeps::End, refuses);
            let (result, log) = kernel.ask(level, 8192);
            assert_eq!(result.is_err(), refuses);
            assert_eq!(kernel.loads.len(), loads);
            assert!(log.end().starts_with(|c: char| c.is_ascii_digit()));
            assert!(log.end().ends_with(&(line(9_999) + REASON)));
            let kept = log.end().len();
            let full = log.into_full();
            let whole = trace() + REASON;
            assert!(whole.ends_with(&full[full.len() - kept..]));
            let note = full.lines().next().unwrap();
            let cut = whole.len() - kept;
            assert!(note.contains(&format!("up to {cut} bytes")), "{note}");
            assert!(full.len() <= 8192 && full.len() > 7900, "{}", full.len());
        }
    }

    #[test]
    fn kernels_that_keep_the_beginning_are_asked_for_the_reason_alone() {
        for (refuses, level) in [(true, 0), (false, 1)] {
            let mut kernel = Kernel::new(Keeps::Beginning, refuses);
            let (result, log) = kernel.ask(level, 8192);
            assert_eq!(result.is_err(), refuses);
            assert_eq!(log.end(), REASON);
            let full = log.into_full();
            assert!(full.starts_with(&line(0)) && full.len() <= 8192);
            let kept = full
                .lines()
                .position(|line| line.starts_with("..."))
                .unwrap();
            assert!(trace().starts_with(&full[..(0..kept).map(|n| line(n).len()).sum()]));
            let level_of_last = kernel.loads.last().unwrap().unwrap().0;
            assert_eq!(level_of_last, STATISTICS);
        }
    }

    #[test]
    fn limits_are_what_kernels_take() {
        let mut kernel = Kernel::new(Keeps::End, true);
        let _ = kernel.ask(0, 0);
        assert_eq!(kernel.loads, [None, Some((1, SMALLEST))]);
    }
}
