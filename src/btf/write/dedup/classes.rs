//! Which types are the same: the classes of all types.
//!
//! A few rounds tell nearly all types of real files apart: in each, the new class of a type is told by its old one and those
//! that it refers to, which takes one look at each type and no lists. If that leads to no end, [`refine`] goes on.

use super::forwards::Forwards;
use super::graph::{Graph, VOID};
use super::refine::refine;
use crate::btf::Kind;
use crate::btf::write::hash::Key;
use crate::work;
use std::collections::HashMap;

/// Kernels' types take seven, of which the last four look at few types.
const ROUNDS: usize = 16;

/// The class of each type.
pub(super) struct Classes {
    /// By node.
    pub(super) of: Vec<u32>,
    /// More than the highest number of a class.
    pub(super) count: usize,
    pub(super) forwards: Forwards,
}

impl Classes {
    /// The classes of all types.
    pub(super) fn of(graph: &Graph) -> Self {
        let key = Key::random();
        let mut classes = Self::by_looks(graph, &key);
        let mut parted = None;
        for _ in 0..ROUNDS {
            parted = classes.round(graph, &key, parted);
            if parted.is_none() {
                return classes;
            }
        }
        refine(graph, &key, classes)
    }

    /// The class of a node; that of `void` is a number that no class has.
    pub(super) fn class(&self, node: u32) -> u32 {
        self.of.get(node as usize).copied().unwrap_or(VOID)
    }

    /// One class for all types that look the same.
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

    /// Parts each class by the classes that its types refer to. `parted` says of each class whether it lost types in the round
    /// before, or got its first; in the first round there is none. Gives the same of this round, or nothing if all classes stayed
    /// as they are.
    fn round(&mut self, graph: &Graph, key: &Key, parted: Option<Vec<bool>>) -> Option<Vec<bool>> {
        let parted_before = |class: u32| {
            let parted = parted.as_ref();
            parted.is_none_or(|parted| parted.get(class as usize) == Some(&true))
        };
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
                // All of its class refer to the same classes, so none of the others refers to one that was parted.
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

    /// Lets forward declarations follow what they are about.
    fn follow(&mut self) {
        let count = &mut self.count;
        self.forwards.follow(&mut self.of, || {
            *count = count.saturating_add(1);
            u32::try_from(count.saturating_sub(1)).unwrap_or(VOID)
        });
    }
}

/// What the first type of a class refers to.
#[derive(Clone, Copy)]
enum First {
    Unseen,
    /// To classes that were not parted in the round before.
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
