//! What the running kernel says about itself in files: its version, its configuration, its symbols.

use crate::sys::system::{self, KernelNames};
use crate::{Error, ErrorKind, KernelVersion, Result};
use std::fs;
use std::path::Path;

/// `uname -r`.
pub(super) fn release() -> Result<String> {
    Ok(names()?.release)
}

fn names() -> Result<KernelNames> {
    system::kernel_names().map_err(|e| Error::from_errno(e, "cannot ask for the kernel's release"))
}

/// The version that programs state to old kernels, which compare it with their own `LINUX_VERSION_CODE`.
#[doc(alias = "get_kernel_version")]
pub(crate) fn version() -> Result<KernelVersion> {
    let KernelNames {
        release, version, ..
    } = names()?;
    let ubuntu = fs::read_to_string("/proc/version_signature").ok();
    version_of(ubuntu.as_deref(), &version, &release).ok_or_else(|| {
        Error::new(
            ErrorKind::Corrupt,
            format!("the kernel's release `{release}` is no version number"),
        )
    })
}

/// Ubuntu and Debian print a release that hides the stable version (`6.1.0-9-amd64` is built from 6.1.27), and put the
/// true one elsewhere: `Ubuntu 5.4.0-12.15-generic 5.4.8` and `#1 SMP Debian 6.1.27-1 (2023-05-08)`.
fn version_of(ubuntu: Option<&str>, build: &str, release: &str) -> Option<KernelVersion> {
    if let Some(third) = ubuntu.and_then(|text| text.split_whitespace().nth(2)) {
        return KernelVersion::parse(third);
    }
    let debian = build.split_once("Debian ").map(|(_, rest)| rest);
    debian
        .and_then(KernelVersion::parse)
        .or_else(|| KernelVersion::parse(release))
}

/// The kernel's configuration as text: the boot folder's file, else the one the kernel carries.
pub(super) fn kconfig() -> Result<Vec<u8>> {
    let boot = format!("/boot/config-{}", release()?);
    let (path, bytes) = if let Ok(bytes) = fs::read(&boot) {
        (boot.as_str(), bytes)
    } else {
        let own = "/proc/config.gz";
        let bytes = fs::read(own).map_err(|e| {
            let doing = "read the kernel's configuration from";
            Error::from_io(e, doing, Path::new(own)).with_hint(format!(
                "neither {boot} nor {own} can be read; give the configuration as text, or use a kernel with \
                 CONFIG_IKCONFIG_PROC"
            ))
        })?;
        (own, bytes)
    };
    plain(bytes, Path::new(path))
}

/// The text of a configuration that may be compressed.
pub(super) fn plain(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        gunzip(&bytes, path)
    } else {
        Ok(bytes)
    }
}

/// A configuration has a few hundred KiB; a file that grows beyond this is none.
#[cfg(feature = "gz")]
const MAX_KCONFIG: u64 = 64 << 20;

#[cfg(feature = "gz")]
fn gunzip(bytes: &[u8], path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;

    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .take(MAX_KCONFIG)
        .read_to_end(&mut text)
        .map_err(|e| Error::from_io(e, "decompress", path))?;
    Ok(text)
}

#[cfg(not(feature = "gz"))]
fn gunzip(_bytes: &[u8], path: &Path) -> Result<Vec<u8>> {
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("cannot decompress {}", path.display()),
    )
    .with_hint("build rawbpf with the feature `gz`"))
}

/// Calls `visit` with the address, type letter and name of each symbol in `/proc/kallsyms`.
pub(crate) fn kallsyms(visit: &mut dyn FnMut(u64, char, &str)) -> Result<()> {
    kernel_symbols(&mut |symbol| visit(symbol.address, symbol.letter, symbol.name))
}

/// A line of `/proc/kallsyms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KernelSymbol<'l> {
    /// Zero for those who may not see kernel addresses.
    pub(crate) address: u64,
    pub(crate) letter: char,
    pub(crate) name: &'l str,
    /// `None` for the kernel proper.
    pub(crate) module: Option<&'l str>,
}

/// Calls `visit` with each symbol in `/proc/kallsyms`.
pub(crate) fn kernel_symbols(visit: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<()> {
    let path = Path::new("/proc/kallsyms");
    let text = fs::read(path).map_err(|e| Error::from_io(e, "read", path))?;
    each_symbol(&text, visit);
    Ok(())
}

fn each_symbol(text: &[u8], visit: &mut dyn FnMut(KernelSymbol<'_>)) {
    let mut rest = text;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        if let Some(symbol) = symbol(line) {
            visit(symbol);
        }
    }
}

/// `ffffffff81000000 T _stext` or, of a module, `ffffffffc0000000 t f<TAB>[module]`.
fn symbol(line: &[u8]) -> Option<KernelSymbol<'_>> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    Some(KernelSymbol {
        address: u64::from_str_radix(words.next()?, 16).ok()?,
        letter: words.next()?.chars().next()?,
        name: words.next()?,
        module: words
            .next()
            .and_then(|word| word.strip_prefix('[')?.strip_suffix(']')),
    })
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
    }

    #[test]
    fn symbols_are_read_line_by_line() {
        let text =
            b"ffffffff81000000 T _stext\nffffffffc0001000 t f\t[veth]\nbroken\n0 D last" as &[u8];
        let mut seen = Vec::new();
        each_symbol(text, &mut |symbol| {
            let module = symbol.module.map(str::to_owned);
            seen.push((
                symbol.address,
                symbol.letter,
                symbol.name.to_owned(),
                module,
            ));
        });
        let line = |address, letter, name: &str, module: Option<&str>| {
            (address, letter, name.to_owned(), module.map(str::to_owned))
        };
        assert_eq!(
            seen,
            [
                line(0xffff_ffff_8100_0000, 'T', "_stext", None),
                line(0xffff_ffff_c000_1000, 't', "f", Some("veth")),
                line(0, 'D', "last", None),
            ]
        );
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
