//! Network namespaces: which socket gets a packet (`sk_lookup`), and how packets are dissected (`flow_dissector`).
//!
//! A link since Linux 5.8. Before that, the namespace itself keeps flow dissectors.

use super::anchor::Raw;
use super::link::Link;
use super::point::AttachPoint;
use super::refusal;
use super::unlinked::Place;
use crate::kinds::{AttachType, ProgramType};
use crate::program::Program;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::{Errno, Error, ErrorKind, Result};
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Which network namespace to attach to.
///
/// ```
/// use rawbpf::attach::Netns;
/// let here = Netns::own();
/// let there = Netns::at("/run/netns/blue");
/// ```
#[derive(Debug, Clone)]
pub struct Netns<'a> {
    which: Which<'a>,
    without_link: bool,
}

#[derive(Debug, Clone)]
enum Which<'a> {
    Own,
    Path(PathBuf),
    Fd(BorrowedFd<'a>),
}

const OWN: &str = "/proc/thread-self/ns/net";

impl<'a> Netns<'a> {
    /// The network namespace of this thread.
    pub fn own() -> Self {
        Self::new(Which::Own)
    }

    /// The namespace that is bound to this file, such as `/run/netns/NAME` or `/proc/PID/ns/net`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self::new(Which::Path(path.into()))
    }

    /// The namespace whose file is open here.
    pub fn of(file: &'a impl AsFd) -> Self {
        Self::new(Which::Fd(file.as_fd()))
    }

    fn new(which: Which<'a>) -> Self {
        Self {
            which,
            without_link: false,
        }
    }

    /// Not by a link. Possible only for flow dissectors, and only in this thread's own namespace. The program stays attached
    /// if the process is killed, as long as the namespace lives. Dropping the [`Link`] detaches it if that happens on a
    /// thread in the same namespace.
    pub fn without_link(mut self) -> Self {
        self.without_link = true;
        self
    }

    fn what(&self) -> String {
        match &self.which {
            Which::Own => "this network namespace".to_owned(),
            Which::Path(path) => format!("network namespace {}", path.display()),
            Which::Fd(_) => "a network namespace".to_owned(),
        }
    }
}

impl Program {
    /// Attaches a program of `SEC("sk_lookup")` (since Linux 5.9) or `SEC("flow_dissector")` (since 4.20) to a network
    /// namespace.
    #[doc(alias = "bpf_program__attach_netns")]
    pub fn attach_netns(&self, at: &Netns<'_>) -> Result<Link> {
        attach(self, at)
            .map_err(|e| e.context(format!("attaching `{}` to {}", self.name(), at.what())))
    }
}

fn attach(program: &Program, at: &Netns<'_>) -> Result<Link> {
    let attach_type = attach_type(program)?;
    if at.without_link {
        return without_link(program, at, attach_type);
    }
    let opened = match &at.which {
        Which::Own => Some(OWN.into()),
        Which::Path(path) => Some(path.clone()),
        Which::Fd(_) => None,
    };
    let opened = opened.map(|path: PathBuf| open_namespace(&path));
    let opened = opened.transpose()?;
    let netns = match (&at.which, &opened) {
        (Which::Fd(fd), _) => *fd,
        (_, Some(file)) => file.as_fd(),
        (_, None) => return Err(Error::from_errno(Errno::EBADF, "there is no namespace")),
    };
    let create = LinkCreate {
        source: program.as_fd(),
        target: LinkTarget::Fd(netns),
        attach_type,
        flags: 0,
        options: LinkOptions::None,
    };
    match bpf::link_create(&create) {
        Ok(link) => Ok(Link::kernel(program.name(), link)),
        Err(Errno::EINVAL) if !program.has_links(attach_type) => {
            without_link(program, at, attach_type)
        }
        Err(errno) => Err(refused(errno, attach_type)),
    }
}

/// Does not wait for the writer of a FIFO; the kernel rejects what is not a namespace.
fn open_namespace(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path);
    file.map_err(|e| Error::from_io(e, "open", path))
}

/// For programs of these types, the kernel takes 0 as "none": they have one attach type each.
fn attach_type(program: &Program) -> Result<AttachType> {
    match program.kind() {
        ProgramType::SK_LOOKUP => Ok(AttachType::SK_LOOKUP),
        ProgramType::FLOW_DISSECTOR => Ok(AttachType::FLOW_DISSECTOR),
        other => {
            let message =
                format!("programs of type {other} are not attached to network namespaces");
            Err(Error::new(ErrorKind::InvalidArgument, message)
                .with_hint("programs of SEC(\"sk_lookup\") and SEC(\"flow_dissector\") are"))
        }
    }
}

fn refused(errno: Errno, attach_type: AttachType) -> Error {
    let error = Error::from_errno(
        errno,
        format!("the kernel does not attach it ({attach_type})"),
    );
    match errno {
        Errno::EINVAL => error.with_kind(ErrorKind::InvalidArgument).with_hint("is it the file of a network namespace, such as /run/netns/NAME?"),
        Errno::EEXIST => error.with_hint(
            "a namespace has one flow dissector; and none of its own while the first namespace of all has one",
        ),
        _ => refusal::explain(errno, error),
    }
}

/// `BPF_PROG_ATTACH` takes no namespace: it uses that of the calling thread.
fn without_link(program: &Program, at: &Netns<'_>, attach_type: AttachType) -> Result<Link> {
    if !matches!(at.which, Which::Own) || attach_type != AttachType::FLOW_DISSECTOR {
        let message = "only a flow dissector can be attached without a link, and only to the own network namespace";
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint("attach by a link, which needs Linux 5.8"));
    }
    own_namespace()
        .request(program.as_fd(), Raw::default())
        .map_err(|errno| refused(errno, attach_type))?;
    Ok(Link::unlinked(program, OwnNetns))
}

fn own_namespace() -> AttachPoint<'static> {
    AttachPoint::of_interface(0, AttachType::FLOW_DISSECTOR)
}

#[derive(Debug)]
struct OwnNetns;

impl Place for OwnNetns {
    fn detach(&self, program: &Program) -> Result<()> {
        // Another program may have replaced it, or this may be another thread's namespace: the kernel compares the program.
        own_namespace().detach(program)
    }

    fn why_no_link(&self) -> &'static str {
        "attach it to the network namespace by a link, which Linux 5.8 brought"
    }
}
