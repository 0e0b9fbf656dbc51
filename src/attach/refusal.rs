//! Why the kernel does not attach something, in words that all kinds of places share.

use crate::load::{advice, kernel_files};
use crate::{Errno, Error, ErrorKind, KernelVersion};

/// A version of Linux that brought something.
pub(super) const fn linux(major: u8, minor: u8) -> KernelVersion {
    KernelVersion::new(major, minor, 0)
}

/// Whether the running kernel is older. One whose version is unknown is taken for new.
pub(super) fn older_than(since: KernelVersion) -> bool {
    kernel_files::version().is_ok_and(|running| running < since)
}

/// The error for something that the running kernel is too old for; `None` if it is not.
pub(super) fn too_old(what: &str, since: KernelVersion, errno: Errno) -> Option<Error> {
    let hint = advice::older_than(since)?;
    let message = format!("the kernel does not know {what}");
    Some(
        Error::new(ErrorKind::Unsupported, message)
            .with_errno(errno)
            .with_hint(hint),
    )
}

/// What the kernel's numbers mean wherever programs are attached to networks, sockets and cgroups.
pub(super) fn explain(errno: Errno, error: Error) -> Error {
    match errno {
        Errno::EPERM | Errno::EACCES => error.with_hint(advice::for_network()),
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
