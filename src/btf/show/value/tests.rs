//! Decoding, type by type.

use super::{Columns, Value};
use crate::TypeId;
use crate::btf::{
    Btf, BtfBuilder, BtfError, FwdKind, Info, IntEncoding, Kind, Linkage, Param, Signedness,
    VarSecinfo,
};

/// An event such as a tool sends.
fn event() -> (Btf<'static>, TypeId) {
    let mut b = BtfBuilder::new();
    let u32_ = b.add_int("unsigned int", 4, 0);
    let i32_ = b.add_int("int", 4, IntEncoding::SIGNED);
    let char_ = b.add_int("char", 1, IntEncoding::SIGNED);
    let comm = b.add_array(char_, u32_, 8);
    let be32 = b.add_typedef("__be32", u32_);
    let color = b.add_enum("color", 4, Signedness::Unsigned, &[("RED", 1)]);
    let inner = b.add_struct("", 4, &[("ret", i32_, 0)]);
    let flexible = b.add_array(char_, u32_, 0);
    let members = [
        ("pid", u32_, 0),
        ("", inner, 32),
        ("comm", comm, 64),
        ("saddr", be32, 128),
        ("color", color, 160),
        ("args", flexible, 192),
    ];
    let id = b.add_struct("event", 24, &members);
    (b.build().unwrap(), id)
}

fn record() -> Vec<u8> {
    let mut raw = 7_u32.to_ne_bytes().to_vec();
    raw.extend((-2_i32).to_ne_bytes());
    raw.extend(b"cat\0\0\0\0\0");
    raw.extend([127, 0, 0, 1]);
    raw.extend(1_u32.to_ne_bytes());
    raw.extend(b"-x\0junk");
    raw
}

#[test]
fn a_record_becomes_names_and_values() {
    let (btf, id) = event();
    let value = btf.decode(id, &record()).unwrap();
    assert_eq!(
        value.to_string(),
        "{pid: 7, ret: -2, comm: cat, saddr: 127.0.0.1, color: RED, args: -x}"
    );
}

#[test]
fn a_cut_record_shows_its_beginning() {
    let (btf, id) = event();
    let value = btf.decode(id, &record()[..10]).unwrap();
    assert_eq!(
        value.to_string(),
        "{pid: 7, ret: -2, comm: ca, saddr: -, color: -, args: }"
    );
}

#[test]
fn bitfields_are_cut_out_and_sign_extended() {
    let mut b = BtfBuilder::new();
    let i32_ = b.add_int("int", 4, IntEncoding::SIGNED);
    let u32_ = b.add_int("unsigned int", 4, 0);
    let names = [b.add_string("a"), b.add_string("b")];
    let tail = [names[0], i32_.0, 3 << 24, names[1], u32_.0, 7 << 24 | 3];
    let info = Info::of(Kind::Struct).with_vlen(2).flagged(true);
    let id = b.add_raw("bits", info, 4, &tail);
    let btf = b.build().unwrap();
    let value = btf.decode(id, &(0b10_1010_1111_u32).to_le_bytes()).unwrap();
    assert_eq!(value.to_string(), "{a: -1, b: 85}");
}

#[test]
fn a_type_that_contains_itself_ends() {
    let mut b = BtfBuilder::new();
    let id = b.next_id();
    b.add_struct("s", 8, &[("a", id, 0), ("b", id, 0)]);
    let btf = b.build().unwrap();
    assert_eq!(btf.decode(id, &[0; 8]), Err(BtfError::TooDeep(id)));
}

/// `bytes` decoded as the type that `add` adds: as text and as JSON.
fn shown(bytes: &[u8], add: impl FnOnce(&mut BtfBuilder) -> TypeId) -> [String; 2] {
    let mut b = BtfBuilder::new();
    let id = add(&mut b);
    let btf = b.build().unwrap();
    let value = btf.decode(id, bytes).unwrap();
    [value.to_string(), value.json().to_string()]
}

