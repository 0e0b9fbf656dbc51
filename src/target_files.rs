//! Files that describe a kernel: its types, its configuration.

#[cfg(not(feature = "gz"))]
use crate::ErrorKind;
use crate::btf::Btf;
use crate::files::{Limit, read_regular};
use crate::reloc::{OfflineKernel, Target};
use crate::{Error, Result};
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
        self.kconfig = Some(kconfig_of(path.as_ref())?);
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
        Ok(self.with_kconfig(kconfig_of(path.as_ref())?))
    }
}

/// The configuration in a file that the caller named.
pub(crate) fn kconfig_of(path: &Path) -> Result<Vec<u8>> {
    plain(read_regular(path, Limit::KCONFIG)?, path)
}

/// The text of a configuration that may be compressed.
fn plain(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        gunzip(&bytes, path)
    } else {
        Ok(bytes)
    }
}

#[cfg(feature = "gz")]
fn gunzip(bytes: &[u8], path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;

    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .take(Limit::KCONFIG.bytes() + 1)
        .read_to_end(&mut text)
        .map_err(|e| Error::from_io(e, "decompress", path))?;
    // Options that were cut off would seem not to be set.
    if text.len() as u64 > Limit::KCONFIG.bytes() {
        return Err(Limit::KCONFIG.exceeded(path, None).context("decompressing"));
    }
    Ok(text)
}

#[cfg(not(feature = "gz"))]
fn gunzip(_bytes: &[u8], path: &Path) -> Result<Vec<u8>> {
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "cannot decompress {}: rawbpf was built without its feature `gz`",
            path.display()
        ),
    )
    .with_hint("build rawbpf with the feature `gz`"))
}

#[cfg(all(test, feature = "gz"))]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_never_cut_off_silently() {
        use flate2::{Compression, write::GzEncoder};
        use std::io::Write;

        let packed = |size: u64| {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            let text = vec![b'#'; 1 << 20];
            for _ in 0..size >> 20 {
                packed.write_all(&text).unwrap();
            }
            let rest = usize::try_from(size & 0xf_ffff).unwrap();
            packed.write_all(&text[..rest]).unwrap();
            packed.finish().unwrap()
        };
        let path = Path::new("config.gz");
        let most = Limit::KCONFIG.bytes();
        assert_eq!(plain(packed(most), path).unwrap().len() as u64, most);
        let error = plain(packed(most + 1), path).unwrap_err();
        assert_eq!(error.errno(), Some(crate::Errno::EFBIG));
        assert!(error.to_string().contains("(64 MiB) at most"), "{error}");
    }
}
