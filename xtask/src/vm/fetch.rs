//! Fetches Debian's cloud kernels with apt, which checks their signatures.
//!
//! Apt gets its own state, cache and list of sources, so the system's stay untouched, and no root is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::kernels::Kernel;
use super::sources::Mirror;
use super::tools::{APT_CACHE, APT_GET, DPKG, Tool, output_of};

/// The suites that carry a series.
fn suites(series: &str) -> &'static [&'static str] {
    match series {
        "5.10" => &["bullseye"],
        "6.1" => &["bookworm"],
        "6.12" => &["trixie"],
        // Series come and go in these.
        _ => &["forky", "sid"],
    }
}

/// Fetches the newest kernel of each series and unpacks it into `cache/SERIES`.
pub(crate) fn fetch(cache: &Path, series: &[&str]) -> Result<()> {
    let mut apt = Apt::new(cache, Mirror::configured())?;
    let mut wanted: Vec<_> = series
        .iter()
        .flat_map(|name| suites(name))
        .copied()
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    eprintln!(
        "fetching the package lists of {} from {}",
        wanted.join(", "),
        apt.mirror.uri
    );
    apt.update(&wanted)?;
    for name in series {
        let packages = apt.packages(name)?;
        eprintln!("fetching {}", packages.join(", "));
        unpack(&apt, cache, name, &packages)
            .with_context(|| format!("while fetching the {name} kernel"))?;
    }
    Ok(())
}

/// Downloads and unpacks next to the final location, then renames: a kernel is there completely or not at all, even if two
/// of these run at the same time.
fn unpack(apt: &Apt, cache: &Path, series: &str, packages: &[String]) -> Result<()> {
    let work = tempfile::Builder::new()
        .prefix(".fetch-")
        .tempdir_in(cache)?;
    output_of(
        apt.command(APT_GET)?
            .arg("download")
            .args(packages)
            .current_dir(work.path()),
    )?;
    let tree = work.path().join("tree");
    for entry in fs::read_dir(work.path())? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            output_of(DPKG.command()?.arg("-x").arg(&file).arg(&tree))?;
        }
    }
    let ready = work.path().join("ready");
    arrange(&tree, &ready)?;
    if Kernel::in_folder(series, &ready).is_none() {
        bail!(
            "{} hold no kernel image with its configuration and modules",
            packages.join(", ")
        );
    }
    let place = cache.join(series);
    match fs::rename(&ready, &place) {
        // Another process was faster.
        Err(_) if Kernel::in_folder(series, &place).is_some() => Ok(()),
        renamed => renamed.with_context(|| format!("while making {}", place.display())),
    }
}

/// Moves what is needed out of the unpacked packages.
fn arrange(tree: &Path, ready: &Path) -> Result<()> {
    fs::create_dir_all(ready.join("lib"))?;
    fs::create_dir_all(ready.join("boot"))?;
    let modules = ["lib/modules", "usr/lib/modules"].map(|path| tree.join(path));
    let modules = modules
        .iter()
        .find(|path| path.is_dir())
        .context("the package has no modules")?;
    fs::rename(modules, ready.join("lib/modules"))?;
    // Since series 7, image and configuration are next to the modules.
    for entry in fs::read_dir(tree.join("boot")).into_iter().flatten() {
        let file = entry?.path();
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with("vmlinuz") {
            fs::rename(&file, ready.join("boot/vmlinuz"))?;
        } else if name.starts_with("config-") {
            fs::rename(&file, ready.join("boot").join(name))?;
        }
    }
    Ok(())
}

/// An apt of our own.
#[derive(Debug)]
pub(crate) struct Apt {
    folder: PathBuf,
    mirror: Mirror,
}

impl Apt {
    pub(crate) fn new(cache: &Path, mirror: Mirror) -> Result<Self> {
        if !Path::new(mirror.keyring()).exists() {
            bail!(
                "there is no {} to check Debian's signatures with: install it with `apt-get \
                 install debian-archive-keyring`",
                mirror.keyring()
            );
        }
        let folder = cache.join(".apt");
        for part in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part))?;
        }
        fs::write(folder.join("status"), "")?;
        Ok(Self { folder, mirror })
    }

    pub(crate) fn command(&self, tool: Tool) -> Result<Command> {
        let mut command = tool.command()?;
        let folder = self.folder.display();
        for option in [
            format!("Dir::State={folder}/state"),
            format!("Dir::State::status={folder}/status"),
            format!("Dir::Cache={folder}/cache"),
            format!("Dir::Etc::SourceList={folder}/sources.list"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            "Dir::Etc::PreferencesParts=/dev/null".to_owned(),
            "APT::Architecture=amd64".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command.arg("-qq");
        Ok(command)
    }

    pub(crate) fn update(&mut self, suites: &[&str]) -> Result<()> {
        let Mirror { uri, .. } = &self.mirror;
        let keys = self.mirror.keyring();
        let source = |suite| format!("deb [signed-by={keys} arch=amd64] {uri} {suite} main\n");
        let sources = suites.iter().map(source).collect::<Vec<_>>().concat();
        fs::write(self.folder.join("sources.list"), sources)?;
        output_of(self.command(APT_GET)?.arg("update"))?;
        Ok(())
    }

    /// The packages that together make up the newest cloud kernel of a series.
    fn packages(&self, series: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for prefix in [
            "linux-image-",
            "linux-binary-",
            "linux-modules-",
            "linux-base-",
        ] {
            let list = output_of(self.command(APT_CACHE)?.args(["pkgnames", prefix]))?;
            names.extend(list.lines().map(str::to_owned));
        }
        let found = newest(&names, series).or_else(|| later(&names, series));
        let Some(name) = found else {
            bail!(
                "no cloud kernel of the series {series} is in Debian's {}; there are: {}",
                suites(series).join(" and "),
                shown_releases(&names)
            );
        };
        Ok(with_companions(name, &names))
    }
}

/// The package with the newest image of a series. Later kernels come as `linux-binary-*` and `linux-modules-*`, next to an
/// empty `linux-image-*`; earlier ones have everything in that one.
fn newest<'a>(names: &'a [String], series: &str) -> Option<&'a str> {
    newest_where(names, |release| {
        release
            .strip_prefix(series)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// The package with the newest image of all, if it is later than a series: unreleased suites move on, and there the newest
/// kernel is what is wanted.
fn later<'a>(names: &'a [String], series: &str) -> Option<&'a str> {
    newest_where(names, |release| natural_key(release) > natural_key(series))
}

