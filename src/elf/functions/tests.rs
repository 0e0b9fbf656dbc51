use super::*;
use crate::elf::debug_symbols;
use library::{DATA, HIDDEN, INDIRECT, LABEL, Library, Sections, TEXT_AT, function};
use proptest::prelude::*;

#[path = "../../../tests/live/library.rs"]
pub(crate) mod library;

fn offset(library: &Library, name: &str) -> Result<u64> {
    Functions::open(&library.bytes())?.offset(name)
}

fn refusal(library: &Library, name: &str) -> Error {
    offset(library, name).expect_err("no such function")
}

/// One with exported functions.
fn exporting(symbols: &[library::Symbol]) -> Library {
    Library {
        dynamic: symbols.to_vec(),
        ..Library::default()
    }
}

/// One that was not stripped, and exports nothing.
fn full(symbols: &[library::Symbol]) -> Library {
    Library {
        full: Some(symbols.to_vec()),
        ..Library::default()
    }
}

fn named(library: &Library, matches: &dyn Fn(&str) -> bool) -> Vec<(String, u64)> {
    let bytes = library.bytes();
    let mut found = Vec::new();
    Functions::open(&bytes)
        .unwrap()
        .each(matches, &mut |name, places| {
            let offsets = places.iter().map(|place| place.offset - TEXT_AT);
            found.extend(offsets.map(|offset| (name.to_owned(), offset)));
        })
        .unwrap();
    found
}

#[test]
fn the_place_in_the_file_follows_from_the_program_headers() {
    for sections in [Sections::Right, Sections::TextMoved, Sections::CutOff] {
        let library = Library {
            sections,
            ..exporting(&[function("foo", 16), function("foo2", 32)])
        };
        assert_eq!(offset(&library, "foo").unwrap(), TEXT_AT + 16);
        let bytes = library.bytes();
        let functions = Functions::open(&bytes).unwrap();
        let offsets = functions.offsets(&["foo2", "foo"]).unwrap();
        assert_eq!(offsets, [TEXT_AT + 32, TEXT_AT + 16]);
        let error = refusal(&library, "fo");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("did you mean `foo`"), "{error}");
    }
}

#[test]
fn a_symbol_where_no_code_is_has_no_place() {
    let mut symbol = function("f", 0);
    for (address, word) in [
        (0x80_0000, "nothing is executed"),
        (0x40_0100, "not loaded"),
    ] {
        symbol.address = address;
        let error = refusal(&exporting(&[symbol.clone()]), "f");
        assert_eq!(error.kind(), ErrorKind::Elf);
        assert!(error.message().contains(word), "{error}");
        let found = named(&exporting(&[symbol.clone()]), &|_| true);
        assert!(found.is_empty());
    }
}

#[test]
fn weak_symbols_give_way_and_strong_ones_clash() {
    let f = |at| function("f", at);
    let of = |symbols: &[library::Symbol]| offset(&full(symbols), "f").map(|at| at - TEXT_AT);
    assert_eq!(of(&[f(16).weak(), f(32)]).unwrap(), 32);
    assert_eq!(of(&[f(32), f(16).weak()]).unwrap(), 32);
    assert_eq!(of(&[f(48).weak(), f(16).weak()]).unwrap(), 48);
    assert_eq!(of(&[f(16), f(16)]).unwrap(), 16);
    let error = of(&[f(16), f(32)]).unwrap_err();
    assert!(error.message().contains("ambiguous"), "{error}");
    assert!(error.message().contains("0x1010"), "{error}");
}

#[test]
fn a_plain_name_means_the_default_version() {
    let f = |at, version| function("f", at).version(version);
    let exported = |symbols: &[library::Symbol]| Library {
        versions: vec!["V1", "V2", "V3"],
        ..exporting(symbols)
    };
    let library = exported(&[f(16, 2 | HIDDEN), f(32, 3)]);
    for sections in [Sections::Right, Sections::CutOff] {
        let library = Library {
            sections,
            ..library.clone()
        };
        for (name, expected) in [("f", 32), ("f@V1", 16), ("f@@V2", 32), ("f@V2", 32)] {
            assert_eq!(
                offset(&library, name).unwrap() - TEXT_AT,
                expected,
                "{name}"
            );
        }
    }
    let error = refusal(&library, "f@V3");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("f@@V2, f@V1"), "{error}");

    let library = exported(&[f(16, 2 | HIDDEN), f(32, 3 | HIDDEN)]);
    let error = refusal(&library, "f");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("f@V1, f@V2"), "{error}");
    let library = exported(&[f(16, 2 | HIDDEN)]);
    assert_eq!(
        offset(&library, "f").unwrap() - TEXT_AT,
        16,
        "there is no other"
    );
}

