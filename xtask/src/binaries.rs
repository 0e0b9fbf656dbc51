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

/// A folder of its own for static programs: other flags would make the next ordinary build start afresh.
const STATIC_FOLDER: &str = "target/static";
const STATIC: &str = "-C target-feature=+crt-static";

impl Binaries {
    /// Builds what runs on this machine, or finds that it is fresh.
    pub(crate) fn build() -> Result<Self> {
        let peers = workspace()?.join("benches/peers");
        cargo(&peers, &["build", "--release", "--locked", "--bins"], "")
            .context("build benches/peers (it needs the packages libelf-dev and zlib1g-dev)")?;
        let built = peers.join("target/release");
        Ok(Self {
            rawbpf: static_rawbpf()?,
            peers: built.join("peers"),
            reference: built.join("reference"),
        })
    }

    /// As [`Binaries::build`], with no program needing a library.
    pub(crate) fn build_for_guest() -> Result<Self> {
        let peers = workspace()?.join("benches/peers");
        let target = target();
        let what = [
            "build",
            "--release",
            "--locked",
            "--bins",
            "--features",
            "static",
        ];
        let place = ["--target", &target, "--target-dir", STATIC_FOLDER];
        cargo(&peers, &[&what[..], &place].concat(), STATIC)
            .context("build benches/peers (it needs the packages libelf-dev and zlib1g-dev)")?;
        let built = peers.join(STATIC_FOLDER).join(target).join("release");
        Ok(Self {
            rawbpf: static_rawbpf()?,
            peers: built.join("peers"),
            reference: built.join("reference"),
        })
    }
}

fn static_rawbpf() -> Result<PathBuf> {
    let root = workspace()?;
    let target = target();
    let what = [
        "build",
        "--release",
        "--package",
        "rawbpf-cli",
        "--bin",
        "rawbpf",
        "--locked",
    ];
    let place = ["--target", &target, "--target-dir", STATIC_FOLDER];
    cargo(&root, &[&what[..], &place].concat(), STATIC).context("build rawbpf")?;
    Ok(root.join(STATIC_FOLDER).join(target).join("release/rawbpf"))
}

fn target() -> String {
    format!("{}-unknown-linux-gnu", env::consts::ARCH)
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
    if flags == STATIC {
        // Where Debian keeps the archives of libelf and zlib.
        let archives = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
        cargo.env("LIBBPF_SYS_LIBRARY_PATH", archives);
    }
    let status = cargo.status().context("start cargo")?;
    ensure!(
        status.success(),
        "cargo {} in {} failed",
        arguments.join(" "),
        folder.display()
    );
    Ok(())
}
