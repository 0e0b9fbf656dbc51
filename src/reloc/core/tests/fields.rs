//! Finding a field's path in the kernel's types.

use super::{int, kind, nothing, question, structure, uint};
use crate::TypeId;
use crate::btf::{BtfBuilder, FwdKind, IntEncoding, Kind, Member, Param, Signedness};

/// A local `struct s { <ty> x; }`.
fn with_field(ty: impl Fn(&mut BtfBuilder) -> TypeId) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| {
        let ty = ty(b);
        structure(b, "s", 64, &[("x", ty, 0)])
    }
}

/// Whether a local field of the first type is found in a kernel that has it with the second.
fn compatible(
    local: impl Fn(&mut BtfBuilder) -> TypeId,
    target: impl Fn(&mut BtfBuilder) -> TypeId,
) -> bool {
    let question = question(kind::FIELD_EXISTS, "0:0", with_field(local));
    question.value(with_field(target)) == Some(1)
}

#[test]
fn a_field_is_found_by_name_wherever_it_lies() {
    let question = question(kind::BYTE_OFFSET, "0:0", with_field(int));
    let moved = |b: &mut BtfBuilder| {
        let int = int(b);
        structure(
            b,
            "s",
            64,
            &[("a", int, 0), ("x", int, 96), ("b", int, 128)],
        )
    };
    let verdict = question.ask(moved).unwrap();
    assert_eq!((verdict.before, verdict.after), (0, Some(12)));
}

#[test]
fn anonymous_members_are_searched_where_they_stand() {
    let question = question(kind::BYTE_OFFSET, "0:0", with_field(int));
    let nested = |b: &mut BtfBuilder| {
        let int = int(b);
        let deep = structure(b, "", 8, &[("y", int, 0), ("x", int, 32)]);
        let union = b.add_union("", 8, &[("z", int, 0), ("", deep, 0)]);
        let alias = b.add_const(union);
        structure(b, "s", 64, &[("a", int, 0), ("", alias, 64)])
    };
    assert_eq!(question.value(nested), Some(12));
    // A named structure is not: `s.in.x` is another path than `s.x`.
    let named = |b: &mut BtfBuilder| {
        let int = int(b);
        let inner = structure(b, "", 4, &[("x", int, 0)]);
        structure(b, "s", 64, &[("in", inner, 32)])
    };
    assert_eq!(question.value(named), None);
}

#[test]
fn anonymous_structures_of_the_program_may_be_missing_in_the_kernel() {
    let local = |b: &mut BtfBuilder| {
        let int = int(b);
        let inner = structure(b, "", 8, &[("y", int, 0), ("x", int, 32)]);
        structure(b, "s", 64, &[("", inner, 0)])
    };
    let question = question(kind::BYTE_OFFSET, "0:0:1", local);
    let flat = |b: &mut BtfBuilder| {
        let int = int(b);
        structure(b, "s", 64, &[("x", int, 160)])
    };
    assert_eq!(question.value(flat), Some(20));
}

/// Edge case 53: what comes after the first member of the right name does not matter.
#[test]
fn the_first_member_of_the_name_decides() {
    let question = question(kind::FIELD_EXISTS, "0:0", with_field(int));
    let wrong_first = |b: &mut BtfBuilder| {
        let int = int(b);
        let ptr = b.add_ptr(int);
        structure(b, "s", 64, &[("x", ptr, 0), ("x", int, 64)])
    };
    assert_eq!(question.value(wrong_first), Some(0));
    let wrong_inside = |b: &mut BtfBuilder| {
        let int = int(b);
        let ptr = b.add_ptr(int);
        let union = b.add_union("", 8, &[("x", ptr, 0)]);
        structure(b, "s", 64, &[("", union, 0), ("x", int, 64)])
    };
    assert_eq!(question.value(wrong_inside), Some(0));
    let right_first = |b: &mut BtfBuilder| {
        let int = int(b);
        let ptr = b.add_ptr(int);
        structure(b, "s", 64, &[("x", int, 0), ("x", ptr, 64)])
    };
    assert_eq!(question.value(right_first), Some(1));
}

