//! Compares two sets of types.

use super::hashes::{Hashes, by_key};
use super::key::{Key, body};
use super::parts::{self, Budget, Part};
use super::report::{Change, Changed, Diff, Named, Place};
use crate::btf::{Btf, BtfError, Enumerator, Kind, Type};
use std::collections::{HashMap, HashSet};
use std::hash::RandomState;

/// Compares two sets of types: those of two kernels, or of two builds of an object.
///
/// For split BTF only the types of the split part are compared, not those of its base.
///
/// ```
/// use rawbpf::btf::diff::{Change, Comparison};
/// use rawbpf::btf::{BtfBuilder, IntEncoding};
///
/// let types = |size, offset| {
///     let mut types = BtfBuilder::new();
///     let int = types.add_int("int", 4, IntEncoding::SIGNED);
///     types.add_struct("task", size, [("pid", int, offset)]);
///     types.build()
/// };
/// let (old, new) = (types(4, 0)?, types(8, 32)?);
/// let diff = Comparison::new(&old, &new).run()?;
/// assert_eq!(diff.changed[0].of.name, "task");
/// assert_eq!(diff.changed[0].changes[0], Change::Size { old: 4, new: 8 });
/// let Change::Member { name, old: Some(old), new: Some(new) } = &diff.changed[0].changes[1] else { panic!() };
/// assert_eq!((name.as_str(), old.bit_offset, new.bit_offset), ("pid", 0, 32));
/// # Ok::<(), rawbpf::btf::BtfError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Comparison<'b> {
    old: &'b Btf<'b>,
    new: &'b Btf<'b>,
    used: Vec<&'b Btf<'b>>,
}

/// The members that matter, by type; for types without members, the size matters.
type Used<'b> = HashMap<Key<'b>, HashSet<String>>;

impl<'b> Comparison<'b> {
    /// Compares `old` with `new`.
    pub fn new(old: &'b Btf<'b>, new: &'b Btf<'b>) -> Self {
        Self {
            old,
            new,
            used: Vec::new(),
        }
    }

    /// Restricts the comparison to these types, and for structures and unions to the members that they have here: for example,
    /// the output of [`reloc::minimize`](crate::reloc::minimize) for the old and the new types. The size of a structure matters
    /// only if it has no members here.
    pub fn only(self, used: impl IntoIterator<Item = &'b Btf<'b>>) -> Self {
        Self {
            used: used.into_iter().collect(),
            ..self
        }
    }

    /// Runs the comparison.
    ///
    /// # Errors
    /// `TooMuch` if the output would be too large for the size of the types.
    pub fn run(&self) -> Result<Diff, BtfError> {
        let bytes = |btf: &Btf<'_>| btf.bytes().len();
        let sizes = [self.old, self.new]
            .into_iter()
            .chain(self.used.iter().copied());
        let mut budget = Budget::of(sizes.map(bytes).fold(0, usize::saturating_add));
        let used = self.used(&mut budget)?;
        let key = RandomState::new();
        let mut run = Run {
            old: Hashes::new(self.old, key.clone()),
            new: Hashes::new(self.new, key),
            sides: [self.old, self.new],
            used,
            budget,
            diff: Diff::default(),
        };
        run.all()?;
        Ok(run.diff)
    }

    fn used(&self, budget: &mut Budget) -> Result<Option<Used<'b>>, BtfError> {
        if self.used.is_empty() {
            return Ok(None);
        }
        let mut used = Used::new();
        for btf in &self.used {
            for ty in btf.types() {
                let Some(key) = Key::of(&ty) else { continue };
                let parts = parts::of(btf, &body(btf, ty), budget)?;
                let names = used.entry(key).or_default();
                names.extend(parts.into_iter().map(|part| part.name));
            }
        }
        Ok(Some(used))
    }
}

