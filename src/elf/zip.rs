//! Zip archives that contain libraries, as Android packages do: finds where a member is in the file.
//!
//! Only uncompressed members can be run from within the archive, so nothing is decompressed here.

use super::read_at::{self, Extent, ReadAt};
use crate::{Error, ErrorKind, Result, did_you_mean, near_names};

/// `PK\5\6`: the record after the directory, at the very end except for a comment.
const END: &[u8] = b"PK\x05\x06";
const END_LEN: usize = 22;
const LONGEST_COMMENT: usize = 0xffff;
/// `PK\1\2`: an entry of the directory.
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_LEN: usize = 46;
/// `PK\3\4`: the header before the bytes of a member.
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_LEN: usize = 30;
/// Flag: the member is encrypted.
const ENCRYPTED: u16 = 1;

/// An entry of the directory.
#[derive(Debug)]
struct Entry {
    name: Vec<u8>,
    flags: u16,
    compression: u16,
    len: u32,
    /// Where the header before the member's bytes is.
    local: u32,
    /// Where the next entry is.
    end: u64,
}

/// Where the bytes of the member `name` are in the archive.
///
/// # Errors
/// `NotFound` if there is no such member, `Unsupported` if it is compressed or encrypted, `InvalidArgument` if this is not a zip
/// archive or is damaged.
#[doc(alias = "zip_archive_find_entry")]
pub(crate) fn member(archive: &dyn ReadAt, name: &str) -> Result<Extent> {
    let directory = directory(archive)?;
    let mut near = Vec::new();
    let mut at = directory.start;
    for _ in 0..directory.entries {
        let entry = entry(archive, at).ok_or_else(|| damaged("its directory"))?;
        if entry.name == name.as_bytes() {
            return stored(archive, &entry, name);
        }
        let known = String::from_utf8_lossy(&entry.name);
        near.extend(
            near_names(name, [known.as_ref()])
                .first()
                .map(|s| (*s).to_owned()),
        );
        at = entry.end;
    }
    let near = did_you_mean(name, near.iter().map(String::as_str));
    let message = format!("the archive has no member `{name}`{near}");
    Err(Error::new(ErrorKind::NotFound, message))
}

fn damaged(what: &str) -> Error {
    let message = format!("the archive is damaged: {what} cannot be read");
    Error::new(ErrorKind::InvalidArgument, message)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

fn bytes_at<const LEN: usize>(archive: &dyn ReadAt, at: u64) -> Option<[u8; LEN]> {
    let mut bytes = [0; LEN];
    archive.read_at(at, &mut bytes).ok()?;
    Some(bytes)
}

/// Where the directory starts, and how many entries it has.
#[derive(Debug, Clone, Copy)]
struct Directory {
    start: u64,
    entries: u16,
}

#[doc(alias = "find_cd")]
fn directory(archive: &dyn ReadAt) -> Result<Directory> {
    let len = archive.size().min((END_LEN + LONGEST_COMMENT) as u64);
    let offset = archive.size() - len;
    let window = read_at::read(archive, Extent { offset, len }, len, "the archive's end")?;
    // The comment must reach to the end; otherwise these four bytes are something else.
    let is_end = |at: &usize| {
        let record = window.get(*at..).unwrap_or_default();
        let comment = u16_at(record, END_LEN - 2).map(usize::from);
        comment.is_some_and(|comment| record.len() == END_LEN + comment)
    };
    let at = memchr::memmem::rfind_iter(&window, END).find(is_end);
    let record = at.and_then(|at| window.get(at..)).ok_or_else(|| {
        let message = "it is no zip archive: there is no directory at its end";
        Error::new(ErrorKind::InvalidArgument, message)
    })?;
    parse_end(record).ok_or_else(|| {
        let message = "the archive has several parts, or is one for more than 4 GiB (zip64)";
        Error::new(ErrorKind::Unsupported, message)
    })
}

#[doc(alias = "try_parse_end_of_cd")]
fn parse_end(record: &[u8]) -> Option<Directory> {
    let (this_part, directory_part) = (u16_at(record, 4)?, u16_at(record, 6)?);
    let (entries, all_entries) = (u16_at(record, 8)?, u16_at(record, 10)?);
    let start = u32_at(record, 16)?;
    let is_one_part = this_part == 0 && directory_part == 0 && entries == all_entries;
    (is_one_part && start != u32::MAX).then_some(Directory {
        start: start.into(),
        entries,
    })
}

fn entry(archive: &dyn ReadAt, at: u64) -> Option<Entry> {
    let head: [u8; ENTRY_LEN] = bytes_at(archive, at)?;
    if !head.starts_with(ENTRY) {
        return None;
    }
    let mut name = vec![0; u16_at(&head, 28)?.into()];
    let name_at = at.checked_add(ENTRY_LEN as u64)?;
    archive.read_at(name_at, &mut name).ok()?;
    let more = u64::from(u16_at(&head, 30)?) + u64::from(u16_at(&head, 32)?);
    Some(Entry {
        end: name_at.checked_add(name.len() as u64 + more)?,
        name,
        flags: u16_at(&head, 8)?,
        compression: u16_at(&head, 10)?,
        len: u32_at(&head, 20)?,
        local: u32_at(&head, 42)?,
    })
}

/// The bytes of an uncompressed member.
#[doc(alias = "get_entry_at_offset")]
fn stored(archive: &dyn ReadAt, entry: &Entry, name: &str) -> Result<Extent> {
    if entry.flags & ENCRYPTED != 0 || entry.compression != 0 {
        let message = format!("member `{name}` of the archive is compressed or encrypted");
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint("only members that are stored as they are can be run, and so be probed"));
    }
    let extent = || {
        let start = u64::from(entry.local);
        let head: [u8; LOCAL_LEN] = bytes_at(archive, start)?;
        if !head.starts_with(LOCAL) {
            return None;
        }
        let more = u64::from(u16_at(&head, 26)?) + u64::from(u16_at(&head, 28)?);
        let member = Extent {
            offset: start + LOCAL_LEN as u64 + more,
            len: entry.len.into(),
        };
        member.within(archive.size())
    };
    extent().ok_or_else(|| damaged(&format!("member `{name}`")))
}

