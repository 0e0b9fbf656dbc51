//! Looking for a fact about the kernel in several places, of which any may be absent, damaged or something else entirely.

use crate::sys::file_system::FileSystem;
use crate::{Errno, Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// What the first place gives from which `read` succeeds. If none does, the error begins with `missing` and names each place and
/// what is wrong with it, one a line; `advice` is its hint, unless a file system has to be mounted first. Being out of memory or
/// descriptors is told as it is: it is no property of a place.
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
                hint = format!("{}; else: {advice}", unmounted.command);
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

/// The error's own words without the place, which stands in front of them.
fn reason(error: &Error, place: &Path) -> String {
    let message = error.message();
    let cannot_read = format!("cannot read {}: ", place.display());
    let message = message.strip_prefix(&cannot_read).unwrap_or(message);
    message.lines().next().unwrap_or_default().to_owned()
}

/// A file system of the kernel's that is not mounted where everybody looks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unmounted {
    name: &'static str,
    at: &'static str,
    /// What mounts it.
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

    /// The file system that has to be mounted before there can be a file at `path`.
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

    /// Says so in the error about a file at `path`, if that is the reason.
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
    fn a_shortage_is_no_property_of_a_place() {
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
