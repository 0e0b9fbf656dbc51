//! Finds the Debian mirror that this machine is configured with, in both of apt's formats.

use std::fs;
use std::path::{Path, PathBuf};

/// Where Debian's packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    /// The address above `dists/` and `pool/`.
    pub(crate) uri: String,
    /// The key file that the configuration names for it.
    pub(crate) signed_by: Option<String>,
}

/// The keys of Debian's releases, as the package `debian-archive-keyring` installs them.
const DEBIAN_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The mirror that everyone can reach, for machines that do not run Debian.
const PUBLIC_MIRROR: &str = "http://deb.debian.org/debian";

const DEBIAN_SUITES: [&str; 10] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "stable",
    "oldstable",
    "oldoldstable",
    "testing",
    "unstable",
];

impl Mirror {
    /// The first Debian mirror in the system's configuration, otherwise the public one.
    pub(crate) fn configured() -> Self {
        source_files(Path::new("/etc/apt"))
            .iter()
            .filter_map(|file| Some((file, fs::read_to_string(file).ok()?)))
            .find_map(|(file, text)| {
                if file.extension().is_some_and(|e| e == "sources") {
                    from_deb822(&text)
                } else {
                    from_one_line(&text)
                }
            })
            .unwrap_or_else(|| Self {
                uri: PUBLIC_MIRROR.to_owned(),
                signed_by: None,
            })
    }

    /// The file with the keys that sign this mirror's packages.
    pub(crate) fn keyring(&self) -> &str {
        self.signed_by.as_deref().unwrap_or(DEBIAN_KEYRING)
    }
}

fn source_files(apt: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(apt.join("sources.list.d"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|e| e == "sources" || e == "list")
        })
        .collect();
    files.sort();
    files.insert(0, apt.join("sources.list"));
    files
}

/// One source as either format gives it.
#[derive(Debug, Default)]
struct Source<'a> {
    types: Vec<&'a str>,
    uris: Vec<&'a str>,
    suites: Vec<&'a str>,
    components: Vec<&'a str>,
    signed_by: Option<&'a str>,
    enabled: Enabled,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Enabled {
    #[default]
    Yes,
    No,
}

impl Source<'_> {
    /// The mirror, if this is one of Debian's main archive (not of its security updates).
    fn mirror(&self) -> Option<Mirror> {
        let main_archive = self.suites.iter().any(|suite| {
            let release = suite.split('-').next().unwrap_or(suite);
            DEBIAN_SUITES.contains(&release) && !suite.contains("security")
        });
        if self.enabled == Enabled::No
            || !self.types.contains(&"deb")
            || !self.components.contains(&"main")
            || !main_archive
        {
            return None;
        }
        let uri = self
            .uris
            .iter()
            .find(|uri| uri.contains(':') && !uri.contains("security"))?;
        // Key material can stand in the source itself; only a path can be carried over.
        let signed_by = self
            .signed_by
            .filter(|key| key.starts_with('/'))
            .map(str::to_owned);
        Some(Mirror {
            uri: uri.trim_end_matches('/').to_owned(),
            signed_by,
        })
    }
}

/// Reads `Types: deb` paragraphs (a `.sources` file).
fn from_deb822(text: &str) -> Option<Mirror> {
    let mut source = Source::default();
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            if let Some(mirror) = source.mirror() {
                return Some(mirror);
            }
            source = Source::default();
            continue;
        }
        // A line that starts with a blank continues the field above; those matter for keys only.
        if line.starts_with(['#', ' ', '\t']) {
            continue;
        }
        let Some((field, value)) = line.split_once(':') else {
            continue;
        };
        let words = || value.split_whitespace().collect();
        match field.to_ascii_lowercase().as_str() {
            "types" => source.types = words(),
            "uris" => source.uris = words(),
            "suites" => source.suites = words(),
            "components" => source.components = words(),
            "signed-by" => source.signed_by = Some(value.trim()),
            "enabled" if value.trim().eq_ignore_ascii_case("no") => source.enabled = Enabled::No,
            _ => {}
        }
    }
    None
}

/// Reads `deb [options] URI SUITE COMPONENT...` lines (a `.list` file).
fn from_one_line(text: &str) -> Option<Mirror> {
    text.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let rest = line
            .strip_prefix("deb")
            .filter(|rest| rest.starts_with([' ', '\t']))?;
        let (options, rest) = match rest.trim_start().strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        Source {
            types: vec!["deb"],
            uris: words.next().into_iter().collect(),
            suites: words.next().into_iter().collect(),
            components: words.collect(),
            signed_by: options
                .split_whitespace()
                .find_map(|o| o.strip_prefix("signed-by=")),
            enabled: Enabled::Yes,
        }
        .mirror()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(uri: &str, signed_by: Option<&str>) -> Mirror {
        Mirror {
            uri: uri.to_owned(),
            signed_by: signed_by.map(str::to_owned),
        }
    }

    #[test]
    fn deb822_skips_security_foreign_and_disabled_sources() {
        let text = "Types: deb\nURIs: http://a/debian-security/\nSuites: bookworm-security\n\
                    Components: main\n\nTypes: deb\nURIs: https://node/x\nSuites: nodistro\n\
                    Components: main\n\nEnabled: no\nTypes: deb\nURIs: http://off/debian\n\
                    Suites: bookworm\nComponents: main\n\n# why\nTypes: deb deb-src\n\
                    URIs: http://good/debian/\nSuites: bookworm bookworm-updates\n\
                    Components: main contrib\nSigned-By: /k.gpg\n";
        assert_eq!(
            from_deb822(text),
            Some(mirror("http://good/debian", Some("/k.gpg")))
        );
    }

    #[test]
    fn deb822_ignores_key_material_in_the_source() {
        let text = "Types: deb\nURIs: http://m/debian\nSuites: sid\nComponents: main\n\
                    Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n";
        assert_eq!(from_deb822(text), Some(mirror("http://m/debian", None)));
    }

    #[test]
    fn one_line_with_and_without_options() {
        assert_eq!(
            from_one_line("# deb http://no/debian sid main\ndeb http://m/debian bookworm main\n"),
            Some(mirror("http://m/debian", None))
        );
        assert_eq!(
            from_one_line("deb [arch=amd64 signed-by=/k.gpg]  http://m/debian/ trixie main # x"),
            Some(mirror("http://m/debian", Some("/k.gpg")))
        );
    }

    #[test]
    fn one_line_of_another_distribution_is_no_mirror() {
        assert_eq!(
            from_one_line("deb http://archive.ubuntu.com/ubuntu noble main universe"),
            None
        );
        assert_eq!(from_one_line("deb-src http://m/debian bookworm main"), None);
        assert_eq!(
            from_one_line("deb http://s/debian-security bookworm-security main"),
            None
        );
    }
}
