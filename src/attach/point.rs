//! The attach points of `BPF_PROG_ATTACH` and `BPF_PROG_QUERY`: what is attached there, and attaching without a link.

use super::anchor::{Raw, Wanted, order_methods};
use super::link::Link;
use super::refusal::{self, linux};
use super::unlinked::{self, Place};
use crate::kernel;
use crate::kinds::AttachType;
use crate::map::Map;
use crate::program::Program;
use crate::sys::bpf::{
    self, Attached, LinkCreate, LinkOptions, LinkTarget, ProgAttach, QUERY_EFFECTIVE,
};
use crate::sys::fd;
use crate::{Errno, Error, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A place to which programs are attached: a cgroup, a direction of an interface, a network namespace, a map of sockets; each
/// for one attach type.
///
/// [`AttachPoint::query`] returns what is attached. [`AttachPoint::attach`] and [`AttachPoint::detach`] work without links: what
/// they attach outlives this process, until somebody detaches it. Prefer the methods of [`Program`], which return a
/// [`Link`](super::Link).
///
/// ```no_run
/// # fn main() -> rawbpf::Result<()> {
/// use rawbpf::attach::{AttachPoint, Direction};
/// let attached = AttachPoint::tcx("eth0", Direction::Ingress)?.query()?;
/// println!("revision {}, {} programs", attached.revision, attached.programs.len());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct AttachPoint<'a> {
    target: LinkTarget<'a>,
    attach_type: AttachType,
}

/// Options for attaching without a link. Used by [`AttachPoint::attach`].
#[derive(Debug, Clone, Copy, Default)]
#[doc(alias = "bpf_prog_attach_opts")]
pub struct AttachOptions<'a> {
    wanted: Wanted<'a>,
    flags: u32,
}

impl<'a> AttachOptions<'a> {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds kernel flags, such as `BPF_F_ALLOW_MULTI`.
    pub fn flags(mut self, flags: u32) -> Self {
        self.flags = flags;
        self
    }

    fn raw(&self) -> Result<Raw<'_>> {
        Ok(self.wanted.raw()?.with_flags(self.flags))
    }

    order_methods!();
}

impl<'a> AttachPoint<'a> {
    /// A cgroup (a directory of cgroup2).
    pub fn cgroup(cgroup: &'a impl AsFd, attach_type: AttachType) -> Self {
        Self::of_fd(cgroup.as_fd(), attach_type)
    }

    /// A network namespace (a file such as `/proc/self/ns/net`), for `FLOW_DISSECTOR` and `SK_LOOKUP`.
    pub fn netns(netns: &'a impl AsFd, attach_type: AttachType) -> Self {
        Self::of_fd(netns.as_fd(), attach_type)
    }

    /// A map of sockets, for `SK_MSG_VERDICT` and the `SK_SKB` types. Can be queried since Linux 5.18.
    pub fn sockmap(map: &'a Map, attach_type: AttachType) -> Self {
        Self::of_fd(map.as_fd(), attach_type)
    }

    /// Any place that has a descriptor.
    pub fn of_fd(target: BorrowedFd<'a>, attach_type: AttachType) -> Self {
        let target = LinkTarget::Fd(target);
        Self {
            target,
            attach_type,
        }
    }

    pub(super) fn of_interface(index: u32, attach_type: AttachType) -> Self {
        Self {
            target: LinkTarget::Interface(index),
            attach_type,
        }
    }

    /// What is attached here, in the order in which it runs, whether by links or not.
    #[doc(alias = "bpf_prog_query")]
    #[doc(alias = "bpf_prog_query_opts")]
    pub fn query(&self) -> Result<Attached> {
        self.ask(0)
    }

    /// What runs here; for cgroups, including the programs of their ancestors.
    pub fn query_effective(&self) -> Result<Attached> {
        self.ask(QUERY_EFFECTIVE)
    }

    fn ask(&self, flags: u32) -> Result<Attached> {
        bpf::prog_query(self.target, self.attach_type, flags).map_err(|errno| {
            let message = format!(
                "cannot ask the kernel what is attached ({})",
                self.attach_type
            );
            self.explain(errno, Error::from_errno(errno, message))
        })
    }

    /// Attaches without a link: the program stays until it is detached, or until the attach point disappears.
    #[doc(alias = "bpf_prog_attach")]
    #[doc(alias = "bpf_prog_attach_opts")]
    pub fn attach(&self, program: impl AsFd, options: &AttachOptions<'_>) -> Result<()> {
        let attached = self.request(program.as_fd(), options.raw()?);
        attached.map_err(|errno| {
            let message = format!("the kernel does not attach it here ({})", self.attach_type);
            self.explain(errno, Error::from_errno(errno, message))
        })
    }

