//! Converts debug information (DWARF) to BTF, for kernels and objects that were built without it, or addresses to source
//! locations.
//!
//! In: an ELF file that was compiled with `-g`, linked or not (a `vmlinux`, a module, an object), DWARF 2 to 5. Out: the types
//! of all its units, deduplicated, with the functions and the per-CPU variables: what `pahole -J` writes when a kernel is
//! built. Or ([`Places`]) the functions, files and lines of addresses. Not here: reading BTF (see [`btf`](crate::btf)).
//!
//! Start with `encode`, or with `place`, a module of its own:
//!
//! ```text
//!  encode:  a file --> image --> units --> in chunks, one thread each --> merge, same --> write --> BTF
//!                                                  |
//!                                unit by unit:  walk --> link --> merge
//!                                                 `-- entry, plan (attributes and abbreviations)
//!
//!  place:   a file, an address --> functions, files and lines
//! ```
//!
//! `types` is the data passed between them: rows of plain numbers. `names` interns names, `offsets` finds the row of an offset,
//! `error` has the errors of damaged files.
//!
//! ```no_run
//! let types = rawbpf::dwarf::Encoder::new().encode_file("vmlinux")?;
//! std::fs::write("vmlinux.btf", types)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod encode;
mod entry;
mod error;
mod image;
mod link;
mod merge;
mod names;
mod offsets;
mod place;
mod plan;
mod same;
#[cfg(test)]
mod tests;
mod types;
mod units;
mod walk;
mod write;

use crate::Result;
use crate::elf::ReadAt;
use crate::files::{Limit, Opened};
pub use crate::frame::Frame;
pub use place::Places;
use std::num::NonZero;
use std::path::Path;

/// Encodes debug information as BTF.
#[derive(Debug, Clone)]
pub struct Encoder {
    threads: NonZero<usize>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder with one thread.
    pub fn new() -> Self {
        Self {
            threads: NonZero::<usize>::MIN,
        }
    }

    /// Sets the number of threads. The output does not depend on it.
    pub fn threads(self, threads: NonZero<usize>) -> Self {
        Self { threads }
    }

    /// The types of a file, as the bytes of a BTF blob.
    ///
    /// # Errors
    /// `NotFound` if the file has no debug information, `Elf` if it is not an ELF file or is damaged, `Btf` if the debug
    /// information is damaged, `Unsupported` if a part of it is in other files; and errors of opening and reading the file.
    #[doc(alias = "pahole -J")]
    pub fn encode_file(&self, path: impl AsRef<Path>) -> Result<Vec<u8>> {
        let path = path.as_ref();
        let file = Opened::open(path, Limit::KERNEL_IMAGE)?;
        self.encode(&file)
            .map_err(|e| e.context(path.display().to_string()))
    }

    /// The types of a file that is read piece by piece.
    ///
    /// # Errors
    /// Those of [`encode_file`](Self::encode_file).
    pub fn encode(&self, file: &dyn ReadAt) -> Result<Vec<u8>> {
        encode::encode(file, self.threads)
    }
}