#[test]
fn field_names_keep_their_flavour() {
    let question = question(kind::FIELD_EXISTS, "0:0", with_field(int));
    let flavoured = |b: &mut BtfBuilder| {
        let int = int(b);
        structure(b, "s", 64, &[("x___old", int, 0)])
    };
    assert_eq!(question.value(flavoured), Some(0));
}

#[test]
fn structures_and_unions_are_compatible_whatever_they_hold() {
    let structure = |b: &mut BtfBuilder| structure(b, "one", 4, &[]);
    let union = |b: &mut BtfBuilder| b.add_union("two", 8, Member::NONE);
    assert!(compatible(structure, union));
    assert!(!compatible(structure, int));
    assert!(!compatible(int, union));
}

#[test]
fn pointers_and_floats_are_compatible_with_their_like() {
    let ptr = |b: &mut BtfBuilder| b.add_ptr(TypeId::VOID);
    let int_ptr = |b: &mut BtfBuilder| {
        let int = int(b);
        b.add_ptr(int)
    };
    let float = |size| move |b: &mut BtfBuilder| b.add_float("float", size);
    assert!(compatible(ptr, int_ptr));
    assert!(compatible(float(4), float(8)));
    assert!(!compatible(ptr, float(8)));
    assert!(!compatible(ptr, int));
}

fn info(kind: Kind) -> crate::btf::Info {
    crate::btf::Info::of(kind)
}

#[test]
fn integers_are_compatible_unless_they_are_old_bitfields() {
    let unsigned = |b: &mut BtfBuilder| uint(b, 8);
    let shifted = |b: &mut BtfBuilder| {
        // Bits 16 to 23 of the encoding: the offset.
        b.add_raw("int", info(Kind::Int), 4, &[3 << 16 | 5])
    };
    assert!(compatible(int, unsigned));
    assert!(!compatible(int, shifted));
    assert!(!compatible(shifted, int));
}

#[test]
fn enumerations_are_compatible_by_name_or_without_one() {
    let named = |name: &'static str| {
        move |b: &mut BtfBuilder| b.add_enum(name, 4, Signedness::Unsigned, &[("A", 1)])
    };
    let wide = |name: &'static str| {
        move |b: &mut BtfBuilder| b.add_enum64(name, 8, Signedness::Unsigned, &[("B", 1)])
    };
    assert!(compatible(named("e"), named("e")));
    assert!(compatible(named("e___old"), named("e")));
    assert!(compatible(named("e"), wide("e___new")));
    assert!(!compatible(named("e"), named("f")));
    assert!(compatible(named(""), named("f")));
    assert!(compatible(named("e"), wide("")));
    assert!(!compatible(named("e"), int));
    let forward = |name: &'static str| move |b: &mut BtfBuilder| b.add_fwd(name, FwdKind::Struct);
    assert!(compatible(forward("f"), forward("f___x")));
    assert!(!compatible(forward("f"), forward("g")));
}

#[test]
fn arrays_are_compatible_by_element_whatever_their_length() {
    let array = |len, signed: bool| {
        move |b: &mut BtfBuilder| {
            let element = if signed { int(b) } else { uint(b, 8) };
            b.add_array(element, element, len)
        }
    };
    let of_pointers = |b: &mut BtfBuilder| {
        let ptr = b.add_ptr(TypeId::VOID);
        b.add_array(ptr, ptr, 3)
    };
    assert!(compatible(array(3, true), array(7, false)));
    assert!(!compatible(array(3, true), of_pointers));
    assert!(!compatible(array(3, true), int));
}

