//! Finds the separate debug file of a program.
//!
//! The search is by build ID and by debug link, as in debuggers; see [`debug_symbols`]. Not here: reading the files.

use crate::elf::debug_symbols::{self, DebugLink};
use crate::elf::{Executable, ReadAt};
use crate::files::{Limit, Opened};
use crate::{Errno, Result};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Where systems keep the separate debug files of installed programs.
const DEBUG_FOLDER: &str = "usr/lib/debug";

/// The file with a program's symbols, if it was found.
#[derive(Debug, Default)]
pub(crate) struct DebugFile {
    pub(crate) file: Option<Box<dyn ReadAt + Send + Sync>>,
    /// The other locations that were searched, and why the symbols are not there.
    pub(crate) tried: Vec<String>,
}

impl DebugFile {
    /// Searches where debuggers do: by build ID, then by debug link.
    pub(crate) fn find(path: &Path, program: &Executable<'_>) -> Self {
        let mut found = Self::default();
        if let Some(id) = debug_symbols::build_id(program) {
            for root in roots(path) {
                found.try_file(&by_build_id(&root, &id), &|file| {
                    let found = debug_symbols::build_id(&Executable::open(file)?);
                    Ok(found.as_ref() == Some(&id))
                });
            }
        }
        if let Some(link) = debug_symbols::debug_link(program) {
            for place in by_link(path, &link) {
                found.try_file(&place, &|file| {
                    Ok(debug_symbols::checksum(file)? == link.checksum)
                });
            }
        }
        found
    }

    /// Falls back to the compressed symbols in the program itself if no file was found.
    pub(crate) fn or_embedded(mut self, program: &Executable<'_>) -> Self {
        if self.file.is_none() {
            match debug_symbols::embedded(program) {
                Ok(Some(bytes)) => self.file = Some(Box::new(bytes)),
                Ok(None) => {}
                Err(error) => self.tried.push(error.message().to_owned()),
            }
        }
        self
    }

    fn try_file(&mut self, path: &Path, fits: &dyn Fn(&Opened) -> Result<bool>) {
        if self.file.is_some() {
            return;
        }
        let opened = Opened::open(path, Limit::PROGRAM).and_then(|file| Ok((fits(&file)?, file)));
        let why = match opened {
            Ok((true, file)) => {
                self.file = Some(Box::new(file));
                return;
            }
            Ok((false, _)) => " (of another build)".to_owned(),
            Err(error) if error.errno() == Some(Errno::ENOENT) => String::new(),
            Err(error) => format!(" ({})", error.message()),
        };
        self.tried.push(format!("{}{why}", path.display()));
    }
}

/// The root directory, preceded by that of the process whose files the path refers to (`/proc/PID/root/...`).
fn roots(path: &Path) -> Vec<PathBuf> {
    let mut parts = path.components();
    let own = [parts.next(), parts.next(), parts.next(), parts.next()];
    let is_of_process = match own {
        [Some(Component::RootDir), Some(proc), Some(_), Some(root)] => {
            proc.as_os_str() == "proc" && root.as_os_str() == "root"
        }
        _ => false,
    };
    let of_process = is_of_process.then(|| own.into_iter().flatten().collect());
    of_process.into_iter().chain([PathBuf::from("/")]).collect()
}

/// `/usr/lib/debug/.build-id/ab/cdef.debug`
fn by_build_id(root: &Path, id: &[u8]) -> PathBuf {
    let mut path = in_folder(&root.join(DEBUG_FOLDER), id).into_os_string();
    path.push(".debug");
    path.into()
}

/// Where systems list the programs themselves by build ID.
pub(crate) fn places_of_build_id(root: &Path, id: &[u8]) -> [PathBuf; 2] {
    ["usr/lib", DEBUG_FOLDER].map(|folder| in_folder(&root.join(folder), id))
}

/// `.build-id/ab/cdef`
fn in_folder(folder: &Path, id: &[u8]) -> PathBuf {
    let mut hex = String::new();
    for byte in id {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    let (first, rest) = hex.split_at_checked(2).unwrap_or((&hex, ""));
    folder.join(".build-id").join(first).join(rest)
}

/// Next to the program, in `.debug` next to it, and in the directory that mirrors the file system.
fn by_link(path: &Path, link: &DebugLink) -> Vec<PathBuf> {
    let name = OsStr::from_bytes(&link.name);
    let mut places = Vec::new();
    // The target of a symbolic link may be in another directory.
    for path in [Some(path.to_owned()), path.canonicalize().ok()]
        .into_iter()
        .flatten()
    {
        let folder = path.parent().unwrap_or(Path::new("/"));
        places.extend([folder.join(name), folder.join(".debug").join(name)]);
        for root in roots(&path) {
            if let Ok(inside) = folder.strip_prefix(&root) {
                places.push(root.join(DEBUG_FOLDER).join(inside).join(name));
                break;
            }
        }
    }
    let mut seen = Vec::new();
    places.retain(|place| {
        let is_new = !seen.contains(place);
        seen.push(place.clone());
        is_new
    });
    places
}
