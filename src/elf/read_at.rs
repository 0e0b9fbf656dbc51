//! Bytes by offset, for files that are too large, or too little trusted, to be read as a whole.

use crate::{Error, ErrorKind, Result};
use std::fmt::Debug;
use std::io;

/// Something that can be read piece by piece: a file, part of a file, or memory.
pub trait ReadAt: Debug {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// Fills `into` with the bytes from `offset` on.
    ///
    /// # Errors
    /// There are fewer bytes, or they cannot be read.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..)?.get(..into.len()))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(bytes);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_at(offset, into)
    }
}

/// A range of bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Extent {
    /// The part of at most `len` bytes from `start` on, which is relative to this range.
    pub(crate) fn part(self, start: u64, len: u64) -> Option<Self> {
        let rest = self.len.checked_sub(start)?;
        Some(Self {
            offset: self.offset.checked_add(start)?,
            len: len.min(rest),
        })
    }

    /// Itself, if all of it is within a file of this size.
    pub(crate) fn within(self, size: u64) -> Option<Self> {
        let end = self.offset.checked_add(self.len)?;
        (end <= size).then_some(self)
    }
}

/// Reads the whole range, which messages call `what`, if it has at most `limit` bytes.
pub(crate) fn read(file: &dyn ReadAt, range: Extent, limit: u64, what: &str) -> Result<Vec<u8>> {
    let Extent { offset, len } = range;
    if range.within(file.size()).is_none() {
        let message = format!(
            "the file is damaged: {what} ({len:#x} bytes at {offset:#x}) lies outside of it (it has {:#x} bytes)",
            file.size()
        );
        return Err(Error::new(ErrorKind::Elf, message));
    }
    let Some(len) = usize::try_from(len).ok().filter(|_| len <= limit) else {
        let message = format!("{what} has {len} bytes; at most {limit} are read");
        return Err(Error::new(ErrorKind::Elf, message));
    };
    let mut bytes = vec![0; len];
    file.read_at(offset, &mut bytes)
        .map_err(|e| unreadable(&e, what))?;
    Ok(bytes)
}

/// The file had these bytes when it was opened.
#[cold]
pub(crate) fn unreadable(error: &io::Error, what: &str) -> Error {
    let message = format!("cannot read {what}: {error}");
    match error.raw_os_error() {
        Some(number) => Error::new(ErrorKind::Io, message).with_errno(crate::Errno(number)),
        None => Error::new(ErrorKind::Elf, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked_before_they_are_read() {
        let bytes = b"0123456789".to_vec();
        let of = |offset, len| read(&bytes, Extent { offset, len }, 4, "it");
        assert_eq!(of(8, 2).unwrap(), b"89");
        assert!(of(8, 3).unwrap_err().message().contains("lies outside"));
        assert!(of(u64::MAX, 2).is_err());
        assert!(of(0, 5).unwrap_err().message().contains("at most 4"));
        let mut two = [0; 2];
        assert!(bytes.read_at(9, &mut two).is_err() && bytes.read_at(u64::MAX, &mut two).is_err());
    }

    #[test]
    fn parts_end_where_the_whole_does() {
        let whole = Extent { offset: 10, len: 5 };
        assert_eq!(whole.part(2, 9), Some(Extent { offset: 12, len: 3 }));
        assert_eq!(whole.part(6, 1), None);
    }
}
