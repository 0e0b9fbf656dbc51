//! What is equal and what is not, mistakes of other implementations, and graphs designed to break this one.

use crate::TypeId;
use crate::btf::{
    Btf, BtfBuilder, BtfError, BtfExt, Enumerator, FwdKind, IntEncoding, Kind, Linkage, Member,
    Param, Signedness, VarSecinfo,
};
use proptest::prelude::*;
use std::sync::Arc;

/// The types after deduplication, which a second deduplication does not change.
fn deduped(mut b: BtfBuilder) -> Btf<'static> {
    let own = b.clone().build().map(|btf| btf.own_ids().len());
    b.dedup();
    let once = b.build().unwrap();
    assert!(once.own_ids().len() <= own.unwrap());
    once.validate().unwrap();
    b.dedup();
    assert_eq!(b.finish().unwrap(), once.bytes(), "once more");
    once
}

/// How many types are left.
fn left(build: impl FnOnce(&mut BtfBuilder)) -> usize {
    let mut b = BtfBuilder::new();
    build(&mut b);
    deduped(b).own_ids().len()
}

fn int(b: &mut BtfBuilder) -> TypeId {
    b.add_int("int", 4, IntEncoding::SIGNED)
}

/// `struct name { struct name *next; <value> value; }` with its pointer, which is one more type.
fn list(b: &mut BtfBuilder, name: &str, value: TypeId) -> TypeId {
    let own = TypeId(b.next_id().0 + 1);
    let next = b.add_ptr(own);
    b.add_struct(name, 16, [("next", next, 0), ("value", value, 64)])
}

#[test]
fn types_that_refer_to_themselves_are_found_to_be_the_same() {
    let copies = |b: &mut BtfBuilder| {
        for _ in 0..10 {
            let int = int(b);
            list(b, "node", int);
        }
    };
    assert_eq!(left(copies), 3);
    let differing = |b: &mut BtfBuilder| {
        let (int, long) = (int(b), b.add_int("long", 8, 0));
        list(b, "node", int);
        list(b, "node", long);
    };
    assert_eq!(left(differing), 6);
}

/// What differs deep down keeps apart everything above it, and nothing else.
#[test]
fn a_difference_far_away_is_seen() {
    let chain = |b: &mut BtfBuilder, size| {
        let mut ty = b.add_int("end", size, 0);
        for level in 0..100 {
            let pointer = b.add_ptr(ty);
            ty = b.add_struct(&format!("level{level}"), 8, [("p", pointer, 0)]);
        }
    };
    let build = |sizes: &'static [u32]| {
        move |b: &mut BtfBuilder| sizes.iter().for_each(|size| chain(b, *size))
    };
    assert_eq!(left(build(&[4, 4, 4])), 201);
    assert_eq!(left(build(&[4, 8, 4])), 402);
}

#[test]
fn every_kind_is_compared_by_all_it_says() {
    let each: [&dyn Fn(&mut BtfBuilder) -> TypeId; 24] = [
        &|b| b.add_int("int", 4, 0),
        &|b| b.add_int("int", 4, IntEncoding::SIGNED),
        &|b| b.add_int("int", 8, 0),
        &|b| b.add_float("float", 4),
        &|b| b.add_ptr(TypeId::VOID),
        &|b| b.add_const(TypeId::VOID),
        &|b| b.add_volatile(TypeId::VOID),
        &|b| b.add_restrict(TypeId::VOID),
        &|b| b.add_typedef("t", TypeId::VOID),
        &|b| b.add_type_tag("t", TypeId::VOID),
        &|b| b.add_type_attr("t", TypeId::VOID),
        &|b| b.add_fwd("f", FwdKind::Struct),
        &|b| b.add_fwd("f", FwdKind::Union),
        &|b| b.add_struct("s", 4, Member::NONE),
        &|b| b.add_struct("s", 8, Member::NONE),
        &|b| b.add_union("s", 4, Member::NONE),
        &|b| b.add_struct("s", 8, [("a", TypeId::VOID, 0)]),
        &|b| b.add_struct("s", 8, [("a", TypeId::VOID, 8)]),
        &|b| b.add_struct("s", 8, [("b", TypeId::VOID, 0)]),
        &|b| b.add_struct("s", 8, [Member::new("a", TypeId::VOID, 0).bitfield(3)]),
        &|b| b.add_enum("e", 4, Signedness::Unsigned, [("A", 1)]),
        &|b| b.add_enum("e", 4, Signedness::Unsigned, [("A", 2)]),
        &|b| b.add_enum("e", 4, Signedness::Signed, [("A", 1)]),
        &|b| b.add_func_proto(TypeId::VOID, [Param::VARIABLE]),
    ];
    let twice = |b: &mut BtfBuilder| {
        for _ in 0..2 {
            for build in each {
                build(b);
            }
        }
    };
    assert_eq!(left(twice), each.len());
}

