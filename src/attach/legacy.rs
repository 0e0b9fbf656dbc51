//! Probes created through tracefs, for kernels without a PMU for probes (before Linux 4.17), and on request.
//!
//! Such a probe is a line in a file of tracefs and outlives the process. So its name contains its owner, and creating a new one
//! first removes those of processes that are gone.

use super::tracefs;
use crate::kinds::ProbeKind;
use crate::mounts::{self, Folder};
use crate::sys::perf_event::ProbeMoment;
use crate::sys::system;
use crate::{Errno, Error, ErrorKind, Result};
use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::os::unix::fs::MetadataExt as _;

/// The kernel's limit for a name, without the terminating NUL.
const MAX_NAME: usize = 63;
/// The prefix of all names; the process id follows.
const PREFIX: &str = "rawbpf_";

/// The tracefs file that creates such probes, and the name of their group.
const fn file_and_group(kind: ProbeKind) -> (&'static str, &'static str) {
    match kind {
        ProbeKind::Kprobe => ("kprobe_events", "kprobes"),
        ProbeKind::Uprobe => ("uprobe_events", "uprobes"),
    }
}

/// The error if the kernel's PMU for probes was required, but is missing.
pub(super) fn no_pmu(kind: ProbeKind) -> Error {
    let (_, name) = file_and_group(kind);
    let message = format!("this kernel has no perf events for {name}");
    Error::new(ErrorKind::Unsupported, message)
        .with_errno(Errno::ENOENT)
        .with_hint(
            "they need Linux 4.17, built with CONFIG_KPROBE_EVENTS (CONFIG_UPROBE_EVENTS); older kernels have \
             ProbeMode::Tracefs",
        )
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
    /// Removes the probe, and reports errors.
    pub(super) fn remove(mut self) -> Result<()> {
        let name = std::mem::take(&mut self.name);
        let doing = format!("remove the probe {name} in");
        remove(&self.folder, self.file, self.group, &name)
            .map_err(|e| Error::from_io(e, &doing, &self.folder.shown(self.file)))
    }

    /// Creates a probe at `place` (`function+0x10`, or `/path:0x10`), named after `label`. `refused` explains the kernel's
    /// answer.
    pub(super) fn make(
        kind: ProbeKind,
        moment: ProbeMoment,
        place: &str,
        label: &str,
        refused: impl Fn(Errno) -> Error,
    ) -> Result<Self> {
        let (file, group) = file_and_group(kind);
        let folder = mounts::tracefs()?;
        let path = folder.shown(file);
        check_place(place)?;
        if !folder.has(file)? {
            let message = format!(
                "this kernel makes no probes: there is no {}",
                path.display()
            );
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("it was built without CONFIG_KPROBE_EVENTS (or CONFIG_UPROBE_EVENTS)"));
        }
        remove_orphans(&folder, file, group);
        let name = probe_name(&Owner::this_process(), label);
        let letter = match moment {
            ProbeMoment::Entry => 'p',
            ProbeMoment::Return => 'r',
        };
        let line = format!("{letter}:{group}/{name} {place}");
        // The kernel accepts one line per write.
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

    /// The id of its trace event.
    pub(super) fn event_id(&self) -> Result<u64> {
        tracefs::event_id(self.group, &self.name)
    }
}

/// # Errors
/// `InvalidArgument` for a location that the kernel would parse differently: it splits a line into words, starts a new line
/// after a newline, and drops what follows a `#`.
fn check_place(place: &str) -> Result<()> {
    let splits = |c: char| c.is_whitespace() || c.is_control() || c == '#';
    if !place.contains(splits) {
        return Ok(());
    }
    let message = format!("{place:?} cannot be the place of a probe that is made through tracefs");
    Err(Error::new(ErrorKind::InvalidArgument, message).with_hint(
        "a path or function name with blanks, control characters or `#` cannot be written there; the kernel's perf events for \
         probes (Linux 4.17, ProbeMode::PerfEvent) take any path",
    ))
}

/// The owner of a probe: a process, by its id in its own pid namespace.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    process: u32,
    /// The inode of the namespace, 0 if it cannot be read.
    namespace: u64,
}

impl Owner {
    fn this_process() -> Self {
        Self {
            process: std::process::id(),
            namespace: fs::metadata("/proc/self/ns/pid").map_or(0, |found| found.ino()),
        }
    }

    /// Whether the process is certainly gone; in another namespace, this is never certain.
    fn is_gone(&self, seen_from: &Self) -> bool {
        self.namespace != 0
            && self.namespace == seen_from.namespace
            && !system::is_process(self.process)
    }
}

