//! Packets as an interface's driver receives them: a link since Linux 5.9, rtnetlink before.

use super::interface::Interface;
use super::link::Link;
use super::refusal;
use super::rtnetlink::{self, LinkFacts, Route, link_body};
use super::unlinked::{self, Place};
use super::xdp_status::{self, XdpMode, XdpStatus};
use crate::kinds::{AttachType, ProgramType};
use crate::program::Program;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::sys::netlink::{Refusal, Request};
use crate::sys::system;
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// `RTM_SETLINK`
const SET_LINK: u16 = 19;
/// `IFLA_XDP_FD`, `IFLA_XDP_FLAGS`, `IFLA_XDP_EXPECTED_FD`
const FD: u16 = 1;
const FLAGS: u16 = 3;
const EXPECTED_FD: u16 = 8;
/// `XDP_FLAGS_UPDATE_IF_NOEXIST`, `XDP_FLAGS_REPLACE`
const IF_NONE: u32 = 1 << 0;
const REPLACE: u32 = 1 << 4;
/// No descriptor: -1.
const NOTHING: u32 = u32::MAX;

/// Which interface to attach an XDP program to, and how.
///
/// ```
/// use rawbpf::attach::{Xdp, XdpMode};
/// let at = Xdp::on("eth0").mode(XdpMode::Generic);
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_xdp_attach_opts")]
pub struct Xdp<'a> {
    interface: Interface,
    mode: Option<XdpMode>,
    without_link: bool,
    replaced: Option<BorrowedFd<'a>>,
}

impl<'a> Xdp<'a> {
    /// This interface. The driver runs the program if it can, otherwise the network stack does.
    pub fn on(interface: impl Into<Interface>) -> Self {
        Self {
            interface: interface.into(),
            mode: None,
            without_link: false,
            replaced: None,
        }
    }

