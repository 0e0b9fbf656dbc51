//! The files mapped by a process: `/proc/PID/maps`.

use crate::files::{Limit, read_regular};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The files from which a process runs code.
#[derive(Debug)]
pub(super) struct Mappings {
    pid: u32,
    text: String,
}

/// A mapped file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapped<'m> {
    pub(super) range: Range<u64>,
    /// The offset in the file at which the range starts.
    offset: u64,
    /// Device and inode number: they identify a file, whatever its name.
    pub(super) identity: (&'m str, &'m str),
    path: &'m str,
    pub(super) is_code: bool,
}

impl Mappings {
    /// The mappings of a process that is still running and that this process may inspect.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let path = format!("/proc/{pid}/maps");
        let text = read_regular(Path::new(&path), Limit::MAPPINGS).ok()?;
        Some(Self {
            pid,
            text: String::from_utf8_lossy(&text).into_owned(),
        })
    }

    pub(super) fn files(&self) -> impl Iterator<Item = Mapped<'_>> {
        self.text.lines().filter_map(line)
    }

    /// The file at an address, and the offset in it.
    pub(super) fn at(&self, address: u64) -> Option<(Mapped<'_>, u64)> {
        let mapped = self.files().find(|m| m.range.contains(&address))?;
        let offset = (address - mapped.range.start).checked_add(mapped.offset)?;
        Some((mapped, offset))
    }

    /// The paths under which to open a file: as the process has it mapped, even if it was deleted; or else by its name in the
    /// process's own root, which may be a container's.
    pub(super) fn places(&self, mapped: &Mapped<'_>) -> [PathBuf; 2] {
        let Self { pid, .. } = self;
        let Range { start, end } = mapped.range;
        [
            format!("/proc/{pid}/map_files/{start:x}-{end:x}").into(),
            format!("/proc/{pid}/root{}", mapped.path).into(),
        ]
    }
}

/// `7f00-7f80 r-xp 00001000 fe:00 12                 /usr/lib/libc.so.6`
fn line(line: &str) -> Option<Mapped<'_>> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    let range = number(start)?..number(end)?;
    let is_code = fields.next()?.contains('x');
    let offset = number(fields.next()?)?;
    let device = fields.next()?;
    let inode = fields.next()?;
    let path = fields.next()?.trim_start();
    path.starts_with('/').then_some(Mapped {
        range,
        offset,
        identity: (device, inode),
        path,
        is_code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_files_are_found_by_address() {
        let text = "\
00400000-00401000 r-xp 00002000 fe:00 12                         /opt/a b (deleted)
7f00-7f80 rw-p 00000000 00:00 0 
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
nonsense
";
        let mappings = Mappings {
            pid: 7,
            text: text.to_owned(),
        };
        let (mapped, offset) = mappings.at(0x40_0010).unwrap();
        assert_eq!((mapped.identity, offset), (("fe:00", "12"), 0x2010));
        assert!(mapped.is_code);
        let places = mappings.places(&mapped);
        assert_eq!(places[0], Path::new("/proc/7/map_files/400000-401000"));
        assert_eq!(places[1], Path::new("/proc/7/root/opt/a b (deleted)"));
        assert_eq!(mappings.at(0x7f10), None);
        assert_eq!(mappings.at(0xffff_ffff_ff60_0000), None);
    }

    #[test]
    fn this_process_has_its_own_code() {
        let mappings = Mappings::of(std::process::id()).unwrap();
        let here = this_process_has_its_own_code as fn() as usize as u64;
        let (mapped, _) = mappings.at(here).unwrap();
        assert!(mapped.is_code);
        let opened = mappings.places(&mapped).map(|path| path.metadata().is_ok());
        assert!(opened.contains(&true));
    }
}
