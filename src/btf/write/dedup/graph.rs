//! The types as a graph: a node for each, the base's first, whose number is the type's less one.

use crate::TypeId;
use crate::btf::write::builder::BtfBuilder;
use crate::btf::write::record::{HEAD, INFO, kind_of, type_places};
use crate::btf::{Btf, BtfError, Kind};
use std::ops::Range;

/// What stands for `void`.
pub(super) const VOID: u32 = u32::MAX;

/// All types, with their references.
pub(super) struct Graph {
    /// The records.
    pub(super) words: Vec<u32>,
    /// Where each record starts, and where the last one ends.
    starts: Vec<u32>,
    /// How many nodes are the base's.
    pub(super) of_base: usize,
    /// Where in `referring` the nodes are that refer to each node.
    referring_starts: Vec<u32>,
    referring: Vec<u32>,
}

impl Graph {
    /// The types of a builder, whose own records are taken out of it.
    ///
    /// # Errors
    /// A type refers to one that is not there, or is of a kind that nobody knows.
    pub(super) fn of(builder: &mut BtfBuilder) -> Result<Self, BtfError> {
        let mut words = Vec::new();
        let mut starts = Vec::new();
        if let Some(base) = &builder.base {
            collect(base, &mut words, &mut starts)?;
        }
        let of_base = starts.len();
        let shift = words.len();
        let too_many = BtfError::TooManyTypes(builder.next_id().0);
        let place = |start: usize| u32::try_from(start).map_err(|_| too_many);
        for start in &builder.starts {
            starts.push(place(start.saturating_add(shift))?);
        }
        if words.is_empty() {
            words = std::mem::take(&mut builder.words);
        } else {
            words.extend_from_slice(&builder.words);
        }
        starts.push(place(words.len())?);
        let mut graph = Self {
            words,
            starts,
            of_base,
            referring_starts: Vec::new(),
            referring: Vec::new(),
        };
        graph.check()?;
        graph.turn_around();
        Ok(graph)
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub(super) fn nodes(&self) -> Range<usize> {
        0..self.len()
    }

    /// The words of a node's record.
    pub(super) fn record(&self, node: usize) -> &[u32] {
        self.words.get(self.range(node)).unwrap_or_default()
    }

    pub(super) fn record_mut(&mut self, node: usize) -> &mut [u32] {
        let range = self.range(node);
        self.words.get_mut(range).unwrap_or_default()
    }

    fn range(&self, node: usize) -> Range<usize> {
        let at = |index: usize| self.starts.get(index).map_or(0, |start| *start as usize);
        at(node)..at(node.saturating_add(1))
    }

    pub(super) fn kind(&self, node: usize) -> Kind {
        let info = self.record(node).get(INFO).copied().unwrap_or(0);
        kind_of(info).unwrap_or(Kind::Void)
    }

    /// The nodes that a node refers to, in the order of its record; [`VOID`] among them.
    pub(super) fn targets(&self, node: usize) -> impl Iterator<Item = u32> {
        let record = self.record(node);
        let places = type_places(self.kind(node), record.len());
        let ids = places.filter_map(|place| record.get(place));
        // `void` is 0, which wraps around to what stands for it.
        ids.map(|id| id.wrapping_sub(1))
    }

    /// The nodes that refer to a node, as often as they do.
    pub(super) fn referring(&self, node: usize) -> &[u32] {
        let at = |index: usize| self.referring_starts.get(index).map_or(0, |n| *n as usize);
        let range = at(node)..at(node.saturating_add(1));
        self.referring.get(range).unwrap_or_default()
    }

    fn check(&self) -> Result<(), BtfError> {
        let len = u32::try_from(self.len()).unwrap_or(u32::MAX);
        for node in self.nodes() {
            let info = self.record(node).get(INFO).copied().unwrap_or(0);
            if kind_of(info).is_none_or(|kind| kind == Kind::Void) {
                return Err(BtfError::UnknownKind {
                    id: id_of(node),
                    kind: info >> 24 & 0x7f,
                });
            }
            let lost = |target: &u32| *target != VOID && *target >= len;
            if let Some(target) = self.targets(node).find(lost) {
                return Err(BtfError::NoType(TypeId(target.wrapping_add(1))));
            }
        }
        Ok(())
    }

    /// Notes for each node who refers to it: counts, then places.
    fn turn_around(&mut self) {
        let mut counts = vec![0_u32; self.len().saturating_add(2)];
        for node in self.nodes() {
            for target in self.targets(node).filter(|target| *target != VOID) {
                if let Some(count) = counts.get_mut((target as usize).saturating_add(2)) {
                    *count = count.saturating_add(1);
                }
            }
        }
        let mut sum = 0_u32;
        for count in &mut counts {
            sum = sum.saturating_add(*count);
            *count = sum;
        }
        // `counts[n + 1]` is where the first one of `n` goes, and then the next one.
        let mut referring = vec![0; sum as usize];
        for node in self.nodes() {
            for target in self.targets(node).filter(|target| *target != VOID) {
                let Some(next) = counts.get_mut((target as usize).saturating_add(1)) else {
                    continue;
                };
                if let Some(slot) = referring.get_mut(*next as usize) {
                    *slot = u32::try_from(node).unwrap_or(VOID);
                }
                *next = next.saturating_add(1);
            }
        }
        self.referring_starts = counts;
        self.referring = referring;
    }
}

/// Adds the records of a base, and of what it continues.
fn collect(btf: &Btf<'_>, words: &mut Vec<u32>, starts: &mut Vec<u32>) -> Result<(), BtfError> {
    if let Some(base) = btf.base() {
        collect(base, words, starts)?;
    }
    for ty in btf.records() {
        let ty = ty?;
        starts.push(u32::try_from(words.len()).unwrap_or(u32::MAX));
        words.extend(ty.words());
    }
    Ok(())
}

/// The number of the type that a node is.
pub(super) fn id_of(node: usize) -> TypeId {
    TypeId(u32::try_from(node.saturating_add(1)).unwrap_or(u32::MAX))
}

/// Words of a record that hold no type are what it looks like.
pub(super) fn looks(record: &[u32], kind: Kind) -> impl Iterator<Item = u32> {
    let mut types = type_places(kind, record.len()).peekable();
    debug_assert!(record.len() >= HEAD);
    record.iter().enumerate().map(move |(place, word)| {
        if types.next_if_eq(&place).is_some() {
            0
        } else {
            *word
        }
    })
}
