//! Cgroups: what their processes send, receive, connect to, bind, open and set.
//!
//! A link since Linux 5.7. Without a link, the cgroup itself keeps the program, which outlives its process.

use super::anchor::{BEFORE, REPLACE, Raw, Side, Wanted, order_methods};
use super::link::Link;
use super::point::{AttachPoint, Kept, KeptTarget, hold};
use super::refusal::{self, linux};
use crate::kernel::rights;
use crate::kinds::{AttachType, ProgramType};
use crate::mounts;
use crate::program::Program;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::sys::file_system::FileSystem;
use crate::{Errno, Error, ErrorKind, KernelVersion, Result};
use std::fs::OpenOptions;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// The hint for a file where a cgroup is expected.
const FOLDER_IS_MEANT: &str = "it is a file; the folder of a cgroup is meant";

/// `BPF_F_PREORDER`
const PREORDER: u32 = 1 << 6;

/// How programs of a cgroup and of its descendants combine if they are attached without links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CgroupMode {
    /// The only program, here and in all descendants.
    Exclusive,
    /// The only program here; a descendant may have a different one instead. (`BPF_F_ALLOW_OVERRIDE`)
    Override,
    /// One of several; those of the ancestors run, too. Links always do this. (`BPF_F_ALLOW_MULTI`)
    Multi,
}

impl CgroupMode {
    fn flag(self) -> u32 {
        match self {
            Self::Exclusive => 0,
            Self::Override => 1 << 0,
            Self::Multi => 1 << 1,
        }
    }
}

/// Which cgroup to attach to, and how.
///
/// ```no_run
/// # fn example(program: &rawbpf::program::Program) -> rawbpf::Result<()> {
/// use rawbpf::attach::Cgroup;
/// let _link = program.attach_cgroup(&Cgroup::at("/sys/fs/cgroup/user.slice"))?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_cgroup_opts")]
pub struct Cgroup<'a> {
    which: Which<'a>,
    attach_type: Option<AttachType>,
    without_link: Option<CgroupMode>,
    flags: u32,
    wanted: Wanted<'a>,
}

#[derive(Debug, Clone)]
enum Which<'a> {
    Path(PathBuf),
    Fd(BorrowedFd<'a>),
}

impl<'a> Cgroup<'a> {
    /// The cgroup with this directory.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self::new(Which::Path(path.into()))
    }

    /// The cgroup whose directory is open here.
    pub fn of(folder: &'a impl AsFd) -> Self {
        Self::new(Which::Fd(folder.as_fd()))
    }

    fn new(which: Which<'a>) -> Self {
        Self {
            which,
            attach_type: None,
            without_link: None,
            flags: 0,
            wanted: Wanted::default(),
        }
    }

    /// The attach type, for programs whose section does not determine it (`SEC("cgroup/skb")`).
    pub fn attach_type(mut self, attach_type: AttachType) -> Self {
        self.attach_type = Some(attach_type);
        self
    }

    /// Not by a link. The program stays attached if the process is killed, until the cgroup is removed. All programs of one
    /// attach type in one cgroup share this mode.
    pub fn without_link(mut self, mode: CgroupMode) -> Self {
        self.without_link = Some(mode);
        self
    }

    /// Before the programs of the descendants instead of after them. Since Linux 6.15 without a link; by a link since 6.17.
    pub fn preorder(mut self) -> Self {
        self.flags |= PREORDER;
        self
    }

    order_methods!();

    fn what(&self) -> String {
        match &self.which {
            Which::Path(path) => format!("cgroup {}", path.display()),
            Which::Fd(_) => "a cgroup".to_owned(),
        }
    }

    fn open(&self) -> Result<Opened<'_>> {
        match &self.which {
            Which::Fd(fd) => Ok(Opened::Borrowed(*fd)),
            Which::Path(path) => {
                let mut options = OpenOptions::new();
                let folder = options.read(true).custom_flags(libc::O_DIRECTORY);
                let folder = folder.open(path);
                let folder = folder.map_err(|error| {
                    let error = Error::from_io(error, "open", path);
                    match error.errno() {
                        Some(Errno::ENOTDIR) => error.with_hint(FOLDER_IS_MEANT),
                        _ => error,
                    }
                })?;
                Ok(Opened::Owned(folder.into()))
            }
        }
    }
}