#[test]
fn versions_are_part_of_names_in_the_full_table() {
    let library = full(&[function("f@V1", 16), function("f@@V2", 32)]);
    for (name, expected) in [("f@V1", 16), ("f@@V2", 32), ("f", 32)] {
        assert_eq!(
            offset(&library, name).unwrap() - TEXT_AT,
            expected,
            "{name}"
        );
    }
    assert_eq!(refusal(&library, "f@V3").kind(), ErrorKind::NotFound);
    let library = full(&[function("f@V1", 16), function("f@V2", 32)]);
    let error = refusal(&library, "f");
    assert!(error.message().contains("f@V1, f@V2"), "{error}");
}

#[test]
fn names_of_other_languages_are_names() {
    for name in [
        "main.(*T).Run",
        "github.com/x/y.Run[go.shape.int]",
        "core::fmt::num::<impl u8>::fmt",
        "core$fn$LT$u8$GT$",
        "dotted.fn.0",
        "f+incompatible",
    ] {
        let library = full(&[function(name, 16), function("f", 32)]);
        assert_eq!(offset(&library, name).unwrap() - TEXT_AT, 16, "{name}");
    }
}

#[test]
fn what_is_no_function_is_said() {
    let library = Library {
        full: Some(vec![
            function("memory_fast", 32),
            function("__memory_sse2", 48),
            function("memory_resolver", 16),
            function("other", 0),
        ]),
        ..exporting(&[
            function("memory", 16).kind(INDIRECT),
            function("lonely", 16).kind(INDIRECT),
            function("variable", 0).kind(DATA),
            function("label", 64).kind(LABEL),
            function("elsewhere", 0).undefined(),
        ])
    };
    let error = refusal(&library, "memory");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("IFUNC"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("`__memory_sse2`, `memory_fast`"), "{hint}");
    assert!(!hint.contains("memory_resolver"), "{hint}");
    let hint = refusal(&library, "lonely").hint().unwrap().to_owned();
    assert!(hint.contains("no function here"), "{hint}");
    for (name, word) in [
        ("variable", "is a variable"),
        ("label", "is a label"),
        ("elsewhere", "defined in another file"),
    ] {
        let error = refusal(&library, name);
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains(word), "{error}");
    }
    let hint = refusal(&library, "label").hint().unwrap().to_owned();
    assert!(hint.contains("0x1040"), "{hint}");
    let found = named(&library, &|name| name.contains("memory") || name == "label");
    assert_eq!(found.len(), 3, "patterns mean functions only: {found:?}");
}

#[test]
fn patterns_list_all_that_match() {
    let names = [
        function("get_a", 16),
        function("set_a", 32),
        function("get_b@@V1", 48).weak(),
    ];
    for library in [exporting(&names), full(&names)] {
        let mut found = named(&library, &|name| {
            name.starts_with("get_") && !name.contains('@')
        });
        found.sort();
        assert_eq!(found, [("get_a".into(), 16), ("get_b@@V1".into(), 48)]);
        assert!(named(&library, &|_| false).is_empty());
    }
    let both = Library {
        full: Some(vec![function("get_inner", 64)]),
        ..exporting(&names)
    };
    let found = named(&both, &|name| name.starts_with("get_"));
    assert_eq!(
        found,
        [("get_inner".into(), 64)],
        "of the full table, if that has any"
    );
    assert_eq!(named(&both, &|name| name == "set_a").len(), 1);
}

#[test]
fn symbols_of_a_file_of_debug_information_mean_places_in_the_program() {
    let stripped = exporting(&[function("exported", 16)]);
    let debug = Library {
        // Its own headers and contents say nothing about the program.
        text: vec![0; 0x5000],
        ..full(&[function("exported", 16), function("inner", 32)])
    };
    let mut debug = debug.bytes();
    debug[64 + 8 + 56] = 0x77;
    let program = stripped.bytes();
    let functions = Functions::open(&program).unwrap();
    assert!(functions.is_stripped());
    let error = functions.offset("inner").unwrap_err();
    assert!(error.hint().unwrap().contains("stripped"), "{error}");
    let functions = functions.with_symbols_of(&debug).unwrap();
    assert!(!functions.is_stripped());
    assert_eq!(functions.offset("inner").unwrap(), TEXT_AT + 32);
    let mut found = Vec::new();
    functions
        .each(&|_| true, &mut |name, _| found.push(name.to_owned()))
        .unwrap();
    found.sort();
    found.dedup();
    assert_eq!(found, ["exported", "inner"]);
}

