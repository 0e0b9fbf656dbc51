//! Merges the types of many units into one set without duplicates.
//!
//! A C unit has all types of the headers that it includes, so that nearly all types of a unit are in the set already. Whether a
//! structure is cannot be decided from its own row: it is the same if its members have the same types, which may refer back to
//! it. So it is assumed to be the same as one with the same [`digest`](Types::digest), and everything that follows from this
//! assumption is checked: structures that are assumed to be the same in turn, pointers, prototypes. If there is no
//! contradiction, all these types are resolved at once; otherwise all assumptions are dropped. (libbpf's `btf__dedup` does the
//! same with all types of a kernel at once; here the set stays small, and units are added one at a time.)
//!
//! A structure that is only declared is the same as a definition of the same name if such a comparison pairs them; the
//! declaration in the set is then replaced by the definition.

use super::names::Name;
use super::same::alias_equal;
use super::types::{DeclTag, Function, Item, Ref, Shape, Type, Types, Variable};
use crate::keyed_hash::{Keys, Set, Table};

/// What a type of the unit corresponds to in the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Unknown,
    /// This type.
    At(Ref),
    /// In progress: reaching it again means a cycle.
    Pending,
}

/// The maximum number of steps for each row and item of a unit, over all hypotheses. Real ones need less than two.
const STEPS: usize = 32;
/// How many types with the same digest are tried. Different types hardly ever share one.
const CANDIDATES: usize = 16;

/// The set of merged types.
#[derive(Debug, Default)]
pub(super) struct Merged {
    types: Types,
    keys: Keys,
    /// The last structure or union with each digest, and for each row the previous one.
    by_digest: Table<u64, Ref>,
    before: Vec<Ref>,
    /// All other types.
    by_content: Table<Content, Ref>,
    /// For deduplicating functions, variables and tags.
    functions: Set<Function>,
    variables: Set<Variable>,
    tags: Set<DeclTag>,
    /// The definitions of declared structures.
    defined: Table<Ref, Ref>,
}

/// The identity of a type other than a structure: its header, its target, and the digest of its items in terms of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Content {
    shape: Shape,
    detail: u8,
    name: Name,
    target: Ref,
    size: u32,
    count: u32,
    items: u64,
}

/// The types of a unit that is being merged.
struct Arrival<'t> {
    own: &'t Types,
    places: Vec<Place>,
    /// Rows that the current hypothesis has resolved.
    assumed: Vec<usize>,
    /// Declared types of the set that, by the current hypothesis, are the same as these rows.
    meets: Vec<(Ref, Ref)>,
    /// Pairs that remain to be compared.
    open: Vec<(Ref, Ref)>,
    steps: usize,
}

impl Merged {
    /// Adds the types that are not in the set yet.
    pub(super) fn absorb(&mut self, own: &Types) {
        let mut arrival = Arrival {
            own,
            places: vec![Place::Unknown; own.rows.len()],
            assumed: Vec::new(),
            meets: Vec::new(),
            open: Vec::new(),
            steps: own.volume().saturating_mul(STEPS).saturating_add(STEPS),
        };
        let digests = self.find_composites(&mut arrival);
        let news = self.place_rest(&mut arrival);
        self.fill(&arrival, &news, &digests);
        self.add_lists(&arrival);
    }

    /// The final set of all units: a declaration is replaced by the definition of its name if there is exactly one, and types
    /// that have become equal are deduplicated.
    pub(super) fn finish(mut self) -> Types {
        self.define_unambiguous();
        let mut types = self.with_definitions();
        alias_equal(&mut types);
        again(&types)
    }

    /// The set of some units.
    pub(super) fn into_types(self) -> Types {
        if self.defined.is_empty() {
            return self.types;
        }
        again(&self.with_definitions())
    }

    /// Replaces references to declarations whose definitions are known.
    fn with_definitions(mut self) -> Types {
        for (declared, definition) in &self.defined {
            let row = declared.row().and_then(|row| self.types.rows.get_mut(row));
            if let Some(row) = row {
                row.shape = Shape::Alias;
                row.target = *definition;
            }
        }
        let mut types = self.types;
        types.redirect(|reference| resolve(&self.defined, reference));
        types
    }

