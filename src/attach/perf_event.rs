//! Programs on perf events: a link since Linux 5.15, an `ioctl` before.

use super::attachment::Attachment;
use super::legacy::LegacyProbe;
use super::link::Link;
use super::refusal::{self, linux};
use crate::kernel::rights;
use crate::kinds::AttachType;
use crate::program::Program;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::sys::perf_event::{self, PerfEvent, PerfScope, perf_event_open};
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How to attach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Way {
    /// By a link if the kernel supports them, otherwise by `ioctl`.
    #[default]
    Best,
    /// Only by a link.
    Link,
    /// By `ioctl`, even if the kernel supports links.
    Ioctl,
}

/// When an event starts to run its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Start {
    /// Immediately.
    #[default]
    Now,
    /// When the caller starts it.
    Later,
}

/// Options for attaching a program to a perf event.
///
/// ```
/// use rawbpf::attach::PerfEventOptions;
/// let options = PerfEventOptions::new().cookie(7).dont_enable();
/// ```
#[derive(Debug, Clone, Default)]
#[doc(alias = "bpf_perf_event_opts")]
pub struct PerfEventOptions {
    cookie: u64,
    way: Way,
    start: Start,
}

impl PerfEventOptions {
    /// By a link if the kernel supports them for perf events (Linux 5.15), without a cookie, running immediately.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn of(cookie: u64, way: Way) -> Self {
        Self {
            cookie,
            way,
            start: Start::Now,
        }
    }

    /// Sets a number that the program can read with `bpf_get_attach_cookie`. Since Linux 5.15.
    #[doc(alias = "bpf_cookie")]
    pub fn cookie(mut self, cookie: u64) -> Self {
        self.cookie = cookie;
        self
    }

    /// Uses the `ioctl` of kernels before Linux 5.15, even if links are supported. It does not support cookies.
    pub fn force_ioctl_attach(mut self) -> Self {
        self.way = Way::Ioctl;
        self
    }

    /// Leaves the event as it is: if it was opened stopped (`disabled`), it runs the program only once the caller has started
    /// it with the `ioctl` `PERF_EVENT_IOC_ENABLE` on a clone of its descriptor.
    pub fn dont_enable(mut self) -> Self {
        self.start = Start::Later;
        self
    }
}

impl Program {
    /// Attaches to a perf event that the caller opened, such as a sampled counter. Attaching starts the event, and dropping
    /// the link stops it.
    #[doc(alias = "bpf_program__attach_perf_event")]
    pub fn attach_perf_event(&self, event: OwnedFd) -> Result<Link> {
        self.attach_perf_event_with(event, &PerfEventOptions::new())
    }

    /// [`Program::attach_perf_event`] with a cookie, by `ioctl`, or without starting the event.
    #[doc(alias = "bpf_program__attach_perf_event_opts")]
    pub fn attach_perf_event_with(
        &self,
        event: OwnedFd,
        options: &PerfEventOptions,
    ) -> Result<Link> {
        attach(self, event, options, None)
            .map_err(|e| e.context(format!("attaching `{}` to a perf event", self.name())))
    }
}

/// Opens a perf event.
pub(super) fn open(event: &PerfEvent<'_>, scope: PerfScope) -> Result<OwnedFd> {
    perf_event_open(event, scope).map_err(|errno| {
        let error = Error::from_errno(errno, "the kernel does not open the perf event");
        match errno {
            Errno::EPERM | Errno::EACCES => error.with_hint(rights::for_perf_event()),
            _ => error,
        }
    })
}

/// Attaches the program to the event, and starts the event.
pub(super) fn attach(
    program: &Program,
    event: OwnedFd,
    options: &PerfEventOptions,
    legacy: Option<LegacyProbe>,
) -> Result<Link> {
    let cookie = options.cookie;
    let link = if options.way == Way::Ioctl {
        no_cookie(cookie)?;
        None
    } else {
        link(program, event.as_fd(), cookie, options.way)?
    };
    if link.is_none() {
        perf_event::set_program(event.as_fd(), program.as_fd()).map_err(refused)?;
    }
    if options.start == Start::Now {
        let started = perf_event::enable(event.as_fd());
        started.map_err(|errno| Error::from_errno(errno, "cannot start the perf event"))?;
    }
    let hold = PerfHold {
        stop: if link.is_none() {
            Stop::ByHand
        } else {
            Stop::WithLink
        },
        event: Some(event),
        legacy,
    };
    Ok(Link::with(program.name(), link, hold))
}

/// A perf event with an attached program.
#[derive(Debug)]
struct PerfHold {
    stop: Stop,
    event: Option<OwnedFd>,
    legacy: Option<LegacyProbe>,
}

/// How an event is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// By closing its link; if that is pinned, the event continues.
    WithLink,
    /// Explicitly, because it has no link.
    ByHand,
}

impl Attachment for PerfHold {
    fn undo(&mut self) -> Result<()> {
        if let Some(event) = self.event.take()
            && self.stop == Stop::ByHand
        {
            let stopped = perf_event::disable(event.as_fd());
            stopped.map_err(|errno| Error::from_errno(errno, "cannot stop the perf event"))?;
        }
        // The probe can be removed only when nothing uses it, not even the event.
        self.legacy.take().map_or(Ok(()), LegacyProbe::remove)
    }

    fn why_no_link(&self) -> &'static str {
        "perf events can be links since Linux 5.15"
    }
}

/// A link; `None` on kernels without links for perf events (they do not know the attach type).
fn link(
    program: &Program,
    event: BorrowedFd<'_>,
    cookie: u64,
    way: Way,
) -> Result<Option<OwnedFd>> {
    let create = LinkCreate {
        source: program.as_fd(),
        target: LinkTarget::Fd(event),
        attach_type: AttachType::PERF_EVENT,
        flags: 0,
        options: match cookie {
            0 => LinkOptions::None,
            cookie => LinkOptions::PerfEvent { cookie },
        },
    };
    match bpf::link_create(&create) {
        Ok(link) => Ok(Some(link)),
        Err(errno) if program.has_links(AttachType::PERF_EVENT) => Err(refused(errno)),
        Err(Errno::EINVAL | Errno::E2BIG) if way == Way::Best => no_cookie(cookie).map(|()| None),
        Err(errno) => Err(refusal::unknown(
            "links of perf events",
            linux(5, 15),
            errno,
        )),
    }
}

fn no_cookie(cookie: u64) -> Result<()> {
    if cookie == 0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "this way of attaching to a perf event has no cookies",
    )
    .with_errno(Errno::EOPNOTSUPP)
    .with_hint("cookies need links of perf events, which came with Linux 5.15"))
}

fn refused(errno: Errno) -> Error {
    let error = Error::from_errno(
        errno,
        "the kernel does not put the program on the perf event",
    );
    match errno {
        Errno::EINVAL => error.with_hint("is it a program of the right type for this event?"),
        Errno::EEXIST => error.with_hint(
            "this program is attached to the same trace event already, or the perf event has another program: it takes one",
        ),
        Errno::E2BIG => error.with_hint("a trace event takes 64 programs, and has them already"),
        _ => error,
    }
}
