//! The plan of the house, checked: pure rooms do not reach the kernel, and stages import only to the left.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below `src/<room>`, or the file `src/<room>.rs`, but for those that hold tests alone.
fn files(room: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![src.join(room)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.file_stem().is_some_and(|stem| stem == "tests") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let file = src.join(format!("{room}.rs"));
    if file.exists() {
        found.push(file);
    }
    assert!(!found.is_empty(), "there is no room `{room}`");
    found
}

/// Lines of code (no comments, no tests) that match.
fn lines_with(room: &str, matches: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(room) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().take_while(|line| *line != "mod tests {");
        for (number, line) in code.enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if matches(code) {
                found.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    found
}

fn imports(code: &str, room: &str) -> bool {
    code.contains(&format!("crate::{room}::")) || code.contains(&format!("crate::{room};"))
}

#[test]
fn pure_rooms_do_not_reach_the_kernel() {
    for room in [
        "elf",
        "btf",
        "insn",
        "open",
        "reloc",
        "feature",
        "kinds",
        "ids",
        "error",
        "symbols",
        "near_functions",
        "since",
        "verifier_log",
        "work",
    ] {
        let effects = ["sys", "kernel", "load", "attach", "map", "program", "ring"];
        let found = lines_with(room, |code| {
            effects.iter().any(|effect| imports(code, effect))
                || code.contains("std::fs::")
                || code.contains("std::process")
        });
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn stages_import_only_to_the_left() {
    let stages = ["open", "reloc", "load", "attach"];
    for (index, stage) in stages.iter().enumerate() {
        // Relocation's plan types are the contract that opening prepares for.
        let later = stages
            .iter()
            .skip(index + if *stage == "open" { 2 } else { 1 });
        for later in later {
            let found = lines_with(stage, |code| imports(code, later));
            assert!(found.is_empty(), "{found:#?}");
        }
    }
}

/// `map` and `program` are what loading and attaching stand on.
#[test]
fn handles_know_neither_loading_nor_attaching() {
    for room in ["map", "program"] {
        let found = lines_with(room, |code| {
            imports(code, "load") || imports(code, "attach")
        });
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn only_sys_is_unsafe() {
    for room in [
        "elf", "btf", "insn", "open", "reloc", "load", "attach", "map", "program", "ring", "kernel",
    ] {
        let found = lines_with(room, |code| code.contains("unsafe"));
        assert!(found.is_empty(), "{found:#?}");
    }
}
