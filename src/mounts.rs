//! Where the kernel's own file systems are: where somebody mounted them, or else in a mount of this process's own.
//!
//! A machine or container need not have them mounted. A mount that is attached nowhere is as good for whoever holds its
//! descriptor: no other process sees it, and it is gone with the descriptor. It takes Linux 5.2 and `CAP_SYS_ADMIN`.
//! Files are therefore opened from a folder on, and not by a path. Not here: what is in them.

use crate::load::advice;
use crate::sys::file_system::FileSystem;
use crate::sys::mount;
use crate::{Errno, Error, ErrorKind, Result};
use std::ffi::{CStr, CString, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where tracefs is mounted as a rule: by itself, and inside debugfs.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Where a file system of the kernel's can be opened.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    /// Its path, or the name of the file system in a mount of our own; for messages.
    shown: PathBuf,
}

/// tracefs, where trace events and probes are.
pub(crate) fn tracefs() -> Result<Folder> {
    let usual = TRACEFS.iter().map(PathBuf::from);
    // The kernel mounts it inside debugfs by itself.
    let inside = mount_points("debugfs").map(|place| place.join("tracing"));
    let mut places = usual.chain(mount_points("tracefs")).chain(inside);
    match places.find_map(|place| Folder::open(&place, FileSystem::Tracefs)) {
        Some(folder) => Ok(folder),
        None => Folder::own("tracefs", c"tracefs", TRACEFS[0]),
    }
}

/// Where file systems of a type are mounted, as far as this process sees them.
pub(crate) fn mount_points(kind: &str) -> impl Iterator<Item = PathBuf> {
    let mounts = fs::read("/proc/thread-self/mounts").unwrap_or_default();
    let lines = mounts.split(|byte| *byte == b'\n');
    let found = lines.filter_map(|line| {
        let mut words = line.split(|byte| *byte == b' ').skip(1);
        let (place, found) = (words.next()?, words.next()?);
        (found == kind.as_bytes()).then(|| unescaped(place))
    });
    found.collect::<Vec<_>>().into_iter()
}

/// Blanks and the like stand in the list as a backslash and three octal digits.
fn unescaped(place: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(place.len());
    let mut rest = place;
    while let Some((first, after)) = rest.split_first() {
        let octal = match rest {
            [b'\\', digits @ ..] => digits.get(..3).and_then(from_octal),
            _ => None,
        };
        path.push(octal.unwrap_or(*first));
        rest = match octal {
            Some(_) => rest.get(4..).unwrap_or_default(),
            None => after,
        };
    }
    OsString::from_vec(path).into()
}

fn from_octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

impl Folder {
    /// The folder at `place`, if it is of this file system.
    fn open(place: &Path, kind: FileSystem) -> Option<Self> {
        let mut options = OpenOptions::new();
        let options = options
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY);
        let fd = OwnedFd::from(options.open(place).ok()?);
        let right = FileSystem::of_file(fd.as_fd()) == Ok(kind);
        right.then(|| Self {
            fd,
            shown: place.to_owned(),
        })
    }

    /// A mount of this process's own.
    fn own(name: &str, kind: &CStr, usual: &str) -> Result<Self> {
        let fd = mount::mount_detached(kind).map_err(|errno| refused(errno, name, usual))?;
        Ok(Self {
            fd,
            shown: name.into(),
        })
    }

    /// What to call a file of this folder in messages.
    pub(crate) fn shown(&self, path: &str) -> PathBuf {
        self.shown.join(path)
    }

    /// Reads a whole file.
    pub(crate) fn read(&self, path: &str) -> io::Result<String> {
        let mut text = String::new();
        self.file(path, libc::O_RDONLY)?.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Adds to a file, in one write.
    pub(crate) fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.file(path, libc::O_WRONLY | libc::O_APPEND)?;
        file.write_all(bytes)
    }

    /// Whether there is such a file.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.file(path, libc::O_PATH).is_ok()
    }

    fn file(&self, path: &str, flags: i32) -> io::Result<File> {
        let path = CString::new(path)?;
        let opened = mount::open_at(self.fd.as_fd(), &path, flags);
        opened
            .map(File::from)
            .map_err(|errno| io::Error::from_raw_os_error(errno.0))
    }
}

/// Why there is no mount of our own, and what to do.
fn refused(errno: Errno, name: &str, usual: &str) -> Error {
    let kind = match errno {
        Errno::EPERM | Errno::EACCES => ErrorKind::Permission,
        Errno::ENODEV => ErrorKind::Unsupported,
        _ => ErrorKind::NotFound,
    };
    let mount = format!("mount -t {name} {name} {usual}");
    let (why, hint) = match errno {
        Errno::ENODEV => (
            "the kernel has no such file system",
            "it was built without CONFIG_TRACING".to_owned(),
        ),
        Errno::ENOSYS => ("a mount for this process alone needs Linux 5.2", mount),
        Errno::EPERM | Errno::EACCES => (
            "this process may not mount it for itself",
            format!("{}; or have it mounted: {mount}", advice::for_mount()),
        ),
        _ => ("it cannot be mounted for this process alone", mount),
    };
    Error::new(kind, format!("{name} is not mounted, and {why}"))
        .with_errno(errno)
        .with_hint(hint)
}
