//! String literals.

use std::fmt::Write as _;

/// How many characters a line of the object's bytes has, about.
const LINE: usize = 96;

/// A string literal.
pub(super) fn string(text: &str) -> String {
    let mut literal = String::from("\"");
    push(&mut literal, text.as_bytes());
    literal.push('"');
    literal
}

/// Bytes as string literals on lines of their own, which the compiler joins.
pub(super) fn lines(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(3));
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut line = String::with_capacity(LINE.saturating_mul(2));
        while line.len() < LINE
            && let Some((byte, after)) = rest.split_first()
        {
            push_byte(&mut line, *byte, after.first().copied());
            rest = after;
        }
        text.push_str("\t\t\"");
        text.push_str(&line);
        text.push_str("\"\n");
    }
    if text.is_empty() {
        text.push_str("\t\t\"\"\n");
    }
    text
}

fn push(literal: &mut String, bytes: &[u8]) {
    let next = bytes.iter().skip(1).copied().map(Some).chain([None]);
    for (byte, next) in bytes.iter().zip(next) {
        push_byte(literal, *byte, next);
    }
}

/// A byte as it is, or as an octal escape, which is as short as the next byte allows.
fn push_byte(literal: &mut String, byte: u8, next: Option<u8>) {
    match byte {
        // Question marks could make a trigraph.
        b'"' | b'\\' | b'?' => literal.extend(['\\', char::from(byte)]),
        b' '..=b'~' => literal.push(char::from(byte)),
        _ => {
            let is_digit = next.is_some_and(|next| next.is_ascii_digit());
            // Writing to a string does not fail.
            let _ = if is_digit {
                write!(literal, "\\{byte:03o}")
            } else {
                write!(literal, "\\{byte:o}")
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_literal() {
        assert_eq!(
            string("a\"; x(\\\n??/\u{e9}"),
            "\"a\\\"; x(\\\\\\12\\?\\?/\\303\\251\""
        );
        assert_eq!(string("\u{1}7\u{1}a\u{0}"), "\"\\0017\\1a\\0\"");
        assert_eq!(string("*/"), "\"*/\"");
    }

    #[test]
    fn bytes_take_lines() {
        let text = lines(&[0; 100]);
        assert_eq!(text.lines().count(), 3);
        assert_eq!(text.matches("\\0").count(), 100);
        assert_eq!(lines(&[]), "\t\t\"\"\n");
    }
}
