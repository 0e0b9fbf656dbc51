//! Build scripts: where Cargo wants the object, and what it wants to be told.

use crate::build::Build;
use crate::compiled::Compiled;
use rawbpf::printing::one_line;
use rawbpf::{Error, ErrorKind, Result};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What a build made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    object: PathBuf,
    dependencies: Vec<PathBuf>,
}

impl Built {
    /// The object.
    pub fn object(&self) -> &Path {
        &self.object
    }

    /// The files that it was made of: the sources and all headers that are not this crate's own.
    pub fn dependencies(&self) -> &[PathBuf] {
        &self.dependencies
    }
}

impl Build {
    /// Compiles the sources and writes the object. In a build script, tells Cargo clang's warnings, and which files the object
    /// depends on.
    ///
    /// # Errors
    /// Those of [`Build::object`]; `InvalidArgument` if it is not said where to write the object, and this is no build script;
    /// errors of writing it.
    pub fn compile(&self) -> Result<Built> {
        let object = self.place()?;
        let compiled = self.object()?;
        write_changed(&object, compiled.object())?;
        if env::var_os("OUT_DIR").is_some() {
            let told = self.told(&compiled);
            // Cargo reads it to the end.
            print(&told);
        }
        Ok(Built {
            object,
            dependencies: compiled.dependencies().to_vec(),
        })
    }

    fn place(&self) -> Result<PathBuf> {
        if let Some(path) = &self.output {
            return Ok(path.clone());
        }
        let folder = env::var_os("OUT_DIR").ok_or_else(|| {
            let message = "there is no OUT_DIR to write the object to";
            Error::new(ErrorKind::InvalidArgument, message)
                .with_hint("call it from a build script, or name a file with `.output(...)`")
        })?;
        Ok(Path::new(&folder).join(format!("{}.bpf.o", self.name())))
    }

    /// The lines for Cargo.
    fn told(&self, compiled: &Compiled) -> String {
        let mut lines = String::new();
        let mut add = |key: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(lines, "cargo::{key}={}", one_line(value));
        };
        for path in compiled.dependencies().iter().chain(&self.btf) {
            add("rerun-if-changed", &path.to_string_lossy());
        }
        add("rerun-if-env-changed", "CLANG");
        for line in compiled.warnings().lines() {
            add("warning", line);
        }
        lines
    }
}

#[expect(clippy::print_stdout, reason = "Cargo reads it there")]
fn print(text: &str) {
    print!("{text}");
}

/// Leaves a file alone that has these bytes already, so that nothing that depends on it is built again.
fn write_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).map_err(|e| Error::from_io(e, "write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_told_what_the_object_depends_on_and_what_clang_warns_of() {
        let files = ["src/a.h", "src/tool.bpf.c"].map(PathBuf::from);
        let warnings = "src/tool.bpf.c:1:2: warning: x\n  1 | \u{1b}y\n".to_owned();
        let compiled = Compiled::new(Vec::new(), warnings, files.to_vec());
        let build = Build::new().source("src/tool.bpf.c").btf("6.1.btf");
        assert_eq!(
            build.told(&compiled),
            "cargo::rerun-if-changed=src/a.h\n\
             cargo::rerun-if-changed=src/tool.bpf.c\n\
             cargo::rerun-if-changed=6.1.btf\n\
             cargo::rerun-if-env-changed=CLANG\n\
             cargo::warning=src/tool.bpf.c:1:2: warning: x\n\
             cargo::warning=  1 | \\u{1b}y\n"
        );
    }
}
