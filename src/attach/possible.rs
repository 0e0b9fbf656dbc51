//! Whether programs can be attached: the smallest one is loaded, attached, and detached again.

use crate::attach::{
    Cgroup, Link, Netfilter, NetfilterFamily, NetfilterHook, Netkit, Netns, Sampling,
    SoftwareEvent, Tc, TcHook, Tcx, Xdp, is_of_cgroups,
};
use crate::insn::Insn;
use crate::kernel;
use crate::kernel::probe::{EXIT, NOTHING, mov};
use crate::kinds::{AttachType, ProgramType};
use crate::load::LoadOptions;
use crate::open::{OpenObject, SectionDef, SectionFlags};
use crate::program::Program;
use crate::reloc::Target;
use crate::{Error, ErrorKind, Result, did_you_mean};
use std::net::UdpSocket;

/// How far the smallest program of its kind gets on the running kernel. Returned by [`attach`] and [`section`].
#[derive(Debug)]
pub enum Attachable {
    /// It was loaded and attached (and detached again).
    Yes,
    /// The kernel loads it, but does not attach it there, for this reason.
    LoadsOnly(Error),
    /// It cannot even be loaded, for this reason: the kernel refuses it, or has no target of this name.
    No(Error),
}

impl Attachable {
    /// Whether it was attached.
    pub fn is_yes(&self) -> bool {
        matches!(self, Self::Yes)
    }

    /// Why it was not attached. If a permission is missing ([`ErrorKind::Permission`]), other processes may still be able to.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Yes => None,
            Self::LoadsOnly(error) | Self::No(error) => Some(error),
        }
    }
}

/// Whether a program of this type can be loaded with this attach type, and attached to `target`: found by doing so, for a moment,
/// with a program that has no effect.
///
/// The target is what follows the slash in the section name, or else where such programs are attached:
///
/// | programs | target |
/// |---|---|
/// | tracing, LSM | a function, tracepoint or hook: `vfs_read`, `module:function`, `file_open` |
/// | kprobes, tracepoints | `vfs_read`, `sched/sched_switch`; a glob for many; `/bin/sh:main` for uprobes |
/// | XDP, tc, netkit | an interface: `lo` |
/// | cgroup programs | the cgroup's directory |
/// | network namespace programs | the namespace's file; nothing for this thread's own |
/// | netfilter, perf events, socket filters | nothing |
///
/// ```no_run
/// use rawbpf::{AttachType, ProgramType, probe};
///
/// let fentry = probe::attach(ProgramType::TRACING, AttachType::TRACE_FENTRY, "vfs_read")?;
/// let guard = probe::attach(ProgramType::LSM, AttachType::LSM_MAC, "file_open")?;
/// println!("fentry: {}, LSM: {}", fentry.is_yes(), guard.is_yes());
/// # Ok::<(), rawbpf::Error>(())
/// ```
///
/// # Errors
/// `InvalidArgument` if programs of this type have no such attach type, `Unsupported` if there is no small program of this
/// type to try.
pub fn attach(kind: ProgramType, attach_type: AttachType, target: &str) -> Result<Attachable> {
    attach_for(kind, attach_type, target, &kernel::target())
}

/// [`attach`] for `kernel`, which describes the running one: with its token, and with what it already knows.
pub fn attach_for(
    kind: ProgramType,
    attach_type: AttachType,
    target: &str,
    kernel: &Target,
) -> Result<Attachable> {
    let def = def_of(kind, attach_type, target)?;
    let word = def.pattern.trim_end_matches('+');
    if def.target().is_some() && !target.is_empty() {
        return try_out(def, &format!("{word}/{target}"), target, kernel);
    }
    try_out(def, word, target, kernel)
}

/// [`attach`] for a section name, such as `fentry/vfs_read`, `uprobe//bin/sh:main` or `ksyscall/openat`.
///
/// # Errors
/// `InvalidArgument` if the name has no program type or no target; `Unsupported` if it cannot contain a target, or there is no
/// small program of this type to try.
pub fn section(name: &str) -> Result<Attachable> {
    section_for(name, &kernel::target())
}