    /// [`AttachPoint::attach`], without an explanation of the kernel's refusal.
    pub(super) fn request(&self, program: BorrowedFd<'_>, wanted: Raw<'_>) -> Result<(), Errno> {
        bpf::prog_attach(&ProgAttach {
            target: self.target,
            program: Some(program),
            attach_type: self.attach_type,
            flags: wanted.flags,
            replaced: wanted.replaced,
            order: wanted.order,
        })
    }

    /// Attaches to an interface's ordered programs: by a link, or replacing a program without one.
    pub(super) fn link(&self, program: &Program, wanted: Raw<'_>) -> Result<Link, Errno> {
        if let (Some(_), LinkTarget::Interface(index)) = (wanted.replaced, self.target) {
            let kept = Kept {
                target: KeptTarget::Interface(index),
                attach_type: self.attach_type,
                hint: "attach it by a link, not in the place of a program that has none",
                any: false,
            };
            self.request(program.as_fd(), wanted)?;
            return Ok(Link::unlinked(program, kept));
        }
        let link = bpf::link_create(&LinkCreate {
            source: program.as_fd(),
            target: self.target,
            attach_type: self.attach_type,
            flags: wanted.flags,
            options: LinkOptions::Order(wanted.order),
        })?;
        Ok(Link::kernel(program.name(), link))
    }

    /// Detaches a program that was attached without a link.
    #[doc(alias = "bpf_prog_detach2")]
    pub fn detach(&self, program: impl AsFd) -> Result<()> {
        self.detach_with(Some(program.as_fd()), &AttachOptions::new())
    }

    /// Detaches a program that was attached without a link: the given one, or otherwise the one that the options select by its
    /// position (by default the last).
    #[doc(alias = "bpf_prog_detach")]
    #[doc(alias = "bpf_prog_detach_opts")]
    pub fn detach_with(
        &self,
        program: Option<BorrowedFd<'_>>,
        options: &AttachOptions<'_>,
    ) -> Result<()> {
        let wanted = options.raw()?;
        let request = ProgAttach {
            target: self.target,
            program,
            attach_type: self.attach_type,
            flags: wanted.flags,
            replaced: None,
            order: wanted.order,
        };
        bpf::prog_detach(&request).map_err(|errno| {
            let message = format!(
                "the kernel does not detach it from here ({})",
                self.attach_type
            );
            let error = Error::from_errno(errno, message);
            match errno {
                Errno::ENOENT => error.with_hint(
                    "is it attached at all, and not by a link? those are taken off by the link",
                ),
                _ => self.explain(errno, error),
            }
        })
    }

    fn explain(&self, errno: Errno, error: Error) -> Error {
        let since = match self.attach_type {
            AttachType::TCX_INGRESS | AttachType::TCX_EGRESS => Some(("tcx", linux(6, 6))),
            AttachType::NETKIT_PRIMARY | AttachType::NETKIT_PEER => Some(("netkit", linux(6, 7))),
            _ => None,
        };
        match since {
            Some((what, since)) if !kernel::target().knows_attach_type(self.attach_type, 0) => {
                refusal::unknown(what, since, errno)
            }
            _ => refusal::explain(errno, error),
        }
    }
}

/// What was attached by [`AttachPoint::attach`], with its own reference to the attach point.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) target: KeptTarget,
    pub(super) attach_type: AttachType,
    pub(super) hint: &'static str,
    /// Whether the kernel detaches whatever is there, so that the program has to be checked first.
    pub(super) any: bool,
}

/// An attach point that outlives the call.
#[derive(Debug)]
pub(super) enum KeptTarget {
    Fd(OwnedFd),
    Map(Map),
    Interface(u32),
}

impl Kept {
    fn point(&self) -> AttachPoint<'_> {
        match &self.target {
            KeptTarget::Fd(fd) => AttachPoint::of_fd(fd.as_fd(), self.attach_type),
            KeptTarget::Map(map) => AttachPoint::of_fd(map.as_fd(), self.attach_type),
            KeptTarget::Interface(index) => AttachPoint::of_interface(*index, self.attach_type),
        }
    }
}

impl Place for Kept {
    fn detach(&self, program: &Program) -> Result<()> {
        let point = self.point();
        if self.any {
            let own = program.id()?;
            if point.query()?.programs.iter().all(|there| there.id != own) {
                return Err(unlinked::replaced());
            }
        }
        point.detach(program)
    }

    fn why_no_link(&self) -> &'static str {
        self.hint
    }
}

/// A descriptor of the same file that lives as long as the attachment.
pub(super) fn hold(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    fd::duplicate(fd).map_err(|errno| {
        Error::from_errno(errno, "cannot hold on to the place that it is attached to")
    })
}
