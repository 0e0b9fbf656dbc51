//! clang: where it is, and running it.

use rawbpf::{Error, ErrorKind, Result};
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The versions that are looked for when there is no plain `clang`, newest first. Older ones know no relocations of types.
const VERSIONS: std::ops::RangeInclusive<u32> = 11..=40;

const HOW_TO_GET: &str = "install it (Debian, Ubuntu: apt-get install clang; Fedora: dnf install clang; Arch: pacman -S clang; \
                          Alpine: apk add clang), or set CLANG to its path";

/// A compiler that exists.
#[derive(Debug, Clone)]
pub(crate) struct Clang {
    pub(crate) path: PathBuf,
}

impl Clang {
    /// The one that was asked for, else `$CLANG`, else `clang` on the path, else the newest `clang-NN`.
    pub(crate) fn find(wanted: Option<&Path>) -> Result<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        if let Some(wanted) = wanted {
            return Self::named(wanted.as_os_str(), &path, "it was asked for");
        }
        match env::var_os("CLANG").filter(|value| !value.is_empty()) {
            Some(named) => Self::named(&named, &path, "CLANG names it"),
            None => Self::on(&path),
        }
    }

    /// By a path, or by a name that is looked for.
    fn named(name: &OsStr, path: &OsStr, why: &str) -> Result<Self> {
        let is_path = Path::new(name).components().count() > 1;
        let found = if is_path {
            Some(PathBuf::from(name)).filter(|path| path.is_file())
        } else {
            look_for(name, path)
        };
        found.map(|path| Self { path }).ok_or_else(|| {
            let name = name.to_string_lossy();
            Error::new(
                ErrorKind::NotFound,
                format!("there is no `{name}`, and {why}"),
            )
            .with_hint("name another clang, or none: then `clang` on the path is taken")
        })
    }

    fn on(path: &OsStr) -> Result<Self> {
        let names = std::iter::once("clang".to_owned())
            .chain(VERSIONS.rev().map(|version| format!("clang-{version}")));
        let mut found = names.filter_map(|name| look_for(OsStr::new(&name), path));
        found.next().map(|path| Self { path }).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "there is no clang, which compiles C to eBPF: neither `clang` nor `clang-NN` is on the path",
            )
            .with_hint(HOW_TO_GET)
        })
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[OsString]) -> Result<Output> {
        let mut command = Command::new(&self.path);
        command.args(arguments).stdin(Stdio::null());
        command
            .output()
            .map_err(|e| Error::from_io(e, "run", &self.path))
    }
}

/// A program in the folders of a path variable.
fn look_for(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The error for a source that clang refused: its words, at the source's lines.
pub(crate) fn refused(source: &Path, said: &str) -> Error {
    let message = format!("{} does not compile:", source.display());
    let error =
        Error::new(ErrorKind::InvalidArgument, message).with_details(said.trim_end().lines());
    match hint(said) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// What to do about errors that are not about the source itself.
fn hint(said: &str) -> Option<&'static str> {
    let has = |words: &str| said.contains(words);
    if has("No available targets are compatible") || has("unknown target CPU") {
        Some(
            "this clang cannot compile for this eBPF machine: name a newer one with CLANG (Apple's has no eBPF at all), or choose another CPU",
        )
    } else if has("'asm/types.h' file not found") || has("'linux/types.h' file not found") {
        Some(
            "the kernel's headers for user space are missing: install them (Debian, Ubuntu: linux-libc-dev), or include \"vmlinux.h\", which needs none",
        )
    } else if has("'vmlinux.h' file not found") {
        Some("vmlinux.h is made for `#include \"vmlinux.h\"`; a name in a macro is not seen")
    } else if has("Must specify a BPF target arch via __TARGET_ARCH_xxx") {
        Some("say which machine the programs are for: .arch(\"x86\"), or --arch x86")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn plain_clang_goes_before_the_newest_with_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().as_os_str();
        let error = Clang::on(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(
            error.hint().unwrap().contains("apt-get install clang"),
            "{error}"
        );
        let found = || Clang::on(path).unwrap().path;
        for name in ["clang-14", "clang-19", "clang"] {
            fs::write(folder.path().join(name), "").unwrap();
            assert_eq!(found(), folder.path().join(name));
        }
        let named = Clang::named(OsStr::new("clang-14"), path, "CLANG names it").unwrap();
        assert_eq!(named.path, folder.path().join("clang-14"));
        let error = Clang::named(OsStr::new("clang-15"), path, "CLANG names it").unwrap_err();
        assert!(
            error.to_string().contains("`clang-15`, and CLANG names it"),
            "{error}"
        );
    }

    #[test]
    fn clangs_words_keep_their_lines() {
        let error = refused(
            Path::new("a.bpf.c"),
            "a.bpf.c:1:2: error: x\n  1 | \u{1b}y\n",
        );
        assert_eq!(
            error.to_string(),
            "a.bpf.c does not compile:\na.bpf.c:1:2: error: x\n  1 | \\u{1b}y"
        );
        let error = refused(
            Path::new("a.bpf.c"),
            "fatal error: 'asm/types.h' file not found",
        );
        assert!(error.hint().unwrap().contains("linux-libc-dev"));
    }
}
