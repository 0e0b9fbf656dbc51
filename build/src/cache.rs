//! Objects that were compiled before, in a folder that belongs to one user.
//!
//! An entry's name is the hash of everything that is known before clang runs: the sources, the arguments, clang itself, this
//! crate's headers, the kernel's types. An entry has the files that clang said it read, with their hashes, the warnings, and the object.
//!
//! Whoever could write into the folder could have programs run in the kernel. So it has to be the user's own, closed to
//! everybody else, and is held open: what is checked is what is used. A file gets its name when it is complete, so nothing is
//! left behind by a process that ends.

use crate::compiled::Compiled;
use rawbpf::sha256::sha256;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The first word of an entry, which changes with its format.
const MAGIC: &str = "rawbpf-compiled-1";

/// How many entries are kept.
const MOST_ENTRIES: usize = 64;

/// How large an entry may be.
const MOST_BYTES: u64 = 64 << 20;

/// A folder of entries.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: OwnedFd,
}

/// What an entry is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

/// Collects what a result depends on.
#[derive(Debug, Default)]
pub(crate) struct Inputs(Vec<u8>);

impl Inputs {
    /// One more thing; its hash keeps it apart from the next one.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.extend(sha256(bytes));
    }

    /// The same for much that nobody writes in order to deceive: a kernel's types, this crate's headers. It takes a hundredth of the
    /// time, which counts for megabytes.
    pub(crate) fn add_trusted(&mut self, bytes: &[u8]) {
        let mut hash = DefaultHasher::new();
        hash.write(bytes);
        self.0.extend(bytes.len().to_ne_bytes());
        self.0.extend(hash.finish().to_ne_bytes());
    }

    pub(crate) fn key(&self) -> Key {
        Key(hex(&sha256(&self.0)))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Cache {
    /// Opens or makes the folder. Nothing is cached (`None`) if it cannot be made, or is not this user's alone.
    pub(crate) fn open(path: &Path) -> Option<Self> {
        make(path)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let folder = rustix::fs::openat(CWD, path, flags, Mode::empty()).ok()?;
        let found = rustix::fs::fstat(&folder).ok()?;
        let is_closed =
            Mode::from_raw_mode(found.st_mode) & (Mode::RWXG | Mode::RWXO) == Mode::empty();
        let is_own = found.st_uid == rustix::process::geteuid().as_raw();
        (is_own && is_closed).then_some(Self { folder })
    }

    /// What was compiled from the same, if the headers are still the same, too.
    pub(crate) fn find(&self, key: &Key) -> Option<Compiled> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::openat(&self.folder, &key.0, flags, Mode::empty()).ok()?;
        let found = rustix::fs::fstat(&file).ok()?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return None;
        }
        let mut bytes = Vec::new();
        let read = File::from(file).take(MOST_BYTES).read_to_end(&mut bytes);
        read.ok()?;
        let entry = Entry::parse(&bytes)?;
        let is_same =
            |file: &(String, &str)| fs::read(file.1).is_ok_and(|now| hex(&sha256(&now)) == file.0);
        let files = &entry.files;
        files.iter().all(is_same).then(|| {
            Compiled::new(
                entry.object.to_vec(),
                entry.warnings.to_owned(),
                files.iter().map(|(_, path)| PathBuf::from(path)).collect(),
            )
        })
    }

    /// Keeps a result. That it cannot be kept is no error.
    pub(crate) fn keep(&self, key: &Key, compiled: &Compiled) {
        if let Some(entry) = Entry::write(compiled)
            && self.write(key, &entry).is_ok()
        {
            self.make_room();
        }
    }

    fn write(&self, key: &Key, bytes: &[u8]) -> io::Result<()> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, ".", flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(file);
        file.write_all(bytes)?;
        // An entry whose headers have changed gives way.
        let _ = rustix::fs::unlinkat(&self.folder, &key.0, AtFlags::empty());
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        rustix::fs::linkat(CWD, unnamed, &self.folder, &key.0, AtFlags::SYMLINK_FOLLOW)?;
        Ok(())
    }

    /// Removes the oldest entries.
    fn make_room(&self) {
        let folder = format!("/proc/self/fd/{}", self.folder.as_raw_fd());
        let Ok(found) = fs::read_dir(folder) else {
            return;
        };
        let mut entries: Vec<_> = found
            .flatten()
            .filter(|entry| is_key(&entry.file_name().to_string_lossy()))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.file_name())))
            .collect();
        entries.sort();
        let surplus = entries.len().saturating_sub(MOST_ENTRIES);
        for (_, name) in entries.into_iter().take(surplus) {
            let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::empty());
        }
    }
}

/// Makes a folder for this user alone, unless it is there. In somebody else's home (under `sudo`) nothing is made, where it would be
/// in the way.
fn make(path: &Path) -> Option<()> {
    if path.exists() {
        return Some(());
    }
    let above = path.ancestors().find(|folder| folder.exists())?;
    if fs::metadata(above).ok()?.uid() != rustix::process::geteuid().as_raw() {
        return None;
    }
    let mut folders = fs::DirBuilder::new();
    folders.recursive(true).mode(0o700).create(path).ok()
}

