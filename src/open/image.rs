//! The initial bytes of a map. Zeroes take no space in a file, and take no memory here until they are accessed.

use std::sync::{LazyLock, OnceLock};

/// How many zeroes are lent instead of allocated.
const LENT: usize = 4 << 20;

/// Initial contents: bytes of the file, or a number of zeroes.
#[derive(Debug, Default)]
pub(crate) struct Image {
    len: usize,
    /// Unchanged since it was created as zeroes, so there is nothing to copy, search or write.
    zeroes: bool,
    bytes: OnceLock<Vec<u8>>,
}

impl Image {
    /// Zeroes. A section header of a few bytes may request hundreds of megabytes of them.
    pub(crate) fn zeroed(len: usize) -> Self {
        Self {
            len,
            zeroes: true,
            bytes: OnceLock::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get_or_init(|| vec![0; self.len])
    }

    /// A range of its bytes. If it is all zeroes, up to four megabytes are lent without allocating it.
    pub(crate) fn part(&self, start: usize, size: usize) -> Option<&[u8]> {
        /// Takes no memory until it is read. An array would take its four megabytes in the executable, too: only what can
        /// change is left to `.bss`.
        static ZEROES: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; LENT]);
        if self.bytes.get().is_none()
            && size <= LENT
            && let Some(zeroes) = ZEROES.get(..size)
        {
            return (start.checked_add(size)? <= self.len).then_some(zeroes);
        }
        self.bytes().get(start..)?.get(..size)
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.zeroes = false;
        self.bytes.get_or_init(|| vec![0; self.len]);
        self.bytes
            .get_mut()
            .map(Vec::as_mut_slice)
            .unwrap_or_default()
    }

    /// Whether all bytes are zero.
    pub(crate) fn is_zero(&self) -> bool {
        self.zeroes || self.bytes().iter().all(|byte| *byte == 0)
    }

    /// Truncates it, or adds zeroes at its end.
    pub(crate) fn resize(&mut self, len: usize) {
        self.len = len;
        if self.zeroes {
            self.bytes = OnceLock::new();
        } else if let Some(bytes) = self.bytes.get_mut() {
            bytes.resize(len, 0);
        }
    }
}

impl From<Vec<u8>> for Image {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            len: bytes.len(),
            zeroes: false,
            bytes: OnceLock::from(bytes),
        }
    }
}

impl Clone for Image {
    fn clone(&self) -> Self {
        if self.zeroes {
            Self::zeroed(self.len)
        } else {
            self.bytes().to_vec().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroes_are_lent_without_being_made() {
        let image = Image::zeroed(1 << 40);
        assert_eq!(image.part((1 << 40) - 8, 8), Some(&[0; 8][..]));
        for (start, size) in [((1 << 40) - 7, 8), (usize::MAX, 8), (1 << 41, 0)] {
            assert_eq!(image.part(start, size), None);
        }
        assert!(image.bytes.get().is_none());
        let mut image = Image::zeroed(16);
        image.bytes_mut()[9] = 7;
        assert_eq!(image.part(8, 2), Some(&[0, 7][..]));
        assert_eq!(image.part(8, 9), None);
    }

    #[test]
    fn zeroes_are_made_when_they_are_looked_at() {
        let image = Image::zeroed(8);
        assert!(image.is_zero() && image.bytes.get().is_none());
        assert_eq!(image.bytes(), [0; 8]);
        // A copy of something that was only read is as cheap as the original.
        assert!(image.clone().bytes.get().is_none());
    }

    #[test]
    fn what_is_written_stays() {
        let mut image = Image::zeroed(2);
        image.bytes_mut()[1] = 7;
        image.resize(3);
        assert_eq!(image.clone().bytes(), [0, 7, 0]);
        assert!(!image.is_zero());
        image.resize(1);
        assert!(image.is_zero());
        assert_eq!((image.len(), image.bytes()), (1, &[0][..]));
    }

    #[test]
    fn zeroes_are_resized_without_being_made() {
        let mut image = Image::zeroed(usize::MAX);
        image.resize(3);
        assert_eq!(image.bytes(), [0; 3]);
        assert!(image.is_zero() && !Image::from(vec![0, 1]).is_zero());
    }
}
