//! Names for printing: what comes from files that nobody vouches for goes to terminals and logs, which take some characters for
//! orders (to move the cursor, to change the title), and the end of a line for the end of what is said.
//!
//! Every [`Error`](crate::Error) is made safe by this when it is built; what prints names by itself calls [`one_line`].

use std::borrow::Cow;

/// Whether a terminal would obey a character instead of showing it: controls of one byte and of two, but for the ends of lines and
/// tabs, and what turns the direction of text around.
pub fn is_order(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && !matches!(c, '\n' | '\t')
}

/// The same text for a line that it shares with others: orders to terminals, tabs and ends of lines stand in it as visible escapes
/// (`\n`, `\u{1b}`).
///
/// ```
/// use rawbpf::printing::one_line;
/// assert_eq!(one_line("events"), "events");
/// assert_eq!(one_line("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2J");
/// ```
pub fn one_line(text: &str) -> Cow<'_, str> {
    let breaks = |c: char| {
        // Lines end there too, says Unicode, and some who read logs.
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
