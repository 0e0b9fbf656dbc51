//! Hashing of numbers and names from a file: fast, and with keys that the file cannot know.
//!
//! With a fixed hash function, a file could be crafted so that all its names collide, which would make every lookup a linear
//! search.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map whose keys come from a file.
pub(crate) type Table<K, V> = HashMap<K, V, Keys>;

/// A set whose elements come from a file.
pub(crate) type Set<K> = HashSet<K, Keys>;

/// The random keys of this process, which are mixed into all hashes. The output does not depend on them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    start: u64,
    factor: u64,
}

impl Default for Keys {
    fn default() -> Self {
        let random = RandomState::new();
        Self {
            start: random.hash_one(1_u8),
            // An even factor would lose bits.
            factor: random.hash_one(2_u8) | 1,
        }
    }
}

impl BuildHasher for Keys {
    type Hasher = Folding;

    #[inline]
    fn build_hasher(&self) -> Folding {
        Folding {
            state: self.start,
            factor: self.factor,
        }
    }
}

/// Multiplies repeatedly with a factor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folding {
    state: u64,
    factor: u64,
}

/// Both halves of a product, combined by exclusive or.
#[inline]
pub(crate) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    let low = u64::try_from(product & u128::from(u64::MAX)).unwrap_or_default();
    let high = u64::try_from(product >> 64).unwrap_or_default();
    low ^ high
}

impl Folding {
    #[inline]
    fn mix(&mut self, value: u64) {
        self.state = fold(self.state ^ value, self.factor);
        // A product of zero would forget all previous input.
        self.state = self.state.wrapping_add(value.rotate_left(32));
    }
}

impl Hasher for Folding {
    #[inline]
    fn finish(&self) -> u64 {
        // After one product, the low bits depend on few of the highest bits of the value, with some factors on almost none.
        fold(self.state, self.factor)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let last = rest
            .iter()
            .fold(1_u64, |last, byte| last << 8 | u64::from(*byte));
        self.mix(last);
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn what_differs_hashes_differently_whatever_the_keys() {
        for _ in 0..100 {
            differs(Keys::default());
        }
    }

    fn differs(keys: Keys) {
        let numbers: HashSet<u64> = (0..10_000_u64).map(|n| keys.hash_one(n)).collect();
        assert_eq!(numbers.len(), 10_000);
        let texts = [
            &b""[..],
            b"\0",
            b"\0\0",
            b"a",
            b"a\0",
            b"12345678",
            b"123456789",
        ];
        let hashes: HashSet<u64> = texts.iter().map(|text| keys.hash_one(text)).collect();
        assert_eq!(hashes.len(), texts.len());
        let low_bits: HashSet<u64> = (0..4096_u64)
            .map(|n| keys.hash_one(n << 52) & 0xfff)
            .collect();
        assert!(low_bits.len() > 2000, "{}", low_bits.len());
    }
}
