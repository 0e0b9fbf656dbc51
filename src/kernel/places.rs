//! Looking for a fact about the kernel in several places, any of which may be missing, damaged or something else entirely.

use crate::sys::file_system::FileSystem;
use crate::{Errno, Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// Returns what `read` finds in the first place where it succeeds. If it succeeds nowhere, the error starts with `missing`
/// and lists each place with its problem, one per line; `advice` is the hint, unless a file system must be mounted first.
/// Running out of memory or descriptors is reported as such: it is not a problem of the place.
pub(super) fn first_usable<T>(
    places: &[PathBuf],
    missing: &str,
    advice: &str,
    mut read: impl FnMut(&Path) -> Result<T>,
) -> Result<T> {
    let mut tried = Vec::new();
    let mut hint = advice.to_owned();
    for place in places {
        let error = match read(place) {
            Ok(found) => return Ok(found),
            Err(error) if error.errno().is_some_and(Errno::is_shortage) => return Err(error),
            Err(error) => error,
        };
        let reason = match Unmounted::below(place) {
            Some(unmounted) => {
                hint = format!("{}; otherwise: {advice}", unmounted.command);
                unmounted.to_string()
            }
            None => reason(&error, place),
        };
        tried.push(format!("  {}: {reason}", place.display()));
    }
    let error = Error::new(ErrorKind::NotFound, format!("{missing}; tried"));
    let tried = tried.iter().map(String::as_str);
    Err(error.with_details(tried).with_hint(hint))
}

/// The error's own message without the place, which it starts with.
fn reason(error: &Error, place: &Path) -> String {
    let message = error.message();
    let cannot_read = format!("cannot read {}: ", place.display());
    let message = message.strip_prefix(&cannot_read).unwrap_or(message);
    message.lines().next().unwrap_or_default().to_owned()
}

/// A kernel file system that is not mounted in its usual place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unmounted {
    name: &'static str,
    at: &'static str,
    /// The command that mounts it.
    pub(crate) command: &'static str,
}

impl std::fmt::Display for Unmounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not mounted at {}", self.name, self.at)
    }
}

impl Unmounted {
    const SYSFS: Self = Self {
        name: "sysfs",
        at: "/sys",
        command: "mount -t sysfs sysfs /sys",
    };
    const PROCFS: Self = Self {
        name: "procfs",
        at: "/proc",
        command: "mount -t proc proc /proc",
    };

    /// The file system that must be mounted before there can be a file at `path`.
    pub(crate) fn below(path: &Path) -> Option<Self> {
        let is_mounted = |path, kind| FileSystem::of_path(path) == Ok(kind);
        if path.starts_with(Self::SYSFS.at) {
            (!is_mounted(c"/sys", FileSystem::Sysfs)).then_some(Self::SYSFS)
        } else if path.starts_with(Self::PROCFS.at) {
            (!is_mounted(c"/proc", FileSystem::Procfs)).then_some(Self::PROCFS)
        } else {
            None
        }
    }

    /// Says so in an error about a file at `path`, if that is the cause.
    pub(crate) fn explain(error: Error, path: &Path) -> Error {
        match Self::below(path) {
            Some(unmounted) => {
                let message = format!("{}: {unmounted}", error.message());
                Error::new(ErrorKind::NotFound, message)
                    .with_hint(unmounted.command)
                    .with_source(error)
            }
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Limit, read_regular};

    #[test]
    fn a_shortage_is_not_blamed_on_a_place() {
        let places = ["/proc/version"].map(PathBuf::from);
        let full =
            |_: &Path| -> Result<()> { Err(Error::from_errno(Errno::EMFILE, "cannot read")) };
        let error = first_usable(&places, "nothing here", "", full).expect_err("no descriptors");
        assert_eq!(error.errno(), Some(Errno::EMFILE));
        assert!(!error.message().contains("nothing here"), "{error}");
    }

    #[test]
    fn every_place_is_named_with_its_reason() {
        let places = ["/no/such/config", "/dev/null", "/proc/version"].map(PathBuf::from);
        let read = |path: &Path| read_regular(path, Limit::KCONFIG);
        let error = first_usable(&places[..2], "nothing here", "look elsewhere", read)
            .expect_err("neither is a file");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(
            error.to_string(),
            "nothing here; tried\n  \
             /no/such/config: No such file or directory (os error 2)\n  \
             /dev/null: it is a character device, not a regular file\n\
             hint: look elsewhere"
        );
        let found = first_usable(&places, "", "", read).expect("a file");
        assert!(found.starts_with(b"Linux version"));
    }
}
