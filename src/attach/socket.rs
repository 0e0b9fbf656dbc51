//! Individual sockets: filtering what a socket receives, and selecting among sockets that share a port.
//!
//! The kernel has no links for these: the program stays attached as long as the socket is open, and the [`Link`] keeps it
//! open, too.

use super::link::Link;
use super::point::hold;
use super::refusal::{self, linux};
use super::unlinked::Place;
use crate::kinds::ProgramType;
use crate::program::Program;
use crate::sys::socket;
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::{AsFd, OwnedFd};

impl Program {
    /// Filters what a socket receives: the program of `SEC("socket")` returns how many bytes of each packet to keep, 0 for
    /// none. Replaces the socket's previous filter.
    ///
    /// The [`Link`] keeps the socket open. Dropping it detaches whichever filter is attached by then.
    #[doc(alias = "SO_ATTACH_BPF")]
    pub fn attach_socket_filter(&self, socket: impl AsFd) -> Result<Link> {
        attach(self, &socket, Kind::Filter)
    }

    /// Selects the socket that gets a packet or connection, among all that share this one's port (`SO_REUSEPORT`). The
    /// program is one of `SEC("sk_reuseport")` (since Linux 4.19), or of `SEC("socket")`, which returns the index of a
    /// socket. Replaces the group's previous program.
    ///
    /// The [`Link`] keeps the socket open. Dropping it detaches (since Linux 5.3) whichever program is attached by then.
    #[doc(alias = "SO_ATTACH_REUSEPORT_EBPF")]
    pub fn attach_reuseport(&self, socket: impl AsFd) -> Result<Link> {
        attach(self, &socket, Kind::Reuseport)
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Filter,
    Reuseport,
}

fn attach(program: &Program, socket: &impl AsFd, kind: Kind) -> Result<Link> {
    let (to, result) = match kind {
        Kind::Filter => (
            "a socket",
            socket::attach_filter(socket.as_fd(), program.as_fd()),
        ),
        Kind::Reuseport => (
            "sockets that share a port",
            socket::attach_reuseport(socket.as_fd(), program.as_fd()),
        ),
    };
    let context = |e: Error| e.context(format!("attaching `{}` to {to}", program.name()));
    result.map_err(|errno| context(refused(errno, program, kind)))?;
    let socket = hold(socket.as_fd()).map_err(context)?;
    Ok(Link::unlinked(program, OnSocket { socket, kind }))
}

fn refused(errno: Errno, program: &Program, kind: Kind) -> Error {
    let fits = match kind {
        Kind::Filter => program.kind() == ProgramType::SOCKET_FILTER,
        Kind::Reuseport => matches!(
            program.kind(),
            ProgramType::SOCKET_FILTER | ProgramType::SK_REUSEPORT
        ),
    };
    let error = Error::from_errno(errno, "the kernel does not attach it");
    match (errno, kind) {
        (Errno(libc::ENOTSOCK), _) => error
            .with_kind(ErrorKind::InvalidArgument)
            .with_hint("the descriptor is no socket"),
        (_, _) if !fits => error
            .with_kind(ErrorKind::InvalidArgument)
            .with_hint(format!(
                "programs of type {} are not attached to sockets",
                program.kind()
            )),
        (Errno::EINVAL | Errno::EOPNOTSUPP, Kind::Reuseport) => {
            error.with_hint("set SO_REUSEPORT on the socket first; it has to be one of TCP or UDP")
        }
        (Errno::EPERM, _) => {
            error.with_hint("the filter of this socket is locked (SO_LOCK_FILTER)")
        }
        (Errno::ENOMEM, _) => error.with_hint("the program is too large for net.core.optmem_max"),
        _ => refusal::explain(errno, error),
    }
}

#[derive(Debug)]
struct OnSocket {
    socket: OwnedFd,
    kind: Kind,
}

impl Place for OnSocket {
    fn detach(&self, _program: &Program) -> Result<()> {
        let result = match self.kind {
            Kind::Filter => socket::detach_filter(self.socket.as_fd()),
            Kind::Reuseport => socket::detach_reuseport(self.socket.as_fd()),
        };
        result.map_err(|errno| match errno {
            Errno::ENOPROTOOPT => {
                let what = "detaching from sockets that share a port";
                refusal::unknown(what, linux(5, 3), errno)
            }
            _ => Error::from_errno(errno, "the socket has no program any more"),
        })
    }

    fn why_no_link(&self) -> &'static str {
        "the kernel has no links for sockets: the program stays as long as the socket is open"
    }
}
