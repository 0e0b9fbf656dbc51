//! The numbers.

use super::{bitfields, int, kind, nothing, question, structure, uint};
use crate::TypeId;
use crate::btf::{BtfBuilder, Info, IntEncoding, Kind, Signedness};
use crate::reloc::core::answer::Check;
use crate::reloc::core::value::Resize;

fn with_array(b: &mut BtfBuilder) -> TypeId {
    let int = int(b);
    let inner = b.add_array(int, int, 5);
    let outer = b.add_array(inner, int, 3);
    structure(b, "s", 64, &[("pad", int, 0), ("m", outer, 32)])
}

#[test]
fn offset_and_size_of_plain_fields() {
    let verdict = question(kind::BYTE_OFFSET, "0:1", with_array)
        .ask(with_array)
        .unwrap();
    assert_eq!((verdict.before, verdict.after), (4, Some(4)));
    assert_eq!(
        (verdict.check, verdict.resize),
        (Check::Exact, Resize::Keep)
    );
    let size = question(kind::BYTE_SIZE, "0:1", with_array);
    assert_eq!(size.value(with_array), Some(60));
}

#[test]
fn elements_of_arrays_have_offset_size_and_existence_only() {
    for (access, offset, size) in [("0:1:2", 44, 20), ("0:1:2:4", 60, 4)] {
        let ask = |kind| question(kind, access, with_array).value(with_array);
        assert_eq!(ask(kind::BYTE_OFFSET), Some(offset));
        assert_eq!(ask(kind::BYTE_SIZE), Some(size));
        assert_eq!(ask(kind::FIELD_EXISTS), Some(1));
        for kind in [kind::SIGNED, kind::LSHIFT, kind::RSHIFT] {
            let failure = question(kind, access, with_array).failure(with_array);
            assert!(failure.contains("only be its offset"), "{failure}");
        }
    }
    // The root alone is an element of an array, too.
    assert_eq!(
        question(kind::BYTE_SIZE, "0", with_array).value(with_array),
        Some(64)
    );
}

#[test]
fn arrays_are_loaded_element_by_element() {
    let of = |size: u32, len: u32| {
        move |b: &mut BtfBuilder| {
            let ty = uint(b, size);
            let array = b.add_array(ty, ty, len);
            structure(b, "s", 64, &[("a", array, 0)])
        }
    };
    let resize = |access: &str, old, new| {
        let question = question(kind::BYTE_OFFSET, access, old);
        question.ask(new).unwrap().resize
    };
    assert_eq!(resize("0:0", of(4, 2), of(4, 9)), Resize::Keep);
    // The array itself is no integer, so its loads cannot be resized; its elements are.
    assert_eq!(resize("0:0", of(4, 2), of(8, 2)), Resize::Unfit);
    assert_eq!(
        resize("0:0:1", of(4, 2), of(8, 2)),
        Resize::To { old: 4, new: 8 }
    );
}

/// Edge case 34: pointers, and integers that are not signed.
#[test]
fn only_pointers_and_unsigned_integers_change_their_width() {
    let field = |flags: u8, size| {
        move |b: &mut BtfBuilder| {
            let ty = b.add_int("i", size, flags);
            structure(b, "s", 8, &[("x", ty, 0)])
        }
    };
    let resize = |old, new: u8| {
        let question = question(kind::BYTE_OFFSET, "0:0", field(old, 4));
        question.ask(field(new, 8)).unwrap().resize
    };
    let wider = Resize::To { old: 4, new: 8 };
    assert_eq!(resize(0, 0), wider);
    assert_eq!(resize(IntEncoding::BOOL, IntEncoding::CHAR), wider);
    assert_eq!(resize(IntEncoding::SIGNED, 0), Resize::Unfit);
    assert_eq!(resize(0, IntEncoding::SIGNED), Resize::Unfit);
    // What is signed and something else passes, since only exactly "signed" is looked for.
    let signed_char = IntEncoding::SIGNED | IntEncoding::CHAR;
    assert_eq!(resize(signed_char, 0), wider);
    let enums = |wide: bool| {
        move |b: &mut BtfBuilder| {
            let ty = if wide {
                b.add_enum64("e", 8, Signedness::Unsigned, &[("A", 1)])
            } else {
                b.add_enum("e", 4, Signedness::Unsigned, &[("A", 1)])
            };
            structure(b, "s", 8, &[("x", ty, 0)])
        }
    };
    let verdict = question(kind::BYTE_OFFSET, "0:0", enums(false)).ask(enums(true));
    assert_eq!(verdict.unwrap().resize, Resize::Unfit);
    let pointer = |b: &mut BtfBuilder| {
        let ptr = b.add_ptr(TypeId::VOID);
        structure(b, "s", 8, &[("x", ptr, 0)])
    };
    let verdict = question(kind::BYTE_OFFSET, "0:0", pointer).ask(pointer);
    assert_eq!(verdict.unwrap().resize, Resize::Keep);
}

