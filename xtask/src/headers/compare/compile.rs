//! How a source is compiled.

use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A compiler with what all sources need.
pub(super) struct Compiler {
    pub(super) clang: String,
    /// Options that the user gave.
    pub(super) flags: Vec<String>,
    /// The folder with vmlinux.h.
    pub(super) types: PathBuf,
}

impl Compiler {
    /// Compiles for the processors of this machine; returns the first error message if that fails.
    pub(super) fn compile(
        &self,
        source: &Path,
        include: &Path,
        object: &Path,
    ) -> Result<Result<(), String>> {
        let mut command = self.command(source, include)?;
        command
            .args(["-O2", "-g", "-mcpu=v3", "-c", "-o"])
            .arg(object);
        let output = command
            .output()
            .with_context(|| format!("starting {}", self.clang))?;
        ensure!(output.status.code().is_some(), "{} was killed", self.clang);
        if output.status.success() {
            return Ok(Ok(()));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let error = said.lines().find(|line| line.contains("error:"));
        Ok(Err(error.unwrap_or("no message").trim().to_owned()))
    }

    /// Whether the source includes one of the headers, itself or by another.
    pub(super) fn includes(&self, source: &Path, include: &Path) -> Result<bool> {
        let mut command = self.command(source, include)?;
        let output = command.args(["-MM", "-MG"]).output();
        let output = output.with_context(|| format!("starting {}", self.clang))?;
        let headers = include.join("bpf");
        let said = String::from_utf8_lossy(&output.stdout);
        // If this fails, compiling will, which says more.
        Ok(!output.status.success() || said.contains(&*headers.to_string_lossy()))
    }

    fn command(&self, source: &Path, include: &Path) -> Result<Command> {
        let folder = source.parent().context("a source without a folder")?;
        let mut command = Command::new(&self.clang);
        command.args(["-target", "bpf", "-std=gnu11", "-w"]);
        command.arg(format!("-D__TARGET_ARCH_{}", machine()));
        for folder in [include, &self.types, folder, &folder.join("..")] {
            command.arg("-I").arg(folder);
        }
        command.args(&self.flags);
        // The kernel's headers for this machine, which compilers for BPF do not look for.
        let own = format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH);
        command.args(["-idirafter", &own]).arg(source);
        Ok(command)
    }
}

/// This machine, as kernel developers call it.
fn machine() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x86",
        "aarch64" => "arm64",
        "riscv64" => "riscv",
        "s390x" => "s390",
        other => other,
    }
}
