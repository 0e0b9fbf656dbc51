//! Files named or owned by somebody else: opened without blocking, only if they are regular files, and read up to a limit.
//!
//! Opening a FIFO waits for a writer, reading a device may never end, and a sparse file can claim any size. None of them can
//! hold what this crate reads, so they are rejected before a byte is read.

use crate::elf::ReadAt;
use crate::{Errno, Error, ErrorKind, Result};
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// How large a kind of input may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// What the file should be, with an article.
    what: &'static str,
    bytes: u64,
}

const MIB: u64 = 1 << 20;

impl Limit {
    /// The largest objects in use have some 30 MiB. What makes programs larger than that, zeroed memory and arrays, takes almost
    /// no space in the file.
    pub(crate) const OBJECT: Self = Self::mib("an object", 512);
    /// The kernel's types take 5 to 20 MiB. Their strings can take 16 MiB, since name offsets have 24 bits.
    pub(crate) const BTF: Self = Self::mib("type information", 256);
    /// A kernel image with debug information takes half a GiB to 2 GiB.
    pub(crate) const KERNEL_IMAGE: Self = Self::mib("a kernel image", 4096);
    /// A configuration takes a few hundred KiB, compressed or not.
    pub(crate) const KCONFIG: Self = Self::mib("a kernel configuration", 64);
    /// A hundred thousand to half a million lines of some 50 bytes.
    pub(crate) const KALLSYMS: Self = Self::mib("the kernel's list of symbols", 256);
    /// Programs and libraries are read piece by piece, so their size does not matter.
    pub(crate) const PROGRAM: Self = Self::mib("a program or library", 1 << 20);
    /// A line for each part of a process's memory, of which there are 65530 at most, unless the system's limit was raised.
    pub(crate) const MAPPINGS: Self = Self::mib("the list of a process's memory", 64);
    /// The dynamic loader's cache has some 50 bytes for each library on the machine.
    pub(crate) const LIBRARY_LIST: Self = Self::mib("the dynamic loader's list", 64);

    const fn mib(what: &'static str, count: u64) -> Self {
        Self {
            what,
            bytes: count * MIB,
        }
    }

    /// The limit in bytes.
    pub(crate) const fn bytes(self) -> u64 {
        self.bytes
    }

    /// `path` has `size` bytes; `None` if only known to be more than the limit.
    #[cold]
    pub(crate) fn exceeded(self, path: &Path, size: Option<u64>) -> Error {
        let Self { what, bytes } = self;
        let size = size.map_or_else(|| "more".to_owned(), |size| format!("{size} bytes"));
        let message = format!(
            "cannot read {}: it has {size}, and {what} may have {bytes} bytes ({} MiB) at most",
            path.display(),
            bytes / MIB
        );
        Error::new(ErrorKind::InvalidArgument, message)
            .with_errno(Errno::EFBIG)
            .with_hint(format!("is it {what}?"))
    }
}

/// Reads a whole regular file. Files of procfs and sysfs, which have content but no size, are read up to the limit.
pub(crate) fn read_regular(path: &Path, limit: Limit) -> Result<Vec<u8>> {
    read_opened(open_regular(path, limit)?, path, limit)
}

/// Reads all of a regular file that was opened with this limit or a higher one.
pub(crate) fn read_opened(file: File, path: &Path, limit: Limit) -> Result<Vec<u8>> {
    let cannot = |e| Error::from_io(e, "read", path);
    let size = file.metadata().map_err(cannot)?.len();
    if size > limit.bytes {
        return Err(limit.exceeded(path, Some(size)));
    }
    let mut bytes = Vec::new();
    // One byte more, so that the end is seen without reallocating.
    let wanted = usize::try_from(size.saturating_add(1)).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(wanted).map_err(|_| {
        let message = format!(
            "cannot read {}: there is no memory for its {size} bytes",
            path.display()
        );
        Error::new(ErrorKind::Io, message).with_errno(Errno::ENOMEM)
    })?;
    file.take(limit.bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > limit.bytes {
        return Err(limit.exceeded(path, None));
    }
    Ok(bytes)
}

/// Opens a regular file, parts of which are mapped or read later. It may grow in the meantime, so the reader has to count.
pub(crate) fn open_regular(path: &Path, limit: Limit) -> Result<File> {
    // Checked before, because merely opening some devices has an effect (a watchdog, a tape), and again once it is open.
    let found = path.metadata().map_err(|e| cannot_open(e, path))?;
    check(&found, path, limit)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY)
        .open(path)
        .map_err(|e| cannot_open(e, path))?;
    let opened = file.metadata().map_err(|e| cannot_open(e, path))?;
    check(&opened, path, limit)?;
    Ok(file)
}