/// Fields of a `struct flags` at these bits, of a type of this size.
fn flags(at: u32, width: u32, size: u32) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b: &mut BtfBuilder| {
        let ty = b.add_int("word", size, IntEncoding::SIGNED);
        bitfields(b, "flags", 64, &[("f", ty, at, width)])
    }
}

/// Edge case 33: the load starts with the declared type's size and grows until it covers the bitfield.
#[test]
fn bitfields_are_covered_by_the_smallest_load() {
    for (at, width, declared, offset, size) in [
        (0, 1, 4, 0, 4),
        (35, 3, 4, 4, 4),
        (30, 4, 4, 0, 8),
        (7, 2, 1, 0, 2),
        (14, 4, 1, 0, 4),
        (63, 1, 8, 0, 8),
        (100, 12, 2, 12, 2),
        (111, 2, 2, 12, 4),
        (0, 100, 16, 0, 16),
    ] {
        let ask = |kind| question(kind, "0:0", flags(at, width, declared));
        let value = |kind| ask(kind).value(flags(at, width, declared));
        let place = format!("{width} bits at {at} of {declared} bytes");
        assert_eq!(value(kind::BYTE_OFFSET), Some(offset), "{place}");
        assert_eq!(value(kind::BYTE_SIZE), Some(size), "{place}");
        if width <= 64 {
            assert_eq!(value(kind::RSHIFT), Some(u64::from(64 - width)), "{place}");
            let below = u64::from(at) - offset * 8;
            let expected = if cfg!(target_endian = "little") {
                64 - below - u64::from(width)
            } else {
                (8 - size) * 8 + below
            };
            assert_eq!(value(kind::LSHIFT), Some(expected), "{place}");
        }
        assert_eq!(value(kind::SIGNED), Some(1));
    }
}

#[test]
fn bitfields_that_no_load_covers_fail() {
    for (at, width, declared) in [(60, 8, 4), (60, 8, 8), (1, 64, 8)] {
        let failure = question(kind::BYTE_OFFSET, "0:0", flags(at, width, declared))
            .failure(flags(at, width, declared));
        assert!(failure.contains("at most 8 bytes"), "{failure}");
    }
    // That is about numbers only: whether the field exists is known.
    let exists = question(kind::FIELD_EXISTS, "0:0", flags(60, 8, 8));
    assert_eq!(exists.value(flags(60, 8, 8)), Some(1));
    let void = |b: &mut BtfBuilder| bitfields(b, "flags", 4, &[("f", TypeId::VOID, 0, 3)]);
    let failure = question(kind::BYTE_OFFSET, "0:0", void).failure(nothing);
    assert!(failure.contains("has no size"), "{failure}");
}

