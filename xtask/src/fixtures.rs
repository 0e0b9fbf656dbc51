//! `cargo xtask fixtures`: compiles `fixtures/src/*.bpf.c` and records what each object was made
//! from.
//!
//! The record, `fixtures/SOURCES.sha256`, has a line for every object: its name, the hash over its
//! source and all shared headers, and the hash of the object itself. `tests/fixtures.rs` compares
//! it with the tree, so a source edited without a rebuild does not go unnoticed. The same clang
//! gives the same bytes anywhere: sources are compiled by relative paths, and the debug information
//! that could hold others is stripped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

/// What `cargo xtask fixtures` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these objects (`opensnoop`, say); all when none is named.
    names: Vec<String>,
}

/// Rebuilds the objects and the record.
pub(crate) fn run(args: &Args) -> Result<()> {
    let dir = fixtures_dir()?;
    let clang = find_clang()?;
    let strip = strip_for(&clang)?;
    let headers = hash_headers(&dir)?;

    let sources = sources(&dir)?;
    for name in &args.names {
        ensure!(
            sources.contains_key(name),
            "no source {name}.bpf.c in fixtures/src"
        );
    }
    let mut record = read_record(&dir)?;
    record.retain(|name, _| sources.contains_key(name));
    for (name, source) in sources {
        if !args.names.is_empty() && !args.names.contains(&name) {
            continue;
        }
        let text = fs::read(&source).with_context(|| format!("reading {}", source.display()))?;
        compile(&dir, &clang, &strip, &name, &Settings::of(&name, &text)?)?;
        let object = fs::read(dir.join(format!("{name}.bpf.o")))?;
        record.insert(
            name,
            (
                source_hash(&headers, &text),
                format!("{:x}", Sha256::digest(&object)),
            ),
        );
    }
    write_record(&dir, &record)?;
    println!(
        "{} objects recorded in fixtures/SOURCES.sha256",
        record.len()
    );
    Ok(())
}

/// The folder `fixtures` of the checkout that cargo runs this chore in.
///
/// Asked for when it runs, not when it is built: two checkouts may share one target folder.
pub(crate) fn fixtures_dir() -> Result<PathBuf> {
    let xtask = std::env::var("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    let dir = Path::new(&xtask).join("../fixtures");
    dir.canonicalize()
        .with_context(|| format!("finding {}", dir.display()))
}

/// The sources by the name of their object.
fn sources(dir: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir.join("src")).context("listing fixtures/src")? {
        let path = entry?.path();
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if let Some(name) = file.strip_suffix(".bpf.c") {
            found.insert(name.to_owned(), path.clone());
        }
    }
    Ok(found)
}

/// How one source wants to be compiled: the words of its `// build:` line.
#[derive(Debug)]
struct Settings {
    target: &'static str,
    cpu: &'static str,
    debug: Debug,
}

/// Whether an object gets type information.
#[derive(Debug, PartialEq, Eq)]
enum Debug {
    Btf,
    Nothing,
}

impl Settings {
    /// Reads the `// build: ...` line of a source, if it has one.
    fn of(name: &str, source: &[u8]) -> Result<Self> {
        let mut settings = Self {
            target: "bpfel",
            cpu: "v3",
            debug: Debug::Btf,
        };
        let text = String::from_utf8_lossy(source);
        let words = text.lines().find_map(|line| line.strip_prefix("// build:"));
        for word in words.unwrap_or_default().split_whitespace() {
            match word {
                "big-endian" => settings.target = "bpfeb",
                "v2" => settings.cpu = "v2",
                "v4" => settings.cpu = "v4",
                "no-btf" => settings.debug = Debug::Nothing,
                _ => bail!("{name}.bpf.c asks for an unknown build setting `{word}`"),
            }
        }
        Ok(settings)
    }
}

