//! Packets of a netkit pair, the device that connects a container and runs BPF programs in between. Since Linux 6.7.

use super::anchor::{Wanted, order_methods};
use super::interface::Interface;
use super::link::Link;
use super::point::AttachPoint;
use super::refusal::{self, linux};
use crate::kinds::AttachType;
use crate::program::Program;
use crate::reloc::Target;
use crate::{Errno, Error, ErrorKind, Result};

/// Whose packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetkitSide {
    /// What the primary device sends.
    Primary,
    /// What its peer, the device in the container, sends.
    Peer,
}

impl NetkitSide {
    pub(super) fn attach_type(self) -> AttachType {
        match self {
            Self::Primary => AttachType::NETKIT_PRIMARY,
            Self::Peer => AttachType::NETKIT_PEER,
        }
    }
}

/// Which side of which netkit pair, and the position among the other programs.
///
/// ```
/// use rawbpf::attach::Netkit;
/// let at = Netkit::peer("nk0").first();
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_netkit_opts")]
pub struct Netkit<'a> {
    interface: Interface,
    side: NetkitSide,
    wanted: Wanted<'a>,
}

impl<'a> Netkit<'a> {
    /// What the primary device, this interface, sends.
    pub fn primary(interface: impl Into<Interface>) -> Self {
        Self::new(interface, NetkitSide::Primary)
    }

    /// What the peer of this primary device sends.
    pub fn peer(interface: impl Into<Interface>) -> Self {
        Self::new(interface, NetkitSide::Peer)
    }

    /// One side of the pair that has this primary device.
    pub fn new(interface: impl Into<Interface>, side: NetkitSide) -> Self {
        Self {
            interface: interface.into(),
            side,
            wanted: Wanted::default(),
        }
    }

    order_methods!();
}

impl Program {
    /// Attaches a program of `SEC("netkit/primary")` or `SEC("netkit/peer")` to a netkit pair, by a link. Since Linux 6.7.
    ///
    /// # Errors
    /// `NotFound` if the interface does not exist, `Unsupported` on older kernels and those without netkit.
    #[doc(alias = "bpf_program__attach_netkit")]
    pub fn attach_netkit(&self, at: &Netkit<'_>) -> Result<Link> {
        attach(self, at)
            .map_err(|e| e.context(format!("attaching `{}` to {}", self.name(), at.interface)))
    }
}

fn attach(program: &Program, at: &Netkit<'_>) -> Result<Link> {
    let index = at.interface.index()?;
    let point = AttachPoint::of_interface(index, at.side.attach_type());
    point
        .link(program, at.wanted.raw()?)
        .map_err(|errno| refused(errno, at, program.target()))
}

fn refused(errno: Errno, at: &Netkit<'_>, kernel: &Target) -> Error {
    if !kernel.knows_attach_type(at.side.attach_type(), 0) {
        return refusal::unknown("netkit", linux(6, 7), errno);
    }
    let error = Error::from_errno(
        errno,
        format!("the kernel does not attach it ({})", at.side.attach_type()),
    );
    match errno {
        Errno::ENODEV => at.interface.absent(),
        Errno::ENXIO => error
            .with_kind(ErrorKind::InvalidArgument)
            .with_hint("the interface is no netkit device"),
        Errno::EACCES => error
            .with_kind(ErrorKind::InvalidArgument)
            .with_hint("it is the peer of its pair; name the primary device"),
        Errno::EINVAL => error.with_hint(
            "the program was loaded for another place, or the kernel was built without netkit (CONFIG_NETKIT)",
        ),
        Errno::EBUSY => error.with_hint("the program to replace is held by a link; update that link"),
        _ => refusal::explain(errno, error),
    }
}

impl AttachPoint<'_> {
    /// One side of the netkit pair that has this primary device. Since Linux 6.7.
    ///
    /// # Errors
    /// `NotFound` if there is no interface with this name.
    pub fn netkit(interface: impl Into<Interface>, side: NetkitSide) -> Result<Self> {
        let index = interface.into().index()?;
        Ok(Self::of_interface(index, side.attach_type()))
    }
}