/// `rawbpf_<process>_<namespace>_<random>_<label>`, with an underscore for characters that are not allowed in names. The
/// random number is for processes in several namespaces with the same id, where none of the namespaces can be read.
#[doc(alias = "gen_probe_legacy_event_name")]
fn probe_name(owner: &Owner, label: &str) -> String {
    // The keys of each `RandomState` are random.
    let random = RandomState::new().build_hasher().finish();
    let label: String = label
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let Owner { process, namespace } = owner;
    let mut name = format!("{PREFIX}{process}_{namespace:x}_{random:x}_{label}");
    name.truncate(MAX_NAME);
    name
}

fn remove(folder: &Folder, file: &str, group: &str, name: &str) -> io::Result<()> {
    folder.append(file, format!("-:{group}/{name}").as_bytes())
}

/// Removes the probes of processes that were killed.
fn remove_orphans(folder: &Folder, file: &str, group: &str) {
    let here = Owner::this_process();
    let listed = folder.read(file).unwrap_or_default();
    for (name, owner) in listed.lines().filter_map(|line| ours(line, group)) {
        if owner.is_gone(&here) {
            // A probe that is still in use stays.
            let _ = remove(folder, file, group, name);
        }
    }
}

/// The name of a listed probe that this library created, and its owner.
fn ours<'l>(line: &'l str, group: &str) -> Option<(&'l str, Owner)> {
    let (_, rest) = line.split_once(':')?;
    let name = rest.strip_prefix(group)?.strip_prefix('/')?;
    let name = name.split_whitespace().next()?;
    let mut parts = name.strip_prefix(PREFIX)?.splitn(3, '_');
    let owner = Owner {
        process: parts.next()?.parse().ok()?,
        namespace: u64::from_str_radix(parts.next()?, 16).ok()?,
    };
    Some((name, owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_short_and_plain() {
        let owner = Owner::this_process();
        let first = probe_name(&owner, "vfs_read.isra.0+0x10");
        let second = probe_name(&owner, "vfs_read.isra.0+0x10");
        assert_ne!(first, second);
        assert!(first.ends_with("_vfs_read_isra_0_0x10"), "{first}");
        assert_eq!(probe_name(&owner, &"x".repeat(100)).len(), MAX_NAME);
    }

    #[test]
    fn own_probes_are_told_from_others() {
        let owner = |process, namespace| Owner { process, namespace };
        let line = "p:kprobes/rawbpf_4242_f0000001_7_vfs_read_0x0 vfs_read";
        assert_eq!(
            ours(line, "kprobes"),
            Some((
                "rawbpf_4242_f0000001_7_vfs_read_0x0",
                owner(4242, 0xf000_0001)
            ))
        );
        assert_eq!(ours(line, "uprobes"), None);
        let this = Owner::this_process();
        let line = format!("r:kprobes/{} f", probe_name(&this, "f"));
        assert_eq!(ours(&line, "kprobes").unwrap().1, this);
        assert_eq!(ours("p:kprobes/libbpf_4242_0_x vfs_read", "kprobes"), None);
        assert_eq!(
            ours("r16:kprobes/rawbpf_7_1_2_f f", "kprobes"),
            Some(("rawbpf_7_1_2_f", owner(7, 1)))
        );
        assert_eq!(ours("p:kprobes/rawbpf_7_vfs_read f", "kprobes"), None);
    }

    #[test]
    fn only_who_is_certainly_gone_is_gone() {
        let here = Owner::this_process();
        assert!(!here.is_gone(&here), "this process");
        // No process id is this high.
        let process = i32::MAX.unsigned_abs();
        let gone = |namespace| Owner { process, namespace }.is_gone(&here);
        assert!(gone(here.namespace));
        assert!(
            !gone(here.namespace + 1) && !gone(0),
            "of another namespace"
        );
        for process in [0, u32::MAX] {
            let nobody = Owner {
                process,
                ..Owner::this_process()
            };
            assert!(
                !nobody.is_gone(&here),
                "{process} is no number of a process"
            );
        }
    }

    #[test]
    fn a_place_is_one_word() {
        for place in [
            "vfs_read+0x10",
            "/usr/lib/libc.so.6:0x1234",
            "/tmp/a:b:0x1",
            "f.isra.0",
        ] {
            check_place(place).unwrap();
        }
        for place in [
            "/tmp/a b:0x1",
            "/a\np:kprobes/x vfs_read",
            "/a#b:0x1",
            "\u{1b}",
            "/a\u{a0}",
        ] {
            let refused = check_place(place).expect_err(place);
            assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
            assert!(!refused.message().contains(char::is_control), "{refused}");
        }
    }
}
