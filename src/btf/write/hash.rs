//! Hashes with a random key that no author of a file can know, so that no file can force collisions.

use crate::keyed_hash::fold;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The key of the hashes.
#[derive(Debug, Clone)]
pub(super) struct Key([u64; 2]);

impl Key {
    pub(super) fn random() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1)])
    }

    /// Hashes words.
    pub(super) fn hash(&self, words: impl Iterator<Item = u32>) -> u64 {
        let Self([one, two]) = *self;
        let (hash, count) = words.fold((two, 0_u64), |(hash, count), word| {
            (fold(hash ^ u64::from(word), one), count.wrapping_add(1))
        });
        fold(hash ^ count, two | 1)
    }

    /// Hashes bytes.
    pub(super) fn hash_bytes(&self, bytes: &[u8]) -> u64 {
        let Self([one, two]) = *self;
        let (words, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let mut hash = two ^ bytes.len() as u64;
        for word in words.iter().chain(std::iter::once(&last)) {
            hash = fold(hash ^ u64::from_ne_bytes(*word), one);
        }
        fold(hash, two | 1)
    }
}

/// For tables that are keyed by hashes: the hashes are not hashed again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl BuildHasher for Key {
    type Hasher = AsItIs;

    fn build_hasher(&self) -> AsItIs {
        AsItIs(0)
    }
}
