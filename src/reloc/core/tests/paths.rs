//! Access strings, and the object's own types.

use super::{blob, int, kernel, kind, nothing, question, structure};
use crate::TypeId;
use crate::btf::{BtfBuilder, FwdKind, Signedness};
use crate::reloc::core::resolver::CoreResolver;

fn point(b: &mut BtfBuilder) -> TypeId {
    let int = int(b);
    structure(b, "point", 8, &[("x", int, 0), ("y", int, 32)])
}

#[test]
fn access_strings_are_numbers_with_colons_between() {
    for bad in [
        "",
        ":",
        ":0",
        "0:",
        "0::1",
        "0:x",
        "x",
        "-1",
        "+1",
        "0:-1",
        " 0",
        "0 ",
        "0:1 ",
        "0x1",
        "99999999999",
        "2147483648",
    ] {
        let failure = question(kind::BYTE_OFFSET, bad, point).failure(point);
        assert!(failure.contains("no list of numbers"), "{bad}: {failure}");
    }
}

#[test]
fn a_path_has_at_most_64_steps() {
    let nested = |depth: usize| {
        move |b: &mut BtfBuilder| {
            let mut inner = int(b);
            for _ in 0..depth {
                inner = structure(b, "nest", 4, &[("m", inner, 0)]);
            }
            inner
        }
    };
    let path = |steps: usize| vec!["0"; steps].join(":");
    assert_eq!(
        question(kind::BYTE_OFFSET, &path(64), nested(63)).value(nested(63)),
        Some(0)
    );
    let failure = question(kind::BYTE_OFFSET, &path(65), nested(64)).failure(nested(64));
    assert!(failure.contains("more than 64 steps"), "{failure}");
}

#[test]
fn questions_about_types_have_the_access_string_zero() {
    for bad in ["", "00", "0:0", "1"] {
        let failure = question(kind::TYPE_EXISTS, bad, point).failure(point);
        assert!(failure.contains("is \"0\", not"), "{bad}: {failure}");
    }
    assert_eq!(
        question(kind::TYPE_EXISTS, "0", point).value(point),
        Some(1)
    );
}

#[test]
fn members_and_elements_must_be_there() {
    let array = |b: &mut BtfBuilder| {
        let int = int(b);
        let array = b.add_array(int, int, 3);
        structure(b, "row", 12, &[("cells", array, 0)])
    };
    let failure = question(kind::BYTE_OFFSET, "0:2", point).failure(point);
    assert!(
        failure.contains("element 2 of struct point, which has 2"),
        "{failure}"
    );
    let failure = question(kind::BYTE_OFFSET, "0:0:3", array).failure(array);
    assert!(failure.contains("element 3 of array"), "{failure}");
    let failure = question(kind::BYTE_OFFSET, "0:1:0", point).failure(point);
    assert!(
        failure.contains("into int int, which has no members"),
        "{failure}"
    );
    assert_eq!(
        question(kind::BYTE_OFFSET, "0:0:2", array).value(array),
        Some(8)
    );
}

#[test]
fn enumerators_are_one_number_below_their_count() {
    let colors = |b: &mut BtfBuilder| {
        b.add_enum(
            "color",
            4,
            Signedness::Unsigned,
            &[("RED", 1), ("GREEN", 2)],
        )
    };
    assert_eq!(
        question(kind::ENUMVAL_VALUE, "1", colors).value(colors),
        Some(2)
    );
    let failure = question(kind::ENUMVAL_VALUE, "2", colors).failure(colors);
    assert!(failure.contains("element 2 of enum color"), "{failure}");
    let failure = question(kind::ENUMVAL_VALUE, "0:0", colors).failure(colors);
    assert!(failure.contains("is one number"), "{failure}");
    let failure = question(kind::ENUMVAL_EXISTS, "0", point).failure(point);
    assert!(failure.contains("leads into struct point"), "{failure}");
}

#[test]
fn unknown_kinds_fail() {
    let failure = question(13, "0", point).failure(point);
    assert!(failure.contains("unknown relocation kind 13"), "{failure}");
}

#[test]
fn types_without_a_size_have_no_fields() {
    let forward = |b: &mut BtfBuilder| b.add_fwd("gone", FwdKind::Struct);
    let failure = question(kind::BYTE_OFFSET, "0", forward).failure(forward);
    assert!(failure.contains("has no size"), "{failure}");
}

#[test]
fn dangling_types_and_strings_fail() {
    let mut lost = question(kind::BYTE_OFFSET, "0:0", point);
    lost.record.type_id = TypeId(99);
    assert!(lost.failure(point).contains("no type [99]"));
    let mut mute = question(kind::BYTE_OFFSET, "0:0", point);
    mute.record.access_str_off = 0x7777;
    assert!(mute.failure(point).contains("string offset 0x7777"));
}

#[test]
fn paths_are_told_in_the_notation_of_libbpf() {
    let outer = |b: &mut BtfBuilder| {
        let int = int(b);
        let inner = structure(b, "", 8, &[("a", int, 0), ("b", int, 32)]);
        let row = b.add_array(inner, int, 4);
        let anonymous = structure(b, "", 36, &[("n", int, 0), ("row", row, 32)]);
        structure(b, "outer", 40, &[("", anonymous, 32)])
    };
    let told = |kind, access: &str, build: &dyn Fn(&mut BtfBuilder) -> TypeId| {
        let question = question(kind, access, build);
        let target = kernel(nothing);
        let mut resolver = CoreResolver::new(&question.btf, &target);
        resolver.question(&question.record).unwrap().to_string()
    };
    assert_eq!(
        told(kind::BYTE_OFFSET, "0:0:1:3:1", &outer),
        "<byte_off> [5] struct outer.row[3].b (0:0:1:3:1 @ offset 36)"
    );
    assert_eq!(
        told(kind::BYTE_SIZE, "2:1", &point),
        "<byte_sz> [2] struct point[2].y (2:1 @ offset 20)"
    );
    assert_eq!(
        told(kind::TYPE_SIZE, "0", &point),
        "<type_size> [2] struct point"
    );
    let bits = |b: &mut BtfBuilder| {
        let int = int(b);
        super::bitfields(b, "flags", 4, &[("one", int, 11, 1)])
    };
    assert_eq!(
        told(kind::LSHIFT, "0:0", &bits),
        "<lshift_u64> [2] struct flags.one (0:0 @ offset 1.3)"
    );
    let colors = |b: &mut BtfBuilder| {
        b.add_enum(
            "color",
            4,
            Signedness::Unsigned,
            &[("RED", 1), ("GREEN", 2)],
        )
    };
    assert_eq!(
        told(kind::ENUMVAL_VALUE, "1", &colors),
        "<enumval_value> [1] enum color::GREEN = 2"
    );
    assert!(!blob(point).is_empty());
}