    fn define_unambiguous(&mut self) {
        let mut by_name: Table<(Name, u8), Option<Ref>> = Table::default();
        for (row, ty) in self.types.rows.iter().enumerate() {
            if let Some(of) = ty.declared_as().filter(|_| !ty.name.is_none()) {
                by_name
                    .entry((ty.name, of))
                    .and_modify(|one| *one = None)
                    .or_insert(Some(Ref::to(row)));
            }
        }
        for (row, ty) in self.types.rows.iter().enumerate() {
            let declared = Ref::to(row);
            if ty.shape != Shape::Fwd || self.defined.contains_key(&declared) {
                continue;
            }
            if let Some(Some(definition)) = by_name.get(&(ty.name, ty.detail)) {
                self.defined.insert(declared, *definition);
            }
        }
    }

    /// Looks up each structure and union in the set; returns the digests.
    fn find_composites(&self, arrival: &mut Arrival<'_>) -> Table<usize, u64> {
        let mut digests = Table::default();
        for (row, ty) in arrival.own.rows.iter().enumerate() {
            if !ty.shape.is_composite() || arrival.is_placed(row) {
                continue;
            }
            let digest = arrival.own.digest(ty, self.keys);
            let mut candidate = self.by_digest.get(&digest).copied();
            let mut tried = 0_usize;
            while let Some(at) = candidate.filter(|at| *at != Ref::VOID && tried < CANDIDATES) {
                if self.is_same(arrival, Ref::to(row), at) {
                    break;
                }
                tried += 1;
                candidate = at.row().and_then(|row| self.before.get(row).copied());
            }
            if !arrival.is_placed(row) {
                // Known to be new, so that references to it are not followed any more.
                digests.insert(row, digest);
                if let Some(place) = arrival.places.get_mut(row) {
                    *place = Place::Pending;
                }
            }
        }
        digests
    }

    /// Whether a type of the unit is in the set; if so, records it and everything that follows from it.
    fn is_same(&self, arrival: &mut Arrival<'_>, own: Ref, there: Ref) -> bool {
        arrival.assumed.clear();
        let met_before = arrival.meets.len();
        arrival.open.clear();
        arrival.open.push((own, there));
        while let Some((own, there)) = arrival.open.pop() {
            if !self.may_be_same(arrival, own, there) {
                for row in arrival.assumed.drain(..) {
                    if let Some(place) = arrival.places.get_mut(row) {
                        *place = Place::Unknown;
                    }
                }
                arrival.meets.truncate(met_before);
                return false;
            }
        }
        true
    }

    /// Compares the rows of two types, and queues the types that they refer to.
    fn may_be_same(&self, arrival: &mut Arrival<'_>, own: Ref, there: Ref) -> bool {
        let there = resolve(&self.defined, there);
        let Some(left) = arrival.steps.checked_sub(1) else {
            return false;
        };
        arrival.steps = left;
        let (Some(row), Some(theirs)) = (own.row(), self.types.get(there)) else {
            return own == there;
        };
        let Some(ours) = arrival.own.rows.get(row) else {
            return false;
        };
        let place = arrival.places.get(row).copied();
        if place == Some(Place::At(there)) {
            return true;
        }
        match (ours.shape, theirs.shape) {
            (Shape::Struct | Shape::Union | Shape::Enum, Shape::Fwd) => {
                let is_same = declares(theirs, ours);
                arrival.meets.push((there, own));
                is_same
            }
            // Our type may be resolved already: to a declaration, or to another definition of this name.
            (Shape::Fwd, Shape::Struct | Shape::Union | Shape::Enum) => {
                declares(ours, theirs) && (arrival.is_placed(row) || arrival.assume(row, there))
            }
            (Shape::Fwd, Shape::Fwd) => {
                ours.same_head(theirs) && (arrival.is_placed(row) || arrival.assume(row, there))
            }
            _ if !ours.same_head(theirs) => false,
            (Shape::Struct | Shape::Union, _) => {
                arrival.assume(row, there) && self.compare_items(arrival, ours, theirs)
            }
            _ => {
                // Types other than structures may be in the set twice: one refers to a declaration, the other to the
                // definition.
                arrival.assume(row, there);
                if ours.shape.refers() {
                    arrival.open.push((ours.target, theirs.target));
                }
                self.compare_items(arrival, ours, theirs)
            }
        }
    }