/// The directory, opened by us or by the caller.
enum Opened<'a> {
    Borrowed(BorrowedFd<'a>),
    Owned(OwnedFd),
}

impl AsFd for Opened<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Borrowed(fd) => *fd,
            Self::Owned(fd) => fd.as_fd(),
        }
    }
}

impl Program {
    /// Attaches to a cgroup, with the attach type of the program's section: `SEC("cgroup/connect4")`,
    /// `SEC("cgroup_skb/egress")`, `SEC("sockops")`, `SEC("lsm_cgroup/socket_bind")` and the like.
    ///
    /// By a link, of which a cgroup can have several (Linux 5.7); before that, without a link in the mode
    /// [`CgroupMode::Multi`]. A position in the order ([`Cgroup::before`] and the like) requires Linux 6.17.
    ///
    /// # Errors
    /// `InvalidArgument` if it is not a cgroup of cgroup2, `Unsupported` if the kernel is too old for the request.
    #[doc(alias = "bpf_program__attach_cgroup")]
    #[doc(alias = "bpf_program__attach_cgroup_opts")]
    pub fn attach_cgroup(&self, at: &Cgroup<'_>) -> Result<Link> {
        attach(self, at)
            .map_err(|e| e.context(format!("attaching `{}` to {}", self.name(), at.what())))
    }
}

fn attach(program: &Program, at: &Cgroup<'_>) -> Result<Link> {
    let folder = at.open()?;
    let attach_type = attach_type(program, at)?;
    let mode = match (at.without_link, at.wanted.side) {
        (None, Side::Instead(_)) => Some(CgroupMode::Multi),
        (mode, _) => mode,
    };
    let request = Request {
        program,
        cgroup: folder.as_fd(),
        attach_type,
        at,
    };
    let refused = |errno| request.refused(errno);
    match mode {
        Some(mode) => request.without_link(mode),
        None => match request.link(at.wanted.raw()?) {
            Ok(link) => Ok(Link::kernel(program.name(), link)),
            Err(Errno::EINVAL) if request.is_plain() && !program.has_links(attach_type) => {
                request.without_link(CgroupMode::Multi)
            }
            Err(errno) => Err(refused(errno)),
        },
    }
}

/// The requested attach type, otherwise the one that the program was loaded with.
fn attach_type(program: &Program, at: &Cgroup<'_>) -> Result<AttachType> {
    match (at.attach_type, program.attach_type()) {
        (Some(attach_type), _) | (None, Some(attach_type)) => Ok(attach_type),
        // The only LSM programs that are attached to cgroups.
        (None, None) if program.kind() == ProgramType::LSM => Ok(AttachType::LSM_CGROUP),
        (None, None) => program.need_attach_type(),
    }
}

/// Everything that one attachment depends on.
struct Request<'a> {
    program: &'a Program,
    cgroup: BorrowedFd<'a>,
    attach_type: AttachType,
    at: &'a Cgroup<'a>,
}

