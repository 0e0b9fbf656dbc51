//! `cargo xtask fixtures`: compiles `fixtures/src/*.bpf.c`, and the programs of the tools, `tools/src/bpf/*.bpf.c`, and records
//! what each object was made from. The files in a folder, `fixtures/src/NAME/*.bpf.c`, are compiled separately, kept in
//! `fixtures/parts`, and linked into one object.
//!
//! The record, `SOURCES.sha256` beside the objects, has a line for every object: its name, the hash of its source and all shared
//! headers, and the hash of the object itself. `tests/fixtures.rs` compares it with the tree, so a source edited without a
//! rebuild does not go unnoticed. The same clang gives the same bytes anywhere: sources are compiled by relative paths, and
//! the debug information that could hold others is stripped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use rawbpf::linker::Linker;
use sha2::{Digest, Sha256};

/// Arguments of `cargo xtask fixtures`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these objects (for example `opensnoop`); all if none is named
    names: Vec<String>,
}

/// A folder of objects, and what they are made from.
struct Home {
    /// From the root of the checkout.
    folder: &'static str,
    /// What precedes the names of sources, from the folder.
    sources: &'static str,
    /// Folders of headers, from the folder.
    include: &'static [&'static str],
}

const HOMES: [Home; 2] = [
    Home {
        folder: "fixtures",
        sources: "src/",
        include: &["src/include"],
    },
    Home {
        folder: "tools/src/bpf",
        sources: "",
        include: &["include", "../../../fixtures/src/include"],
    },
];

/// Rebuilds the objects and the records.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = fixtures_dir()?.join("..");
    let clang = find_clang()?;
    let strip = strip_for(&clang)?;
    let mut unknown = args.names.clone();
    let mut works = Vec::new();
    for home in &HOMES {
        let dir = root.join(home.folder);
        let sources = sources(&dir, home.sources)?;
        unknown.retain(|name| !sources.contains_key(name));
        works.push((home, dir, sources));
    }
    ensure!(
        unknown.is_empty(),
        "no source {}.bpf.c, and no folder of that name, in fixtures/src or tools/src/bpf",
        unknown.join(", ")
    );
    for (home, dir, sources) in &works {
        let compiler = Compiler {
            dir,
            include: home.include,
            clang: &clang,
            strip: &strip,
        };
        let count = rebuild(&compiler, sources, &args.names)?;
        println!("{count} objects recorded in {}/SOURCES.sha256", home.folder);
    }
    Ok(())
}

/// Rebuilds the objects with these names (all if there are none) and the record; returns how many it has.
fn rebuild(compiler: &Compiler<'_>, sources: &Sources, names: &[String]) -> Result<usize> {
    let dir = compiler.dir;
    let headers = hash_headers(dir, compiler.include)?;
    let mut record = read_record(dir)?;
    record.retain(|name, _| sources.contains_key(name));
    for (name, source) in sources {
        if !names.is_empty() && !names.contains(name) {
            continue;
        }
        let object = format!("{name}.bpf.o");
        match &source[..] {
            [file] => compiler.compile(file, &object)?,
            parts => compiler.link(parts, name, &object)?,
        }
        let bytes = fs::read(dir.join(&object))?;
        let source = source_hash(&headers, dir, source)?;
        record.insert(
            name.clone(),
            (source, format!("{:x}", Sha256::digest(&bytes))),
        );
    }
    write_record(dir, &record)?;
    Ok(record.len())
}

/// The folder `fixtures` of the checkout that cargo runs this chore in.
///
/// Determined at run time, not at build time: two checkouts may share one target folder.
pub(crate) fn fixtures_dir() -> Result<PathBuf> {
    let xtask = std::env::var("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    let dir = Path::new(&xtask).join("../fixtures");
    dir.canonicalize()
        .with_context(|| format!("finding {}", dir.display()))
}

/// Sources by object name, as paths from the folder: one each, or the parts of a linked object in name order.
type Sources = BTreeMap<String, Vec<String>>;

fn sources(dir: &Path, before: &str) -> Result<Sources> {
    let mut found = BTreeMap::new();
    for name in names_in(&dir.join(before))? {
        let path = format!("{before}{name}");
        if let Some(stem) = name.strip_suffix(".bpf.c") {
            found.insert(stem.to_owned(), vec![path]);
        } else if name != "include" && dir.join(&path).is_dir() {
            let parts = names_in(&dir.join(&path))?.into_iter();
            let parts = parts.map(|part| format!("{path}/{part}")).collect();
            found.insert(name, parts);
        }
    }
    Ok(found)
}

/// The names in a folder, sorted.
fn names_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let listing = || format!("listing {}", folder.display());
    for entry in fs::read_dir(folder).with_context(listing)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// How to compile one source: the words of its `// build:` line.
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
    /// Debug information alone, as compilers wrote before there was BTF.
    Dwarf,
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
                "dwarf-only" => settings.debug = Debug::Dwarf,
                _ => bail!("{name} asks for an unknown build setting `{word}`"),
            }
        }
        Ok(settings)
    }
}