#[test]
fn a_program_says_where_its_symbols_are() {
    let library = |link: &[u8]| Library {
        build_id: vec![0xab, 0xcd, 0xef],
        more: vec![(".gnu_debuglink", link.to_vec())],
        ..Library::default()
    };
    let bytes = library(b"x.debug\0\x01\x02\x03\x04").bytes();
    let file = Executable::open(&bytes).unwrap();
    assert_eq!(debug_symbols::build_id(&file).unwrap(), [0xab, 0xcd, 0xef]);
    let link = debug_symbols::debug_link(&file).unwrap();
    assert_eq!((&*link.name, link.checksum), (&b"x.debug"[..], 0x0403_0201));
    for bad in [
        &b"../x.debug\0\0\x01\x02\x03\x04"[..],
        b"\0\0\0\0\x01\x02\x03\x04",
        b"..\0\0\x01\x02\x03\x04",
        b"x.debug\0\x01\x02",
        b"x.debug",
        b"",
    ] {
        let bytes = library(bad).bytes();
        let file = Executable::open(&bytes).unwrap();
        assert_eq!(debug_symbols::debug_link(&file), None, "{bad:?}");
    }
    let cut_off = Library {
        sections: Sections::CutOff,
        ..library(b"")
    };
    let bytes = cut_off.bytes();
    let file = Executable::open(&bytes).unwrap();
    assert_eq!(
        debug_symbols::build_id(&file).unwrap(),
        [0xab, 0xcd, 0xef],
        "by segment"
    );
}

#[test]
#[cfg(feature = "xz")]
fn packed_symbols_are_unpacked_up_to_a_limit() {
    let library = |packed: &[u8]| Library {
        more: vec![(".gnu_debugdata", packed.to_vec())],
        ..Library::default()
    };
    // `printf inner | xz --check=crc32`
    let packed = b"\xfd\x37\x7a\x58\x5a\x00\x00\x01\x69\x22\xde\x36\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\
        \x01\x00\x04\x69\x6e\x6e\x65\x72\x00\x00\x00\x00\xc9\x0b\x31\x6d\x00\x01\x19\x05\xbc\xe8\xec\xcb\
        \x90\x42\x99\x0d\x01\x00\x00\x00\x00\x01\x59\x5a";
    let bytes = library(packed).bytes();
    let embedded = debug_symbols::embedded(&Executable::open(&bytes).unwrap());
    assert_eq!(embedded.unwrap().unwrap(), b"inner");
    let bytes = library(&packed[..30]).bytes();
    let error = debug_symbols::embedded(&Executable::open(&bytes).unwrap()).unwrap_err();
    assert!(error.message().contains(".gnu_debugdata"), "{error}");
    let bytes = Library::default().bytes();
    assert_eq!(
        debug_symbols::embedded(&Executable::open(&bytes).unwrap()).unwrap(),
        None
    );
}

/// A library with these names in a row, and a function for each place among them.
fn with_names_at(names: &[u8], places: &[usize]) -> Vec<u8> {
    let mut bytes = exporting(&[]).bytes();
    let names_at = bytes.len() as u64;
    bytes.extend(names);
    let symbols_at = bytes.len() as u64;
    bytes.extend([0; 24]);
    for (number, place) in (0..).zip(places) {
        bytes.extend(u32::try_from(*place).unwrap().to_le_bytes());
        bytes.extend([0x12, 0, 1, 0]);
        bytes.extend(
            [library::TEXT + number % 64, 4]
                .map(u64::to_le_bytes)
                .concat(),
        );
    }
    let symbols_len = bytes.len() as u64 - symbols_at;
    // The sections `.dynsym` and `.dynstr`.
    let headers = usize::try_from(u64::from_le_bytes(bytes[40..48].try_into().unwrap())).unwrap();
    for (section, at, len) in [
        (2, symbols_at, symbols_len),
        (3, names_at, names.len() as u64),
    ] {
        let header = headers + section * 64 + 24;
        bytes[header..header + 16].copy_from_slice(&[at, len].map(u64::to_le_bytes).concat());
    }
    bytes
}

/// A million symbols, whose names all end where the same long name does.
#[test]
fn overlapping_names_are_refused() {
    const COUNT: usize = 1_000_000;
    let mut names = vec![b'a'; COUNT];
    names.extend(b"\0f\0");
    let places: Vec<usize> = (0..COUNT).chain([COUNT + 1]).collect();
    let bytes = with_names_at(&names, &places);
    let functions = Functions::open(&bytes).unwrap();
    let error = functions.each(&|name| name.ends_with('b'), &mut |_, _| {});
    let error = error.unwrap_err();
    assert!(error.message().contains("overlap"), "{error}");
    assert!(functions.offset("f").is_err());
    assert!(crate::symbols::Symbols::from_executable(&bytes).is_err());
}

