//! Keeps the first type of each class, and redirects all references to it.

use super::classes::{Classes, unique};
use super::forwards::is_forward;
use super::graph::{Graph, VOID, looks};
use crate::TypeId;
use crate::btf::write::builder::BtfBuilder;
use crate::btf::write::record::map_types;
use crate::btf::write::strings::Strings;

/// Which types stay.
pub(super) struct Kept {
    /// By node: the new id of its type.
    new: Vec<u32>,
    /// How many nodes belong to the base.
    of_base: usize,
    /// The own nodes that stay, in order.
    stay: Vec<u32>,
}

impl Kept {
    /// The new id of a type; a type without a new one keeps its own.
    pub(super) fn new_id(&self, id: TypeId) -> TypeId {
        let node = id.0.checked_sub(1).map(|node| node as usize);
        let new = node.and_then(|node| self.new.get(node));
        new.map_or(id, |new| TypeId(*new))
    }
}

/// Selects the types to keep; `None` if types of a class differ, because their hashes collided.
pub(super) fn choose(graph: &Graph, classes: &Classes) -> Option<Kept> {
    let first = first_of_each(graph, classes);
    let first_of = |node: usize| {
        let node = graph.taken_for(node).unwrap_or(node);
        let class = classes.of.get(node).copied().unwrap_or(VOID);
        first.get(class as usize).copied().unwrap_or(VOID) as usize
    };
    let mut kept = Kept {
        new: vec![0; graph.len()],
        of_base: graph.of_base,
        stay: Vec::new(),
    };
    let mut next = u32::try_from(graph.of_base).ok()?.checked_add(1)?;
    for node in graph.nodes() {
        let first = first_of(node);
        let stays = first == node || node < graph.of_base;
        let stands_for_itself = graph.taken_for(node).is_none() && !is_forward(graph, node);
        if !stays && stands_for_itself && !same(graph, classes, node, first) {
            return None;
        }
        let number = if node < graph.of_base {
            super::graph::id_of(node).0
        } else if stays {
            kept.stay.push(u32::try_from(node).ok()?);
            next = next.checked_add(1)?;
            next.checked_sub(1)?
        } else {
            0
        };
        if let Some(new) = kept.new.get_mut(node) {
            *new = number;
        }
    }
    // Types that are removed refer to ones that stay, which may come later if the former are forward declarations.
    for node in graph.nodes().skip(graph.of_base) {
        let stays = kept.new.get(first_of(node)).copied()?;
        if let Some(new) = kept.new.get_mut(node) {
            *new = stays;
        }
    }
    Some(kept)
}

/// The first type of each class: the first that is not a forward declaration, if there is one.
pub(super) fn first_of_each(graph: &Graph, classes: &Classes) -> Vec<u32> {
    let mut first = vec![VOID; classes.count];
    for forward in [false, true] {
        for (node, class) in (0..).zip(&classes.of) {
            if let Some(slot) = first.get_mut(*class as usize)
                && *slot == VOID
                && is_forward(graph, node as usize) == forward
            {
                *slot = node;
            }
        }
    }
    first
}

/// Whether two types look the same and refer to the same classes.
fn same(graph: &Graph, classes: &Classes, a: usize, b: usize) -> bool {
    let kind = graph.kind(a);
    let looks_of = |node| looks(graph.record(node), kind);
    let refers_to = |node| graph.targets(node).map(|target| classes.class(target));
    !unique(kind)
        && graph.kind(b) == kind
        && looks_of(a).eq(looks_of(b))
        && refers_to(a).eq(refers_to(b))
}

/// Removes the other types from the builder.
pub(super) fn apply(builder: &mut BtfBuilder, mut graph: Graph, kept: &Kept, strings: Strings) {
    builder.words.clear();
    builder.starts.clear();
    builder.strings = strings;
    for node in &kept.stay {
        let node = *node as usize;
        let kind = graph.kind(node);
        let record = graph.record_mut(node);
        map_types(record, kind, |id| kept.new_id(id));
        builder.start_record();
        builder.words.extend_from_slice(record);
    }
    debug_assert_eq!(kept.of_base, graph.of_base);
}