#[cfg(test)]
#[path = "../../tests/live/archive.rs"]
pub(crate) mod archive;

#[cfg(test)]
mod tests {
    use super::*;
    use archive::zip;
    use proptest::prelude::*;

    #[test]
    fn members_are_found_where_they_lie() {
        for comment in [
            &b""[..],
            b"a comment",
            b"PK\x05\x06, says the comment, which goes on",
        ] {
            let bytes = zip(&[("a", b"first"), ("lib/x.so", b"second")], comment);
            let content = |name| {
                let extent = member(&bytes, name).unwrap();
                read_at::read(&bytes, extent, 10, "it").unwrap()
            };
            assert_eq!(content("a"), b"first");
            assert_eq!(content("lib/x.so"), b"second");
            let error = member(&bytes, "lib/y.so").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(
                error.message().contains("did you mean `lib/x.so`"),
                "{error}"
            );
        }
        assert!(member(&zip(&[], b""), "a").is_err());
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let good = zip(&[("a", b"first")], b"");
        let entry = good.windows(4).position(|w| w == ENTRY).unwrap();
        let end = good.len() - END_LEN;
        for (at, kind) in [
            (entry + 8, ErrorKind::Unsupported),
            (entry + 10, ErrorKind::Unsupported),
            (end + 4, ErrorKind::Unsupported),
            (end + 10, ErrorKind::Unsupported),
            (entry + 22, ErrorKind::InvalidArgument),
            (entry + 42, ErrorKind::InvalidArgument),
            (end + 16, ErrorKind::InvalidArgument),
        ] {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            assert_eq!(member(&bytes, "a").unwrap_err().kind(), kind, "byte {at}");
        }
        let error = member(&b"\x7fELF".to_vec(), "a").unwrap_err();
        assert!(error.message().contains("no zip archive"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(at in 0..120usize, byte: u8, cut in 0..120usize) {
            let mut bytes = zip(&[("a", b"first"), ("b", b"second")], b"");
            let len = bytes.len();
            bytes[at % len] = byte;
            for name in ["a", "b", "c"] {
                if let Ok(extent) = member(&bytes, name) {
                    prop_assert!(extent.within(len as u64).is_some());
                }
                let _ = member(&&bytes[cut % len..], name);
                let _ = member(&&bytes[..cut % len], name);
            }
        }
    }
}
