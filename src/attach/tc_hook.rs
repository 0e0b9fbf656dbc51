//! Where classic traffic control (`tc`) has filters: a qdisc of an interface, and what is attached to it.

use super::interface::{Direction, Interface};
use super::rtnetlink::{self, Route};
use crate::sys::netlink::{Attributes, Refusal, Request};
use crate::{Errno, Error, ErrorKind, Result};

/// `RTM_NEWQDISC`, `RTM_DELQDISC`, `RTM_DELTFILTER`, `RTM_GETTFILTER`
const NEW_QDISC: u16 = 36;
const DELETE_QDISC: u16 = 37;
const DELETE_FILTER: u16 = 45;
const GET_FILTER: u16 = 46;
/// `TCA_KIND`, `TCA_OPTIONS`, `TCA_BPF_ID`
pub(super) const KIND: u16 = 1;
pub(super) const OPTIONS: u16 = 2;
const BPF_ID: u16 = 11;
/// `TC_H_CLSACT`, its handle, and its two directions.
const CLSACT: u32 = 0xffff_fff1;
const CLSACT_HANDLE: u32 = 0xffff_0000;
const CLSACT_INGRESS: u32 = 0xffff_fff2;
const CLSACT_EGRESS: u32 = 0xffff_fff3;
/// `ETH_P_ALL`
const ALL_PROTOCOLS: u16 = 3;
const BODY: usize = 20;

/// A place for filters of classic traffic control.
///
/// ```no_run
/// # fn main() -> rawbpf::Result<()> {
/// use rawbpf::attach::TcHook;
/// for filter in TcHook::ingress("eth0").filters()? {
///     println!("priority {}, program {}", filter.priority, filter.program_id);
/// }
/// TcHook::both("eth0").destroy()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_tc_hook")]
pub struct TcHook {
    pub(super) interface: Interface,
    place: Where,
}

#[derive(Debug, Clone)]
enum Where {
    /// One direction of clsact, or both.
    Clsact(Option<Direction>),
    /// The class or qdisc with this handle.
    Parent(u32),
    /// A qdisc by its kind.
    Qdisc {
        kind: String,
        parent: u32,
        handle: u32,
    },
}

/// A BPF filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "bpf_tc_opts")]
pub struct TcFilter {
    /// Identifies the filter among those of the same priority.
    pub handle: u32,
    /// The filter's priority: lower ones run first.
    pub priority: u16,
    /// The id of its program.
    pub program_id: u32,
}

impl TcHook {
    /// Incoming packets.
    pub fn ingress(interface: impl Into<Interface>) -> Self {
        Self::new(interface, Where::Clsact(Some(Direction::Ingress)))
    }

    /// Outgoing packets.
    pub fn egress(interface: impl Into<Interface>) -> Self {
        Self::new(interface, Where::Clsact(Some(Direction::Egress)))
    }

    /// Both directions: can be created and destroyed, but not attached to.
    pub fn both(interface: impl Into<Interface>) -> Self {
        Self::new(interface, Where::Clsact(None))
    }

    /// An existing class or qdisc: `parent` is its handle, 0x10002 for `1:2`. (`BPF_TC_CUSTOM`)
    pub fn under(interface: impl Into<Interface>, parent: u32) -> Self {
        Self::new(interface, Where::Parent(parent))
    }

    /// A qdisc of this kind, such as `htb`: can be created and destroyed. `parent` is 0xffffffff for the root.
    /// (`BPF_TC_QDISC`)
    pub fn qdisc(
        interface: impl Into<Interface>,
        kind: impl Into<String>,
        parent: u32,
        handle: u32,
    ) -> Self {
        let kind = kind.into();
        Self::new(
            interface,
            Where::Qdisc {
                kind,
                parent,
                handle,
            },
        )
    }

    pub(super) fn of(interface: impl Into<Interface>, direction: Direction) -> Self {
        Self::new(interface, Where::Clsact(Some(direction)))
    }

    fn new(interface: impl Into<Interface>, place: Where) -> Self {
        Self {
            interface: interface.into(),
            place,
        }
    }

    /// Creates the qdisc: `clsact` for a direction. Returns whether it is new.
    #[doc(alias = "bpf_tc_hook_create")]
    pub fn create(&self) -> Result<bool> {
        self.create_by(&Route::open()?)
    }

    pub(super) fn create_by(&self, route: &Route) -> Result<bool> {
        let request = self.qdisc_request(NEW_QDISC, Request::CREATE | Request::EXCLUSIVE)?;
        match route.ask(&request) {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.errno == Errno::EEXIST => Ok(false),
            Err(refusal) => Err(self.refused(&refusal, "cannot make the qdisc")),
        }
    }

