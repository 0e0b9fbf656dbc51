//! A subset of some blobs' types as a separate blob: selected types, and selected members of structures and unions.

use super::builder::BtfBuilder;
use crate::TypeId;
use crate::btf::{Btf, BtfError, Member, Type};
use std::collections::{BTreeMap, BTreeSet};

/// Which types, and which of their members. All of them are from one blob, or from blobs that are split from it.
#[derive(Debug, Default)]
pub(crate) struct Subset<'b> {
    types: BTreeMap<Place<'b>, Chosen<'b>>,
}

/// The location of a type: the split blob that contains it (by a name that the caller chooses; `None` is the base), and its
/// id there.
type Place<'b> = (Option<&'b str>, TypeId);

#[derive(Debug)]
struct Chosen<'b> {
    ty: Type<'b>,
    members: BTreeSet<u32>,
}

impl<'b> Subset<'b> {
    /// Keeps a type; a structure or union without members. `blob` names the blob that was searched, which may have found the
    /// type in its base. Returns whether it is new.
    pub(crate) fn keep(&mut self, ty: Type<'b>, blob: Option<&'b str>) -> bool {
        let mut new = false;
        self.types.entry(place(&ty, blob)).or_insert_with(|| {
            new = true;
            let members = BTreeSet::new();
            Chosen { ty, members }
        });
        new
    }

    /// Keeps a member of a type that is kept.
    pub(crate) fn keep_member(&mut self, of: &Type<'b>, blob: Option<&'b str>, index: u32) {
        if let Some(chosen) = self.types.get_mut(&place(of, blob)) {
            chosen.members.insert(index);
        }
    }

    /// The types, ordered by blob and id, with new ids. References to types that are not kept become `void`; sizes and
    /// offsets of members stay.
    ///
    /// # Errors
    /// There are more names or types than fit into a blob.
    pub(crate) fn build(&self) -> Result<Btf<'static>, BtfError> {
        let ids: BTreeMap<&Place<'b>, TypeId> = self.types.keys().zip((1..).map(TypeId)).collect();
        let mut builder = BtfBuilder::new();
        for ((blob, _), Chosen { ty, members }) in &self.types {
            let new = |id: TypeId| {
                let place = place_of(ty.btf(), id, *blob);
                ids.get(&place).copied().unwrap_or(TypeId::VOID)
            };
            if !ty.kind().is_composite() {
                builder.add_type_with(ty, new);
                continue;
            }
            let all = (0..).zip(ty.members());
            let kept = all.filter(|(index, _)| members.contains(index));
            let kept = kept.map(|(_, member)| Member {
                type_id: new(member.type_id),
                ..member
            });
            if ty.kind() == crate::btf::Kind::Union {
                builder.add_union(ty.name(), ty.size_field(), kept);
            } else {
                builder.add_struct(ty.name(), ty.size_field(), kept);
            }
        }
        builder.build()
    }
}

fn place<'b>(ty: &Type<'b>, blob: Option<&'b str>) -> Place<'b> {
    place_of(ty.btf(), ty.id(), blob)
}

fn place_of<'b>(btf: &Btf<'_>, id: TypeId, blob: Option<&'b str>) -> Place<'b> {
    // A type that a split blob has from its base belongs to the base.
    let is_own = btf.base().is_some() && id.0 >= btf.own_ids().start;
    (blob.filter(|_| is_own), id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{IntEncoding, Kind};

    #[test]
    fn members_that_are_not_kept_leave_size_and_places_as_they_were() {
        let mut types = BtfBuilder::new();
        let int = types.add_int("int", 4, IntEncoding::SIGNED);
        let long = types.add_int("long", 8, IntEncoding::SIGNED);
        let pair = types.add_struct(
            "pair",
            16,
            [
                Member::new("a", int, 0),
                Member::new("b", long, 64),
                Member::new("c", int, 33).bitfield(3),
            ],
        );
        types.add_ptr(long);
        let pointer = types.add_ptr(pair);
        let whole = types.build().unwrap();
        let mut subset = Subset::default();
        for id in [pair, int, pointer] {
            assert!(subset.keep(whole.get(id).unwrap(), None));
            assert!(!subset.keep(whole.get(id).unwrap(), None));
        }
        subset.keep_member(&whole.get(pair).unwrap(), None, 0);
        subset.keep_member(&whole.get(pair).unwrap(), None, 2);
        let part = subset.build().unwrap();
        assert_eq!(part.types().count(), 3);
        let pair = part.get(part.find("pair", Kind::Struct).unwrap()).unwrap();
        let int = part.find("int", Kind::Int).unwrap();
        assert_eq!(pair.size_field(), 16);
        let members: Vec<Member<'_>> = pair.members().collect();
        let expected = [
            Member::new("a", int, 0),
            Member::new("c", int, 33).bitfield(3),
        ];
        assert_eq!(members, expected);
        assert_eq!(part.find("long", Kind::Int), None);
    }

    #[test]
    fn types_of_a_module_and_of_its_kernel_come_together() {
        let mut types = BtfBuilder::new();
        let int = types.add_int("int", 4, IntEncoding::SIGNED);
        let kernel = std::sync::Arc::new(types.build().unwrap());
        let mut types = BtfBuilder::split(kernel);
        let own = types.add_typedef("own", int);
        let module = types.build().unwrap();
        let mut subset = Subset::default();
        subset.keep(module.get(own).unwrap(), Some("module"));
        subset.keep(module.get(int).unwrap(), Some("module"));
        let part = subset.build().unwrap();
        let own = part.get(part.find("own", Kind::Typedef).unwrap()).unwrap();
        assert_eq!(own.target(), part.find("int", Kind::Int));
        assert_eq!(part.types().count(), 2);
    }
}
