//! Probes on kernel functions.

use super::legacy::LegacyProbe;
use super::link::Link;
use super::probe_event::{ProbeEvent, ProbeMode, ProbeSource};
use super::{duplicates, grammar, switches, tracefs};
use crate::feature::Feature;
use crate::kernel::rights;
use crate::kinds::{ProbeKind, ProbePmu};
use crate::mounts;
use crate::near_functions::NearFunctions;
use crate::program::Program;
use crate::reloc::Target;
use crate::sys::perf_event::{PerfEvent, PerfScope, ProbeMoment, perf_event_open};
use crate::{Errno, Error, ErrorKind, Result};
use std::collections::HashSet;
use std::ffi::CString;

/// Which kernel function to probe, and how.
///
/// ```
/// use rawbpf::attach::Kprobe;
/// let at = Kprobe::entry("vfs_read").offset(4).cookie(1);
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_kprobe_opts")]
pub struct Kprobe {
    place: Place,
    module: Option<String>,
    moment: ProbeMoment,
    offset: u64,
    cookie: u64,
    mode: ProbeMode,
}

#[derive(Debug, Clone)]
enum Place {
    Function(String),
    /// The function that implements this system call.
    Syscall(String),
    Address(u64),
}

impl Kprobe {
    /// At the entry of a function; `module:function` selects the module, as [`Kprobe::module`] does.
    pub fn entry(function: impl Into<String>) -> Self {
        Self::function(&function.into(), ProbeMoment::Entry)
    }

    /// At the return of a function; `module:function` selects the module, as [`Kprobe::module`] does.
    pub fn ret(function: impl Into<String>) -> Self {
        Self::function(&function.into(), ProbeMoment::Return)
    }

    /// At the function with this address in `/proc/kallsyms`, for functions whose name is not unique.
    pub fn address(address: u64) -> Self {
        Self::at(Place::Address(address), ProbeMoment::Entry)
    }

    /// At the entry of the kernel's function for a system call, such as `openat`. Its name depends on the architecture and
    /// changed in Linux 4.17; the running kernel is asked for it when the program is attached.
    #[doc(alias = "bpf_ksyscall_opts")]
    pub fn syscall(name: impl Into<String>) -> Self {
        Self::at(Place::Syscall(name.into()), ProbeMoment::Entry)
    }

    fn function(name: &str, moment: ProbeMoment) -> Self {
        let (module, function) = grammar::module_and_rest(name);
        Self {
            module: module.map(str::to_owned),
            ..Self::at(Place::Function(function.to_owned()), moment)
        }
    }

    fn at(place: Place, moment: ProbeMoment) -> Self {
        Self {
            place,
            module: None,
            moment,
            offset: 0,
            cookie: 0,
            mode: ProbeMode::Default,
        }
    }

    /// The function with this name in a module; `"vmlinux"` means the kernel itself. For names that are not unique.
    ///
    /// The function is looked up in `/proc/kallsyms`, which requires permission to see addresses there.
    pub fn module(mut self, name: impl Into<String>) -> Self {
        self.module = Some(name.into());
        self
    }

    /// Probes the function's return instead of its entry.
    pub fn on_return(mut self) -> Self {
        self.moment = ProbeMoment::Return;
        self
    }

    /// The offset from the start of the function, in bytes. Not for returns.
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
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

    /// `module:function+0x10`
    fn place(&self) -> String {
        let module = self.module.as_ref();
        let module = module.map_or_else(String::new, |module| format!("{module}:"));
        match &self.place {
            Place::Function(name) if self.offset == 0 => format!("{module}{name}"),
            Place::Function(name) => format!("{module}{name}+{:#x}", self.offset),
            Place::Syscall(name) => format!("system call {name}"),
            Place::Address(address) => format!("{:#x}", address.wrapping_add(self.offset)),
        }
    }
}

/// The prefix of the functions that implement system calls on kernels without syscall wrappers.
const NO_WRAPPER: &str = "__se_sys_";

/// The prefix on architectures that have their own syscall wrappers.
const WRAPPER: &str = if cfg!(target_arch = "x86_64") {
    "__x64_sys_"
} else if cfg!(target_arch = "aarch64") {
    "__arm64_sys_"
} else if cfg!(target_arch = "s390x") {
    "__s390x_sys_"
} else if cfg!(target_arch = "riscv64") {
    "__riscv_sys_"
} else {
    NO_WRAPPER
};

impl Program {
    /// Attaches to the kernel's function for a system call, such as `openat`. With a cookie: [`Kprobe::syscall`].
    #[doc(alias = "bpf_program__attach_ksyscall")]
    pub fn attach_ksyscall(&self, name: &str) -> Result<Link> {
        self.attach_kprobe(&Kprobe::syscall(name))
    }

    /// Attaches to the return of the kernel's function for a system call.
    pub fn attach_kretsyscall(&self, name: &str) -> Result<Link> {
        self.attach_kprobe(&Kprobe::syscall(name).on_return())
    }

    /// Attaches to a kernel function.
    ///
    /// # Errors
    /// `NotFound` with similar names if the function does not exist or cannot be probed.
    #[doc(alias = "bpf_program__attach_kprobe")]
    #[doc(alias = "bpf_program__attach_kprobe_opts")]
    pub fn attach_kprobe(&self, at: &Kprobe) -> Result<Link> {
        attach(self, at).map_err(|e| {
            let what = match at.moment {
                ProbeMoment::Entry => "kprobe",
                ProbeMoment::Return => "kretprobe",
            };
            e.context(format!(
                "attaching `{}` to {what} {}",
                self.name(),
                at.place()
            ))
        })
    }
}

