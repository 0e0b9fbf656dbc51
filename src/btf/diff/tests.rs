use super::{Change, Comparison, Diff};
use crate::TypeId;
use crate::btf::{
    Btf, BtfBuilder, BtfError, IntEncoding, Kind, Linkage, Member, Param, Signedness,
};
use proptest::prelude::*;

fn built(types: impl FnOnce(&mut BtfBuilder, TypeId)) -> Btf<'static> {
    let mut builder = BtfBuilder::new();
    let int = builder.add_int("int", 4, IntEncoding::SIGNED);
    types(&mut builder, int);
    builder.build().expect("valid types")
}

fn diff(old: &Btf<'_>, new: &Btf<'_>) -> Diff {
    Comparison::new(old, new).run().expect("few types")
}

/// The changes of the only type that changed, as text.
fn only_change(old: &Btf<'_>, new: &Btf<'_>) -> Vec<String> {
    let diff = diff(old, new);
    assert!(diff.added.is_empty() && diff.removed.is_empty(), "{diff:?}");
    assert_eq!(diff.changed.len(), 1, "{diff:?}");
    let text = |change: &Change| match change {
        Change::Member { name, old, new } => {
            let place = |place: &super::Place| {
                format!("{} {} {:?}", place.ty, place.bit_offset, place.bits)
            };
            format!(
                "{name}: {:?} -> {:?}",
                old.as_ref().map(place),
                new.as_ref().map(place)
            )
        }
        change => format!("{change:?}"),
    };
    diff.changed[0].changes.iter().map(text).collect()
}

#[test]
fn the_same_types_by_other_numbers_are_the_same() {
    let one = built(|b, int| {
        let pointer = b.add_ptr(int);
        b.add_struct("s", 16, [("p", pointer, 0), ("i", int, 64)]);
        b.add_enum("", 4, Signedness::Unsigned, [("A", 0)]);
    });
    let other = built(|b, int| {
        b.add_enum("", 4, Signedness::Unsigned, [("A", 0)]);
        let tagged = b.add_type_tag("rcu", int);
        let pointer = b.add_ptr(tagged);
        b.add_struct("s", 16, [("p", pointer, 0), ("i", int, 64)]);
    });
    assert!(diff(&one, &other).is_empty());
}

#[test]
fn members_of_anonymous_members_are_members() {
    let with = |offset, inner: &str| {
        built(|b, int| {
            let union = b.add_union("", 4, [("x", int, 0), (inner, int, 0)]);
            b.add_struct(
                "s",
                12,
                [("", union, offset), ("named", union, offset + 32)],
            );
        })
    };
    assert!(diff(&with(0, "y"), &with(0, "y")).is_empty());
    assert_eq!(
        only_change(&with(0, "y"), &with(0, "z")),
        [
            "y: Some(\"int 0 Some(32)\") -> None",
            "named.y: Some(\"int 32 Some(32)\") -> None",
            "z: None -> Some(\"int 0 Some(32)\")",
            "named.z: None -> Some(\"int 32 Some(32)\")",
        ]
    );
    let moved = only_change(&with(0, "y"), &with(32, "y"));
    assert_eq!(moved.len(), 4, "{moved:?}");
}

#[test]
fn what_has_no_name_is_compared_by_what_it_is() {
    let with = |count: u32| {
        built(|b, int| {
            let inner = b.add_struct("", 8, [("a", int, 0), ("b", int, count)]);
            let array = b.add_array(inner, int, 4);
            let pointer = b.add_ptr(inner);
            b.add_struct("s", 40, [("array", array, 0), ("pointer", pointer, 256)]);
        })
    };
    assert!(diff(&with(32), &with(32)).is_empty());
    assert_eq!(
        only_change(&with(32), &with(40)),
        [
            "array: Some(\"struct {...}[4] 0 Some(256)\") -> Some(\"struct {...}[4] 0 Some(256)\")",
            "pointer: Some(\"struct {...} * 256 Some(64)\") -> Some(\"struct {...} * 256 Some(64)\")",
        ]
    );
}

#[test]
fn every_kind_says_what_changed() {
    let function = |params: &[(&str, TypeId)], tag: &str| {
        built(|b, int| {
            let params = params.iter().map(|(name, id)| Param::new(name, *id));
            let proto = b.add_func_proto(int, params.collect::<Vec<_>>());
            let func = b.add_func("f", Linkage::Static, proto);
            b.add_decl_tag(tag, func, None);
        })
    };
    let int = TypeId(1);
    // Parameter names are ignored.
    assert!(diff(&function(&[("a", int)], "t"), &function(&[("b", int)], "t")).is_empty());
    assert_eq!(
        only_change(&function(&[("a", int)], "t"), &function(&[], "u")),
        [
            "Declaration { old: \"int f(int a)\", new: \"int f(void)\" }",
            "Tag { tag: \"t\", component: None, is_new: false }",
            "Tag { tag: \"u\", component: None, is_new: true }",
        ]
    );
    let constants = |size, constants: &[(&str, i64)]| {
        built(|b, _| {
            b.add_enum64("e", size, Signedness::Unsigned, constants);
        })
    };
    let narrow = built(|b, _| {
        b.add_enum("e", 4, Signedness::Signed, [("A", -1), ("B", 2)]);
    });
    assert_eq!(
        only_change(&narrow, &constants(8, &[("B", 3), ("C", -1)])),
        [
            "Size { old: 4, new: 8 }",
            "Signedness { old: true, new: false }",
            "Constant { name: \"A\", old: Some(-1), new: None }",
            "Constant { name: \"B\", old: Some(2), new: Some(3) }",
            "Constant { name: \"C\", old: None, new: Some(18446744073709551615) }",
        ]
    );
    let typedef = |size| {
        built(|b, int| {
            let body = b.add_struct("", size, [("a", int, 0)]);
            b.add_typedef("t", body);
        })
    };
    assert_eq!(
        only_change(&typedef(4), &typedef(8)),
        ["Size { old: 4, new: 8 }"]
    );
    let number = |flags| {
        built(|b, _| {
            b.add_int("number", 1, flags);
        })
    };
    assert!(only_change(&number(0), &number(1))[0].starts_with("Encoding"));
}

