//! The types as a graph: a node for each, those of the base first; a node's number is its type id minus 1.

use crate::TypeId;
use crate::btf::write::builder::BtfBuilder;
use crate::btf::write::hash::Key;
use crate::btf::write::record::{HEAD, INFO, NAME, element, kind_of, map_types, type_places};
use crate::btf::{Btf, BtfError, Kind};
use std::ops::Range;

/// Represents `void`.
pub(super) const VOID: u32 = u32::MAX;

/// All types, with their references.
pub(super) struct Graph {
    /// The records.
    pub(super) words: Vec<u32>,
    /// The start of each record, and the end of the last one.
    starts: Vec<u32>,
    /// How many nodes belong to the base.
    pub(super) of_base: usize,
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
        let mut starts: Vec<u32> = Vec::new();
        if let Some(base) = &builder.base {
            collect(base, &mut words, &mut starts)?;
        }
        let of_base = starts.len();
        let too_many = BtfError::TooManyTypes(builder.next_id().0);
        let place = |start: usize| u32::try_from(start).map_err(|_| too_many);
        let shift = place(words.len())?;
        let end = place(words.len().saturating_add(builder.words.len()))?;
        if words.is_empty() {
            words = std::mem::take(&mut builder.words);
            starts = std::mem::take(&mut builder.starts);
        } else {
            words.extend_from_slice(&builder.words);
            // None of them is greater than `end`.
            starts.extend(builder.starts.iter().map(|start| start.wrapping_add(shift)));
        }
        starts.push(end);
        let graph = Self {
            words,
            starts,
            of_base,
            taken_for: Vec::new(),
        };
        graph.check()?;
        Ok(graph)
    }

    /// The number of nodes.
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

    /// The nodes that a node refers to, in the order of its record, including [`VOID`].
    pub(super) fn targets(&self, node: usize) -> impl Iterator<Item = u32> {
        let record = self.record(node);
        let places = type_places(self.kind(node), record.len());
        let ids = places.filter_map(|place| record.get(place));
        // `void` is 0, which wraps around to the number that represents it.
        ids.map(|id| id.wrapping_sub(1))
    }

    /// Whether a node is a structure or union with a name.
    pub(super) fn is_named_composite(&self, node: usize) -> bool {
        let named = self.record(node).get(NAME).is_some_and(|name| *name != 0);
        named && self.kind(node).is_composite() && self.taken_for(node).is_none()
    }

    /// The hash of a node's record without its references.
    pub(super) fn looks_hash(&self, node: usize, key: &Key) -> u64 {
        key.hash(looks(self.record(node), self.kind(node)))
    }

    /// The node that replaces this one.
    pub(super) fn taken_for(&self, node: usize) -> Option<usize> {
        let other = self.taken_for.get(node).filter(|other| **other != VOID);
        other.map(|other| *other as usize)
    }

    /// Replaces nodes by others, to which own nodes refer from now on.
    pub(super) fn take(&mut self, nodes: &[(u32, u32)]) {
        self.taken_for.resize(self.len(), VOID);
        for (node, other) in nodes {
            if let Some(slot) = self.taken_for.get_mut(*node as usize) {
                *slot = *other;
            }
        }
        // Nodes that were replaced by one of these before.
        for node in self.nodes() {
            let last = self
                .taken_for(node)
                .and_then(|other| self.taken_for.get(other).copied());
            if let (Some(last), Some(slot)) = (last, self.taken_for.get_mut(node))
                && last != VOID
            {
                *slot = last;
            }
        }
        for node in self.nodes().skip(self.of_base) {
            let (kind, range) = (self.kind(node), self.range(node));
            let record = self.words.get_mut(range).unwrap_or_default();
            let taken_for = &self.taken_for;
            map_types(record, kind, |id| {
                let other = taken_for.get(id.0.wrapping_sub(1) as usize);
                let other = other.filter(|other| **other != VOID);
                other.map_or(id, |other| TypeId(other.wrapping_add(1)))
            });
        }
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
            let lost = self.targets(node).fold(None, |lost, target| {
                lost.or((target != VOID && target >= len).then_some(target))
            });
            if let Some(target) = lost {
                return Err(BtfError::NoType(TypeId(target.wrapping_add(1))));
            }
        }
        Ok(())
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
        for node in graph.nodes() {
            graph.targets(node).for_each(|target| {
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
        for node in graph.nodes() {
            graph.targets(node).for_each(|target| {
                if let Some(next) = starts.get_mut((target as usize).saturating_add(1)) {
                    if let Some(slot) = nodes.get_mut(*next as usize) {
                        *slot = u32::try_from(node).unwrap_or(VOID);
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

/// Adds the records of a base, and those of its own base.
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

/// The id of a node's type.
pub(super) fn id_of(node: usize) -> TypeId {
    TypeId(u32::try_from(node.saturating_add(1)).unwrap_or(u32::MAX))
}

/// The words of a record that are not type ids: what the type looks like.
pub(super) fn looks(record: &[u32], kind: Kind) -> impl Iterator<Item = u32> {
    let (head, tail) = record.split_at_checked(HEAD).unwrap_or((record, &[]));
    let shown = head.len().saturating_sub(usize::from(kind.has_target()));
    let head = head.get(..shown).unwrap_or_default();
    // An array has two types and its length.
    let tail = tail.get(if kind == Kind::Array { 2 } else { 0 }..);
    let (words, target) = element(kind).map_or((1, None), |e| (e.words, e.target));
    let elements = tail.unwrap_or_default().chunks_exact(words);
    let words = elements.flat_map(move |element| {
        let target = target.unwrap_or(element.len());
        let (before, rest) = element.split_at_checked(target).unwrap_or_default();
        before.iter().chain(rest.iter().skip(1))
    });
    head.iter().chain(words).copied()
}
