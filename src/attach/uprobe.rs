//! Probes in programs and libraries.

use super::binary::Binary;
use super::legacy::LegacyProbe;
use super::link::Link;
use super::probe_event::{ProbeEvent, ProbeMode, ProbeSource};
use super::user_functions;
use crate::kernel::rights;
use crate::kinds::{ProbeKind, ProbePmu};
use crate::program::Program;
use crate::sys::perf_event::{PerfEvent, PerfScope, ProbeMoment, perf_event_open};
use crate::{Errno, Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// Which processes are observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Processes {
    /// All processes, including those started later.
    #[default]
    All,
    /// This process.
    Own,
    /// The process with this id.
    Pid(u32),
}

impl Processes {
    fn scope(self) -> Result<PerfScope> {
        match self {
            Self::All => Ok(PerfScope::Everyone),
            Self::Own => Ok(PerfScope::Process(0)),
            Self::Pid(pid) => match i32::try_from(pid) {
                Ok(pid) if pid > 0 => Ok(PerfScope::Process(pid)),
                _ => {
                    let message = format!("{pid} is no number of a process");
                    Err(Error::new(ErrorKind::InvalidArgument, message))
                }
            },
        }
    }
}

/// Which location in a program or library to probe, and how.
///
/// ```
/// use rawbpf::attach::{Processes, Uprobe};
/// let at = Uprobe::entry("libc.so.6", "malloc").processes(Processes::Own);
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_uprobe_opts")]
pub struct Uprobe {
    binary: PathBuf,
    /// Without one, `offset` is relative to the start of the file.
    function: Option<String>,
    moment: ProbeMoment,
    offset: u64,
    processes: Processes,
    ref_ctr_offset: u32,
    cookie: u64,
    mode: ProbeMode,
}

impl Uprobe {
    /// At the entry of a function. `binary` is a path, or a bare name that is searched for as the shell and the dynamic
    /// loader do, or a library that is stored uncompressed in a zip archive (`app.apk!/lib/x.so`); `function` may have a
    /// version (`memcpy@@GLIBC_2.14`).
    pub fn entry(binary: impl AsRef<Path>, function: impl Into<String>) -> Self {
        Self::at(binary.as_ref(), Some(function.into()), ProbeMoment::Entry)
    }

    /// At the return of a function.
    pub fn ret(binary: impl AsRef<Path>, function: impl Into<String>) -> Self {
        Self::at(binary.as_ref(), Some(function.into()), ProbeMoment::Return)
    }

    /// At the instruction at this file offset (an offset in the library, if that is in an archive).
    pub fn file_offset(binary: impl AsRef<Path>, offset: u64) -> Self {
        Self::at(binary.as_ref(), None, ProbeMoment::Entry).offset(offset)
    }

    fn at(binary: &Path, function: Option<String>, moment: ProbeMoment) -> Self {
        Self {
            binary: binary.to_owned(),
            function,
            moment,
            offset: 0,
            processes: Processes::All,
            ref_ctr_offset: 0,
            cookie: 0,
            mode: ProbeMode::Default,
        }
    }

    /// The offset from the start of the function, in bytes.
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Which processes are observed.
    pub fn processes(mut self, processes: Processes) -> Self {
        self.processes = processes;
        self
    }

    /// The file offset of the reference counter (semaphore), by which the traced program tells whether the probe is in use. Since
    /// Linux 4.20.
    pub fn ref_ctr_offset(mut self, offset: u32) -> Self {
        self.ref_ctr_offset = offset;
        self
    }

    /// A number that the program can read with `bpf_get_attach_cookie`. Since Linux 5.15.
    pub fn cookie(mut self, cookie: u64) -> Self {
        self.cookie = cookie;
        self
    }

    /// How the probe is created.
    pub fn mode(mut self, mode: ProbeMode) -> Self {
        self.mode = mode;
        self
    }

    fn place(&self) -> String {
        let file = self.binary.display();
        match &self.function {
            Some(function) if self.offset == 0 => format!("{file}:{function}"),
            Some(function) => format!("{file}:{function}+{:#x}", self.offset),
            None => format!("{file}:{:#x}", self.offset),
        }
    }
}

impl Program {
    /// Attaches to a location in a program or library.
    ///
    /// # Errors
    /// `NotFound` if the file does not exist, or does not contain the function.
    #[doc(alias = "bpf_program__attach_uprobe")]
    #[doc(alias = "bpf_program__attach_uprobe_opts")]
    pub fn attach_uprobe(&self, at: &Uprobe) -> Result<Link> {
        attach(self, at).map_err(|e| {
            let what = match at.moment {
                ProbeMoment::Entry => "uprobe",
                ProbeMoment::Return => "uretprobe",
            };
            e.context(format!(
                "attaching `{}` to {what} {}",
                self.name(),
                at.place()
            ))
        })
    }
}

fn attach(program: &Program, at: &Uprobe) -> Result<Link> {
    let file = Binary::find(&at.binary)?;
    let offset = offset_in(&file, at)?;
    let event = match at.mode.source(ProbeKind::Uprobe, program.target())? {
        ProbeSource::Pmu(pmu) => by_pmu(pmu, at, &file, offset)?,
        ProbeSource::Tracefs => by_tracefs(at, &file, offset)?,
    };
    event.attach(program, at.mode, at.cookie)
}

/// The offset in the file on disk.
fn offset_in(file: &Binary, at: &Uprobe) -> Result<u64> {
    if at.function.is_none() && file.is_whole_file() {
        return Ok(at.offset);
    }
    let contents = file.open()?;
    let start = match &at.function {
        Some(function) => user_functions::offsets(file, &contents, &[function])?,
        None => Vec::new(),
    };
    let start = start.first().copied().unwrap_or(0);
    contents.in_file(start.saturating_add(at.offset))
}

fn by_pmu(pmu: ProbePmu, at: &Uprobe, file: &Binary, offset: u64) -> Result<ProbeEvent> {
    let path = file.c_path()?;
    let event = PerfEvent::Uprobe {
        pmu,
        moment: at.moment,
        path: &path,
        offset,
        ref_ctr_offset: at.ref_ctr_offset,
    };
    let event = perf_event_open(&event, at.processes.scope()?);
    event
        .map(ProbeEvent::of_pmu)
        .map_err(|errno| refused(errno, at))
}

fn by_tracefs(at: &Uprobe, file: &Binary, offset: u64) -> Result<ProbeEvent> {
    if at.ref_ctr_offset != 0 {
        let message = "a probe made through tracefs has no reference counter";
        return Err(Error::new(ErrorKind::Unsupported, message).with_errno(Errno::EOPNOTSUPP));
    }
    let place = format!("{}:{offset:#x}", file.path.display());
    let label = file.path.file_name().unwrap_or_default().to_string_lossy();
    let label = format!("{label}_{offset:#x}");
    let refused = |errno| refused(errno, at);
    let probe = LegacyProbe::make(ProbeKind::Uprobe, at.moment, &place, &label, refused)?;
    ProbeEvent::of_tracefs(probe, at.processes.scope()?)
}

fn refused(errno: Errno, at: &Uprobe) -> Error {
    let error = Error::from_errno(errno, "the kernel does not make the probe");
    match (errno, at.processes) {
        (Errno::EPERM | Errno::EACCES, _) => error.with_hint(rights::for_perf_event()),
        (Errno::ESRCH, Processes::Pid(pid)) => error.with_hint(format!("there is no process {pid}")),
        (Errno::EINVAL, _) => {
            error.with_hint("the place must be inside a regular file that can be executed, at the start of an instruction")
        }
        _ => error,
    }
}
