//! Which types are equal: classes are split until all types of each class refer to the same classes.

use super::forwards::{Forwards, is_forward};
use super::graph::{Graph, VOID};
use crate::btf::Kind;
use crate::btf::write::hash::Key;
use crate::work;
use std::collections::HashMap;

/// The class of each type.
pub(super) struct Classes {
    /// By node.
    pub(super) of: Vec<u32>,
    members: Members,
    pub(super) forwards: Forwards,
}

/// The types in each class, without forward declarations of its contents, as lists that are linked through the nodes.
#[derive(Default)]
struct Members {
    /// By class: the number of types, and the first one.
    classes: Vec<(u32, u32)>,
    /// By node: the next and the previous one.
    links: Vec<(u32, u32)>,
}

impl Members {
    fn add_class(&mut self) -> u32 {
        let class = u32::try_from(self.classes.len()).unwrap_or(VOID);
        self.classes.push((0, VOID));
        class
    }

    fn size(&self, class: u32) -> u32 {
        self.classes
            .get(class as usize)
            .map_or(0, |(size, _)| *size)
    }

    fn of(&self, class: u32) -> impl Iterator<Item = u32> {
        let link = |node: u32| {
            self.links
                .get(node as usize)
                .map_or(VOID, |(next, _)| *next)
        };
        let first = self
            .classes
            .get(class as usize)
            .map_or(VOID, |(_, first)| *first);
        let there = |node: u32| (node != VOID).then_some(node);
        std::iter::successors(there(first), move |node| there(link(*node)))
    }

    fn insert(&mut self, node: u32, class: u32) {
        let Some((size, first)) = self.classes.get_mut(class as usize) else {
            return;
        };
        *size = size.saturating_add(1);
        let next = std::mem::replace(first, node);
        if let Some(link) = self.links.get_mut(node as usize) {
            *link = (next, VOID);
        }
        if let Some((_, previous)) = self.links.get_mut(next as usize) {
            *previous = node;
        }
    }

    fn remove(&mut self, node: u32, class: u32) {
        let (next, previous) = self
            .links
            .get(node as usize)
            .copied()
            .unwrap_or((VOID, VOID));
        if let Some((_, back)) = self.links.get_mut(next as usize) {
            *back = previous;
        }
        match self.links.get_mut(previous as usize) {
            Some((on, _)) => *on = next,
            None => {
                if let Some((_, first)) = self.classes.get_mut(class as usize) {
                    *first = next;
                }
            }
        }
        if let Some((size, _)) = self.classes.get_mut(class as usize) {
            *size = size.saturating_sub(1);
        }
    }
}

/// A type that refers to a new class, with its own class and the classes that it refers to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Dirty {
    class: u32,
    hash: u64,
    node: u32,
}

/// Nodes to look at in the next round, each once.
struct Queue {
    nodes: Vec<u32>,
    listed: Vec<u64>,
}

impl Queue {
    fn add(&mut self, node: u32) {
        let bit = 1 << (node % 64);
        if let Some(bits) = self.listed.get_mut(node as usize / 64)
            && *bits & bit == 0
        {
            *bits |= bit;
            self.nodes.push(node);
        }
    }

    fn add_all(&mut self, nodes: &[u32]) {
        for node in nodes {
            self.add(*node);
        }
    }

    fn take(&mut self) -> Vec<u32> {
        for node in &self.nodes {
            if let Some(bits) = self.listed.get_mut(*node as usize / 64) {
                *bits = 0;
            }
        }
        std::mem::take(&mut self.nodes)
    }
}

impl Classes {
    /// The classes of all types.
    pub(super) fn of(graph: &Graph) -> Self {
        let key = Key::random();
        let mut classes = Self {
            of: Vec::with_capacity(graph.len()),
            members: Members::default(),
            forwards: Forwards::collect(graph),
        };
        classes.by_looks(graph, &key);
        let mut queue = Queue {
            nodes: Vec::new(),
            listed: vec![0; (graph.len() / 64).saturating_add(1)],
        };
        for node in (0..).take(graph.len()) {
            let place = node as usize;
            let alone = unique(graph.kind(place)) || graph.taken_for(place).is_some();
            if !alone && graph.targets(place).next().is_some() {
                queue.add(node);
            }
        }
        while !queue.nodes.is_empty() {
            classes.round(graph, &key, &mut queue);
        }
        classes
    }

