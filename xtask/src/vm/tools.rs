//! Finds the programs that this chore runs, and names the packages of missing ones.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

/// A program that this chore runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    /// The program's name.
    pub(crate) name: &'static str,
    /// Debian's package that has it.
    pub(crate) package: &'static str,
}

pub(crate) const APT_GET: Tool = Tool {
    name: "apt-get",
    package: "apt",
};
pub(crate) const APT_CACHE: Tool = Tool {
    name: "apt-cache",
    package: "apt",
};
pub(crate) const DPKG: Tool = Tool {
    name: "dpkg",
    package: "dpkg",
};
pub(crate) const QEMU: Tool = Tool {
    name: "qemu-system-x86_64",
    package: "qemu-system-x86",
};
pub(crate) const BUSYBOX: Tool = Tool {
    name: "busybox",
    package: "busybox-static",
};

impl Tool {
    /// Where the program is.
    pub(crate) fn path(self) -> Result<PathBuf> {
        // Users without root often have no sbin on their path.
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path)
            .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
            .map(|directory| directory.join(self.name))
            .find(|file| file.is_file())
            .ok_or_else(|| self.missing("is not installed"))
    }

    /// A command that runs the program.
    pub(crate) fn command(self) -> Result<Command> {
        Ok(Command::new(self.path()?))
    }

    /// The error about an unusable program, with how to get a good one.
    pub(crate) fn missing(self, why: &str) -> anyhow::Error {
        anyhow!(
            "`{}` {why}: install it with `apt-get install {}`",
            self.name,
            self.package
        )
    }
}

/// Runs a command to its end and returns its standard output.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command
        .output()
        .with_context(|| format!("while starting {shown}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{shown} failed ({}):\n{}", output.status, stderr.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
