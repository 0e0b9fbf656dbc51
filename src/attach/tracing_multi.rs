//! The entry or exit of many kernel functions with a single link (`fentry.multi` and its variants).

use super::functions::Wanted;
use super::grammar;
use super::link::Link;
use super::{switches, tracefs};
use crate::btf::{Btf, Kind, Type};
use crate::kernel::rights;
use crate::kinds::AttachType;
use crate::near_functions::NearFunctions;
use crate::program::Program;
use crate::reloc::{AttachTarget, Module, Target};
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::{Errno, Error, ErrorKind, Result, TypeId};
use std::collections::HashSet;
use std::os::fd::AsFd;

/// The most arguments that a trampoline passes, and their largest size in bytes.
const MOST_ARGUMENTS: usize = 12;
const LARGEST_ARGUMENT: u32 = 16;

/// Which kernel functions to trace at once.
///
/// ```
/// use rawbpf::attach::TracingMulti;
/// let at = TracingMulti::names(["vfs_read", "vfs_write"]).cookies([1, 2]);
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_tracing_multi_opts")]
pub struct TracingMulti {
    functions: Wanted<TypeId>,
    cookies: Vec<u64>,
}

impl TracingMulti {
    /// All traceable functions whose name matches, with `*` and `?`, and whose arguments a trampoline can pass: those of
    /// vmlinux, or of the module that the program was loaded for, which `module:pattern` only repeats.
    pub fn pattern(pattern: impl Into<String>) -> Self {
        Self::of(Wanted::Pattern(pattern.into()))
    }

    /// Functions by name, of vmlinux or of the module that the program was loaded for.
    pub fn names(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::of(Wanted::names(names))
    }

    /// Functions by their id in the BTF that the program was loaded for: that of vmlinux or of a module.
    pub fn ids(ids: impl Into<Vec<TypeId>>) -> Self {
        Self::of(Wanted::Numbers(ids.into()))
    }

    fn of(functions: Wanted<TypeId>) -> Self {
        Self {
            functions,
            cookies: Vec::new(),
        }
    }

    /// A number for each function, which the program can read with `bpf_get_attach_cookie`. Not for patterns.
    pub fn cookies(mut self, cookies: impl Into<Vec<u64>>) -> Self {
        self.cookies = cookies.into();
        self
    }
}

impl Program {
    /// Attaches to the entry or exit of many kernel functions. Since Linux 7.2; the program must be of `fentry.multi`,
    /// `fexit.multi` or `fsession.multi`. A program for a module's functions must be loaded for the module:
    /// `SEC("fentry.multi/veth:veth_*")`, or an attach target that starts with `veth:`.
    ///
    /// # Errors
    /// `NotFound` with similar names if a function does not exist, or no traceable function matches.
    #[doc(alias = "bpf_program__attach_tracing_multi")]
    pub fn attach_tracing_multi(&self, at: &TracingMulti) -> Result<Link> {
        attach(self, at).map_err(|e| {
            e.context(format!(
                "attaching `{}` to {}",
                self.name(),
                at.functions.what()
            ))
        })
    }
}

fn attach(program: &Program, at: &TracingMulti) -> Result<Link> {
    let multi = [
        AttachType::TRACE_FENTRY_MULTI,
        AttachType::TRACE_FEXIT_MULTI,
        AttachType::TRACE_FSESSION_MULTI,
    ];
    let attach_type = program.need_attach_type()?;
    if !multi.contains(&attach_type) {
        let message = "the program was not loaded for many functions";
        return Err(Error::new(ErrorKind::InvalidArgument, message).with_hint(
            "such programs are of SEC(\"fentry.multi\"), \"fexit.multi\" or \"fsession.multi\"",
        ));
    }
    at.functions.check_cookies(&at.cookies)?;
    switches::check_ftrace()?;
    let ids = match &at.functions {
        Wanted::Pattern(pattern) => matching(program.target(), loaded_for(program), pattern)?,
        Wanted::Names(names) => by_names(program.target(), loaded_for(program), names)?,
        Wanted::Numbers(ids) => ids.iter().map(|id| id.0).collect(),
    };
    let create = LinkCreate {
        source: program.as_fd(),
        target: LinkTarget::None,
        attach_type,
        flags: 0,
        options: LinkOptions::TracingMulti {
            ids: &ids,
            cookies: &at.cookies,
        },
    };
    let fd = bpf::link_create(&create).map_err(refused)?;
    Ok(Link::kernel(program.name(), fd))
}

