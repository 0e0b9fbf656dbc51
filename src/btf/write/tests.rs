//! What is written can be read back, for handwritten and random types; what cannot be written is an error.

use super::record::Info;
use crate::TypeId;
use crate::btf::{
    Array, Btf, BtfBuilder, BtfError, ByteOrder, Enumerator, FwdKind, IntEncoding, Kind, Linkage,
    MAX_NAME_OFFSET, Member, Param, Signedness, VarSecinfo,
};
use proptest::prelude::*;
use std::sync::Arc;

fn members<'b>(btf: &'b Btf<'_>, id: TypeId) -> Vec<Member<'b>> {
    btf.get(id).unwrap().members().collect()
}

#[test]
fn every_kind_can_be_written_and_read() {
    let mut b = BtfBuilder::new();
    let int = b.add_int("int", 4, IntEncoding::SIGNED);
    let old_bits = b.add_int_with("bits", 4, IntEncoding::new(0, 3, 5));
    let float = b.add_float("double", 8);
    let array = b.add_array(int, int, 7);
    let ptr = b.add_ptr(int);
    let point = b.add_struct("point", 32, [("x", array, 0), ("y", int, 224)]);
    let fields = [
        Member::new("a", int, 0).bitfield(3),
        Member::new("b", int, 3).bitfield(29),
    ];
    let bits = b.add_struct("bits", 4, &fields);
    let either = b.add_union("either", 8, [("p", ptr, 0), ("n", int, 0)]);
    let colors = [("RED", 1), ("GREEN", -2)];
    let signed = b.add_enum("color", 4, Signedness::Signed, colors);
    let unsigned = b.add_enum("flags", 4, Signedness::Unsigned, [("ALL", 0xffff_ffff)]);
    let wide = b.add_enum64("wide", 8, Signedness::Unsigned, [("BIG", 1 << 40)]);
    let forward = b.add_fwd("later", FwdKind::Union);
    let alias = b.add_typedef("point_t", point);
    let volatile = b.add_volatile(alias);
    let constant = b.add_const(volatile);
    let restrict = b.add_restrict(ptr);
    let tag = b.add_type_tag("user", int);
    let attribute = b.add_type_attr("aligned", int);
    let proto = b.add_func_proto(int, [Param::new("p", ptr), Param::VARIABLE]);
    let func = b.add_func("f", Linkage::Global, proto);
    let var = b.add_var("v", Linkage::Extern, point);
    let place = VarSecinfo {
        type_id: var,
        offset: 8,
        size: 32,
    };
    let section = b.add_datasec(".data", 40, &[place]);
    let on_member = b.add_decl_tag("about x", point, Some(0));
    let on_all = b.add_decl_attr("about f", func, None);

    let btf = b.build().unwrap();
    btf.validate().unwrap();
    let get = |id| btf.get(id).unwrap();
    let kinds: std::collections::BTreeSet<Kind> = btf.types().map(|ty| ty.kind()).collect();
    assert_eq!(kinds.len(), Kind::ALL.len() - 1, "every kind but void");

    let encoding = |id| get(id).int_encoding().unwrap();
    assert_eq!(encoding(int), IntEncoding::new(IntEncoding::SIGNED, 0, 32));
    assert_eq!(encoding(old_bits), IntEncoding::new(0, 3, 5));
    assert_eq!((get(float).name(), get(float).size_field()), ("double", 8));
    let whole = Array {
        element: int,
        index: int,
        len: 7,
    };
    assert_eq!(get(array).array(), Some(whole));
    assert_eq!((btf.size_of(array), btf.align_of(point)), (Ok(28), Ok(4)));
    let plain = [Member::new("x", array, 0), Member::new("y", int, 224)];
    assert_eq!(
        (members(&btf, point), get(point).kflag()),
        (plain.to_vec(), false)
    );
    assert_eq!(
        (members(&btf, bits), get(bits).kflag()),
        (fields.to_vec(), true)
    );
    assert_eq!(
        (get(either).kind(), members(&btf, either).len()),
        (Kind::Union, 2)
    );
    let constants = |id| get(id).enumerators().collect::<Vec<_>>();
    assert_eq!(constants(signed), colors.map(Enumerator::from));
    assert_eq!(constants(unsigned), [Enumerator::new("ALL", 0xffff_ffff)]);
    assert_eq!(constants(wide), [Enumerator::new("BIG", 1 << 40)]);
    assert_eq!((get(forward).name(), get(forward).kflag()), ("later", true));
    assert_eq!((get(tag).kflag(), get(attribute).kflag()), (false, true));
    for (id, target) in [
        (alias, point),
        (volatile, alias),
        (constant, volatile),
        (restrict, ptr),
        (tag, int),
        (proto, int),
        (func, proto),
        (var, point),
        (on_member, point),
        (on_all, func),
    ] {
        assert_eq!(get(id).target(), Some(target));
    }
    let params: Vec<Param<'_>> = get(proto).params().collect();
    assert_eq!(params, [Param::new("p", ptr), Param::VARIABLE]);
    assert_eq!(get(func).linkage(), Some(Linkage::Global));
    assert_eq!(get(var).linkage(), Some(Linkage::Extern));
    assert_eq!(get(section).variables().collect::<Vec<_>>(), [place]);
    assert_eq!(
        (get(on_member).tag_component(), get(on_all).tag_component()),
        (Some(0), None)
    );
}

