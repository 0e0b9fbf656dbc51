//! The program handle: where programs come from, and what their object says about them.

use super::usdt::UsdtMaps;
use crate::kernel::{self, by_id};
use crate::kinds::{AttachType, ProgramType};
use crate::map::pin::{self, Place};
use crate::open::SectionDef;
use crate::reloc::{AttachTarget, LoadedFor, Target};
use crate::sys::bpf::{self, ObjectKind};
use crate::{Errno, Error, ErrorKind, Result, VerifierLog};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A program in the kernel. Clones share one descriptor, which is closed with the last clone.
///
/// Handles come from two sources, and differ in what they know:
///
/// - [`Object::program`](crate::load::Object::program) returns one that knows what the object says: the section, the attach
///   target that the program was loaded for, the maps for USDT probes. [`Program::attach`] relies on that.
/// - [`Program::from_id`], [`Program::from_pin`] and [`Program::from_fd`] return one that knows what the kernel reports:
///   name, type and [`info`](Program::info). It is attached with the method for its kind, such as
///   [`Program::attach_kprobe`]. A few of those depend on the attach type that the program was loaded with, which the kernel
///   does not report; their errors say so, and [`Program::with_attach_type`] supplies it.
///
/// The program itself lives as long as anything holds it: a descriptor, a link, a pin, a map of programs.
#[derive(Debug, Clone)]
#[doc(alias = "bpf_program")]
pub struct Program(Arc<ProgramParts>);

#[derive(Debug, Clone)]
pub(crate) struct ProgramParts {
    pub(crate) fd: Arc<OwnedFd>,
    pub(crate) name: String,
    pub(crate) kind: ProgramType,
    /// `None` if only the kernel knows.
    pub(crate) attach_type: Option<AttachType>,
    /// What is known about the kernel that it is loaded in, once somebody asked for it.
    pub(crate) target: OnceLock<Target>,
    /// What the object says about it; `None` for a program from elsewhere.
    pub(crate) origin: Option<Origin>,
}

/// What an object says about its program.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) section: String,
    pub(crate) def: Option<&'static SectionDef>,
    pub(crate) attach_target: Option<AttachTarget>,
    pub(crate) autoattach: bool,
    /// Shared by all programs of the object.
    pub(crate) usdt: Option<Arc<UsdtMaps>>,
    /// The verifier's log, if requested.
    pub(crate) log: Option<VerifierLog>,
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

impl Program {
    pub(crate) fn new(parts: ProgramParts) -> Self {
        Self(Arc::new(parts))
    }

