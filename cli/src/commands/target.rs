//! The kernel that a command targets: the running one, or one described by files.

use super::args::KernelArgs;
use rawbpf::open::OpenObject;
use rawbpf::reloc::{OfflineKernel, Target};
use rawbpf::{Error, ErrorKind, Result};

/// The kernel to plan for: another one with `--btf`, otherwise this one.
pub(crate) fn planned(args: &KernelArgs) -> Result<Target> {
    let Some(btf) = &args.btf else {
        if args.kernel_version.is_some() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "--kernel-version describes another kernel, whose types are needed as well",
            )
            .with_hint(
                "add --btf FILE with that kernel's BTF (/sys/kernel/btf/vmlinux on that machine)",
            ));
        }
        return with_kconfig(Target::running(), args);
    };
    let mut kernel = OfflineKernel::from_btf_file(btf)?;
    if let Some(path) = &args.kconfig {
        kernel = kernel.with_kconfig_file(path)?;
    }
    kernel.version = args.kernel_version;
    Ok(Target::offline(kernel))
}

/// This kernel, to load the object into, with facts from the files instead of the kernel's own.
pub(crate) fn running(args: &KernelArgs, object: &OpenObject) -> Result<Target> {
    let mut target = object.running_target()?;
    if let Some(path) = &args.btf {
        target = target.with_core_btf_file(path)?;
    }
    if let Some(version) = args.kernel_version {
        target = target.with_version(version);
    }
    with_kconfig(target, args)
}

fn with_kconfig(target: Target, args: &KernelArgs) -> Result<Target> {
    match &args.kconfig {
        Some(path) => target.with_kconfig_file(path),
        None => Ok(target),
    }
}