impl Request<'_> {
    /// Whether only the program and the cgroup were given.
    fn is_plain(&self) -> bool {
        !self.at.wanted.is_ordered() && self.at.flags == 0
    }

    fn link(&self, wanted: Raw<'_>) -> Result<OwnedFd, Errno> {
        bpf::link_create(&LinkCreate {
            source: self.program.as_fd(),
            target: LinkTarget::Fd(self.cgroup),
            attach_type: self.attach_type,
            flags: self.at.flags | wanted.flags,
            options: LinkOptions::Order(wanted.order),
        })
    }

    fn without_link(&self, mode: CgroupMode) -> Result<Link> {
        let wanted = self.at.wanted.raw()?;
        let wanted = wanted.with_flags(self.at.flags | mode.flag());
        AttachPoint::of_fd(self.cgroup, self.attach_type)
            .request(self.program.as_fd(), wanted)
            .map_err(|errno| self.refused(errno))?;
        let kept = Kept {
            target: KeptTarget::Fd(hold(self.cgroup)?),
            attach_type: self.attach_type,
            hint: "attach it to the cgroup by a link, which Linux 5.7 brought",
            // If there can be only one program, the kernel does not check which one is detached.
            any: mode != CgroupMode::Multi,
        };
        Ok(Link::unlinked(self.program, kept))
    }

    /// The requested feature that not every kernel supports, and the flag that tells whether the kernel does.
    fn wanted(&self) -> Option<(&'static str, u32, KernelVersion)> {
        let at = self.at;
        if at.wanted.is_ordered() {
            Some(("places in the order of a cgroup", BEFORE, linux(6, 17)))
        } else if at.flags & PREORDER == 0 {
            let replaces = at.wanted.replaces();
            replaces.then_some(("replacing a program of a cgroup", REPLACE, linux(5, 6)))
        } else if at.without_link.is_some() {
            Some(("this order of cgroups", PREORDER, linux(6, 15)))
        } else {
            // Links accept this flag since they accept positions in the order.
            Some(("this order of cgroups", BEFORE, linux(6, 17)))
        }
    }

    fn refused(&self, errno: Errno) -> Error {
        if let Some(error) = self.no_cgroup(errno) {
            return error;
        }
        if let Some((what, flag, since)) = self.wanted()
            && !self
                .program
                .target()
                .knows_attach_type(self.attach_type, flag)
        {
            return refusal::unknown(what, since, errno);
        }
        let message = format!("the kernel does not attach it ({})", self.attach_type);
        let error = Error::from_errno(errno, message);
        match errno {
            Errno::EPERM => error.with_hint(format!(
                "either a program of another mode is in the way, here or in a cgroup above ({}), or: {}",
                "one that is exclusive or may only be overridden leaves no room for this",
                rights::for_network()
            )),
            Errno::EBADF => error
                .with_kind(ErrorKind::InvalidArgument)
                .with_hint(FOLDER_IS_MEANT),
            Errno::EINVAL if !is_of_cgroups(self.program.kind()) && self.program.kind() != ProgramType::LSM => error.with_kind(ErrorKind::InvalidArgument).with_hint(format!(
                "programs of type {} are not attached to cgroups",
                self.program.kind()
            )),
            Errno::EINVAL => error.with_hint(match self.program.attach_type() {
                Some(loaded) => format!(
                    "a program that was loaded for {loaded} is attached for nothing else, or this kernel was built without it"
                ),
                None => "the program was loaded for something else, or this kernel was built without it".to_owned(),
            }),
            _ => refusal::explain(errno, error),
        }
    }

    /// The error for a descriptor or path that is not a cgroup.
    fn no_cgroup(&self, errno: Errno) -> Option<Error> {
        if FileSystem::of_file(self.cgroup) == Ok(FileSystem::Cgroup2) {
            return None;
        }
        let error = Error::new(
            ErrorKind::InvalidArgument,
            "it is no folder of a cgroup2 file system",
        )
        .with_errno(errno);
        Some(
            match mounts::mount_points("cgroup2").map(|mut all| all.next()) {
                Ok(Some(place)) => {
                    error.with_hint(format!("cgroup2 is mounted at {}", place.display()))
                }
                Ok(None) => error
                    .with_hint("cgroup2 is not mounted: mount -t cgroup2 cgroup2 /sys/fs/cgroup"),
                Err(_) => error,
            },
        )
    }
}

/// Whether programs of this type are attached only to cgroups.
pub(crate) fn is_of_cgroups(kind: ProgramType) -> bool {
    matches!(
        kind,
        ProgramType::CGROUP_SKB
            | ProgramType::CGROUP_SOCK
            | ProgramType::CGROUP_SOCK_ADDR
            | ProgramType::CGROUP_SOCKOPT
            | ProgramType::CGROUP_SYSCTL
            | ProgramType::CGROUP_DEVICE
            | ProgramType::SOCK_OPS
    )
}
