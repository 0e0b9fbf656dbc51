//! Arrays of characters, as C has strings.

use super::Layout;
use super::read::layout::{Number, Shape};
use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `char[N]`: text up to the first zero byte, in no particular encoding.
///
/// It derefs to all of its bytes; [`CharArray::text`] and what prints it end before the first zero.
///
/// ```
/// use rawbpf::btf::CharArray;
///
/// let mut command = CharArray::<16>::from("cat");
/// assert_eq!(command.to_str_lossy(), "cat");
/// assert_eq!(format!("{command:>5} {command:?}"), "  cat \"cat\"");
/// command[0] = b'b';
/// assert!(command == "bat" && command.len() == 16);
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct CharArray<const N: usize>(pub [u8; N]);

impl<const N: usize> CharArray<N> {
    /// The bytes before the first zero, or all of them.
    pub fn text(&self) -> &[u8] {
        let end = memchr::memchr(0, &self.0).unwrap_or(N);
        self.0.get(..end).unwrap_or_default()
    }

    /// The text, with `\u{fffd}` for what is not UTF-8.
    #[allow(
        clippy::wrong_self_convention,
        reason = "a copy could not lend the text"
    )]
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.text())
    }
}

/// As much of the text as fits in front of a zero, and zeroes after it.
impl<const N: usize> From<&str> for CharArray<N> {
    fn from(text: &str) -> Self {
        let mut array = Self::default();
        let room = N.saturating_sub(1);
        for (to, from) in array.0.iter_mut().zip(text.bytes()).take(room) {
            *to = from;
        }
        array
    }
}

impl<const N: usize> Default for CharArray<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Deref for CharArray<N> {
    type Target = [u8; N];

    fn deref(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> DerefMut for CharArray<N> {
    fn deref_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> fmt::Display for CharArray<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_str_lossy())
    }
}

impl<const N: usize> fmt::Debug for CharArray<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_str_lossy(), f)
    }
}

impl<const N: usize> PartialEq<str> for CharArray<N> {
    fn eq(&self, other: &str) -> bool {
        self.text() == other.as_bytes()
    }
}

impl<const N: usize> PartialEq<&str> for CharArray<N> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

/// As text, like [`CharArray::to_str_lossy`].
#[cfg(feature = "serde")]
impl<const N: usize> serde::Serialize for CharArray<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_str_lossy())
    }
}

impl<const N: usize> Layout for CharArray<N> {
    fn shape() -> Shape {
        Shape::Array {
            len: N,
            size: 1,
            element: Box::new(Shape::Number(Number::Unsigned)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_before_the_first_zero() {
        let full = CharArray(*b"full");
        assert_eq!(
            (full.text(), full.to_str_lossy()),
            (&b"full"[..], "full".into())
        );
        assert_eq!(CharArray(*b"a\0b\0").text(), b"a");
        assert_eq!(CharArray::<4>::default().text(), b"");
        assert_eq!(CharArray::<0>::default().text(), b"");
        assert_eq!(CharArray([b'a', 0xff, 0]).to_str_lossy(), "a\u{fffd}");
    }

    #[test]
    fn long_text_is_cut_before_the_last_byte() {
        assert_eq!(CharArray::<4>::from("abcdef").0, *b"abc\0");
        assert!(CharArray::<0>::from("abc").is_empty());
        assert!(CharArray::<8>::from("abc") == *"abc");
    }
}
