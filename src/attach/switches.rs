//! Kernel settings under which the kernel accepts programs for its functions, but never runs them.

use super::tracefs;
use crate::mounts;
use crate::{Error, ErrorKind, Result};
use std::fs;

/// Architectures on which a kprobe at the start of a traceable function uses ftrace (`CONFIG_KPROBES_ON_FTRACE`).
const KPROBES_ON_FTRACE: bool = cfg!(any(
    target_arch = "x86_64",
    target_arch = "powerpc64",
    target_arch = "riscv64",
    target_arch = "s390x",
    target_arch = "loongarch64"
));

/// # Errors
/// `Unsupported` if the function tracer is disabled. Trampolines and links of many functions depend on it. Kernels differ in
/// whether they reject programs then, or accept them and never run them.
pub(super) fn check_ftrace() -> Result<()> {
    let path = "/proc/sys/kernel/ftrace_enabled";
    if fs::read_to_string(path).is_ok_and(|text| is_zero(&text)) {
        let message = "the kernel's function tracer is switched off (kernel.ftrace_enabled is 0), so the program would never run";
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint("switch it on: sysctl kernel.ftrace_enabled=1"));
    }
    Ok(())
}

/// # Errors
/// `Unsupported` if kprobes are disabled, or what they depend on at the start of the function; inside functions, they depend
/// on nothing else.
pub(super) fn check_kprobes(start_of: Option<&str>) -> Result<()> {
    let file = "kprobes/enabled";
    let debugfs = mounts::debugfs().ok();
    if debugfs.is_some_and(|debugfs| debugfs.read(file).is_ok_and(|text| is_zero(&text))) {
        let message = format!(
            "kprobes are switched off ({file} in debugfs is 0), so the program would never run"
        );
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint("switch them on: echo 1 > /sys/kernel/debug/kprobes/enabled"));
    }
    match (start_of, check_ftrace()) {
        (Some(function), Err(off)) if KPROBES_ON_FTRACE && is_traceable(function) => Err(off),
        _ => Ok(()),
    }
}

fn is_zero(text: &str) -> bool {
    text.trim() == "0"
}

/// Whether ftrace knows the function. If that cannot be determined: it most likely does.
fn is_traceable(function: &str) -> bool {
    tracefs::traceable_functions().map_or(true, |list| {
        tracefs::names(&list).any(|name| name == function)
    })
}