fn attach(program: &Program, at: &Kprobe) -> Result<Link> {
    let kernel = program.target();
    if let Place::Syscall(name) = &at.place {
        let has_wrappers = kernel.supports(Feature::SyscallWrapper);
        let prefix = if has_wrappers { WRAPPER } else { NO_WRAPPER };
        let by_name = Kprobe {
            place: Place::Function(format!("{prefix}{name}")),
            ..at.clone()
        };
        return attach(program, &by_name);
    }
    let start_of = match &at.place {
        Place::Function(name) if at.offset == 0 => Some(name.as_str()),
        _ => None,
    };
    switches::check_kprobes(start_of)?;
    if let (Place::Function(name), Some(module)) = (&at.place, &at.module) {
        let by_address = Kprobe {
            place: Place::Address(duplicates::in_module(kernel, name, module)?),
            module: None,
            ..at.clone()
        };
        return attach(program, &by_address);
    }
    if at.moment == ProbeMoment::Return && at.offset != 0 {
        let message = "a probe of a return has no place inside the function";
        return Err(
            Error::new(ErrorKind::InvalidArgument, message).with_hint("leave out the offset")
        );
    }
    let event = match at.mode.source(ProbeKind::Kprobe, kernel)? {
        ProbeSource::Pmu(pmu) => by_pmu(pmu, at, kernel)?,
        ProbeSource::Tracefs => by_tracefs(at, kernel)?,
    };
    event.attach(program, at.mode, at.cookie)
}

fn by_pmu(pmu: ProbePmu, at: &Kprobe, kernel: &Target) -> Result<ProbeEvent> {
    let (function, offset) = match &at.place {
        Place::Function(name) | Place::Syscall(name) => (Some(c_string(name)?), at.offset),
        Place::Address(address) => (None, address.wrapping_add(at.offset)),
    };
    let event = PerfEvent::Kprobe {
        pmu,
        moment: at.moment,
        function: function.as_deref(),
        offset,
    };
    let event = perf_event_open(&event, PerfScope::Everyone);
    event
        .map(ProbeEvent::of_pmu)
        .map_err(|errno| refused(errno, at, kernel))
}

fn by_tracefs(at: &Kprobe, kernel: &Target) -> Result<ProbeEvent> {
    let place = at.place();
    let refused = |errno| refused(errno, at, kernel);
    let probe = LegacyProbe::make(ProbeKind::Kprobe, at.moment, &place, &place, refused)?;
    ProbeEvent::of_tracefs(probe, PerfScope::Everyone)
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| {
        Error::new(
            ErrorKind::InvalidArgument,
            format!("the name {text:?} has a zero byte"),
        )
    })
}

fn refused(errno: Errno, at: &Kprobe, kernel: &Target) -> Error {
    let generic = || Error::from_errno(errno, "the kernel does not make the probe");
    match (errno, &at.place) {
        (Errno::EPERM | Errno::EACCES, _) => generic().with_hint(rights::for_perf_event()),
        (Errno::EADDRNOTAVAIL, Place::Function(name)) => duplicates::ambiguous(kernel, name).with_errno(errno),
        (Errno::ENOENT | Errno::EINVAL, Place::Function(name)) => match no_function(kernel, name) {
            Some(error) => error.with_errno(errno),
            None => generic().with_hint(
                "the function exists, but cannot be probed there: it is on the kernel's list of functions to leave alone, \
                 or the offset is not at the start of an instruction",
            ),
        },
        _ => generic(),
    }
}

/// The error for a function that does not exist; `None` if it exists.
pub(super) fn no_function(kernel: &Target, name: &str) -> Option<Error> {
    let functions = functions(kernel);
    if functions.is_empty() || functions.iter().any(|function| function == name) {
        return None;
    }
    let near = near(name, &functions);
    let message = format!(
        "this kernel has no function `{name}`{}",
        near.did_you_mean()
    );
    let error = Error::new(ErrorKind::NotFound, message);
    Some(match near.hint() {
        Some(hint) => error.with_hint(hint),
        None => error,
    })
}

/// The functions that may have been meant and that can be probed.
fn near(name: &str, functions: &[String]) -> NearFunctions {
    let debugfs = mounts::debugfs().ok();
    let refused = debugfs.and_then(|debugfs| debugfs.read("kprobes/blacklist").ok());
    // `0xffffffff81000000-0xffffffff81000010  name`
    let refused = refused.iter().flat_map(|list| list.lines());
    let refused: HashSet<&str> = refused
        .filter_map(|line| line.split_ascii_whitespace().nth(1))
        .collect();
    let traceable = tracefs::traceable_functions().unwrap_or_default();
    let mut names: Vec<&str> = tracefs::names(&traceable).collect();
    if names.is_empty() {
        names.extend(functions.iter().map(String::as_str));
    }
    names.retain(|name| !refused.contains(name));
    NearFunctions::among(name, names)
}

/// The kernel's functions; empty if there is no list of them. The list also contains BPF programs, which are left out.
fn functions(kernel: &Target) -> Vec<String> {
    let mut functions = Vec::new();
    let listed = kernel.kallsyms(&mut |symbol| {
        let is_program = symbol.module == Some("bpf");
        if symbol.is_function() && !is_program {
            functions.push(symbol.name.to_owned());
        }
    });
    listed.map(|_| functions).unwrap_or_default()
}
