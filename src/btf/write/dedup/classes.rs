//! Which types are equal: the class of each type.
//!
//! A few rounds separate nearly all types of real files. Each round splits the classes by the classes that their types refer to,
//! in one pass over the types and without lists. If that does not come to an end, [`refine`] continues.

use super::forwards::Forwards;
use super::graph::{Graph, VOID};
use super::refine::refine;
use crate::btf::Kind;
use crate::btf::write::hash::Key;
use crate::work;
use std::collections::HashMap;

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
        refine(graph, &key, classes)
    }

    /// The class of a node; for `void`, a number that no class has.
    pub(super) fn class(&self, node: u32) -> u32 {
        self.of.get(node as usize).copied().unwrap_or(VOID)
    }

    /// Puts all types that look the same into one class.
    fn by_looks(graph: &Graph, key: &Key) -> Self {
        let mut by_hash: HashMap<u64, u32, _> = HashMap::with_hasher(key.clone());
        let mut count = 0_u32;
        let mut of = Vec::with_capacity(graph.len());
        for node in graph.nodes() {
            let mut new = || {
                count = count.saturating_add(1);
                count.saturating_sub(1)
            };
            let alone = unique(graph.kind(node)) || graph.taken_for(node).is_some();
            of.push(if alone {
                new()
            } else {
                let hash = graph.looks_hash(node, key);
                *by_hash.entry(hash).or_insert_with(new)
            });
        }
        let mut classes = Self {
            of,
            count: count as usize,
            forwards: Forwards::collect(graph),
        };
        classes.follow();
        classes
    }

    /// Splits each class by the classes that its types refer to. `parted` says which classes the previous round split or created;
    /// it is `None` in the first round. Returns the same for this round, or `None` if no class was split.
    fn round(&mut self, graph: &Graph, key: &Key, parted: Option<&[bool]>) -> Option<Vec<bool>> {
        let parted_before =
            |class: u32| parted.is_none_or(|parted| parted.get(class as usize) == Some(&true));
        work::did(graph.len());
        let mut first = vec![First::Unseen; self.count];
        let mut new: HashMap<(u32, u64), u32, Key> = HashMap::with_hasher(key.clone());
        let mut moves: Vec<(u32, u32)> = Vec::new();
        for (node, class) in (0..).zip(&self.of) {
            let Some(first) = first.get_mut(*class as usize) else {
                continue;
            };
            if matches!(first, First::Stays) || !refers(graph.kind(node as usize)) {
                continue;
            }
            let targets = || {
                graph
                    .targets(node as usize)
                    .map(|target| self.class(target))
            };
            if matches!(first, First::Unseen) && !targets().any(parted_before) {
                // All types of its class refer to the same classes, so none of them refers to a class that was split.
                *first = First::Stays;
                continue;
            }
            let hash = key.hash(targets());
            match *first {
                First::Refers(kept) if kept != hash => {
                    let next = self.count.saturating_add(new.len());
                    let next = u32::try_from(next).unwrap_or(VOID);
                    moves.push((node, *new.entry((*class, hash)).or_insert(next)));
                }
                _ => *first = First::Refers(hash),
            }
        }
        if moves.is_empty() {
            return None;
        }
        self.count = self.count.saturating_add(new.len());
        let mut parted = vec![false; self.count];
        for (node, class) in moves {
            if let Some(own) = self.of.get_mut(node as usize) {
                let before = std::mem::replace(own, class);
                for class in [before, class] {
                    if let Some(parted) = parted.get_mut(class as usize) {
                        *parted = true;
                    }
                }
            }
        }
        self.follow();
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

/// What the first type of a class refers to, in one round.
#[derive(Clone, Copy)]
enum First {
    Unseen,
    /// To classes that the previous round did not split.
    Stays,
    /// To classes with this hash.
    Refers(u64),
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
