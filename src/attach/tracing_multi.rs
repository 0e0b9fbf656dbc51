//! The entry or exit of many kernel functions with one link (`fentry.multi` and its kin).

use super::grammar;
use super::link::Link;
use super::tracefs;
use crate::btf::{Btf, Kind, Type};
use crate::kinds::AttachType;
use crate::load::{Program, advice};
use crate::reloc::Target;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::{Errno, Error, ErrorKind, Result, TypeId, did_you_mean};
use std::os::fd::AsFd;

/// Trampolines pass so many arguments, of so many bytes each.
const MOST_ARGUMENTS: usize = 12;
const LARGEST_ARGUMENT: u32 = 16;

/// Which kernel functions to watch at once.
///
/// ```
/// use rawbpf::attach::TracingMulti;
/// let at = TracingMulti::names(["vfs_read", "vfs_write"]).cookies([1, 2]);
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_tracing_multi_opts")]
pub struct TracingMulti {
    functions: Wanted,
    cookies: Vec<u64>,
}

#[derive(Debug, Clone)]
enum Wanted {
    Pattern(String),
    Names(Vec<String>),
    Ids(Vec<TypeId>),
}

impl TracingMulti {
    /// All traceable functions of the kernel proper whose name matches, with `*` and `?`, as far as trampolines can pass
    /// their arguments.
    pub fn pattern(pattern: impl Into<String>) -> Self {
        Self::of(Wanted::Pattern(pattern.into()))
    }

    /// Functions of the kernel proper by name.
    pub fn names(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::of(Wanted::Names(names.into_iter().map(Into::into).collect()))
    }

    /// Functions by their number in the types that the program was loaded with: those of the kernel proper.
    pub fn ids(ids: impl Into<Vec<TypeId>>) -> Self {
        Self::of(Wanted::Ids(ids.into()))
    }

    fn of(functions: Wanted) -> Self {
        Self {
            functions,
            cookies: Vec::new(),
        }
    }

    /// A number for each function, which the program can ask for. Not for patterns.
    pub fn cookies(mut self, cookies: impl Into<Vec<u64>>) -> Self {
        self.cookies = cookies.into();
        self
    }

    fn what(&self) -> String {
        match &self.functions {
            Wanted::Pattern(pattern) => format!("kernel functions `{pattern}`"),
            Wanted::Names(names) => format!("{} kernel functions", names.len()),
            Wanted::Ids(ids) => format!("{} kernel functions", ids.len()),
        }
    }

    /// How many functions are named; `None` if only the kernel knows.
    fn count(&self) -> Option<usize> {
        match &self.functions {
            Wanted::Pattern(_) => None,
            Wanted::Names(names) => Some(names.len()),
            Wanted::Ids(ids) => Some(ids.len()),
        }
    }
}

impl Program {
    /// Attaches to the entry or exit of many kernel functions. Since Linux 7.2; the program must be of `fentry.multi`,
    /// `fexit.multi` or `fsession.multi`.
    ///
    /// # Errors
    /// `NotFound` with similar names if a function is not there, or no traceable function matches.
    #[doc(alias = "bpf_program__attach_tracing_multi")]
    pub fn attach_tracing_multi(&self, at: &TracingMulti) -> Result<Link> {
        attach(self, at)
            .map_err(|e| e.context(format!("attaching `{}` to {}", self.name(), at.what())))
    }
}

