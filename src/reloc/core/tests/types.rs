//! Types that exist, and types that match.

use super::{int, kind, question, structure, uint};
use crate::TypeId;
use crate::btf::{BtfBuilder, Info, IntEncoding, Kind, Signedness};

type Build = dyn Fn(&mut BtfBuilder) -> TypeId;

/// Wraps the built type into `typedef <it> t;`, so that types without a name can be asked for.
fn alias(build: &Build) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| {
        let ty = build(b);
        b.add_typedef("t", ty)
    }
}

fn exists(local: &Build, target: &Build) -> bool {
    question(kind::TYPE_EXISTS, "0", alias(local)).value(alias(target)) == Some(1)
}

fn matches(local: &Build, target: &Build) -> bool {
    question(kind::TYPE_MATCHES, "0", alias(local)).value(alias(target)) == Some(1)
}

fn ptr_to(build: impl Fn(&mut BtfBuilder) -> TypeId) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| {
        let ty = build(b);
        b.add_ptr(ty)
    }
}

fn array_of(
    build: impl Fn(&mut BtfBuilder) -> TypeId,
    len: u32,
) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| {
        let ty = build(b);
        b.add_array(ty, ty, len)
    }
}

fn void(_: &mut BtfBuilder) -> TypeId {
    TypeId::VOID
}

fn float(b: &mut BtfBuilder) -> TypeId {
    b.add_float("float", 4)
}

fn named(kind: Kind, name: &'static str) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| b.add_raw(name, Info::of(kind), 4, &[])
}

fn forward(name: &'static str, of: Kind) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| {
        let info = Info::of(Kind::Fwd).flagged(of == Kind::Union);
        b.add_raw(name, info, 0, &[])
    }
}

fn function(
    result: impl Fn(&mut BtfBuilder) -> TypeId,
    params: usize,
) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| {
        let result = result(b);
        let int = int(b);
        b.add_func_proto(result, &vec![("p", int); params])
    }
}

fn enumeration(names: &'static [&'static str], wide: bool) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| {
        if wide {
            let constants: Vec<_> = names.iter().map(|name| (*name, 7)).collect();
            b.add_enum64("e", 8, Signedness::Unsigned, &constants)
        } else {
            let constants: Vec<_> = names.iter().map(|name| (*name, 3)).collect();
            b.add_enum("e", 4, Signedness::Unsigned, &constants)
        }
    }
}

#[test]
fn a_type_exists_if_the_kernel_has_one_of_its_kind() {
    assert!(exists(&void, &void));
    assert!(exists(&named(Kind::Struct, "a"), &named(Kind::Struct, "b")));
    assert!(!exists(&named(Kind::Struct, "a"), &named(Kind::Union, "a")));
    assert!(exists(
        &enumeration(&["A"], false),
        &enumeration(&["B"], true)
    ));
    assert!(exists(&int, &|b| uint(b, 8)));
    assert!(!exists(&int, &void));
    assert!(exists(&ptr_to(int), &ptr_to(|b| uint(b, 1))));
    assert!(!exists(&ptr_to(int), &ptr_to(void)));
    assert!(exists(&array_of(int, 2), &array_of(int, 9)));
    assert!(!exists(&array_of(int, 2), &array_of(void, 2)));
}

#[test]
fn old_bitfield_integers_do_not_exist() {
    let shifted = |b: &mut BtfBuilder| b.add_raw("int", Info::of(Kind::Int), 4, &[3 << 16 | 5]);
    assert!(!exists(&shifted, &shifted));
}

#[test]
fn prototypes_exist_by_parameters_and_result() {
    assert!(exists(&function(int, 2), &function(int, 2)));
    assert!(!exists(&function(int, 2), &function(int, 3)));
    assert!(!exists(&function(int, 2), &function(void, 2)));
    let takes = |ty: &'static dyn Fn(&mut BtfBuilder) -> TypeId| {
        move |b: &mut BtfBuilder| {
            let ty = ty(b);
            b.add_func_proto(TypeId::VOID, &[("p", ty)])
        }
    };
    assert!(!exists(&takes(&int), &takes(&float)));
}

/// Edge case 36.
#[test]
fn floating_point_numbers_do_not_exist() {
    assert!(!exists(&float, &float));
    assert!(!exists(&ptr_to(float), &ptr_to(float)));
    let with_float = |b: &mut BtfBuilder| {
        let float = float(b);
        structure(b, "s", 4, &[("f", float, 0)])
    };
    assert!(
        exists(&with_float, &with_float),
        "members are not looked at"
    );
}

