//! Why the kernel does not attach something: the reasons that all kinds of attach points have in common.

use crate::kernel::advice;
use crate::kernel::rights;
use crate::{Errno, Error, ErrorKind, KernelVersion};

/// The version of Linux that introduced something.
pub(super) const fn linux(major: u8, minor: u8) -> KernelVersion {
    KernelVersion::new(major, minor, 0)
}

/// The error for something that the running kernel was asked for and does not support. The version only says where it is
/// available: stable and distribution kernels backport features.
pub(super) fn unknown(what: &str, since: KernelVersion, errno: Errno) -> Error {
    let message = format!("the kernel does not know {what}");
    Error::new(ErrorKind::Unsupported, message)
        .with_errno(errno)
        .with_hint(advice::came_with(since))
}

/// What the kernel's error numbers mean for all programs on networks, sockets and cgroups.
pub(super) fn explain(errno: Errno, error: Error) -> Error {
    match errno {
        Errno::EPERM | Errno::EACCES => error.with_hint(rights::for_network()),
        Errno::ESTALE => error.with_hint(
            "the order has been changed since; ask for its revision again, and decide again",
        ),
        Errno::ENOENT => {
            error.with_hint("the anchor (or the program to replace) is not attached here")
        }
        Errno::EEXIST => error.with_hint("the program is attached here already"),
        Errno::ERANGE | Errno::E2BIG => error.with_hint(
            "there is no room for more programs (64), or the anchors contradict each other",
        ),
        _ => error,
    }
}
