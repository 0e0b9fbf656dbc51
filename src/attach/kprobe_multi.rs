//! Many kernel functions with a single link.

use super::duplicates::KERNEL;
use super::functions::Wanted;
use super::link::Link;
use super::{glob, grammar, kprobe, switches, tracefs};
use crate::kernel::advice;
use crate::kernel::rights;
use crate::kinds::{AttachType, ProgramType};
use crate::mounts;
use crate::program::Program;
use crate::reloc::Target;
use crate::symbols::{self, Addresses};
use crate::sys::bpf::{self, Functions, LinkCreate, LinkOptions, LinkTarget};
use crate::{Errno, Error, ErrorKind, Result};
use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

/// `BPF_F_KPROBE_MULTI_RETURN`
const RETURN: u32 = 1;

/// Which kernel functions to probe at once, and when.
///
/// ```
/// use rawbpf::attach::KprobeMulti;
/// let at = KprobeMulti::pattern("tcp_*").on_return();
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_kprobe_multi_opts")]
pub struct KprobeMulti {
    functions: Wanted<u64>,
    flags: u32,
    cookies: Vec<u64>,
    matches: Matches,
}

/// How many functions a pattern may match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matches {
    Many,
    One,
}

impl KprobeMulti {
    /// All traceable functions whose name matches, with `*` and `?`; `module:pattern` selects those of one module, where
    /// `vmlinux` is the kernel itself.
    pub fn pattern(pattern: impl Into<String>) -> Self {
        Self::of(Wanted::Pattern(pattern.into()))
    }

    /// Functions by name.
    pub fn names(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::of(Wanted::names(names))
    }

    /// Functions by address.
    pub fn addresses(addresses: impl Into<Vec<u64>>) -> Self {
        Self::of(Wanted::Numbers(addresses.into()))
    }

    fn of(functions: Wanted<u64>) -> Self {
        Self {
            functions,
            flags: 0,
            cookies: Vec::new(),
            matches: Matches::Many,
        }
    }

    /// Probes the functions' returns instead of their entries. (A program of `kprobe.session` sees both.)
    pub fn on_return(mut self) -> Self {
        self.flags = RETURN;
        self
    }

    /// Rejects a pattern that matches more than one traceable function: for names to which a compiler may have added a
    /// suffix, such as `do_exit*`. Does not apply to lists and addresses.
    pub fn unique_match(mut self) -> Self {
        self.matches = Matches::One;
        self
    }

    /// A number for each function, which the program can read with `bpf_get_attach_cookie`. Not for patterns.
    pub fn cookies(mut self, cookies: impl Into<Vec<u64>>) -> Self {
        self.cookies = cookies.into();
        self
    }
}

impl Program {
    /// Attaches to many kernel functions. Since Linux 5.18; the program must be of `kprobe.multi` or `kprobe.session`.
    ///
    /// # Errors
    /// `NotFound` if no traceable function matches; `InvalidArgument` if several do, but [`KprobeMulti::unique_match`] was
    /// requested.
    #[doc(alias = "bpf_program__attach_kprobe_multi_opts")]
    pub fn attach_kprobe_multi(&self, at: &KprobeMulti) -> Result<Link> {
        attach(self, at).map_err(|e| {
            e.context(format!(
                "attaching `{}` to {}",
                self.name(),
                at.functions.what()
            ))
        })
    }
}

fn attach(program: &Program, at: &KprobeMulti) -> Result<Link> {
    at.functions.check_cookies(&at.cookies)?;
    switches::check_ftrace()?;
    match &at.functions {
        Wanted::Pattern(pattern) if glob::is_pattern(pattern) || pattern.contains(':') => {
            let addresses = matching(program.target(), pattern)?;
            check_unique(at.matches, pattern, &addresses)?;
            create(program, at, Functions::Addresses(&addresses))
        }
        Wanted::Pattern(name) => by_names(program, at, std::slice::from_ref(name)),
        Wanted::Names(names) => by_names(program, at, names),
        Wanted::Numbers(addresses) => create(program, at, Functions::Addresses(addresses)),
    }
}

fn check_unique(matches: Matches, pattern: &str, addresses: &[u64]) -> Result<()> {
    if matches == Matches::Many || addresses.len() == 1 {
        return Ok(());
    }
    let message = format!(
        "`{pattern}` matches {} traceable kernel functions, and is to match one",
        addresses.len()
    );
    Err(Error::new(ErrorKind::InvalidArgument, message)
        .with_hint("available_filter_functions in tracefs lists them"))
}

fn by_names(program: &Program, at: &KprobeMulti, names: &[String]) -> Result<Link> {
    let names = names.iter().map(|name| c_string(name));
    let names: Vec<CString> = names.collect::<Result<_>>()?;
    let names: Vec<&CStr> = names.iter().map(CString::as_c_str).collect();
    create(program, at, Functions::Names(&names))
}

fn create(program: &Program, at: &KprobeMulti, functions: Functions<'_>) -> Result<Link> {
    // If the attach type is unknown, it is most likely this one.
    let attach_type = program.attach_type();
    let attach_type = attach_type.unwrap_or(AttachType::TRACE_KPROBE_MULTI);
    let create = LinkCreate {
        source: program.as_fd(),
        target: LinkTarget::None,
        attach_type,
        flags: 0,
        options: LinkOptions::KprobeMulti {
            flags: at.flags,
            functions,
            cookies: &at.cookies,
        },
    };
    let fd = bpf::link_create(&create).map_err(|errno| refused(errno, at, program))?;
    Ok(Link::kernel(program.name(), fd))
}