/// [`section`] for `kernel`, which describes the running one: with its token, and with what it already knows.
pub fn section_for(name: &str, kernel: &Target) -> Result<Attachable> {
    let def = SectionDef::find(name).ok_or_else(|| {
        let names = SectionDef::ALL
            .iter()
            .map(|def| def.pattern.trim_end_matches('+'));
        let word = name.split('/').next().unwrap_or_default();
        let near = did_you_mean(word, names);
        let message = format!("the section name `{name}` says no type of program{near}");
        Error::new(ErrorKind::InvalidArgument, message)
    })?;
    try_out(def, name, "", kernel)
}

/// Why the answer of [`section_for`] is no; `None` if it is yes, or there is nothing to try.
pub(crate) fn refusal(kernel: &Target, name: &str) -> Option<Error> {
    match section_for(name, kernel).ok()? {
        Attachable::Yes => None,
        Attachable::LoadsOnly(error) | Attachable::No(error) => Some(error),
    }
}

/// The most specific section for such programs.
fn def_of(kind: ProgramType, attach_type: AttachType, target: &str) -> Result<&'static SectionDef> {
    if kind == ProgramType::KPROBE && attach_type == AttachType::default() {
        let word = if target.contains(':') && target.contains(['/', '.']) {
            "uprobe"
        } else {
            "kprobe"
        };
        return SectionDef::find(word).ok_or_else(|| nothing_to_try(kind));
    }
    let of_kind = || SectionDef::ALL.iter().filter(|def| def.kind == kind);
    let fits = || of_kind().filter(|def| def.attach_type == attach_type);
    // First the one that works on more kernels.
    let special = SectionFlags::SLEEPABLE | SectionFlags::XDP_FRAGS;
    let plain = fits().find(|def| !def.flags.intersects(special));
    plain.or_else(|| fits().next()).ok_or_else(|| {
        if of_kind().next().is_none() {
            return nothing_to_try(kind);
        }
        let message = format!("programs of type {kind} have no attach type {attach_type}");
        let types: Vec<_> = of_kind().map(|def| def.attach_type.to_string()).collect();
        Error::new(ErrorKind::InvalidArgument, message)
            .with_hint(format!("theirs are: {}", types.join(", ")))
    })
}

#[cold]
fn nothing_to_try(kind: ProgramType) -> Error {
    let message =
        format!("there is no small program of type {kind} that could be attached to try it");
    Error::new(ErrorKind::Unsupported, message)
        .with_hint("`probe::program_kind` says whether the kernel has the type")
}

fn try_out(def: &SectionDef, section: &str, target: &str, kernel: &Target) -> Result<Attachable> {
    let place = Place::of(def, target)?;
    if let (Place::Section, Some(form)) = (&place, def.target())
        && section
            .split_once('/')
            .is_none_or(|(_, tail)| tail.is_empty())
    {
        let message = format!("`{section}` does not name {} to attach to", form.what);
        return Err(Error::new(ErrorKind::InvalidArgument, message)
            .with_hint(format!("name it, as in `{}`", form.section)));
    }
    let open = OpenObject::from_instructions("probe", section, harmless(def));
    let object = match open.load_into(kernel, &LoadOptions::default()) {
        Ok(object) => object,
        Err(error) => return Ok(Attachable::No(error)),
    };
    let program = object.program("probe")?;
    Ok(match place.attach(program).map(drop) {
        Ok(()) => Attachable::Yes,
        Err(error) => Attachable::LoadsOnly(error),
    })
}

/// Instructions without any effect.
fn harmless(def: &SectionDef) -> Vec<Insn> {
    /// Pass a packet on to whatever comes next.
    const XDP_PASS: i32 = 2;
    const TCX_NEXT: i32 = -1;
    const FLOW_DISSECTOR_CONTINUE: i32 = 129;
    /// For cgroups, sockets and netfilter.
    const ALLOW: i32 = 1;
    let verdict = match def.kind {
        ProgramType::XDP => XDP_PASS,
        ProgramType::SCHED_CLS => TCX_NEXT,
        ProgramType::FLOW_DISSECTOR => FLOW_DISSECTOR_CONTINUE,
        ProgramType::NETFILTER | ProgramType::SK_LOOKUP => ALLOW,
        kind if goes_to_a_cgroup(kind, def.attach_type) => ALLOW,
        _ => return NOTHING.to_vec(),
    };
    vec![mov(0, verdict), EXIT]
}

fn goes_to_a_cgroup(kind: ProgramType, attach_type: AttachType) -> bool {
    is_of_cgroups(kind) || attach_type == AttachType::LSM_CGROUP
}