fn newest_where(names: &[String], wanted: impl Fn(&str) -> bool) -> Option<&str> {
    names
        .iter()
        .map(String::as_str)
        .filter(|name| cloud_release(name).is_some_and(&wanted))
        .max_by_key(|name| {
            let release = cloud_release(name).map(natural_key);
            (release, name.starts_with("linux-binary-"))
        })
}

/// The release in a package's name, if it is a signed cloud kernel for this architecture.
fn cloud_release(name: &str) -> Option<&str> {
    let release = name
        .strip_prefix("linux-image-")
        .or_else(|| name.strip_prefix("linux-binary-"))?;
    let version = release.strip_suffix("-cloud-amd64")?;
    version
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(version)
}

/// A package with those that contain the modules and the configuration of later kernels.
fn with_companions(name: &str, names: &[String]) -> Vec<String> {
    let mut packages = vec![name.to_owned()];
    if let Some(release) = name.strip_prefix("linux-binary-") {
        let companions = ["modules", "base"].map(|part| format!("linux-{part}-{release}"));
        packages.extend(
            companions
                .into_iter()
                .filter(|companion| names.contains(companion)),
        );
    }
    packages
}

fn shown_releases(names: &[String]) -> String {
    let mut releases: Vec<_> = names
        .iter()
        .filter_map(|name| cloud_release(name))
        .collect();
    releases.sort_by_key(|release| natural_key(release));
    releases.dedup();
    if releases.is_empty() {
        "none at all".to_owned()
    } else {
        releases.join(", ")
    }
}

/// Orders numbers in a text by their value, the rest as text.
fn natural_key(text: &str) -> Vec<(u64, &str)> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .map(|piece| (piece.parse().unwrap_or(0), piece))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        [
            "linux-image-5.10.0-9-cloud-amd64",
            "linux-image-5.10.0-32-cloud-amd64",
            "linux-image-5.10.0-32-cloud-amd64-dbg",
            "linux-image-5.10.0-33-cloud-amd64-unsigned",
            "linux-image-5.10.0-34-amd64",
            "linux-image-5.1.0-99-cloud-amd64",
            "linux-image-cloud-amd64",
            "linux-binary-7.2.9+deb14-cloud-amd64",
            "linux-binary-7.2.13+deb14-cloud-amd64",
            "linux-image-7.2.13+deb14-cloud-amd64",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn newest_compares_numbers_not_text() {
        let names = names();
        assert_eq!(
            newest(&names, "5.10"),
            Some("linux-image-5.10.0-32-cloud-amd64")
        );
        assert_eq!(
            newest(&names, "7.2"),
            Some("linux-binary-7.2.13+deb14-cloud-amd64")
        );
        assert_eq!(
            newest(&names, "5.1"),
            Some("linux-image-5.1.0-99-cloud-amd64")
        );
        assert_eq!(newest(&names, "6.1"), None);
    }

    #[test]
    fn a_series_that_is_gone_is_replaced_by_a_later_one() {
        let names = names();
        assert_eq!(
            later(&names, "7.1"),
            Some("linux-binary-7.2.13+deb14-cloud-amd64")
        );
        assert_eq!(later(&names, "7.3"), None);
    }

    #[test]
    fn later_kernels_are_several_packages() {
        let names = [
            "linux-modules-7.2-cloud-amd64",
            "linux-base-7.1-cloud-amd64",
        ];
        let names = names.map(str::to_owned);
        assert_eq!(
            with_companions("linux-binary-7.2-cloud-amd64", &names),
            [
                "linux-binary-7.2-cloud-amd64",
                "linux-modules-7.2-cloud-amd64"
            ]
        );
        assert_eq!(
            with_companions("linux-image-7.2-cloud-amd64", &names).len(),
            1
        );
    }

    #[test]
    fn arrange_keeps_image_configuration_and_modules() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        for file in [
            "boot/vmlinuz-6.1.0",
            "boot/config-6.1.0",
            "boot/System.map-6.1.0",
        ] {
            fs::create_dir_all(tree.join("boot")).unwrap();
            fs::write(tree.join(file), file).unwrap();
        }
        fs::create_dir_all(tree.join("usr/lib/modules/6.1.0/kernel")).unwrap();
        let ready = folder.path().join("ready");
        arrange(&tree, &ready).unwrap();
        let kernel = Kernel::in_folder("6.1", &ready).unwrap();
        assert_eq!(
            fs::read_to_string(kernel.image).unwrap(),
            "boot/vmlinuz-6.1.0"
        );
        assert!(!ready.join("boot/System.map-6.1.0").exists());
    }
}