#[test]
fn what_cannot_be_written_is_said() {
    fn error<T>(build: impl FnOnce(&mut BtfBuilder) -> T) -> BtfError {
        let mut b = BtfBuilder::new();
        build(&mut b);
        // What comes later does not hide it.
        b.add_int("int", 4, 0);
        b.finish().unwrap_err()
    }
    let id = TypeId(1);
    let unsigned = Signedness::Unsigned;
    assert_eq!(
        error(|b| b.add_typedef("", id)),
        BtfError::NoName {
            id,
            kind: Kind::Typedef
        }
    );
    assert_eq!(
        error(|b| b.add_fwd("a\0b", FwdKind::Struct)),
        BtfError::NulInName(id)
    );
    assert_eq!(
        error(|b| b.add_int("int", 3, 0)),
        BtfError::Size { id, size: 3 }
    );
    assert_eq!(
        error(|b| b.add_float("float", 5)),
        BtfError::Size { id, size: 5 }
    );
    assert_eq!(error(|b| b.add_int("int", 4, 8)), BtfError::IntEncoding(id));
    assert_eq!(
        error(|b| b.add_enum("e", 4, unsigned, [("A", 0), ("B", -1)])),
        BtfError::Constant {
            index: 1,
            value: -1
        }
    );
    assert_eq!(
        error(|b| b.add_enum("e", 4, Signedness::Signed, [("A", 1 << 31)])),
        BtfError::Constant {
            index: 0,
            value: 1 << 31
        }
    );
    let far = [
        Member::new("a", id, 0).bitfield(1),
        Member::new("b", id, 1 << 24),
    ];
    assert_eq!(
        error(|b| b.add_struct("s", 8, &far)),
        BtfError::Bitfield {
            member: 1,
            bit_offset: 1 << 24,
            bits: 0
        }
    );
    assert_eq!(
        error(|b| b.add_union("u", 8, [Member::new("a", id, 0).bitfield(256)])),
        BtfError::Bitfield {
            member: 0,
            bit_offset: 0,
            bits: 256
        }
    );
    let long = "n".repeat(usize::try_from(MAX_NAME_OFFSET).unwrap());
    let after = |b: &mut BtfBuilder| (b.add_string(&long), b.add_string("last"));
    assert_eq!(error(after), BtfError::NameOffset(MAX_NAME_OFFSET + 2));
    let gone = Btf::from_vec(BtfBuilder::new().finish().unwrap()).unwrap();
    assert_eq!(
        error(|b| b.add_type(&gone.get(TypeId::VOID).unwrap())),
        BtfError::NoType(TypeId::VOID)
    );
    assert_eq!(
        error(|b| b.duplicate(TypeId(9))),
        BtfError::NoType(TypeId(9))
    );
}

#[test]
fn as_many_elements_are_written_as_the_reader_takes() {
    let many = |count| vec![("c", 1); count];
    let build = |count, layout| {
        let mut b = BtfBuilder::new();
        if layout {
            b.add_layout();
        }
        let id = b.add_enum("e", 4, Signedness::Unsigned, &many(count));
        let btf = b.build()?;
        Ok(btf.get(id)?.vlen())
    };
    assert_eq!(build(65535, false), Ok(65535));
    let error = BtfError::TooManyElements {
        count: 65536,
        most: 65535,
    };
    assert_eq!(build(65536, false), Err(error));
    assert_eq!(build(65536, true), Ok(65536));
}