/// The module whose functions the program may trace; `None` for vmlinux.
fn loaded_for(program: &Program) -> Option<&Module> {
    match program.attach_target() {
        Some(AttachTarget::Btf { module, .. }) => module.as_ref(),
        _ => None,
    }
}

/// The types of this module, or of vmlinux.
fn types_of<'k>(kernel: &'k Target, module: Option<&Module>) -> Result<&'k Btf<'static>> {
    let Some(module) = module else {
        return kernel.vmlinux_btf().map(AsRef::as_ref);
    };
    let mut modules = kernel.module_btfs()?.iter();
    let found = modules.find(|one| one.module == *module);
    found.map(|one| one.btf.as_ref()).ok_or_else(|| {
        let message = format!("module `{}` is not loaded any more", module.name);
        Error::new(ErrorKind::NotFound, message)
    })
}

/// The BTF ids of the traceable functions that match a pattern.
fn matching(kernel: &Target, module: Option<&Module>, pattern: &str) -> Result<Vec<u32>> {
    let place = module.map_or("vmlinux", |module| module.name.as_str());
    let (named, pattern) = pattern.split_once(':').unwrap_or((place, pattern));
    if named != place {
        let message =
            format!("the program was loaded for the functions of {place}, not of {named}");
        return Err(Error::new(ErrorKind::InvalidArgument, message)
            .with_hint("name the module before loading: SEC(\"fentry.multi/MODULE:PATTERN\")"));
    }
    let pattern = grammar::kernel_glob(pattern)?;
    let list = tracefs::traceable_functions()?;
    let here = module.map(|module| module.name.as_str());
    let traceable = tracefs::matching_names(&list, |of| of == here, pattern);
    let btf = types_of(kernel, module)?;
    let functions = btf.types().filter(|ty| ty.kind() == Kind::Func);
    let wanted = functions.filter(|f| traceable.contains(f.name()) && fits(btf, f));
    let ids: Vec<u32> = wanted.map(|f| f.id().0).collect();
    if ids.is_empty() {
        let message = format!("no traceable function of {place} matches `{pattern}`");
        return Err(Error::new(ErrorKind::NotFound, message).with_errno(Errno::ENOENT));
    }
    Ok(ids)
}

/// Whether a trampoline can pass the function's arguments.
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
    // Variable arguments end in a parameter without a type, which has no size.
    prototype.params().len() <= MOST_ARGUMENTS
        && prototype.params().all(|param| small(param.type_id))
        && (result == TypeId::VOID || !is_struct(result))
}

fn by_names(kernel: &Target, module: Option<&Module>, names: &[String]) -> Result<Vec<u32>> {
    let btf = types_of(kernel, module)?;
    let ids = names.iter().map(|name| {
        let found = btf.find_own(name, Kind::Func);
        found.map(|id| id.0).ok_or_else(|| no_function(btf, name))
    });
    ids.collect()
}

#[cold]
fn no_function(btf: &Btf<'_>, name: &str) -> Error {
    let functions = btf.types().filter(|ty| ty.kind() == Kind::Func);
    let names: HashSet<&str> = functions.map(|ty| ty.name()).collect();
    let list = tracefs::traceable_functions().unwrap_or_default();
    let traceable = tracefs::names(&list).filter(|name| names.contains(name));
    let near = NearFunctions::among(name, traceable).did_you_mean();
    let message = format!("the kernel's types have no function `{name}`{near}");
    Error::new(ErrorKind::NotFound, message).with_errno(Errno::ESRCH)
}

fn refused(errno: Errno) -> Error {
    let error = Error::from_errno(errno, "the kernel does not attach it");
    match errno {
        Errno::EPERM => error.with_hint(rights::for_perf_event()),
        Errno::EINVAL => error.with_hint(
            "at least one of the functions cannot be watched by a trampoline, or the kernel is older than Linux 7.2",
        ),
        Errno::EOPNOTSUPP | Errno::ENOTSUPP => {
            error.with_hint("this machine or kernel has no BPF trampolines for the functions")
        }
        _ => error,
    }
}