#[test]
fn functions_and_tags_are_kept_once_and_variables_each() {
    let build = |b: &mut BtfBuilder| {
        for _ in 0..3 {
            let int = int(b); // once
            let proto = b.add_func_proto(int, [("a", int)]); // once
            let func = b.add_func("f", Linkage::Static, proto); // once
            b.add_func("f", Linkage::Global, proto); // once
            b.add_decl_tag("tag", func, None); // once
            b.add_decl_tag("tag", func, Some(0)); // once
            let var = b.add_var("v", Linkage::Static, int); // three times
            let place = VarSecinfo {
                type_id: var,
                offset: 0,
                size: 4,
            };
            b.add_datasec(".data", 4, &[place]); // three times
        }
    };
    assert_eq!(left(build), 6 + 2 * 3);
}

/// A forward declaration and what refers to it: `struct s; struct user { struct s *p; };`
fn user(b: &mut BtfBuilder, s: TypeId) -> TypeId {
    let pointer = b.add_ptr(s);
    b.add_struct("user", 8, [("p", pointer, 0)])
}

#[test]
fn a_forward_declaration_becomes_what_it_is_about() {
    let mut b = BtfBuilder::new();
    let forward = b.add_fwd("s", FwdKind::Struct);
    user(&mut b, forward);
    b.add_fwd("s", FwdKind::Union);
    b.add_fwd("other", FwdKind::Struct);
    let whole = b.add_struct("s", 4, Member::NONE);
    user(&mut b, whole);
    let btf = deduped(b);
    let kinds: Vec<Kind> = btf.types().map(|ty| ty.kind()).collect();
    assert_eq!(
        kinds,
        [Kind::Ptr, Kind::Struct, Kind::Fwd, Kind::Fwd, Kind::Struct]
    );
    assert_eq!(
        btf.get(TypeId(1)).unwrap().target(),
        btf.find("s", Kind::Struct)
    );
}

/// Each file defines one of the structures and declares the other.
#[test]
fn declarations_that_wait_for_each_other_are_resolved() {
    let build = |b: &mut BtfBuilder| {
        for _ in 0..2 {
            let one = b.add_fwd("one", FwdKind::Struct);
            let pointer = b.add_ptr(one);
            b.add_struct("two", 8, [("one", pointer, 0)]);
            let two = b.add_fwd("two", FwdKind::Struct);
            let pointer = b.add_ptr(two);
            b.add_struct("one", 8, [("two", pointer, 0)]);
        }
    };
    assert_eq!(left(build), 4);
}

#[test]
fn a_declaration_that_may_be_about_two_types_stays() {
    let build = |b: &mut BtfBuilder| {
        let forward = b.add_fwd("s", FwdKind::Struct);
        b.add_ptr(forward);
        b.add_struct("s", 4, Member::NONE);
        b.add_struct("s", 8, Member::NONE);
    };
    assert_eq!(left(build), 4);
    // The two differ only in what they refer to.
    let build = |b: &mut BtfBuilder| {
        let forward = b.add_fwd("s", FwdKind::Struct);
        b.add_ptr(forward);
        for size in [4, 8] {
            let int = b.add_int("int", size, 0);
            b.add_struct("s", 8, [("a", int, 0)]);
        }
    };
    assert_eq!(left(build), 6);
}

/// Two files define `s` differently and use it, a third one only declares it.
#[test]
fn a_declaration_is_about_what_stands_in_its_place_elsewhere() {
    let mut b = BtfBuilder::new();
    let forward = b.add_fwd("s", FwdKind::Struct);
    user(&mut b, forward);
    b.add_typedef("seen", forward);
    let unseen = b.add_fwd("s", FwdKind::Struct);
    b.add_typedef("unseen", unseen);
    for size in [4, 8] {
        let whole = b.add_struct("s", size, Member::NONE);
        if size == 8 {
            user(&mut b, whole);
        }
    }
    let btf = deduped(b);
    let target = |name| {
        let alias = btf.get(btf.find(name, Kind::Typedef).unwrap()).unwrap();
        let target = btf.get(alias.target().unwrap()).unwrap();
        (target.kind(), target.size_field())
    };
    assert_eq!(target("seen"), (Kind::Struct, 8));
    assert_eq!(target("unseen"), (Kind::Fwd, 0));
    let users = btf.types().filter(|ty| ty.name() == "user");
    assert_eq!(users.count(), 1);
    assert_eq!(btf.own_ids().len(), 7);
}

