//! `cargo xtask template`: compiles the eBPF program of the projects that `rawbpf new` writes, with the headers of `rawbpf-build`
//! and this kernel's types.
//!
//! `cli/template/SOURCE.sha256` has the hashes of source and object, so that a source edited without a rebuild does not go
//! unnoticed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rawbpf_build::{Build, Warnings};
use sha2::{Digest, Sha256};

use crate::fixtures::fixtures_dir;

/// Compiles the program and records it.
pub(crate) fn run() -> Result<()> {
    let folder = folder(&fixtures_dir()?);
    // The object has the source's path in it.
    std::env::set_current_dir(&folder).with_context(|| format!("entering {}", folder.display()))?;
    let built = Build::new()
        .source("program.bpf.c")
        .arch("x86")
        .warnings(Warnings::Deny)
        .output("program.bpf.o")
        .compile()?;
    fs::write("SOURCE.sha256", hashes(&folder)?).context("writing SOURCE.sha256")?;
    println!("{} and SOURCE.sha256", built.object().display());
    Ok(())
}

fn folder(fixtures: &Path) -> PathBuf {
    fixtures.join("../cli/template")
}

/// A line for the source, and one for the object.
fn hashes(folder: &Path) -> Result<String> {
    let mut lines = String::new();
    for name in ["program.bpf.c", "program.bpf.o"] {
        let bytes = fs::read(folder.join(name)).with_context(|| format!("reading {name}"))?;
        writeln!(lines, "{:x}  {name}", Sha256::digest(bytes))?;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_was_made_of_the_source() {
        let folder = folder(&fixtures_dir().expect("fixtures"));
        let recorded = fs::read_to_string(folder.join("SOURCE.sha256")).expect("a record");
        let now = hashes(&folder).expect("source and object");
        assert_eq!(now, recorded, "run `cargo xtask template`");
    }
}