#[test]
fn integers_of_all_widths() {
    let int = |size, flags| move |b: &mut BtfBuilder| b.add_int("i", size, flags);
    let both = |text: &str| [text.to_string(), text.to_string()];
    let signed = IntEncoding::SIGNED;
    assert_eq!(shown(&[0xff], int(1, signed)), both("-1"));
    assert_eq!(shown(&[0xff; 2], int(2, 0)), both("65535"));
    assert_eq!(shown(&[0xff; 8], int(8, 0)), both(&u64::MAX.to_string()));
    assert_eq!(shown(&[0xff; 16], int(16, signed)), both("-1"));
    let wide = u128::MAX.to_string();
    assert_eq!(
        shown(&[0xff; 16], int(16, 0)),
        [wide.clone(), format!("{wide:?}")]
    );
    assert_eq!(shown(&[2], int(1, IntEncoding::BOOL)), both("true"));
}

#[test]
fn floats_that_are_no_numbers_are_null_in_json() {
    let float = |size| move |b: &mut BtfBuilder| b.add_float("f", size);
    let both = |text: &str| [text.to_string(), text.to_string()];
    assert_eq!(shown(&0.5_f32.to_ne_bytes(), float(4)), both("0.5"));
    assert_eq!(shown(&(-1e300_f64).to_ne_bytes(), float(8))[1], "-1e300");
    assert_eq!(shown(&f64::NAN.to_ne_bytes(), float(8)), ["NaN", "null"]);
    assert_eq!(shown(&[0xab; 16], float(16))[0], "ab".repeat(16));
}

#[test]
fn constants_have_names_whatever_their_width_and_sign() {
    let enumeration = |kind, size, kflag: bool, tail: &'static [u32]| {
        move |b: &mut BtfBuilder| {
            let mut words = vec![b.add_string("NAME")];
            words.extend(tail);
            let info = Info::of(kind).with_vlen(1);
            b.add_raw(
                "e",
                if kflag { info.flagged(true) } else { info },
                size,
                &words,
            )
        }
    };
    let name = ["NAME", "\"NAME\""];
    assert_eq!(
        shown(&[0xff; 4], enumeration(Kind::Enum, 4, true, &[u32::MAX])),
        name
    );
    assert_eq!(
        shown(&[0xff; 4], enumeration(Kind::Enum, 4, false, &[u32::MAX])),
        name
    );
    assert_eq!(
        shown(&[0xff; 1], enumeration(Kind::Enum, 1, true, &[u32::MAX])),
        name
    );
    assert_eq!(
        shown(
            &[0xff; 8],
            enumeration(Kind::Enum64, 8, true, &[u32::MAX, u32::MAX])
        ),
        name
    );
    assert_eq!(
        shown(
            &[0xff; 8],
            enumeration(Kind::Enum64, 8, false, &[u32::MAX, u32::MAX])
        ),
        name
    );
    let other = shown(
        &[0xfe; 8],
        enumeration(Kind::Enum64, 8, false, &[u32::MAX, 0]),
    );
    assert_eq!(other[0], u64::from_ne_bytes([0xfe; 8]).to_string());
}

/// A structure with bitfields: name, type, bit offset, width.
fn bits(b: &mut BtfBuilder, size: u32, fields: &[(&str, TypeId, u32, u32)]) -> TypeId {
    let words: Vec<u32> = fields
        .iter()
        .flat_map(|(name, id, at, bits)| [b.add_string(name), id.0, bits << 24 | at])
        .collect();
    let info = Info::of(Kind::Struct).with_vlen(fields.len()).flagged(true);
    b.add_raw("bits", info, size, &words)
}

#[cfg(target_endian = "little")]
#[test]
fn bitfields_far_away_and_wider_than_a_word() {
    // Offsets of bitfields have 24 bits.
    let far = 0x0020_0000 * 8 - 8;
    let mut memory = vec![0; 0x0020_0000];
    memory[far as usize / 8] = 0b1010_0000;
    let text = shown(&memory, |b| {
        let u8_ = b.add_int("unsigned char", 1, 0);
        bits(b, 0x0020_0000, &[("far", u8_, far + 5, 3)])
    });
    assert_eq!(text[0], "{far: 5}");
    let text = shown(&[0xf8; 17], |b| {
        let wide = b.add_int("unsigned __int128", 16, 0);
        bits(b, 32, &[("w", wide, 3, 128), ("gone", wide, 200, 3)])
    });
    let expected = u128::from_le_bytes([0x1f; 16]);
    assert_eq!(text[0], format!("{{w: {expected}, gone: -}}"));
}