/// Whether a file is an entry. The folder may hold others.
fn is_key(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The contents of an entry: a line with the lengths of warnings and object, a line for each file, an empty line, both.
struct Entry<'e> {
    /// Hash and path.
    files: Vec<(String, &'e str)>,
    warnings: &'e str,
    object: &'e [u8],
}

impl<'e> Entry<'e> {
    fn write(compiled: &Compiled) -> Option<Vec<u8>> {
        let (warnings, object) = (compiled.warnings(), compiled.object());
        let mut head = format!("{MAGIC} {} {}\n", warnings.len(), object.len());
        for path in compiled.dependencies() {
            let name = path.to_str().filter(|name| !name.contains('\n'))?;
            let hash = hex(&sha256(&fs::read(path).ok()?));
            // Writing to a string does not fail.
            let _ = writeln!(head, "{hash} {name}");
        }
        head.push('\n');
        Some([head.as_bytes(), warnings.as_bytes(), object].concat())
    }

    fn parse(bytes: &'e [u8]) -> Option<Self> {
        let end = bytes.windows(2).position(|two| two == b"\n\n")?;
        let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
        let rest = bytes.get(end.checked_add(2)?..)?;
        let mut lines = head.lines();
        let mut words = lines.next()?.split(' ');
        if words.next()? != MAGIC {
            return None;
        }
        let mut len = || words.next()?.parse::<usize>().ok();
        let (warnings, object) = (len()?, len()?);
        if warnings.checked_add(object)? != rest.len() {
            return None;
        }
        let (warnings, object) = rest.split_at_checked(warnings)?;
        let files = lines.map(|line| {
            let (hash, path) = line.split_once(' ')?;
            Some((hash.to_owned(), path))
        });
        Some(Self {
            files: files.collect::<Option<_>>()?,
            warnings: std::str::from_utf8(warnings).ok()?,
            object,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    fn compiled(header: &Path) -> Compiled {
        Compiled::new(
            b"\x7fELF\n\n".to_vec(),
            "a warning\n".to_owned(),
            vec![header.to_owned()],
        )
    }

    fn key(word: &str) -> Key {
        let mut inputs = Inputs::default();
        inputs.add(word.as_bytes());
        inputs.key()
    }

    #[test]
    fn a_result_is_found_until_a_header_changes() {
        let folder = tempfile::tempdir().unwrap();
        let header = folder.path().join("a b.h");
        fs::write(&header, "1").unwrap();
        let path = folder.path().join("deep/cache");
        let cache = Cache::open(&path).unwrap();
        assert!(cache.find(&key("a")).is_none());
        cache.keep(&key("a"), &compiled(&header));
        let found = Cache::open(&path).unwrap().find(&key("a")).unwrap();
        assert_eq!(found.object(), b"\x7fELF\n\n");
        assert_eq!(found.warnings(), "a warning\n");
        assert_eq!(found.dependencies(), std::slice::from_ref(&header));
        assert!(cache.find(&key("b")).is_none());
        fs::write(&header, "2").unwrap();
        assert!(cache.find(&key("a")).is_none());
        cache.keep(&key("a"), &compiled(&header));
        assert!(cache.find(&key("a")).is_some());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_folder_that_others_can_write_or_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        fs::create_dir(&path).unwrap();
        for mode in [0o777, 0o770, 0o755, 0o701] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(Cache::open(&path).is_none(), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(Cache::open(&path).is_some());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(Cache::open(&link).is_none(), "a link may lead anywhere");
        assert!(Cache::open(Path::new("/proc/no/such")).is_none());
        // Another user's, where this can be tried.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(1), None).unwrap();
            assert!(Cache::open(&path).is_none());
            assert!(Cache::open(&path.join("deep/new")).is_none());
            assert!(!path.join("deep").exists());
        }
    }

    #[test]
    fn the_oldest_entries_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let header = folder.path().join("a.h");
        fs::write(&header, "1").unwrap();
        let path = folder.path().join("cache");
        let cache = Cache::open(&path).unwrap();
        fs::write(path.join("kernels"), "somebody else's").unwrap();
        for number in 0..MOST_ENTRIES + 3 {
            cache.keep(&key(&number.to_string()), &compiled(&header));
        }
        assert_eq!(fs::read_dir(&path).unwrap().count(), MOST_ENTRIES + 1);
        assert!(path.join("kernels").exists());
    }

    #[test]
    fn an_entry_that_is_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let header = folder.path().join("a.h");
        fs::write(&header, "1").unwrap();
        let path = folder.path().join("cache");
        let cache = Cache::open(&path).unwrap();
        let entry = Entry::write(&compiled(&header)).unwrap();
        fs::write(folder.path().join("entry"), entry).unwrap();
        let link = path.join(key("a").0);
        std::os::unix::fs::symlink(folder.path().join("entry"), link).unwrap();
        assert!(cache.find(&key("a")).is_none());
    }

    proptest! {
        #[test]
        fn damaged_entries_are_no_entries(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..80) {
            let _ = Entry::parse(&bytes);
            let whole = Entry::write(&Compiled::new(vec![1, 2], "w".to_owned(), Vec::new())).unwrap();
            prop_assert!(Entry::parse(&whole).is_some());
            let cut = &whole[..at.min(whole.len() - 1)];
            prop_assert!(Entry::parse(cut).is_none());
        }
    }
}
