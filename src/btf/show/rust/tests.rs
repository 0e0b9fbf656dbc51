//! Exact definitions in Rust. `tests/rust_definitions.rs` checks that the compiler agrees.

use super::*;
use crate::TypeId;
use crate::btf::{
    Btf, BtfBuilder, BtfError, FwdKind, IntEncoding, Linkage, Member, Param, Signedness,
};
use proptest::prelude::*;

/// The output for all types of a blob, without asserts and attributes.
fn written(make: impl FnOnce(&mut BtfBuilder, TypeId)) -> String {
    let mut editor = BtfBuilder::new();
    let int = editor.add_int("int", 4, IntEncoding::SIGNED);
    make(&mut editor, int);
    let btf = editor.build().unwrap();
    let definitions = Module::new(&btf).order(Order::Numbers).write().unwrap();
    let (_, text) = definitions.text().split_once(PRELUDE).unwrap();
    let is_told = |line: &&str| {
        let line = line.trim_start();
        !line.starts_with("assert!")
            && !line.starts_with("const _")
            && !matches!(line, "};" | "" | "#[repr(C)]")
    };
    let lines: Vec<&str> = text.lines().filter(is_told).collect();
    lines.join("\n")
}

const ALL: &str = "#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]";

#[test]
fn members_have_their_places() {
    let text = written(|b, int| {
        let byte = b.add_int("char", 1, IntEncoding::SIGNED);
        let pointer = b.add_ptr(int);
        let name = b.add_array(byte, int, 16);
        let table = b.add_array(name, int, 3);
        let tail = b.add_array(int, int, 0);
        let members = [
            ("flag", byte, 0),
            ("type", pointer, 64),
            ("table", table, 128),
            ("tail", tail, 512),
        ];
        b.add_struct("s", 64, members);
    });
    let expected = format!(
        "/// `struct s`: 64 bytes.\n{ALL}\npub struct s {{
    pub flag: u8,
    pub _pad0: [u8; 7],
    /// `int *`
    pub r#type: u64,
    pub table: [[u8; 16]; 3],
    pub tail: [i32; 0],\n}}"
    );
    assert_eq!(text, expected);
}

