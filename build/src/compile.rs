//! From sources to an object: each is compiled, and all are linked.

use crate::arch::Arch;
use crate::build::{Build, Warnings};
#[cfg(target_os = "linux")]
use crate::cache::{Cache, Inputs, Key};
use crate::clang::{self, Clang};
use crate::compiled::Compiled;
use crate::depfile;
use crate::headers::{VMLINUX, headers};
use crate::includes;
use crate::stage::{File, Staged};
use crate::types::Types;
use rawbpf::linker::Linker;
use rawbpf::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
#[cfg(target_os = "linux")]
use std::fs;
use std::path::Path;

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
        let compiler = Compiler::of(self)?;
        #[cfg(target_os = "linux")]
        if let Some(folder) = &self.cache
            && let Some(cache) = Cache::open(folder)
        {
            return compiler.compile_once(&cache);
        }
        compiler.compile_all()
    }
}

/// The compiler, and what is the same for all sources.
struct Compiler<'b> {
    build: &'b Build,
    clang: Clang,
    arch: Arch,
    types: Types<'b>,
}

impl<'b> Compiler<'b> {
    fn of(build: &'b Build) -> Result<Self> {
        Ok(Self {
            build,
            clang: Clang::find(build.clang.as_deref())?,
            arch: match &build.arch {
                Some(name) => Arch::named(name)?,
                None => Arch::of_target()?,
            },
            types: Types::new(build.btf.as_deref()),
        })
    }

    /// Takes the result from the cache, or compiles and keeps it there.
    #[cfg(target_os = "linux")]
    fn compile_once(&self, cache: &Cache) -> Result<Compiled> {
        let Some(key) = self.key() else {
            return self.compile_all();
        };
        if let Some(found) = cache.find(&key) {
            return Ok(found);
        }
        let compiled = self.compile_all()?;
        cache.keep(&key, &compiled);
        Ok(compiled)
    }

    /// Everything that is known before clang runs. `None` if something cannot be read, which compiling is going to tell.
    #[cfg(target_os = "linux")]
    fn key(&self) -> Option<Key> {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::MetadataExt;
        let mut inputs = Inputs::default();
        inputs.add(env!("CARGO_PKG_VERSION").as_bytes());
        for (name, text) in headers() {
            inputs.add_trusted(name.as_bytes());
            inputs.add_trusted(text.as_bytes());
        }
        let clang = fs::canonicalize(&self.clang.path).ok()?;
        let found = fs::metadata(&clang).ok()?;
        inputs.add(clang.as_os_str().as_bytes());
        for number in [
            found.ino(),
            found.size(),
            found.mtime().cast_unsigned(),
            found.mtime_nsec().cast_unsigned(),
        ] {
            inputs.add(&number.to_ne_bytes());
        }
        for variable in ["CPATH", "C_INCLUDE_PATH"] {
            inputs.add(env::var_os(variable).unwrap_or_default().as_bytes());
        }
        inputs.add_trusted(&fs::read(self.types.path()).unwrap_or_default());
        for source in &self.build.sources {
            for argument in self.arguments(source, &[]) {
                inputs.add(argument.as_bytes());
            }
            inputs.add(&fs::read(source).ok()?);
        }
        Some(inputs.key())
    }

    fn compile_all(&self) -> Result<Compiled> {
        let mut warnings = String::new();
        let mut dependencies = BTreeSet::new();
        let mut objects = Vec::with_capacity(self.build.sources.len());
        for source in &self.build.sources {
            let part = self.compile(source)?;
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
        let output = self
            .clang
            .run(&self.arguments(source, staged.arguments()))?;
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

    fn arguments(&self, source: &Path, staged: &[OsString]) -> Vec<OsString> {
        let build = self.build;
        let mut all: Vec<OsString> = Vec::new();
        let mut add = |argument: &str| all.push(argument.into());
        for argument in [
            "-g",
            "-O2",
            "-std=gnu11",
            "-fno-ident",
            "-fno-stack-protector",
        ] {
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
        all.extend_from_slice(staged);
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