/// Edge case 33: compilers may choose other loads, so only sign and width are checked.
#[test]
fn of_bitfields_only_sign_and_right_shift_are_checked() {
    let check = |kind, bits: u32| {
        let question = question(kind, "0:0", flags(8, bits, 4));
        question.ask(flags(8, bits, 4)).unwrap().check
    };
    for kind in [kind::BYTE_OFFSET, kind::BYTE_SIZE, kind::LSHIFT] {
        assert_eq!(check(kind, 3), Check::Skip);
        assert_eq!(check(kind, 0), Check::Exact);
    }
    for kind in [kind::SIGNED, kind::RSHIFT, kind::FIELD_EXISTS] {
        assert_eq!(check(kind, 3), Check::Exact);
    }
}

#[test]
fn a_bitfield_may_become_a_plain_field_and_back() {
    let question = question(kind::BYTE_OFFSET, "0:0", flags(8, 3, 4));
    let verdict = question.ask(flags(32, 0, 4)).unwrap();
    assert_eq!(verdict.after, Some(4));
    assert_eq!(verdict.resize, Resize::Unfit, "a load would take too much");
    assert_eq!(verdict.check, Check::Skip);
}

#[test]
fn shifts_of_plain_fields_move_them_to_the_top_and_down() {
    let field = |b: &mut BtfBuilder| {
        let short = uint(b, 2);
        structure(b, "s", 8, &[("x", short, 16)])
    };
    let value = |kind| question(kind, "0:0", field).value(field);
    assert_eq!(value(kind::LSHIFT), Some(48));
    assert_eq!(value(kind::RSHIFT), Some(48));
}

#[test]
fn signs_of_integers_and_enumerations() {
    let sign = |ty: &dyn Fn(&mut BtfBuilder) -> TypeId| {
        let build = |b: &mut BtfBuilder| {
            let ty = ty(b);
            structure(b, "s", 8, &[("x", ty, 0)])
        };
        question(kind::SIGNED, "0:0", build).value(build)
    };
    assert_eq!(sign(&int), Some(1));
    assert_eq!(sign(&|b| uint(b, 4)), Some(0));
    let enumeration = |info: Info| move |b: &mut BtfBuilder| b.add_raw("e", info, 4, &[]);
    assert_eq!(sign(&enumeration(Info::of(Kind::Enum))), Some(0));
    assert_eq!(
        sign(&enumeration(Info::of(Kind::Enum).flagged(true))),
        Some(1)
    );
    assert_eq!(
        sign(&enumeration(Info::of(Kind::Enum64).flagged(true))),
        Some(1)
    );
    assert_eq!(sign(&|b| b.add_ptr(TypeId::VOID)), Some(0));
}

#[test]
fn numbers_and_sizes_of_types() {
    let local = |b: &mut BtfBuilder| structure(b, "s", 8, &[]);
    let target = |b: &mut BtfBuilder| {
        uint(b, 1);
        structure(b, "s", 24, &[])
    };
    let verdict = |kind| question(kind, "0", local).ask(target).unwrap();
    let id = verdict(kind::TYPE_ID_TARGET);
    assert_eq!((id.before, id.after, id.check), (1, Some(2), Check::Skip));
    let size = verdict(kind::TYPE_SIZE);
    assert_eq!(
        (size.before, size.after, size.check),
        (8, Some(24), Check::Exact)
    );
    let exists = verdict(kind::TYPE_EXISTS);
    assert_eq!((exists.before, exists.after), (1, Some(1)));
    let own = verdict(kind::TYPE_ID_LOCAL);
    assert_eq!(
        (own.before, own.after, own.check),
        (1, Some(1), Check::Skip)
    );
}

#[test]
fn the_number_is_the_typedefs_not_what_it_stands_for() {
    let alias = |b: &mut BtfBuilder| {
        let int = int(b);
        b.add_typedef("pid_t", int)
    };
    assert_eq!(
        question(kind::TYPE_ID_TARGET, "0", alias).value(alias),
        Some(2)
    );
    assert_eq!(question(kind::TYPE_SIZE, "0", alias).value(alias), Some(4));
}

