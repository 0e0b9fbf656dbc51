//! An interface's incoming or outgoing packets (tcx): a link since Linux 6.6, a classic filter (`tc`) before.

use super::anchor::{Wanted, order_methods};
use super::interface::{Direction, Interface};
use super::link::Link;
use super::point::AttachPoint;
use super::refusal::{self, linux};
use super::tc::Tc;
use crate::kinds::ProgramType;
use crate::program::Program;
use crate::{Errno, Error, ErrorKind, Result};

/// Which packets of which interface, and the position among the other programs.
///
/// ```no_run
/// # fn example(program: &rawbpf::program::Program, other: &rawbpf::attach::Link) -> rawbpf::Result<()> {
/// use rawbpf::attach::Tcx;
/// let _link = program.attach_tcx(&Tcx::ingress("eth0").before(other))?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_tcx_opts")]
pub struct Tcx<'a> {
    interface: Interface,
    direction: Direction,
    wanted: Wanted<'a>,
}

impl<'a> Tcx<'a> {
    /// Incoming packets.
    pub fn ingress(interface: impl Into<Interface>) -> Self {
        Self::new(interface, Direction::Ingress)
    }

    /// Outgoing packets.
    pub fn egress(interface: impl Into<Interface>) -> Self {
        Self::new(interface, Direction::Egress)
    }

    /// Packets of this direction.
    pub fn new(interface: impl Into<Interface>, direction: Direction) -> Self {
        Self {
            interface: interface.into(),
            direction,
            wanted: Wanted::default(),
        }
    }

    order_methods!();
}

impl Program {
    /// Attaches a program of `SEC("tcx/ingress")`, `SEC("tcx/egress")` or `SEC("tc")` to an interface's packets.
    ///
    /// By a link since Linux 6.6. Before that, as a classic filter ([`Program::attach_tc`]), which stays attached if the
    /// process is killed; such a filter runs before existing ones, and a position in the order is rejected.
    ///
    /// # Errors
    /// `NotFound` if the interface does not exist, `Unsupported` if a position in the order was requested and the kernel has
    /// none.
    #[doc(alias = "bpf_program__attach_tcx")]
    pub fn attach_tcx(&self, at: &Tcx<'_>) -> Result<Link> {
        attach(self, at)
            .map_err(|e| e.context(format!("attaching `{}` to {}", self.name(), at.interface)))
    }
}

fn attach(program: &Program, at: &Tcx<'_>) -> Result<Link> {
    let index = at.interface.index()?;
    let point = AttachPoint::of_interface(index, at.direction.tcx());
    match point.link(program, at.wanted.raw()?) {
        Ok(link) => Ok(link),
        Err(errno) if !program.target().knows_attach_type(at.direction.tcx(), 0) => {
            if at.wanted.is_ordered() || at.wanted.replaces() {
                let what = "places in the order of programs of an interface";
                return Err(refusal::unknown(what, linux(6, 6), errno));
            }
            super::tc::attach(program, &Tc::new(index, at.direction))
        }
        Err(errno) => Err(refused(errno, program, at)),
    }
}

fn refused(errno: Errno, program: &Program, at: &Tcx<'_>) -> Error {
    if errno == Errno::ENODEV {
        return at.interface.absent();
    }
    let error = Error::from_errno(
        errno,
        format!("the kernel does not attach it ({})", at.direction.tcx()),
    );
    if program.kind() != ProgramType::SCHED_CLS {
        return error.with_kind(ErrorKind::InvalidArgument).with_hint(format!(
            "programs of type {} are not attached to the packets of an interface this way; those of SEC(\"tcx/ingress\") are",
            program.kind()
        ));
    }
    let other = program
        .attach_type()
        .filter(|loaded| Direction::of(*loaded).is_some_and(|loaded| loaded != at.direction));
    match (errno, other) {
        (Errno::EINVAL, Some(loaded)) => error
            .with_kind(ErrorKind::InvalidArgument)
            .with_hint(format!("it was loaded for {loaded}")),
        (Errno::EBUSY, _) => {
            error.with_hint("the program to replace is held by a link; update that link")
        }
        _ => refusal::explain(errno, error),
    }
}

impl AttachPoint<'_> {
    /// An interface's incoming or outgoing packets, before classic traffic control. Since Linux 6.6.
    ///
    /// # Errors
    /// `NotFound` if there is no interface with this name.
    pub fn tcx(interface: impl Into<Interface>, direction: Direction) -> Result<Self> {
        let index = interface.into().index()?;
        Ok(Self::of_interface(index, direction.tcx()))
    }
}
