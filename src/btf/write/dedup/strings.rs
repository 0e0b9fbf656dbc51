//! Each name once: equal names get equal offsets, and unused ones are removed.

use super::graph::Graph;
use crate::btf::write::builder::BtfBuilder;
use crate::btf::write::record::{names, visit_names};
use crate::btf::write::strings::Strings;
use crate::btf::{BtfError, BtfExt};

/// The new strings, and the new offsets of the old ones.
pub(super) struct Renamed {
    pub(super) strings: Strings,
    used: Offsets,
    /// The new offset of each used string, in the order of the old ones.
    new: Vec<u32>,
}

impl Renamed {
    /// Takes the strings that own types and `ext` refer to out of a builder.
    ///
    /// # Errors
    /// A type refers to a string that does not exist.
    pub(super) fn take(
        builder: &mut BtfBuilder,
        graph: &Graph,
        ext: Option<&BtfExt>,
    ) -> Result<Self, BtfError> {
        let end = builder.strings.end();
        let mut used = Offsets::new(end);
        for record in graph.records() {
            let lost = names(record.words, record.kind).fold(None, |lost, offset| {
                used.mark(offset);
                lost.or((offset != 0 && offset >= end).then_some(offset))
            });
            if let Some(offset) = lost {
                return Err(BtfError::NoString(offset));
            }
        }
        if let Some(ext) = ext {
            ext.visit_strings(|offset| used.mark(offset));
        }
        used.count();
        // Builders add a string once, so that only a copy of another blob may have it twice.
        let once = builder.strings.are_distinct();
        let mut strings = Strings::new(builder.base.clone());
        let old = std::mem::replace(&mut builder.strings, strings.clone());
        let once = once && used.all().all(|offset| old.starts_at(offset));
        let new = used.all().map(|offset| match once {
            true if old.is_of_base(offset) => offset,
            true => strings.append(old.at(offset)),
            false => strings.add(old.at(offset)),
        });
        let new = new.collect();
        strings.forget_table();
        Ok(Self { strings, used, new })
    }

    /// The new offset of a string that was used.
    pub(super) fn new_offset(&self, old: u32) -> u32 {
        let rank = self.used.rank(old);
        rank.and_then(|rank| self.new.get(rank))
            .copied()
            .unwrap_or(0)
    }

    /// Gives all names their new offsets.
    pub(super) fn rename(&self, graph: &mut Graph) {
        graph.for_each_mut(|_, kind, record| {
            visit_names(record, kind, |name| *name = self.new_offset(*name));
        });
    }
}

/// A set of offsets that counts how many are lower than a given one: one bit for each, and a count per 64.
struct Offsets {
    bits: Vec<u64>,
    before: Vec<u32>,
}

impl Offsets {
    fn new(end: u32) -> Self {
        Self {
            bits: vec![0; (end as usize / 64).saturating_add(1)],
            before: Vec::new(),
        }
    }

    fn mark(&mut self, offset: u32) {
        if let Some(bits) = self.bits.get_mut(offset as usize / 64) {
            *bits |= 1 << (offset % 64);
        }
    }

    fn count(&mut self) {
        let mut sum = 0_u32;
        self.before = Vec::with_capacity(self.bits.len());
        for bits in &self.bits {
            self.before.push(sum);
            sum = sum.saturating_add(bits.count_ones());
        }
    }

    fn rank(&self, offset: u32) -> Option<usize> {
        let word = offset as usize / 64;
        let bits = self.bits.get(word)?;
        let bit = 1_u64 << (offset % 64);
        (bits & bit != 0).then_some(())?;
        let below = (bits & bit.wrapping_sub(1)).count_ones();
        Some(self.before.get(word)?.saturating_add(below) as usize)
    }

    fn all(&self) -> impl Iterator<Item = u32> {
        let words = self.bits.iter().zip((0..u32::MAX).step_by(64));
        words.flat_map(|(bits, first)| {
            let mut left = *bits;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left.wrapping_sub(1);
                Some(first.saturating_add(bit))
            })
        })
    }
}
