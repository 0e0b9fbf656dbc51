//! The files that sources include, as far as they can be found without preprocessing: enough to know which of the kernel's types
//! they name. What is missed here is found by clang, and then all types are given to it.

use crate::headers::{VMLINUX, header};
use crate::words::Words;
use rawbpf::{Error, Result};
use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How much is read in all; no program comes near.
const MOST_BYTES: u64 = 64 << 20;

/// What sources include, directly or not.
#[derive(Debug)]
pub(crate) struct Included {
    pub(crate) words: Words,
    /// Whether a file wants a `vmlinux.h`, and there is none of the user's own.
    pub(crate) wants_vmlinux: bool,
}

/// Where a file comes from.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
enum Origin {
    Disk(PathBuf),
    Embedded(&'static str),
}

/// Follows the `#include` lines of a source through these folders and the embedded headers.
pub(crate) fn follow(source: &Path, folders: &[PathBuf]) -> Result<Included> {
    let mut included = Included {
        words: Words::default(),
        wants_vmlinux: false,
    };
    let mut left = MOST_BYTES;
    let mut seen = HashSet::new();
    let mut open = vec![Origin::Disk(source.to_owned())];
    while let Some(origin) = open.pop() {
        if !seen.insert(origin.clone()) {
            continue;
        }
        let text = match &origin {
            Origin::Embedded(text) => {
                included.words.add_header(text);
                (*text).to_owned()
            }
            Origin::Disk(path) => {
                let text = match read(path, &mut left) {
                    Ok(text) => text,
                    Err(e) if path == source => return Err(Error::from_io(e, "read", path)),
                    // clang is going to tell.
                    Err(_) => continue,
                };
                included.words.add_source(&text);
                text
            }
        };
        for name in text.lines().filter_map(Include::of) {
            match name.find(&origin, folders) {
                Some(Origin::Disk(path)) if path.file_name().is_some_and(|f| f == VMLINUX) => {}
                Some(found) => open.push(found),
                None => included.wants_vmlinux |= name.name == VMLINUX,
            }
        }
    }
    Ok(included)
}

fn read(path: &Path, left: &mut u64) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    let read = file.take(*left).read_to_end(&mut bytes)?;
    *left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A line `#include <name>` or `#include "name"`.
#[derive(Debug, PartialEq, Eq)]
struct Include<'l> {
    name: &'l str,
    /// Quoted: looked for beside the file first.
    is_quoted: bool,
}

impl<'l> Include<'l> {
    fn of(line: &'l str) -> Option<Self> {
        let rest = line.trim_start().strip_prefix('#')?.trim_start();
        let rest = rest.strip_prefix("include")?.trim_start();
        let (end, is_quoted) = match rest.chars().next()? {
            '<' => ('>', false),
            '"' => ('"', true),
            _ => return None,
        };
        let (name, _) = rest.get(1..)?.split_once(end)?;
        Some(Self { name, is_quoted })
    }

    fn find(&self, includer: &Origin, folders: &[PathBuf]) -> Option<Origin> {
        let beside = match includer {
            Origin::Disk(path) if self.is_quoted => path.parent(),
            _ => None,
        };
        let folders = beside
            .into_iter()
            .chain(folders.iter().map(PathBuf::as_path));
        let mut files = folders.map(|folder| folder.join(self.name));
        if let Some(file) = files.find(|file| file.is_file()) {
            return Some(Origin::Disk(file));
        }
        // A header of `bpf/` may name its neighbour alone.
        let neighbour = || header(&format!("bpf/{}", self.name)).filter(|_| self.is_quoted);
        header(self.name).or_else(neighbour).map(Origin::Embedded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn include_lines_are_recognized() {
        let of = |line| Include::of(line).map(|include| (include.name, include.is_quoted));
        assert_eq!(of("#include <bpf/x.h>"), Some(("bpf/x.h", false)));
        assert_eq!(of("  #  include \"x.h\" // y"), Some(("x.h", true)));
        for line in [
            "#include X",
            "#include <x",
            "include <x>",
            "#define include",
            "#include",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }

    #[test]
    fn headers_beside_a_source_count_and_circles_end() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "a.bpf.c",
            "#include \"vmlinux.h\"\n#include \"a.h\"\n#include <missing.h>\n",
        );
        write("a.h", "#include \"a.h\"\nstruct dentry *d;\n");
        let source = folder.path().join("a.bpf.c");
        let found = follow(&source, &[]).unwrap();
        assert!(found.wants_vmlinux);
        assert!(found.words.may_name("dentry"));
        // One's own is the one that counts.
        write("vmlinux.h", "struct inode;");
        let found = follow(&source, &[]).unwrap();
        assert!(!found.wants_vmlinux);
        assert!(!found.words.may_name("inode"));
        let error = follow(&folder.path().join("b.bpf.c"), &[]).unwrap_err();
        assert!(error.message().contains("b.bpf.c"), "{error}");
    }
}