/// Compiles one source and strips its DWARF; `.BTF` and `.BTF.ext` stay.
fn compile(dir: &Path, clang: &str, strip: &str, name: &str, settings: &Settings) -> Result<()> {
    let object = format!("{name}.bpf.o");
    let mut cc = Command::new(clang);
    // A relative source path, and `.` for the folder, keep this machine's paths out of the object.
    cc.current_dir(dir)
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu11"]);
    cc.args([
        "-nostdinc",
        "-fno-ident",
        "-fno-stack-protector",
        "-fdebug-compilation-dir=.",
    ]);
    cc.args([
        "-target",
        settings.target,
        &format!("-mcpu={}", settings.cpu),
        "-Isrc/include",
    ]);
    if settings.debug == Debug::Btf {
        cc.arg("-g");
    }
    cc.args(["-c", &format!("src/{name}.bpf.c"), "-o", &object]);
    succeed(&mut cc, name)?;
    succeed(
        Command::new(strip).current_dir(dir).args(["-g", &object]),
        name,
    )
}

/// Runs a tool that prints its own complaints.
fn succeed(command: &mut Command, name: &str) -> Result<()> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("running {tool}"))?;
    ensure!(status.success(), "{tool} failed on {name}.bpf.c ({status})");
    Ok(())
}

/// The compiler: `$CLANG` if set, else Debian's clang-19, else whatever clang there is.
fn find_clang() -> Result<String> {
    if let Ok(clang) = std::env::var("CLANG") {
        return Ok(clang);
    }
    for clang in ["clang-19", "clang"] {
        if answers(clang) {
            return Ok(clang.to_owned());
        }
    }
    bail!("no clang found; install one (Debian: apt-get install clang-19 llvm-19) or set CLANG")
}

/// The `llvm-strip` that belongs to a clang: same folder, same version suffix.
fn strip_for(clang: &str) -> Result<String> {
    if let Ok(strip) = std::env::var("LLVM_STRIP") {
        return Ok(strip);
    }
    let (folder, file) = clang
        .rsplit_once('/')
        .map_or(("", clang), |(folder, file)| (folder, file));
    let suffix = file.strip_prefix("clang").unwrap_or_default();
    let slash = if folder.is_empty() { "" } else { "/" };
    let strip = format!("{folder}{slash}llvm-strip{suffix}");
    ensure!(
        answers(&strip),
        "{strip} not found; install it (Debian: llvm-19) or set LLVM_STRIP"
    );
    Ok(strip)
}

/// Whether a tool is there at all.
fn answers(tool: &str) -> bool {
    Command::new(tool)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// One hash over all shared headers, names included, in name order.
fn hash_headers(dir: &Path) -> Result<Vec<u8>> {
    let mut headers = Vec::new();
    for entry in fs::read_dir(dir.join("src/include")).context("listing fixtures/src/include")? {
        headers.push(entry?.path());
    }
    headers.sort();
    let mut hash = Sha256::new();
    for header in headers {
        hash.update(header.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update([0]);
        hash.update(fs::read(&header).with_context(|| format!("reading {}", header.display()))?);
    }
    Ok(hash.finalize().to_vec())
}

/// The hash that stands for everything an object was made from.
fn source_hash(headers: &[u8], source: &[u8]) -> String {
    format!(
        "{:x}",
        Sha256::new()
            .chain_update(headers)
            .chain_update(source)
            .finalize()
    )
}

/// Source hash and object hash by object name.
type Record = BTreeMap<String, (String, String)>;

/// The record as it stands; empty when there is none yet.
fn read_record(dir: &Path) -> Result<Record> {
    let mut record = Record::new();
    let Ok(text) = fs::read_to_string(dir.join("SOURCES.sha256")) else {
        return Ok(record);
    };
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(name), Some(source), Some(object)) = (words.next(), words.next(), words.next())
        else {
            bail!(
                "fixtures/SOURCES.sha256 has a line that is not `object source-hash hash`: {line}"
            );
        };
        record.insert(name.to_owned(), (source.to_owned(), object.to_owned()));
    }
    Ok(record)
}

fn write_record(dir: &Path, record: &Record) -> Result<()> {
    let title =
        "# `cargo xtask fixtures` wrote this: object, hash of source and headers, own hash.";
    let mut lines = vec![title.to_owned()];
    lines.extend(
        record
            .iter()
            .map(|(name, (source, object))| format!("{name} {source} {object}")),
    );
    fs::write(dir.join("SOURCES.sha256"), lines.join("\n") + "\n")
        .context("writing fixtures/SOURCES.sha256")
}
