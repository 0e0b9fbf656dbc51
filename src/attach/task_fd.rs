//! What a process's descriptor is attached to.

use crate::kernel::rights;
use crate::sys::bpf;
use crate::{Errno, Error, ErrorKind, Result};

#[doc(inline)]
pub use crate::sys::bpf::TaskFd;

/// Returns what descriptor `fd` of process `pid` refers to: a raw tracepoint, or a perf event of a tracepoint, kprobe or
/// uprobe with a program. Since Linux 4.18. For links, see [`Link::info`](super::Link::info).
///
/// # Errors
/// `NotFound` if the process or descriptor does not exist; `InvalidArgument` if the descriptor is of another kind, or has no
/// program; `Permission` without `CAP_SYS_ADMIN`.
#[doc(alias = "bpf_task_fd_query")]
pub fn task_fd(pid: u32, fd: u32) -> Result<TaskFd> {
    bpf::task_fd_query(pid, fd).map_err(|errno| {
        let what = format!("descriptor {fd} of process {pid}");
        match errno {
            Errno::ENOENT | Errno::ESRCH | Errno::EBADF => {
                Error::new(ErrorKind::NotFound, format!("there is no {what}")).with_errno(errno)
            }
            Errno::EOPNOTSUPP | Errno::ENOTSUPP | Errno::EINVAL => {
                let message = format!("{what} is no perf event or raw tracepoint with a program");
                Error::new(ErrorKind::InvalidArgument, message).with_errno(errno)
            }
            Errno::EPERM => Error::from_errno(errno, format!("cannot ask about {what}"))
                .with_hint(rights::for_ids()),
            _ => Error::from_errno(errno, format!("cannot ask about {what}")),
        }
    })
}
