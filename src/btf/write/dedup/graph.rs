//! The types as a graph: a node for each, those of the base first; a node's number is its type id minus 1.
//!
//! The records follow one another, and nothing is stored about a node but its record: nearly all work is done in passes over
//! all of them. What follows references needs an [`Indexed`] graph.

use super::record::Record;
use crate::TypeId;
use crate::btf::write::builder::BtfBuilder;
use crate::btf::write::record::{INFO, map_types, record_words};
use crate::btf::{Btf, BtfError, Kind};
use std::ops::Range;

/// Represents `void`.
pub(super) const VOID: u32 = u32::MAX;

/// All types, with their references.
pub(super) struct Graph {
    /// The records.
    words: Vec<u32>,
    /// How many nodes there are.
    len: usize,
    /// How many nodes belong to the base.
    of_base: usize,
    /// By node: the more detailed node that replaces it; empty while there are none.
    taken_for: Vec<u32>,
}

impl Graph {
    /// The types of a builder, whose own records are moved out of it.
    ///
    /// # Errors
    /// A type refers to one that does not exist, or is of an unknown kind.
    pub(super) fn of(builder: &mut BtfBuilder) -> Result<Self, BtfError> {
        let mut words = Vec::new();
        let mut of_base = 0;
        if let Some(base) = &builder.base {
            of_base = collect(base, &mut words)?;
        }
        let last = builder.next_id().0;
        let own = std::mem::take(&mut builder.starts).len();
        if words.is_empty() {
            words = std::mem::take(&mut builder.words);
        } else {
            words.append(&mut builder.words);
        }
        if u32::try_from(words.len()).is_err() {
            return Err(BtfError::TooManyTypes(last));
        }
        let graph = Self {
            words,
            len: of_base.saturating_add(own),
            of_base,
            taken_for: Vec::new(),
        };
        graph.check()?;
        Ok(graph)
    }

    /// The number of nodes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The number of nodes that belong to the base.
    pub(super) fn of_base(&self) -> usize {
        self.of_base
    }

    /// Whether a node belongs to the base.
    pub(super) fn is_of_base(&self, node: u32) -> bool {
        (node as usize) < self.of_base
    }

    /// All records, in order.
    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let first = self.record_at(0);
        std::iter::successors(first, |record| self.record_at(record.end()))
    }

    /// All nodes with their records, in order.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (u32, Record<'_>)> {
        (0..).zip(self.records())
    }

    /// The same, without those that others replace.
    pub(super) fn remaining(&self) -> impl Iterator<Item = (u32, Record<'_>)> {
        self.nodes()
            .filter(|(node, _)| self.taken_for(*node).is_none())
    }

    /// The record that starts with this word.
    #[inline]
    pub(super) fn record_at(&self, start: u32) -> Option<Record<'_>> {
        let (kind, range) = record_range(&self.words, start)?;
        let words = self.words.get(range)?;
        Some(Record { start, kind, words })
    }

    /// Calls `change` with each node and its record.
    pub(super) fn for_each_mut(&mut self, mut change: impl FnMut(u32, Kind, &mut [u32])) {
        let mut start = 0;
        for node in 0.. {
            let Some((kind, range)) = record_range(&self.words, start) else {
                return;
            };
            start = u32::try_from(range.end).unwrap_or(u32::MAX);
            if let Some(record) = self.words.get_mut(range) {
                change(node, kind, record);
            }
        }
    }

    /// The same, with which any record is found at once.
    pub(super) fn indexed(&self) -> Indexed<'_> {
        let mut starts = Vec::with_capacity(self.len);
        starts.extend(self.records().map(|record| record.start));
        Indexed {
            graph: self,
            starts,
        }
    }

    /// The node that replaces this one.
    pub(super) fn taken_for(&self, node: u32) -> Option<u32> {
        let other = self.taken_for.get(node as usize).copied();
        other.filter(|other| *other != VOID)
    }

    /// The nodes that were replaced, and by which.
    pub(super) fn replaced(&self) -> impl Iterator<Item = (u32, u32)> {
        let nodes = (0..).zip(&self.taken_for);
        nodes.filter_map(|(node, other)| (*other != VOID).then_some((node, *other)))
    }

    /// Replaces nodes by others, to which own nodes refer from now on.
    pub(super) fn take(&mut self, nodes: &[(u32, u32)]) {
        let mut taken_for = std::mem::take(&mut self.taken_for);
        taken_for.resize(self.len, VOID);
        for (node, other) in nodes {
            if let Some(slot) = taken_for.get_mut(*node as usize) {
                *slot = *other;
            }
        }
        // Nodes that were replaced by one of these before.
        for node in 0..self.len {
            let other = taken_for.get(node).copied().unwrap_or(VOID);
            let last = taken_for.get(other as usize).copied().unwrap_or(VOID);
            if let Some(slot) = taken_for.get_mut(node)
                && last != VOID
            {
                *slot = last;
            }
        }
        let of_base = self.of_base;
        self.for_each_mut(|node, kind, record| {
            if node as usize >= of_base {
                map_types(record, kind, |id| {
                    let other = taken_for.get(id.0.wrapping_sub(1) as usize);
                    let other = other.filter(|other| **other != VOID);
                    other.map_or(id, |other| TypeId(other.wrapping_add(1)))
                });
            }
        });
        self.taken_for = taken_for;
    }

    /// The records that start with these words, which are in order, with their type ids mapped. Returns them and where they start.
    pub(super) fn keep(self, stay: &[u32], map: impl Fn(TypeId) -> TypeId) -> (Vec<u32>, Vec<u32>) {
        let mut words = self.words;
        let mut starts = Vec::with_capacity(stay.len());
        let mut end = 0_usize;
        for start in stay {
            // Each is moved towards the front, where there is none that is still to be moved.
            let Some((kind, from)) = record_range(&words, *start) else {
                continue;
            };
            starts.push(u32::try_from(end).unwrap_or(u32::MAX));
            let to = end..end.saturating_add(from.len());
            end = to.end;
            words.copy_within(from, to.start);
            map_types(words.get_mut(to).unwrap_or_default(), kind, &map);
        }
        words.truncate(end);
        words.shrink_to_fit();
        (words, starts)
    }

    fn check(&self) -> Result<(), BtfError> {
        let len = u32::try_from(self.len).unwrap_or(u32::MAX);
        let mut records = self.records();
        let mut end = 0;
        for node in 0..self.len {
            let record = records.next().ok_or_else(|| self.malformed(node, end))?;
            end = record.end();
            let lost = record.targets().fold(None, |lost, target| {
                lost.or((target != VOID && target >= len).then_some(target))
            });
            if let Some(target) = lost {
                return Err(BtfError::NoType(TypeId(target.wrapping_add(1))));
            }
        }
        if end as usize == self.words.len() {
            Ok(())
        } else {
            Err(self.malformed(self.len, end))
        }
    }

    /// Why there is no record of this node, which should start with this word.
    fn malformed(&self, node: usize, start: u32) -> BtfError {
        let id = id_of(node);
        let rest = self.words.get(start as usize..).unwrap_or_default();
        match rest.get(INFO) {
            Some(info) if record_words(*info).is_none() => BtfError::UnknownKind {
                id,
                kind: info >> 24 & 0x7f,
            },
            _ => BtfError::Truncated {
                id,
                offset: (start as usize).saturating_mul(4),
            },
        }
    }
}

