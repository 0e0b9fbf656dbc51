//! `cargo xtask api`: lists the public API of the crate `rawbpf` in `docs/public-api.txt`, one item per line, so that
//! reviews see changes to it.
//!
//! rustdoc's JSON lists what is public. Its format is unstable and changes every few compiler releases. So one compiler
//! generates it, the oldest that Cargo.toml supports, whose format `rustdoc-types` reads here; the two are updated together,
//! which is rare. Using the same compiler everywhere also makes the listing the same everywhere. A nightly would have to be
//! pinned by date, and be one more toolchain to fetch. `RUSTC_BOOTSTRAP` makes a released compiler accept the flag, as in
//! `fuzz/run.sh`.
//!
//! Hidden items are read, too: an item with a documented path may be defined in a hidden module. [`listing`] omits everything
//! without a documented path, and rejects documented items that use such a thing.

mod listing;
mod text;

use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The path of the listing.
const LISTING: &str = "docs/public-api.txt";
/// Shared with the check by the oldest compiler in `.ci/run`.
const TARGET: &str = "target/oldest";

/// Arguments of `cargo xtask api`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail, with the difference, if the listing is not up to date.
    #[arg(long)]
    check: bool,
}

/// Writes the listing, or compares it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("no project around xtask")?;
    let mut made = listing::of(&documentation(root)?)?.join("\n");
    made.push('\n');
    let path = root.join(LISTING);
    if !args.check {
        fs::create_dir_all(path.parent().context("no folder")?)?;
        fs::write(&path, &made)?;
        println!("{LISTING}: {} items", made.lines().count());
        return Ok(ExitCode::SUCCESS);
    }
    let written = fs::read_to_string(&path).with_context(|| format!("reading {LISTING}"))?;
    if written == made {
        return Ok(ExitCode::SUCCESS);
    }
    for line in difference(&written, &made) {
        println!("{line}");
    }
    eprintln!("the public API is not what {LISTING} says: run `cargo xtask api` to update it");
    Ok(ExitCode::FAILURE)
}

/// rustdoc's output for the library.
fn documentation(root: &Path) -> Result<rustdoc_types::Crate> {
    let toolchain = oldest_compiler(root)?;
    let status = Command::new("rustup")
        .args(["run", &toolchain, "cargo", "rustdoc", "--quiet", "--locked"])
        .args(["--package", "rawbpf", "--lib", "--all-features"])
        .args(["--target-dir", TARGET, "--", "-Zunstable-options"])
        .args(["--output-format=json", "--document-hidden-items"])
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(root)
        .status()
        .context("rustup cannot be started")?;
    ensure!(
        status.success(),
        "rustdoc of Rust {toolchain} failed; if it is missing: rustup toolchain install --profile minimal {toolchain}"
    );
    let path = root.join(TARGET).join("doc/rawbpf.json");
    let json = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let format = serde_json::from_slice::<Format>(&json)?.format_version;
    if format != rustdoc_types::FORMAT_VERSION {
        bail!(
            "rustdoc of Rust {toolchain} writes format {format}, but xtask reads {}: depend on the `rustdoc-types` of that format",
            rustdoc_types::FORMAT_VERSION
        );
    }
    Ok(serde_json::from_slice(&json)?)
}

/// The one field that every format has.
#[derive(serde::Deserialize)]
struct Format {
    format_version: u32,
}

/// The minimum supported compiler, from Cargo.toml.
fn oldest_compiler(root: &Path) -> Result<String> {
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
        .map(ToOwned::to_owned)
        .context("Cargo.toml has no rust-version")
}

/// The removed and the added lines, in the order of the listing.
fn difference(old: &str, new: &str) -> Vec<String> {
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    for line in new.lines() {
        *counts.entry(line).or_default() += 1;
    }
    for line in old.lines() {
        *counts.entry(line).or_default() -= 1;
    }
    let sign = |count: i32| if count > 0 { '+' } else { '-' };
    counts
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .map(|(line, count)| format!("{} {line}", sign(count)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_changed_line_is_one_gone_and_one_new() {
        let lines = difference("pub fn a()\npub fn b()\n", "pub fn a()\npub fn b(u8)\n");
        assert_eq!(lines, ["- pub fn b()", "+ pub fn b(u8)"]);
    }
}
