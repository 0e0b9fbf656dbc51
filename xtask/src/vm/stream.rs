//! Reads what a guest sends: the command's output with the init script's marks in it, and the
//! kernel's console.

/// The byte that starts a mark (ASCII's record separator); ordinary output has none.
const MARK: u8 = 0o36;

/// What the init script writes to the console when the machine is up.
const CONSOLE_READY: &str = "rawbpf guest: ready";

/// Something that a guest has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A line of the command's output.
    Line(String),
    /// The machine is up, and the command is about to start.
    Ready,
    /// The command has ended with this status.
    Exit(u8),
}

/// Splits a guest's output into events.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    rest: Vec<u8>,
}

impl Scanner {
    /// Reads the next piece of output and calls `each` for every event that it completes.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Event)) {
        // Lines may be megabytes long and arrive byte by byte: what has been searched contains no line end.
        let mut searched = self.rest.len();
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(length) = self.rest[searched..].iter().position(|b| *b == b'\n') {
            let end = searched + length;
            line_events(&self.rest[start..end], &mut each);
            start = end + 1;
            searched = start;
        }
        self.rest.drain(..start);
    }

    /// An incomplete line at the end of the output.
    pub(crate) fn end(self) -> Option<Event> {
        (!self.rest.is_empty()).then(|| text_line(&self.rest))
    }
}

fn line_events(line: &[u8], each: &mut impl FnMut(Event)) {
    // The command may have ended in the middle of a line.
    let mark = line.iter().position(|byte| *byte == MARK);
    let event = mark.and_then(|at| mark_event(&line[at + 1..]));
    match (mark, event) {
        (Some(at), Some(event)) => {
            if at > 0 {
                each(text_line(&line[..at]));
            }
            each(event);
        }
        _ => each(text_line(line)),
    }
}

fn mark_event(mark: &[u8]) -> Option<Event> {
    let mark = std::str::from_utf8(mark).ok()?;
    match mark.split_once(' ') {
        None if mark == "ready" => Some(Event::Ready),
        Some(("exit", status)) => status.parse().ok().map(Event::Exit),
        _ => None,
    }
}

fn text_line(line: &[u8]) -> Event {
    Event::Line(
        String::from_utf8_lossy(line)
            .trim_end_matches('\r')
            .to_owned(),
    )
}

/// The console lines that show that the kernel is in trouble.
///
/// Complaints while booting are not ours, as long as it boots.
pub(crate) fn complaints(console: &str) -> Vec<&str> {
    const SIGNS: [&str; 8] = [
        "WARNING:",
        "BUG:",
        "Oops",
        "Kernel panic",
        "general protection fault",
        "unable to handle",
        "verifier bug",
        "Out of memory:",
    ];
    let since = console.find(CONSOLE_READY).unwrap_or(0);
    console[since..]
        .lines()
        .filter(|line| SIGNS.iter().any(|sign| line.contains(sign)))
        .map(str::trim_end)
        .collect()
}

/// The last lines of a console.
pub(crate) fn tail(console: &str, lines: usize) -> String {
    let all: Vec<_> = console.lines().map(str::trim_end).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<Event> {
        let mut scanner = Scanner::default();
        let mut events = Vec::new();
        for piece in pieces {
            scanner.feed(piece, |event| events.push(event));
        }
        events.extend(scanner.end());
        events
    }

    fn line(text: &str) -> Event {
        Event::Line(text.to_owned())
    }

    #[test]
    fn marks_are_found_wherever_the_pieces_end() {
        assert_eq!(
            events(&[b"\x1erea", b"dy\none\ntw", b"o\r\nend\x1eexit 3", b"\n"]),
            [
                Event::Ready,
                line("one"),
                line("two"),
                line("end"),
                Event::Exit(3)
            ]
        );
    }

    #[test]
    fn what_is_no_mark_is_output() {
        assert_eq!(
            events(&[b"\x1eexit x\npart"]),
            [line("\u{1e}exit x"), line("part")]
        );
    }

    #[test]
    fn complaints_count_from_when_the_machine_is_up() {
        let console = "WARNING: at boot\n[ 2.0] rawbpf guest: ready\nfine\n\
                       [ 3.0] WARNING: CPU: 0 PID: 1 at kernel/bpf/verifier.c\n";
        assert_eq!(
            complaints(console),
            ["[ 3.0] WARNING: CPU: 0 PID: 1 at kernel/bpf/verifier.c"]
        );
        assert_eq!(complaints("Kernel panic - not syncing: no init").len(), 1);
    }

    #[test]
    fn the_tail_is_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
    }
}