/// A graph, and where each record is.
pub(super) struct Indexed<'g> {
    graph: &'g Graph,
    /// By node: the first word of its record.
    starts: Vec<u32>,
}

impl<'g> Indexed<'g> {
    pub(super) fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// The record of a node.
    pub(super) fn record(&self, node: u32) -> Option<Record<'g>> {
        self.graph.record_at(*self.starts.get(node as usize)?)
    }

    /// The nodes that a node refers to; see [`Record::targets`].
    pub(super) fn targets(&self, node: u32) -> impl Iterator<Item = u32> + use<'g> {
        self.record(node)
            .into_iter()
            .flat_map(|record| record.targets())
    }
}

/// The reverse references: which nodes refer to each node.
pub(super) struct Referring {
    /// For each node, where in `nodes` the ones that refer to it start.
    starts: Vec<u32>,
    nodes: Vec<u32>,
}

impl Referring {
    /// Counts the references to each node first, then fills in the nodes that they come from.
    pub(super) fn of(graph: &Graph) -> Self {
        let mut starts = vec![0_u32; graph.len().saturating_add(2)];
        for record in graph.records() {
            record.targets().for_each(|target| {
                // The position for `void` is far past the end.
                if let Some(count) = starts.get_mut((target as usize).saturating_add(2)) {
                    *count = count.saturating_add(1);
                }
            });
        }
        let mut sum = 0_u32;
        for count in &mut starts {
            sum = sum.saturating_add(*count);
            *count = sum;
        }
        // `starts[n + 1]` is the position of the first node of `n`, and then of the next one.
        let mut nodes = vec![0; sum as usize];
        for (node, record) in graph.nodes() {
            record.targets().for_each(|target| {
                if let Some(next) = starts.get_mut((target as usize).saturating_add(1)) {
                    if let Some(slot) = nodes.get_mut(*next as usize) {
                        *slot = node;
                    }
                    *next = next.saturating_add(1);
                }
            });
        }
        Self { starts, nodes }
    }

    /// The nodes that refer to a node, as often as they do.
    pub(super) fn to(&self, node: u32) -> &[u32] {
        let node = node as usize;
        let at = |index: usize| self.starts.get(index).map_or(0, |n| *n as usize);
        let range = at(node)..at(node.saturating_add(1));
        self.nodes.get(range).unwrap_or_default()
    }
}

/// Adds the records of a base, and those of its own base; returns their number.
fn collect(btf: &Btf<'_>, words: &mut Vec<u32>) -> Result<usize, BtfError> {
    let mut count = match btf.base() {
        Some(base) => collect(base, words)?,
        None => 0,
    };
    for ty in btf.records() {
        words.extend(ty?.words());
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// The id of a node's type.
pub(super) fn id_of(node: usize) -> TypeId {
    TypeId(u32::try_from(node.saturating_add(1)).unwrap_or(u32::MAX))
}

/// The kind and the place of the record that starts with this word.
#[inline]
fn record_range(words: &[u32], start: u32) -> Option<(Kind, Range<usize>)> {
    let start = start as usize;
    let info = *words.get(start.checked_add(INFO)?)?;
    let (kind, len) = record_words(info)?;
    let end = start.checked_add(len).filter(|end| *end <= words.len())?;
    Some((kind, start..end))
}
