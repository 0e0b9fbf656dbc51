//! Forward declarations: which structure, union or enumeration each of them refers to.
//!
//! An enumeration without constants is a forward declaration, too: that is how compilers encode `enum e;`.

use super::graph::Graph;
use crate::btf::Kind;
use crate::btf::write::record::{INFO, Info, NAME, SIZE_OR_TARGET};
use std::collections::HashMap;

/// What a forward declaration says about its type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum About {
    Struct {
        name: u32,
    },
    Union {
        name: u32,
    },
    /// Of either width, but of the same size.
    Enum {
        name: u32,
        size: u32,
    },
}

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
    numbers: HashMap<About, usize>,
    groups: Vec<Group>,
}

impl Forwards {
    pub(super) fn collect(graph: &Graph) -> Self {
        let mut numbers: HashMap<About, usize> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for node in (0..).take(graph.len()).skip(graph.of_base) {
            if let Some(about) = declares(graph, node as usize) {
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
            for node in (0..).take(graph.len()) {
                let about = defines(graph, node as usize);
                let number = about.and_then(|about| numbers.get(&about));
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
    pub(super) fn joined(&self, classes: &[u32]) -> HashMap<u32, usize> {
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

    /// Whether a node is a forward declaration that may refer to another node.
    pub(super) fn may_be_about(&self, graph: &Graph, node: usize, other: usize) -> bool {
        let about = declares(graph, node).filter(|about| self.numbers.contains_key(about));
        about.is_some() && about == defines(graph, other)
    }
}

/// What a node declares without defining it.
fn declares(graph: &Graph, node: usize) -> Option<About> {
    if graph.taken_for(node).is_some() {
        return None;
    }
    let (name, size, info) = head(graph, node)?;
    match graph.kind(node) {
        Kind::Fwd if info >> 31 == 0 => Some(About::Struct { name }),
        Kind::Fwd => Some(About::Union { name }),
        Kind::Enum | Kind::Enum64 if info & Info::MOST == 0 => Some(About::Enum { name, size }),
        _ => None,
    }
}

/// What a node defines.
fn defines(graph: &Graph, node: usize) -> Option<About> {
    if graph.taken_for(node).is_some() {
        return None;
    }
    let (name, size, info) = head(graph, node)?;
    match graph.kind(node) {
        Kind::Struct => Some(About::Struct { name }),
        Kind::Union => Some(About::Union { name }),
        Kind::Enum | Kind::Enum64 if info & Info::MOST != 0 => Some(About::Enum { name, size }),
        _ => None,
    }
}

/// Whether a node declares something that it does not define.
pub(super) fn is_forward(graph: &Graph, node: usize) -> bool {
    declares(graph, node).is_some()
}

/// Name, size and info of a node that has a name.
fn head(graph: &Graph, node: usize) -> Option<(u32, u32, u32)> {
    let record = graph.record(node);
    let word = |place: usize| record.get(place).copied();
    let name = word(NAME)?;
    (name != 0).then_some((name, word(SIZE_OR_TARGET)?, word(INFO)?))
}
