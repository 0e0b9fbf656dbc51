//! Which file a program's or library's name refers to, and which part of the file.

use crate::elf::{Extent, ReadAt, ld_cache, zip};
use crate::files::{Limit, open_regular, read_regular};
use crate::{Errno, Error, ErrorKind, Result};
use std::env;
use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file with code: a program, a library, or an archive that contains one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binary {
    /// The file in which the kernel places probes.
    pub(super) path: PathBuf,
    /// The part of the file that is meant, as in `archive.zip!/lib.so`.
    member: Option<String>,
}

/// A part of a file, or all of it, that is read piece by piece: it may be huge, and come from someone else.
#[derive(Debug)]
pub(super) struct Contents {
    file: File,
    part: Extent,
}

impl ReadAt for Contents {
    fn size(&self) -> u64 {
        self.part.len
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let len = into.len() as u64;
        let wanted = self
            .part
            .part(offset, len)
            .filter(|wanted| wanted.len == len);
        let wanted = wanted.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.file.read_exact_at(into, wanted.offset)
    }
}

impl Binary {
    /// The file that `name` refers to: a path as it is, with `!/` between an archive and its member; the bare name of a
    /// library where the dynamic loader looks, that of a program where the shell looks.
    #[doc(alias = "resolve_full_path")]
    pub(super) fn find(name: &Path) -> Result<Self> {
        let text = name.to_string_lossy();
        if let Some((archive, member)) = text.split_once("!/") {
            return Ok(Self {
                path: archive.into(),
                member: Some(member.to_owned()),
            });
        }
        let is_path = name.components().count() > 1 || name.is_absolute();
        let path = if is_path || text.is_empty() {
            name.to_owned()
        } else {
            search(name, &text)?
        };
        Ok(Self { path, member: None })
    }

    /// The file that `fd` refers to, whatever is at its path; `name` says which member of an archive is meant.
    pub(super) fn of_descriptor(fd: BorrowedFd<'_>, name: &Path) -> Self {
        let name = name.to_string_lossy();
        let member = name.split_once("!/").map(|(_, member)| member.to_owned());
        Self {
            path: format!("/proc/thread-self/fd/{}", fd.as_raw_fd()).into(),
            member,
        }
    }

    /// Opens the file, and finds the member in it.
    pub(super) fn open(&self) -> Result<Contents> {
        let mut contents = Contents::open(&self.path)?;
        if let Some(name) = &self.member {
            contents.part = zip::member(&contents, name)
                .map_err(|e| e.context(format!("archive {}", self.path.display())))?;
        }
        Ok(contents)
    }

    /// Whether offsets in it are file offsets.
    pub(super) fn is_whole_file(&self) -> bool {
        self.member.is_none()
    }

    /// The path in the form that the kernel takes.
    pub(super) fn c_path(&self) -> Result<CString> {
        CString::new(self.path.as_os_str().as_bytes()).map_err(|_| {
            let message = format!("the path {} has a zero byte", self.path.display());
            Error::new(ErrorKind::InvalidArgument, message)
        })
    }
}

impl Contents {
    /// Opens a whole file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = open_regular(path, Limit::PROGRAM)?;
        let len = file
            .metadata()
            .map_err(|e| Error::from_io(e, "read", path))?
            .len();
        let part = Extent { offset: 0, len };
        Ok(Self { file, part })
    }

    /// Converts an offset in the program or library to one in the file on disk.
    pub(super) fn in_file(&self, offset: u64) -> Result<u64> {
        self.part.offset.checked_add(offset).ok_or_else(|| {
            let message = format!("the offset {offset:#x} is past any file's end");
            Error::new(ErrorKind::InvalidArgument, message)
        })
    }
}

const LIBRARY_LIST: &str = "/etc/ld.so.cache";

/// Searches where the dynamic loader would look, then the system's directories; or where the shell would.
fn search(name: &Path, text: &str) -> Result<PathBuf> {
    // `x.so`, `x.so.1`
    let is_library = format!("{text}.").contains(".so.");
    let found = if is_library {
        let listed = read_regular(Path::new(LIBRARY_LIST), Limit::LIBRARY_LIST).unwrap_or_default();
        let listed = ld_cache::paths(&listed, text).map(PathBuf::from);
        let own = folders(env::var_os("LD_LIBRARY_PATH").as_ref());
        let own = own.into_iter().map(|folder| folder.join(name));
        let system = LIBRARY_FOLDERS
            .iter()
            .map(|folder| Path::new(folder).join(name));
        own.chain(listed)
            .chain(system)
            .find(|path| is_library_here(path))
    } else {
        let own = folders(env::var_os("PATH").as_ref()).into_iter();
        let system = ["/usr/bin", "/usr/sbin"].map(PathBuf::from);
        own.chain(system)
            .map(|folder| folder.join(name))
            .find(|path| is_program(path))
    };
    found.ok_or_else(|| no_file(text, is_library))
}

fn folders(variable: Option<&OsString>) -> Vec<PathBuf> {
    let folders = variable.into_iter().flat_map(env::split_paths);
    // An empty entry would be the current directory, where nobody expects a search to end.
    folders
        .filter(|folder| !folder.as_os_str().is_empty())
        .collect()
}

