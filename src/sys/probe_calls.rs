#![allow(unsafe_code)]
//! System calls that are made only to see how they fail.

use super::bpf::COMMON_ATTRS;
use super::errno;
use crate::Errno;

/// Whether `bpf(2)` accepts attributes common to all commands, in a fifth and sixth argument, if a bit of the command
/// announces them. Since Linux 7.2.
pub fn has_common_attributes() -> bool {
    const PROG_LOAD: libc::c_long = 5;
    const COMMON_SIZE: libc::c_long = 24;
    let nothing = 0usize;
    // SAFETY: the kernel reads nothing from an empty block, and rejects the null pointer of the common one (EFAULT); a
    // kernel before Linux 7.2 does not know the flag (EINVAL).
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            PROG_LOAD | COMMON_ATTRS,
            nothing,
            nothing,
            nothing,
            COMMON_SIZE,
        )
    };
    errno::check(result) == Err(Errno::EFAULT)
}

/// Whether uprobes may enter the kernel by a system call instead of a trap. Since Linux 6.18, on x86-64.
pub fn has_uprobe_syscall() -> bool {
    /// `uprobe`: the kernel answers ENXIO to anything but its own trampoline.
    const UPROBE: libc::c_long = 336;
    if !cfg!(target_arch = "x86_64") {
        return false;
    }
    // SAFETY: the system call takes no arguments, and does nothing when called from here.
    let result = unsafe { libc::syscall(UPROBE) };
    errno::check(result) == Err(Errno::ENXIO)
}