    /// In this mode only.
    pub fn mode(mut self, mode: XdpMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Not by a link but through rtnetlink: the program stays attached if the process is killed, until it is detached
    /// ([`Xdp::clear`], `ip link set IFACE xdp off`) or the interface disappears.
    pub fn without_link(mut self) -> Self {
        self.without_link = true;
        self
    }

    /// Replaces a program that was attached without a link; the new one has no link either. Since Linux 5.7.
    pub fn replace(mut self, program: &'a Program) -> Self {
        self.replaced = Some(program.as_fd());
        self.without_link = true;
        self
    }

    /// What is attached to this interface, and what it supports.
    #[doc(alias = "bpf_xdp_query")]
    #[doc(alias = "bpf_xdp_query_id")]
    pub fn status(&self) -> Result<XdpStatus> {
        xdp_status::of(&Route::open()?, &self.interface)
    }

    /// Detaches any program that was attached without a link (in the selected mode).
    #[doc(alias = "bpf_xdp_detach")]
    pub fn clear(&self) -> Result<()> {
        let index = self.interface.index()?;
        let request = request(index, NOTHING, self.flags(), None);
        Route::open()?.ask(&request).map(drop).map_err(|refusal| {
            let error = rtnetlink::explained(
                &refusal,
                format!("cannot take the XDP program off {}", self.interface),
            );
            match refusal.errno {
                Errno::ENODEV => self.interface.absent(),
                Errno::EBUSY => error.with_hint("a link holds it: that one has to be detached"),
                _ => error,
            }
        })
    }

    fn flags(&self) -> u32 {
        self.mode.map_or(0, XdpMode::flag)
    }
}

impl Program {
    /// Attaches a program of `SEC("xdp")` to an interface.
    ///
    /// By a link since Linux 5.9; before that through rtnetlink, which leaves the program attached if the process is killed.
    /// An interface has at most one program per mode.
    ///
    /// # Errors
    /// `NotFound` if the interface does not exist; the kernel's `EBUSY` or `EEXIST` if it has a program already; and what the
    /// driver rejects, in its own words if the kernel passes them on.
    #[doc(alias = "bpf_program__attach_xdp")]
    #[doc(alias = "bpf_xdp_attach")]
    pub fn attach_xdp(&self, at: &Xdp<'_>) -> Result<Link> {
        attach(self, at)
            .map_err(|e| e.context(format!("attaching `{}` to {}", self.name(), at.interface)))
    }
}

fn attach(program: &Program, at: &Xdp<'_>) -> Result<Link> {
    let index = at.interface.index()?;
    if at.without_link {
        return without_link(program, at, index);
    }
    let create = LinkCreate {
        source: program.as_fd(),
        target: LinkTarget::Interface(index),
        attach_type: AttachType::XDP,
        flags: at.flags(),
        options: LinkOptions::None,
    };
    match bpf::link_create(&create) {
        Ok(link) => Ok(Link::kernel(program.name(), link)),
        Err(Errno::EINVAL) if !program.target().knows_attach_type(AttachType::XDP, 0) => {
            without_link(program, at, index)
        }
        Err(errno) => Err(refused(&errno.into(), program, at, index)),
    }
}

fn without_link(program: &Program, at: &Xdp<'_>, index: u32) -> Result<Link> {
    let route = Route::open()?;
    let expected = at.replaced.map(raw);
    let update = if expected.is_some() { REPLACE } else { IF_NONE };
    let request = request(index, raw(program.as_fd()), at.flags() | update, expected);
    route
        .ask(&request)
        .map_err(|refusal| refused(&refusal, program, at, index))?;
    let place = OnInterface {
        route,
        index,
        flags: at.flags(),
    };
    Ok(Link::unlinked(program, place))
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

fn request(index: u32, program: u32, flags: u32, expected: Option<u32>) -> Request {
    /// `IFLA_XDP`
    const XDP: u16 = 43;
    Request::new(SET_LINK, 0, &link_body(index)).nested(XDP, |xdp| {
        let xdp = xdp.number(FD, program).number(FLAGS, flags);
        match expected {
            Some(expected) => xdp.number(EXPECTED_FD, expected),
            None => xdp,
        }
    })
}

/// Explains why an interface, a mode and a program do not go together.
fn refused(refusal: &Refusal, program: &Program, at: &Xdp<'_>, index: u32) -> Error {
    let error = rtnetlink::error(refusal, "the kernel does not attach it");
    if program.kind() != ProgramType::XDP {
        return error
            .with_kind(ErrorKind::InvalidArgument)
            .with_hint(format!(
                "it is of type {}; programs of SEC(\"xdp\") are attached here",
                program.kind()
            ));
    }
    let route = Route::open();
    let facts = route.and_then(|route| {
        let facts = LinkFacts::of(&route, index);
        facts.map_err(|refusal| rtnetlink::error(&refusal, "no interface"))
    });
    let Ok(facts) = facts else {
        return at.interface.absent();
    };
    match refusal.errno {
        Errno::EBUSY | Errno::EEXIST => error.with_hint(taken(&facts)),
        Errno::ENODEV => at.interface.absent(),
        Errno::ENOSPC => error.with_hint(format!(
            "the driver of {} wants more receive queues for it: ethtool -L; XdpMode::Generic runs on every interface",
            facts.name()
        )),
        Errno::EOPNOTSUPP => error.with_hint(format!(
            "the driver of {} does not run it ({}); XdpMode::Generic runs on every interface",
            facts.name(),
            at.mode.map_or("any mode".to_owned(), |mode| format!("{mode:?}")),
        )),
        Errno::EINVAL
            if matches!(
                program.attach_type(),
                Some(AttachType::XDP_DEVMAP | AttachType::XDP_CPUMAP)
            ) =>
        {
            error.with_hint(
                "an XDP program for a devmap or cpumap is put into a map, not attached to an interface",
            )
        }
        Errno::EINVAL | Errno::ERANGE | Errno::E2BIG if !frags(program) && is_large(&facts) => {
            error.with_hint(format!(
                "the MTU of {} is {}: packets that do not fit into a page need a program of SEC(\"xdp.frags\"), or a lower MTU",
                facts.name(),
                facts.mtu().unwrap_or_default(),
            ))
        }
        Errno::EINVAL => error.with_hint(
            "a program that was loaded for one interface (OpenProgram::set_ifindex) is attached to that one only, and not in \
             generic mode",
        ),
        errno => refusal::explain(errno, error),
    }
}

/// Which programs the interface has.
fn taken(facts: &LinkFacts) -> String {
    let status = XdpStatus::read(facts);
    let programs: Vec<_> = status
        .programs
        .iter()
        .map(|(mode, id)| format!("program {id} ({mode:?})"))
        .collect();
    if programs.is_empty() {
        return format!(
            "{} has another XDP program, or had one a moment ago",
            facts.name()
        );
    }
    format!(
        "{} has {}; one without a link can be replaced (Xdp::replace) or taken off (Xdp::clear)",
        facts.name(),
        programs.join(", ")
    )
}

/// Whether the interface's packets may not fit into a page along with the kernel's own data.
fn is_large(facts: &LinkFacts) -> bool {
    let room = system::page_size() / 4 * 3;
    facts.mtu().is_some_and(|mtu| mtu as usize > room)
}

fn frags(program: &Program) -> bool {
    let section = program.section();
    section.is_some_and(|section| section.starts_with("xdp.frags"))
}

/// An interface with a program, and the connection to its network namespace.
#[derive(Debug)]
struct OnInterface {
    route: Route,
    index: u32,
    flags: u32,
}

impl Place for OnInterface {
    fn detach(&self, program: &Program) -> Result<()> {
        let own = raw(program.as_fd());
        let compared = request(self.index, NOTHING, self.flags | REPLACE, Some(own));
        let answer = match self.route.ask(&compared) {
            // Kernels before 5.7 do not know the flag, so what is attached is queried first.
            Err(refusal) if refusal.errno == Errno::EINVAL => {
                if !self.has(program.id()?)? {
                    return Err(unlinked::replaced());
                }
                self.route
                    .ask(&request(self.index, NOTHING, self.flags, None))
            }
            answer => answer,
        };
        match answer {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.errno == Errno::EEXIST => Err(unlinked::replaced()),
            Err(refusal) => Err(rtnetlink::error(
                &refusal,
                "the interface does not let go of it",
            )),
        }
    }

    fn why_no_link(&self) -> &'static str {
        "interfaces have links for XDP since Linux 5.9"
    }
}

impl OnInterface {
    fn has(&self, id: u32) -> Result<bool> {
        let facts = LinkFacts::of(&self.route, self.index);
        let facts = facts.map_err(|refusal| rtnetlink::error(&refusal, "the interface is gone"))?;
        Ok(XdpStatus::read(&facts)
            .programs
            .iter()
            .any(|(_, there)| *there == id))
    }
}
