//! Property tests: whatever the bytes, reading finishes without a panic and every query works.

use crate::TypeId;
use crate::btf::{
    Btf, BtfBuilder, BtfExt, Columns, FwdKind, Info, IntEncoding, Kind, Linkage, NameMatch,
    Signedness, VarSecinfo,
};
use proptest::prelude::*;
use std::sync::Arc;

/// A blob that contains every kind.
fn sample() -> Vec<u8> {
    let mut b = BtfBuilder::new();
    let int = b.add_int("int", 4, IntEncoding::SIGNED);
    let char_ = b.add_int("char", 1, IntEncoding::CHAR);
    let text = b.add_array(char_, int, 16);
    let ptr = b.add_ptr(int);
    let node = b.add_struct("node", 32, &[("next", ptr, 0), ("name", text, 64)]);
    b.add_union("either", 4, &[("a", int, 0), ("b", int, 0)]);
    b.add_enum(
        "color",
        4,
        Signedness::Unsigned,
        &[("RED", 0), ("GREEN", 1)],
    );
    b.add_enum64("wide", 8, Signedness::Unsigned, &[("BIG", -1)]);
    b.add_fwd("later", FwdKind::Struct);
    let alias = b.add_typedef("node_t", node);
    let constant = b.add_const(alias);
    b.add_volatile(constant);
    b.add_restrict(ptr);
    b.add_type_tag("user", int);
    let proto = b.add_func_proto(int, &[("p", ptr)]);
    let func = b.add_func("f", Linkage::Static, proto);
    b.add_float("float", 4);
    b.add_decl_tag("tag", func, None);
    let var = b.add_var("v", Linkage::Global, node);
    b.add_datasec(
        ".data",
        32,
        &[VarSecinfo {
            type_id: var,
            offset: 0,
            size: 32,
        }],
    );
    b.finish().unwrap()
}

/// Runs every query.
fn exercise(btf: &Btf<'_>) {
    let _ = btf.validate();
    for ty in btf.types() {
        let _ = format!(
            "{ty:?} {:?} {:?} {:?}",
            ty.array(),
            ty.int_encoding(),
            ty.linkage()
        );
        let _ = (
            ty.resolved().is_ok(),
            ty.tag_component(),
            ty.target(),
            btf.type_name(ty.id()),
        );
        let elements = ty.members().count() + ty.enumerators().count() + ty.params().count();
        assert!(elements + ty.variables().count() <= btf.bytes().len());
        let _ = (btf.size_of(ty.id()), btf.align_of(ty.id()));
        decode(btf, ty.id(), &[0x5a; 64]);
    }
    for names_match in [NameMatch::Exact, NameMatch::Essential] {
        let names = ["node", "color", "f", ""];
        for found in btf.find_all(&names, names_match) {
            assert!(found.name < names.len() && btf.get(found.id).is_ok());
        }
    }
    let _ = BtfBuilder::copy_of(btf).build();
}

/// Decodes and prints; the output must be bounded by the input.
fn decode(btf: &Btf<'_>, id: TypeId, bytes: &[u8]) {
    let Ok(value) = btf.decode(id, bytes) else {
        return;
    };
    let columns = Columns::for_rows(std::slice::from_ref(&value));
    let texts = [
        value.to_string(),
        value.json().to_string(),
        columns.row(&value),
    ];
    for text in texts {
        assert!(text.len() < 1 << 23, "{} characters", text.len());
    }
    assert!(columns.heading().len() < 1 << 26);
}

