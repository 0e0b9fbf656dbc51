//! Pins: paths in a BPF file system, for objects of any kind.

use crate::kernel::rights;
use crate::sys::bpf;
use crate::sys::file_system::FileSystem;
use crate::{Errno, Error, ErrorKind, MapFlags, Result};
use std::ffi::CString;
use std::fs::{DirBuilder, OpenOptions};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// What user space may do with a map's elements through one descriptor. Programs are not affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[doc(alias = "open_flags")]
#[doc(alias = "file_flags")]
pub enum OpenAccess {
    /// Read and write them.
    #[default]
    ReadWrite,
    /// Read them.
    #[doc(alias = "BPF_F_RDONLY")]
    ReadOnly,
    /// Write them.
    #[doc(alias = "BPF_F_WRONLY")]
    WriteOnly,
}

impl OpenAccess {
    pub(super) fn flags(self) -> u32 {
        match self {
            Self::ReadWrite => 0,
            Self::ReadOnly => MapFlags::RDONLY.bits(),
            Self::WriteOnly => MapFlags::WRONLY.bits(),
        }
    }
}

/// Where an object is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'p> {
    /// At a path that the caller chose, following any symbolic links.
    At(&'p Path),
    /// In a folder that the caller chose, under a name that an object chose. The name itself is not followed if it is a
    /// symbolic link: anyone who may write to the folder could have made it.
    Below(&'p Path),
}

impl<'p> Place<'p> {
    pub(crate) fn path(self) -> &'p Path {
        match self {
            Self::At(path) | Self::Below(path) => path,
        }
    }
}

/// Pins an object, creating the folder (accessible to its owner only) if it is missing.
pub(crate) fn pin(object: BorrowedFd<'_>, place: Place<'_>) -> Result<()> {
    let path = place.path();
    let parent = parent(path);
    let made = match DirBuilder::new().mode(0o700).create(parent) {
        Ok(()) => true,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
        Err(error) if has_dot(parent) && is_denied(&error) => {
            let message = format!("cannot make the folder {}", parent.display());
            return Err(no_dots(Errno::EPERM, message));
        }
        Err(error) => return Err(Error::from_io(error, "make the folder", parent)),
    };
    let result = pin_into(object, parent, path);
    if made && result.is_err() {
        // It was not needed after all; if something has been put into it meanwhile, it stays.
        let _ = std::fs::remove_dir(parent);
    }
    result
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The kernel never follows a symbolic link to create a pin: if one has the name, the name is taken.
fn pin_into(object: BorrowedFd<'_>, parent: &Path, path: &Path) -> Result<()> {
    check_file_system(parent)?;
    bpf::obj_pin(object, None, &c_path(path)?).map_err(|errno| {
        let message = format!("cannot pin at {}", path.display());
        if errno == Errno::EPERM && has_dot(path) {
            return no_dots(errno, message);
        }
        let error = Error::from_errno(errno, message);
        match errno {
            Errno::EEXIST if path.is_dir() => error.with_hint(
                "a folder has this name: choose another name, or a name inside the folder",
            ),
            Errno::EEXIST => {
                error.with_hint("the name is taken: remove what is there, or choose another name")
            }
            Errno::EPERM | Errno::EACCES => error.with_hint(rights::for_pins()),
            _ => error,
        }
    })
}

/// Whether a name inside a BPF file system has a dot. The kernel reserves such names: they can be neither created nor looked
/// up, and the answer is `EPERM`, even for root.
fn has_dot(path: &Path) -> bool {
    path.ancestors().any(|path| {
        let name = path.file_name().unwrap_or_default();
        name.as_bytes().contains(&b'.') && lies_in_bpffs(path)
    })
}

fn lies_in_bpffs(path: &Path) -> bool {
    let folder = c_path(parent(path)).map(|folder| FileSystem::of_path(&folder));
    matches!(folder, Ok(Ok(FileSystem::Bpf)))
}

fn is_denied(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::PermissionDenied
}

#[cold]
fn no_dots(errno: Errno, message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
        .with_errno(errno)
        .with_hint("names in a BPF file system have no dots: the kernel refuses them")
}

/// The error for a folder in the place of a pin.
#[cold]
fn is_folder(path: &Path, shown: &Path, errno: Errno, doing: &str) -> Error {
    const SHOWN: usize = 8;
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.take(SHOWN).collect();
    names.sort_unstable();
    let hint = if names.is_empty() {
        "the folder is empty".to_owned()
    } else {
        format!("choose a pin inside it: {}", names.join(", "))
    };
    let message = format!("cannot {doing} {}: it is a folder", shown.display());
    Error::new(ErrorKind::InvalidArgument, message)
        .with_errno(errno)
        .with_hint(hint)
}

/// Removes a pin.
pub(crate) fn unpin(path: &Path) -> Result<()> {
    check_file_system(path)?;
    if path.is_dir() {
        return Err(is_folder(path, path, Errno::EISDIR, "remove the pin"));
    }
    std::fs::remove_file(path).map_err(|e| Error::from_io(e, "remove the pin", path))
}

/// Opens a pinned object.
pub(crate) fn open(place: Place<'_>) -> Result<OwnedFd> {
    match place {
        Place::At(path) => open_with(path, OpenAccess::ReadWrite),
        Place::Below(path) => open_below(path),
    }
}

/// Opens what is pinned at `path`. Only maps can be opened with less than full access.
pub(super) fn open_with(path: &Path, access: OpenAccess) -> Result<OwnedFd> {
    open_at(path, path, access)
}

/// Opens what is pinned at `path`, which messages call `shown`.
fn open_at(path: &Path, shown: &Path, access: OpenAccess) -> Result<OwnedFd> {
    bpf::obj_get(None, &c_path(path)?, access.flags()).map_err(|errno| {
        let message = format!("cannot open the pin {}", shown.display());
        if path.is_dir() {
            return is_folder(path, shown, errno, "open the pin");
        }
        if errno == Errno::EPERM && has_dot(path) && !path.exists() {
            return no_dots(errno, message);
        }
        let error = Error::from_errno(errno, message);
        match errno {
            Errno::ENOENT => error.with_hint("nothing is pinned there"),
            _ if is_ordinary(path) => error
                .with_kind(ErrorKind::InvalidArgument)
                .with_hint("this is an ordinary file, not a pin"),
            // Some kernels answer this before they check that anything is there.
            Errno::EPERM | Errno::EACCES => error.with_hint(rights::for_pins()),
            _ => error,
        }
    })
}

/// Opens a pin without following a symbolic link at its name. `BPF_OBJ_GET` always follows links; so the name is resolved
/// first, and the command is given the resulting descriptor's path in procfs.
fn open_below(path: &Path) -> Result<OwnedFd> {
    let found = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
        .map_err(|e| Error::from_io(e, "open the pin", path))?;
    let kind = found
        .metadata()
        .map_err(|e| Error::from_io(e, "look at", path))?;
    if kind.is_symlink() {
        let message = format!("the pin {} is a symbolic link", path.display());
        return Err(Error::new(ErrorKind::InvalidArgument, message)
            .with_hint("a link could lead to somebody else's map: remove it, or set its target as the path with OpenMapMut::set_pin_path"));
    }
    let by_descriptor = format!("/proc/thread-self/fd/{}", found.as_raw_fd());
    let by_descriptor = Path::new(&by_descriptor);
    if by_descriptor.exists() {
        open_at(by_descriptor, path, OpenAccess::ReadWrite)
    } else {
        // Without procfs, anyone who may write to the folder can put a link there now.
        open_with(path, OpenAccess::ReadWrite)
    }
}

/// Whether something with this name exists on another file system.
fn is_ordinary(path: &Path) -> bool {
    let found = c_path(path).map(|path| FileSystem::of_path(&path));
    matches!(found, Ok(Ok(system)) if !matches!(system, FileSystem::Bpf))
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| {
        Error::new(
            ErrorKind::InvalidArgument,
            format!("the path {} has a zero byte", path.display()),
        )
    })
}