#[test]
fn values_of_enumerators() {
    let local = |b: &mut BtfBuilder| {
        b.add_enum(
            "e",
            4,
            Signedness::Unsigned,
            &[("A", 1), ("B___x", 0xffff_fffe)],
        )
    };
    let value = |access, target: &dyn Fn(&mut BtfBuilder) -> TypeId| {
        let verdict = question(kind::ENUMVAL_VALUE, access, local).ask(target);
        let verdict = verdict.unwrap();
        (verdict.before, verdict.after)
    };
    let minus = |n: i64| n.cast_unsigned();
    let swapped = |b: &mut BtfBuilder| {
        b.add_enum(
            "e",
            4,
            Signedness::Unsigned,
            &[("B", 0xffff_fff9), ("A", 5)],
        )
    };
    assert_eq!(value("0", &swapped), (1, Some(5)));
    // 32 bits are sign-extended, though this enumeration does not say that it is signed.
    assert_eq!(value("1", &swapped), (minus(-2), Some(minus(-7))));
    let wide = |b: &mut BtfBuilder| {
        b.add_enum64(
            "e",
            8,
            Signedness::Unsigned,
            &[("A", 1 << 40), ("B___y", -1)],
        )
    };
    assert_eq!(value("0", &wide), (1, Some(1 << 40)));
    assert_eq!(value("1", &wide), (minus(-2), Some(u64::MAX)));
    let wide_low =
        |b: &mut BtfBuilder| b.add_enum64("e", 8, Signedness::Unsigned, &[("A", 0xffff_ffff)]);
    assert_eq!(value("0", &wide_low), (1, Some(0xffff_ffff)));
    let others = |b: &mut BtfBuilder| b.add_enum("e", 4, Signedness::Unsigned, &[("C", 5)]);
    assert_eq!(value("0", &others), (1, None));
    let exists = |access| question(kind::ENUMVAL_EXISTS, access, local);
    assert_eq!(exists("1").value(wide), Some(1));
    assert_eq!(exists("1").value(others), Some(0));
}

#[test]
fn enumerations_may_hide_behind_typedefs() {
    let local = |b: &mut BtfBuilder| {
        let colors = b.add_enum("", 4, Signedness::Unsigned, &[("RED", 1)]);
        b.add_typedef("color_t", colors)
    };
    let target = |b: &mut BtfBuilder| {
        let colors = b.add_enum("", 4, Signedness::Unsigned, &[("RED", 9)]);
        b.add_typedef("color_t", colors)
    };
    let value = question(kind::ENUMVAL_VALUE, "0", local);
    assert_eq!(value.value(target), Some(9));
    let number = |b: &mut BtfBuilder| {
        let int = int(b);
        b.add_typedef("color_t", int)
    };
    assert_eq!(value.value(number), None);
}

#[test]
fn without_a_match_some_answers_are_zero_and_others_do_not_exist() {
    let local = |b: &mut BtfBuilder| {
        let int = int(b);
        structure(b, "gone", 4, &[("x", int, 0)])
    };
    let colors = |b: &mut BtfBuilder| b.add_enum("gone", 4, Signedness::Unsigned, &[("RED", 1)]);
    let field = |kind| question(kind, "0:0", local).value(nothing);
    let ty = |kind| question(kind, "0", local).value(nothing);
    let constant = |kind| question(kind, "0", colors).value(nothing);
    assert_eq!(field(kind::FIELD_EXISTS), Some(0));
    for kind in [
        kind::BYTE_OFFSET,
        kind::BYTE_SIZE,
        kind::SIGNED,
        kind::LSHIFT,
        kind::RSHIFT,
    ] {
        assert_eq!(field(kind), None);
    }
    for kind in [
        kind::TYPE_ID_TARGET,
        kind::TYPE_EXISTS,
        kind::TYPE_SIZE,
        kind::TYPE_MATCHES,
    ] {
        assert_eq!(ty(kind), Some(0));
    }
    assert_eq!(constant(kind::ENUMVAL_EXISTS), Some(0));
    assert_eq!(constant(kind::ENUMVAL_VALUE), None);
}
