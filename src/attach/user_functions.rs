//! Functions of a program or library by name, including symbols in separate debug files.

use super::binary::{Binary, Contents};
use super::glob;
use crate::elf::debug_symbols::{self, DebugLink};
use crate::elf::functions::Functions;
use crate::elf::{Executable, ReadAt};
use crate::{Errno, Error, ErrorKind, Result};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Where systems keep separate debug files.
const DEBUG_FOLDER: &str = "usr/lib/debug";

/// The offsets of the functions with these names in the program or library.
pub(super) fn offsets(binary: &Binary, contents: &Contents, names: &[&str]) -> Result<Vec<u64>> {
    let functions = Functions::open(contents)?;
    match functions.offsets(names) {
        Err(error) if functions.is_stripped() && error.kind() != ErrorKind::Elf => {}
        result => return result,
    }
    let found = Symbols::find(&binary.path, functions.executable());
    found.add_to(functions)?.offsets(names)
}

/// The offsets of the functions whose name matches a pattern, each of them once.
pub(super) fn matching(binary: &Binary, contents: &Contents, pattern: &str) -> Result<Vec<u64>> {
    let mut functions = Functions::open(contents)?;
    let found;
    if functions.is_stripped() {
        found = Symbols::find(&binary.path, functions.executable());
        functions = found.add_to(functions)?;
    }
    let mut offsets = Vec::new();
    functions.each(&|name| glob::matches(pattern, name), &mut |_, places| {
        offsets.extend(places.iter().map(|place| place.offset));
    })?;
    offsets.sort_unstable();
    offsets.dedup();
    if offsets.is_empty() {
        let message = format!("no function matches `{pattern}`");
        let error = Error::new(ErrorKind::NotFound, message).with_errno(Errno::ENOENT);
        return Err(match functions.advice() {
            Some(advice) => error.with_hint(advice),
            None => error,
        });
    }
    Ok(offsets)
}

/// The symbols of a stripped program, if they were found.
#[derive(Debug, Default)]
struct Symbols {
    file: Option<Box<dyn ReadAt>>,
    /// Where else they were searched for, and why they are not there.
    tried: Vec<String>,
}

impl Symbols {
    /// Searches where debuggers do: by build ID, then by debug link, then in the program itself.
    fn find(path: &Path, program: &Executable<'_>) -> Self {
        let mut symbols = Self::default();
        if let Some(id) = debug_symbols::build_id(program) {
            for root in roots(path) {
                symbols.try_file(&by_build_id(&root, &id), &|file| {
                    let found = debug_symbols::build_id(&Executable::open(file)?);
                    Ok(found.as_ref() == Some(&id))
                });
            }
        }
        if let Some(link) = debug_symbols::debug_link(program) {
            for place in by_link(path, &link) {
                symbols.try_file(&place, &|file| {
                    Ok(debug_symbols::checksum(file)? == link.checksum)
                });
            }
        }
        if symbols.file.is_none() {
            match debug_symbols::embedded(program) {
                Ok(Some(bytes)) => symbols.file = Some(Box::new(bytes)),
                Ok(None) => {}
                Err(error) => symbols.tried.push(error.message().to_owned()),
            }
        }
        symbols
    }

    fn try_file(&mut self, path: &Path, fits: &dyn Fn(&Contents) -> Result<bool>) {
        if self.file.is_some() {
            return;
        }
        let opened = Contents::open(path).and_then(|file| Ok((fits(&file)?, file)));
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

    /// Adds the symbols to the functions, or else advice on where to get them.
    fn add_to<'r>(&'r self, functions: Functions<'r>) -> Result<Functions<'r>> {
        let Some(file) = &self.file else {
            return Ok(functions.with_advice(self.advice()));
        };
        functions
            .with_symbols_of(file.as_ref())
            .map_err(|e| e.context("its debug symbols"))
    }

    fn advice(&self) -> String {
        let mut advice = "the file is stripped".to_owned();
        if self.tried.is_empty() {
            advice.push_str(", and has no build ID or debug link to find its symbols by: use one that is not stripped");
        } else {
            let places = self.tried.join(", ");
            let _ = write!(advice, ": install its debug symbols (looked for {places})");
        }
        advice.push_str(", or give the offset in the file instead of the name");
        advice
    }
}

/// The root directory, preceded by that of the process whose files the path leads to (`/proc/PID/root/...`).
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
    let mut hex = String::new();
    for byte in id {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    let (first, rest) = hex.split_at_checked(2).unwrap_or((&hex, ""));
    let folder = root.join(DEBUG_FOLDER).join(".build-id").join(first);
    folder.join(format!("{rest}.debug"))
}

/// Next to the program, in `.debug` next to it, and in the directory that mirrors the file system.
fn by_link(path: &Path, link: &DebugLink) -> Vec<PathBuf> {
    let name = OsStr::from_bytes(&link.name);
    let mut places = Vec::new();
    // A symbolic link may lead to another directory.
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
