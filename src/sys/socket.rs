#![allow(unsafe_code)]
//! Attaching programs to single sockets: `setsockopt`.

use super::errno;
use crate::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Makes `program` filter what a socket receives. Since Linux 3.19.
pub fn attach_filter(socket: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    set(socket, libc::SO_ATTACH_BPF, program.as_raw_fd())
}

/// Detaches the filter, whichever it is.
pub fn detach_filter(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    set(socket, libc::SO_DETACH_BPF, 0)
}

/// Makes `program` choose among the sockets that share a port with this one. Since Linux 4.5.
pub fn attach_reuseport(socket: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    set(socket, libc::SO_ATTACH_REUSEPORT_EBPF, program.as_raw_fd())
}

/// Detaches the choosing program, whichever it is. Since Linux 5.3.
pub fn detach_reuseport(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    set(socket, libc::SO_DETACH_REUSEPORT_BPF, 0)
}

fn set(socket: BorrowedFd<'_>, option: libc::c_int, value: libc::c_int) -> Result<(), Errno> {
    #[expect(clippy::cast_possible_truncation, reason = "an integer's size")]
    const LENGTH: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel reads as many bytes as the value has, and keeps no pointer to it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            LENGTH,
        )
    };
    errno::check(result.into()).map(drop)
}
