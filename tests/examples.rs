//! Checks that the examples are documented and tested. Needs no kernel; `live_examples.rs` runs them.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The names of all examples, with their sources.
fn examples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let names = fs::read_dir(folder).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".rs").map(str::to_owned)
    });
    names
        .map(|name| {
            let source = read(&format!("examples/{name}.rs"));
            (name, source)
        })
        .collect()
}

#[test]
fn each_is_in_the_readme_and_has_a_live_test() {
    let (readme, tests) = (read("README.md"), read("tests/live_examples.rs"));
    for (name, _) in examples() {
        assert!(
            readme.contains(&format!("| `{name}` |")),
            "{name}: README.md"
        );
        let listed = tests.contains(&format!("    \"{name}\",\n"));
        let calls = [format!("start(\"{name}\""), format!("printed(\"{name}\"")];
        let run = calls.iter().any(|call| tests.contains(call));
        assert!(listed && run, "{name}: tests/live_examples.rs");
    }
}

#[test]
fn each_says_what_it_shows_and_needs_and_is_short() {
    for (name, source) in examples() {
        for words in ["//! Shows: ", "//! Needs: "] {
            assert!(
                source.contains(words),
                "{name} says nothing after `{words}`"
            );
        }
        let lines = source.lines().count();
        assert!(lines <= 120, "{name} has {lines} lines");
    }
}

/// So it is compiled, and loaded on every kernel; its Rust side is a doc test.
#[test]
fn the_first_program_of_the_readme_is_a_fixture() {
    let source = read("fixtures/src/exec.bpf.c");
    let block = format!("```c\n{source}```");
    assert!(read("README.md").contains(&block));
}

/// So they are compiled, and `live_examples.rs` runs them.
#[test]
fn the_rust_programs_of_the_readme_are_examples() {
    let readme = read("README.md");
    let shown = |path| {
        let source = read(path);
        let (_, shown) = source.split_once("\n\n").unwrap();
        shown.replace("fixtures/exec", "exec")
    };
    let library = format!("```rust,no_run\n{}```", shown("tests/readme/library.rs"));
    let exec = shown("tests/readme/exec.rs");
    assert!(readme.contains(&library));
    assert!(readme.contains(&format!("```rust,ignore\n{exec}```")));
    assert!(library.lines().count() <= 17, "15 lines and the fences");
}

#[test]
fn each_feature_is_documented() {
    let manifest = read("Cargo.toml");
    let (_, features) = manifest.split_once("[features]").unwrap();
    let (features, _) = features.split_once("\n[").unwrap();
    let names = features
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| *name != "default");
    for name in names {
        for (file, words) in [
            ("README.md", format!("| `{name}` |")),
            ("src/lib.rs", format!("//! | `{name}` |")),
        ] {
            assert!(read(file).contains(&words), "{name}: {file}");
        }
    }
}