/// A file that is read piece by piece.
#[derive(Debug)]
pub(crate) struct Opened {
    file: File,
    size: u64,
}

impl Opened {
    /// Opens a regular file. If it becomes shorter, reading fails.
    pub(crate) fn open(path: &Path, limit: Limit) -> Result<Self> {
        let file = open_regular(path, limit)?;
        let size = file.metadata().map_err(|e| cannot_open(e, path))?.len();
        Ok(Self { file, size })
    }
}

impl ReadAt for Opened {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        self.file.read_exact_at(into, offset)
    }
}

#[cold]
fn cannot_open(error: std::io::Error, path: &Path) -> Error {
    use std::io::ErrorKind as Io;
    let hint = match error.kind() {
        Io::NotFound => "is the path right? a relative path starts at the current directory",
        Io::PermissionDenied => "may this user read the file?",
        _ => return Error::from_io(error, "read", path),
    };
    Error::from_io(error, "read", path).with_hint(hint)
}

fn check(file: &Metadata, path: &Path, limit: Limit) -> Result<()> {
    if let Some(kind) = other_kind(file) {
        let message = format!(
            "cannot read {}: it is {kind}, not a regular file",
            path.display()
        );
        let error = Error::new(ErrorKind::InvalidArgument, message);
        let hint = format!("name the file itself; {} is wanted", limit.what);
        return Err(if file.is_dir() {
            error.with_errno(Errno::EISDIR).with_hint(hint)
        } else {
            error.with_hint(format!(
                "{hint}; what comes from a pipe has to be saved to a file first"
            ))
        });
    }
    if file.len() > limit.bytes {
        return Err(limit.exceeded(path, Some(file.len())));
    }
    Ok(())
}

/// What kind of file this is, if not a regular one.
fn other_kind(file: &Metadata) -> Option<&'static str> {
    let kind = file.file_type();
    match kind {
        _ if kind.is_file() => None,
        _ if kind.is_dir() => Some("a directory"),
        _ if kind.is_fifo() => Some("a FIFO (a pipe)"),
        _ if kind.is_char_device() => Some("a character device"),
        _ if kind.is_block_device() => Some("a block device"),
        _ if kind.is_socket() => Some("a socket"),
        // An `anon_inode`, as of a BPF map: /proc/self/fd/N.
        _ => Some("a kernel object without a file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    const SMALL: Limit = Limit {
        what: "a thing",
        bytes: MIB,
    };

    fn refusal(path: &Path) -> String {
        let error = read_regular(path, SMALL).expect_err("no regular file");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.hint().is_some(), "{error}");
        error.message().to_owned()
    }

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = Command::new("mkfifo").arg(at("fifo")).status().unwrap();
        assert!(made.success());
        let _listener = UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink(at("fifo"), at("symlink")).unwrap();
        for (path, kind) in [
            (at("fifo").as_path(), "a FIFO"),
            (&at("symlink"), "a FIFO"),
            (&at("socket"), "a socket"),
            (folder.path(), "a directory"),
            (Path::new("/dev/zero"), "a character device"),
        ] {
            let message = refusal(path);
            assert!(
                message.contains(&format!("it is {kind}")) && message.contains("regular"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_file_past_the_limit_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        let file = File::create(&path).unwrap();
        file.set_len(200 << 30).unwrap();
        let message = refusal(&path);
        assert!(message.contains("214748364800 bytes"), "{message}");
        assert!(
            message.contains("a thing may have 1048576 bytes (1 MiB)"),
            "{message}"
        );
        file.set_len(MIB).unwrap();
        assert_eq!(read_regular(&path, SMALL).unwrap().len() as u64, MIB);
        file.set_len(MIB + 1).unwrap();
        refusal(&path);
        fs::write(&path, "").unwrap();
        assert_eq!(read_regular(&path, SMALL).unwrap(), b"");
    }

    #[test]
    fn files_without_a_size_are_read_up_to_the_limit() {
        let status = Path::new("/proc/self/status");
        assert_eq!(status.metadata().unwrap().len(), 0);
        let text = read_regular(status, SMALL).unwrap();
        assert!(text.starts_with(b"Name:"));
        let four = Limit {
            what: "a thing",
            bytes: 4,
        };
        let error = read_regular(status, four).unwrap_err();
        assert!(error.message().contains("it has more, and"), "{error}");
        assert_eq!(error.errno(), Some(Errno::EFBIG));
    }
}