#[test]
fn typedefs_and_qualifiers_do_not_count() {
    let dressed = |b: &mut BtfBuilder| {
        let int = int(b);
        let tagged = b.add_type_tag("rcu", int);
        let volatile = b.add_volatile(tagged);
        let restrict = b.add_restrict(volatile);
        let alias = b.add_typedef("pid_t", restrict);
        b.add_const(alias)
    };
    assert!(compatible(int, dressed));
    assert!(compatible(dressed, int));
}

#[test]
fn other_kinds_of_fields_are_never_compatible() {
    let func = |b: &mut BtfBuilder| b.add_func_proto(TypeId::VOID, Param::NONE);
    let question = question(kind::FIELD_EXISTS, "0:0", with_field(func));
    assert_eq!(question.value(with_field(func)), Some(0));
}

/// Edge case 35: an index is out of range unless the array is flexible, on both sides.
#[test]
fn only_flexible_arrays_take_any_index() {
    let row = |len: u32, last: bool| {
        move |b: &mut BtfBuilder| {
            let int = int(b);
            let cells = b.add_array(int, int, len);
            let mut members = vec![("n", int, 0), ("cells", cells, 32)];
            if !last {
                members.push(("more", int, 32));
            }
            structure(b, "row", 4, &members)
        }
    };
    let ask = question(kind::BYTE_OFFSET, "0:1:5", row(0, true));
    assert_eq!(ask.value(row(0, true)), Some(24));
    assert_eq!(ask.value(row(6, true)), Some(24));
    assert_eq!(ask.value(row(5, true)), None, "too short");
    assert_eq!(ask.value(row(0, false)), None, "not the last member");
    let failure = question(kind::BYTE_OFFSET, "0:1:5", row(0, false)).failure(nothing);
    assert!(failure.contains("element 5 of array"), "{failure}");
    // An element of no elements of an array: the inner array is reached by index, not by name.
    let matrix = |b: &mut BtfBuilder| {
        let int = int(b);
        let inner = b.add_array(int, int, 0);
        let outer = b.add_array(inner, int, 2);
        structure(b, "row", 4, &[("cells", outer, 0)])
    };
    let failure = question(kind::BYTE_OFFSET, "0:0:1:1", matrix).failure(nothing);
    assert!(failure.contains("element 1 of array"), "{failure}");
}

#[test]
fn what_was_an_array_must_be_one() {
    let array = |b: &mut BtfBuilder| {
        let int = int(b);
        b.add_array(int, int, 4)
    };
    let element = question(kind::BYTE_OFFSET, "0:0:2", with_field(array));
    let longer = |b: &mut BtfBuilder| {
        let word = uint(b, 8);
        let array = b.add_array(word, word, 9);
        structure(b, "s", 99, &[("a", word, 0), ("x", array, 64)])
    };
    assert_eq!(element.value(longer), Some(24));
    assert_eq!(element.value(with_field(int)), None);
    // A structure in the way is no integer either.
    let deeper = |b: &mut BtfBuilder| {
        let int = int(b);
        let inner = structure(b, "in", 4, &[("y", int, 0)]);
        structure(b, "s", 4, &[("x", inner, 0)])
    };
    assert_eq!(
        question(kind::BYTE_OFFSET, "0:0:0", deeper).value(with_field(int)),
        None
    );
}

#[test]
fn an_index_on_the_pointer_itself_uses_the_kernels_size() {
    let question = question(kind::BYTE_OFFSET, "3:0", with_field(int));
    let small = |b: &mut BtfBuilder| {
        let int = int(b);
        structure(b, "s", 16, &[("x", int, 32)])
    };
    let verdict = question.ask(small).unwrap();
    assert_eq!((verdict.before, verdict.after), (192, Some(52)));
}

#[test]
fn signed_characters_are_integers_like_others() {
    let char = |b: &mut BtfBuilder| b.add_int("char", 1, IntEncoding::SIGNED | IntEncoding::CHAR);
    assert!(compatible(char, int));
}
