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
    /// What it was built for.
    pub(crate) rawbpf_target: String,
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
        let peers = build_peers()?;
        Self::with_peers_in(peers.parent().unwrap_or(&peers))
    }

    /// As [`Binaries::build`], with no program needing a library.
    pub(crate) fn build_for_guest() -> Result<Self> {
        let peers = workspace()?.join("benches/peers");
        // The archives of libelf and zlib are made for glibc.
        let target = target("gnu");
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
        Self::with_peers_in(&peers.join(STATIC_FOLDER).join(target).join("release"))
    }

    fn with_peers_in(built: &Path) -> Result<Self> {
        let (rawbpf, rawbpf_target) = static_rawbpf()?;
        let (peers, reference) = (built.join("peers"), built.join("reference"));
        Ok(Self {
            rawbpf,
            rawbpf_target,
            peers,
            reference,
        })
    }
}

/// Builds the program that runs other loaders beside rawbpf, or finds that it is fresh.
pub(crate) fn build_peers() -> Result<PathBuf> {
    let peers = workspace()?.join("benches/peers");
    cargo(&peers, &["build", "--release", "--locked", "--bins"], "")
        .context("build benches/peers (it needs the packages libelf-dev and zlib1g-dev)")?;
    Ok(peers.join("target/release/peers"))
}

/// Builds the command, with the smaller musl as its C library where Rust's half of that is installed.
fn static_rawbpf() -> Result<(PathBuf, String)> {
    let root = workspace()?;
    let musl = target("musl");
    let target = if is_installed(&musl) {
        musl
    } else {
        target("gnu")
    };
    let what = [
        "build",
        "--release",
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
        .join("release/rawbpf");
    Ok((built, target))
}

fn target(library: &str) -> String {
    format!("{}-unknown-linux-{library}", env::consts::ARCH)
}

/// Whether Rust's standard library for this target is there.
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