/// Compilers that do not support the flag emit an integer of the bitfield's width for each.
#[cfg(target_endian = "little")]
#[test]
fn bitfields_of_old_compilers() {
    let text = shown(&[0b1101_0110], |b| {
        // Width 3, 2 bits after the member's start; then a member at bit offset 5.
        let inside = b.add_raw("int", Info::of(Kind::Int), 1, &[2 << 16 | 3]);
        let beside = b.add_raw("int", Info::of(Kind::Int), 1, &[1 << 24 | 3]);
        b.add_struct("old", 1, &[("a", inside, 0), ("b", beside, 5)])
    });
    assert_eq!(text[0], "{a: 5, b: -2}");
}

#[test]
fn tags_and_qualifiers_are_looked_through() {
    let text = shown(&7_u32.to_ne_bytes(), |b| {
        let int = b.add_int("int", 4, IntEncoding::SIGNED);
        let typedef = b.add_typedef("pid_t", int);
        let constant = b.add_const(typedef);
        let volatile = b.add_volatile(constant);
        let tagged = b.add_type_tag("user", volatile);
        let id = b.add_struct("s", 4, &[("pid", tagged, 0)]);
        b.add_decl_tag("about", id, Some(0));
        b.add_decl_tag("about", id, None)
    });
    assert_eq!(text, ["{pid: 7}", r#"{"pid":7}"#]);
}

#[test]
fn a_section_is_its_variables() {
    let bytes = [1_u64.to_ne_bytes(), 0x1000_u64.to_ne_bytes()].concat();
    let text = shown(&bytes, |b| {
        let long = b.add_int("u64", 8, 0);
        let pointer = b.add_ptr(long);
        let variables = [
            b.add_var("count", Linkage::Global, long),
            b.add_var("at", Linkage::Global, pointer),
        ];
        let place = |type_id, offset| VarSecinfo {
            type_id,
            offset,
            size: 8,
        };
        b.add_datasec(
            ".bss",
            16,
            &[place(variables[0], 0), place(variables[1], 8)],
        )
    });
    assert_eq!(
        text,
        ["{count: 1, at: 0x1000}", r#"{"count":1,"at":"0x1000"}"#]
    );
}

#[test]
fn arrays_of_arrays_truths_and_bytes() {
    let text = shown(b"ab\0\0\x01\0\xab\xcd", |b| {
        let int = b.add_int("int", 4, IntEncoding::SIGNED);
        let char_ = b.add_int("char", 1, IntEncoding::SIGNED);
        let bool_ = b.add_int("_Bool", 1, IntEncoding::BOOL);
        let byte = b.add_int("unsigned char", 1, 0);
        let letter = b.add_array(char_, int, 1);
        let words = b.add_array(letter, int, 4);
        let flags = b.add_array(bool_, int, 2);
        let raw = b.add_array(byte, int, 2);
        let members = [("words", words, 0), ("flags", flags, 32), ("raw", raw, 48)];
        b.add_struct("s", 8, &members)
    });
    assert_eq!(
        text[0],
        "{words: [a, b, , ], flags: [true, false], raw: abcd}"
    );
    assert_eq!(
        text[1],
        r#"{"words":["a","b","",""],"flags":[true,false],"raw":"abcd"}"#
    );
}

/// `struct { u32 len; struct { u16 zero[0]; u16 pad; u32 gap[0]; } in; u16 rest[]; }`
fn flexible(b: &mut BtfBuilder) -> TypeId {
    let int = b.add_int("u32", 4, 0);
    let short = b.add_int("u16", 2, 0);
    let none = b.add_array(short, int, 0);
    let gap = b.add_array(int, int, 0);
    let inner = b.add_struct(
        "in",
        4,
        &[("zero", none, 0), ("pad", short, 0), ("gap", gap, 32)],
    );
    let members = [("len", int, 0), ("in", inner, 32), ("rest", none, 64)];
    b.add_struct("s", 8, &members)
}

#[test]
fn only_the_last_flexible_array_takes_the_rest() {
    let bytes: Vec<u8> = [1_u16, 0, 2, 0, 3, 4]
        .iter()
        .flat_map(|n| n.to_ne_bytes())
        .collect();
    let [text, _] = shown(&bytes, flexible);
    assert_eq!(
        text,
        "{len: 1, in: {zero: [], pad: 2, gap: []}, rest: [3, 4]}"
    );
    let [text, _] = shown(&bytes[..11], flexible);
    assert_eq!(text, "{len: 1, in: {zero: [], pad: 2, gap: []}, rest: [3]}");
}

#[test]
fn a_cut_array_ends_with_what_has_begun() {
    let array = |b: &mut BtfBuilder| {
        let int = b.add_int("u32", 4, 0);
        let pair = b.add_struct("pair", 8, &[("a", int, 0), ("b", int, 32)]);
        b.add_array(pair, int, 1000)
    };
    let bytes = [
        1_u32.to_ne_bytes(),
        2_u32.to_ne_bytes(),
        3_u32.to_ne_bytes(),
    ]
    .concat();
    assert_eq!(shown(&bytes, array)[0], "[{a: 1, b: 2}, {a: 3, b: -}]");
    assert_eq!(shown(&[], array), ["-", "null"]);
}

#[test]
fn text_is_escaped_but_quotes_stay_readable() {
    let shown = |text: &str| {
        let value = Value::Text(text.to_string());
        [value.to_string(), value.json().to_string()]
    };
    assert_eq!(shown("it's \"x\""), ["it's \"x\"", r#""it's \"x\"""#]);
    assert_eq!(
        shown("a\n\u{1b}[1m"),
        [r"a\n\u{1b}[1m", r#""a\n\u001b[1m""#]
    );
    assert_eq!(shown("é\\"), [r"é\\", r#""é\\""#]);
}

#[test]
fn types_without_values_are_errors() {
    let mut b = BtfBuilder::new();
    let proto = b.add_func_proto(TypeId::VOID, Param::NONE);
    let func = b.add_func("f", Linkage::Static, proto);
    let later = b.add_fwd("later", FwdKind::Struct);
    let btf = b.build().unwrap();
    for id in [TypeId::VOID, proto, func, later] {
        assert_eq!(btf.decode(id, &[0; 8]), Err(BtfError::NoSize(id)));
    }
}

#[test]
fn members_upon_each_other_end_at_the_budget() {
    let mut b = BtfBuilder::new();
    let int = b.add_int("u32", 4, 0);
    let long = b.add_array(int, int, 1 << 14);
    let members = vec![("again", long, 0); 1000];
    let id = b.add_struct("s", 1 << 16, &members);
    let btf = b.build().unwrap();
    assert_eq!(
        btf.decode(id, &vec![0; 1 << 16]),
        Err(BtfError::TooMuch(int))
    );
}

#[test]
fn values_stand_in_columns() {
    let (btf, id) = event();
    let value = btf.decode(id, &record()).unwrap();
    let columns = Columns::for_type(&btf, id, &value);
    assert_eq!(columns.heading(), "PID   RET COMM     SADDR     COLOR ARGS");
    assert_eq!(columns.row(&value), "7     -2  cat      127.0.0.1 RED   -x");
    let rows = [Value::Uint(1), Value::Text("longer".into())];
    let columns = Columns::for_rows(&rows);
    assert_eq!(
        [columns.heading(), columns.row(&rows[1])],
        ["VALUE", "longer"]
    );
}

#[test]
fn names_and_texts_give_no_orders_to_terminals() {
    let orders = "\u{1b}[m\u{9b}\u{7f}\n";
    let value = Value::Struct(vec![
        (orders.into(), Value::Text(orders.into())),
        (
            "e".into(),
            Value::Enum {
                name: Some(orders.into()),
                value: 1,
            },
        ),
    ]);
    let shown = r"\u{1b}[m\u{9b}\u{7f}\n";
    assert_eq!(
        value.to_string(),
        format!("{{{shown}: {shown}, e: {shown}}}")
    );
    let columns = Columns::for_rows(std::slice::from_ref(&value));
    let rows = [columns.heading(), columns.row(&value)].concat();
    assert!(!rows.contains(char::is_control), "{rows:?}");
    let json = value.json().to_string();
    assert!(!json.contains(char::is_control), "{json}");
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed[orders], orders);
}