struct Run<'b> {
    old: Hashes<'b>,
    new: Hashes<'b>,
    sides: [&'b Btf<'b>; 2],
    used: Option<Used<'b>>,
    budget: Budget,
    diff: Diff,
}

impl<'b> Run<'b> {
    fn all(&mut self) -> Result<(), BtfError> {
        let [old, new] = self.sides;
        let mut old = by_key(old);
        let mut new = by_key(new);
        let mut keys: Vec<Key<'b>> = old.keys().chain(new.keys()).copied().collect();
        keys.sort_unstable();
        keys.dedup();
        // A forward declaration matters only if neither side has a definition.
        let defined = keys.iter().filter(|key| key.kind().is_composite());
        let defined: HashSet<&str> = defined.map(|key| key.name).collect();
        keys.retain(|key| key.kind() != Kind::Fwd || !defined.contains(key.name));
        for key in keys {
            if self
                .used
                .as_ref()
                .is_some_and(|used| !used.contains_key(&key))
            {
                continue;
            }
            let old = old.remove(&key).unwrap_or_default();
            let new = new.remove(&key).unwrap_or_default();
            self.of_one_key(key, old, new)?;
        }
        Ok(())
    }

    /// Several types may share a name: identical ones are paired first, the others in order.
    fn of_one_key(
        &mut self,
        key: Key<'b>,
        old: Vec<Type<'b>>,
        new: Vec<Type<'b>>,
    ) -> Result<(), BtfError> {
        let mut alike: HashMap<u64, usize> = HashMap::new();
        for ty in &new {
            let count = alike.entry(self.new.definition(ty)).or_default();
            *count = count.saturating_add(1);
        }
        let mut left_old = Vec::new();
        for ty in old {
            match alike.get_mut(&self.old.definition(&ty)) {
                Some(count) if *count > 0 => *count = count.saturating_sub(1),
                _ => left_old.push(ty),
            }
        }
        let mut left_new = Vec::new();
        for ty in new.into_iter().rev() {
            if let Some(count) = alike.get_mut(&self.new.definition(&ty))
                && *count > 0
            {
                *count = count.saturating_sub(1);
                left_new.push(ty);
            }
        }
        left_new.reverse();
        let pairs = left_old.len().min(left_new.len());
        for (old, new) in left_old.iter().zip(&left_new) {
            self.pair(key, old, new)?;
        }
        for _ in left_old.iter().skip(pairs) {
            let removed = self.named(key)?;
            self.diff.removed.push(removed);
        }
        for _ in left_new.iter().skip(pairs) {
            let added = self.named(key)?;
            self.diff.added.push(added);
        }
        Ok(())
    }

    fn named(&mut self, key: Key<'b>) -> Result<Named, BtfError> {
        let work = key.name.len().saturating_add(8);
        self.budget.spend(crate::TypeId::VOID, work)?;
        Ok(key.named())
    }

    fn pair(&mut self, key: Key<'b>, old: &Type<'b>, new: &Type<'b>) -> Result<(), BtfError> {
        let mut changes = self.changes(key, old, new)?;
        self.tags(old, new, &mut changes)?;
        if !changes.is_empty() {
            let of = self.named(key)?;
            self.diff.changed.push(Changed { of, changes });
        }
        Ok(())
    }

    fn changes(
        &mut self,
        key: Key<'b>,
        old: &Type<'b>,
        new: &Type<'b>,
    ) -> Result<Vec<Change>, BtfError> {
        let [old_btf, new_btf] = self.sides;
        let (old_body, new_body) = (body(old_btf, *old), body(new_btf, *new));
        let (a, b) = (old_body.kind(), new_body.kind());
        let composites = a.is_composite() && a == b;
        if composites || a == Kind::Datasec && b == a {
            return self.composites(key, &old_body, &new_body);
        }
        let mut changes = Vec::new();
        match a {
            Kind::Enum | Kind::Enum64 if b.is_any_enum() => {
                self.enums(&old_body, &new_body, &mut changes)?;
            }
            Kind::Int | Kind::Float => {
                size(old, new, &mut changes);
                if let (Some(old), Some(new)) = (old.int_encoding(), new.int_encoding())
                    && old != new
                {
                    changes.push(Change::Encoding { old, new });
                }
            }
            _ => self.declarations(old, new, &mut changes)?,
        }
        Ok(changes)
    }

