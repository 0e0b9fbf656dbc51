//! Which kernel a command is about: the running one, or one described by files.

use crate::args::PlanArgs;
use rawbpf::reloc::{OfflineKernel, Target};
use rawbpf::{Error, ErrorKind, Result};

/// The kernel that the options describe: with `--btf` another one, otherwise this one.
pub(crate) fn of(args: &PlanArgs) -> Result<Target> {
    let Some(btf) = &args.btf else {
        if args.kconfig.is_some() || args.kernel_version.is_some() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "--kconfig and --kernel-version describe another kernel, whose types are needed too",
            )
            .with_hint(
                "add --btf FILE, with the BTF of that kernel (on it: /sys/kernel/btf/vmlinux)",
            ));
        }
        return Ok(Target::running());
    };
    let mut kernel = OfflineKernel::from_btf_file(btf)?;
    if let Some(path) = &args.kconfig {
        kernel = kernel.with_kconfig_file(path)?;
    }
    kernel.version = args.kernel_version;
    Ok(Target::offline(kernel))
}
