//! A folder of their own, removed when clang has read it.

use super::File;
use rawbpf::{Error, Result};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// The start of the folder's name.
const NAME: &str = "rawbpf-headers-";

/// The files, as long as clang runs.
#[derive(Debug)]
pub(crate) struct Staged {
    arguments: Vec<OsString>,
    folder: PathBuf,
}

impl Staged {
    pub(crate) fn new(files: &[File<'_>]) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = env::var_os("OUT_DIR").map_or_else(env::temp_dir, PathBuf::from);
        let folder = place.join(format!("{NAME}{}-{number}", process::id()));
        fs::create_dir(&folder).map_err(|e| Error::from_io(e, "make", &folder))?;
        let mut include = OsString::from("-I");
        include.push(&folder);
        let staged = Self {
            arguments: vec![
                include,
                "-MD".into(),
                "-MF".into(),
                folder.join("rule").into(),
            ],
            folder,
        };
        for (name, text) in files {
            let path = staged.folder.join(name);
            let parent = path.parent().unwrap_or(&staged.folder);
            let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, &**text));
            written.map_err(|e| Error::from_io(e, "write", &path))?;
        }
        Ok(staged)
    }

    /// What to tell clang.
    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Whether a file is one of these.
    pub(crate) fn has(path: &Path) -> bool {
        let mut parts = path.components();
        parts.any(|part| part.as_os_str().to_string_lossy().starts_with(NAME))
    }

    /// The rule of make that clang wrote.
    pub(crate) fn rule(&mut self) -> Result<String> {
        let path = self.folder.join("rule");
        fs::read_to_string(&path).map_err(|e| Error::from_io(e, "read", &path))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Nothing can be done about it, and nothing depends on it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