    fn compare_items(&self, arrival: &mut Arrival<'_>, ours: &Type, theirs: &Type) -> bool {
        let (ours_are, theirs_are) = (arrival.own.items_of(ours), self.types.items_of(theirs));
        let pays = ours_are.len();
        arrival.steps = arrival.steps.saturating_sub(pays);
        if ours_are.len() != theirs_are.len() {
            return false;
        }
        for (our, their) in ours_are.iter().zip(theirs_are) {
            if our.name != their.name || our.value != their.value {
                return false;
            }
            if our.ty != Ref::VOID || their.ty != Ref::VOID {
                arrival.open.push((our.ty, their.ty));
            }
        }
        true
    }

    /// Resolves all other types; returns the rows of new structures and unions, with their rows in the set.
    fn place_rest(&mut self, arrival: &mut Arrival<'_>) -> Vec<(usize, Ref)> {
        let mut news = Vec::new();
        for (row, ty) in arrival.own.rows.iter().enumerate() {
            if ty.shape.is_composite() && !arrival.is_placed(row) {
                let place = self.push(*ty);
                arrival.set(row, place);
                news.push((row, place));
            }
        }
        let mut path = Vec::new();
        for row in 0..arrival.own.rows.len() {
            path.push(row);
            while let Some(row) = path.last().copied() {
                if arrival.places.get(row) == Some(&Place::Unknown) {
                    arrival.set_pending(row);
                    arrival.push_needed(row, &mut path);
                } else {
                    self.place(arrival, row);
                    path.pop();
                }
            }
        }
        self.settle(arrival);
        news
    }

    /// Adds or finds a type that is not a structure. All types that it refers to are resolved.
    fn place(&mut self, arrival: &mut Arrival<'_>, row: usize) {
        let Some(ty) = arrival
            .own
            .rows
            .get(row)
            .filter(|_| !arrival.is_placed(row))
        else {
            return;
        };
        let mut moved = *ty;
        moved.target = arrival.place_of(ty.target);
        if ty.shape == Shape::Alias {
            return arrival.set(row, moved.target);
        }
        let items: Vec<Item> = arrival.moved_items(ty).collect();
        let content = Content {
            shape: ty.shape,
            detail: ty.detail,
            name: ty.name,
            target: moved.target,
            size: ty.size,
            count: ty.count,
            items: self.digest_of(&items),
        };
        if let Some(known) = self.by_content.get(&content).copied() {
            let same = self.types.get(known);
            if same.is_some_and(|same| self.types.items_of(same) == items) {
                arrival.set(row, resolve(&self.defined, known));
                return;
            }
        }
        let place = self.push(moved);
        self.set_items(place, items);
        self.by_content.insert(content, place);
        arrival.set(row, place);
    }

