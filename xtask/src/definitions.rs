//! `cargo xtask definitions rust`: writes the types of kernels as Rust, and has the compiler check the size of every structure
//! and the offset of every member. A whole kernel takes several minutes.

use anyhow::{Context, Result, ensure};
use rawbpf::TypeId;
use rawbpf::btf::{Btf, Kind, Type, rust::Module};
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;

/// Arguments of `cargo xtask definitions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The language.
    #[arg(value_enum)]
    language: Language,
    /// BTF, raw or in an ELF file.
    #[arg(default_value = "/sys/kernel/btf/vmlinux")]
    files: Vec<PathBuf>,
    /// The base BTF of the files: a kernel's, for those of its modules.
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// The library `zerocopy` with its macros [default: as built by cargo for this chore].
    #[arg(long, value_name = "FILE.rlib")]
    zerocopy: Option<PathBuf>,
    /// The number of modules, compiled one after the other: all types of a kernel at once take the compiler 8 GB of memory.
    #[arg(long, value_name = "N", default_value = "16")]
    parts: NonZero<usize>,
    /// Keep the modules here, as `FILE-N.rs`.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Language {
    Rust,
}

/// Prints two lines for each module: the output, and the compiler's messages.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let Language::Rust = args.language;
    let base = args.base.as_ref().map(Btf::from_file).transpose()?;
    let base = base.map(Arc::new);
    let folder = tempfile::tempdir()?;
    let keep = args.keep.as_deref().unwrap_or(folder.path());
    let zerocopy = match &args.zerocopy {
        Some(path) => path.clone(),
        None => built(folder.path())?,
    };
    let mut good = true;
    for path in &args.files {
        let btf = match &base {
            Some(base) => Btf::from_file_split(path, base)?,
            None => Btf::from_file(path)?,
        };
        let name = path.file_stem().context("no name of a file")?;
        let name = name.to_string_lossy();
        for (number, module) in (1..).zip(modules(&btf, args.parts)) {
            let source = keep.join(format!("{name}-{number}.rs"));
            write(&module, &source)?;
            let start = Instant::now();
            let said = compile(&source, &zerocopy, folder.path())?;
            let verdict = if said.is_empty() { "ok" } else { "FAILED" };
            println!(
                "{verdict:6} {} in {:.0?}",
                source.display(),
                start.elapsed()
            );
            for line in said.lines().filter(|line| line.contains("error")).take(20) {
                println!("       {line}");
            }
            good &= said.is_empty();
        }
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// All types, split into this many parts, each with its dependencies in the others.
fn modules<'b>(btf: &'b Btf<'b>, parts: NonZero<usize>) -> Vec<Module<'b>> {
    if parts.get() == 1 {
        return vec![Module::new(btf)];
    }
    let is_defined = |ty: &Type<'_>| {
        let kind = ty.kind();
        !ty.name().is_empty()
            && (kind.is_composite() || kind.is_any_enum() || kind == Kind::Typedef)
    };
    let ids: Vec<TypeId> = btf.types().filter(is_defined).map(|ty| ty.id()).collect();
    let chunks = ids.chunks(ids.len().div_ceil(parts.get()).max(1));
    chunks
        .map(|chunk| Module::new(btf).only(chunk.iter().copied()))
        .collect()
}

fn write(module: &Module<'_>, path: &Path) -> Result<()> {
    let mut module = module.write()?;
    let text = module.take_text();
    fs::write(path, &text)?;
    let count = |what: &str| text.matches(what).count();
    println!(
        "{}: {} sizes, {} members, {} bytes",
        path.display(),
        count("::size_of::<"),
        count("::offset_of!("),
        text.len()
    );
    Ok(())
}

/// The compiler's messages; empty if there are none.
fn compile(source: &Path, zerocopy: &Path, folder: &Path) -> Result<String> {
    let libraries = zerocopy.parent().context("no folder of zerocopy")?;
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "--crate-name",
            "types",
        ])
        .args(["--emit", "metadata", "-D", "warnings", "-L"])
        .arg(format!("dependency={}", libraries.display()))
        .arg("--extern")
        .arg(format!("zerocopy={}", zerocopy.display()))
        .arg("--out-dir")
        .arg(folder)
        .arg(source)
        .output()
        .context("cannot start rustc")?;
    ensure!(output.status.code().is_some(), "rustc was killed");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success() || !said.is_empty(),
        "rustc says nothing"
    );
    Ok(said)
}

/// The first build of `zerocopy` next to this program that has its macros.
fn built(folder: &Path) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let libraries = program.parent().context("no folder")?.join("deps");
    let trial = folder.join("trial.rs");
    fs::write(
        &trial,
        "#[derive(::zerocopy::FromBytes)] #[repr(C)] pub struct S(u8);",
    )?;
    for entry in fs::read_dir(&libraries)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_library = name.starts_with("libzerocopy-") && name.ends_with(".rlib");
        if is_library && compile(&trial, &path, folder)?.is_empty() {
            return Ok(path);
        }
    }
    anyhow::bail!(
        "{} has no zerocopy with macros: name one by --zerocopy",
        libraries.display()
    )
}
