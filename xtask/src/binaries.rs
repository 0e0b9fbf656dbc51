//! Builds the programs that comparisons run: rawbpf as it is shipped, and the other loaders.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Executables, ready to run.
#[derive(Debug)]
pub(crate) struct Binaries {
    /// The `rawbpf` command: release profile, stripped, linked statically.
    pub(crate) rawbpf: PathBuf,
    /// Times one loader in one process.
    pub(crate) peers: PathBuf,
    /// libbpf's opinion of an object.
    pub(crate) reference: PathBuf,
}

impl Binaries {
    /// Builds all of them, or finds that they are fresh.
    pub(crate) fn build() -> Result<Self> {
        let root = workspace()?;
        let peers = root.join("benches/peers");
        cargo(&peers, &["build", "--release", "--locked", "--bins"], "")
            .context("build benches/peers (it needs the packages libelf-dev and zlib1g-dev)")?;
        let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
        // A folder of its own: other flags would make the next ordinary build start afresh.
        let folder = "target/static";
        let package = ["--package", "rawbpf-cli", "--bin", "rawbpf", "--locked"];
        let place = ["--target", &target, "--target-dir", folder];
        let command = [&["build", "--release"][..], &package, &place].concat();
        cargo(&root, &command, "-C target-feature=+crt-static").context("build rawbpf")?;
        let peers_built = peers.join("target/release");
        Ok(Self {
            rawbpf: root.join(folder).join(target).join("release/rawbpf"),
            peers: peers_built.join("peers"),
            reference: peers_built.join("reference"),
        })
    }
}

/// The root folder of the project.
pub(crate) fn workspace() -> Result<PathBuf> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(xtask
        .parent()
        .context("the package xtask is not in a workspace")?
        .to_owned())
}

fn cargo(folder: &Path, arguments: &[&str], flags: &str) -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(arguments)
        .arg("--quiet")
        .current_dir(folder)
        .stdin(Stdio::null())
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // Where the caller wants its own build is no place for one with other flags.
        .env_remove("CARGO_TARGET_DIR")
        .env("RUSTFLAGS", flags);
    let status = cargo.status().context("start cargo")?;
    ensure!(
        status.success(),
        "cargo {} in {} failed",
        arguments.join(" "),
        folder.display()
    );
    Ok(())
}
