//! Finding a name by binary search, where types are sorted by name.
//!
//! Kernels since 7.0 sort theirs (`btf_check_sorted` in the kernel's btf.c): types without a name first, then the others in
//! `strcmp` order.

use crate::TypeId;
use crate::btf::{Btf, Kind};
use std::sync::OnceLock;

/// Where the types with a name start, once it is known whether they are sorted.
#[derive(Clone, Default)]
pub(super) struct Order {
    searched: OnceLock<()>,
    named: OnceLock<Option<u32>>,
}

impl Btf<'_> {
    /// The id of the first type that has a name, if types are sorted by name and have been searched before: checking the
    /// order takes longer than a single search through all strings.
    pub(super) fn named_in_order(&self) -> Option<u32> {
        if self.names.searched.set(()).is_ok() {
            return None;
        }
        *self.names.named.get_or_init(|| self.first_in_order())
    }

    fn first_in_order(&self) -> Option<u32> {
        let mut first = None;
        let mut before: &[u8] = &[];
        for ty in self.records() {
            let ty = ty.ok()?;
            let name = self.string_bytes_at(ty.name_off).ok()?;
            if name < before {
                return None;
            }
            if first.is_none() && !name.is_empty() {
                first = Some(ty.id().0);
            }
            before = name;
        }
        first
    }

    /// The first own type with this name and kind, if types are sorted from `named` on.
    pub(super) fn find_in_order(&self, named: u32, name: &str, kind: Kind) -> Option<TypeId> {
        let name_of = |id: u32| {
            let ty = self.get(TypeId(id)).ok()?;
            self.string_bytes_at(ty.name_off).ok()
        };
        let (mut low, mut high) = (named, self.end_id());
        while low < high {
            let middle = low + (high - low) / 2;
            if name_of(middle)? < name.as_bytes() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low..self.end_id())
            .take_while(|id| name_of(*id) == Some(name.as_bytes()))
            .map(TypeId)
            .find(|id| self.get(*id).is_ok_and(|ty| ty.kind() == kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::BtfBuilder;
    use proptest::prelude::*;

    const KINDS: [Kind; 3] = [Kind::Struct, Kind::Union, Kind::Typedef];

    fn types(names: &[(String, u8)], sorted: bool) -> Btf<'static> {
        let mut builder = BtfBuilder::new();
        for (name, kind) in names {
            match kind {
                0 => builder.add_struct(name, 0, [("", TypeId::VOID, 0); 0]),
                1 => builder.add_union(name, 0, [("", TypeId::VOID, 0); 0]),
                _ => builder.add_typedef(&format!("{name}_"), TypeId::VOID),
            };
        }
        if sorted {
            builder.sort_by_name(None);
        }
        builder.build().unwrap()
    }

    #[test]
    fn order_is_found_out_at_the_second_search() {
        let names = [("b".to_owned(), 0), (String::new(), 0), ("a".to_owned(), 1)];
        let btf = types(&names, true);
        assert_eq!(btf.named_in_order(), None);
        assert_eq!(btf.named_in_order(), Some(2));
        let btf = types(&names, false);
        assert_eq!(btf.named_in_order(), None);
        assert_eq!(btf.named_in_order(), None);
    }

    proptest! {
        #[test]
        fn in_order_or_not_the_same_is_found(
            names in prop::collection::vec(("[ab]{0,3}", 0_u8..3), 1..40),
        ) {
            let btf = types(&names, true);
            btf.named_in_order();
            let named = btf.named_in_order();
            let mut wanted: Vec<String> = names.iter().map(|(name, _)| name.clone()).collect();
            wanted.extend(["", "a", "bbbb", "c"].map(str::to_owned));
            for name in wanted.iter().filter(|name| !name.is_empty()) {
                for kind in KINDS {
                    let first = btf.types().find(|ty| ty.name() == name && ty.kind() == kind);
                    let first = first.map(|ty| ty.id());
                    prop_assert_eq!(btf.find_own(name, kind), first);
                    if let Some(named) = named {
                        prop_assert_eq!(btf.find_in_order(named, name, kind), first);
                    }
                }
            }
        }
    }
}
