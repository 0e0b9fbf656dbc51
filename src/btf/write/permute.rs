//! Renumbers types, for instance in the order by name that kernels since 7.0 use.

use super::builder::BtfBuilder;
use super::record::{NAME, kind_of, map_types};
use crate::TypeId;
use crate::btf::{BtfError, BtfExt};

impl BtfBuilder {
    /// Renumbers own types: `new` contains the new id of each, in the order of the old ones, and each id of an own type
    /// exactly once. `ext` is updated.
    #[doc(alias = "btf__permute")]
    pub fn permute(&mut self, new: &[TypeId], ext: Option<&mut BtfExt>) {
        let Some(order) = self.inverse(new) else {
            self.fail(BtfError::Permutation);
            return;
        };
        let first = self.first_id;
        let map = |id: TypeId| {
            let own = id.0.checked_sub(first);
            own.and_then(|own| new.get(own as usize))
                .copied()
                .unwrap_or(id)
        };
        let mut words = Vec::with_capacity(self.words.len());
        let mut starts = Vec::with_capacity(self.starts.len());
        for id in order {
            let start = words.len();
            starts.push(u32::try_from(start).unwrap_or(u32::MAX));
            words.extend_from_slice(self.record(id).unwrap_or_default());
            let record = words.get_mut(start..).unwrap_or_default();
            if let Some(kind) = record
                .get(super::record::INFO)
                .and_then(|info| kind_of(*info))
            {
                map_types(record, kind, map);
            }
        }
        (self.words, self.starts) = (words, starts);
        if let Some(ext) = ext {
            ext.map_types(map);
        }
    }

    /// The old ids in the order of the new ones; `None` if an id is missing or duplicated.
    fn inverse(&self, new: &[TypeId]) -> Option<Vec<TypeId>> {
        let mut order = vec![None; self.starts.len()];
        if new.len() != order.len() {
            return None;
        }
        for (old, id) in (self.first_id..).zip(new) {
            let slot = order.get_mut(id.0.checked_sub(self.first_id)? as usize)?;
            if slot.replace(TypeId(old)).is_some() {
                return None;
            }
        }
        order.into_iter().collect()
    }

    /// Sorts own types by name, those without a name first, so that readers can find a name by binary search; kernels since
    /// 7.0 sort theirs this way. The sort is stable. `ext` is updated.
    pub fn sort_by_name(&mut self, ext: Option<&mut BtfExt>) {
        let ids = (self.first_id..).take(self.starts.len()).map(TypeId);
        let mut order: Vec<TypeId> = ids.collect();
        order.sort_by(|a, b| self.name(*a).cmp(self.name(*b)));
        let mut new = vec![TypeId::VOID; order.len()];
        for (id, old) in (self.first_id..).zip(&order) {
            let own = old.0.saturating_sub(self.first_id) as usize;
            if let Some(slot) = new.get_mut(own) {
                *slot = TypeId(id);
            }
        }
        self.permute(&new, ext);
    }

    /// The name of an own type.
    fn name(&self, id: TypeId) -> &[u8] {
        let name = self.record(id).and_then(|record| record.get(NAME));
        self.strings.at(name.copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{Kind, Member};

    fn sample() -> BtfBuilder {
        let mut b = BtfBuilder::new();
        let int = b.add_int("int", 4, 0); // 1
        let point = b.add_struct("a", 8, [("x", int, 0)]); // 2
        b.add_ptr(point); // 3
        b
    }

    #[test]
    fn numbers_change_wherever_they_stand() {
        let mut b = sample();
        let mut ext = BtfExt::new();
        ext.add_func_info(0, 0, TypeId(2));
        b.permute(&[3, 1, 2].map(TypeId), Some(&mut ext));
        let btf = b.build().unwrap();
        let kinds: Vec<Kind> = btf.types().map(|ty| ty.kind()).collect();
        assert_eq!(kinds, [Kind::Struct, Kind::Ptr, Kind::Int]);
        assert_eq!(btf.get(TypeId(2)).unwrap().target(), Some(TypeId(1)));
        let members: Vec<Member<'_>> = btf.get(TypeId(1)).unwrap().members().collect();
        assert_eq!(members, [Member::new("x", TypeId(3), 0)]);
        let record = ext.func_info().next().unwrap().records;
        assert_eq!(record, [0, 1_u32].map(u32::to_ne_bytes).concat());
    }

    #[test]
    fn each_number_must_be_there_once() {
        for wrong in [&[1, 2][..], &[1, 2, 2], &[1, 2, 4], &[0, 1, 2]] {
            let mut b = sample();
            let wrong: Vec<TypeId> = wrong.iter().copied().map(TypeId).collect();
            b.permute(&wrong, None);
            assert_eq!(b.finish(), Err(BtfError::Permutation));
        }
    }

    #[test]
    fn names_come_in_order_after_types_without() {
        let mut b = sample();
        b.add_typedef("a", TypeId(1));
        b.sort_by_name(None);
        let btf = b.build().unwrap();
        let names: Vec<(&str, Kind)> = btf.types().map(|ty| (ty.name(), ty.kind())).collect();
        let expected = [
            ("", Kind::Ptr),
            ("a", Kind::Struct),
            ("a", Kind::Typedef),
            ("int", Kind::Int),
        ];
        assert_eq!(names, expected);
    }
}