/// Structures that refer to variables, which no compiler writes, and which are equal but for the variable.
#[test]
fn types_that_are_subsumed_by_each_other_are_one() {
    let mut b = BtfBuilder::new();
    let forward = b.add_fwd("s", FwdKind::Struct);
    b.add_struct("s", 4, Member::NONE);
    b.add_struct("s", 8, Member::NONE);
    for _ in 0..3 {
        let variable = b.add_var("v", Linkage::Static, TypeId::VOID);
        b.add_struct("user", 8, [("v", variable, 0), ("s", forward, 0)]);
    }
    let btf = deduped(b);
    let users = btf.types().filter(|ty| ty.name() == "user");
    assert_eq!(users.count(), 1);
}

#[test]
fn enumerations_are_declared_without_constants() {
    let mut b = BtfBuilder::new();
    let unsigned = Signedness::Unsigned;
    let forward = b.add_enum("e", 4, unsigned, Enumerator::NONE);
    let wide = b.add_enum("w", 8, unsigned, Enumerator::NONE);
    let other_size = b.add_enum("e", 8, unsigned, Enumerator::NONE);
    b.add_enum("e", 4, unsigned, [("A", 1)]);
    b.add_enum64("w", 8, unsigned, [("B", 1 << 40)]);
    for (name, target) in [("one", forward), ("two", wide), ("three", other_size)] {
        b.add_typedef(name, target);
    }
    let btf = deduped(b);
    assert_eq!(btf.own_ids().len(), 6);
    let constants = |name| {
        let alias = btf.get(btf.find(name, Kind::Typedef).unwrap()).unwrap();
        alias.resolved().unwrap().enumerators().count()
    };
    assert_eq!(
        (constants("one"), constants("two"), constants("three")),
        (1, 1, 0)
    );
}

/// Go encodes `type T func(T)` as a typedef of a pointer to a prototype with itself.
#[test]
fn typedefs_that_refer_to_themselves_are_kept_once() {
    let build = |b: &mut BtfBuilder| {
        for _ in 0..3 {
            let alias = TypeId(b.next_id().0 + 2);
            let proto = b.add_func_proto(TypeId::VOID, [("f", alias)]);
            let pointer = b.add_ptr(proto);
            assert_eq!(b.add_typedef("T", pointer), alias);
        }
    };
    assert_eq!(left(build), 3);
    // Without a name, and without an end.
    let build = |b: &mut BtfBuilder| {
        for _ in 0..3 {
            let own = b.next_id();
            b.add_ptr(own);
        }
        let next = TypeId(b.next_id().0 + 1);
        let first = b.add_ptr(next);
        b.add_ptr(first);
    };
    assert_eq!(left(build), 1);
}

/// Compilers write the same array, pointer or unnamed structure several times in one file.
#[test]
fn copies_within_one_file_do_not_keep_files_apart() {
    let file = |b: &mut BtfBuilder, copies: usize| {
        let int = int(b);
        let mut members = Vec::new();
        for index in 0..2 {
            let copy = |b: &mut BtfBuilder| {
                let array = b.add_array(int, int, 3);
                let inner = b.add_struct("", 12, [("a", array, 0)]);
                b.add_ptr(inner)
            };
            let first = copy(b);
            let type_id = if index < copies { copy(b) } else { first };
            members.push(Member::new(["x", "y"][index], type_id, 0));
        }
        b.add_struct("outer", 24, &members);
    };
    let build = |b: &mut BtfBuilder| (0..3).for_each(|copies| file(b, copies));
    assert_eq!(left(build), 5);
}