/// The addresses of the traceable functions that match a pattern.
#[doc(alias = "libbpf_available_kprobes_parse")]
fn matching(kernel: &Target, pattern: &str) -> Result<Vec<u64>> {
    let (module, name) = grammar::module_and_rest(pattern);
    let is_of = |of: Option<&str>| module.is_none_or(|wanted| wanted == of.unwrap_or(KERNEL));
    // Since Linux 6.5, tracefs has a list with addresses.
    let addresses = match mounts::tracefs()?.read("available_filter_functions_addrs") {
        Ok(list) => listed(&list, &is_of, name),
        // Whatever else prevents reading it also prevents reading the older list.
        Err(_) => looked_up(kernel, &is_of, name)?,
    };
    if addresses.is_empty() {
        let message = format!("no traceable kernel function matches `{pattern}`");
        let error = Error::new(ErrorKind::NotFound, message).with_errno(Errno::ENOENT);
        return Err(match module {
            Some(module) => error.with_hint(format!("is the module `{module}` loaded?")),
            None => error,
        });
    }
    Ok(addresses)
}

/// Parses lines such as `ffffffff81000000 vfs_read` and `ffffffffc0000000 f [module]`.
fn listed(list: &str, is_of: &dyn Fn(Option<&str>) -> bool, pattern: &str) -> Vec<u64> {
    let parsed = list.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        let name = words.next()?;
        is_of(words.next().map(tracefs::module_name)).then_some((address, name))
    });
    let found = parsed.filter(|(_, name)| glob::matches(pattern, name));
    found.map(|(address, _)| address).collect()
}

/// Takes the names from tracefs and the addresses from the kernel's symbols.
fn looked_up(
    kernel: &Target,
    is_of: &dyn Fn(Option<&str>) -> bool,
    pattern: &str,
) -> Result<Vec<u64>> {
    let list = tracefs::traceable_functions()?;
    let names = tracefs::matching_names(&list, is_of, pattern);
    let mut addresses = Vec::new();
    let told = kernel.kallsyms(&mut |symbol| {
        if symbol.is_function() && is_of(symbol.module) && names.contains(symbol.name) {
            addresses.push(symbol.address);
        }
    })?;
    match told {
        Addresses::Told => Ok(addresses),
        Addresses::Hidden => Err(symbols::hidden(&format!(
            "cannot find the functions that match `{pattern}`"
        ))),
    }
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| {
        let message = format!("the name {text:?} has a zero byte");
        Error::new(ErrorKind::InvalidArgument, message)
    })
}

fn refused(errno: Errno, at: &KprobeMulti, program: &Program) -> Error {
    let error = Error::from_errno(errno, "the kernel does not make the probes");
    match (errno, &at.functions) {
        (Errno::EPERM | Errno::EACCES, _) => error.with_hint(rights::for_perf_event()),
        (Errno::ESRCH, Wanted::Pattern(name)) => {
            match kprobe::no_function(program.target(), name) {
                Some(error) => error.with_errno(Errno::ENOENT),
                None => error.with_hint("the function exists, but cannot be traced"),
            }
        }
        (Errno::ESRCH, Wanted::Names(names)) => {
            let kernel = program.target();
            let missing = names
                .iter()
                .find_map(|name| kprobe::no_function(kernel, name));
            missing.unwrap_or(error).with_errno(errno)
        }
        (Errno::ESRCH, Wanted::Numbers(_)) => error.with_hint(
            "at least one of the addresses is not that of a function that can be traced",
        ),
        (Errno::EINVAL, _) => {
            let Some(attach_type) = program.attach_type() else {
                return error.with_hint(
                    "which attach type was the program loaded with? Say it with Program::with_attach_type",
                );
            };
            let newer = advice::newer_program(ProgramType::KPROBE, attach_type);
            error.with_hint(newer.unwrap_or_else(|| {
                "such links came with Linux 5.18, and take programs of SEC(\"kprobe.multi\")".into()
            }))
        }
        (Errno::EOPNOTSUPP, _) => error.with_hint("the kernel was built without CONFIG_FPROBE"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_match_is_one_function() {
        assert!(check_unique(Matches::Many, "tcp_*", &[1, 2]).is_ok());
        assert!(check_unique(Matches::One, "do_exit*", &[1]).is_ok());
        let error = check_unique(Matches::One, "tcp_*", &[1, 2]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().contains("matches 2 traceable"), "{error}");
    }

    #[test]
    fn the_list_with_addresses_is_read() {
        let list = "ffffffff81000000 vfs_read\nffffffff81000100 vfs_write\nffffffffc0000000 f [veth]\nbroken\n";
        let any = |_: Option<&str>| true;
        assert_eq!(
            listed(list, &any, "vfs_*"),
            [0xffff_ffff_8100_0000, 0xffff_ffff_8100_0100]
        );
        assert_eq!(listed(list, &any, "f"), [0xffff_ffff_c000_0000]);
        let of_veth = |of: Option<&str>| of == Some("veth");
        assert_eq!(listed(list, &of_veth, "*"), [0xffff_ffff_c000_0000]);
        assert_eq!(listed(list, &|of| of.is_none(), "*").len(), 2);
    }
}
