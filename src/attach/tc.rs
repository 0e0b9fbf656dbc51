//! Classic filters (`tc`): before Linux 6.6 the only way to attach to an interface's packets in both directions.
//!
//! There are no links for them. A filter outlives its process, and the qdisc `clsact` that it is attached to outlives the
//! filter, because others may use it, too.

use super::interface::{Direction, Interface};
use super::link::Link;
use super::rtnetlink::Route;
use super::tc_hook::{KIND, OPTIONS, TcFilter, TcHook, filter};
use super::unlinked::{self, Place};
use crate::program::Program;
use crate::sys::netlink::Request;
use crate::{Errno, Error, Result};
use std::os::fd::{AsFd, AsRawFd};

/// `RTM_NEWTFILTER`
const NEW_FILTER: u16 = 44;
/// `TCA_BPF_FD`, `TCA_BPF_NAME`, `TCA_BPF_FLAGS`, `TCA_BPF_FLAG_ACT_DIRECT`
const BPF_FD: u16 = 6;
const BPF_NAME: u16 = 7;
const BPF_FLAGS: u16 = 8;
const DIRECT_ACTION: u32 = 1;

/// Where to add a classic filter.
///
/// ```
/// use rawbpf::attach::Tc;
/// let at = Tc::ingress("eth0").priority(1).handle(1).replace();
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_tc_opts")]
pub struct Tc {
    hook: TcHook,
    handle: u32,
    priority: u16,
    replace: bool,
}

impl Tc {
    /// Incoming packets.
    pub fn ingress(interface: impl Into<Interface>) -> Self {
        Self::at(TcHook::ingress(interface))
    }

    /// Outgoing packets.
    pub fn egress(interface: impl Into<Interface>) -> Self {
        Self::at(TcHook::egress(interface))
    }

    pub(super) fn new(interface: impl Into<Interface>, direction: Direction) -> Self {
        Self::at(TcHook::of(interface, direction))
    }

    /// Any hook that takes filters.
    pub fn at(hook: TcHook) -> Self {
        Self {
            hook,
            handle: 0,
            priority: 0,
            replace: false,
        }
    }

    /// The filter's priority: filters with a lower number run first. If not set, the kernel chooses one that is lower than
    /// the existing ones.
    pub fn priority(mut self, priority: u16) -> Self {
        self.priority = priority;
        self
    }

    /// Identifies the filter among those of the same priority. If not set, the kernel chooses one.
    pub fn handle(mut self, handle: u32) -> Self {
        self.handle = handle;
        self
    }

    /// Replaces an existing filter, if there is one.
    #[doc(alias = "BPF_TC_F_REPLACE")]
    pub fn replace(mut self) -> Self {
        self.replace = true;
        self
    }
}

impl Program {
    /// Attaches a program of `SEC("tc")` as a filter in `direct-action` mode. The qdisc `clsact` is created if it is missing,
    /// and stays.
    ///
    /// The filter stays attached if the process is killed; `tc filter del` or [`TcHook::destroy`] removes it. Dropping the
    /// [`Link`] removes it only if it still has this program.
    ///
    /// # Errors
    /// `NotFound` if the interface does not exist; the kernel's `EEXIST` if there is already a filter with this handle and
    /// priority.
    #[doc(alias = "bpf_tc_attach")]
    pub fn attach_tc(&self, at: &Tc) -> Result<Link> {
        attach(self, at).map_err(|e| {
            e.context(format!(
                "attaching `{}` to {}",
                self.name(),
                at.hook.interface
            ))
        })
    }
}

pub(super) fn attach(program: &Program, at: &Tc) -> Result<Link> {
    let route = Route::open()?;
    if at.hook.is_clsact() {
        at.hook.create_by(&route)?;
    }
    let flags = Request::CREATE
        | Request::ECHO
        | if at.replace {
            Request::REPLACE
        } else {
            Request::EXCLUSIVE
        };
    let fd = u32::try_from(program.as_fd().as_raw_fd()).unwrap_or_default();
    let info = program.info()?;
    let request = Request::new(
        NEW_FILTER,
        flags,
        &at.hook.filter_body(at.handle, at.priority)?,
    )
    .text(KIND, "bpf")
    .nested(OPTIONS, |options| {
        let options = options.number(BPF_FD, fd).number(BPF_FLAGS, DIRECT_ACTION);
        options.text(BPF_NAME, &format!("{}:[{}]", info.name, info.id))
    });
    let answer = route.ask(&request).map_err(|refusal| {
        at.hook
            .refused(&refusal, "the kernel does not take the filter")
    })?;
    let made = answer.iter().find_map(|one| filter(one));
    let made = made.ok_or_else(|| {
        Error::from_errno(
            Errno::EPROTO,
            "the kernel does not say which filter it made",
        )
    })?;
    let place = Filter {
        route,
        hook: at.hook.fixed()?,
        made,
    };
    Ok(Link::unlinked(program, place))
}

/// A filter that was created, and the connection to its network namespace.
#[derive(Debug)]
struct Filter {
    route: Route,
    hook: TcHook,
    made: TcFilter,
}

impl Place for Filter {
    fn detach(&self, _program: &Program) -> Result<()> {
        let TcFilter {
            handle,
            priority,
            program_id,
        } = self.made;
        if self
            .hook
            .query_by(&self.route, handle, priority)?
            .program_id
            != program_id
        {
            return Err(unlinked::replaced());
        }
        self.hook.detach_by(&self.route, handle, priority)
    }

    fn why_no_link(&self) -> &'static str {
        "filters of tc are no links; Program::attach_tcx makes one, since Linux 6.6"
    }
}
