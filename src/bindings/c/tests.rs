//! Headers for hostile names: whatever things are called, a header has the same parts.

use super::{Skeleton, Subskeleton};
use crate::TypeId;
use crate::btf::{Btf, BtfBuilder, IntEncoding, Linkage, Member, Signedness, VarSecinfo};
use crate::kinds::{MapFlags, MapType};
use crate::open::{DataKind, MapOrigin, OpenMap, OpenObject};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

/// How many names [`object`] gives.
const NAMES: usize = 12;

/// An object in which everything has a name from the list.
fn object(names: &[String; NAMES]) -> OpenObject {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rich.bpf.o");
    let mut open = OpenObject::from_file(path).expect("a fixture");
    let [map, program, section, table, variables @ ..] = names;
    // The sections have different names.
    let suffix = if section == map { "2" } else { "" };
    let section = &format!("{section}{suffix}");
    let (btf, ops) = types(section, table, variables);
    open.btf = Some(Arc::new(btf));
    open.path = None;
    open.name = map.clone();
    open.programs.truncate(2);
    for other in &mut open.programs {
        other.name = program.clone();
    }
    let of_data = |kind, name: &str| OpenMap {
        name: name.to_owned(),
        origin: MapOrigin::Data(kind),
        flags: MapFlags::MMAPABLE.bits(),
        ..OpenMap::default()
    };
    open.maps = vec![
        OpenMap {
            name: map.clone(),
            kind: MapType::HASH,
            ..OpenMap::default()
        },
        of_data(DataKind::Data, section),
        of_data(DataKind::Rodata, map),
        OpenMap {
            name: table.clone(),
            origin: MapOrigin::StructOps,
            value_type: ops,
            ..OpenMap::default()
        },
    ];
    open
}

/// A section with variables of several types, and the type of a table of functions.
fn types(section: &str, table: &str, names: &[String]) -> (Btf<'static>, TypeId) {
    let name = |index: usize| names.get(index).map_or("", String::as_str);
    let mut types = BtfBuilder::new();
    let int = types.add_int("int", 4, IntEncoding::SIGNED);
    let named = types.add_struct(name(0), 4, [(name(1), int, 0)]);
    let nameless = types.add_struct("", 4, [(name(2), int, 0)]);
    let alias = types.add_typedef(name(3), named);
    let to_named = types.add_ptr(named);
    let proto = types.add_func_proto(int, &[(name(4), to_named)]);
    let function = types.add_ptr(proto);
    let constants = types.add_enum(
        "",
        4,
        Signedness::Unsigned,
        [(name(5), 0_i64), (name(6), 1)],
    );
    let all = [named, nameless, alias, to_named, function, constants];
    let variables: Vec<_> = all
        .into_iter()
        .zip((0..).step_by(8))
        .map(|(ty, offset)| VarSecinfo {
            type_id: types.add_var(name(7), Linkage::Global, ty),
            offset,
            size: 4,
        })
        .collect();
    types.add_datasec(section, 64, &variables);
    let ops = types.add_struct(
        table,
        24,
        [
            Member::new(name(0), function, 0),
            Member::new(name(1), int, 64),
            Member::new(name(2), named, 96),
        ],
    );
    (types.build().expect("types"), ops)
}

/// The parts of a text in C: what each word and literal says does not count.
fn parts(text: &str) -> Vec<char> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").expect("an end of the comment").1;
            continue;
        }
        assert!(!rest.starts_with("//"), "{rest}");
        assert!(first.is_ascii(), "{rest}");
        let after = rest.split_at(1).1;
        rest = if first == '"' {
            parts.push('"');
            after_string(after)
        } else if first.is_ascii_alphanumeric() || first == '_' {
            parts.push('w');
            rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_')
        } else {
            if !first.is_ascii_whitespace() {
                parts.push(first);
            }
            after
        };
    }
    parts
}

fn after_string(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        assert_ne!(c, '\n', "a literal does not end on its line");
        match c {
            '"' if !escaped => return text.split_at(at.saturating_add(1)).1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    panic!("a literal does not end");
}

fn headers(open: &OpenObject) -> [String; 2] {
    [
        Skeleton::new(open, b"\x7fELF\"\n")
            .write()
            .expect("a skeleton"),
        Subskeleton::new(open).write().expect("a subskeleton"),
    ]
}

fn benign() -> [String; NAMES] {
    std::array::from_fn(|index| format!("name_{index}"))
}

#[test]
fn names_that_are_words_of_c_or_the_same_do_not_clash() {
    let [expected, _] = headers(&object(&benign())).map(|header| parts(&header));
    let names = std::array::from_fn(|index| ["int", "maps", "obj", "while"][index % 4].to_owned());
    let [header, _] = headers(&object(&names));
    assert_eq!(parts(&header), expected);
    // Both programs are called `maps`.
    assert!(header.contains("struct bpf_program *maps;\n\t\tstruct bpf_program *maps___2;"));
    assert!(header.contains("s->progs[1].prog = &obj->progs.maps___2;"));
    assert!(header.contains("struct bpf_map *int_;"), "{header}");
    // The section of variables `maps` is not the field with all maps.
    assert!(header.contains("*obj___2;"), "{header}");
}

#[test]
fn a_comment_is_not_ended_by_a_name() {
    let mut names = benign();
    names[0] = "*/ int x; /*".to_owned();
    for header in headers(&object(&names)) {
        assert!(header.contains("from * / int x; / *. */"), "{header}");
    }
}

proptest! {
    #[test]
    fn no_name_becomes_code(names in prop::array::uniform12(r#"([a-c0-9_"\\;{}*/?()#'.\n ]|\\PC){1,12}"#)) {
        static EXPECTED: LazyLock<[Vec<char>; 2]> =
            LazyLock::new(|| headers(&object(&benign())).map(|header| parts(&header)));
        let written = headers(&object(&names)).map(|header| parts(&header));
        prop_assert_eq!(&written, &*EXPECTED);
    }
}
