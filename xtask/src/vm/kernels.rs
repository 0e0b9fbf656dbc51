//! The cache folder of Debian's cloud kernels: `SERIES/boot/vmlinuz`, `SERIES/boot/config-RELEASE`
//! and `SERIES/lib/modules/RELEASE`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{fetch, payload};

/// The kernels that every change is tested on: the oldest that matters, two from current Debian releases, and the newest.
pub(crate) const TESTED: [&str; 4] = ["5.10", "6.1", "6.12", "7.2"];

/// The folder in which kernels are kept.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
}

/// A kernel in the cache.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    /// The series that was asked for, such as `6.1`.
    pub(crate) series: String,
    /// What `uname -r` prints in it.
    pub(crate) release: String,
    /// The bootable, compressed image.
    pub(crate) image: PathBuf,
    /// The configuration that it was built with.
    pub(crate) config: PathBuf,
    /// The folder with its modules.
    pub(crate) modules: PathBuf,
}

impl Cache {
    /// The cache folder: `RAWBPF_KERNELS`, otherwise below the user's cache folder.
    pub(crate) fn open() -> Result<Self> {
        let set = |name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let folder = match (set("RAWBPF_KERNELS"), set("XDG_CACHE_HOME"), set("HOME")) {
            (Some(folder), ..) => folder,
            (None, Some(cache), _) => cache.join("rawbpf/kernels"),
            (None, None, Some(home)) => home.join(".cache/rawbpf/kernels"),
            (None, None, None) => {
                bail!("HOME is not set: set RAWBPF_KERNELS to a folder for the kernels")
            }
        };
        fs::create_dir_all(&folder)
            .with_context(|| format!("while making the kernels' folder {}", folder.display()))?;
        // dpkg and apt run elsewhere.
        let folder = folder.canonicalize()?;
        Ok(Self { folder })
    }

    /// The kernels of these series, in this order; fetches missing ones.
    pub(crate) fn kernels(&self, series: &[String]) -> Result<Vec<Kernel>> {
        for name in series {
            if !is_series(name) {
                bail!(
                    "`{name}` is not a kernel series: name one such as {}",
                    TESTED.join(", ")
                );
            }
        }
        let missing: Vec<_> = series
            .iter()
            .filter(|name| self.find(name).is_none())
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            fetch::fetch(&self.folder, &missing)?;
        }
        series
            .iter()
            .map(|name| {
                self.find(name).with_context(|| {
                    let folder = self.folder.join(name);
                    format!(
                        "{} holds an incomplete kernel: remove it and run again",
                        folder.display()
                    )
                })
            })
            .collect()
    }

    fn find(&self, series: &str) -> Option<Kernel> {
        Kernel::in_folder(series, &self.folder.join(series))
    }
}

impl Kernel {
    /// The kernel that is unpacked in `folder`, if it is complete.
    pub(crate) fn in_folder(series: &str, folder: &Path) -> Option<Self> {
        let modules = only_entry(&folder.join("lib/modules"))?;
        let release = modules.file_name()?.to_str()?.to_owned();
        let first_file = |files: [PathBuf; 2]| files.into_iter().find(|file| file.is_file());
        let boot = folder.join("boot");
        Some(Self {
            series: series.to_owned(),
            image: first_file([boot.join("vmlinuz"), modules.join("vmlinuz")])?,
            config: first_file([
                boot.join(format!("config-{release}")),
                modules.join("config"),
            ])?,
            release,
            modules,
        })
    }

    /// The first two numbers of the release.
    pub(crate) fn version(&self) -> (u32, u32) {
        let mut numbers = self.release.split(|c: char| !c.is_ascii_digit());
        let mut next = || {
            numbers
                .next()
                .and_then(|number| number.parse().ok())
                .unwrap_or(0)
        };
        (next(), next())
    }

    /// The kernel's BTF, extracted from its image.
    pub(crate) fn btf(&self) -> Result<Vec<u8>> {
        let what = || format!("while reading the BTF in {}", self.image.display());
        let image = fs::read(&self.image).with_context(what)?;
        payload::btf(&image).with_context(what)
    }
}

fn is_series(name: &str) -> bool {
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    name.split_once('.')
        .is_some_and(|(major, minor)| numeric(major) && numeric(minor))
}

fn only_entry(folder: &Path) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?;
    let first = entries.next()?.ok()?.path();
    entries.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_two_numbers() {
        assert!(is_series("5.10") && is_series("7.2"));
        for wrong in ["", "6", "6.", ".1", "6.1.2", "../6.1", "latest"] {
            assert!(!is_series(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_kernel_without_its_configuration_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        put("lib/modules/7.2.1-cloud/vmlinuz");
        assert!(Kernel::in_folder("7.2", folder.path()).is_none());
        put("lib/modules/7.2.1-cloud/config");
        let kernel = Kernel::in_folder("7.2", folder.path()).unwrap();
        assert_eq!(kernel.release, "7.2.1-cloud");
        assert_eq!(kernel.version(), (7, 2));
        assert!(kernel.image.ends_with("7.2.1-cloud/vmlinuz"));
    }
}
