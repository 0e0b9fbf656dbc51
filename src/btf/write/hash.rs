//! Hashes with a random key that no author of a file can know, so that no file can force collisions.

use crate::keyed_hash::fold;
use std::hash::{BuildHasher, RandomState};

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

/// A hash table of numbers with open addressing. What the numbers stand for is stored elsewhere.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    /// Half of a hash, and a number plus 1; 0 marks a free slot.
    slots: Vec<(u32, u32)>,
    used: usize,
}

impl Numbers {
    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// The number with this hash that `is` accepts.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = half(hash);
        for place in self.places(hash) {
            let (found, above) = *self.slots.get(place)?;
            let number = above.checked_sub(1)?;
            if found == hash && is(number) {
                return Some(number);
            }
        }
        None
    }

    /// Adds a number that is not in the table yet, and less than `u32::MAX`.
    pub(super) fn insert(&mut self, hash: u64, number: u32) {
        // At least a quarter of the slots is kept free.
        if self.used.saturating_mul(4) >= self.slots.len().saturating_mul(3) {
            let twice = self.slots.len().saturating_mul(2).max(64);
            let old = std::mem::replace(&mut self.slots, vec![(0, 0); twice]);
            for slot in old {
                self.put(slot);
            }
        }
        self.put((half(hash), number.saturating_add(1)));
        self.used = self.used.saturating_add(1);
    }

    fn put(&mut self, new: (u32, u32)) {
        let free = |place: &usize| self.slots.get(*place).is_some_and(|slot| slot.1 == 0);
        if new.1 != 0
            && let Some(place) = self.places(new.0).find(free)
            && let Some(slot) = self.slots.get_mut(place)
        {
            *slot = new;
        }
    }

    #[inline]
    fn places(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len().saturating_sub(1);
        (0..self.slots.len()).map(move |step| (hash as usize).wrapping_add(step) & mask)
    }
}

/// The upper half of a hash.
#[inline]
fn half(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_what_they_stand_for() {
        let key = Key::random();
        let hash = |number: u32| key.hash([number / 2].into_iter());
        let mut numbers = Numbers::default();
        assert_eq!(numbers.find(hash(0), |_| true), None);
        (0..1000).for_each(|number| numbers.insert(hash(number), number));
        assert_eq!(numbers.len(), 1000);
        for number in 0..1000 {
            // Two have the same hash.
            let found = numbers.find(hash(number), |other| other == number);
            assert_eq!(found, Some(number));
        }
        assert_eq!(numbers.find(hash(1000), |number| number / 2 == 500), None);
    }
}
