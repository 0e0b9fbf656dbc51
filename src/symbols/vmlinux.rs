//! A `vmlinux` with debug information: source locations for the running kernel, wherever KASLR has placed it.

use super::names::Symbols;
use crate::Result;
use crate::dwarf::Places;
use crate::elf::parts::Parts;
use crate::elf::{Executable, debug_symbols};
use crate::files::{Limit, Opened, read_regular};
use crate::frame::Frame;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A kernel's `vmlinux`.
#[derive(Debug)]
pub(super) struct Vmlinux {
    places: Places,
    /// The link-time address of the start of the kernel's code.
    start: Option<u64>,
    /// The loaded address ranges: all other addresses belong to modules and BPF programs.
    loaded: Vec<(Range<u64>, u64)>,
}

impl Vmlinux {
    /// Searches where distributions and the kernel's own build put it.
    pub(super) fn search() -> Option<Self> {
        let release = Path::new("/proc/sys/kernel/osrelease");
        let release = read_regular(release, Limit::MAPPINGS).ok()?;
        let release = String::from_utf8(release).ok()?;
        let paths = paths(release.trim_end());
        paths.iter().find_map(|path| {
            let is_ours = is_of_running_kernel(path).unwrap_or(false);
            is_ours.then(|| Self::open(path).ok()).flatten()
        })
    }

    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = Opened::open(path, Limit::KERNEL_IMAGE)?;
        let loaded = Executable::open(&file)?.loaded_parts();
        let parts = Parts::open(&file)?;
        let symbol = |name: &str| {
            let mut symbols = parts.symbols().filter(|symbol| symbol.name == name);
            symbols.next().map(|symbol| symbol.address)
        };
        Ok(Self {
            start: symbol("_stext").or_else(|| symbol("_text")),
            loaded,
            places: Places::open(Box::new(file))?,
        })
    }

    pub(super) fn frames(&mut self, symbols: &Symbols, address: u64) -> Vec<Frame> {
        // The kernel may have been relocated at boot.
        let shift = match (symbols.text_start(), self.start) {
            (Some(running), Some(linked)) => running.wrapping_sub(linked),
            _ => 0,
        };
        let linked = address.wrapping_sub(shift);
        let is_inside = |(part, at): &(Range<u64>, u64)| {
            linked
                .checked_sub(*at)
                .is_some_and(|inside| inside < part.end - part.start)
        };
        if !self.loaded.iter().any(is_inside) {
            return Vec::new();
        }
        self.places.frames(linked).unwrap_or_default()
    }
}

fn paths(release: &str) -> Vec<PathBuf> {
    // It becomes part of paths.
    if release.is_empty() || release.contains('/') {
        return Vec::new();
    }
    [
        format!("/usr/lib/debug/boot/vmlinux-{release}"),
        format!("/usr/lib/debug/lib/modules/{release}/vmlinux"),
        format!("/usr/lib/debug/vmlinux-{release}"),
        format!("/lib/modules/{release}/build/vmlinux"),
        format!("/lib/modules/{release}/vmlinux"),
        format!("/boot/vmlinux-{release}"),
    ]
    .map(PathBuf::from)
    .to_vec()
}

/// Whether the file has the build ID of the running kernel. For kernels without one, the name is enough.
fn is_of_running_kernel(path: &Path) -> Result<bool> {
    let file = Opened::open(path, Limit::KERNEL_IMAGE)?;
    let id = debug_symbols::build_id(&Executable::open(&file)?);
    let notes = read_regular(Path::new("/sys/kernel/notes"), Limit::MAPPINGS);
    Ok(match (id, notes) {
        (Some(id), Ok(notes)) => memchr::memmem::find(&notes, &id).is_some(),
        _ => true,
    })
}
