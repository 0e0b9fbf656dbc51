//! JSON documents that are written incrementally, and JSON values that all commands share.

use rawbpf::insn::Helper;
use serde::{Serialize, Serializer};
use std::fmt::{self, Display};
use std::io::{self, Write};

/// Prints one JSON document, indented. It is not buffered: the contents of a [`Rows`] are created as they are written.
pub(crate) fn print_json(
    out: &mut impl Write,
    document: &(impl Serialize + ?Sized),
) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}

/// A JSON array of the items of the function's iterator.
pub(crate) struct Rows<F>(pub(crate) F);

impl<F, I> Serialize for Rows<F>
where
    F: Fn() -> I,
    I: IntoIterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A JSON string with the text that `Display` prints.
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Bytes as hex, two digits each.
#[derive(Clone, Copy)]
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?');
        let mut text = [0u8; 256];
        for bytes in self.0.chunks(text.len() / 2) {
            for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
                *pair = [digit(byte >> 4), digit(byte & 0xf)];
            }
            let written = text.get(..bytes.len() * 2).unwrap_or_default();
            f.write_str(std::str::from_utf8(written).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// A helper function, as in the JSON output of all commands.
#[derive(Serialize)]
pub(crate) struct HelperJson {
    number: u32,
    /// `None` for an id that no kernel has, such as one left by a poisoned relocation.
    name: Option<&'static str>,
}

impl From<Helper> for HelperJson {
    fn from(helper: Helper) -> Self {
        Self {
            number: helper.0,
            name: helper.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_two_digits() {
        assert_eq!(Hex(&[0, 255, 16]).to_string(), "00ff10");
        let many: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let one_by_one: Vec<_> = many.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(Hex(&many).to_string(), one_by_one.concat());
    }

    #[test]
    fn what_is_streamed_is_what_was_collected() {
        let rows = Rows(|| (0..2).map(|number| Shown(format!("\"{number}"))));
        let mut out = Vec::new();
        print_json(&mut out, &rows).unwrap();
        assert_eq!(out, b"[\n  \"\\\"0\",\n  \"\\\"1\"\n]\n");
    }
}
