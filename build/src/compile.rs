//! From sources to an object: each is compiled, and all are linked.

use crate::arch::Arch;
use crate::build::{Build, Warnings};
use crate::clang::{self, Clang};
use crate::depfile;
use crate::headers::{VMLINUX, headers};
use crate::includes::{self, Included};
use crate::stage::{File, Staged};
use crate::vmlinux;
use rawbpf::btf::Btf;
use rawbpf::linker::Linker;
use rawbpf::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where a kernel has its types.
const RUNNING: &str = "/sys/kernel/btf/vmlinux";

/// An object, and how it came about.
#[derive(Debug, Clone)]
pub struct Compiled {
    object: Vec<u8>,
    warnings: String,
    dependencies: Vec<PathBuf>,
}

impl Compiled {
    /// The object.
    pub fn object(&self) -> &[u8] {
        &self.object
    }

    /// The same, owned.
    pub fn into_object(self) -> Vec<u8> {
        self.object
    }

    /// clang's warnings, in its words; usually empty.
    pub fn warnings(&self) -> &str {
        &self.warnings
    }

    /// The files that it was made of: the sources and all headers that are not this crate's own, in the order of their names.
    pub fn dependencies(&self) -> &[PathBuf] {
        &self.dependencies
    }
}

impl Build {
    /// Compiles the sources, and writes nothing. [`Build::compile`] is for build scripts.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no clang, no source, or no types to make `vmlinux.h` of;
    /// [`ErrorKind::InvalidArgument`] if a source does not compile: the message is clang's; errors of linking.
    pub fn object(&self) -> Result<Compiled> {
        if self.sources.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "there is nothing to compile",
            ));
        }
        let compiler = Compiler {
            build: self,
            clang: Clang::find(self.clang.as_deref())?,
            arch: match &self.arch {
                Some(name) => Arch::named(name)?,
                None => Arch::of_target()?,
            },
            types: Types::new(self.btf.as_deref()),
        };
        let mut warnings = String::new();
        let mut dependencies = BTreeSet::new();
        let mut objects = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            let part = compiler.compile(source)?;
            warnings.push_str(&part.warnings);
            dependencies.extend(part.dependencies);
            objects.push((source.display().to_string(), part.object));
        }
        let mut linker = Linker::new();
        for (name, object) in &objects {
            linker.add(name.as_str(), object);
        }
        Ok(Compiled {
            // Also of a single one: that drops its debug information.
            object: linker.link()?,
            warnings,
            dependencies: dependencies.into_iter().collect(),
        })
    }
}

/// The compiler, and what is the same for all sources.
struct Compiler<'b> {
    build: &'b Build,
    clang: Clang,
    arch: Arch,
    types: Types<'b>,
}

/// What one run of clang made.
enum Run {
    Done(Compiled),
    /// Its words.
    Refused(String),
}

