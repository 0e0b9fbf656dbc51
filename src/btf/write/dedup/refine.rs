//! Splits classes until all types of each class refer to the same classes. After a split, only the types that refer to the part
//! that moved are examined again. This is for types that need many rounds, such as long chains.

use super::classes::Classes;
use super::graph::{Indexed, Referring, VOID};
use crate::btf::write::hash::Key;
use crate::keyed_hash::Table;
use crate::work;

/// The state of the refinement.
struct Parting<'g> {
    graph: &'g Indexed<'g>,
    referring: Referring,
    key: &'g Key,
    classes: Classes,
    members: Members,
    /// The classes that forward declarations have joined, each with the index of their group.
    joined: Table<u32, usize>,
    queue: Queue,
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

/// Splits classes until all types of each class refer to the same classes.
pub(super) fn refine(graph: &Indexed<'_>, key: &Key, classes: Classes) -> Classes {
    let mut parting = Parting {
        graph,
        referring: Referring::of(graph.graph()),
        key,
        members: Members::default(),
        joined: classes.forwards.joined(&classes.of),
        queue: Queue {
            nodes: Vec::new(),
            listed: vec![0; (classes.of.len() / 64).saturating_add(1)],
        },
        classes,
    };
    parting.list_members();
    while !parting.queue.nodes.is_empty() {
        parting.round();
    }
    parting.classes.count = parting.members.classes.len();
    parting.classes
}

impl Parting<'_> {
    /// Lists the members of each class, and queues all types that may leave theirs.
    fn list_members(&mut self) {
        let graph = self.graph.graph();
        self.members.links = vec![(VOID, VOID); graph.len()];
        self.members.classes = vec![(0, VOID); self.classes.count];
        for (node, record) in graph.nodes() {
            let class = self.classes.class(node);
            if !self.joined.contains_key(&class) || record.declares().is_none() {
                self.members.insert(node, class);
            }
        }
        for (node, record) in graph.nodes() {
            if self.members.size(self.classes.class(node)) > 1 && record.targets().next().is_some()
            {
                self.queue.add(node);
            }
        }
    }

    fn set(&mut self, node: u32, class: u32) {
        if let Some(own) = self.classes.of.get_mut(node as usize) {
            *own = class;
        }
    }

    /// Moves nodes of a class to a new one; what refers to them has to be looked at again.
    fn part_off(&mut self, nodes: impl IntoIterator<Item = u32>) {
        let new = self.members.add_class();
        for node in nodes {
            self.members.remove(node, self.classes.class(node));
            self.members.insert(node, new);
            self.set(node, new);
            self.queue.add_all(self.referring.to(node));
        }
    }

    /// Parts the types that refer to classes which are new since the last round, class by class.
    fn round(&mut self) {
        let mut dirty: Vec<Dirty> = Vec::with_capacity(self.queue.nodes.len());
        for node in self.queue.take() {
            let targets = self.graph.targets(node);
            dirty.push(Dirty {
                class: self.classes.class(node),
                hash: self
                    .key
                    .hash(targets.map(|target| self.classes.class(target))),
                node,
            });
        }
        work::did(dirty.len());
        dirty.sort_unstable();
        for of_class in dirty.chunk_by(|a, b| a.class == b.class) {
            self.part(of_class);
        }
    }

    /// Parts one class: those that refer to the same classes stay together, and the largest part keeps its number.
    fn part(&mut self, dirty: &[Dirty]) {
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
            self.part_off(nodes(part));
        }
        if others > 0 && others < largest.len() {
            let mut staying = nodes(largest);
            staying.sort_unstable();
            let leaving = self.members.of(class);
            let leaving = leaving.filter(|node| staying.binary_search(node).is_err());
            let leaving: Vec<u32> = leaving.collect();
            self.part_off(leaving);
        } else if others > 0 {
            self.part_off(nodes(largest));
        }
        self.part_forwards(class);
    }

    /// What a forward declaration is about is no longer one class.
    fn part_forwards(&mut self, class: u32) {
        let Some(number) = self.joined.remove(&class) else {
            return;
        };
        let alone = self.members.add_class();
        for node in self.classes.forwards.leave(number) {
            if let Some(own) = self.classes.of.get_mut(*node as usize) {
                *own = alone;
            }
            self.queue.add_all(self.referring.to(*node));
        }
    }
}