/// All symbols have the same long name: what it means is worked out once.
#[test]
fn twice_the_symbols_of_one_name_take_twice_the_steps() {
    let steps = |count| {
        let mut names = vec![b'a'; LONGEST_NAME];
        names.extend(b"\0ab\0");
        let mut places = vec![0; count];
        places.push(LONGEST_NAME + 1);
        let bytes = with_names_at(&names, &places);
        let functions = Functions::open(&bytes).unwrap();
        let compared = std::cell::Cell::new(0);
        let matches = |name: &str| {
            compared.set(compared.get() + name.len() as u64);
            true
        };
        let (found, steps) = crate::work::steps_of(|| {
            let mut found = 0;
            functions
                .each(&matches, &mut |_, places| found += places.len())
                .unwrap();
            let error = functions.offset("abc").unwrap_err();
            assert!(error.message().contains("`ab`"), "{error}");
            found
        });
        assert_eq!(found, count + 1);
        let symbols = crate::symbols::Symbols::from_executable(&bytes).unwrap();
        assert_eq!(symbols.name_of(TEXT_AT + 1).unwrap().0.len(), LONGEST_NAME);
        steps + compared.get() + count as u64
    };
    let (one, two) = (steps(100_000), steps(200_000));
    assert!(two * 10 <= one * 23, "{one} steps become {two}");
}

#[test]
fn the_c_library_has_versions() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let path = maps.lines().find_map(|line| {
        let path = line.split_whitespace().last()?;
        path.contains("/libc.so.6").then_some(path)
    });
    let Some(path) = path else {
        println!("skipped: this test is not linked with glibc's libc.so.6");
        return;
    };
    let bytes = std::fs::read(path).unwrap();
    let functions = Functions::open(&bytes).unwrap();
    let plain = functions.offset("malloc").unwrap();
    assert!(plain > 0);
    let without_sections = {
        let mut bytes = bytes.clone();
        bytes[40..48].fill(0);
        bytes
    };
    let by_segments = Functions::open(&without_sections).unwrap();
    assert_eq!(by_segments.offset("malloc").unwrap(), plain);
    let mut names = [Vec::new(), Vec::new()];
    for (functions, names) in [&functions, &by_segments].into_iter().zip(&mut names) {
        let mut visit = |name: &str, places: &[FunctionPlace]| {
            names.extend(places.iter().map(|place| (name.to_owned(), *place)));
        };
        functions.each(&|_| true, &mut visit).unwrap();
    }
    // The full table, if it was not stripped, has more.
    assert!(names[1].len() > 1000 && names[0].len() >= names[1].len());
    let error = functions.offset("malloc@NO_SUCH_VERSION").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn other_files_are_refused() {
    let refused = |bytes: &[u8]| Functions::open(&bytes).unwrap_err();
    let error = refused(b"#!/bin/sh\n");
    assert!(error.hint().unwrap().contains("script"), "{error}");
    for bytes in [
        &b""[..],
        b"\x7f",
        b"\x7fELF\x01\x01\x01",
        b"\x7fELF\x02\x01\x01",
    ] {
        assert_eq!(refused(bytes).kind(), ErrorKind::Elf);
    }
    let mut bytes = Library::default().bytes();
    bytes[16] = 1;
    assert!(refused(&bytes).message().contains("object file"));
}

proptest! {
    #[test]
    fn a_file_with_any_bytes_changed_is_read_or_refused(
        changes in proptest::collection::vec((0..3000usize, any::<u8>()), 1..6),
        cut_off: bool,
        cut in 0..8000usize,
    ) {
        let library = Library {
            versions: vec!["V1"],
            full: Some(vec![function("f", 16), function("g", 32)]),
            build_id: vec![1; 20],
            more: vec![(".gnu_debuglink", b"x.debug\0\x01\x02\x03\x04".to_vec())],
            sections: if cut_off { Sections::CutOff } else { Sections::Right },
            ..exporting(&[function("f", 16).version(2), function("g", 32)])
        };
        let mut bytes = library.bytes();
        for (at, byte) in changes {
            // The code is of no interest.
            let at = if at < 288 { at } else { at + 0x1000 };
            let len = bytes.len();
            bytes[at % len] = byte;
        }
        let len = bytes.len();
        for bytes in [&bytes[..], &bytes[..cut % len]] {
            if let Ok(functions) = Functions::open(&bytes) {
                let _ = functions.offset("f");
                let _ = functions.offset("f@V1");
                let _ = functions.offset("no such function");
                let _ = functions.each(&|_| true, &mut |_, _| {});
                let _ = debug_symbols::build_id(functions.executable());
                let _ = debug_symbols::debug_link(functions.executable());
            }
        }
    }
}
