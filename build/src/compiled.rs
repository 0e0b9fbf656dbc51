//! What compiling gives.

use std::path::PathBuf;

/// An object, and how it came about.
#[derive(Debug, Clone)]
pub struct Compiled {
    pub(crate) object: Vec<u8>,
    pub(crate) warnings: String,
    pub(crate) dependencies: Vec<PathBuf>,
}

impl Compiled {
    pub(crate) fn new(object: Vec<u8>, warnings: String, dependencies: Vec<PathBuf>) -> Self {
        Self {
            object,
            warnings,
            dependencies,
        }
    }

    /// The object.
    pub fn object(&self) -> &[u8] {
        &self.object
    }

    /// The same, owned.
    pub fn into_object(self) -> Vec<u8> {
        self.object
    }

    /// clang's warnings, in its words; usually empty.
    pub fn warnings(&self) -> &str {
        &self.warnings
    }

    /// The files that it was made of: the sources and all headers that are not this crate's own, in the order of their names.
    pub fn dependencies(&self) -> &[PathBuf] {
        &self.dependencies
    }
}