/// Types of all kinds with random references to each other, including loops and references past the end.
fn any_types() -> impl Strategy<Value = Vec<u8>> {
    let words = (any::<u8>(), 0..20_u32, 0..20_u32, 0..40_u32, any::<u32>());
    prop::collection::vec(words, 1..16).prop_map(|types| {
        let mut b = BtfBuilder::new();
        for (kind, one, two, size, wild) in types {
            let [first, second] = [TypeId(one), TypeId(two)];
            match kind % 12 {
                0 => b.add_raw("i", Info::of(Kind::Int), size, &[wild & 0x0fff_00ff]),
                1 => b.add_array(first, second, if wild % 3 == 0 { wild } else { size }),
                2 | 3 => {
                    let info = Info::of(if kind.is_multiple_of(2) {
                        Kind::Struct
                    } else {
                        Kind::Union
                    });
                    let info = info.with_vlen(2);
                    let info = if wild & 1 == 0 {
                        info
                    } else {
                        info.flagged(true)
                    };
                    let name = b.add_string(if wild & 2 == 0 { "" } else { "addr" });
                    b.add_raw(
                        "s",
                        info,
                        size,
                        &[name, one, wild & 0x0fff, name, two, wild >> 3],
                    )
                }
                4 => {
                    let names = [b.add_string("A"), b.add_string("B")];
                    let info = Info::of(Kind::Enum).with_vlen(2);
                    b.add_raw("e", info, size, &[names[0], 1, names[1], wild])
                }
                5 => {
                    let (name, info) = (b.add_string("A"), Info::of(Kind::Enum64).with_vlen(1));
                    b.add_raw("w", info, size, &[name, wild << 20, wild >> 12])
                }
                6 => b.add_typedef("__be32", first),
                7 => b.add_ptr(first),
                8 => b.add_raw("f", Info::of(Kind::Float), size, &[]),
                9 => b.add_var("v", Linkage::Global, first),
                10 => {
                    let variable = VarSecinfo {
                        type_id: first,
                        offset: size,
                        size: wild,
                    };
                    b.add_datasec(".data", wild, &[variable, variable])
                }
                _ => b.add_raw("t", Info::of(Kind::DeclTag), one, &[two]),
            };
        }
        b.finish().unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_types_can_be_decoded(blob in any_types(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let btf = Btf::from_vec(blob).unwrap();
        for ty in btf.types() {
            decode(&btf, ty.id(), &bytes);
        }
    }

    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(btf) = Btf::parse(&bytes) {
            exercise(&btf);
        }
        let _ = BtfExt::parse(&bytes);
    }

    #[test]
    fn a_damaged_blob_can_be_read(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut blob = sample();
        for (index, value) in changes {
            let at = index.index(blob.len());
            blob[at] = value;
        }
        if !whole {
            blob.truncate(cut.index(blob.len()));
        }
        if let Ok(btf) = Btf::parse(&blob) {
            exercise(&btf);
        }
        let base = Arc::new(Btf::from_vec(sample()).unwrap());
        if let Ok(btf) = Btf::parse_split(&blob, base) {
            exercise(&btf);
        }
    }

    #[test]
    fn a_damaged_extension_can_be_read(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut blob = extension();
        for (index, value) in changes {
            let at = index.index(blob.len());
            blob[at] = value;
        }
        if let Ok(ext) = BtfExt::parse(&blob) {
            let tables = ext.func_info().chain(ext.line_info()).chain(ext.core_relo());
            for section in tables {
                assert!(section.iter().count() * 8 <= blob.len());
                assert!(section.core_relos().count() <= section.iter().count());
            }
        }
    }
}

/// A `.BTF.ext` with one record in each table.
fn extension() -> Vec<u8> {
    let tables: [&[u32]; 3] = [
        &[8, 1, 1, 0, 16],
        &[16, 1, 1, 0, 1, 2, 3],
        &[16, 1, 1, 8, 5, 1, 0],
    ];
    let mut blob = vec![0x9f, 0xeb, 1, 0];
    let mut words = vec![32];
    let mut offset = 0;
    for table in tables {
        let len = u32::try_from(table.len() * 4).unwrap();
        words.extend([offset, len]);
        offset += len;
    }
    words.extend(tables.concat());
    if cfg!(target_endian = "big") {
        blob[..2].reverse();
    }
    blob.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    blob
}

#[test]
fn the_samples_are_whole() {
    let blob = sample();
    let btf = Btf::parse(&blob).unwrap();
    assert!(btf.validate().is_ok());
    let kinds: std::collections::BTreeSet<Kind> = btf.types().map(|ty| ty.kind()).collect();
    assert_eq!(kinds.len(), Kind::ALL.len() - 1, "every kind but void");
    let ext = BtfExt::parse(&extension()).unwrap();
    let relocation = ext.core_relo().next().unwrap().core_relos().next().unwrap();
    assert_eq!((relocation.insn_off, relocation.type_id), (8, TypeId(5)));
}

#[test]
fn the_other_byte_order_gives_the_same_types() {
    let blob = sample();
    let native = Btf::parse(&blob).unwrap();
    let foreign = super::foreign::tests_support::to_foreign(&blob);
    let swapped = Btf::parse(&foreign).unwrap();
    assert_eq!(swapped.byte_order(), crate::btf::ByteOrder::Foreign);
    assert_eq!(swapped.bytes(), native.bytes());
}

#[test]
fn a_kind_from_the_future_is_stepped_over_when_the_layout_describes_it() {
    let mut b = BtfBuilder::new();
    let int = b.add_int("int", 4, 0);
    let ptr = b.add_ptr(int);
    // Kind 25, with one fixed word, and two words for each of its three elements.
    b.set_raw(ptr, 1, 25 << 24 | 3);
    let mut types = b;
    types.push_words(&[0; 7]);
    types.set_layout_for_tests(26, 25, [4, 8]);
    types.add_typedef("after", int);
    let blob = types.finish().unwrap();
    let btf = Btf::parse(&blob).unwrap();
    assert_eq!(btf.find("after", Kind::Typedef), Some(TypeId(3)));
    assert!(btf.get(ptr).is_err());
}

/// This many structures with one member each, whose names are all suffixes of the same long string.
fn types_with_overlapping_names(count: u32) -> Vec<u8> {
    let mut b = BtfBuilder::new();
    let int = b.add_int("int", 4, 0);
    let long = b.add_string(&"a".repeat(usize::try_from(count).unwrap() * 2));
    for number in 0..count {
        let id = b.add_struct("", 4, &[("", int, 0)]);
        b.set_raw(id, 0, long + 2 * number);
        b.set_raw(id, 3, long + 2 * number + 1);
    }
    b.finish().unwrap()
}

/// The steps taken for everything that is done with each name of a blob.
fn steps_for_names(blob: &[u8]) -> u64 {
    let btf = Btf::parse(blob).unwrap();
    let (readable, steps) = crate::work::steps_of(|| {
        btf.validate().unwrap();
        let members = btf.types().flat_map(|ty| ty.members());
        let names = members.map(|member| member.name);
        let names: Vec<&str> = names.chain(btf.types().map(|ty| ty.name())).collect();
        let near = crate::did_you_mean("aaaaaaa", names.iter().copied());
        assert!(near.contains("`aaa`"), "{near}");
        names.iter().filter(|name| !name.is_empty()).count()
    });
    // `int`, and those names that the kernel would accept.
    assert_eq!(readable, 1 + crate::btf::LONGEST_NAME);
    steps
}

#[test]
fn twice_the_overlapping_names_take_twice_the_steps() {
    let one = steps_for_names(&types_with_overlapping_names(20_000));
    let two = steps_for_names(&types_with_overlapping_names(40_000));
    assert!(two * 10 <= one * 23, "{one} steps become {two}");
}

#[test]
fn twice_the_flavours_in_one_string_take_twice_the_steps() {
    let steps = |count| {
        let mut b = BtfBuilder::new();
        b.add_int(&"a___b".repeat(count), 4, 0);
        b.add_int(&"a____".repeat(count), 4, 0);
        b.add_int("a___b", 4, 0);
        let btf = b.build().unwrap();
        let (found, steps) = crate::work::steps_of(|| btf.find_all(&["a"], NameMatch::Essential));
        assert_eq!(found.len(), 1);
        steps
    };
    let (one, two) = (steps(20_000), steps(40_000));
    assert!(two * 10 <= one * 23, "{one} steps become {two}");
}

#[test]
fn a_name_may_be_as_long_as_the_kernel_says() {
    let mut b = BtfBuilder::new();
    let names = ["n".repeat(512), "n".repeat(513)];
    for name in &names {
        b.add_int(name, 4, 0);
    }
    let btf = b.build().unwrap();
    let [fits, too_long] = [1, 2].map(|id| btf.get(TypeId(id)).unwrap());
    assert_eq!((fits.name(), too_long.name()), (names[0].as_str(), ""));
    let error = btf.string_bytes_at(too_long.name_offset()).unwrap_err();
    assert!(error.to_string().contains("more than 512 bytes"), "{error}");
    // As in libbpf, it is left to the kernel to reject that.
    assert_eq!(btf.validate(), Ok(()));
    assert_eq!(btf.type_name(TypeId(2)), "?");
    assert_eq!(
        btf.section_name_at(too_long.name_offset()),
        Some(names[1].as_str())
    );
}
