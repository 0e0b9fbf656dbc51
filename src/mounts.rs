//! The kernel's own file systems: where they are mounted, or else in a private mount of this process.
//!
//! Machines and containers may not have them mounted. A detached mount works for whoever holds its descriptor: no other
//! process sees it, no path leads to it, and it is gone with the descriptor. It needs Linux 5.2 and `CAP_SYS_ADMIN`.
//!
//! What needs **tracefs** (tracepoints, patterns of kernel functions, probes on old kernels) looks for it at
//! `/sys/kernel/tracing`, inside debugfs, and wherever `/proc/thread-self/mounts` says, and falls back to a
//! private mount. That happens without being asked for, because it cannot be noticed from outside. Pins are different: they
//! are meant to be found by others, so a private **BPF file system** is used only where a program asks for [`OwnBpffs`].
//!
//! Not here: what is in these file systems.

use crate::kernel::rights;
use crate::sys::file_system::FileSystem;
use crate::sys::mount;
use crate::{Errno, Error, ErrorKind, Result};
use std::ffi::{CStr, CString, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where tracefs is usually mounted: on its own, and inside debugfs.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Where debugfs is usually mounted.
const DEBUGFS: &str = "/sys/kernel/debug";

/// Where the BPF file system is usually mounted.
const BPFFS: &str = "/sys/fs/bpf";

/// Where one of the kernel's file systems can be opened.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    /// Its path, or the name of the file system in a private mount; for messages.
    shown: PathBuf,
}

/// tracefs, where trace events and probes are.
pub(crate) fn tracefs() -> Result<Folder> {
    let mut search = Search::of(FileSystem::Tracefs);
    if let Some(folder) = search.first_of(TRACEFS)? {
        return Ok(folder);
    }
    if let Some(folder) = search.first_of(mount_points("tracefs")?)? {
        return Ok(folder);
    }
    // The kernel automatically mounts it inside debugfs.
    let inside = mount_points("debugfs")?.map(|place| place.join("tracing"));
    if let Some(folder) = search.first_of(inside)? {
        return Ok(folder);
    }
    search.or_own("tracefs", c"tracefs", TRACEFS[0])
}

/// debugfs, where kprobes are listed and switched on and off.
pub(crate) fn debugfs() -> Result<Folder> {
    let mut search = Search::of(FileSystem::Debugfs);
    if let Some(folder) = search.first_of([DEBUGFS])? {
        return Ok(folder);
    }
    if let Some(folder) = search.first_of(mount_points("debugfs")?)? {
        return Ok(folder);
    }
    search.or_own("debugfs", c"debugfs", DEBUGFS)
}

/// A search for one of the kernel's file systems in places that may not have it.
struct Search {
    kind: FileSystem,
    /// A place that could not be accessed, and may have it.
    closed: Option<Error>,
}

impl Search {
    fn of(kind: FileSystem) -> Self {
        Self { kind, closed: None }
    }

    /// The first of these places that has it.
    fn first_of<P: AsRef<Path>>(
        &mut self,
        places: impl IntoIterator<Item = P>,
    ) -> Result<Option<Folder>> {
        for place in places {
            match Folder::open(place.as_ref(), self.kind) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(error) if error.kind() == ErrorKind::Permission => {
                    self.closed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// A private mount, since it was found nowhere. If that is refused too, the error names the place that could not be accessed.
    fn or_own(self, name: &str, kind: &CStr, usual: &str) -> Result<Folder> {
        match (Folder::own(name, kind, usual), self.closed) {
            (Err(own), Some(closed)) if own.kind() == ErrorKind::Permission => {
                Err(closed.with_hint(rights::for_files()))
            }
            (own, _) => own,
        }
    }
}

/// Where file systems of a type are mounted, as far as this process can see; empty without `/proc`.
pub(crate) fn mount_points(kind: &str) -> Result<impl Iterator<Item = PathBuf>> {
    let list = Path::new("/proc/thread-self/mounts");
    let mounts = match fs::read(list) {
        Ok(mounts) => mounts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Error::from_io(error, "read", list)),
    };
    let lines = mounts.split(|byte| *byte == b'\n');
    let found = lines.filter_map(|line| {
        let mut words = line.split(|byte| *byte == b' ').skip(1);
        let (place, found) = (words.next()?, words.next()?);
        (found == kind.as_bytes()).then(|| unescaped(place))
    });
    Ok(found.collect::<Vec<_>>().into_iter())
}

/// Spaces and the like are escaped in the list as a backslash and three octal digits.
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

/// A private BPF file system: for the pins of an object whose maps are not shared with other processes, on a machine that
/// has none mounted. The pins disappear with it.
///
/// ```no_run
/// # fn main() -> rawbpf::Result<()> {
/// use rawbpf::mounts::OwnBpffs;
/// use rawbpf::open::OpenOptions;
/// let own = OwnBpffs::mount()?;
/// let open = OpenOptions::new().pin_root_path(own.path()).open_file("x.bpf.o")?;
/// let object = open.load()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct OwnBpffs(Folder);

impl OwnBpffs {
    /// Mounts one.
    ///
    /// # Errors
    /// `Permission` without `CAP_SYS_ADMIN`, `NotFound` on kernels before 5.2.
    pub fn mount() -> Result<Self> {
        Folder::own("the BPF file system", c"bpf", BPFFS).map(Self)
    }

    /// Mounts one if there is none at `/sys/fs/bpf`, where objects pin their maps by default.
    ///
    /// # Errors
    /// Those of [`OwnBpffs::mount`].
    pub fn unless_mounted() -> Result<Option<Self>> {
        match Folder::open(Path::new(BPFFS), FileSystem::Bpf)? {
            Some(_) => Ok(None),
            None => Self::mount().map(Some),
        }
    }

    /// The path of its root, valid as long as this value lives. It works only in this process, and needs `/proc`.
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.fd.as_raw_fd()).into()
    }
}