    fn composites(
        &mut self,
        key: Key<'b>,
        old: &Type<'b>,
        new: &Type<'b>,
    ) -> Result<Vec<Change>, BtfError> {
        let [old_btf, new_btf] = self.sides;
        let mut changes = Vec::new();
        let old_parts = parts::of(old_btf, old, &mut self.budget)?;
        let new_parts = parts::of(new_btf, new, &mut self.budget)?;
        let counts = |used: &Used<'_>, part: &Part| {
            used.get(&key)
                .is_some_and(|names| names.contains(&part.name))
        };
        let counts = |part: &Part| self.used.as_ref().is_none_or(|used| counts(used, part));
        let whole = self.used.as_ref().and_then(|used| used.get(&key));
        if whole.is_none_or(HashSet::is_empty) {
            size(old, new, &mut changes);
        }
        let old_parts: Vec<Part> = old_parts.into_iter().filter(counts).collect();
        let new_parts: Vec<Part> = new_parts.into_iter().filter(counts).collect();
        for (old, new) in paired(old_parts, new_parts, |part| part.name.clone()) {
            let Some(part) = old.as_ref().or(new.as_ref()) else {
                continue;
            };
            let name = part.name.clone();
            if let (Some(old), Some(new)) = (&old, &new)
                && self.same_place(old, new)
            {
                continue;
            }
            let old = old.map(|part| self.place(old_btf, &part)).transpose()?;
            let new = new.map(|part| self.place(new_btf, &part)).transpose()?;
            changes.push(Change::Member { name, old, new });
        }
        Ok(changes)
    }

    fn same_place(&mut self, old: &Part, new: &Part) -> bool {
        let [old_btf, new_btf] = self.sides;
        old.bit_offset == new.bit_offset
            && bits(old_btf, old) == bits(new_btf, new)
            && old.bitfield.is_some() == new.bitfield.is_some()
            && self.old.reference(old.type_id) == self.new.reference(new.type_id)
    }

    fn place(&mut self, btf: &Btf<'_>, part: &Part) -> Result<Place, BtfError> {
        let ty = btf.type_name(part.type_id);
        let work = ty.len().saturating_add(part.name.len()).saturating_add(16);
        self.budget.spend(part.type_id, work)?;
        Ok(Place {
            ty,
            bit_offset: part.bit_offset,
            bits: bits(btf, part),
            is_bitfield: part.bitfield.is_some(),
        })
    }

    fn enums(
        &mut self,
        old: &Type<'b>,
        new: &Type<'b>,
        changes: &mut Vec<Change>,
    ) -> Result<(), BtfError> {
        size(old, new, changes);
        if old.kflag() != new.kflag() {
            changes.push(Change::Signedness {
                old: old.kflag(),
                new: new.kflag(),
            });
        }
        let constants = |ty: &Type<'b>| ty.enumerators().collect::<Vec<_>>();
        for (before, now) in paired(constants(old), constants(new), |constant| constant.name) {
            let value = |of: &Type<'_>, constant: Option<Enumerator<'_>>| {
                constant.map(|constant| value(of, constant.value))
            };
            let name = before.or(now).map_or("", |constant| constant.name);
            let (before, now) = (value(old, before), value(new, now));
            if before != now {
                self.budget.spend(new.id(), name.len().saturating_add(8))?;
                changes.push(Change::Constant {
                    name: name.to_owned(),
                    old: before,
                    new: now,
                });
            }
        }
        Ok(())
    }

    fn declarations(
        &mut self,
        old: &Type<'b>,
        new: &Type<'b>,
        changes: &mut Vec<Change>,
    ) -> Result<(), BtfError> {
        let [old_btf, new_btf] = self.sides;
        if let (Some(old), Some(new)) = (old.linkage(), new.linkage())
            && old != new
        {
            changes.push(Change::Linkage { old, new });
        }
        let (Some(old_target), Some(new_target)) = (old.target(), new.target()) else {
            return Ok(());
        };
        if self.old.reference(old_target) == self.new.reference(new_target) {
            return Ok(());
        }
        let declared = |btf: &Btf<'_>, ty: &Type<'_>, target| match ty.kind() {
            Kind::Typedef => btf.type_name(target),
            _ => btf.declaration(target, ty.name()),
        };
        let old_text = declared(old_btf, old, old_target);
        let new_text = declared(new_btf, new, new_target);
        let work = old_text.len().saturating_add(new_text.len());
        self.budget.spend(new.id(), work)?;
        changes.push(Change::Declaration {
            old: old_text,
            new: new_text,
        });
        Ok(())
    }

    fn tags(
        &mut self,
        old: &Type<'b>,
        new: &Type<'b>,
        changes: &mut Vec<Change>,
    ) -> Result<(), BtfError> {
        let of_old: HashSet<_> = self.old.tags(old.id()).iter().copied().collect();
        let of_new: HashSet<_> = self.new.tags(new.id()).iter().copied().collect();
        let gone = self
            .old
            .tags(old.id())
            .iter()
            .filter(|tag| !of_new.contains(tag));
        let come = self
            .new
            .tags(new.id())
            .iter()
            .filter(|tag| !of_old.contains(tag));
        let gone = gone.map(|tag| (*tag, false));
        for ((component, tag), is_new) in gone.chain(come.map(|tag| (*tag, true))) {
            self.budget.spend(new.id(), tag.len().saturating_add(8))?;
            changes.push(Change::Tag {
                tag: tag.to_owned(),
                component,
                is_new,
            });
        }
        Ok(())
    }
}

