//! Build scripts: where Cargo wants the object, and what it wants to be told.

use crate::build::Build;
use crate::compiled::Compiled;
use rawbpf::bindings::{ObjectBytes, Rust};
use rawbpf::printing::one_line;
use rawbpf::{Error, ErrorKind, OpenObject, Result};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What a build made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    object: PathBuf,
    bindings: Option<PathBuf>,
    dependencies: Vec<PathBuf>,
}

impl Built {
    /// The object.
    pub fn object(&self) -> &Path {
        &self.object
    }

    /// The bindings, a module in Rust for `include!`. Only build scripts make them.
    pub fn bindings(&self) -> Option<&Path> {
        self.bindings.as_deref()
    }

    /// The files that it was made of: the sources and all headers that are not this crate's own.
    pub fn dependencies(&self) -> &[PathBuf] {
        &self.dependencies
    }
}

impl Build {
    /// Compiles the sources and writes the object. In a build script, also writes its bindings to `OUT_DIR/NAME.rs`, as
    /// `rawbpf::include_bpf!` makes them, and tells Cargo clang's warnings, and which files the object depends on.
    ///
    /// # Errors
    /// Those of [`Build::object`]; `InvalidArgument` if it is not said where to write the object, and this is no build script;
    /// errors of writing it.
    pub fn compile(&self) -> Result<Built> {
        let object = self.place()?;
        let compiled = self.object()?;
        write_changed(&object, compiled.object())?;
        let mut bindings = None;
        if let Some(folder) = env::var_os("OUT_DIR") {
            let path = Path::new(&folder).join(format!("{}.rs", self.name()));
            let text = self.bindings(&object, compiled.object())?;
            write_changed(&path, text.as_bytes())?;
            bindings = Some(path);
            let told = self.told(&compiled);
            // Cargo reads it to the end.
            print(&told);
        }
        Ok(Built {
            object,
            bindings,
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

    /// A module with Rust types for the object, which contains the bytes of the file.
    fn bindings(&self, file: &Path, object: &[u8]) -> Result<String> {
        let open = OpenObject::from_bytes_named(self.name(), object)?;
        let whole = fs::canonicalize(file).map_err(|e| Error::from_io(e, "find", file))?;
        Rust::new(&open).object(ObjectBytes::Include(whole)).write()
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
    fn bindings_have_the_name_of_the_source_and_the_bytes_of_the_object() {
        let object = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/opensnoop.bpf.o");
        let build = Build::new().source("src/bpf/snoop.bpf.c");
        let text = build
            .bindings(&object, &fs::read(&object).unwrap())
            .unwrap();
        let whole = fs::canonicalize(&object).unwrap();
        assert!(text.contains("pub mod snoop {"), "{text}");
        assert!(
            text.contains(&format!("include_bytes!({whole:?})")),
            "{text}"
        );
        assert!(text.contains("pub targ_tgid: u32"), "{text}");
    }

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
