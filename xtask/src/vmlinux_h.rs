//! `cargo xtask vmlinux-h`: writes the types of kernels as C, and has compilers check the size of every structure, and offset
//! and size of every member.

use anyhow::{Context, Result, ensure};
use rawbpf::btf::{Btf, c::Header};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

/// Arguments of `cargo xtask vmlinux-h`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// BTF, raw or in an ELF file.
    #[arg(default_value = "/sys/kernel/btf/vmlinux")]
    files: Vec<PathBuf>,
    /// The base BTF of the files: a kernel's, for those of its modules.
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// A compiler with its options [default: `gcc`, `clang`, and `clang --target=bpf`] (may be repeated).
    #[arg(long = "compiler", value_name = "COMMAND")]
    compilers: Vec<String>,
    /// Keep the headers in this directory, as `FILE.h`, with the asserts, as `FILE.c`.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

const COMPILERS: &[&str] = &["gcc", "clang", "clang --target=bpf"];

/// Prints a line for each file and compiler.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let base = args.base.as_ref().map(Btf::from_file).transpose()?;
    let base = base.map(Arc::new);
    let folder = tempfile::tempdir()?;
    let folder = args.keep.as_deref().unwrap_or(folder.path());
    let own = args.compilers.iter().map(String::as_str);
    let default = COMPILERS
        .iter()
        .copied()
        .filter(|_| args.compilers.is_empty());
    let compilers: Vec<&str> = own.chain(default).collect();
    let mut good = true;
    for path in &args.files {
        let btf = match &base {
            Some(base) => Btf::from_file_split(path, base)?,
            None => Btf::from_file(path)?,
        };
        let source = write(&btf, path, folder)?;
        for compiler in &compilers {
            good &= check(compiler, path, &source)?;
        }
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Writes the header and its asserts; returns the path of the latter.
fn write(btf: &Btf<'_>, path: &Path, folder: &Path) -> Result<PathBuf> {
    let mut definitions = Header::new(btf).write()?;
    let name = path
        .file_name()
        .context("no name of a file")?
        .to_string_lossy();
    let header = folder.join(format!("{name}.h"));
    fs::write(&header, definitions.take_text())?;
    let source = folder.join(format!("{name}.c"));
    let asserts = definitions.asserts()?;
    fs::write(&source, format!("#include \"{name}.h\"\n{asserts}"))?;
    let count = |start: &str| {
        asserts
            .lines()
            .filter(|line| line.starts_with(start))
            .count()
    };
    println!(
        "{name}: {} sizes, {} members",
        count("SIZE"),
        count("MEMBER")
    );
    Ok(source)
}

fn check(compiler: &str, path: &Path, source: &Path) -> Result<bool> {
    let mut words = compiler.split_whitespace();
    let program = words.next().context("no compiler")?;
    let output = Command::new(program)
        .args(words)
        .args(["-Wall", "-Werror", "-fsyntax-only"])
        .arg(source)
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    ensure!(output.status.code().is_some(), "{compiler} was killed");
    let verdict = if output.status.success() {
        "ok"
    } else {
        "FAILED"
    };
    println!("{verdict:6} {} {compiler}", path.display());
    let said = String::from_utf8_lossy(&output.stderr);
    for line in said.lines().filter(|line| line.contains("error")).take(20) {
        println!("       {line}");
    }
    Ok(output.status.success())
}