fn size(old: &Type<'_>, new: &Type<'_>, changes: &mut Vec<Change>) {
    let (old, new) = (old.size_field(), new.size_field());
    if old != new {
        changes.push(Change::Size { old, new });
    }
}

/// The size of a part in bits, if known.
fn bits(btf: &Btf<'_>, part: &Part) -> Option<u64> {
    let whole = |bytes: u32| u64::from(bytes).saturating_mul(8);
    if let Some(bits) = part.bitfield {
        return Some(u64::from(bits));
    }
    part.bytes
        .or_else(|| btf.size_of(part.type_id).ok())
        .map(whole)
}

/// A constant's value, by the signedness of its enumeration.
fn value(of: &Type<'_>, value: i64) -> i128 {
    if of.kflag() {
        i128::from(value)
    } else {
        i128::from(value.cast_unsigned())
    }
}

/// Pairs elements of both sides by name, in the old order, followed by the new ones. If several have the same name, the first
/// is paired with the first.
fn paired<T, N: std::hash::Hash + Eq>(
    old: Vec<T>,
    new: Vec<T>,
    name: impl Fn(&T) -> N,
) -> Vec<(Option<T>, Option<T>)> {
    let mut places: HashMap<N, Vec<usize>> = HashMap::new();
    for (index, part) in new.iter().enumerate().rev() {
        places.entry(name(part)).or_default().push(index);
    }
    let mut new: Vec<Option<T>> = new.into_iter().map(Some).collect();
    let mut pairs = Vec::with_capacity(old.len().max(new.len()));
    for part in old {
        let place = places.get_mut(&name(&part)).and_then(Vec::pop);
        let other = place
            .and_then(|index| new.get_mut(index))
            .and_then(Option::take);
        pairs.push((Some(part), other));
    }
    pairs.extend(new.into_iter().flatten().map(|part| (None, Some(part))));
    pairs
}