impl Compiler<'_> {
    fn compile(&self, source: &Path) -> Result<Compiled> {
        let included = includes::follow(source, &self.build.includes)?;
        let first = self.types.of(&included)?;
        let first = self.run(source, first.map(Cow::Owned))?;
        let said = match first {
            Run::Done(compiled) => return Ok(compiled),
            Run::Refused(said) => said,
        };
        // A type may be missing that the source gets at without naming it.
        if !included.wants_vmlinux && !said.contains("'vmlinux.h' file not found") {
            return Err(clang::refused(source, &said));
        }
        match self.run(source, Some(Cow::Borrowed(self.types.all()?)))? {
            Run::Done(compiled) => Ok(compiled),
            Run::Refused(said) => Err(clang::refused(source, &said)),
        }
    }

    fn run(&self, source: &Path, vmlinux: Option<Cow<'_, str>>) -> Result<Run> {
        let files: Vec<File<'_>> = headers()
            .map(|(name, text)| (name, Cow::Borrowed(text)))
            .chain(vmlinux.map(|text| (VMLINUX, text)))
            .collect();
        let mut staged = Staged::new(&files)?;
        let output = self.clang.run(&self.arguments(source, &staged))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return Ok(Run::Refused(if said.trim().is_empty() {
                format!("{} ended with {}", self.clang.path.display(), output.status)
            } else {
                said
            }));
        }
        let dependencies = depfile::dependencies(&staged.rule()?);
        let own = dependencies.into_iter().filter(|path| !Staged::has(path));
        Ok(Run::Done(Compiled {
            object: output.stdout,
            warnings: said,
            dependencies: own.collect(),
        }))
    }

    fn arguments(&self, source: &Path, staged: &Staged) -> Vec<OsString> {
        let build = self.build;
        let mut all: Vec<OsString> = Vec::new();
        let mut add = |argument: &str| all.push(argument.into());
        for argument in ["-g", "-O2", "-std=gnu11", "-fno-ident", "-fno-stack-protector"] {
            add(argument);
        }
        // What clang would leave behind if it crashed.
        add("-fno-crash-diagnostics");
        add("-target");
        add(self.arch.clang_target());
        add(&format!("-mcpu={}", build.cpu));
        add(&format!("-D{}", self.arch.define()));
        for definition in &build.defines {
            add(&format!("-D{definition}"));
        }
        match build.warnings {
            Warnings::Show => add("-Wall"),
            Warnings::Deny => ["-Wall", "-Werror"].into_iter().for_each(&mut add),
            Warnings::Hide => add("-w"),
        }
        // The same bytes wherever the sources are.
        if let Ok(here) = env::current_dir() {
            all.push(prefixed("-fdebug-prefix-map=", &here, "=."));
        }
        for folder in &build.includes {
            all.push(prefixed("-I", folder, ""));
        }
        all.extend_from_slice(staged.arguments());
        all.extend(["-idirafter".into(), self.arch.system_include().into()]);
        all.extend(build.arguments.iter().map(OsString::from));
        all.extend(["-x", "c", "-o", "-", "-c", "--"].map(OsString::from));
        all.push(source.into());
        all
    }
}

fn prefixed(start: &str, path: &Path, end: &str) -> OsString {
    let mut argument = OsString::from(start);
    argument.push(path);
    argument.push(end);
    argument
}

/// The types of a kernel, read when they are first needed.
struct Types<'b> {
    file: Option<&'b Path>,
    btf: OnceCell<Btf<'static>>,
    all: OnceCell<String>,
}

impl<'b> Types<'b> {
    fn new(file: Option<&'b Path>) -> Self {
        Self {
            file,
            btf: OnceCell::new(),
            all: OnceCell::new(),
        }
    }

    /// The `vmlinux.h` of a source, if it wants one.
    fn of(&self, included: &Included) -> Result<Option<String>> {
        if !included.wants_vmlinux {
            return Ok(None);
        }
        let text = vmlinux::naming(self.btf()?, &included.words)?;
        Ok(Some(text))
    }

    /// The `vmlinux.h` with everything.
    fn all(&self) -> Result<&str> {
        if let Some(text) = self.all.get() {
            return Ok(text);
        }
        let text = vmlinux::whole(self.btf()?)?;
        Ok(self.all.get_or_init(|| text))
    }

    fn btf(&self) -> Result<&Btf<'static>> {
        if let Some(btf) = self.btf.get() {
            return Ok(btf);
        }
        let btf = match self.file {
            Some(file) => Btf::from_file(file),
            None => Btf::from_file(RUNNING).map_err(|e| {
                e.with_hint(
                    "vmlinux.h is made of a kernel's types, and this one shows none: name a file with some \
                     (a copy of /sys/kernel/btf/vmlinux of another machine), or put a vmlinux.h beside the source",
                )
            }),
        };
        let btf = btf.map_err(|e| e.context("types for vmlinux.h"))?;
        Ok(self.btf.get_or_init(|| btf))
    }
}