    fn digest_of(&self, items: &[Item]) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = self.keys.build_hasher();
        for item in items {
            hasher.write_u64(u64::from(item.name.0) << 32 | u64::from(item.ty.0));
            hasher.write_u64(item.value);
        }
        hasher.finish()
    }

    /// Records definitions for declarations in the set.
    fn settle(&mut self, arrival: &Arrival<'_>) {
        for (declared, own) in &arrival.meets {
            let definition = resolve(&self.defined, arrival.place_of(*own));
            let is_open = self.types.get(resolve(&self.defined, *declared));
            let is_open = is_open.is_some_and(|ty| ty.shape == Shape::Fwd);
            let defines = self.types.get(definition);
            if is_open && defines.is_some_and(|ty| ty.declared_as().is_some()) {
                self.defined.insert(*declared, definition);
            }
        }
    }

    /// Adds the members of new structures and unions.
    fn fill(&mut self, arrival: &Arrival<'_>, news: &[(usize, Ref)], digests: &Table<usize, u64>) {
        for (row, place) in news {
            let Some(ty) = arrival.own.rows.get(*row) else {
                continue;
            };
            let items = arrival.moved_items(ty).collect();
            self.set_items(*place, items);
            let Some(digest) = digests.get(row) else {
                continue;
            };
            let before = self.by_digest.insert(*digest, *place).unwrap_or_default();
            let entry = place.row().and_then(|row| self.before.get_mut(row));
            if let Some(entry) = entry {
                *entry = before;
            }
        }
    }

    fn add_lists(&mut self, arrival: &Arrival<'_>) {
        for function in &arrival.own.functions {
            let function = Function {
                proto: arrival.place_of(function.proto),
                ..*function
            };
            if self.functions.insert(function) {
                self.types.functions.push(function);
            }
        }
        for variable in &arrival.own.variables {
            let variable = Variable {
                ty: arrival.place_of(variable.ty),
                ..*variable
            };
            if self.variables.insert(variable) {
                self.types.variables.push(variable);
            }
        }
        for tag in &arrival.own.tags {
            let tag = DeclTag {
                on: arrival.place_of(tag.on),
                ..*tag
            };
            if self.tags.insert(tag) {
                self.types.tags.push(tag);
            }
        }
    }

    fn push(&mut self, ty: Type) -> Ref {
        let place = Ref::to(self.types.rows.len());
        self.types.rows.push(ty);
        self.before.push(Ref::VOID);
        place
    }

    fn set_items(&mut self, place: Ref, items: Vec<Item>) {
        let first = u32::try_from(self.types.items.len()).unwrap_or(u32::MAX);
        let row = place.row().and_then(|row| self.types.rows.get_mut(row));
        if let Some(row) = row.filter(|_| !items.is_empty()) {
            row.first = first;
            self.types.items.extend(items);
        }
    }
}

/// A copy without aliases, and without types that have become duplicates, such as pointers to a declaration and to its
/// definition.
fn again(types: &Types) -> Types {
    let mut merged = Merged::default();
    merged.absorb(types);
    merged.types
}

/// Whether this is a declaration of that structure, union or enumeration.
fn declares(declaration: &Type, definition: &Type) -> bool {
    declaration.name == definition.name && definition.declared_as() == Some(declaration.detail)
}

fn resolve(defined: &Table<Ref, Ref>, reference: Ref) -> Ref {
    if defined.is_empty() {
        return reference;
    }
    // A definition is not a declaration, so one step is enough.
    defined.get(&reference).copied().unwrap_or(reference)
}

impl Arrival<'_> {
    fn is_placed(&self, row: usize) -> bool {
        matches!(self.places.get(row), Some(Place::At(_)))
    }

    fn set(&mut self, row: usize, place: Ref) {
        if let Some(entry) = self.places.get_mut(row) {
            *entry = Place::At(place);
        }
    }

    fn set_pending(&mut self, row: usize) {
        if let Some(entry) = self.places.get_mut(row) {
            *entry = Place::Pending;
        }
    }

    /// The rows that this one refers to and that are not resolved yet.
    fn push_needed(&self, row: usize, path: &mut Vec<usize>) {
        let Some(ty) = self.own.rows.get(row) else {
            return;
        };
        let target = ty.shape.refers().then_some(ty.target);
        let items = match ty.shape {
            Shape::Proto => self.own.items_of(ty),
            _ => &[],
        };
        let all = target.into_iter().chain(items.iter().map(|item| item.ty));
        let rows = all.filter_map(Ref::row);
        path.extend(rows.filter(|row| self.places.get(*row) == Some(&Place::Unknown)));
    }

    /// Resolves a row to that type of the set, unless it is known to be a different one, or new.
    fn assume(&mut self, row: usize, there: Ref) -> bool {
        match self.places.get_mut(row) {
            Some(place @ Place::Unknown) => {
                *place = Place::At(there);
                self.assumed.push(row);
                true
            }
            _ => false,
        }
    }

    /// What a type was resolved to; `void` if it is its own target.
    fn place_of(&self, own: Ref) -> Ref {
        let place = own.row().and_then(|row| self.places.get(row));
        match place {
            Some(Place::At(place)) => *place,
            _ => Ref::VOID,
        }
    }

    fn moved_items(&self, ty: &Type) -> impl Iterator<Item = Item> {
        self.own.items_of(ty).iter().map(|item| Item {
            ty: self.place_of(item.ty),
            ..*item
        })
    }
}
