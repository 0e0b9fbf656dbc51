//! Names for printing. Text from untrusted files goes to terminals and logs, which obey some characters (they move the
//! cursor, change the title) and take the end of a line for the end of the message.
//!
//! Every [`Error`](crate::Error) is made safe this way when it is built; code that prints names itself calls [`one_line`].

use std::borrow::Cow;

/// Whether a terminal would obey a character instead of showing it: C0 and C1 control characters except line ends and tabs,
/// and characters that change the direction of text.
pub fn is_order(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && !matches!(c, '\n' | '\t')
}

/// Whether bytes are printable ASCII characters, line ends and tabs alone, so that nothing in them has to be escaped.
///
/// ```
/// use rawbpf::printing::is_plain;
/// assert!(is_plain(b"struct list_head;\n") && !is_plain(b"\x1b[2J") && !is_plain("é".as_bytes()));
/// ```
pub fn is_plain(bytes: &[u8]) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    // Without a way out in the middle of a piece, several bytes are looked at at once.
    let mut pieces = bytes.chunks(256);
    pieces.all(|piece| piece.iter().fold(true, |all, byte| all & plain(*byte)))
}

/// The text for use within a line: terminal controls, tabs and line ends become visible escapes (`\n`, `\u{1b}`).
///
/// ```
/// use rawbpf::printing::one_line;
/// assert_eq!(one_line("events"), "events");
/// assert_eq!(one_line("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2J");
/// ```
pub fn one_line(text: &str) -> Cow<'_, str> {
    let breaks = |c: char| {
        // Unicode, and some log readers, end lines there, too.
        let separates = matches!(c, '\u{2028}' | '\u{2029}');
        c.is_control() || separates || is_order(c)
    };
    if !text.contains(breaks) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if breaks(c) {
            shown.extend(c.escape_debug());
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_end_lines() {
        assert_eq!(one_line("a\nb\tc\u{1b}"), "a\\nb\\tc\\u{1b}");
        assert_eq!(one_line("a\u{2028}b\u{85}"), "a\\u{2028}b\\u{85}");
        assert!(matches!(one_line("plain é"), Cow::Borrowed("plain é")));
    }
}