#[test]
fn of_several_of_a_name_those_that_are_alike_belong_together() {
    let with = |sizes: &[u32]| {
        built(|b, _| {
            for size in sizes {
                b.add_struct("s", *size, Member::NONE);
            }
        })
    };
    let found = diff(&with(&[4, 8, 12]), &with(&[12, 4, 16, 20]));
    assert_eq!(found.added.len(), 1);
    assert_eq!(found.changed[0].changes, [Change::Size { old: 8, new: 16 }]);
    assert_eq!(diff(&with(&[4, 8]), &with(&[8])).removed.len(), 1);
}

#[test]
fn what_is_not_used_does_not_count() {
    let with = |shift: u32| {
        built(|b, int| {
            b.add_struct(
                "s",
                12 + shift,
                [("a", int, 0), ("b", int, 32), ("c", int, 64 + shift)],
            );
            b.add_struct("unused", 4 + shift, Member::NONE);
            b.add_struct("whole", 4 + shift, [("m", int, shift)]);
        })
    };
    let used = |member: (&str, u32)| {
        built(|b, int| {
            b.add_struct("s", 16, [(member.0, int, member.1)]);
            b.add_struct("whole", 4, Member::NONE);
        })
    };
    let (old, new) = (with(0), with(32));
    let run = |part: &Btf<'static>| {
        let part = part.clone();
        let diff = Comparison::new(&old, &new).only([&part]).run().unwrap();
        let names = diff
            .changed
            .iter()
            .map(|changed| (changed.of.name.clone(), changed.changes.len()));
        names.collect::<Vec<_>>()
    };
    assert_eq!(run(&used(("a", 0))), [("whole".to_owned(), 1)]);
    assert_eq!(
        run(&used(("c", 64))),
        [("s".to_owned(), 1), ("whole".to_owned(), 1)]
    );
}

#[test]
fn kernels_differ_from_each_other_and_not_from_themselves() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/btf");
    let kernel = |version: &str| Btf::from_file(folder.join(format!("{version}.btf"))).unwrap();
    let (old, new) = (kernel("5.10"), kernel("6.12"));
    assert!(diff(&old, &old).is_empty());
    let there = diff(&old, &new);
    let back = diff(&new, &old);
    assert_eq!(there.added, back.removed);
    assert_eq!(there.removed, back.added);
    assert_eq!(there.changed.len(), back.changed.len());
    let task = there
        .changed
        .iter()
        .find(|changed| changed.of.name == "task_struct")
        .unwrap();
    assert_eq!(task.of.kind, Kind::Struct);
    // `task_struct.state` became `__state` in 5.14.
    let moved = |name: &str| {
        task.changes.iter().find_map(|change| match change {
            Change::Member {
                name: found,
                old,
                new,
            } if found == name => Some((old.is_some(), new.is_some())),
            _ => None,
        })
    };
    assert_eq!(
        (moved("state"), moved("__state")),
        (Some((true, false)), Some((false, true)))
    );
}

/// Anonymous structures that contain the next one many times: each level multiplies the members.
#[test]
fn members_without_end_are_an_error() {
    let with = |size: u32| {
        built(|b, int| {
            let mut inner = b.add_struct("", 4, [("a", int, 0)]);
            for _ in 0..20 {
                let members: Vec<_> = (0..10).map(|_| ("", inner, 0)).collect();
                inner = b.add_struct("", 4, members);
            }
            b.add_struct("s", size, [("", inner, 0)]);
        })
    };
    let error = Comparison::new(&with(4), &with(8)).run().unwrap_err();
    assert!(matches!(error, BtfError::TooMuch(_)), "{error}");
}

proptest! {
    #[test]
    fn damaged_types_are_compared_or_refused(damage in prop::collection::vec((24_usize..4000, any::<u8>()), 1..12)) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/opensnoop.bpf.o");
        let good = Btf::from_file(path).unwrap();
        let mut bytes = good.bytes().to_vec();
        for (at, value) in damage {
            let len = bytes.len();
            bytes[24 + (at - 24) % (len - 24)] = value;
        }
        if let Ok(bad) = Btf::from_vec(bytes) {
            let diff = Comparison::new(&good, &bad).run().unwrap();
            let back = Comparison::new(&bad, &good).run().unwrap();
            prop_assert_eq!(diff.added, back.removed);
            prop_assert!(Comparison::new(&bad, &bad).run().unwrap().is_empty());
        }
    }
}
