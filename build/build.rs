//! Embeds `include/`: writes a table of the headers' names and texts for `src/headers.rs`.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).unwrap_or_default();
    let include = variable("CARGO_MANIFEST_DIR").join("include");
    println!("cargo::rerun-if-changed=include");
    let mut headers = Vec::new();
    if include.is_dir() {
        find(&include, &mut headers)?;
    }
    headers.sort();
    let mut table = String::from("&[\n");
    for path in headers {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.strip_prefix(&include).unwrap_or(&path);
        let (name, path) = (name.to_string_lossy(), path.to_string_lossy());
        // Writing to a string does not fail.
        let _ = writeln!(table, "    ({name:?}, include_str!({path:?})),");
    }
    table.push_str("]\n");
    fs::write(variable("OUT_DIR").join("headers.rs"), table)
}

fn find(folder: &Path, headers: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, headers)?;
        } else if path.extension().is_some_and(|extension| extension == "h") {
            headers.push(path);
        }
    }
    Ok(())
}
