//! Probes made through tracefs, for kernels without a PMU for probes (before Linux 4.17), and for those who ask for it.
//!
//! Such a probe is a line in a file of tracefs and outlives the process, whatever happens to it. Its name therefore says
//! whose it is, and making a new one first removes those of processes that are gone.

use super::tracefs;
use crate::mounts::{self, Folder};
use crate::{Errno, Error, ErrorKind, Result};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// The kernel's limit for a name, less the zero byte.
const MAX_NAME: usize = 63;
/// What all names start with; the process's number follows.
const PREFIX: &str = "rawbpf_";

/// The two files of tracefs that make probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeFile {
    /// In the kernel.
    Kprobes,
    /// In a program or library.
    Uprobes,
}

impl ProbeFile {
    const fn file_and_group(self) -> (&'static str, &'static str) {
        match self {
            Self::Kprobes => ("kprobe_events", "kprobes"),
            Self::Uprobes => ("uprobe_events", "uprobes"),
        }
    }
}

/// The error of who insists on a perf event of the kernel's own source of probes, where that is missing.
pub(super) fn no_source(probes: ProbeFile) -> Error {
    let (_, name) = probes.file_and_group();
    let message = format!("this kernel has no perf events for {name}");
    Error::new(ErrorKind::Unsupported, message)
        .with_errno(Errno::ENOENT)
        .with_hint(
            "they need Linux 4.17, built with CONFIG_KPROBE_EVENTS (CONFIG_UPROBE_EVENTS); older kernels have \
             ProbeMode::Tracefs",
        )
}

/// Whether the probe fires at the place, or when the function there returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letter {
    /// `p`
    Place,
    /// `r`
    Return,
}

/// A probe in tracefs, removed when this is dropped.
#[derive(Debug)]
pub(super) struct LegacyProbe {
    folder: Folder,
    file: &'static str,
    group: &'static str,
    name: String,
}

impl Drop for LegacyProbe {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            let _ = remove(&self.folder, self.file, self.group, &self.name);
        }
    }
}

impl LegacyProbe {
    /// Removes the probe, and says whether that worked.
    pub(super) fn remove(mut self) -> Result<()> {
        let name = std::mem::take(&mut self.name);
        let doing = format!("remove the probe {name} in");
        remove(&self.folder, self.file, self.group, &name)
            .map_err(|e| Error::from_io(e, &doing, &self.folder.shown(self.file)))
    }

    /// Makes a probe at `place` (`function+0x10`, or `/path:0x10`), called after `label`. `refused` explains the kernel's answer.
    pub(super) fn make(
        file: ProbeFile,
        letter: Letter,
        place: &str,
        label: &str,
        refused: impl Fn(Errno) -> Error,
    ) -> Result<Self> {
        let (file, group) = file.file_and_group();
        let folder = mounts::tracefs()?;
        let path = folder.shown(file);
        if !folder.has(file) {
            let message = format!(
                "this kernel makes no probes: there is no {}",
                path.display()
            );
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("it was built without CONFIG_KPROBE_EVENTS (or CONFIG_UPROBE_EVENTS)"));
        }
        remove_orphans(&folder, file, group);
        let name = probe_name(std::process::id(), label);
        let letter = match letter {
            Letter::Place => 'p',
            Letter::Return => 'r',
        };
        let line = format!("{letter}:{group}/{name} {place}");
        // The kernel takes a line a write.
        folder
            .append(file, line.as_bytes())
            .map_err(|e| match e.raw_os_error() {
                Some(errno) => refused(Errno(errno)),
                None => Error::from_io(e, &format!("make a probe at {place} in"), &path),
            })?;
        Ok(Self {
            folder,
            file,
            group,
            name,
        })
    }

    /// The number of its trace event.
    pub(super) fn event_id(&self) -> Result<u64> {
        tracefs::event_id(self.group, &self.name)
    }
}

/// `rawbpf_<process>_<number>_<label>`, with an underscore for what a name cannot have.
#[doc(alias = "gen_probe_legacy_event_name")]
fn probe_name(process: u32, label: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let label: String = label
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let mut name = format!("{PREFIX}{process}_{number}_{label}");
    name.truncate(MAX_NAME);
    name
}

fn remove(folder: &Folder, file: &str, group: &str, name: &str) -> io::Result<()> {
    folder.append(file, format!("-:{group}/{name}").as_bytes())
}

/// Removes the probes of processes that were killed.
fn remove_orphans(folder: &Folder, file: &str, group: &str) {
    // Without /proc, nobody can be told to be gone.
    if !Path::new("/proc/self").exists() {
        return;
    }
    let listed = folder.read(file).unwrap_or_default();
    for (name, process) in listed.lines().filter_map(|line| ours(line, group)) {
        if !Path::new("/proc").join(process.to_string()).exists() {
            // One that is still in use by somebody else stays.
            let _ = remove(folder, file, group, name);
        }
    }
}

/// The name of a listed probe that this library made, and the process that asked for it.
fn ours<'l>(line: &'l str, group: &str) -> Option<(&'l str, u32)> {
    let (_, rest) = line.split_once(':')?;
    let name = rest.strip_prefix(group)?.strip_prefix('/')?;
    let name = name.split_whitespace().next()?;
    let (process, _) = name.strip_prefix(PREFIX)?.split_once('_')?;
    Some((name, process.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_short_and_plain() {
        let first = probe_name(77, "vfs_read.isra.0+0x10");
        let second = probe_name(77, "vfs_read.isra.0+0x10");
        assert_ne!(first, second);
        assert!(first.ends_with("_vfs_read_isra_0_0x10"), "{first}");
        assert_eq!(probe_name(77, &"x".repeat(100)).len(), MAX_NAME);
    }

    #[test]
    fn own_probes_are_told_from_others() {
        let line = "p:kprobes/rawbpf_4242_0_vfs_read_0x0 vfs_read";
        assert_eq!(
            ours(line, "kprobes"),
            Some(("rawbpf_4242_0_vfs_read_0x0", 4242))
        );
        assert_eq!(ours(line, "uprobes"), None);
        assert_eq!(ours("p:kprobes/libbpf_4242_0_x vfs_read", "kprobes"), None);
        assert_eq!(
            ours("r16:kprobes/rawbpf_7_1_f f", "kprobes"),
            Some(("rawbpf_7_1_f", 7))
        );
    }
}
