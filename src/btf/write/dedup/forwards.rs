//! Forward declarations: which structure, union or enumeration each of them refers to.
//!
//! An enumeration without constants is a forward declaration, too: that is how compilers encode `enum e;`.

use super::graph::Graph;
use crate::btf::Kind;
use crate::btf::write::record::{INFO, Info, NAME, SIZE_OR_TARGET};
use std::collections::{HashMap, HashSet};

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
    /// Their class before they were joined with a definition.
    alone: u32,
    /// Whether there is a type that they can refer to.
    defined: bool,
}

/// All forward declarations that may be resolved; those of a base stay.
pub(super) struct Forwards {
    groups: HashMap<About, Group>,
    /// What is declared in the classes that contain forward declarations.
    joined: HashMap<u32, About>,
}

impl Forwards {
    pub(super) fn collect(graph: &Graph) -> Self {
        let mut groups: HashMap<About, Group> = HashMap::new();
        for node in (0..).take(graph.len()).skip(graph.of_base) {
            if let Some(about) = declares(graph, node as usize) {
                groups.entry(about).or_default().nodes.push(node);
            }
        }
        Self {
            groups,
            joined: HashMap::new(),
        }
    }

    /// The class that each forward declaration joins, which contains all types that it can refer to.
    pub(super) fn join(&mut self, graph: &Graph, classes: &[u32]) -> Vec<(u32, u32)> {
        let mut one: HashMap<About, Option<u32>> = HashMap::new();
        for (node, class) in classes.iter().enumerate() {
            let Some(about) = defines(graph, node) else {
                continue;
            };
            if self.groups.contains_key(&about) {
                let known = one.entry(about).or_insert(Some(*class));
                *known = known.filter(|known| known == class);
            }
        }
        let mut moves = Vec::new();
        for (about, group) in &mut self.groups {
            let first = group
                .nodes
                .first()
                .and_then(|node| classes.get(*node as usize));
            group.alone = first.copied().unwrap_or(0);
            group.defined = one.contains_key(about);
            if let Some(Some(class)) = one.get(about) {
                self.joined.insert(*class, *about);
                moves.extend(group.nodes.iter().map(|node| (*node, *class)));
            }
        }
        moves
    }

    /// The forward declarations that may refer to several types.
    pub(super) fn ambiguous(&self) -> Vec<u32> {
        let joined: HashSet<About> = self.joined.values().copied().collect();
        let groups = self.groups.iter();
        let groups = groups.filter(|(about, group)| group.defined && !joined.contains(about));
        let nodes = groups.flat_map(|(_, group)| group.nodes.iter().copied());
        nodes.collect()
    }

    /// Whether a node is a forward declaration that may refer to another node.
    pub(super) fn may_be_about(&self, graph: &Graph, node: usize, other: usize) -> bool {
        let about = declares(graph, node).filter(|about| self.groups.contains_key(about));
        about.is_some() && about == defines(graph, other)
    }

    /// Whether there are forward declarations in a class.
    pub(super) fn joins(&self, class: u32) -> bool {
        self.joined.contains_key(&class)
    }

    /// The forward declarations that have to leave a class that is split, and the class that they move to.
    pub(super) fn part(&mut self, class: u32) -> Vec<(u32, u32)> {
        let about = self.joined.remove(&class);
        let Some(group) = about.and_then(|about| self.groups.get(&about)) else {
            return Vec::new();
        };
        let nodes = group.nodes.iter();
        nodes.map(|node| (*node, group.alone)).collect()
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
