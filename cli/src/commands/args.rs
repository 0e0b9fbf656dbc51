//! Arguments shared by several commands.

use clap::Args;
use rawbpf::KernelVersion;
use std::path::PathBuf;
use std::time::Duration;

/// Alternatives: one of these programs is enough.
#[derive(Debug, Args)]
pub(crate) struct PreferArgs {
    /// Of these programs, load only the first that the kernel can load and attach (may be repeated)
    #[arg(long = "prefer", value_name = "PROGRAM,PROGRAM[,PROGRAM]", value_parser = names)]
    pub(crate) groups: Vec<Names>,
}

/// Names in the given order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Names(pub(crate) Vec<String>);

/// Facts about a kernel from files: about another kernel for `plan`; about this one, where it does not provide them, for `run`
/// and `load`.
#[derive(Debug, Args)]
pub(crate) struct KernelArgs {
    /// The kernel's types (raw BTF, or an ELF file with a .BTF section). `plan` then plans for that kernel [default: this
    /// kernel's own]; `run` and `load` adapt programs to them, and load into this kernel
    #[arg(long, value_name = "FILE")]
    pub(crate) btf: Option<PathBuf>,
    /// The kernel's configuration (plain or gzip). For this kernel, the file takes precedence over the kernel's own information
    #[arg(long, value_name = "FILE")]
    pub(crate) kconfig: Option<PathBuf>,
    /// The kernel version that programs see. For `plan --btf` it also determines which features the kernel has [default there:
    /// the newest]
    #[arg(long, value_name = "X.Y.Z", value_parser = version)]
    pub(crate) kernel_version: Option<KernelVersion>,
}

fn names(text: &str) -> Result<Names, String> {
    let names: Vec<_> = text.split(',').map(str::to_owned).collect();
    if names.len() < 2 || names.iter().any(String::is_empty) {
        return Err("expected at least two names, separated by commas".to_string());
    }
    Ok(Names(names))
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text
        .parse()
        .map_err(|_| "expected a number of seconds".to_string())?;
    Duration::try_from_secs_f64(number).map_err(|e| e.to_string())
}

fn version(text: &str) -> Result<KernelVersion, String> {
    KernelVersion::parse(text)
        .ok_or_else(|| "expected a version such as 6.1 or 5.10.218".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        assert_eq!(names("a,b"), Ok(Names(vec!["a".into(), "b".into()])));
        assert!(names("a").is_err() && names("a,").is_err() && names("").is_err());
        assert_eq!(version("6.1"), Ok(KernelVersion::new(6, 1, 0)));
    }
}
