//! Which entries of `.debug_info` are types: maps offsets to rows, in a fifth of the space of the entries themselves.

/// Offsets, added in ascending order: a bit for each byte, and for every 64 of them the number of bits before them.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    words: Vec<u64>,
    before: Vec<u32>,
    count: u32,
}

impl Offsets {
    /// Removes all offsets, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.words.clear();
        self.before.clear();
        self.count = 0;
    }

    /// Adds an offset that is larger than all others; its row is the number of previous offsets.
    #[inline]
    pub(super) fn push(&mut self, offset: u32) {
        let (word, bit) = place(offset);
        while self.words.len() <= word {
            self.words.push(0);
            self.before.push(self.count);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= 1 << bit;
            self.count += 1;
        }
    }

    /// The row of an offset.
    #[inline]
    pub(super) fn row(&self, offset: u32) -> Option<u32> {
        let (word, bit) = place(offset);
        let bits = *self.words.get(word)?;
        if bits >> bit & 1 == 0 {
            return None;
        }
        let lower = bits & !(u64::MAX << bit);
        Some(*self.before.get(word)? + lower.count_ones())
    }
}

#[inline]
fn place(offset: u32) -> (usize, u32) {
    ((offset / 64) as usize, offset % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn rows_are_counted(offsets in prop::collection::btree_set(0..2000_u32, 0..100)) {
            let mut set = Offsets::default();
            for offset in &offsets {
                set.push(*offset);
            }
            let offsets: BTreeSet<u32> = offsets;
            for offset in 0..2100 {
                let row = offsets.contains(&offset).then(|| u32::try_from(offsets.range(..offset).count()).unwrap());
                prop_assert_eq!(set.row(offset), row);
            }
        }
    }
}