#[test]
fn a_base_stays_as_it_is() {
    let mut b = BtfBuilder::new();
    let number = int(&mut b); // 1
    int(&mut b); // 2: the base has it twice
    let forward = b.add_fwd("s", FwdKind::Struct); // 3
    b.add_ptr(forward); // 4
    b.add_struct("base", 4, [("a", number, 0)]); // 5
    let base = Arc::new(b.build().unwrap());
    let mut split = BtfBuilder::split(base);
    let own_int = int(&mut split);
    let copy = split.add_struct("base", 4, [("a", own_int, 0)]);
    let whole = split.add_struct("s", 8, [("b", copy, 0)]);
    let own_forward = split.add_fwd("s", FwdKind::Struct);
    let pointer = split.add_ptr(own_forward);
    split.add_struct("own", 16, [("p", pointer, 0), ("n", own_int, 64)]);
    let _ = whole;
    let btf = deduped(split);
    let names: Vec<(Kind, &str)> = btf.types().map(|ty| (ty.kind(), ty.name())).collect();
    assert_eq!(
        names,
        [(Kind::Struct, "s"), (Kind::Ptr, ""), (Kind::Struct, "own")]
    );
    let own = btf.get(TypeId(8)).unwrap();
    let targets: Vec<TypeId> = own.referenced().collect();
    assert_eq!(targets, [TypeId(7), TypeId(1)]);
    assert_eq!(btf.string_bytes(), b"b\0own\0p\0n\0");
}

#[test]
fn names_are_kept_once_and_unused_ones_left_out() {
    let mut b = BtfBuilder::new();
    b.add_string("unused");
    let id = b.add_int("point_t", 4, 0);
    b.add_int("int", 4, 0);
    // The tail of another name.
    let tail = b.find_string("point_t").unwrap() + 2;
    b.set_raw(TypeId(2), 0, tail);
    b.rename(id, "int_t");
    let btf = deduped(b);
    assert_eq!(btf.get(TypeId(1)).unwrap().name(), "int_t");
    assert_eq!(btf.own_ids().len(), 1);
    assert_eq!(btf.string_bytes(), b"\0int_t\0");
}

#[test]
fn the_extended_information_follows() {
    let mut b = BtfBuilder::new();
    b.add_string("unused");
    let section = b.add_string("tc");
    int(&mut b);
    let int = int(&mut b);
    let proto = b.add_func_proto(int, Param::NONE);
    let func = b.add_func("f", Linkage::Global, proto);
    let (file, line, path) = (
        b.add_string("a.c"),
        b.add_string("x = 1;"),
        b.add_string("0:1"),
    );
    let mut ext = BtfExt::new();
    ext.add_func_info(section, 0, func);
    ext.add_line_info(section, 8, (file, line), (7, 3));
    ext.add_core_relo(
        section,
        crate::btf::CoreRelo {
            insn_off: 16,
            type_id: int,
            access_str_off: path,
            kind: 0,
        },
    );
    b.dedup_with(&mut ext);
    let btf = b.build().unwrap();
    let text = |offset| btf.str_at(offset).unwrap();
    let word =
        |record: &[u8], at: usize| u32::from_ne_bytes(record[at..at + 4].try_into().unwrap());
    let func_info = ext.func_info().next().unwrap();
    assert_eq!(text(func_info.section_name_off), "tc");
    let id = TypeId(word(func_info.records, 4));
    assert_eq!(btf.get(id).unwrap().name(), "f");
    let lines = ext.line_info().next().unwrap().records;
    assert_eq!(
        (text(word(lines, 4)), text(word(lines, 8))),
        ("a.c", "x = 1;")
    );
    assert_eq!(word(lines, 12), 7 << 10 | 3);
    let relocation = ext.core_relo().next().unwrap().core_relos().next().unwrap();
    assert_eq!(
        (relocation.type_id, text(relocation.access_str_off)),
        (TypeId(1), "0:1")
    );
    assert!(!btf.string_bytes().starts_with(b"\0unused"));
}

#[test]
fn a_reference_that_leads_nowhere_is_an_error() {
    let mut b = BtfBuilder::new();
    b.add_ptr(TypeId(7));
    b.dedup();
    assert_eq!(b.finish(), Err(BtfError::NoType(TypeId(7))));
}

/// The kernels' types of the tests, ten times: what remains of one copy remains of all.
#[test]
fn ten_copies_of_a_kernel_are_one() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/btf");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let Ok(btf) = Btf::from_file(&path) else {
            continue;
        };
        let unique = |btf: &Btf<'_>| {
            let mut types = btf
                .types()
                .filter(|ty| !matches!(ty.kind(), Kind::Var | Kind::Datasec))
                .map(|ty| (ty.kind(), ty.name().to_owned()))
                .collect::<Vec<_>>();
            types.sort();
            types
        };
        let copies = |count| {
            let mut b = BtfBuilder::new();
            (0..count).for_each(|_| {
                b.add_btf(&btf);
            });
            unique(&deduped(b))
        };
        let one = copies(1);
        assert!(one.len() <= btf.own_ids().len());
        assert_eq!(copies(10), one, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 3, "{seen} files");
}