impl Folder {
    /// The folder at `place`, if it exists and belongs to this file system.
    fn open(place: &Path, kind: FileSystem) -> Result<Option<Self>> {
        let mut options = OpenOptions::new();
        let options = options
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY);
        let fd = match options.open(place) {
            Ok(folder) => OwnedFd::from(folder),
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(Error::from_io(error, "open", place)),
        };
        let right = FileSystem::of_file(fd.as_fd()) == Ok(kind);
        Ok(right.then(|| Self {
            fd,
            shown: place.to_owned(),
        }))
    }

    /// A private mount.
    fn own(name: &str, kind: &CStr, usual: &str) -> Result<Self> {
        let fd = mount::mount_detached(kind).map_err(|errno| refused(errno, name, kind, usual))?;
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

    /// Appends to a file, in one write.
    pub(crate) fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.file(path, libc::O_WRONLY | libc::O_APPEND)?;
        file.write_all(bytes)
    }

    /// Whether there is such a file.
    pub(crate) fn has(&self, path: &str) -> Result<bool> {
        match self.file(path, libc::O_PATH) {
            Ok(_) => Ok(true),
            Err(error) if is_absence(&error) => Ok(false),
            Err(error) => Err(Error::from_io(error, "look for", &self.shown(path))),
        }
    }

    fn file(&self, path: &str, flags: i32) -> io::Result<File> {
        let path = CString::new(path)?;
        let opened = mount::open_at(self.fd.as_fd(), &path, flags);
        opened
            .map(File::from)
            .map_err(|errno| io::Error::from_raw_os_error(errno.0))
    }
}

/// Whether the error means that there is no such file or folder.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Why there is no private mount, and what to do.
fn refused(errno: Errno, name: &str, kind: &CStr, usual: &str) -> Error {
    let error_kind = match errno {
        Errno::EPERM | Errno::EACCES => ErrorKind::Permission,
        Errno::ENODEV => ErrorKind::Unsupported,
        Errno::ENOSYS => ErrorKind::NotFound,
        _ => {
            let doing = format!("cannot mount {name} for this process alone");
            return Error::from_errno(errno, doing);
        }
    };
    let ty = kind.to_string_lossy();
    let mount = format!("mount -t {ty} {ty} {usual}");
    let (why, hint) = match errno {
        Errno::ENODEV => (
            "the kernel has no such file system",
            "it was built without it".to_owned(),
        ),
        Errno::ENOSYS => ("a mount for this process alone needs Linux 5.2", mount),
        _ => (
            "this process may not mount it for itself",
            format!("{}; or have it mounted: {mount}", rights::for_mount()),
        ),
    };
    Error::new(error_kind, format!("{name} is not mounted, and {why}"))
        .with_errno(errno)
        .with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_unescaped() {
        let place = |text: &[u8]| unescaped(text).into_os_string().into_vec();
        assert_eq!(place(br"/mnt/a\040b\134\011"), b"/mnt/a b\\\t");
        for text in [r"/mnt/\04", r"\", r"/a\999", r"/a\777", r"/\-12", ""] {
            assert_eq!(place(text.as_bytes()), text.as_bytes(), "left as it is");
        }
    }

    #[test]
    fn what_is_mounted_is_found() {
        let found: Vec<_> = mount_points("proc").unwrap().collect();
        assert!(found.contains(&"/proc".into()), "{found:?}");
        assert_eq!(mount_points("no_such_type").unwrap().next(), None);
        let open = |place: &str, kind| Folder::open(Path::new(place), kind);
        let usual = open("/sys", FileSystem::Sysfs).unwrap().unwrap();
        assert!(usual.has("kernel").unwrap() && !usual.has("no/such").unwrap());
        assert!(usual.read("a\0b").is_err() && usual.has("a\0b").is_err());
        assert!(open("/sys", FileSystem::Tracefs).unwrap().is_none());
        assert!(
            open("/proc/self/stat", FileSystem::Other)
                .unwrap()
                .is_none()
        );
        assert!(open("/no/such", FileSystem::Other).unwrap().is_none());
        let too_long = "/x".repeat(5000);
        assert_eq!(
            open(&too_long, FileSystem::Other).unwrap_err().errno(),
            Some(Errno(libc::ENAMETOOLONG))
        );
    }

    #[test]
    fn a_refusal_says_why_and_what_to_do() {
        let said = |errno| refused(errno, "tracefs", c"tracefs", TRACEFS[0]);
        let old = said(Errno::ENOSYS);
        assert_eq!(
            old.message(),
            "tracefs is not mounted, and a mount for this process alone needs Linux 5.2"
        );
        assert_eq!(
            old.hint(),
            Some("mount -t tracefs tracefs /sys/kernel/tracing")
        );
        assert_eq!(said(Errno::EPERM).kind(), ErrorKind::Permission);
        assert_eq!(said(Errno::ENODEV).kind(), ErrorKind::Unsupported);
        let full = said(Errno::EMFILE);
        assert!(!full.message().contains("not mounted"), "{full}");
        assert_eq!(full.errno(), Some(Errno::EMFILE));
    }
}
