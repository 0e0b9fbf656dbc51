//! Headers in C, compared with those that bpftool 7.8 writes for the same objects: the structure, the functions, and what libbpf is
//! told.
//!
//! `tests/skeleton` has what bpftool writes for some fixtures. With `BPFTOOL=PATH`, all fixtures are compared with what
//! that bpftool writes now, and `BPFTOOL_RECORD=1` records it.

use rawbpf::OpenObject;
use rawbpf::bindings::c::{Skeleton, Subskeleton};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The fixtures whose headers are recorded.
const RECORDED: &[&str] = &[
    "arena",
    "globals",
    "jump_table",
    "kconfig",
    "linked_data",
    "no_btf",
    "rich",
    "struct_ops",
    "type_kinds",
    "usdt",
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What others can see of a header, a line for each thing.
fn outline(header: &str) -> String {
    let mut outline = String::new();
    let mut in_structure = false;
    let mut functions = BTreeSet::new();
    let mut told = Vec::new();
    for line in header.lines() {
        in_structure |= line.starts_with("struct ") && line.ends_with(" {") && outline.is_empty();
        in_structure &= line != "#ifdef __cplusplus";
        if in_structure {
            outline.push_str(&line.trim_end().replace('\t', "  "));
            outline.push('\n');
        }
        if let Some((before, _)) = line.split_once('(')
            && let Some((_, word)) = before.rsplit_once("__")
            && FUNCTIONS.contains(&word)
        {
            let name = before.rsplit([' ', '\t', '*']).next().unwrap_or(before);
            functions.insert(name.to_owned());
        }
        if is_told(line) || is_of_class(line) {
            told.push(line.trim().replace("(void **) ", "(void **)"));
        }
    }
    outline.extend(functions.iter().map(|name| format!("{name}()\n")));
    outline.extend(told.iter().map(|line| format!("{line}\n")));
    outline
}

const FUNCTIONS: &[&str] = &[
    "destroy",
    "create_skeleton",
    "open_opts",
    "open",
    "open_and_load",
    "load",
    "attach",
    "detach",
    "elf_bytes",
    "assert",
];

/// A line that fills a record of libbpf's, or checks a variable.
fn is_told(line: &str) -> bool {
    let starts = [
        "\tmap->",
        "\ts->progs[",
        "\ts->vars[",
        "\ts->name",
        "\ts->map_",
        "\ts->prog_",
        "\ts->var_",
        "\t_Static_assert(",
        "\tobj->struct_ops.",
        "#ifndef __",
        "#define BPF_SKEL",
    ];
    starts.iter().any(|start| line.starts_with(start))
}

/// A line of the class in C++.
fn is_of_class(line: &str) -> bool {
    line.contains("::") || line.starts_with("\tstatic inline ")
}

fn ours(fixture: &str, is_sub: bool) -> String {
    let path = folder("fixtures").join(format!("{fixture}.bpf.o"));
    let open = OpenObject::from_file(&path).unwrap();
    if is_sub {
        return Subskeleton::new(&open).write().unwrap();
    }
    let bytes = fs::read(&path).unwrap();
    Skeleton::new(&open, &bytes).write().unwrap()
}

fn recorded(fixture: &str, is_sub: bool) -> PathBuf {
    let kind = if is_sub { "subskel" } else { "skel" };
    folder("tests/skeleton").join(format!("{fixture}.{kind}"))
}

#[test]
fn headers_have_the_names_and_the_layout_of_bpftools() {
    let mut compared = 0;
    for fixture in RECORDED {
        for is_sub in [false, true] {
            // bpftool fails for some.
            let Ok(expected) = fs::read_to_string(recorded(fixture, is_sub)) else {
                continue;
            };
            assert_eq!(outline(&ours(fixture, is_sub)), expected, "{fixture}");
            compared += 1;
        }
    }
    assert_eq!(compared, 18);
}

#[test]
fn all_headers_are_as_bpftools_are_now() {
    let Some(bpftool) = std::env::var_os("BPFTOOL") else {
        return;
    };
    let record = std::env::var_os("BPFTOOL_RECORD").is_some();
    for entry in fs::read_dir(folder("fixtures")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(fixture) = name.strip_suffix(".bpf.o") else {
            continue;
        };
        for (is_sub, word) in [(false, "skeleton"), (true, "subskeleton")] {
            let theirs = Command::new(&bpftool)
                .args(["gen", word])
                .arg(&path)
                .output();
            let theirs = theirs.unwrap();
            let header = String::from_utf8(theirs.stdout).unwrap();
            if !theirs.status.success() || header.is_empty() {
                println!("{fixture}: bpftool writes no {word}");
                continue;
            }
            let expected = outline(&header);
            assert_eq!(outline(&ours(fixture, is_sub)), expected, "{fixture}");
            if record && RECORDED.contains(&fixture) {
                fs::write(recorded(fixture, is_sub), expected).unwrap();
            }
        }
    }
}

/// The object is in the header, byte by byte.
#[test]
fn a_skeleton_has_the_bytes_of_the_object() {
    let header = ours("globals", false);
    let (_, literal) = header.split_once("__aligned__(8))) =\n").unwrap();
    let (literal, _) = literal.split_once("\t\t;\n").unwrap();
    let mut bytes = Vec::new();
    for line in literal.lines() {
        let line = line
            .trim()
            .strip_prefix('"')
            .unwrap()
            .strip_suffix('"')
            .unwrap();
        let mut rest = line.bytes().peekable();
        while let Some(byte) = rest.next() {
            if byte != b'\\' {
                bytes.push(byte);
                continue;
            }
            let mut number = None;
            for _ in 0..3 {
                if let Some(digit) = rest.next_if(|b| (b'0'..=b'7').contains(b)) {
                    number = Some(number.unwrap_or(0_u32) * 8 + u32::from(digit - b'0'));
                }
            }
            let byte = match number {
                Some(number) => u8::try_from(number).unwrap(),
                None => rest.next().unwrap(),
            };
            bytes.push(byte);
        }
    }
    assert_eq!(bytes, fs::read(folder("fixtures/globals.bpf.o")).unwrap());
}

#[test]
fn a_name_that_c_does_not_have_is_refused() {
    let open = OpenObject::from_file(folder("fixtures/globals.bpf.o")).unwrap();
    for name in ["", "1", "a b", "while", "a;", "größe"] {
        let error = Subskeleton::new(&open).name(name).write().unwrap_err();
        assert_eq!(error.kind(), rawbpf::ErrorKind::InvalidArgument, "{name}");
        assert!(error.hint().is_some());
    }
    let header = Subskeleton::new(&open).name("other").write().unwrap();
    assert!(header.contains("struct other {") && header.contains("__OTHER_SUBSKEL_H__"));
    // Without types there are no variables.
    let open = OpenObject::from_file(folder("fixtures/no_btf.bpf.o")).unwrap();
    let error = Subskeleton::new(&open).write().unwrap_err();
    assert!(error.to_string().contains("no_btf.bpf.o"), "{error}");
}
