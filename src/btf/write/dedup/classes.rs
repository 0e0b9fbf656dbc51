//! Which types are equal: the class of each type.
//!
//! A few rounds separate nearly all types of real files. Each round splits the classes by the classes that their types refer to,
//! in one pass over the types and without lists. If that does not come to an end, [`refine`] continues.

use super::forwards::Forwards;
use super::graph::{Graph, VOID};
use super::record::Record;
use super::refine::refine;
use crate::btf::Kind;
use crate::btf::write::hash::{Key, Numbers};
use crate::work;

/// The types of kernels take seven rounds, the last four of which hash few types.
const ROUNDS: usize = 16;

/// The class of each type.
pub(super) struct Classes {
    /// By node.
    pub(super) of: Vec<u32>,
    /// One more than the highest class number.
    pub(super) count: usize,
    pub(super) forwards: Forwards,
}

impl Classes {
    /// The classes of all types.
    pub(super) fn of(graph: &Graph) -> Self {
        let key = Key::random();
        let mut classes = Self::by_looks(graph, &key);
        let mut parted: Option<Vec<bool>> = None;
        for _ in 0..ROUNDS {
            parted = classes.round(graph, &key, parted.as_deref());
            if parted.is_none() {
                return classes;
            }
        }
        refine(&graph.indexed(), &key, classes)
    }

    /// The class of a node; for `void`, a number that no class has.
    pub(super) fn class(&self, node: u32) -> u32 {
        self.of.get(node as usize).copied().unwrap_or(VOID)
    }

    /// Puts all types that look the same into one class.
    fn by_looks(graph: &Graph, key: &Key) -> Self {
        let mut looks = Looks {
            graph,
            key,
            of: Vec::with_capacity(graph.len()),
            first: Vec::new(),
            table: Numbers::default(),
            expected: None,
        };
        for (node, record) in graph.nodes() {
            looks.add(node, &record);
        }
        let mut classes = Self {
            of: looks.of,
            count: looks.first.len(),
            forwards: Forwards::collect(graph),
        };
        classes.follow();
        classes
    }

    /// Splits each class by the classes that its types refer to. `parted` says which classes the previous round split or created;
    /// it is `None` in the first round. Returns the same for this round, or `None` if no class was split.
    fn round(&mut self, graph: &Graph, key: &Key, parted: Option<&[bool]>) -> Option<Vec<bool>> {
        work::did(graph.len());
        let mut parting = Parting {
            key,
            parted,
            first: vec![First::Unseen; self.count],
            split: vec![false; self.count],
            new: Vec::new(),
            table: Numbers::default(),
        };
        for (node, record) in graph.nodes() {
            if refers(record.kind)
                && let Some(class) = parting.leaves(graph, self, node, &record)
                && let Some(own) = self.of.get_mut(node as usize)
            {
                *own = class;
            }
        }
        if parting.new.is_empty() {
            return None;
        }
        self.count = self.count.saturating_add(parting.new.len());
        self.follow();
        let mut parted = parting.split;
        parted.resize(self.count, true);
        Some(parted)
    }

    /// Moves forward declarations to the class of the types that they refer to.
    fn follow(&mut self) {
        let count = &mut self.count;
        self.forwards.follow(&mut self.of, || {
            *count = count.saturating_add(1);
            u32::try_from(count.saturating_sub(1)).unwrap_or(VOID)
        });
    }
}

/// The classes of the types so far, by what they look like.
struct Looks<'g> {
    graph: &'g Graph,
    key: &'g Key,
    /// By node.
    of: Vec<u32>,
    /// By class: its first type.
    first: Vec<Place>,
    table: Numbers,
    /// The type after the one that the previous type looks like. Most types come in the same order in one file as in another, so
    /// that the next type may well look like this one; the table takes longer.
    expected: Option<Place>,
}

/// A node, and the first word of its record.
#[derive(Clone, Copy)]
struct Place {
    node: u32,
    start: u32,
}

