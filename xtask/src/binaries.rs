//! Builds the programs that comparisons run: rawbpf as it is shipped, and the other loaders.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Executables, ready to run.
#[derive(Debug)]
pub(crate) struct Binaries {
    /// The `rawbpf` command: stripped, linked statically.
    pub(crate) rawbpf: PathBuf,
    /// What it was built for.
    pub(crate) rawbpf_target: String,
    /// Times one loader in one process.
    pub(crate) peers: PathBuf,
    /// libbpf's opinion of an object.
    pub(crate) reference: PathBuf,
}

/// How programs are built.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Profile {
    /// Like the published binary: small, and slow to build.
    Dist,
    /// Like `cargo build --release`, in half the time.
    Release,
}

impl Profile {
    /// Its name in cargo, and the folder that it builds to.
    fn name(self) -> &'static str {
        match self {
            Self::Dist => "dist",
            Self::Release => "release",
        }
    }
}

/// A separate folder for static programs: other flags would make the next ordinary build start over.
const STATIC_FOLDER: &str = "target/static";
const STATIC: &str = "-C target-feature=+crt-static";

impl Binaries {
    /// Builds the programs for this machine, unless they are up to date.
    pub(crate) fn build() -> Result<Self> {
        Self::build_as(Profile::Dist)
    }

    /// The same with another profile.
    pub(crate) fn build_as(profile: Profile) -> Result<Self> {
        let peers = build_peers_as(profile)?;
        Self::with_peers_in(peers.parent().unwrap_or(&peers), profile)
    }

    /// Like [`Binaries::build`], with programs that need no libraries.
    pub(crate) fn build_for_guest() -> Result<Self> {
        let peers = workspace()?.join("benches/peers");
        // The archives of libelf and zlib are made for glibc.
        let target = target("gnu");
        let what = [
            "build",
            "--profile",
            Profile::Dist.name(),
            "--locked",
            "--bins",
            "--features",
            "static",
        ];
        let place = ["--target", &target, "--target-dir", STATIC_FOLDER];
        cargo(&peers, &[&what[..], &place].concat(), STATIC)
            .context("build benches/peers (it needs the packages libelf-dev and zlib1g-dev)")?;
        let built = peers.join(STATIC_FOLDER).join(target);
        Self::with_peers_in(&built.join(Profile::Dist.name()), Profile::Dist)
    }

    fn with_peers_in(built: &Path, profile: Profile) -> Result<Self> {
        let (rawbpf, rawbpf_target) = static_rawbpf(profile)?;
        let (peers, reference) = (built.join("peers"), built.join("reference"));
        Ok(Self {
            rawbpf,
            rawbpf_target,
            peers,
            reference,
        })
    }
}

/// Builds the program that runs other loaders next to rawbpf, unless it is up to date.
pub(crate) fn build_peers() -> Result<PathBuf> {
    build_peers_as(Profile::Dist)
}

fn build_peers_as(profile: Profile) -> Result<PathBuf> {
    let peers = workspace()?.join("benches/peers");
    let what = ["build", "--profile", profile.name(), "--locked", "--bins"];
    cargo(&peers, &what, "")
        .context("build benches/peers (it needs the packages libelf-dev and zlib1g-dev)")?;
    Ok(peers.join("target").join(profile.name()).join("peers"))
}

/// Builds the command, with the smaller musl as its C library if Rust's part of it is installed.
fn static_rawbpf(profile: Profile) -> Result<(PathBuf, String)> {
    let root = workspace()?;
    let musl = target("musl");
    let target = if is_installed(&musl) {
        musl
    } else {
        target("gnu")
    };
    let what = [
        "build",
        "--profile",
        profile.name(),
        "--locked",
        "--package",
        "rawbpf-cli",
        "--bin",
        "rawbpf",
    ];
    let place = ["--target", &target, "--target-dir", STATIC_FOLDER];
    cargo(&root, &[&what[..], &place].concat(), STATIC).context("build rawbpf")?;
    let built = root
        .join(STATIC_FOLDER)
        .join(&target)
        .join(profile.name())
        .join("rawbpf");
    Ok((built, target))
}

fn target(library: &str) -> String {
    format!("{}-unknown-linux-{library}", env::consts::ARCH)
}

/// Whether Rust's standard library for this target is installed.
fn is_installed(target: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let folder = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", target])
        .output();
    folder.is_ok_and(|output| {
        output.status.success()
            && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
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
        // The caller's own build folder is no place for a build with other flags.
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