fn check_file_system(path: &Path) -> Result<()> {
    match FileSystem::of_path(&c_path(path)?) {
        Ok(FileSystem::Bpf) => Ok(()),
        Ok(_) => Err(Error::new(
            ErrorKind::InvalidArgument,
            format!("{} is not on a BPF file system", path.display()),
        )
        .with_hint(if path.starts_with("/sys/fs/bpf") {
            "no BPF file system is mounted there: run `mount -t bpf bpf /sys/fs/bpf`"
        } else {
            "choose a path below /sys/fs/bpf, where the BPF file system usually is (if not: `mount -t bpf bpf /sys/fs/bpf`)"
        })),
        Err(errno) => {
            let message = format!("cannot look at {}", path.display());
            Err(if errno == Errno::EPERM && has_dot(path) {
                no_dots(errno, message)
            } else {
                Error::from_errno(errno, message)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn paths_off_a_bpf_file_system_are_refused() {
        let error = unpin(Path::new("/proc/self/stat")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.hint().is_some_and(|hint| hint.contains("mount")));
    }

    #[test]
    fn a_missing_file_is_not_an_ordinary_file() {
        let error = open(Place::At(Path::new("/proc/self/stat"))).unwrap_err();
        assert!(error.hint().is_some_and(|hint| hint.contains("ordinary")));
        assert!(!is_ordinary(Path::new("/proc/self/nothing")));
    }

    #[test]
    fn a_folder_that_was_not_needed_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let parent = folder.path().join("new");
        let object = std::fs::File::open("/dev/null").unwrap();
        let error = pin(object.as_fd(), Place::At(&parent.join("map"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(!parent.exists());
    }

    #[test]
    fn a_zero_byte_is_not_cut_off_silently() {
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/sys/fs/bpf/a\0b"));
        assert_eq!(
            open(Place::At(path)).unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
    }
}
