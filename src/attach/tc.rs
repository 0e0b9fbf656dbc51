//! Classic filters (`tc`): before Linux 6.6 the only way to the packets of an interface.
//!
//! There are no links for them. A filter stays after its process, and the qdisc `clsact` that it hangs on stays after the
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

/// Where a classic filter goes.
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
    /// Packets that come in.
    pub fn ingress(interface: impl Into<Interface>) -> Self {
        Self::at(TcHook::ingress(interface))
    }

    /// Packets that go out.
    pub fn egress(interface: impl Into<Interface>) -> Self {
        Self::at(TcHook::egress(interface))
    }

    pub(super) fn new(interface: impl Into<Interface>, direction: Direction) -> Self {
        Self::at(TcHook::of(interface, direction))
    }

    /// Any place that takes filters.
    pub fn at(hook: TcHook) -> Self {
        Self {
            hook,
            handle: 0,
            priority: 0,
            replace: false,
        }
    }

    /// Its rank: filters with a lower one run first. Without one the kernel chooses, so that it runs before those that are
    /// there.
    pub fn priority(mut self, priority: u16) -> Self {
        self.priority = priority;
        self
    }

    /// Its number among those of the same priority. Without one the kernel chooses.
    pub fn handle(mut self, handle: u32) -> Self {
        self.handle = handle;
        self
    }

    /// In the place of a filter that is there, if one is.
    #[doc(alias = "BPF_TC_F_REPLACE")]
    pub fn replace(mut self) -> Self {
        self.replace = true;
        self
    }
}

impl Program {
    /// Attaches a program of `SEC("tc")` as a filter that decides itself (`direct-action`). The qdisc `clsact` is made if it
    /// is missing, and stays.
    ///
    /// The filter stays after a process that is killed; `tc filter del` or [`TcHook::destroy`] takes it off. Dropping the
    /// [`Link`] takes it off as long as it is this program's.
    ///
    /// # Errors
    /// `NotFound` if there is no such interface; the kernel's `EEXIST` if a filter with this handle and priority exists.
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

/// A filter that was made, and the connection to the network namespace that it is in.
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