    /// The class of a node; for `void`, a number that no class has.
    pub(super) fn class(&self, node: u32) -> u32 {
        self.of.get(node as usize).copied().unwrap_or(VOID)
    }

    /// The number of classes.
    pub(super) fn count(&self) -> usize {
        self.members.classes.len()
    }

    /// Puts all types that look the same into one class.
    fn by_looks(&mut self, graph: &Graph, key: &Key) {
        let mut by_hash: HashMap<u64, u32, _> = HashMap::with_hasher(key.clone());
        self.members.links = vec![(VOID, VOID); graph.len()];
        for node in graph.nodes() {
            let kind = graph.kind(node);
            let mut new = || self.members.add_class();
            let class = if unique(kind) || graph.taken_for(node).is_some() {
                new()
            } else {
                let hash = graph.looks_hash(node, key);
                *by_hash.entry(hash).or_insert_with(new)
            };
            self.of.push(class);
        }
        for (node, class) in self.forwards.join(graph, &self.of) {
            self.set(node, class);
        }
        for node in (0..).take(graph.len()) {
            if !self.forwards.joins(self.class(node)) || !is_forward(graph, node as usize) {
                self.members.insert(node, self.class(node));
            }
        }
    }

    fn set(&mut self, node: u32, class: u32) {
        if let Some(own) = self.of.get_mut(node as usize) {
            *own = class;
        }
    }

    /// Moves nodes of a class to a new one; the nodes that refer to them have to be examined again.
    fn part_off(&mut self, graph: &Graph, nodes: impl IntoIterator<Item = u32>, queue: &mut Queue) {
        let new = self.members.add_class();
        for node in nodes {
            self.members.remove(node, self.class(node));
            self.members.insert(node, new);
            self.set(node, new);
            queue.add_all(graph.referring(node as usize));
        }
    }

    /// Splits the classes of types that refer to classes which are new since the last round, one by one.
    fn round(&mut self, graph: &Graph, key: &Key, queue: &mut Queue) {
        let mut dirty: Vec<Dirty> = Vec::with_capacity(queue.nodes.len());
        for node in queue.take() {
            let classes = graph
                .targets(node as usize)
                .map(|target| self.class(target));
            dirty.push(Dirty {
                class: self.class(node),
                hash: key.hash(classes),
                node,
            });
        }
        work::did(dirty.len());
        dirty.sort_unstable();
        for of_class in dirty.chunk_by(|a, b| a.class == b.class) {
            self.part(graph, of_class, queue);
        }
    }

    /// Splits one class: types that refer to the same classes stay together, and the largest part keeps its number.
    fn part(&mut self, graph: &Graph, dirty: &[Dirty], queue: &mut Queue) {
        let Some(class) = dirty.first().map(|first| first.class) else {
            return;
        };
        let size = self.members.size(class) as usize;
        // The others refer to what they referred to before, and so to the same classes as each other.
        let others = size.saturating_sub(dirty.len());
        let parts = || dirty.chunk_by(|a, b| a.hash == b.hash);
        let nodes = |part: &[Dirty]| part.iter().map(|dirty| dirty.node).collect::<Vec<u32>>();
        let largest = parts().max_by_key(|part| part.len()).unwrap_or_default();
        if largest.len() == size {
            return;
        }
        for part in parts().filter(|part| !std::ptr::eq(*part, largest)) {
            self.part_off(graph, nodes(part), queue);
        }
        if others > 0 && others < largest.len() {
            let mut staying = nodes(largest);
            staying.sort_unstable();
            let leaving = self.members.of(class);
            let leaving = leaving.filter(|node| staying.binary_search(node).is_err());
            let leaving: Vec<u32> = leaving.collect();
            self.part_off(graph, leaving, queue);
        } else if others > 0 {
            self.part_off(graph, nodes(largest), queue);
        }
        // The types that a forward declaration may refer to are no longer one class.
        for (node, alone) in self.forwards.part(class) {
            self.set(node, alone);
            queue.add_all(graph.referring(node as usize));
        }
    }
}

/// Whether types of this kind are never equal to others.
pub(super) fn unique(kind: Kind) -> bool {
    matches!(kind, Kind::Var | Kind::Datasec)
}