impl Looks<'_> {
    fn add(&mut self, node: u32, record: &Record<'_>) {
        let alone = unique(record.kind) || self.graph.taken_for(node).is_some();
        let known = if alone { None } else { self.expected(record) };
        let class = known.unwrap_or_else(|| {
            let hash = (!alone).then(|| record.looks_hash(self.key));
            let known = hash.and_then(|hash| self.find(hash, record));
            known.unwrap_or_else(|| {
                let class = u32::try_from(self.first.len()).unwrap_or(VOID);
                let start = record.start;
                self.first.push(Place { node, start });
                if let Some(hash) = hash {
                    self.table.insert(hash, class);
                }
                class
            })
        });
        self.of.push(class);
    }

    /// The class of the expected type, if this type looks like it.
    fn expected(&mut self, record: &Record<'_>) -> Option<u32> {
        let Place { node, start } = self.expected?;
        let expected = self.graph.record_at(start)?;
        let same = self.graph.taken_for(node).is_none() && expected.looks_like(record);
        let class = same
            .then(|| self.of.get(node as usize))
            .flatten()
            .copied()?;
        self.expect_after(node, &expected);
        Some(class)
    }

    /// The class of the types that look like this one.
    fn find(&mut self, hash: u64, record: &Record<'_>) -> Option<u32> {
        let (graph, first) = (self.graph, &self.first);
        let first = |class: u32| {
            let place = first.get(class as usize)?;
            Some((place.node, graph.record_at(place.start)?))
        };
        let same = |class: u32| first(class).is_some_and(|(_, first)| first.looks_like(record));
        let class = self.table.find(hash, same)?;
        let (node, first) = first(class)?;
        self.expect_after(node, &first);
        Some(class)
    }

    fn expect_after(&mut self, node: u32, record: &Record<'_>) {
        self.expected = Some(Place {
            node: node.saturating_add(1),
            start: record.end(),
        });
    }
}

/// One round: the classes as they were before it, and how they are split.
struct Parting<'r> {
    key: &'r Key,
    /// The classes that the previous round split or created; `None` before the first round.
    parted: Option<&'r [bool]>,
    /// By class: what its first type refers to.
    first: Vec<First>,
    /// By class: whether a type has left it.
    split: Vec<bool>,
    /// The new classes, which continue the numbers of those before: the class that each is a part of, and the hash of the classes
    /// that its types refer to.
    new: Vec<(u32, u64)>,
    table: Numbers,
}

/// What the first type of a class refers to.
#[derive(Clone, Copy)]
enum First {
    Unseen,
    /// The type whose record starts with this word. As long as its class has no second one, this does not matter.
    Alone(u32),
    /// To classes that the previous round did not split.
    Stays,
    /// To classes with this hash.
    Refers(u64),
}

impl Parting<'_> {
    /// The class that a type moves to; `None` if it stays where it is.
    fn leaves(
        &mut self,
        graph: &Graph,
        classes: &Classes,
        node: u32,
        record: &Record<'_>,
    ) -> Option<u32> {
        let class = classes.class(node);
        let kept = match *self.first.get(class as usize)? {
            First::Stays => return None,
            First::Unseen => {
                *self.first.get_mut(class as usize)? = First::Alone(record.start);
                return None;
            }
            // All types of a class referred to the same classes, so that none of them refers to a class that was split.
            First::Alone(_) if !self.refers_to_parted(classes, record) => {
                *self.first.get_mut(class as usize)? = First::Stays;
                return None;
            }
            First::Alone(start) => {
                let kept = self.hash(classes, &graph.record_at(start)?);
                *self.first.get_mut(class as usize)? = First::Refers(kept);
                kept
            }
            First::Refers(kept) => kept,
        };
        let hash = self.hash(classes, record);
        (hash != kept).then(|| self.part(class, hash))
    }

    /// The new class for the types of a class that refer to classes with this hash.
    fn part(&mut self, class: u32, hash: u64) -> u32 {
        let (new, first_new) = (&self.new, self.first.len());
        let same = |number: u32| new.get(number as usize) == Some(&(class, hash));
        let known = self.table.find(hash, same);
        let number = known.unwrap_or_else(|| {
            let number = u32::try_from(self.new.len()).unwrap_or(VOID);
            self.new.push((class, hash));
            self.table.insert(hash, number);
            if let Some(split) = self.split.get_mut(class as usize) {
                *split = true;
            }
            number
        });
        u32::try_from(first_new)
            .unwrap_or(VOID)
            .saturating_add(number)
    }

    fn refers_to_parted(&self, classes: &Classes, record: &Record<'_>) -> bool {
        self.parted.is_none_or(|parted| {
            let mut targets = self.targets(classes, record);
            targets.any(|class| parted.get(class as usize) == Some(&true))
        })
    }

    fn hash(&self, classes: &Classes, record: &Record<'_>) -> u64 {
        self.key.hash(self.targets(classes, record))
    }

    /// The classes that a type refers to, as they were before this round.
    fn targets(&self, classes: &Classes, record: &Record<'_>) -> impl Iterator<Item = u32> {
        record.targets().map(|target| {
            let class = classes.class(target);
            let new = (class as usize).checked_sub(self.first.len());
            let before = new.and_then(|new| self.new.get(new));
            before.map_or(class, |(before, _)| *before)
        })
    }
}

/// Whether types of this kind refer to others.
fn refers(kind: Kind) -> bool {
    kind.has_target()
        || matches!(
            kind,
            Kind::Array | Kind::Struct | Kind::Union | Kind::FuncProto | Kind::Datasec
        )
}

/// Whether types of this kind are never the same as others.
pub(super) fn unique(kind: Kind) -> bool {
    matches!(kind, Kind::Var | Kind::Datasec)
}