#[test]
fn more_types_than_a_kernel_takes_are_an_error() {
    let mut b = BtfBuilder::new();
    for _ in 0..crate::btf::MAX_TYPE {
        b.add_ptr(TypeId::VOID);
    }
    assert!(b.finish().is_ok());
    b.add_ptr(TypeId::VOID);
    assert_eq!(b.finish(), Err(BtfError::TooManyTypes(0x10_0000)));
}

#[test]
fn a_layout_describes_every_kind() {
    let mut b = BtfBuilder::new();
    b.add_layout();
    b.add_int("int", 4, 0);
    let btf = b.build().unwrap();
    let sizes = btf.layout_bytes().as_chunks::<4>().0;
    let expected: Vec<[u8; 4]> = Kind::ALL
        .iter()
        .map(|kind| [kind.tail().0, kind.tail().1, 0, 0])
        .collect();
    assert_eq!(sizes, expected);
    assert_eq!(btf.find("int", Kind::Int), Some(TypeId(1)));
}

/// `int` and `struct base { int a; }`, and what continues them: `struct own { struct base b; }`.
fn base_and_split() -> (Arc<Btf<'static>>, BtfBuilder) {
    let mut b = BtfBuilder::new();
    let int = b.add_int("int", 4, 0);
    let inner = b.add_struct("base", 4, [("a", int, 0)]);
    let base = Arc::new(b.build().unwrap());
    let mut split = BtfBuilder::split(base.clone());
    split.add_struct("own", 4, [("b", inner, 0)]);
    (base, split)
}

#[test]
fn split_types_continue_those_of_their_base() {
    let (base, split) = base_and_split();
    let btf = split.build().unwrap();
    assert_eq!(btf.find("own", Kind::Struct), Some(TypeId(3)));
    assert_eq!(btf.size_of(TypeId(3)), Ok(4));
    assert_eq!(members(&btf, TypeId(3)), [Member::new("b", TypeId(2), 0)]);
    // Strings that are in the base are not written again.
    let mut copy = BtfBuilder::copy_of(&btf);
    let len = btf.string_bytes().len();
    copy.add_typedef("base", TypeId(3));
    let copied = copy.build().unwrap();
    assert_eq!(copied.string_bytes().len(), len);
    assert_eq!(copied.find_own("base", Kind::Typedef), Some(TypeId(4)));
    assert_eq!(copied.own_ids(), 3..5);
    assert!(Arc::ptr_eq(copied.base().unwrap(), &base));
}

#[test]
fn a_whole_blob_is_added_with_its_numbers_and_strings() {
    let (_, split) = base_and_split();
    let split = split.build().unwrap();
    let base = split.base().unwrap();
    let mut b = BtfBuilder::new();
    b.add_int("long", 8, 0);
    assert_eq!(b.add_btf(base), TypeId(2));
    assert_eq!(b.add_btf(base), TypeId(4));
    let btf = b.build().unwrap();
    btf.validate().unwrap();
    for (id, int) in [(3, 2), (5, 4)] {
        assert_eq!(btf.get(TypeId(id)).unwrap().name(), "base");
        assert_eq!(
            members(&btf, TypeId(id)),
            [Member::new("a", TypeId(int), 0)]
        );
    }
    assert_eq!(btf.string_bytes(), b"\0long\0int\0base\0a\0");

    // Split types can only be added to others with the same base.
    b.add_btf(&split);
    assert_eq!(b.finish(), Err(BtfError::OtherBase));
    let equal = Btf::from_vec(base.bytes().to_vec()).unwrap();
    let mut same = BtfBuilder::split(Arc::new(equal));
    same.add_int("long", 8, 0);
    same.add_btf(&split);
    let same = same.build().unwrap();
    assert_eq!(members(&same, TypeId(4)), [Member::new("b", TypeId(2), 0)]);
}

