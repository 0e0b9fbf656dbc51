//! Another kernel, described by files on this machine.

use super::files;
use crate::Result;
use crate::btf::Btf;
use crate::reloc::{OfflineKernel, Target};
use std::path::Path;

impl OfflineKernel {
    /// The kernel whose types are in this file: raw BTF, or an ELF file with a section `.BTF`.
    ///
    /// # Errors
    /// The file cannot be read, or holds no BTF.
    pub fn from_btf_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let btf = Btf::from_file(path)?;
        Ok(Self {
            name: path.display().to_string(),
            btf: Some(btf.bytes().to_vec()),
            ..Self::default()
        })
    }

    /// The same kernel with the configuration in this file, plain or compressed with gzip.
    ///
    /// # Errors
    /// The file cannot be read or decompressed.
    pub fn with_kconfig_file(mut self, path: impl AsRef<Path>) -> Result<Self> {
        self.kconfig = Some(files::kconfig_of(path.as_ref())?);
        Ok(self)
    }
}

impl Target {
    /// [`Target::with_core_btf`] with the types in this file: raw BTF, or an ELF file with a section `.BTF`.
    ///
    /// # Errors
    /// The file cannot be read, or holds no BTF.
    pub fn with_core_btf_file(self, path: impl AsRef<Path>) -> Result<Self> {
        Ok(self.with_core_btf(Btf::from_file(path)?))
    }

    /// [`Target::with_kconfig`] with the configuration in this file, plain or compressed with gzip.
    ///
    /// # Errors
    /// The file cannot be read or decompressed.
    pub fn with_kconfig_file(self, path: impl AsRef<Path>) -> Result<Self> {
        Ok(self.with_kconfig(files::kconfig_of(path.as_ref())?))
    }
}