#[test]
fn bitfields_are_bytes_with_functions() {
    let text = written(|b, int| {
        let bool = b.add_int("_Bool", 1, IntEncoding::BOOL);
        let choice = b.add_enum("choice", 4, Signedness::Unsigned, [("A", 0), ("B", 1)]);
        let members = [
            Member::new("a", int, 0).bitfield(3),
            Member::new("b", bool, 3).bitfield(1),
            Member::new("c", choice, 4).bitfield(12),
            Member::new("d", int, 32),
        ];
        b.add_struct("s", 8, members);
    });
    for part in [
        "pub struct choice(pub u32);\nimpl choice {\n    pub const A: Self = Self(0);\n",
        "    pub _bits0: [u8; 2],\n    pub _pad0: [u8; 2],\n    pub d: i32,\n}\n",
        "    /// `int`\n    pub const fn a(&self) -> i32 {\n        get_signed_bits(&self._bits0, 0, 3) as i32\n",
        "pub const fn set_b(&mut self, value_: bool) {\n        set_bits(&mut self._bits0, 3, 1, value_ as u64);\n",
        "pub const fn c(&self) -> choice {\n        choice { 0: get_bits(&self._bits0, 4, 12) as u32 }\n",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

#[test]
fn traits_are_those_that_the_members_allow() {
    let text = written(|b, int| {
        let bool = b.add_int("_Bool", 1, IntEncoding::BOOL);
        b.add_struct("with_bool", 1, [("yes", bool, 0)]);
        let union = b.add_union("u", 8, [("a", int, 0), ("b", bool, 0)]);
        b.add_struct("with_union", 12, [("u", union, 0), ("i", int, 64)]);
        let long = b.add_int("long", 8, IntEncoding::SIGNED);
        b.add_struct("packed", 12, [("i", int, 0), ("l", long, 32)]);
    });
    for part in [
        "FromZeros, IntoBytes, Immutable, KnownLayout)]\npub struct with_bool {\n    pub yes: bool,\n}",
        "FromBytes, IntoBytes, Immutable, KnownLayout)]\npub struct u {\n    pub _storage: [u32; 2],\n}",
        "FromBytes, IntoBytes, Immutable, KnownLayout)]\npub struct with_union {\n    pub u: u,\n    pub i: i32,\n}",
        "#[repr(C, packed)]\n#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]\npub struct packed {",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

#[test]
fn what_has_no_name_is_named_after_what_it_is_in() {
    let text = written(|b, int| {
        let inner = b.add_struct("", 4, [("x", int, 0)]);
        let choice = b.add_enum("", 4, Signedness::Signed, [("MINUS", -1)]);
        let either = b.add_union("", 4, [("", inner, 0), ("choice", choice, 0)]);
        let body = b.add_struct("", 8, [("", either, 0), ("y", int, 32)]);
        b.add_typedef("s_t", body);
        b.add_enum("", 4, Signedness::Unsigned, [("LIMIT", 7)]);
    });
    for part in [
        "pub struct s_t {\n    /// Without a name.\n    pub anon_0: s_t_anon_0,\n    pub y: i32,\n}",
        "    /// Without a name.\n    pub fn anon_0(&self) -> s_t_anon_0_anon_0 {\n",
        "    pub fn choice(&self) -> s_t_anon_0_choice {\n        get_member(self._storage.as_bytes(), 0)\n",
        "pub struct s_t_anon_0_anon_0 {\n    pub x: i32,\n}",
        "pub struct s_t_anon_0_choice(pub i32);\nimpl s_t_anon_0_choice {\n    pub const MINUS: Self = Self(-1);\n}",
        "pub const LIMIT: u32 = 7;",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    assert!(!text.contains("pub type s_t"), "{text}");
}

#[test]
fn typedefs_of_the_same_name_are_the_same() {
    let text = written(|b, int| {
        let unsigned = b.add_int("unsigned int", 4, 0);
        b.add_typedef("u32", unsigned);
        b.add_typedef("u64", int);
        let s = b.add_struct("s", 4, [("x", int, 0)]);
        b.add_typedef("s", s);
        b.add_typedef("t", s);
        let proto = b.add_func_proto(int, Param::NONE);
        let callback = b.add_ptr(proto);
        b.add_typedef("callback", callback);
        b.add_typedef("nothing", TypeId::VOID);
        b.add_func("f", Linkage::Global, proto);
        b.add_fwd("s", FwdKind::Struct);
        b.add_fwd("far", FwdKind::Struct);
    });
    let types: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("pub "))
        .collect();
    let expected = [
        "pub type u64___2 = i32;",
        "pub struct s {",
        "pub type t = s;",
        "pub type callback = u64;",
        "pub enum far {}",
    ];
    assert_eq!(types, expected, "{text}");
}

#[test]
fn members_that_rust_has_no_place_for_are_told() {
    let text = written(|b, int| {
        let inner = b.add_struct("inner", 4, [("x", int, 0)]);
        b.add_struct(
            "s",
            8,
            [
                ("a", int, 0),
                ("b", int, 16),
                ("c", inner, 48),
                ("d", int, 32),
            ],
        );
        let long = b.add_int("long", 8, 0);
        b.add_union(
            "u",
            8,
            [
                Member::new("low", int, 0).bitfield(4),
                Member::new("high", int, 32),
                Member::new("w", long, 0),
            ],
        );
    });
    for part in [
        "// Not a member of s: `b` (i32), at byte 2, bit 0, which lies upon others or beyond the end.\n",
        "// Not a member of s: `c` (inner), at byte 6, bit 0, which lies upon others or beyond the end.\n",
        "pub struct s {\n    pub a: i32,\n    pub d: i32,\n}",
        "pub struct u {\n    pub _storage: [u64; 1],\n}",
        "pub fn low(&self) -> i32 {\n        get_signed_bits(self._storage.as_bytes(), 0, 4) as i32\n",
        "pub fn set_high(&mut self, value_: i32) {\n        set_member(self._storage.as_mut_bytes(), 4, value_);\n",
        "pub fn w(&self) -> u64 {\n        get_member(self._storage.as_bytes(), 0)\n",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

#[test]
fn a_union_lies_on_the_alignment_of_its_members() {
    let text = written(|b, int| {
        let bool = b.add_int("_Bool", 1, IntEncoding::BOOL);
        let truth = b.add_struct("truth", 1, [("yes", bool, 0)]);
        let long = b.add_int("long", 8, 0);
        // A size that Rust would round up.
        b.add_union("odd", 12, [("a", long, 0), ("b", truth, 0), ("c", bool, 8)]);
        b.add_union("none", 0, [] as [(&str, TypeId, u32); 0]);
        b.add_union("small", 4, [("too_large", long, 0), ("fits", int, 0)]);
    });
    for part in [
        "pub struct odd {\n    pub _storage: [u8; 12],\n}",
        "pub fn b(&self) -> ::core::option::Option<truth> {\n        try_get_member(self._storage.as_bytes(), 0)\n",
        "pub fn c(&self) -> bool {\n        get_bits(self._storage.as_bytes(), 8, 8) != 0\n",
        "pub struct none {\n    pub _storage: [u8; 0],\n}",
        "// Not a member of small: `too_large` (u64), at byte 0",
        "pub struct small {\n    pub _storage: [u32; 1],\n}",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

/// Each level contains the next one ten times, anonymously, so that the members multiply by ten.
#[test]
fn work_is_bounded() {
    let mut b = BtfBuilder::new();
    let int = b.add_int("int", 4, IntEncoding::SIGNED);
    let long = "x".repeat(500);
    let first = b.add_struct(&long, 4, [("a", int, 0)]);
    for _ in 0..2000 {
        b.add_struct("s", 4, [(long.as_str(), first, 0)]);
    }
    let btf = b.build().unwrap();
    let bytes = btf.bytes().len();
    match Module::new(&btf).write() {
        Ok(definitions) => assert!(definitions.text().len() < 256 * bytes + (1 << 20)),
        Err(error) => assert!(matches!(error, BtfError::TooMuch(_)), "{error}"),
    }
}

proptest! {
    #[test]
    fn damaged_types_end_in_text_or_an_error(damage in prop::collection::vec((24_usize..100_000, any::<u8>()), 1..12)) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/btf/6.12.btf");
        let good = Btf::from_file(path).unwrap();
        let mut bytes = good.bytes().to_vec();
        for (at, value) in damage {
            let len = bytes.len();
            bytes[24 + (at - 24) % (len - 24)] = value;
        }
        if let Ok(bad) = Btf::from_vec(bytes) {
            if let Ok(definitions) = Module::new(&bad).write() {
                prop_assert!(definitions.text().len() < 64 * bad.bytes().len() + (1 << 20));
            }
            let mut definitions = Definitions::new(&bad);
            for id in bad.own_ids() {
                let _ = definitions.add(TypeId(id));
            }
            prop_assert!(definitions.text().len() < 64 * bad.bytes().len() + (1 << 20));
        }
    }
}