/// Consistent types, each built from numbers: kind, two types, a size, a name.
fn any_builder() -> impl Strategy<Value = BtfBuilder> {
    let part = (
        1..20_u32,
        any::<u16>(),
        any::<u16>(),
        any::<u32>(),
        "[a-c]{1,2}",
    );
    prop::collection::vec(part, 1..40).prop_map(|parts| {
        let count = u32::try_from(parts.len()).unwrap();
        let mut b = BtfBuilder::new();
        for (kind, one, two, n, name) in parts {
            let any = |word: u16| TypeId(u32::from(word) % (count + 1));
            let (one, two) = (any(one), any(two));
            let signedness = [Signedness::Signed, Signedness::Unsigned][n as usize & 1];
            match Kind::from_number(kind).unwrap() {
                Kind::Int => b.add_int(&name, 1 << (n % 5), IntEncoding::SIGNED),
                Kind::Ptr => b.add_ptr(one),
                Kind::Array => b.add_array(one, two, n),
                Kind::Struct => {
                    let place = n >> 8;
                    let member = Member::new("m", two, place).bitfield(n & 0xff);
                    b.add_struct("", n, [Member::new(&name, one, 0), member])
                }
                Kind::Union => b.add_union(&name, n, [(name.as_str(), one, n)]),
                Kind::Enum => b.add_enum(&name, 4, signedness, [("A", i64::from(n >> 1))]),
                Kind::Fwd => b.add_fwd(&name, FwdKind::Union),
                Kind::Typedef => b.add_typedef(&name, one),
                Kind::Volatile => b.add_volatile(one),
                Kind::Const => b.add_const(one),
                Kind::Restrict => b.add_restrict(one),
                Kind::Func => b.add_func(&name, Linkage::Static, one),
                Kind::FuncProto => b.add_func_proto(one, [(name.as_str(), two), ("", two)]),
                Kind::Var => b.add_var(&name, Linkage::Global, one),
                Kind::Datasec => {
                    let place = VarSecinfo {
                        type_id: one,
                        offset: n,
                        size: 4,
                    };
                    b.add_datasec(&name, n, &[place, place])
                }
                Kind::Float => b.add_float(&name, 8),
                Kind::DeclTag => b.add_decl_tag(&name, one, Some(n)),
                Kind::TypeTag => b.add_type_attr(&name, one),
                _ => b.add_enum64(&name, 8, signedness, [("A", -i64::from(n))]),
            };
        }
        b
    })
}

/// The contents of types, independent of name offsets.
fn described(btf: &Btf<'_>) -> Vec<String> {
    let of = |ty: crate::btf::Type<'_>| {
        let info = Info {
            kind: ty.kind(),
            vlen: ty.vlen(),
            kflag: ty.kflag(),
        };
        let elements = (
            ty.members().collect::<Vec<_>>(),
            ty.params().collect::<Vec<_>>(),
            ty.enumerators().collect::<Vec<_>>(),
            ty.variables().collect::<Vec<_>>(),
        );
        let one = (
            ty.int_encoding(),
            ty.array(),
            ty.linkage(),
            ty.tag_component(),
        );
        format!(
            "{} {info:?} {} {elements:?} {one:?}",
            ty.name(),
            ty.size_field()
        )
    };
    btf.types().map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_was_copied_reads_equal(b in any_builder()) {
        let btf = b.build().unwrap();
        prop_assert_eq!(BtfBuilder::copy_of(&btf).finish().unwrap(), btf.bytes());
        let mut one_by_one = BtfBuilder::new();
        for ty in btf.types() {
            one_by_one.add_type(&ty);
        }
        prop_assert_eq!(described(&one_by_one.build().unwrap()), described(&btf));
        let mut whole = BtfBuilder::new();
        whole.add_btf(&btf);
        prop_assert_eq!(described(&whole.build().unwrap()), described(&btf));
    }

    #[test]
    fn both_byte_orders_read_equal(b in any_builder(), layout in any::<bool>()) {
        let mut b = b;
        if layout {
            b.add_layout();
        }
        let native = b.finish().unwrap();
        b.set_byte_order(ByteOrder::Foreign);
        let foreign = b.finish().unwrap();
        prop_assert_ne!(&foreign, &native);
        let read = Btf::parse(&foreign).unwrap();
        prop_assert_eq!(read.byte_order(), ByteOrder::Foreign);
        prop_assert_eq!(read.bytes(), native);
    }
}