/// Chains and cycles in which each round distinguishes only one more type.
#[test]
fn twice_the_types_take_about_twice_the_steps() {
    let chains = |count: u32| {
        let mut b = BtfBuilder::new();
        let int = int(&mut b);
        for chain in 0..4 {
            let mut ty = int;
            for _ in 0..count + chain {
                ty = b.add_ptr(ty);
            }
        }
        let ((), steps) = crate::work::steps_of(|| b.dedup());
        assert_eq!(b.build().unwrap().own_ids().len(), count as usize + 4);
        steps
    };
    let (one, two) = (chains(5_000), chains(10_000));
    assert!(two * 10 <= one * 23, "{one} steps become {two}");
}

/// What a type contains apart from references.
fn said(ty: crate::btf::Type<'_>) -> impl PartialEq + use<'_> {
    let members: Vec<_> = ty.members().map(|m| (m.name, m.bit_offset)).collect();
    let size = ty.target().map_or(ty.size_field(), |_| 0);
    (ty.kind(), ty.name(), ty.kflag(), size, members)
}

/// Whether two types are equal, determined in a different way: as deep as there are types.
fn same(btf: &Btf<'_>, depth: usize, a: TypeId, b: TypeId) -> bool {
    if a == b {
        return true;
    }
    let (Ok(one), Ok(two)) = (btf.get(a), btf.get(b)) else {
        return false;
    };
    let unique = matches!(one.kind(), Kind::Var | Kind::Datasec);
    !unique
        && said(one) == said(two)
        && (depth == 0
            || one
                .referenced()
                .zip(two.referenced())
                .all(|(a, b)| same(btf, depth - 1, a, b)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Random pointers and structures: as many remain as there are different ones.
    #[test]
    fn as_many_are_left_as_there_are_different_ones(
        types in prop::collection::vec((0..3_u8, 0..9_u32, 0..9_u32), 1..9),
    ) {
        let mut b = BtfBuilder::new();
        let count = u32::try_from(types.len()).unwrap();
        for (kind, one, two) in &types {
            let [one, two] = [TypeId(one % (count + 1)), TypeId(two % (count + 1))];
            match kind {
                0 => b.add_ptr(one),
                1 => b.add_struct("s", 16, [("a", one, 0), ("b", two, 64)]),
                _ => b.add_const(one),
            };
        }
        let btf = b.build().unwrap();
        let ids: Vec<TypeId> = btf.types().map(|ty| ty.id()).collect();
        // Looking as deep as there are types is enough, and takes exponentially many steps.
        let different = ids.iter().enumerate().filter(|(index, id)| {
            !ids[..*index].iter().any(|other| same(&btf, types.len(), *other, **id))
        });
        let different = different.count();
        prop_assert_eq!(deduped(b).own_ids().len(), different);
    }

    /// Random forward declarations, which several types may match: three copies leave as much as one.
    #[test]
    fn copies_of_declarations_are_one(
        types in prop::collection::vec((0..6_u8, 0..12_u32, 0..12_u32, any::<bool>()), 1..12),
    ) {
        let mut b = BtfBuilder::new();
        let count = u32::try_from(types.len()).unwrap();
        for (kind, one, two, other) in types {
            let [one, two] = [TypeId(one % (count + 1)), TypeId(two % (count + 1))];
            let name = if other { "s" } else { "t" };
            match kind {
                0 | 1 => b.add_fwd(name, FwdKind::Struct),
                2 | 3 => b.add_struct(name, 16, [("a", one, 0), ("b", two, 64)]),
                4 => b.add_enum("e", 4, Signedness::Unsigned, [("A", 1)].into_iter().take(usize::from(other))),
                _ => b.add_ptr(one),
            };
        }
        let btf = b.build().unwrap();
        let mut copies = BtfBuilder::new();
        for _ in 0..3 {
            copies.add_btf(&btf);
        }
        prop_assert_eq!(deduped(copies).own_ids(), deduped(b).own_ids());
    }
}
