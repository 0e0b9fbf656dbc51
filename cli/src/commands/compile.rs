//! `rawbpf compile`: C sources to an object; and the same for `rawbpf run`, which keeps what it compiled.

use super::write::write_whole;
use crate::show::outlet::say;
use crate::stop::Stop;
use clap::Args;
use rawbpf::{OpenObject, Result};
use rawbpf_build::{Build, Compiled};
use std::env;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(
    after_help = "Needs clang; the headers (<bpf/bpf_helpers.h> and its neighbours) and vmlinux.h are included. Several sources are linked. \
                  The object has type information and no debug information.\n\n\
                  Examples:\n  \
                  rawbpf compile tool.bpf.c\n  \
                  rawbpf compile tool.bpf.c maps.bpf.c -o tool.bpf.o -D MAX_ENTRIES=1024\n  \
                  rawbpf compile tool.bpf.c --arch arm64 --btf vmlinux-of-the-board"
)]
pub(crate) struct CompileArgs {
    /// The sources (.bpf.c)
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// Where to write the object [default: NAME.bpf.o in this folder, for NAME.bpf.c]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The types that vmlinux.h is made of (raw BTF, or an ELF file with a .BTF section) [default: this kernel's]
    #[arg(long, value_name = "FILE")]
    btf: Option<PathBuf>,
    /// The machine that the programs are for, such as x86, arm64, riscv, s390 [default: this one]
    #[arg(long, value_name = "NAME")]
    arch: Option<String>,
    /// The eBPF machine: v1 to v4
    #[arg(long, value_name = "VERSION", default_value = "v3")]
    cpu: String,
    #[command(flatten)]
    compiler: CompilerArgs,
}

/// How to compile a source.
#[derive(Debug, Args)]
pub(crate) struct CompilerArgs {
    /// A folder with headers of the source (may be repeated)
    #[arg(short = 'I', value_name = "DIR")]
    include: Vec<PathBuf>,
    /// A macro for the source: NAME, or NAME=VALUE (may be repeated)
    #[arg(short = 'D', value_name = "NAME")]
    define: Vec<String>,
    /// The compiler [default: $CLANG, else clang, else the newest clang-NN]
    #[arg(long, value_name = "PATH")]
    clang: Option<PathBuf>,
}

impl CompilerArgs {
    /// With these settings.
    fn apply(&self, mut build: Build) -> Build {
        for folder in &self.include {
            build = build.include(folder);
        }
        for definition in &self.define {
            build = build.define(definition);
        }
        match &self.clang {
            Some(clang) => build.clang(clang),
            None => build,
        }
    }
}

pub(crate) fn compile(args: &CompileArgs, stop: &Stop) -> Result<()> {
    let mut build = args.compiler.apply(Build::new()).cpu(&args.cpu);
    for source in &args.sources {
        build = build.source(source);
    }
    if let Some(btf) = &args.btf {
        build = build.btf(btf);
    }
    if let Some(arch) = &args.arch {
        build = build.arch(arch);
    }
    let compiled = build.object()?;
    warn(&compiled, stop);
    let output = match (&args.output, args.sources.first()) {
        (Some(output), _) => output.clone(),
        (None, source) => beside(source.map_or(Path::new(""), PathBuf::as_path)),
    };
    write_whole(&output, compiled.object())?;
    let (len, output) = (compiled.object().len(), output.display());
    say(stop, format_args!("rawbpf: {len} bytes in {output}"));
    Ok(())
}

/// The object of a source, in this folder.
fn beside(source: &Path) -> PathBuf {
    PathBuf::from(source.file_name().unwrap_or_default()).with_extension("o")
}

/// Whether a file is a source.
pub(crate) fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "c")
}

/// Compiles a source, unless that was done before, and opens the object.
pub(crate) fn open(
    source: &Path,
    args: &CompilerArgs,
    btf: Option<&Path>,
    stop: &Stop,
) -> Result<OpenObject> {
    let mut build = args.apply(Build::new()).source(source);
    if let Some(btf) = btf {
        build = build.btf(btf);
    }
    if let Some(folder) = cache() {
        build = build.cache(folder);
    }
    let compiled = build.object()?;
    warn(&compiled, stop);
    let object = OpenObject::from_bytes_named(name(source), compiled.object())?;
    super::object::warn(&object.warnings(), stop);
    Ok(object)
}

/// The name of a source's object, as that of a file: up to the first dot.
fn name(source: &Path) -> String {
    let file = source.file_name().unwrap_or_default().to_string_lossy();
    let (name, _) = file.split_once('.').unwrap_or((&file, ""));
    name.to_owned()
}

/// The user's folder of compiled objects.
fn cache() -> Option<PathBuf> {
    let set = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let caches = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(caches.join("rawbpf/objects"))
}

fn warn(compiled: &Compiled, stop: &Stop) {
    let warnings = compiled.warnings().trim_end();
    if !warnings.is_empty() {
        say(stop, format_args!("{warnings}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_called_after_its_source() {
        for (source, object) in [("src/a.bpf.c", "a.bpf.o"), ("a.c", "a.o"), ("a", "a.o")] {
            assert_eq!(beside(Path::new(source)), Path::new(object));
        }
        assert_eq!(name(Path::new("src/a.bpf.c")), "a");
        assert!(is_source(Path::new("a.bpf.c")) && !is_source(Path::new("a.bpf.o")));
    }
}