#[test]
fn references_are_followed_32_times() {
    let tower = |levels: usize| {
        move |b: &mut BtfBuilder| {
            let mut ty = int(b);
            for _ in 0..levels {
                ty = b.add_ptr(ty);
            }
            ty
        }
    };
    assert!(exists(&tower(31), &tower(31)));
    let failure = question(kind::TYPE_EXISTS, "0", alias(&tower(32))).failure(alias(&tower(32)));
    assert!(failure.contains("nested more than 32 deep"), "{failure}");
    let failure = question(kind::TYPE_MATCHES, "0", alias(&tower(32))).failure(alias(&tower(32)));
    assert!(failure.contains("nested more than 32 deep"), "{failure}");
}

#[test]
fn prototypes_are_nested_32_deep() {
    let nested = |levels: usize| {
        move |b: &mut BtfBuilder| {
            let mut ty = int(b);
            for _ in 0..levels {
                ty = b.add_func_proto(TypeId::VOID, &[("p", ty)]);
            }
            ty
        }
    };
    assert!(exists(&nested(32), &nested(32)));
    for kind in [kind::TYPE_EXISTS, kind::TYPE_MATCHES] {
        let failure = question(kind, "0", alias(&nested(33))).failure(alias(&nested(33)));
        assert!(failure.contains("nested more than 32 deep"), "{failure}");
    }
}

/// Edge case 37: names count at every level, even those of integers, and so do sizes and signs.
#[test]
fn integers_match_by_name_size_and_sign() {
    let int_of =
        |name: &'static str, size, flags| move |b: &mut BtfBuilder| b.add_int(name, size, flags);
    let signed = int_of("int", 4, IntEncoding::SIGNED);
    assert!(matches(&signed, &signed));
    assert!(matches(&signed, &int_of("int___x", 4, IntEncoding::SIGNED)));
    assert!(!matches(&signed, &int_of("int", 8, IntEncoding::SIGNED)));
    assert!(!matches(&signed, &int_of("int", 4, 0)));
    assert!(!matches(&signed, &int_of("s32", 4, IntEncoding::SIGNED)));
    assert!(matches(
        &int_of("b", 1, 0),
        &int_of("b", 1, IntEncoding::BOOL)
    ));
}

#[test]
fn names_match_up_to_a_flavour_and_emptiness_only_itself() {
    let of = |name| named(Kind::Struct, name);
    assert!(matches(&of("a___old"), &of("a")));
    assert!(matches(&of("a"), &of("a___new")));
    assert!(!matches(&of("a"), &of("b")));
    assert!(!matches(&of("a"), &of("")));
    assert!(!matches(&of(""), &of("a")));
    assert!(matches(&of(""), &of("")));
}

/// Edge case 37: enumerators must be there, with whatever value.
#[test]
fn enumerations_match_if_all_local_enumerators_are_there() {
    let of = |names| enumeration(names, false);
    assert!(matches(&of(&["A", "B"]), &of(&["B", "C", "A"])));
    assert!(matches(&of(&["A___x"]), &of(&["A"])));
    assert!(!matches(&of(&["A", "B"]), &of(&["A", "C"])));
    assert!(!matches(&of(&["A", "A___x"]), &of(&["A"])), "more of them");
    assert!(!matches(&of(&["A"]), &enumeration(&["A"], true)), "size");
    assert!(matches(
        &enumeration(&["A"], true),
        &enumeration(&["A", "B"], true)
    ));
    let other_value = |b: &mut BtfBuilder| b.add_enum("e", 4, Signedness::Unsigned, &[("A", 99)]);
    assert!(matches(&of(&["A"]), &other_value));
    let narrow_eight = |b: &mut BtfBuilder| b.add_enum("e", 8, Signedness::Unsigned, &[("A", 1)]);
    assert!(matches(&narrow_eight, &enumeration(&["A"], true)));
    let no_enum = |b: &mut BtfBuilder| b.add_int("e", 4, 0);
    assert!(!matches(&of(&["A"]), &no_enum));
}

/// Edge case 37: arrays match only with equal lengths.
#[test]
fn arrays_match_by_length_and_element() {
    assert!(matches(&array_of(int, 3), &array_of(int, 3)));
    assert!(!matches(&array_of(int, 3), &array_of(int, 4)));
    assert!(!matches(&array_of(int, 3), &array_of(|b| uint(b, 4), 3)));
    assert!(!matches(&array_of(int, 3), &ptr_to(int)));
}

