//! Many locations in one program or library with a single link.

use super::binary::{Binary, Contents};
use super::link::Link;
use super::uprobe::Processes;
use super::{glob, user_functions};
use crate::kernel::advice;
use crate::kernel::rights;
use crate::program::Program;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget, UprobeFile};
use crate::{AttachType, Errno, Error, ErrorKind, ProgramType, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `BPF_F_UPROBE_MULTI_RETURN`
const RETURN: u32 = 1;

/// Which functions of a program or library to probe at once, and when.
///
/// ```
/// use rawbpf::attach::UprobeMulti;
/// let at = UprobeMulti::pattern("libc.so.6", "mem*");
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_uprobe_multi_opts")]
pub struct UprobeMulti {
    binary: PathBuf,
    descriptor: Option<Arc<OwnedFd>>,
    places: Wanted,
    flags: u32,
    processes: Processes,
    ref_ctr_offsets: Vec<u64>,
    cookies: Vec<u64>,
}

#[derive(Debug, Clone)]
enum Wanted {
    Pattern(String),
    Names(Vec<String>),
    Offsets(Vec<u64>),
}

impl UprobeMulti {
    /// All functions of the file whose name matches, with `*` and `?`.
    pub fn pattern(binary: impl AsRef<Path>, pattern: impl Into<String>) -> Self {
        Self::of(binary.as_ref(), Wanted::Pattern(pattern.into()))
    }

    /// Functions by name.
    pub fn names(
        binary: impl AsRef<Path>,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        Self::of(binary.as_ref(), Wanted::Names(names))
    }

    /// Locations by file offset.
    pub fn file_offsets(binary: impl AsRef<Path>, offsets: impl Into<Vec<u64>>) -> Self {
        Self::of(binary.as_ref(), Wanted::Offsets(offsets.into()))
    }

    fn of(binary: &Path, places: Wanted) -> Self {
        Self {
            binary: binary.to_owned(),
            descriptor: None,
            places,
            flags: 0,
            processes: Processes::All,
            ref_ctr_offsets: Vec::new(),
            cookies: Vec::new(),
        }
    }

    /// In the file that this descriptor refers to, whatever is at the path now: the file may have been replaced, or be in a
    /// different mount namespace. The path then only says which member of an archive is meant, and names the file in
    /// messages.
    ///
    /// The kernel accepts the descriptor since Linux 7.2; before that, and to read the file's symbols, the file is opened
    /// through `/proc`.
    #[doc(alias = "path_fd")]
    pub fn descriptor(mut self, file: impl Into<OwnedFd>) -> Self {
        self.descriptor = Some(Arc::new(file.into()));
        self
    }

    /// Probes the functions' returns instead of their entries. (A program of `uprobe.session` sees both.)
    pub fn on_return(mut self) -> Self {
        self.flags = RETURN;
        self
    }

    /// Which processes are observed.
    pub fn processes(mut self, processes: Processes) -> Self {
        self.processes = processes;
        self
    }

    /// The file offset of each location's reference counter (semaphore). Not for patterns.
    pub fn ref_ctr_offsets(mut self, offsets: impl Into<Vec<u64>>) -> Self {
        self.ref_ctr_offsets = offsets.into();
        self
    }

    /// A number for each location, which the program can read with `bpf_get_attach_cookie`. Not for patterns.
    pub fn cookies(mut self, cookies: impl Into<Vec<u64>>) -> Self {
        self.cookies = cookies.into();
        self
    }

    fn what(&self) -> String {
        let file = self.binary.display();
        match &self.places {
            Wanted::Pattern(pattern) => format!("functions `{pattern}` of {file}"),
            Wanted::Names(names) => format!("{} functions of {file}", names.len()),
            Wanted::Offsets(offsets) => format!("{} places of {file}", offsets.len()),
        }
    }
}

impl Program {
    /// Attaches to many functions of a program or library. Since Linux 6.6; the program must be of `uprobe.multi` or
    /// `uprobe.session`.
    ///
    /// # Errors
    /// `NotFound` if the file does not exist, or contains no matching function.
    #[doc(alias = "bpf_program__attach_uprobe_multi")]
    pub fn attach_uprobe_multi(&self, at: &UprobeMulti) -> Result<Link> {
        attach(self, at)
            .map_err(|e| e.context(format!("attaching `{}` to {}", self.name(), at.what())))
    }
}

fn attach(program: &Program, at: &UprobeMulti) -> Result<Link> {
    let file = match &at.descriptor {
        Some(fd) => Binary::of_descriptor(fd.as_fd(), &at.binary),
        None => Binary::find(&at.binary)?,
    };
    let offsets = offsets(&file, at)?;
    for list in [&at.cookies, &at.ref_ctr_offsets] {
        let fits = list.is_empty() || list.len() == offsets.len();
        if !fits || !list.is_empty() && matches!(at.places, Wanted::Pattern(_)) {
            let message = "cookies and counters must be as many as the places, which are listed by name or offset";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
    }
    // If the attach type is unknown, it is most likely this one.
    let attach_type = program.attach_type();
    let attach_type = attach_type.unwrap_or(AttachType::TRACE_UPROBE_MULTI);
    if attach_type == AttachType::TRACE_UPROBE_SESSION && at.flags == RETURN {
        let message = "a program of `uprobe.session` sees both ends of a call, not returns alone";
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    let (path, pid) = (file.c_path()?, pid(at.processes)?);
    let create = |file| LinkCreate {
        source: program.as_fd(),
        target: LinkTarget::None,
        attach_type,
        flags: 0,
        options: LinkOptions::UprobeMulti {
            file,
            flags: at.flags,
            offsets: &offsets,
            ref_ctr_offsets: &at.ref_ctr_offsets,
            cookies: &at.cookies,
            pid,
        },
    };
    let by_path = || bpf::link_create(&create(UprobeFile::Path(&path)));
    let fd = match &at.descriptor {
        Some(fd) => match bpf::link_create(&create(UprobeFile::Fd(fd.as_fd()))) {
            // A kernel before Linux 7.1, or a descriptor that was opened with `O_PATH`.
            Err(Errno::EINVAL | Errno::EBADF) => by_path(),
            result => result,
        },
        None => by_path(),
    };
    let fd = fd.map_err(|errno| refused(errno, at, program))?;
    Ok(Link::kernel(program.name(), fd))
}

/// Here, 0 means all processes to the kernel.
fn pid(processes: Processes) -> Result<i32> {
    let pid = match processes {
        Processes::All => return Ok(0),
        Processes::Own => std::process::id(),
        Processes::Pid(pid) => pid,
    };
    i32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 0)
        .ok_or_else(|| {
            let message = format!("{pid} is no number of a process");
            Error::new(ErrorKind::InvalidArgument, message)
        })
}

/// The offsets in the file on disk.
fn offsets(file: &Binary, at: &UprobeMulti) -> Result<Vec<u64>> {
    if let (Wanted::Offsets(offsets), true) = (&at.places, file.is_whole_file()) {
        return Ok(offsets.clone());
    }
    let contents = file.open()?;
    let offsets = offsets_in(file, &contents, &at.places)?;
    offsets
        .into_iter()
        .map(|offset| contents.in_file(offset))
        .collect()
}

fn offsets_in(file: &Binary, contents: &Contents, places: &Wanted) -> Result<Vec<u64>> {
    match places {
        Wanted::Names(names) => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            user_functions::offsets(file, contents, &names)
        }
        Wanted::Pattern(pattern) if glob::is_pattern(pattern) => {
            user_functions::matching(file, contents, pattern)
        }
        Wanted::Pattern(name) => user_functions::offsets(file, contents, &[name]),
        Wanted::Offsets(offsets) => Ok(offsets.clone()),
    }
}

fn refused(errno: Errno, at: &UprobeMulti, program: &Program) -> Error {
    let error = Error::from_errno(errno, "the kernel does not make the probes");
    match (errno, at.processes) {
        (Errno::EPERM | Errno::EACCES, _) => error.with_hint(rights::for_perf_event()),
        (Errno::ESRCH, Processes::Pid(pid)) => {
            error.with_hint(format!("there is no process {pid}"))
        }
        (Errno::EBADF, _) => error.with_hint("only regular files have places for probes"),
        (Errno::EINVAL, _) => {
            let Some(attach_type) = program.attach_type() else {
                return error.with_hint(
                    "which attach type was the program loaded with? Say it with Program::with_attach_type",
                );
            };
            let newer = advice::newer_program(ProgramType::KPROBE, attach_type);
            error.with_hint(newer.unwrap_or_else(|| {
                "such links came with Linux 6.6, and take programs of SEC(\"uprobe.multi\")".into()
            }))
        }
        _ => error,
    }
}
