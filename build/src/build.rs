//! What to compile, and how.

use std::path::{Path, PathBuf};

/// Sources, and how to compile them to one object.
///
/// ```no_run
/// use rawbpf_build::{Build, Warnings};
///
/// # fn main() -> rawbpf_build::Result<()> {
/// let built = Build::new()
///     .source("src/bpf/tool.bpf.c")
///     .source("src/bpf/maps.bpf.c")
///     .include("src/bpf/include")
///     .define("MAX_ENTRIES=1024")
///     .warnings(Warnings::Deny)
///     .compile()?;
/// println!("{}", built.object().display());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is compiled before `compile`"]
pub struct Build {
    pub(crate) sources: Vec<PathBuf>,
    pub(crate) includes: Vec<PathBuf>,
    pub(crate) defines: Vec<String>,
    pub(crate) arguments: Vec<String>,
    pub(crate) btf: Option<PathBuf>,
    pub(crate) arch: Option<String>,
    pub(crate) cpu: String,
    pub(crate) clang: Option<PathBuf>,
    pub(crate) warnings: Warnings,
    pub(crate) output: Option<PathBuf>,
    #[cfg(target_os = "linux")]
    pub(crate) cache: Option<PathBuf>,
}

/// What becomes of clang's warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Warnings {
    /// They are reported (`-Wall`).
    #[default]
    Show,
    /// They are errors (`-Wall -Werror`).
    Deny,
    /// There are none (`-w`).
    Hide,
}

impl Default for Build {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            includes: Vec::new(),
            defines: Vec::new(),
            arguments: Vec::new(),
            btf: None,
            arch: None,
            cpu: "v3".to_owned(),
            clang: None,
            warnings: Warnings::default(),
            output: None,
            #[cfg(target_os = "linux")]
            cache: None,
        }
    }
}

impl Build {
    /// Nothing to compile yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source. The object of several is called after the first one.
    pub fn source(mut self, path: impl AsRef<Path>) -> Self {
        self.sources.push(path.as_ref().to_owned());
        self
    }

    /// Adds a folder in which headers are looked for (`-I`), before this crate's own.
    pub fn include(mut self, folder: impl AsRef<Path>) -> Self {
        self.includes.push(folder.as_ref().to_owned());
        self
    }

    /// Defines a macro: `NAME`, or `NAME=VALUE` (`-D`).
    pub fn define(mut self, definition: impl Into<String>) -> Self {
        self.defines.push(definition.into());
        self
    }

    /// Gives clang another argument, after all others.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The types that `vmlinux.h` is made of: raw BTF, or an ELF file with a section `.BTF` [default: the running kernel's].
    pub fn btf(mut self, file: impl AsRef<Path>) -> Self {
        self.btf = Some(file.as_ref().to_owned());
        self
    }

    /// The machine that the programs run on, by Rust's name or the kernel's: it says where the arguments of a probed function are
    /// (`__TARGET_ARCH_x86`), and the byte order [default: in a build script, that of the package; otherwise this one].
    pub fn arch(mut self, name: impl Into<String>) -> Self {
        self.arch = Some(name.into());
        self
    }

    /// The eBPF machine: `v1` to `v4` (`-mcpu`). The default, `v3`, has instructions on 32 bits, so that programs are smaller and
    /// easier to verify, and is in every kernel since Linux 5.1. `v4` (clang 18) needs Linux 6.6.
    pub fn cpu(mut self, version: impl Into<String>) -> Self {
        self.cpu = version.into();
        self
    }

    /// The compiler [default: `$CLANG`, else `clang` on the path, else the newest `clang-NN`].
    pub fn clang(mut self, path: impl AsRef<Path>) -> Self {
        self.clang = Some(path.as_ref().to_owned());
        self
    }

    /// What becomes of warnings.
    pub fn warnings(mut self, warnings: Warnings) -> Self {
        self.warnings = warnings;
        self
    }

    /// Where to write the object [default: `OUT_DIR/NAME.bpf.o`, for `NAME.bpf.c`].
    pub fn output(mut self, path: impl AsRef<Path>) -> Self {
        self.output = Some(path.as_ref().to_owned());
        self
    }

    /// Keeps objects in a folder, and takes them from there as long as nothing changes that they are made of. The folder is made if it
    /// does not exist. One that belongs to somebody else, or that others can read or write, is not used.
    #[cfg(target_os = "linux")]
    pub fn cache(mut self, folder: impl AsRef<Path>) -> Self {
        self.cache = Some(folder.as_ref().to_owned());
        self
    }

    /// What the object is called: the first source without `.bpf.c`.
    pub(crate) fn name(&self) -> String {
        let file = self.sources.first().and_then(|source| source.file_name());
        let file = file.unwrap_or_default().to_string_lossy();
        let stem = file.strip_suffix(".c").unwrap_or(&file);
        stem.strip_suffix(".bpf").unwrap_or(stem).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_called_after_its_first_source() {
        for (source, name) in [
            ("src/bpf/tool.bpf.c", "tool"),
            ("tool.c", "tool"),
            ("a.b.bpf.c", "a.b"),
            ("x", "x"),
        ] {
            assert_eq!(Build::new().source(source).source("y.c").name(), name);
        }
    }
}