/// The programs, and the folder that they work in: relative paths keep this machine's paths out of the objects.
struct Compiler<'a> {
    dir: &'a Path,
    include: &'a [&'a str],
    clang: &'a str,
    strip: &'a str,
}

impl Compiler<'_> {
    /// Compiles one source and strips its DWARF; `.BTF` and `.BTF.ext` stay. Or the other way round.
    fn compile(&self, source: &str, object: &str) -> Result<()> {
        let path = self.dir.join(source);
        let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let settings = Settings::of(source, &text)?;
        let mut cc = Command::new(self.clang);
        cc.current_dir(self.dir)
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
        ]);
        cc.args(self.include.iter().map(|folder| format!("-I{folder}")));
        if settings.debug != Debug::Nothing {
            cc.arg("-g");
        }
        cc.args(["-c", source, "-o", object]);
        succeed(&mut cc, source)?;
        let mut strip = Command::new(self.strip);
        match settings.debug {
            Debug::Dwarf => strip.args(["--no-strip-all", "-R", ".BTF", "-R", ".BTF.ext"]),
            _ => strip.arg("-g"),
        };
        succeed(strip.current_dir(self.dir).arg(object), source)
    }

    /// Compiles the parts of an object, which are kept for tests of the linker, and links them.
    fn link(&self, parts: &[String], name: &str, object: &str) -> Result<()> {
        fs::create_dir_all(self.dir.join("parts")).context("making the folder of parts")?;
        let mut linker = Linker::new();
        for (number, source) in parts.iter().enumerate() {
            let part = format!("parts/{name}.{number}.o");
            self.compile(source, &part)?;
            linker.add_file(self.dir.join(part))?;
        }
        let linked = linker.link()?;
        fs::write(self.dir.join(object), linked).with_context(|| format!("writing {object}"))
    }
}

/// Runs a tool that prints its own errors.
fn succeed(command: &mut Command, name: &str) -> Result<()> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("running {tool}"))?;
    ensure!(status.success(), "{tool} failed on {name} ({status})");
    Ok(())
}

/// The compiler: `$CLANG` if set, else Debian's clang-19, else any clang on the path.
pub(crate) fn find_clang() -> Result<String> {
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

/// Whether a tool can be run at all.
fn answers(tool: &str) -> bool {
    Command::new(tool)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// One hash over all shared headers, names included, in name order within each folder.
fn hash_headers(dir: &Path, include: &[&str]) -> Result<Vec<u8>> {
    let mut hash = Sha256::new();
    let folders = include.iter().map(|folder| dir.join(folder));
    let headers = folders.map(|folder| Ok((names_in(&folder)?, folder)));
    let headers: Vec<_> = headers.collect::<Result<_>>()?;
    let headers = headers
        .iter()
        .flat_map(|(names, folder)| names.iter().map(move |name| (name, folder.join(name))));
    for (name, header) in headers {
        hash.update(name);
        hash.update([0]);
        hash.update(fs::read(&header).with_context(|| format!("reading {}", header.display()))?);
    }
    Ok(hash.finalize().to_vec())
}

/// The hash that stands for everything an object was made from.
fn source_hash(headers: &[u8], dir: &Path, sources: &[String]) -> Result<String> {
    let mut hash = Sha256::new().chain_update(headers);
    for source in sources {
        hash.update(fs::read(dir.join(source)).with_context(|| format!("reading {source}"))?);
    }
    Ok(format!("{:x}", hash.finalize()))
}

/// Source hash and object hash by object name.
type Record = BTreeMap<String, (String, String)>;

/// The current record; empty if there is none yet.
fn read_record(dir: &Path) -> Result<Record> {
    let mut record = Record::new();
    let Ok(text) = fs::read_to_string(dir.join("SOURCES.sha256")) else {
        return Ok(record);
    };
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(name), Some(source), Some(object)) = (words.next(), words.next(), words.next())
        else {
            bail!("SOURCES.sha256 has a line that is not `object source-hash hash`: {line}");
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
    fs::write(dir.join("SOURCES.sha256"), lines.join("\n") + "\n").context("writing SOURCES.sha256")
}
