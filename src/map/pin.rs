//! Names in a BPF file system, for objects of any kind.

use crate::sys::bpf;
use crate::sys::file_system::FileSystem;
use crate::{Errno, Error, ErrorKind, Result};
use std::ffi::CString;
use std::fs::DirBuilder;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Pins an object at `path`, whose parent folder is made (for its owner only) if it is missing.
pub(crate) fn pin(object: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let made = match DirBuilder::new().mode(0o700).create(parent) {
        Ok(()) => true,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(Error::from_io(error, "make the folder", parent)),
    };
    let result = pin_into(object, parent, path);
    if made && result.is_err() {
        // Made for nothing; if somebody has put something into it meanwhile, it stays.
        let _ = std::fs::remove_dir(parent);
    }
    result
}

fn pin_into(object: BorrowedFd<'_>, parent: &Path, path: &Path) -> Result<()> {
    check_file_system(parent)?;
    bpf::obj_pin(object, None, &c_path(path)?).map_err(|errno| {
        let error = Error::from_errno(errno, format!("cannot pin at {}", path.display()));
        match errno {
            Errno::EEXIST => error.with_hint("the name is taken: remove it, or choose another"),
            Errno::EPERM | Errno::EACCES => {
                error.with_hint("pinning takes CAP_BPF and the right to write the folder")
            }
            _ => error,
        }
    })
}

/// Removes a pin.
pub(crate) fn unpin(path: &Path) -> Result<()> {
    check_file_system(path)?;
    std::fs::remove_file(path).map_err(|e| Error::from_io(e, "remove the pin", path))
}

/// Opens what is pinned at `path`.
pub(crate) fn open(path: &Path) -> Result<OwnedFd> {
    bpf::obj_get(None, &c_path(path)?, 0).map_err(|errno| {
        let error = Error::from_errno(errno, format!("cannot open the pin {}", path.display()));
        match errno {
            Errno::ENOENT => error.with_hint("nothing is pinned there"),
            _ if is_ordinary(path) => {
                error.with_hint("what has this name is an ordinary file, not a pin")
            }
            // Some kernels say so before they look whether anything is there.
            Errno::EPERM | Errno::EACCES => error.with_hint(
                "run as root: opening a pin takes CAP_BPF, and the right to read and write the file",
            ),
            _ => error,
        }
    })
}

/// Whether there is something of this name on another file system.
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
            "it is not mounted there: `mount -t bpf bpf /sys/fs/bpf`"
        } else {
            "choose a path below /sys/fs/bpf, where the BPF file system is (if not: `mount -t bpf bpf /sys/fs/bpf`)"
        })),
        Err(errno) => Err(Error::from_errno(
            errno,
            format!("cannot look at {}", path.display()),
        )),
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
    fn what_is_not_there_is_no_ordinary_file() {
        let error = open(Path::new("/proc/self/stat")).unwrap_err();
        assert!(error.hint().is_some_and(|hint| hint.contains("ordinary")));
        assert!(!is_ordinary(Path::new("/proc/self/nothing")));
    }

    #[test]
    fn a_folder_made_for_nothing_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let parent = folder.path().join("new");
        let object = std::fs::File::open("/dev/null").unwrap();
        let error = pin(object.as_fd(), &parent.join("map")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(!parent.exists());
    }

    #[test]
    fn a_zero_byte_is_not_cut_off_silently() {
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/sys/fs/bpf/a\0b"));
        assert_eq!(open(path).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}
