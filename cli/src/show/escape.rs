//! Names, messages, logs and events come from untrusted files, programs and kernels, and go to terminals, which obey some
//! characters: they move the cursor, change the title, paste. Everything the command prints goes through [`Escaping`].

pub(crate) use rawbpf::printing::one_line as name;
use rawbpf::printing::{is_order, is_plain};
use std::fmt::Write as _;
use std::io::{self, Write};

/// The output format.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    /// Only strings can contain what is escaped, since nothing else in JSON has such characters.
    Json,
}

/// Escapes terminal controls and bytes that are not text, and passes on everything else.
pub(crate) struct Escaping<W> {
    to: W,
    format: Format,
    /// An incomplete character at the end of what was written.
    begun: Vec<u8>,
}

impl<W: Write> Escaping<W> {
    pub(crate) fn new(to: W, format: Format) -> Self {
        let begun = Vec::new();
        Self { to, format, begun }
    }

    /// Nothing follows: an incomplete character remains incomplete.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let mut shown = String::new();
        let begun = std::mem::take(&mut self.begun);
        self.show_bytes(&begun, &mut shown);
        self.to.write_all(shown.as_bytes())?;
        self.to.flush()
    }

    fn show(&self, text: &str, shown: &mut String) {
        for c in text.chars() {
            match self.format {
                _ if !is_order(c) => shown.push(c),
                Format::Text => shown.extend(c.escape_debug()),
                // Writing to a string does not fail.
                Format::Json => {
                    let _ = write!(shown, "\\u{:04x}", u32::from(c));
                }
            }
        }
    }

    fn show_bytes(&self, bytes: &[u8], shown: &mut String) {
        for byte in bytes {
            let _ = match self.format {
                Format::Text => write!(shown, "\\x{byte:02x}"),
                Format::Json => write!(shown, "\\ufffd"),
            };
        }
    }
}

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.begun.is_empty() && is_plain(bytes) {
            self.to.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let mut text = std::mem::take(&mut self.begun);
        text.extend(bytes);
        let mut shown = String::with_capacity(text.len());
        let mut rest = text.as_slice();
        while let Err(error) = std::str::from_utf8(rest) {
            let (good, bad) = rest.split_at(error.valid_up_to());
            self.show(std::str::from_utf8(good).unwrap_or_default(), &mut shown);
            let Some(len) = error.error_len() else {
                self.begun = bad.to_vec();
                rest = &[];
                break;
            };
            let (bad, after) = bad.split_at(len);
            self.show_bytes(bad, &mut shown);
            rest = after;
        }
        self.show(std::str::from_utf8(rest).unwrap_or_default(), &mut shown);
        self.to.write_all(shown.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output for these pieces.
    fn escaped(format: Format, pieces: &[&[u8]]) -> String {
        let mut out = Escaping::new(Vec::new(), format);
        for piece in pieces {
            out.write_all(piece).unwrap();
        }
        out.finish().unwrap();
        String::from_utf8(out.to).unwrap()
    }

    #[test]
    fn orders_to_terminals_are_shown() {
        for (bytes, text, json) in [
            ("\x1b[2J".as_bytes(), "\\u{1b}[2J", "\\u001b[2J"),
            (
                "\0\r\x08".as_bytes(),
                "\\0\\r\\u{8}",
                "\\u0000\\u000d\\u0008",
            ),
            (
                "a\x7fb\u{9b}c".as_bytes(),
                "a\\u{7f}b\\u{9b}c",
                "a\\u007fb\\u009bc",
            ),
            (
                "\u{202e}\u{2066}".as_bytes(),
                "\\u{202e}\\u{2066}",
                "\\u202e\\u2066",
            ),
            (b"\x9b\xff", "\\x9b\\xff", "\\ufffd\\ufffd"),
            (
                "1\n\t2 é 漢 🦀\n".as_bytes(),
                "1\n\t2 é 漢 🦀\n",
                "1\n\t2 é 漢 🦀\n",
            ),
        ] {
            assert_eq!(escaped(Format::Text, &[bytes]), text);
            assert_eq!(escaped(Format::Json, &[bytes]), json);
        }
    }

    #[test]
    fn characters_may_come_in_pieces() {
        let crab = "🦀".as_bytes();
        let pieces: Vec<&[u8]> = crab.chunks(1).collect();
        assert_eq!(escaped(Format::Text, &pieces), "🦀");
        assert_eq!(escaped(Format::Text, &[&crab[..2], b"x"]), "\\xf0\\x9fx");
        assert_eq!(
            escaped(Format::Text, &[b"x", &crab[..3]]),
            "x\\xf0\\x9f\\xa6"
        );
        // The two bytes of U+009B are as harmless apart as together.
        assert_eq!(escaped(Format::Text, &[b"\xc2", b"\x9b"]), "\\u{9b}");
    }
}
