//! A recorded second opinion on decoding: map elements as `bpftool -j map dump` showed them, as bytes and as values.
//!
//! `fixtures/README.md` says how `fixtures/dumps/values.json` was made.

use rawbpf::TypeId;
use rawbpf::btf::{Btf, Value};
use rawbpf::open::OpenObject;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

fn dump() -> Json {
    let text = std::fs::read_to_string(fixture("dumps/values.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn bytes(hex: &Json) -> Vec<u8> {
    let (pairs, _) = hex.as_str().unwrap().as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
    pairs.iter().map(|pair| byte(pair).unwrap()).collect()
}

/// The key or value of each element: decoded by us, and as bpftool shows it.
fn elements(map: &str, part: &str, id: impl Fn(&OpenObject) -> TypeId) -> Vec<(Value, Json)> {
    let object = OpenObject::from_file(fixture("values.bpf.o")).unwrap();
    let btf: &Btf<'_> = object.btf().unwrap();
    let dump = dump();
    let elements = dump[map].as_array().unwrap();
    assert!(!elements.is_empty());
    elements
        .iter()
        .map(|element| {
            let value = btf.decode(id(&object), &bytes(&element[part])).unwrap();
            (value, element["formatted"][part].clone())
        })
        .collect()
}

/// Whether two numbers are the same bits: bpftool shows bitfields as unsigned numbers, and enumerations as signed ones.
fn same_bits(ours: i128, theirs: i128) -> bool {
    let apart = ours.wrapping_sub(theirs).unsigned_abs();
    apart == 0 || apart.is_power_of_two() && apart > theirs.unsigned_abs().min(ours.unsigned_abs())
}

fn number(theirs: &Json) -> Option<i128> {
    let hex = theirs.as_str().and_then(|text| text.strip_prefix("0x"));
    hex.and_then(|hex| u128::from_str_radix(hex, 16).ok())
        .map(u128::cast_signed)
        .or(theirs.as_i64().map(i128::from))
        .or(theirs.as_u64().map(i128::from))
}

/// Text that is not printable is an array of signed characters there.
fn text(theirs: &Json) -> String {
    let Some(letters) = theirs.as_array() else {
        return theirs.as_str().unwrap().to_string();
    };
    let letters = letters.iter().map(|n| n.as_i64().unwrap().to_le_bytes()[0]);
    let bytes: Vec<u8> = letters.take_while(|b| *b != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn assert_same(ours: &Value, theirs: &Json, path: &str) {
    let same = match ours {
        Value::Int(n) => same_bits(*n, number(theirs).unwrap()),
        Value::Uint(n) => same_bits(n.cast_signed(), number(theirs).unwrap()),
        Value::Pointer(n) => i128::from(*n) == number(theirs).unwrap(),
        Value::Bool(b) => theirs
            .as_bool()
            .or_else(|| number(theirs).map(|n| n != 0))
            .is_some_and(|theirs| theirs == *b),
        Value::Enum { name, value } => match number(theirs) {
            Some(n) => same_bits(*value, n),
            None => name.as_deref() == theirs.as_str(),
        },
        Value::Text(ours) => *ours == text(theirs),
        Value::Bytes(bytes) => theirs.as_array().unwrap().iter().eq(bytes),
        Value::Array(elements) => {
            let theirs = theirs.as_array().unwrap();
            for (i, (ours, theirs)) in elements.iter().zip(theirs).enumerate() {
                assert_same(ours, theirs, &format!("{path}[{i}]"));
            }
            elements.len() == theirs.len()
        }
        Value::Struct(members) => {
            let theirs = flattened(theirs);
            for ((name, ours), (their_name, theirs)) in members.iter().zip(&theirs) {
                assert_eq!(name, their_name, "{path}");
                assert_same(ours, theirs, &format!("{path}.{name}"));
            }
            members.len() == theirs.len()
        }
        other => panic!("{path}: {other:?}"),
    };
    assert!(same, "{path}: {ours:?}, not {theirs}");
}

/// Members, including those of anonymous members.
fn flattened(object: &Json) -> Vec<(String, Json)> {
    let mut members = Vec::new();
    for (name, value) in object.as_object().unwrap() {
        if name.is_empty() {
            members.extend(flattened(value));
        } else {
            members.push((name.clone(), value.clone()));
        }
    }
    members
}

#[test]
fn keys_and_values_of_a_map_are_what_bpftool_says() {
    let map = |object: &OpenObject| (*object).map("values").unwrap().clone();
    for (ours, theirs) in elements("values", "key", |object| map(object).key_type()) {
        assert_same(&ours, &theirs, "key");
    }
    for (ours, theirs) in elements("values", "value", |object| map(object).value_type()) {
        assert_same(&ours, &theirs, "value");
    }
}

#[test]
fn the_variables_of_a_section_are_what_bpftool_says() {
    let section = |object: &OpenObject| {
        let map = object.map(".data.filled").unwrap();
        map.value_type()
    };
    for (ours, theirs) in elements(".data.filled", "value", section) {
        // In bpftool's output, a section is an array of objects with one variable each.
        let theirs = theirs[".data.filled"].as_array().unwrap().iter();
        let theirs: serde_json::Map<String, Json> = theirs
            .flat_map(|one| one.as_object().unwrap().clone())
            .collect();
        assert_same(&ours, &Json::Object(theirs), ".data.filled");
    }
}

#[test]
fn a_whole_value_as_text() {
    let section = |object: &OpenObject| object.map(".data.filled").unwrap().value_type();
    let (value, _) = elements(".data.filled", "value", section).swap_remove(0);
    assert_eq!(
        value.to_string(),
        "{filled: {byte: 200, signed_byte: -3, truth: true, tiny: LESS, half: 65535, signed_half: -2, \
         word: 9223372036854775808, signed_word: -4611686018427387904, wide: 92233720368547758087, \
         signed_wide: -5, color: GREEN, weather: COLD, distance: FAR, debt: DEEP, \
         bits: {low: 5, signed_low: -7, across: 711448700325, color: GREEN, truth: true, rest: -9}, \
         all: 131073, first: 1, second: 2, points: [{x: 1, y: -1}, {x: 300, y: -300}], \
         matrix: [[1, 2, 3], [-1, -2, -3]], text: it's\\tA, texts: [abc, wxyz], raw: 01020304ff, \
         truths: [false, true], pointer: 0xffff888012345678, known_later: 0x0, function: 0x0, \
         tagged: 0x0}, unnamed: 3}"
    );
}

/// The kernel's structures: bitfields of all kinds, nested unions, flexible arrays, addresses.
#[test]
fn every_structure_of_a_kernel_can_be_decoded() {
    let btf = std::fs::read(fixture("btf/6.18.btf")).unwrap();
    let btf = Btf::parse(&btf).unwrap();
    let bytes = vec![0x5a; 1 << 14];
    let mut structures = 0;
    for ty in btf.types().filter(|ty| ty.kind().is_composite()) {
        match btf.decode(ty.id(), &bytes).unwrap() {
            Value::Struct(members) => assert_eq!(members.is_empty(), ty.vlen() == 0, "{ty:?}"),
            Value::Ip(_) => assert!(ty.name().ends_with("_addr"), "{ty:?}"),
            other => panic!("{ty:?}: {other:?}"),
        }
        structures += 1;
    }
    assert!(structures > 0);
}
