//! Files in memory, and a description that makes clang see them in a folder that does not exist (`-ivfsoverlay`).

use super::File;
use rawbpf::{Errno, Error, Result};
use rustix::fs::{MemfdFlags, memfd_create};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

/// The folder in clang's messages.
const FOLDER: &str = "/rawbpf";

/// The files, as long as clang runs.
#[derive(Debug)]
pub(crate) struct Staged {
    arguments: Vec<OsString>,
    /// Open, because they exist only as long as that.
    _files: Vec<fs::File>,
    rule: fs::File,
}

impl Staged {
    pub(crate) fn new(files: &[File<'_>]) -> Result<Self> {
        let mut open = Vec::with_capacity(files.len());
        let mut roots = Vec::with_capacity(files.len());
        for (name, text) in files {
            let file = in_memory(text)?;
            let mut root = String::from("{\"type\":\"file\",\"name\":");
            quote(&mut root, &format!("{FOLDER}/{name}"));
            root.push_str(",\"external-contents\":");
            quote(&mut root, &path_of(&file));
            root.push('}');
            roots.push(root);
            open.push(file);
        }
        let roots = roots.join(",");
        let overlay = in_memory(&format!(
            "{{\"version\":0,\"use-external-names\":false,\"roots\":[{roots}]}}"
        ))?;
        let rule = in_memory("")?;
        let arguments = vec![
            "-ivfsoverlay".into(),
            path_of(&overlay).into(),
            format!("-I{FOLDER}").into(),
            "-MD".into(),
            "-MF".into(),
            path_of(&rule).into(),
        ];
        open.push(overlay);
        Ok(Self {
            arguments,
            _files: open,
            rule,
        })
    }

    /// What to tell clang.
    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Whether a file is one of these.
    pub(crate) fn has(path: &Path) -> bool {
        path.starts_with(FOLDER)
    }

    /// The rule of make that clang wrote.
    pub(crate) fn rule(&mut self) -> Result<String> {
        let mut rule = Vec::new();
        let read = self.rule.seek(SeekFrom::Start(0));
        read.and_then(|_| self.rule.read_to_end(&mut rule))
            .map_err(|e| Error::from_io(e, "read", Path::new("what clang depended on")))?;
        Ok(String::from_utf8_lossy(&rule).into_owned())
    }
}

/// A file that clang inherits.
fn in_memory(text: &str) -> Result<fs::File> {
    let failed = |errno: i32| {
        Error::from_errno(
            Errno(errno),
            "cannot make a file in memory for clang to read",
        )
    };
    let fd = memfd_create("rawbpf", MemfdFlags::empty()).map_err(|e| failed(e.raw_os_error()))?;
    let mut file = fs::File::from(fd);
    file.write_all(text.as_bytes())
        .map_err(|e| failed(e.raw_os_error().unwrap_or(0)))?;
    Ok(file)
}

/// Its name in clang's process.
fn path_of(file: &fs::File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// A string as JSON has it.
fn quote(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}
