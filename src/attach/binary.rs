//! Which file a program or library of that name is.

use crate::{Errno, Error, ErrorKind, Result};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The file that `name` means: a path as it is; a bare name of a library where the dynamic loader looks, of a program where
/// the shell looks.
#[doc(alias = "resolve_full_path")]
pub(super) fn find(name: &Path) -> Result<PathBuf> {
    let is_path = name.components().count() > 1 || name.is_absolute();
    let text = name.to_string_lossy();
    if is_path || text.is_empty() {
        return Ok(name.to_owned());
    }
    let is_library = text.ends_with(".so") || text.contains(".so.");
    let places = if is_library {
        library_places(env::var_os("LD_LIBRARY_PATH").as_ref())
    } else {
        program_places(env::var_os("PATH").as_ref())
    };
    let mut candidates = places.iter().map(|place| place.join(name));
    candidates
        .find(|path| is_usable(path, is_library))
        .ok_or_else(|| no_file(&text, is_library))
}

fn no_file(name: &str, is_library: bool) -> Error {
    let (what, variable) = if is_library {
        (
            "library",
            "LD_LIBRARY_PATH and the system's library folders",
        )
    } else {
        ("program", "PATH")
    };
    Error::new(
        ErrorKind::NotFound,
        format!("no {what} `{name}` in {variable}"),
    )
    .with_errno(Errno::ENOENT)
    .with_hint("give the file's whole path")
}

fn library_places(variable: Option<&OsString>) -> Vec<PathBuf> {
    let own = variable.into_iter().flat_map(env::split_paths);
    let system = ["/usr/lib64", "/usr/lib"]
        .into_iter()
        .chain(TRIPLET_PLACES.iter().copied());
    own.chain(system.map(PathBuf::from)).collect()
}

/// Where distributions with libraries of several machines keep this machine's.
const TRIPLET_PLACES: &[&str] = if cfg!(target_arch = "x86_64") {
    &["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"]
} else if cfg!(target_arch = "aarch64") {
    &["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
} else if cfg!(target_arch = "riscv64") {
    &["/lib/riscv64-linux-gnu", "/usr/lib/riscv64-linux-gnu"]
} else if cfg!(target_arch = "s390x") {
    &["/lib/s390x-linux-gnu", "/usr/lib/s390x-linux-gnu"]
} else if cfg!(target_arch = "powerpc64") {
    &[
        "/lib/powerpc64le-linux-gnu",
        "/usr/lib/powerpc64le-linux-gnu",
    ]
} else {
    &[]
};

fn program_places(variable: Option<&OsString>) -> Vec<PathBuf> {
    let own = variable.into_iter().flat_map(env::split_paths);
    let system = ["/usr/bin", "/usr/sbin"].map(PathBuf::from);
    own.chain(system).collect()
}

fn is_usable(path: &Path, is_library: bool) -> bool {
    match fs::metadata(path) {
        Ok(data) => data.is_file() && (is_library || data.permissions().mode() & 0o111 != 0),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_as_they_are() {
        for path in ["/bin/sh", "./x", "a/b"] {
            assert_eq!(find(Path::new(path)).ok(), Some(PathBuf::from(path)));
        }
    }

    #[test]
    fn bare_names_are_looked_for() {
        let shell = find(Path::new("sh")).expect("every machine has a shell");
        assert!(shell.is_absolute() && shell.ends_with("sh"));
        let error = find(Path::new("no-such-library.so.1")).expect_err("no such library");
        assert!(error.to_string().contains("LD_LIBRARY_PATH"), "{error}");
    }

    #[test]
    fn the_users_places_come_first() {
        let places = library_places(Some(&"/mine:/yours".into()));
        assert_eq!(
            places[..2],
            [PathBuf::from("/mine"), PathBuf::from("/yours")]
        );
        assert!(places.contains(&PathBuf::from("/usr/lib")));
    }
}
