//! Netfilter's hooks in the path of IP packets. Since Linux 6.4.

use super::link::Link;
use super::refusal::{self, linux};
use crate::kinds::{AttachType, ProgramType};
use crate::program::Program;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::AsFd;

/// `BPF_F_NETFILTER_IP_DEFRAG`
const DEFRAGMENT: u32 = 1;
/// `NF_IP_PRI_CONNTRACK_DEFRAG`
const DEFRAGMENTING: i32 = -400;

/// Which packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "NFPROTO_IPV4")]
pub enum NetfilterFamily {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Where in the packets' path (`enum nf_inet_hooks`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "nf_inet_hooks")]
pub enum NetfilterHook {
    /// Incoming packets, before routing.
    Prerouting,
    /// Packets for this machine.
    LocalIn,
    /// Forwarded packets.
    Forward,
    /// Packets that this machine sends.
    LocalOut,
    /// Packets that are about to leave.
    Postrouting,
}

/// A hook, and the priority among those that use it.
///
/// ```
/// use rawbpf::attach::{Netfilter, NetfilterFamily, NetfilterHook};
/// let at = Netfilter::new(NetfilterFamily::Ipv4, NetfilterHook::LocalIn).priority(-10).defragment();
/// ```
#[derive(Debug, Clone, Copy)]
#[doc(alias = "bpf_netfilter_opts")]
pub struct Netfilter {
    family: NetfilterFamily,
    hook: NetfilterHook,
    priority: i32,
    flags: u32,
}

impl Netfilter {
    /// This hook, with priority 0.
    pub fn new(family: NetfilterFamily, hook: NetfilterHook) -> Self {
        Self {
            family,
            hook,
            priority: 0,
            flags: 0,
        }
    }

    /// The priority: lower ones run first. If one of a hook's users is a BPF program, priorities must be unique. The smallest
    /// and the largest number are not available to programs.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Packets arrive reassembled: the kernel defragments them first. Since Linux 6.6, for priorities above -400.
    #[doc(alias = "BPF_F_NETFILTER_IP_DEFRAG")]
    pub fn defragment(mut self) -> Self {
        self.flags = DEFRAGMENT;
        self
    }
}

impl Program {
    /// Attaches a program of `SEC("netfilter")` to a hook in the network namespace of this thread, by a link. It returns 0 to
    /// drop a packet and 1 to accept it. Since Linux 6.4.
    #[doc(alias = "bpf_program__attach_netfilter")]
    pub fn attach_netfilter(&self, at: &Netfilter) -> Result<Link> {
        attach(self, at).map_err(|e| {
            let place = format!("{:?} of {:?}, priority {}", at.hook, at.family, at.priority);
            e.context(format!(
                "attaching `{}` to netfilter hook {place}",
                self.name()
            ))
        })
    }
}

fn attach(program: &Program, at: &Netfilter) -> Result<Link> {
    let create = LinkCreate {
        source: program.as_fd(),
        target: LinkTarget::None,
        attach_type: AttachType::NETFILTER,
        flags: 0,
        options: LinkOptions::Netfilter {
            family: match at.family {
                NetfilterFamily::Ipv4 => 2,
                NetfilterFamily::Ipv6 => 10,
            },
            hook: match at.hook {
                NetfilterHook::Prerouting => 0,
                NetfilterHook::LocalIn => 1,
                NetfilterHook::Forward => 2,
                NetfilterHook::LocalOut => 3,
                NetfilterHook::Postrouting => 4,
            },
            priority: at.priority,
            flags: at.flags,
        },
    };
    let link = bpf::link_create(&create).map_err(|errno| refused(errno, program, at))?;
    Ok(Link::kernel(program.name(), link))
}

fn refused(errno: Errno, program: &Program, at: &Netfilter) -> Error {
    // A kernel that loaded such a program has the hooks; so it is the flag that is unknown.
    if program.kind() == ProgramType::NETFILTER && at.flags != 0 && errno == Errno::EOPNOTSUPP {
        return refusal::unknown("defragmentation for programs", linux(6, 6), errno);
    }
    let error = Error::from_errno(errno, "the kernel does not attach it");
    match errno {
        Errno::EBUSY => error.with_hint("somebody has this priority at the hook; choose another"),
        Errno::ERANGE if at.flags != 0 && at.priority <= DEFRAGMENTING => error.with_hint(
            "fragments are put together at priority -400: the program has to come after that",
        ),
        Errno::ERANGE => {
            error.with_hint("the least and the greatest priority are not for programs")
        }
        Errno::ENOENT if at.flags != 0 => {
            error.with_hint("the module that puts fragments together cannot be loaded: modprobe nf_defrag_ipv4 nf_defrag_ipv6")
        }
        Errno::EINVAL if program.kind() != ProgramType::NETFILTER => error.with_kind(ErrorKind::InvalidArgument).with_hint("only programs of SEC(\"netfilter\") are attached here"),
        Errno::EINVAL | Errno::EOPNOTSUPP | Errno::EPROTONOSUPPORT => {
            error.with_hint("the kernel may have been built without it (CONFIG_NETFILTER_BPF_LINK)")
        }
        _ => refusal::explain(errno, error),
    }
}
