//! Opening object files: `open` itself is pure, and this is where it meets the file system.

use crate::Result;
use crate::files::{Limit, read_regular};
use crate::linker::Linker;
use crate::open::{OpenObject, OpenOptions};
use std::borrow::Cow;
use std::path::Path;

impl OpenOptions {
    /// Opens an object file.
    ///
    /// # Errors
    /// The file cannot be read, or any error of [`OpenOptions::open_bytes`].
    #[doc(alias = "bpf_object__open_file")]
    pub fn open_file(&self, path: impl AsRef<Path>) -> Result<OpenObject> {
        let path = path.as_ref();
        let bytes = read_regular(path, Limit::OBJECT)?;
        self.open(&bytes, Some(path))
    }
}

impl OpenObject {
    /// Opens an object file with the default options.
    ///
    /// # Errors
    /// The file cannot be read, or is not a BPF object.
    #[doc(alias = "bpf_object__open")]
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open_file(path)
    }
}

impl Linker<'_> {
    /// Adds an object in a file.
    ///
    /// # Errors
    /// The file cannot be read. What is wrong with its contents is found out when it is linked.
    #[doc(alias = "bpf_linker__add_file")]
    pub fn add_file(&mut self, path: impl AsRef<Path>) -> Result<&mut Self> {
        let path = path.as_ref();
        let bytes = read_regular(path, Limit::OBJECT)?;
        Ok(self.push(path.display().to_string(), Cow::Owned(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = OpenObject::from_file("/no/such/x.bpf.o").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("/no/such/x.bpf.o"), "{error}");
        let error = OpenObject::from_file(env!("CARGO_MANIFEST_DIR")).unwrap_err();
        assert_eq!(error.errno(), Some(crate::Errno::EISDIR));
        assert!(error.hint().is_some());
    }
}