/// How the program is attached, and to what.
enum Place<'t> {
    /// According to its section name.
    Section,
    Xdp(&'t str),
    Tc(&'t str),
    Tcx(Tcx<'t>),
    Netkit(Netkit<'t>),
    Cgroup(&'t str),
    Netns(Netns<'t>),
    Netfilter,
    PerfEvent,
    Socket,
}

impl<'t> Place<'t> {
    fn of(def: &SectionDef, target: &'t str) -> Result<Self> {
        let need = |what: &str| {
            let message = format!(
                "programs of type {} are attached to {what}: which one?",
                def.kind
            );
            let hint = "name it as the target of `probe::attach`";
            let missing = Error::new(ErrorKind::Unsupported, message).with_hint(hint);
            if target.is_empty() {
                Err(missing)
            } else {
                Ok(target)
            }
        };
        Ok(match (def.kind, def.attach_type) {
            (kind, attach_type) if goes_to_a_cgroup(kind, attach_type) => {
                Self::Cgroup(need("a cgroup")?)
            }
            _ if def.auto_attach.is_some() => Self::Section,
            (ProgramType::XDP, AttachType::XDP) => Self::Xdp(need("an interface")?),
            (ProgramType::SCHED_CLS, AttachType::TCX_INGRESS) => {
                Self::Tcx(Tcx::ingress(need("an interface")?))
            }
            (ProgramType::SCHED_CLS, AttachType::TCX_EGRESS) => {
                Self::Tcx(Tcx::egress(need("an interface")?))
            }
            (ProgramType::SCHED_CLS, AttachType::NETKIT_PRIMARY) => {
                Self::Netkit(Netkit::primary(need("an interface")?))
            }
            (ProgramType::SCHED_CLS, AttachType::NETKIT_PEER) => {
                Self::Netkit(Netkit::peer(need("an interface")?))
            }
            (ProgramType::SCHED_CLS, _) => Self::Tc(need("an interface")?),
            (ProgramType::SK_LOOKUP | ProgramType::FLOW_DISSECTOR, _) => {
                Self::Netns(if target.is_empty() {
                    Netns::own()
                } else {
                    Netns::at(target)
                })
            }
            (ProgramType::NETFILTER, _) => Self::Netfilter,
            (ProgramType::PERF_EVENT, _) => Self::PerfEvent,
            (ProgramType::SOCKET_FILTER, _) => Self::Socket,
            (kind, _) => return Err(nothing_to_try(kind)),
        })
    }

    fn attach(&self, program: &Program) -> Result<Link> {
        match self {
            Self::Section => program.attach(),
            Self::Xdp(interface) => program.attach_xdp(&Xdp::on(*interface)),
            Self::Tc(interface) => attach_tc(program, interface),
            Self::Tcx(at) => program.attach_tcx(at),
            Self::Netkit(at) => program.attach_netkit(at),
            Self::Cgroup(path) => program.attach_cgroup(&Cgroup::at(*path)),
            Self::Netns(at) => program.attach_netns(at),
            Self::Netfilter => {
                let hook = NetfilterHook::LocalIn;
                program.attach_netfilter(&Netfilter::new(NetfilterFamily::Ipv4, hook).priority(1))
            }
            Self::PerfEvent => {
                /// A period in nanoseconds that does not elapse in practice.
                const RARELY: u64 = 1 << 40;
                let clock = Sampling::software(SoftwareEvent::CpuClock).period(RARELY);
                program.attach_sampling(&clock)
            }
            Self::Socket => {
                let socket = UdpSocket::bind("127.0.0.1:0").map_err(|error| {
                    let message = "cannot make a socket to attach to";
                    Error::new(ErrorKind::Io, message).with_source(error)
                })?;
                program.attach_socket_filter(&socket)
            }
        }
    }
}

/// Keeps the qdisc only if it existed before, or somebody else has started to use it.
fn attach_tc(program: &Program, interface: &str) -> Result<Link> {
    let qdisc = TcHook::both(interface);
    let is_new = qdisc.create()?;
    let link = program.attach_tc(&Tc::ingress(interface));
    if is_new {
        let filters = |hook: TcHook| hook.filters().map_or(usize::MAX, |all| all.len());
        let (own, others) = (
            filters(TcHook::ingress(interface)),
            filters(TcHook::egress(interface)),
        );
        if own == usize::from(link.is_ok()) && others == 0 {
            let _ = qdisc.destroy();
        }
    }
    link
}
