//! Where a process has mapped a library.

use crate::{Error, ErrorKind, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The executable mappings of one file in one process.
#[derive(Debug)]
pub(super) struct Mapped(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    start: u64,
    end: u64,
    offset: u64,
}

impl Mapped {
    /// Reads the process's mappings.
    ///
    /// # Errors
    /// `NotFound` if the process has not loaded the file.
    #[doc(alias = "parse_vma_segs")]
    pub(super) fn read(pid: u32, file: &Path) -> Result<Self> {
        let list = PathBuf::from(format!("/proc/{pid}/maps"));
        let text = fs::read(&list).map_err(|e| Error::from_io(e, "read", &list))?;
        let path = path_within(pid, file);
        let parts = parts(&String::from_utf8_lossy(&text), &path.to_string_lossy());
        if parts.is_empty() {
            let message = format!("process {pid} has not loaded {}", path.display());
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        Ok(Self(parts))
    }

    /// The address of this file offset.
    #[doc(alias = "find_vma_seg")]
    pub(super) fn address(&self, offset: u64) -> Option<u64> {
        let after = self.0.partition_point(|part| part.offset <= offset);
        let part = self.0.get(after.checked_sub(1)?)?;
        let address = part.start.checked_add(offset.checked_sub(part.offset)?)?;
        (address < part.end).then_some(address)
    }
}

/// The file's name in the process's list of mappings, which differs from ours if the process has another root.
fn path_within(pid: u32, file: &Path) -> PathBuf {
    match file.strip_prefix(format!("/proc/{pid}/root")) {
        Ok(inside) => Path::new("/").join(inside),
        Err(_) => file.canonicalize().unwrap_or_else(|_| file.to_owned()),
    }
}

/// The executable mappings of the file, by offset.
fn parts(list: &str, path: &str) -> Vec<Part> {
    let mut parts: Vec<_> = list.lines().filter_map(|line| part(line, path)).collect();
    parts.sort_by_key(|part| part.offset);
    parts
}

/// `7f5c6f5d8000-7f5c6f5d9000 r-xp 00001000 103:01 362990598    /usr/lib/x.so`
fn part(line: &str, path: &str) -> Option<Part> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let mode = words.next()?;
    let offset = words.next()?;
    let name = words.nth(2)?.trim_start();
    if name != path || !mode.contains('x') {
        return None;
    }
    let hex = |text| u64::from_str_radix(text, 16).ok();
    Some(Part {
        start: hex(start)?,
        end: hex(end)?,
        offset: hex(offset)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
5000-6000 r--p 00000000 08:01 77                         /usr/lib/x.so
7000-9000 r-xp 00003000 08:01 77                         /usr/lib/x.so
9000-a000 r-xp 00001000 08:01 77                         /usr/lib/x.so
b000-c000 r-xp 00001000 08:01 78                         /usr/lib/y.so (deleted)
c000-d000 rw-p 00000000 00:00 0 
d000-e000 r-xp 00002000 103:01 362990598                 /with a space/z.so
";

    #[test]
    fn addresses_follow_from_offsets() {
        let of = |path, offset| Mapped(parts(LIST, path)).address(offset);
        assert_eq!(of("/usr/lib/x.so", 0x3010), Some(0x7010));
        assert_eq!(of("/usr/lib/x.so", 0x4fff), Some(0x8fff));
        assert_eq!(of("/usr/lib/x.so", 0x1001), Some(0x9001));
        assert_eq!(of("/usr/lib/x.so", 0x5000), None);
        assert_eq!(of("/usr/lib/x.so", 0x10), None, "not executable");
        assert_eq!(of("/with a space/z.so", 0x2000), Some(0xd000));
        assert_eq!(of("/usr/lib/y.so", 0x1000), None);
    }

    #[test]
    fn this_process_knows_where_it_is() {
        let own = std::env::current_exe().unwrap();
        let mapped = Mapped::read(std::process::id(), &own).unwrap();
        assert!(mapped.0.iter().all(|part| part.start < part.end));
        let error = Mapped::read(std::process::id(), Path::new("/etc/passwd")).unwrap_err();
        assert!(
            error.message().contains("has not loaded /etc/passwd"),
            "{error}"
        );
        assert_eq!(
            path_within(7, Path::new("/proc/7/root/lib/x.so")),
            Path::new("/lib/x.so")
        );
    }
}