fn no_file(name: &str, is_library: bool) -> Error {
    let (what, places) = if is_library {
        (
            "library",
            "LD_LIBRARY_PATH, /etc/ld.so.cache and the system's library folders",
        )
    } else {
        ("program", "PATH")
    };
    Error::new(
        ErrorKind::NotFound,
        format!("no {what} `{name}` in {places}"),
    )
    .with_errno(Errno::ENOENT)
    .with_hint("give the file's whole path")
}

/// The directories of libraries that no list names; the last two are those for this machine's libraries on multiarch
/// distributions.
const LIBRARY_FOLDERS: &[&str] = if cfg!(target_arch = "x86_64") {
    &[
        "/usr/lib64",
        "/usr/lib",
        "/lib/x86_64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu",
    ]
} else if cfg!(target_arch = "aarch64") {
    &[
        "/usr/lib64",
        "/usr/lib",
        "/lib/aarch64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    ]
} else if cfg!(target_arch = "riscv64") {
    &[
        "/usr/lib64",
        "/usr/lib",
        "/lib/riscv64-linux-gnu",
        "/usr/lib/riscv64-linux-gnu",
    ]
} else if cfg!(target_arch = "s390x") {
    &[
        "/usr/lib64",
        "/usr/lib",
        "/lib/s390x-linux-gnu",
        "/usr/lib/s390x-linux-gnu",
    ]
} else if cfg!(target_arch = "powerpc64") {
    &[
        "/usr/lib64",
        "/usr/lib",
        "/lib/powerpc64le-linux-gnu",
        "/usr/lib/powerpc64le-linux-gnu",
    ]
} else {
    &["/usr/lib64", "/usr/lib"]
};

/// The ELF machine number of this machine; `None` if it is not known here.
const MACHINE: Option<u16> = if cfg!(target_arch = "x86_64") {
    Some(62)
} else if cfg!(target_arch = "aarch64") {
    Some(183)
} else if cfg!(target_arch = "riscv64") {
    Some(243)
} else if cfg!(target_arch = "s390x") {
    Some(22)
} else if cfg!(target_arch = "powerpc64") {
    Some(21)
} else {
    None
};

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Whether the dynamic loader would load it: a library for this machine. It need not be executable.
fn is_library_here(path: &Path) -> bool {
    let mut header = [0; 20];
    let opened = open_regular(path, Limit::PROGRAM);
    if !opened.is_ok_and(|mut file| file.read_exact(&mut header).is_ok()) {
        return false;
    }
    let [0x7f, b'E', b'L', b'F', class, .., low, high] = header else {
        return false;
    };
    let machine = u16::from_ne_bytes([low, high]);
    class == 2 && MACHINE.is_none_or(|own| own == machine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(name: &str) -> PathBuf {
        Binary::find(Path::new(name)).expect("a file").path
    }

    #[test]
    fn paths_stay_as_they_are() {
        for path in ["/bin/sh", "./x", "a/b"] {
            assert_eq!(path_of(path), PathBuf::from(path));
        }
    }

    #[test]
    fn bare_names_are_looked_for() {
        let shell = path_of("sh");
        assert!(shell.is_absolute() && shell.ends_with("sh"));
        let error = Binary::find(Path::new("no-such-library.so.1")).expect_err("no such library");
        assert!(error.to_string().contains("LD_LIBRARY_PATH"), "{error}");
    }

    #[test]
    fn a_library_of_another_machine_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.so");
        let own = fs::read("/proc/self/exe").expect("this program");
        fs::write(&path, &own[..64]).expect("a file");
        assert!(is_library_here(&path), "whatever its mode bits say");
        let mut other = own[..64].to_vec();
        other[18] ^= 0xff;
        fs::write(&path, &other).expect("a file");
        assert!(!is_library_here(&path));
        fs::write(&path, "/* GNU ld script */").expect("a file");
        assert!(!is_library_here(&path));
        assert!(!is_library_here(folder.path()));
    }

    #[test]
    fn a_member_of_an_archive_is_a_part_of_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.zip");
        let archive = zip::archive::zip(&[("lib/a.so", b"code")], b"");
        fs::write(&path, &archive).expect("a file");
        let name = format!("{}!/lib/a.so", path.display());
        let binary = Binary::find(Path::new(&name)).expect("a name");
        assert_eq!(binary.path, path);
        assert!(!binary.is_whole_file());
        let contents = binary.open().expect("the member");
        let mut code = [0; 4];
        contents.read_at(0, &mut code).expect("the member");
        assert_eq!((&code, contents.size()), (b"code", 4));
        assert!(contents.read_at(1, &mut code).is_err(), "past its end");
        let start = archive
            .windows(4)
            .position(|w| w == b"code")
            .expect("the member");
        assert_eq!(contents.in_file(1).expect("an offset"), start as u64 + 1);
        assert!(contents.in_file(u64::MAX).is_err());
    }

    #[test]
    fn empty_entries_are_no_places() {
        let found = folders(Some(&"/mine::/yours:".into()));
        assert_eq!(found, [PathBuf::from("/mine"), PathBuf::from("/yours")]);
        assert!(folders(None).is_empty());
    }
}