    /// A program from a descriptor that came from elsewhere.
    ///
    /// # Errors
    /// `InvalidArgument` if the descriptor is not a program.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        Self::adopt(fd, "what the descriptor stands for")
    }

    /// The program with this id, which `bpftool prog` shows. Since Linux 4.13.
    ///
    /// # Errors
    /// `NotFound` if there is none (any more), `Permission` without `CAP_SYS_ADMIN`.
    #[doc(alias = "bpf_prog_get_fd_by_id")]
    pub fn from_id(id: u32) -> Result<Self> {
        let fd = by_id::open(ObjectKind::Program, id)?;
        Self::adopt(fd, &format!("what has id {id}"))
    }

    /// The program that is pinned at `path`.
    ///
    /// # Errors
    /// `InvalidArgument` if something else is pinned there.
    #[doc(alias = "bpf_obj_get")]
    pub fn from_pin(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fd = pin::open(Place::At(path))?;
        Self::adopt(fd, &format!("what is pinned at {}", path.display()))
    }

    fn adopt(fd: OwnedFd, what: &str) -> Result<Self> {
        let info = bpf::prog_info(fd.as_fd()).map_err(|errno| no_program(what, &fd, errno))?;
        Ok(Self::new(ProgramParts {
            fd: Arc::new(fd),
            name: info.name,
            kind: info.kind,
            attach_type: only_attach_type(info.kind),
            target: OnceLock::new(),
            origin: None,
        }))
    }

    /// The ids of all programs in the kernel, in ascending order. Since Linux 4.13.
    ///
    /// ```no_run
    /// use rawbpf::ErrorKind;
    /// use rawbpf::program::Program;
    ///
    /// for id in Program::ids() {
    ///     match Program::from_id(id?) {
    ///         Ok(program) => println!("{} {}", program.kind(), program.name()),
    ///         // It was unloaded meanwhile.
    ///         Err(error) if error.kind() == ErrorKind::NotFound => {}
    ///         Err(error) => return Err(error),
    ///     }
    /// }
    /// # Ok::<(), rawbpf::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Permission` without `CAP_SYS_ADMIN`.
    #[doc(alias = "bpf_prog_get_next_id")]
    pub fn ids() -> impl Iterator<Item = Result<u32>> {
        by_id::all(ObjectKind::Program)
    }

    /// Pins the program at `path` in a BPF file system, where it outlives this process. The parent folder is created if it
    /// is missing. A pin keeps the program loaded, but not attached: for that, pin its [`Link`](crate::attach::Link).
    #[doc(alias = "bpf_program__pin")]
    pub fn pin(&self, path: impl AsRef<Path>) -> Result<()> {
        pin::pin(self.as_fd(), Place::At(path.as_ref())).map_err(|e| self.blame(e))
    }

    /// Removes the pin at `path`; the program lives on as long as anything else holds it.
    #[doc(alias = "bpf_program__unpin")]
    pub fn unpin(&self, path: impl AsRef<Path>) -> Result<()> {
        pin::unpin(path.as_ref()).map_err(|e| self.blame(e))
    }

    /// Its name: from its object, or else the kernel's, of at most 15 bytes.
    #[doc(alias = "bpf_program__name")]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The section it came from, without a leading `?`. `None` if it came from an id, a pin or a descriptor: the kernel does
    /// not keep it.
    #[doc(alias = "bpf_program__section_name")]
    pub fn section(&self) -> Option<&str> {
        self.origin().map(|origin| origin.section.as_str())
    }

    /// Its type.
    #[doc(alias = "bpf_program__type")]
    pub fn kind(&self) -> ProgramType {
        self.0.kind
    }

    /// The attach type that it was loaded with. `None` if it came from an id, a pin or a descriptor, and programs of its
    /// type can have several: the kernel does not report it, see [`Program::with_attach_type`].
    #[doc(alias = "bpf_program__expected_attach_type")]
    pub fn attach_type(&self) -> Option<AttachType> {
        self.0.attach_type
    }

    /// The same program, with the attach type that it was loaded with. For programs from an id, a pin or a descriptor.
    /// Nothing changes in the kernel, which refuses to attach the program if this is wrong.
    #[must_use]
    pub fn with_attach_type(&self, attach_type: AttachType) -> Self {
        Self::new(ProgramParts {
            attach_type: Some(attach_type),
            ..ProgramParts::clone(&self.0)
        })
    }

    /// The same program, which asks `target` about the kernel when it is attached. A target answers each question once, for
    /// all programs that share it. Programs of an object share the target that the object was loaded with; others have a
    /// [`Target::running`](crate::reloc::Target::running) of their own.
    #[must_use]
    pub fn with_target(&self, target: &Target) -> Self {
        Self::new(ProgramParts {
            target: target.for_attaching().into(),
            ..ProgramParts::clone(&self.0)
        })
    }

    /// What is known about the kernel that it is loaded in.
    pub(crate) fn target(&self) -> &Target {
        self.0.target.get_or_init(kernel::target)
    }

    /// Whether the kernel has links that attach it with this attach type.
    pub(crate) fn has_links(&self, attach_type: AttachType) -> bool {
        let loaded = LoadedFor {
            kind: self.kind(),
            attach_type: self.attach_type(),
        };
        self.target().has_links(self.as_fd(), loaded, attach_type)
    }

    /// The attach type, or an error if it is unknown.
    pub(crate) fn need_attach_type(&self) -> Result<AttachType> {
        self.attach_type().ok_or_else(|| {
            let message = format!(
                "it is unknown which attach type program `{}` (of type {}) was loaded with: the kernel does not report it",
                self.name(),
                self.kind()
            );
            Error::new(ErrorKind::InvalidArgument, message)
                .with_hint("set it with Program::with_attach_type")
        })
    }

    /// The kernel function, hook or program that it was verified for, if its object is known; see also
    /// [`ProgramInfo::attach_btf_id`](super::ProgramInfo::attach_btf_id).
    pub fn attach_target(&self) -> Option<&AttachTarget> {
        self.origin()?.attach_target.as_ref()
    }

    /// Whether attaching the whole object attaches this program.
    #[doc(alias = "bpf_program__autoattach")]
    pub fn autoattach(&self) -> bool {
        self.origin().is_some_and(|origin| origin.autoattach)
    }

    /// What the object says about it, if it came from one.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }

    /// The maps for USDT probes, if its object has them.
    pub(crate) fn usdt(&self) -> Option<&Arc<UsdtMaps>> {
        self.origin()?.usdt.as_ref()
    }

    /// What the verifier wrote when it was loaded, if [`LoadOptions::log_level`](crate::load::LoadOptions::log_level)
    /// requested it.
    #[doc(alias = "bpf_program__log_buf")]
    pub fn verifier_log(&self) -> Option<&VerifierLog> {
        self.origin()?.log.as_ref()
    }

    /// An error about this program.
    pub(super) fn fail(&self, errno: Errno, doing: &str) -> Error {
        self.blame(Error::from_errno(errno, doing))
    }

    /// Names the program as the subject of an error.
    pub(super) fn blame(&self, error: Error) -> Error {
        error.context(format!("program `{}`", self.name()))
    }
}

/// The error for `what`, which the kernel says is not a program.
fn no_program(what: &str, fd: &OwnedFd, errno: Errno) -> Error {
    if errno != Errno::EINVAL {
        return Error::from_errno(errno, format!("cannot ask the kernel about {what}"));
    }
    let message = match bpf::object_kind(fd.as_fd()) {
        Some(kind) => format!("{what} is a {kind}, not a program"),
        None => format!("{what} is not a BPF program"),
    };
    Error::new(ErrorKind::InvalidArgument, message).with_errno(errno)
}

/// The attach type of program types that only have one.
fn only_attach_type(kind: ProgramType) -> Option<AttachType> {
    Some(match kind {
        ProgramType::SOCK_OPS => AttachType::CGROUP_SOCK_OPS,
        ProgramType::CGROUP_DEVICE => AttachType::CGROUP_DEVICE,
        ProgramType::CGROUP_SYSCTL => AttachType::CGROUP_SYSCTL,
        ProgramType::SK_MSG => AttachType::SK_MSG_VERDICT,
        ProgramType::FLOW_DISSECTOR => AttachType::FLOW_DISSECTOR,
        ProgramType::LIRC_MODE2 => AttachType::LIRC_MODE2,
        ProgramType::SK_LOOKUP => AttachType::SK_LOOKUP,
        ProgramType::NETFILTER => AttachType::NETFILTER,
        _ => return None,
    })
}
