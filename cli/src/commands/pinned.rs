//! Where objects are pinned: every file of the BPF file systems that are mounted.

use super::which::Listed;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// More files are not looked at: a list of pins must not take longer than what it belongs to.
const MOST_FILES: usize = 100_000;

/// The pins of each object of one kind.
#[derive(Debug, Default)]
pub(crate) struct Pins(BTreeMap<u32, Vec<PathBuf>>);

impl Pins {
    /// Opens every file of every BPF file system that is mounted here, as far as this process may.
    pub(crate) fn of_all<K: Listed>() -> Self {
        let mounts = fs::read("/proc/self/mounts").unwrap_or_default();
        let mut pins = Self::default();
        for mount in bpffs(&String::from_utf8_lossy(&mounts)) {
            for file in files(&mount) {
                let info = K::by_pin(&file).and_then(|object| object.ask());
                if let Ok(info) = info {
                    pins.0.entry(K::id_of(&info)).or_default().push(file);
                }
            }
        }
        for paths in pins.0.values_mut() {
            paths.sort();
            paths.dedup();
        }
        pins
    }

    /// Those of one object.
    pub(crate) fn of(&self, id: u32) -> Vec<String> {
        let paths = self.0.get(&id).into_iter().flatten();
        paths
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    }
}

/// The places of the BPF file systems in a list of mounts.
fn bpffs(mounts: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        if let (Some(place), Some("bpf")) = (words.next(), words.next()) {
            found.push(PathBuf::from(unescaped(place)));
        }
    }
    found
}

/// The kernel writes spaces, tabs, line ends and backslashes in a mount's name as three octal digits.
fn unescaped(place: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(place.to_owned(), |place, (code, text)| {
        place.replace(code, text)
    })
}

/// All files under a folder, without following links.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
            if found.len() >= MOST_FILES {
                return found;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bpf_file_systems_are_found_among_mounts() {
        let mounts =
            "proc /proc proc rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\nnone /a\\040b bpf rw 0 0\n";
        assert_eq!(bpffs(mounts), [Path::new("/sys/fs/bpf"), Path::new("/a b")]);
    }
}
