//! What the running kernel says about itself in files: its version, its configuration, its symbols.

use super::places::{Unmounted, first_usable};
use crate::files::{Limit, read_regular};
use crate::reloc::kconfig;
use crate::symbols::{self, Addresses, KernelSymbol, Symbols};
use crate::sys::system::{self, KernelNames};
use crate::target_files;
use crate::{Errno, Error, ErrorKind, KernelVersion, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// `uname -r`.
pub(crate) fn release() -> Result<String> {
    Ok(names()?.release)
}

fn names() -> Result<KernelNames> {
    system::kernel_names().map_err(|e| Error::from_errno(e, "cannot ask for the kernel's release"))
}

/// The version that programs state to the kernel. Before Linux 5.0, kprobes had to state its own `LINUX_VERSION_CODE`.
#[doc(alias = "get_kernel_version")]
pub(crate) fn version() -> Result<KernelVersion> {
    let KernelNames {
        release, version, ..
    } = names()?;
    let ubuntu = fs::read_to_string("/proc/version_signature").ok();
    version_of(ubuntu.as_deref(), &version, &release).ok_or_else(|| {
        Error::new(
            ErrorKind::Corrupt,
            format!("the kernel's release `{release}` is not a version number"),
        )
    })
}

/// Ubuntu and Debian have releases that hide the stable version (`6.1.0-9-amd64` is built from 6.1.27), and show the true
/// one elsewhere: `Ubuntu 5.4.0-12.15-generic 5.4.8` and `#1 SMP Debian 6.1.27-1 (2023-05-08)`.
fn version_of(ubuntu: Option<&str>, build: &str, release: &str) -> Option<KernelVersion> {
    let ubuntu = ubuntu.and_then(|text| text.split_whitespace().nth(2));
    let debian = build.split_once("Debian ").map(|(_, rest)| rest);
    let places = [ubuntu, debian, Some(release)];
    places.into_iter().flatten().find_map(KernelVersion::parse)
}

/// The kernel's configuration as text: from `/boot`, else the copy inside the kernel.
pub(crate) fn kconfig() -> Result<Vec<u8>> {
    let release = release()?;
    let places = [
        format!("/boot/config-{release}"),
        "/proc/config.gz".to_owned(),
    ]
    .map(PathBuf::from);
    let missing = format!("the configuration of the running kernel ({release}) cannot be read");
    let advice =
        "provide the configuration as text, or use a kernel built with CONFIG_IKCONFIG_PROC";
    first_usable(&places, &missing, advice, |path| {
        let text = target_files::kconfig_of(path)?;
        kconfig::check(&text)?;
        Ok(text)
    })
}

/// Calls `visit` with each symbol in `/proc/kallsyms`; returns whether their addresses are known.
pub(super) fn kallsyms(visit: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<Addresses> {
    Ok(symbols::each_in_kallsyms(&kallsyms_text()?, visit))
}

fn kallsyms_text() -> Result<Vec<u8>> {
    let path = Path::new("/proc/kallsyms");
    read_regular(path, Limit::KALLSYMS).map_err(|error| {
        if error.errno() != Some(Errno::ENOENT) {
            return error;
        }
        let built_without = "the kernel was built without CONFIG_KALLSYMS";
        Unmounted::explain(error.with_hint(built_without), path)
    })
}

impl Symbols {
    /// The functions of the running kernel, from `/proc/kallsyms`.
    ///
    /// # Errors
    /// If the list cannot be read; `Permission` if it hides its addresses from this process.
    pub fn of_kernel() -> Result<Self> {
        let text = kallsyms_text()?;
        match symbols::each_in_kallsyms(&text, &mut |_| {}) {
            Addresses::Told => Ok(Self::from_kallsyms(&text)),
            Addresses::Hidden => Err(symbols::hidden("addresses of the kernel have no names")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_hide_the_version_in_different_places() {
        let debian = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)";
        let v = |major, minor, patch| Some(KernelVersion::new(major, minor, patch));
        assert_eq!(version_of(None, debian, "6.1.0-9-amd64"), v(6, 1, 27));
        let ubuntu = Some("Ubuntu 5.4.0-12.15-generic 5.4.8\n");
        assert_eq!(
            version_of(ubuntu, "#15-Ubuntu SMP", "5.4.0-12-generic"),
            v(5, 4, 8)
        );
        assert_eq!(
            version_of(None, "#1 SMP Thu May 1", "6.18.44-x"),
            v(6, 18, 44)
        );
        assert_eq!(version_of(None, "", "six"), None);
        // What cannot be parsed is skipped.
        let odd = Some("Ubuntu 5.4.0-12.15-generic mainline");
        assert_eq!(version_of(odd, "Debian x", "5.4.0"), v(5, 4, 0));
    }

    #[test]
    fn a_kernel_without_a_boot_file_carries_its_configuration() {
        if !Path::new("/proc/config.gz").exists() {
            return;
        }
        let text = kconfig().expect("a configuration");
        assert!(text.windows(14).any(|w| w == b"CONFIG_BPF_SYS"));
    }
}
