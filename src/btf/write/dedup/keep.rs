//! Keeps the first type of each class, and redirects all references to it.

use super::classes::Classes;
use super::graph::{Graph, VOID, id_of};
use super::record::Record;
use crate::TypeId;

/// Which types stay.
pub(super) struct Kept {
    /// By node: the class of its type, or of the type that replaces it.
    classes: Vec<u32>,
    /// By class: the new id of its types.
    new: Vec<TypeId>,
    /// How many nodes belong to the base.
    of_base: usize,
    /// Where the records of the own types that stay start, in order.
    pub(super) stay: Vec<u32>,
}

impl Kept {
    /// The new id of a type; a type without a new one keeps its own.
    pub(super) fn new_id(&self, id: TypeId) -> TypeId {
        let node = id.0.checked_sub(1).map(|node| node as usize);
        let own = node.filter(|node| *node >= self.of_base);
        let class = own.and_then(|node| self.classes.get(node));
        let new = class.and_then(|class| self.new.get(*class as usize));
        new.copied().unwrap_or(id)
    }
}

/// Selects the types to keep; `None` if types of a class differ, because their hashes collided.
pub(super) fn choose(graph: &Graph, mut classes: Classes) -> Option<Kept> {
    let first = first_of_each(graph, &classes);
    let mut first_record = vec![0; first.len()];
    let mut new = vec![TypeId::VOID; first.len()];
    let mut stay = Vec::new();
    let mut next = graph.of_base();
    for (node, record) in graph.remaining() {
        let class = classes.class(node) as usize;
        if first.get(class) == Some(&node) {
            *first_record.get_mut(class)? = record.start;
            *new.get_mut(class)? = if graph.is_of_base(node) {
                id_of(node as usize)
            } else {
                stay.push(record.start);
                next = next.checked_add(1)?;
                id_of(next.checked_sub(1)?)
            };
        } else if !graph.is_of_base(node) && record.declares().is_none() {
            let first = graph.record_at(*first_record.get(class)?)?;
            refer_to_same(&classes, &record, &first).then_some(())?;
        }
    }
    let replaced = graph.replaced();
    for (node, other) in replaced {
        *classes.of.get_mut(node as usize)? = classes.class(other);
    }
    Some(Kept {
        classes: classes.of,
        new,
        of_base: graph.of_base(),
        stay,
    })
}

/// The first type of each class: the first that is not a forward declaration, if there is one.
pub(super) fn first_of_each(graph: &Graph, classes: &Classes) -> Vec<u32> {
    let mut first = vec![VOID; classes.count];
    let mut only_forwards = vec![true; classes.count];
    for (node, record) in graph.nodes() {
        let class = classes.class(node) as usize;
        if let (Some(first), Some(only_forwards)) =
            (first.get_mut(class), only_forwards.get_mut(class))
            && *only_forwards
        {
            *only_forwards = record.declares().is_some();
            if *first == VOID || !*only_forwards {
                *first = node;
            }
        }
    }
    first
}

/// Whether two types of a class, which look the same, refer to the same classes.
fn refer_to_same(classes: &Classes, one: &Record<'_>, other: &Record<'_>) -> bool {
    let one = one.targets().map(|target| classes.class(target));
    one.eq(other.targets().map(|target| classes.class(target)))
}
