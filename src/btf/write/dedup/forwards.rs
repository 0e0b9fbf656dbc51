//! Forward declarations: which structure, union or enumeration each of them refers to.
//!
//! An enumeration without constants is a forward declaration, too: that is how compilers encode `enum e;`.

use super::graph::Graph;
use super::record::{About, Record};
use crate::keyed_hash::Table;

/// The forward declarations of one type.
#[derive(Default)]
struct Group {
    nodes: Vec<u32>,
    /// The types that they can refer to.
    definitions: Vec<u32>,
    /// Whether these types are in one class, which the declarations have joined.
    joined: bool,
}

/// All forward declarations that may be resolved; those of a base stay.
pub(super) struct Forwards {
    numbers: Table<About, usize>,
    groups: Vec<Group>,
}

impl Forwards {
    pub(super) fn collect(graph: &Graph) -> Self {
        let mut numbers: Table<About, usize> = Table::default();
        let mut groups: Vec<Group> = Vec::new();
        let own = graph
            .remaining()
            .filter(|(node, _)| !graph.is_of_base(*node));
        for (node, record) in own {
            if let Some(about) = record.declares() {
                let number = *numbers.entry(about).or_insert_with(|| {
                    groups.push(Group::default());
                    groups.len().saturating_sub(1)
                });
                if let Some(group) = groups.get_mut(number) {
                    group.nodes.push(node);
                }
            }
        }
        if !groups.is_empty() {
            for (node, record) in graph.remaining() {
                let number = record.defines().and_then(|about| numbers.get(&about));
                if let Some(group) = number.and_then(|number| groups.get_mut(*number)) {
                    group.definitions.push(node);
                    group.joined = true;
                }
            }
        }
        Self { numbers, groups }
    }

    /// Puts declarations into the class of the types that they refer to, as long as that is one class; after that, into a class
    /// that `alone` creates.
    pub(super) fn follow(&mut self, classes: &mut [u32], mut alone: impl FnMut() -> u32) {
        for group in self.groups.iter_mut().filter(|group| group.joined) {
            let class = |node: &u32| classes.get(*node as usize).copied();
            let first = group.definitions.first().and_then(class);
            group.joined = group.definitions.iter().all(|node| class(node) == first);
            let class = match first.filter(|_| group.joined) {
                Some(class) => class,
                None => alone(),
            };
            for node in &group.nodes {
                if let Some(slot) = classes.get_mut(*node as usize) {
                    *slot = class;
                }
            }
        }
    }

    /// The classes that declarations have joined, each with the index of their group.
    pub(super) fn joined(&self, classes: &[u32]) -> Table<u32, usize> {
        let groups = self.groups.iter().enumerate();
        let joined = groups.filter(|(_, group)| group.joined);
        let classes = joined.filter_map(|(number, group)| {
            let first = group.definitions.first()?;
            Some((*classes.get(*first as usize)?, number))
        });
        classes.collect()
    }

    /// The declarations of a group, which leave a class that was split.
    pub(super) fn leave(&mut self, number: usize) -> &[u32] {
        self.groups.get_mut(number).map_or(&[], |group| {
            group.joined = false;
            &group.nodes
        })
    }

    /// The forward declarations that may refer to several types.
    pub(super) fn ambiguous(&self) -> Vec<u32> {
        let groups = self.groups.iter();
        let groups = groups.filter(|group| !group.definitions.is_empty() && !group.joined);
        groups
            .flat_map(|group| group.nodes.iter().copied())
            .collect()
    }

    /// Whether a type is a forward declaration that may refer to another type.
    pub(super) fn may_be_about(&self, one: &Record<'_>, other: &Record<'_>) -> bool {
        let about = one
            .declares()
            .filter(|about| self.numbers.contains_key(about));
        about.is_some() && about == other.defines()
    }
}
