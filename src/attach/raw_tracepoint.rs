//! Raw tracepoints: the arguments of a tracepoint, before they are formatted as a trace event.

use super::link::Link;
use crate::btf::Kind;
use crate::kernel::rights;
use crate::program::Program;
use crate::reloc::Target;
use crate::sys::bpf;
use crate::{Errno, Error, ErrorKind, Result, did_you_mean};
use std::ffi::CString;
use std::os::fd::AsFd;

impl Program {
    /// Attaches to a tracepoint's raw arguments, such as those of `sched_switch`. Since Linux 4.17.
    #[doc(alias = "bpf_program__attach_raw_tracepoint")]
    pub fn attach_raw_tracepoint(&self, name: &str) -> Result<Link> {
        self.attach_raw_tracepoint_with_cookie(name, 0)
    }

    /// [`Program::attach_raw_tracepoint`] with a cookie that the program can read with `bpf_get_attach_cookie`. Since Linux
    /// 6.10.
    #[doc(alias = "bpf_program__attach_raw_tracepoint_opts")]
    pub fn attach_raw_tracepoint_with_cookie(&self, name: &str, cookie: u64) -> Result<Link> {
        let link = || {
            let c_name = CString::new(name).map_err(|_| no_tracepoint(self.target(), name))?;
            let fd = bpf::raw_tracepoint_open(Some(&c_name), self.as_fd(), cookie);
            let fd = fd.map_err(|errno| refused(errno, self.target(), name, cookie))?;
            Ok(Link::kernel(self.name(), fd))
        };
        link().map_err(|e: Error| {
            e.context(format!(
                "attaching `{}` to raw tracepoint {name}",
                self.name()
            ))
        })
    }
}

fn no_tracepoint(kernel: &Target, name: &str) -> Error {
    // The kernel's BTF has a typedef for each tracepoint.
    let types = kernel.vmlinux_btf().map(|btf| btf.types());
    let typedefs = types
        .into_iter()
        .flatten()
        .filter(|ty| ty.kind() == Kind::Typedef);
    let names = typedefs.filter_map(|ty| ty.name().strip_prefix("btf_trace_"));
    let near = did_you_mean(name, names);
    let message = format!("this kernel has no raw tracepoint `{name}`{near}");
    Error::new(ErrorKind::NotFound, message).with_errno(Errno::ENOENT)
}

fn refused(errno: Errno, kernel: &Target, name: &str, cookie: u64) -> Error {
    match errno {
        Errno::ENOENT => no_tracepoint(kernel, name),
        Errno::E2BIG if cookie != 0 => {
            let message = "the kernel does not take a cookie for a raw tracepoint";
            Error::new(ErrorKind::Unsupported, message)
                .with_errno(errno)
                .with_hint("cookies of raw tracepoints came with Linux 6.10")
        }
        Errno::EEXIST => Error::from_errno(errno, "the kernel does not attach it").with_hint(
            "it is attached there already: before Linux 6.10, a program can be attached to a raw tracepoint once",
        ),
        Errno::EPERM | Errno::EACCES => Error::from_errno(errno, "the kernel does not attach it")
            .with_hint(rights::for_perf_event()),
        Errno::EINVAL => Error::from_errno(errno, "the kernel does not attach it")
            .with_hint("does the program read more arguments than the tracepoint has?"),
        _ => Error::from_errno(errno, "the kernel does not attach it"),
    }
}