fn attach(program: &Program, at: &TracingMulti) -> Result<Link> {
    let multi = [
        AttachType::TRACE_FENTRY_MULTI,
        AttachType::TRACE_FEXIT_MULTI,
        AttachType::TRACE_FSESSION_MULTI,
    ];
    if !multi.contains(&program.attach_type()) {
        let message = "the program was not loaded for many functions";
        return Err(Error::new(ErrorKind::InvalidArgument, message).with_hint(
            "such programs are of SEC(\"fentry.multi\"), \"fexit.multi\" or \"fsession.multi\"",
        ));
    }
    if !at.cookies.is_empty() && Some(at.cookies.len()) != at.count() {
        let message = format!("{} cookies do not go with {}", at.cookies.len(), at.what());
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    let ids = match &at.functions {
        Wanted::Pattern(pattern) => matching(pattern)?,
        Wanted::Names(names) => by_names(names)?,
        Wanted::Ids(ids) => ids.iter().map(|id| id.0).collect(),
    };
    let create = LinkCreate {
        source: program.as_fd(),
        target: LinkTarget::None,
        attach_type: program.attach_type(),
        flags: 0,
        options: LinkOptions::TracingMulti {
            ids: &ids,
            cookies: &at.cookies,
        },
    };
    let fd = bpf::link_create(&create).map_err(refused)?;
    Ok(Link::kernel(program.name(), fd))
}

/// The numbers of the traceable functions that a pattern means.
fn matching(pattern: &str) -> Result<Vec<u32>> {
    let pattern = grammar::kernel_glob(pattern)?;
    let list = tracefs::traceable_functions()?;
    let traceable = tracefs::matching_names(&list, pattern);
    let kernel = Target::running();
    let btf = kernel.vmlinux_btf()?;
    let functions = btf.types().filter(|ty| ty.kind() == Kind::Func);
    let wanted = functions.filter(|f| traceable.contains(f.name()) && fits(btf, f));
    let ids: Vec<u32> = wanted.map(|f| f.id().0).collect();
    if ids.is_empty() {
        let message = format!("no traceable kernel function matches `{pattern}`");
        return Err(Error::new(ErrorKind::NotFound, message).with_errno(Errno::ENOENT));
    }
    Ok(ids)
}

/// Whether a trampoline can pass the function's arguments on.
fn fits(btf: &Btf<'_>, function: &Type<'_>) -> bool {
    let Some(Ok(prototype)) = function.target().map(|id| btf.get(id)) else {
        return false;
    };
    let small = |id| {
        let size = btf.size_of(id);
        size.is_ok_and(|size| (1..=LARGEST_ARGUMENT).contains(&size))
    };
    let is_struct = |id| {
        let result = btf.get(id).and_then(|ty| ty.resolved());
        result.is_ok_and(|ty| matches!(ty.kind(), Kind::Struct | Kind::Union))
    };
    let result = prototype.target().unwrap_or_default();
    // A variable list of arguments ends in one without a type, which has no size.
    prototype.params().len() <= MOST_ARGUMENTS
        && prototype.params().all(|param| small(param.type_id))
        && (result == TypeId::VOID || !is_struct(result))
}

fn by_names(names: &[String]) -> Result<Vec<u32>> {
    let kernel = Target::running();
    let btf = kernel.vmlinux_btf()?;
    let ids = names.iter().map(|name| {
        let found = btf.find(name, Kind::Func);
        found.map(|id| id.0).ok_or_else(|| no_function(btf, name))
    });
    ids.collect()
}

#[cold]
fn no_function(btf: &Btf<'_>, name: &str) -> Error {
    let functions = btf.types().filter(|ty| ty.kind() == Kind::Func);
    let near = did_you_mean(name, functions.map(|ty| ty.name()));
    let message = format!("the kernel's types have no function `{name}`{near}");
    Error::new(ErrorKind::NotFound, message).with_errno(Errno::ESRCH)
}

fn refused(errno: Errno) -> Error {
    let error = Error::from_errno(errno, "the kernel does not attach it");
    match errno {
        Errno::EPERM => error.with_hint(advice::for_perf_event()),
        Errno::EINVAL => error.with_hint(
            "at least one of the functions cannot be watched by a trampoline, or the kernel is older than Linux 7.2",
        ),
        Errno::EOPNOTSUPP | Errno::ENOTSUPP => {
            error.with_hint("this machine or kernel has no BPF trampolines for the functions")
        }
        _ => error,
    }
}
