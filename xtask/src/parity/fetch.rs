//! Fetches Debian's libbpf-tools: real tools, each with its object inside.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::vm::{APT_GET, Apt, DPKG, Mirror, output_of};

const PACKAGE: &str = "libbpf-tools";

/// The folder with the tools of a Debian suite; fetched on first use.
pub(crate) fn libbpf_tools(suite: &str) -> Result<PathBuf> {
    let cache = cache_folder()?.join(PACKAGE);
    let tools = Path::new("usr/sbin");
    let place = cache.join(suite);
    if !place.join(tools).is_dir() {
        eprintln!("fetching {PACKAGE} of {suite}");
        fetch(&cache, suite, &place).with_context(|| format!("fetch {PACKAGE} of {suite}"))?;
    }
    Ok(place.join(tools))
}

/// Unpacks next to the final location, then renames: the tools are there completely or not at all.
fn fetch(cache: &Path, suite: &str, place: &Path) -> Result<()> {
    fs::create_dir_all(cache)?;
    let mut apt = Apt::new(cache, Mirror::configured())?;
    apt.update(&[suite])?;
    let work = tempfile::Builder::new()
        .prefix(".fetch-")
        .tempdir_in(cache)?;
    output_of(
        apt.command(APT_GET)?
            .args(["download", PACKAGE])
            .current_dir(work.path()),
    )?;
    let tree = work.path().join("tree");
    for entry in fs::read_dir(work.path())? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            output_of(DPKG.command()?.arg("-x").arg(&file).arg(&tree))?;
        }
    }
    ensure!(tree.is_dir(), "apt-get downloaded nothing");
    fs::rename(&tree, place).with_context(|| format!("make {}", place.display()))
}

/// Where downloads are kept: below `XDG_CACHE_HOME`, otherwise below the home folder.
fn cache_folder() -> Result<PathBuf> {
    let folder = |name, rest: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(|value| Path::new(&value).join(rest))
    };
    folder("XDG_CACHE_HOME", "rawbpf")
        .or_else(|| folder("HOME", ".cache/rawbpf"))
        .context("neither XDG_CACHE_HOME nor HOME is set: there is nowhere to keep downloads")
}