    /// Removes what is here, whoever created it: the filters of one direction; for both directions, the qdisc `clsact` with
    /// all its filters; or the qdisc of this kind.
    #[doc(alias = "bpf_tc_hook_destroy")]
    pub fn destroy(&self) -> Result<()> {
        let request = match &self.place {
            Where::Clsact(Some(_)) => {
                Request::new(DELETE_FILTER, 0, &self.body(self.parent()?, 0, 0)?)
            }
            _ => self.qdisc_request(DELETE_QDISC, 0)?,
        };
        match Route::open()?.ask(&request) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(self.refused(&refusal, "cannot take away what is here")),
        }
    }

    /// The BPF filter with this handle and priority.
    ///
    /// # Errors
    /// `Kernel` with `ENOENT` if there is none.
    #[doc(alias = "bpf_tc_query")]
    pub fn query(&self, handle: u32, priority: u16) -> Result<TcFilter> {
        self.query_by(&Route::open()?, handle, priority)
    }

    pub(super) fn query_by(&self, route: &Route, handle: u32, priority: u16) -> Result<TcFilter> {
        let request =
            Request::new(GET_FILTER, 0, &self.filter_body(handle, priority)?).text(KIND, "bpf");
        let answer = route
            .ask(&request)
            .map_err(|refusal| self.refused(&refusal, "cannot ask for the filter"))?;
        let found = answer.iter().find_map(|one| filter(one));
        found.ok_or_else(|| Error::from_errno(Errno::ENOENT, "it is no filter with a BPF program"))
    }

    /// All BPF filters, in the order in which they run.
    pub fn filters(&self) -> Result<Vec<TcFilter>> {
        let request = Request::new(GET_FILTER, Request::DUMP, &self.body(self.parent()?, 0, 0)?);
        let answer = Route::open()?.ask(&request);
        let answer = answer.map_err(|refusal| self.refused(&refusal, "cannot list the filters"))?;
        Ok(answer.iter().filter_map(|one| filter(one)).collect())
    }

    /// Removes one filter.
    #[doc(alias = "bpf_tc_detach")]
    pub fn detach(&self, handle: u32, priority: u16) -> Result<()> {
        self.detach_by(&Route::open()?, handle, priority)
    }

    pub(super) fn detach_by(&self, route: &Route, handle: u32, priority: u16) -> Result<()> {
        let request =
            Request::new(DELETE_FILTER, 0, &self.filter_body(handle, priority)?).text(KIND, "bpf");
        let answer = route.ask(&request);
        answer
            .map(drop)
            .map_err(|refusal| self.refused(&refusal, "cannot take the filter off"))
    }

    /// Whether the qdisc is `clsact`, which can be created without further options.
    pub(super) fn is_clsact(&self) -> bool {
        matches!(self.place, Where::Clsact(_))
    }

    /// The same hook, unaffected by later changes of the interface's name or the thread's namespace.
    pub(super) fn fixed(&self) -> Result<Self> {
        Ok(Self {
            interface: self.interface.index()?.into(),
            place: self.place.clone(),
        })
    }

    fn qdisc_request(&self, kind: u16, flags: u16) -> Result<Request> {
        let (name, parent, handle) = match &self.place {
            Where::Clsact(_) => ("clsact", CLSACT, CLSACT_HANDLE),
            Where::Qdisc {
                kind,
                parent,
                handle,
            } => (kind.as_str(), *parent, *handle),
            Where::Parent(_) => {
                let message = "a class has no qdisc to make or take away";
                return Err(Error::new(ErrorKind::Unsupported, message)
                    .with_hint("name its kind: TcHook::qdisc"));
            }
        };
        let body = self.body(parent, handle, 0)?;
        Ok(Request::new(kind, flags, &body).text(KIND, name))
    }

    /// The handle that filters are attached to.
    fn parent(&self) -> Result<u32> {
        match &self.place {
            Where::Clsact(Some(Direction::Ingress)) => Ok(CLSACT_INGRESS),
            Where::Clsact(Some(Direction::Egress)) => Ok(CLSACT_EGRESS),
            Where::Parent(parent) => Ok(*parent),
            Where::Clsact(None) | Where::Qdisc { .. } => {
                let message = "filters are attached to one direction, or to a class by its handle";
                Err(Error::new(ErrorKind::InvalidArgument, message)
                    .with_hint("use TcHook::ingress, TcHook::egress or TcHook::under"))
            }
        }
    }

    pub(super) fn filter_body(&self, handle: u32, priority: u16) -> Result<[u8; BODY]> {
        let info = u32::from(priority) << 16 | u32::from(ALL_PROTOCOLS.to_be());
        self.body(self.parent()?, handle, info)
    }

    /// `struct tcmsg`
    fn body(&self, parent: u32, handle: u32, info: u32) -> Result<[u8; BODY]> {
        let words = [0, self.interface.index()?, handle, parent, info];
        let mut body = [0; BODY];
        for (to, from) in body
            .iter_mut()
            .zip(words.iter().flat_map(|word| word.to_ne_bytes()))
        {
            *to = from;
        }
        Ok(body)
    }

    pub(super) fn refused(&self, refusal: &Refusal, message: &str) -> Error {
        let error = rtnetlink::explained(refusal, message);
        match refusal.errno {
            Errno::ENODEV => self.interface.absent(),
            Errno::ENOENT if refusal.words.is_none() => error.with_hint(
                "there is nothing like that; for a qdisc that is to be made, the kernel lacks it (modprobe sch_ingress cls_bpf)",
            ),
            Errno::EEXIST => error.with_hint("there is one already; replace() takes its place"),
            _ => error,
        }
    }
}

/// A BPF filter from a reply; `None` for filters of other kinds.
pub(super) fn filter(answer: &[u8]) -> Option<TcFilter> {
    let word = |at: usize| Some(u32::from_ne_bytes(*answer.get(at..)?.first_chunk()?));
    let options = Attributes::after(BODY, answer).value(OPTIONS)?;
    Some(TcFilter {
        handle: word(8)?,
        priority: u16::try_from(word(16)? >> 16).ok()?,
        program_id: Attributes::nested(options).number(BPF_ID)?,
    })
}
