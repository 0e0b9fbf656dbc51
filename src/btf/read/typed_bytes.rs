//! Bytes in, a value of a Rust type out, or an error if they are not one: a `bool` must be 0 or 1, an enum one of its values.

use crate::{Error, ErrorKind, Result};
use std::any::type_name;
use std::fmt::Write as _;
use std::marker::PhantomData;
use zerocopy::{Immutable, TryFromBytes};

/// Values of up to this many bytes are read without allocating.
const SMALL: usize = 256;

/// Space for the bytes of one `T`, which are only known to be one once [`Room::value`] has checked them.
#[derive(Debug, Clone)]
pub struct Room<T> {
    small: [u8; SMALL],
    large: Vec<u8>,
    value: PhantomData<fn() -> T>,
}

impl<T: TryFromBytes> Room<T> {
    pub(crate) fn new() -> Self {
        let large = if size_of::<T>() > SMALL {
            vec![0; size_of::<T>()]
        } else {
            Vec::new()
        };
        Self {
            small: [0; SMALL],
            large,
            value: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self.small.get_mut(..size_of::<T>()) {
            Some(small) => small,
            None => &mut self.large,
        }
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.small.get(..size_of::<T>()).unwrap_or(&self.large)
    }

    #[inline]
    pub(crate) fn value(&self) -> Result<T> {
        T::try_read_from_bytes(self.bytes()).map_err(|_| not_valid::<T>(self.bytes()))
    }
}

/// Space for the bytes of many consecutive `T`.
#[derive(Debug)]
pub(crate) struct Rooms<T> {
    /// With enough leading padding to align the values.
    bytes: Vec<u8>,
    len: usize,
    value: PhantomData<fn() -> T>,
}

impl<T: TryFromBytes + Immutable> Rooms<T> {
    pub(crate) fn new(len: usize) -> Self {
        let size = size_of::<T>().saturating_mul(len);
        Self {
            bytes: vec![0; size.saturating_add(align_of::<T>())],
            len,
            value: PhantomData,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The offset of the first value, and the total size of all of them in bytes.
    fn place(&self) -> (usize, usize) {
        let start = self.bytes.as_ptr().align_offset(align_of::<T>());
        (start, size_of::<T>().saturating_mul(self.len))
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let (start, size) = self.place();
        self.bytes
            .get_mut(start..)
            .and_then(|bytes| bytes.get_mut(..size))
            .unwrap_or_default()
    }

    /// The first `count` values; fewer are an error. An error says which of them is invalid.
    pub(crate) fn values(&self, count: usize) -> Result<&[T]> {
        let (start, size) = self.place();
        let bytes = self.bytes.get(start..).and_then(|all| all.get(..size));
        let wanted = size_of::<T>().saturating_mul(count);
        let bytes = bytes.and_then(|all| all.get(..wanted)).unwrap_or_default();
        <[T]>::try_ref_from_bytes_with_elems(bytes, count).map_err(|_| {
            let mut each = bytes.chunks_exact(size_of::<T>().max(1)).enumerate();
            let bad = each.find(|(_, bytes)| T::try_read_from_bytes(bytes).is_err());
            let (index, bytes) = bad.unwrap_or_default();
            not_valid::<T>(bytes).context(format!("element {index} of the batch"))
        })
    }
}

/// The error for bytes that have the size of a `T`, but are not one.
#[cold]
pub(crate) fn not_valid<T>(bytes: &[u8]) -> Error {
    let message = format!(
        "the bytes {} are not a valid `{}`",
        hex(bytes),
        type_name::<T>()
    );
    Error::new(ErrorKind::Corrupt, message).with_hint(
        "a `bool` is 0 or 1, and an enum one of its values; an integer takes whatever the program wrote",
    )
}

/// The first bytes, in memory order.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;
    let mut text = String::new();
    for byte in bytes.iter().take(SHOWN) {
        let _ = write!(text, "{byte:02x} ");
    }
    if bytes.len() > SHOWN {
        let _ = write!(text, "... ({} bytes)", bytes.len());
    } else {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable)]
    #[repr(u32)]
    enum State {
        Idle = 1,
        Busy = 7,
    }

    #[derive(TryFromBytes, Immutable)]
    #[repr(C, align(64))]
    struct Wide([u8; 320]);

    #[test]
    fn only_valid_bytes_become_values() {
        let mut room = Room::<bool>::new();
        for (byte, value) in [(0, false), (1, true)] {
            room.bytes_mut().copy_from_slice(&[byte]);
            assert_eq!(room.value().unwrap(), value);
        }
        room.bytes_mut().copy_from_slice(&[2]);
        let error = room.value().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.message(), "the bytes 02 are not a valid `bool`");

        // Zeros, which a fresh room contains, are none of its values.
        let mut room = Room::<State>::new();
        assert!(room.value().is_err());
        room.bytes_mut().copy_from_slice(State::Busy.as_bytes());
        assert_eq!(room.value().unwrap(), State::Busy);
        room.bytes_mut().copy_from_slice(&2_u32.to_ne_bytes());
        let error = room.value().unwrap_err().to_string();
        assert!(error.contains("State`"), "{error}");
    }

    #[test]
    fn large_values_have_room() {
        let mut room = Room::<Wide>::new();
        room.bytes_mut().fill(3);
        assert_eq!(room.value().unwrap().0, [3; 320]);
        assert!(hex(room.bytes()).ends_with("03 ... (320 bytes)"));
    }

    #[test]
    fn of_many_values_the_wrong_one_is_named() {
        let mut rooms = Rooms::<State>::new(3);
        let good = [State::Idle, State::Busy, State::Idle];
        rooms.bytes_mut().copy_from_slice(good.as_bytes());
        assert_eq!(rooms.values(3).unwrap(), good);
        let bad = [1, 7, 8_u32];
        rooms.bytes_mut().copy_from_slice(bad.as_bytes());
        assert_eq!(rooms.values(2).unwrap(), &good[..2]);
        let error = rooms.values(3).unwrap_err().to_string();
        assert!(error.contains("element 2 of the batch"), "{error}");
    }

    #[test]
    fn many_values_are_aligned_and_may_be_nothing() {
        let mut rooms = Rooms::<Wide>::new(2);
        assert_eq!(rooms.bytes_mut().len(), 640);
        rooms.bytes_mut().fill(5);
        assert_eq!(rooms.values(2).unwrap().len(), 2);
        assert_eq!(Rooms::<()>::new(4).values(4).unwrap(), [(); 4]);
        assert!(Rooms::<u64>::new(1).values(2).is_err(), "beyond the end");
    }
}
