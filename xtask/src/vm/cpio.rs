//! Writes a `cpio` archive in the "newc" format, the one that the kernel unpacks as its initramfs.
//!
//! An entry is a header of 110 ASCII bytes (a magic number and thirteen fields of eight hexadecimal
//! digits), the name with its NUL, and the contents; name and contents are padded to four bytes.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

/// What the name of the last entry must be.
const TRAILER: &str = "TRAILER!!!";

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;

/// An archive being written; [`Archive::finish`] ends it.
#[derive(Debug)]
pub(crate) struct Archive<W> {
    out: W,
    written: u64,
    entries: u32,
    directories: BTreeSet<String>,
}

/// Whether the guest may execute a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Mode 0644.
    Read,
    /// Mode 0755.
    Execute,
}

impl<W: Write> Archive<W> {
    /// Starts an archive that is written to `out`.
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            written: 0,
            entries: 0,
            directories: BTreeSet::new(),
        }
    }

    /// Adds a directory and those above it, unless they are there already.
    pub(crate) fn directory(&mut self, path: &str) -> io::Result<()> {
        let path = path.trim_matches('/');
        if path.is_empty() || self.directories.contains(path) {
            return Ok(());
        }
        if let Some((above, _)) = path.rsplit_once('/') {
            self.directory(above)?;
        }
        self.entry(path, DIRECTORY | 0o755, &[])?;
        self.directories.insert(path.to_owned());
        Ok(())
    }

    /// Adds a file whose contents are in memory.
    pub(crate) fn file(&mut self, path: &str, access: Access, data: &[u8]) -> io::Result<()> {
        self.parent(path)?;
        self.entry(path, file_mode(access), data)
    }

    /// Adds a file of `size` bytes, read from `source`.
    pub(crate) fn file_from(
        &mut self,
        path: &str,
        access: Access,
        size: u64,
        source: impl Read,
    ) -> io::Result<()> {
        self.parent(path)?;
        self.header(path, file_mode(access), size)?;
        let copied = io::copy(&mut source.take(size), &mut self.out)?;
        self.written += copied;
        if copied != size {
            let what =
                format!("{path}: it shrank from {size} to {copied} bytes while being copied");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        self.pad()
    }

    /// Adds a symbolic link.
    pub(crate) fn symlink(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.parent(path)?;
        self.entry(path, SYMLINK | 0o777, target.as_bytes())
    }

    /// Writes the end of the archive and gives back what it was written to.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.entry(TRAILER, 0, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn parent(&mut self, path: &str) -> io::Result<()> {
        match path.trim_matches('/').rsplit_once('/') {
            Some((above, _)) => self.directory(above),
            None => Ok(()),
        }
    }

    fn entry(&mut self, path: &str, mode: u32, data: &[u8]) -> io::Result<()> {
        self.header(path, mode, data.len() as u64)?;
        self.put(data)?;
        self.pad()
    }

    fn header(&mut self, path: &str, mode: u32, size: u64) -> io::Result<()> {
        let path = path.trim_matches('/');
        let size = u32::try_from(size).map_err(|_| {
            io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("{path}: a file in an initramfs holds less than 4 GiB"),
            )
        })?;
        self.entries += 1;
        let links = if mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        let name_size = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
        // Inode, mode, owner, group, links, time, size, four device numbers, name size, check sum.
        let fields = [
            self.entries,
            mode,
            0,
            0,
            links,
            0,
            size,
            0,
            0,
            0,
            0,
            name_size,
            0,
        ];
        let digits = fields.map(|field| format!("{field:08x}")).concat();
        self.put(format!("070701{digits}{path}\0").as_bytes())?;
        self.pad()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn pad(&mut self) -> io::Result<()> {
        while !self.written.is_multiple_of(4) {
            self.put(&[0])?;
        }
        Ok(())
    }
}

fn file_mode(access: Access) -> u32 {
    REGULAR
        | match access {
            Access::Read => 0o644,
            Access::Execute => 0o755,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an archive back: name, mode and contents of every entry.
    fn entries(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut found = Vec::new();
        loop {
            assert_eq!(&bytes[..6], b"070701");
            let field = |i: usize| {
                let digits = std::str::from_utf8(&bytes[6 + 8 * i..14 + 8 * i]).unwrap();
                usize::from_str_radix(digits, 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6), field(11));
            let name = std::str::from_utf8(&bytes[110..110 + name_size - 1])
                .unwrap()
                .to_owned();
            assert_eq!(bytes[110 + name_size - 1], 0, "the name ends with a NUL");
            let start = (110 + name_size).next_multiple_of(4);
            let data = bytes[start..start + size].to_vec();
            bytes = &bytes[(start + size).next_multiple_of(4)..];
            if name == TRAILER {
                assert!(bytes.is_empty(), "nothing follows the trailer");
                return found;
            }
            found.push((name, u32::try_from(mode).unwrap(), data));
        }
    }

    #[test]
    fn entries_read_back_as_written() {
        let mut archive = Archive::new(Vec::new());
        archive
            .file("/init", Access::Execute, b"#!/bin/sh\n")
            .unwrap();
        archive
            .file_from("files/a/b.txt", Access::Read, 3, &b"abcdef"[..])
            .unwrap();
        archive.symlink("usr", ".").unwrap();
        archive.directory("/files/a").unwrap();
        let names = entries(&archive.finish().unwrap());
        assert_eq!(
            names,
            [
                ("init".to_owned(), 0o100_755, b"#!/bin/sh\n".to_vec()),
                ("files".to_owned(), 0o040_755, vec![]),
                ("files/a".to_owned(), 0o040_755, vec![]),
                ("files/a/b.txt".to_owned(), 0o100_644, b"abc".to_vec()),
                ("usr".to_owned(), 0o120_777, b".".to_vec()),
            ]
        );
    }

    #[test]
    fn a_file_that_shrinks_is_an_error() {
        let mut archive = Archive::new(Vec::new());
        let error = archive
            .file_from("short", Access::Read, 10, &b"abc"[..])
            .unwrap_err();
        assert!(
            error.to_string().contains("shrank from 10 to 3 bytes"),
            "{error}"
        );
    }
}
