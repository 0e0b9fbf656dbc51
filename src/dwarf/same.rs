//! Equal types within one set: once a declaration turns out at the end to have a definition, structures that differ in nothing
//! else are merged.
//!
//! As in `merge`, equality is assumed and checked. Types that are assumed to be equal have one representative; that of a
//! declaration that is compared with a definition of its name is the definition.

use super::types::{Ref, Shape, Type, Types};
use crate::keyed_hash::{Keys, Table};

/// The maximum number of steps for each row and item.
const STEPS: usize = 32;
/// How many types with the same digest are tried.
const CANDIDATES: usize = 16;

/// Turns each structure and union that equals an earlier one into an [`Alias`](Shape::Alias) of it, to which nothing refers.
pub(super) fn alias_equal(types: &mut Types) {
    let mut search = Search {
        types,
        behind: (0..types.rows.len()).map(Ref::to).collect(),
        assumed: Vec::new(),
        open: Vec::new(),
        steps: types.volume().saturating_mul(STEPS),
    };
    let keys = Keys::default();
    let mut by_digest: Table<u64, Vec<Ref>> = Table::default();
    for (row, ty) in types.rows.iter().enumerate() {
        let own = Ref::to(row);
        if !ty.shape.is_composite() || search.find(own) != own {
            continue;
        }
        let known = by_digest.entry(types.digest(ty, keys)).or_default();
        let is_known = known
            .iter()
            .take(CANDIDATES)
            .any(|candidate| search.is_same(own, *candidate));
        if !is_known {
            known.push(own);
        }
    }
    let all = (0..types.rows.len()).map(Ref::to);
    let behind: Vec<Ref> = all.map(|reference| search.find(reference)).collect();
    redirect(types, &behind);
}

/// Makes represented types aliases of their representatives, and redirects all references to those.
fn redirect(types: &mut Types, behind: &[Ref]) {
    types.redirect(|reference| {
        let row = reference.row().and_then(|row| behind.get(row));
        row.copied().unwrap_or_default()
    });
    for (row, ty) in types.rows.iter_mut().enumerate() {
        let target = behind.get(row).copied().unwrap_or_default();
        if target != Ref::to(row) {
            ty.shape = Shape::Alias;
            ty.target = target;
        }
    }
}

struct Search<'t> {
    types: &'t Types,
    /// The representative of each row, or a row on the way to it.
    behind: Vec<Ref>,
    /// Representatives that are represented by others under the current hypothesis.
    assumed: Vec<usize>,
    open: Vec<(Ref, Ref)>,
    steps: usize,
}

impl Search<'_> {
    fn find(&mut self, mut reference: Ref) -> Ref {
        loop {
            let next = reference.row().and_then(|row| self.behind.get(row));
            match next.copied() {
                Some(next) if next != reference => reference = next,
                _ => return reference,
            }
            self.steps = self.steps.saturating_sub(1);
        }
    }

    fn is_same(&mut self, one: Ref, other: Ref) -> bool {
        self.assumed.clear();
        self.open.clear();
        self.open.push((one, other));
        while let Some((one, other)) = self.open.pop() {
            if !self.may_be_same(one, other) {
                for row in self.assumed.drain(..) {
                    if let Some(behind) = self.behind.get_mut(row) {
                        *behind = Ref::to(row);
                    }
                }
                return false;
            }
        }
        true
    }

    fn may_be_same(&mut self, one: Ref, other: Ref) -> bool {
        let (one, other) = (self.find(one), self.find(other));
        let (Some(left), Some(a), Some(b)) = (
            self.steps.checked_sub(1),
            self.types.get(one),
            self.types.get(other),
        ) else {
            return one == other;
        };
        self.steps = left;
        if one == other {
            return true;
        }
        match (a.shape, b.shape) {
            (_, Shape::Fwd) if declares(b, a) => self.put(other, one),
            (Shape::Fwd, _) if declares(a, b) => self.put(one, other),
            _ if !a.same_head(b) => false,
            (Shape::Struct | Shape::Union, _) => {
                // The earlier one represents the later.
                self.put(one.max(other), one.min(other)) && self.compare_items(a, b)
            }
            _ => {
                if a.shape.refers() {
                    self.open.push((a.target, b.target));
                }
                self.compare_items(a, b)
            }
        }
    }

    fn put(&mut self, one: Ref, behind: Ref) -> bool {
        let Some(row) = one.row() else { return false };
        let Some(place) = self.behind.get_mut(row) else {
            return false;
        };
        *place = behind;
        self.assumed.push(row);
        true
    }

    fn compare_items(&mut self, one: &Type, other: &Type) -> bool {
        let types = self.types;
        let (items, others) = (types.items_of(one), types.items_of(other));
        self.steps = self.steps.saturating_sub(items.len());
        let is_same = items.len() == others.len()
            && items
                .iter()
                .zip(others)
                .all(|(a, b)| a.name == b.name && a.value == b.value);
        if is_same {
            let pairs = items.iter().zip(others).map(|(a, b)| (a.ty, b.ty));
            self.open.extend(pairs.filter(|(a, b)| a != b));
        }
        is_same
    }
}

fn declares(declaration: &Type, definition: &Type) -> bool {
    declaration.name == definition.name && definition.declared_as() == Some(declaration.detail)
}
