//! Checks `UNSAFE.md`: it names every file that opts in to unsafe code, and all of them are in `src/sys`.

use std::fs;
use std::path::{Path, PathBuf};

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_unsafe_file_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("UNSAFE.md")).unwrap();
    let mut files = Vec::new();
    for folder in ["src", "build/src", "cli/src", "xtask/src"] {
        rust_files(&root.join(folder), &mut files);
    }
    // Assembled here, so that this file does not seem to opt in.
    let opt_in = ["allow(", "unsafe_code)"].concat();
    let mut opted_in = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        if !text.contains(&opt_in) {
            continue;
        }
        opted_in += 1;
        let path = file.strip_prefix(root).unwrap();
        assert!(path.starts_with("src/sys"), "{} is unsafe", path.display());
        assert!(
            text.starts_with("#![allow("),
            "{}: the first line says so",
            path.display()
        );
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            list.contains(name),
            "{} is not in UNSAFE.md",
            path.display()
        );
    }
    assert!(opted_in > 10, "the files were not found");
}