#[test]
fn structures_match_if_all_local_members_are_there() {
    let of = |members: &'static [&'static str]| {
        move |b: &mut BtfBuilder| {
            let int = int(b);
            let members: Vec<_> = (0..).zip(members).map(|(i, m)| (*m, int, i * 32)).collect();
            structure(b, "s", 99, &members)
        }
    };
    assert!(matches(&of(&["a", "b"]), &of(&["b", "x", "a"])));
    assert!(matches(&of(&["a___x"]), &of(&["a"])));
    assert!(!matches(&of(&["a", "b"]), &of(&["a", "c"])));
    assert!(!matches(&of(&["a", "a___x"]), &of(&["a"])), "more of them");
    let other_type = |b: &mut BtfBuilder| {
        let word = uint(b, 8);
        structure(b, "s", 8, &[("a", word, 0)])
    };
    assert!(!matches(&of(&["a"]), &other_type));
    // Unlike with fields, another member of the name is looked for.
    let second = |b: &mut BtfBuilder| {
        let (word, int) = (uint(b, 8), int(b));
        structure(b, "s", 8, &[("a", word, 0), ("a", int, 64)])
    };
    assert!(matches(&of(&["a"]), &second));
    assert!(!matches(
        &named(Kind::Struct, "s"),
        &named(Kind::Union, "s")
    ));
}

#[test]
fn behind_a_pointer_a_structure_needs_the_right_name_only() {
    let with = |ty: Box<Build>| {
        move |b: &mut BtfBuilder| {
            let ty = ty(b);
            structure(b, "s", 8, &[("p", ty, 0)])
        }
    };
    let full = |b: &mut BtfBuilder| {
        let int = int(b);
        structure(b, "other", 4, &[("x", int, 0)])
    };
    let pointing = |ty: Box<Build>| with(Box::new(ptr_to(ty)));
    let empty = || Box::new(named(Kind::Struct, "other"));
    assert!(!matches(&with(Box::new(full)), &with(empty())));
    assert!(matches(&pointing(Box::new(full)), &pointing(empty())));
    let union = || Box::new(named(Kind::Union, "other"));
    assert!(!matches(&pointing(empty()), &pointing(union())));
    for (kind, same, other) in [
        (Kind::Struct, Kind::Struct, Kind::Union),
        (Kind::Union, Kind::Union, Kind::Struct),
    ] {
        let definition = || Box::new(named(kind, "other"));
        let declared = |of| Box::new(forward("other", of));
        assert!(matches(&pointing(definition()), &pointing(declared(same))));
        assert!(!matches(
            &pointing(definition()),
            &pointing(declared(other))
        ));
        assert!(matches(&pointing(declared(same)), &pointing(definition())));
        assert!(!matches(
            &pointing(declared(other)),
            &pointing(definition())
        ));
        assert!(matches(
            &pointing(declared(kind)),
            &pointing(declared(kind))
        ));
        assert!(!matches(
            &pointing(declared(same)),
            &pointing(declared(other))
        ));
    }
    assert!(!matches(
        &pointing(empty()),
        &pointing(Box::new(|b| b.add_int("other", 4, 0)))
    ));
}

#[test]
fn forward_declarations_match_their_like_and_nothing_else_directly() {
    assert!(matches(
        &forward("f", Kind::Struct),
        &forward("f", Kind::Struct)
    ));
    assert!(!matches(
        &forward("f", Kind::Struct),
        &forward("f", Kind::Union)
    ));
    assert!(!matches(
        &forward("f", Kind::Struct),
        &named(Kind::Struct, "f")
    ));
    assert!(!matches(
        &named(Kind::Struct, "f"),
        &forward("f", Kind::Struct)
    ));
}

#[test]
fn prototypes_match_by_parameters_and_result() {
    assert!(matches(&function(int, 2), &function(int, 2)));
    assert!(!matches(&function(int, 2), &function(int, 1)));
    assert!(!matches(&function(int, 2), &function(|b| uint(b, 4), 2)));
    // A pointer on the way to the prototype counts for its parameters, too.
    let callback = |members: &'static [&'static str]| {
        move |b: &mut BtfBuilder| {
            let int = int(b);
            let members: Vec<_> = members.iter().map(|m| (*m, int, 0)).collect();
            let arg = structure(b, "arg", 4, &members);
            let proto = b.add_func_proto(TypeId::VOID, &[("p", arg)]);
            b.add_ptr(proto)
        }
    };
    assert!(matches(&callback(&["x"]), &callback(&[])));
}

#[test]
fn other_kinds_never_match() {
    assert!(matches(&void, &void));
    assert!(!matches(&void, &int));
    assert!(!matches(&float, &float));
}

#[test]
fn forward_declarations_have_no_size_to_ask_for() {
    let failure = question(kind::TYPE_SIZE, "0", forward("f", Kind::Struct))
        .failure(forward("f", Kind::Struct));
    assert!(failure.contains("has no size"), "{failure}");
}
