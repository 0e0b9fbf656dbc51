//! Programs that were loaded for one function, tracepoint or hook, by its type: `fentry`, `fexit`, `fmod_ret`, `tp_btf`,
//! `freplace`.

use super::link::Link;
use super::switches;
use crate::kinds::AttachType;
use crate::program::Program;
use crate::reloc::AttachTarget;
use crate::rights;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::{Errno, Error, ErrorKind, Result, TypeId};
use std::os::fd::{AsFd, OwnedFd};

impl Program {
    /// Attaches to what the program was loaded for.
    #[doc(alias = "bpf_program__attach_trace")]
    pub fn attach_tracing(&self) -> Result<Link> {
        attach_loaded(self, 0)
    }

    /// [`Program::attach_tracing`] with a cookie that the program can ask for. Since Linux 6.0.
    #[doc(alias = "bpf_program__attach_trace_opts")]
    pub fn attach_tracing_with_cookie(&self, cookie: u64) -> Result<Link> {
        attach_loaded(self, cookie)
    }
}

/// A link, or on kernels whose links are of other kinds only, a raw tracepoint without a name.
#[doc(alias = "bpf_program__attach_btf_id")]
pub(super) fn attach_loaded(program: &Program, cookie: u64) -> Result<Link> {
    let doing = || format!("attaching `{}` to {}", program.name(), target_name(program));
    // Of a program from elsewhere, the kernel alone knows the target.
    if program.origin().is_some() && program.attach_target().is_none() {
        let message = "the program was not loaded for any function, tracepoint or hook";
        return Err(Error::new(ErrorKind::InvalidArgument, message)
            .with_hint("name it in the section, as in SEC(\"fentry/vfs_read\"), or set an attach target before loading")
            .context(doing()));
    }
    if is_at_function(program) {
        switches::check_ftrace().map_err(|e| e.context(doing()))?;
    }
    let made = match program.attach_type() {
        Some(attach_type) => link(program, attach_type, cookie),
        // A raw tracepoint without a name stands for what the program was loaded for, whatever that is; it takes no cookie.
        None if cookie == 0 => bpf::raw_tracepoint_open(None, program.as_fd(), 0),
        None => link(
            program,
            program.need_attach_type().map_err(|e| e.context(doing()))?,
            cookie,
        ),
    };
    let fd = made.map_err(|errno| refused(errno, cookie).context(doing()))?;
    Ok(Link::kernel(program.name(), fd))
}

fn link(program: &Program, attach_type: AttachType, cookie: u64) -> Result<OwnedFd, Errno> {
    let create = LinkCreate {
        source: program.as_fd(),
        target: LinkTarget::None,
        attach_type,
        flags: 0,
        options: match cookie {
            0 => LinkOptions::None,
            cookie => LinkOptions::Tracing {
                target: TypeId::VOID,
                cookie,
            },
        },
    };
    match bpf::link_create(&create) {
        Err(Errno::EINVAL) if cookie == 0 && had_no_links(attach_type) => {
            bpf::raw_tracepoint_open(None, program.as_fd(), 0)
        }
        result => result,
    }
}

/// The kinds that were attached as raw tracepoints before Linux 5.17 or so.
fn had_no_links(attach_type: AttachType) -> bool {
    matches!(
        attach_type,
        AttachType::TRACE_RAW_TP
            | AttachType::LSM_MAC
            | AttachType::TRACE_FENTRY
            | AttachType::TRACE_FEXIT
            | AttachType::MODIFY_RETURN
    )
}

/// Whether a trampoline runs the program where a function of the kernel is entered or left.
fn is_at_function(program: &Program) -> bool {
    let by_trampoline = matches!(
        program.attach_type(),
        Some(
            AttachType::TRACE_FENTRY
                | AttachType::TRACE_FEXIT
                | AttachType::TRACE_FSESSION
                | AttachType::MODIFY_RETURN
                | AttachType::LSM_MAC
        )
    );
    by_trampoline && matches!(program.attach_target(), Some(AttachTarget::Btf { .. }))
}

/// The name of what the program was loaded for.
pub(super) fn target_name(program: &Program) -> &str {
    match program.attach_target() {
        Some(AttachTarget::Btf { name, .. }) => name,
        Some(AttachTarget::Program { function }) => function,
        None if program.origin().is_none() => "what it was loaded for",
        None => "nothing",
    }
}

pub(super) fn refused(errno: Errno, cookie: u64) -> Error {
    let error = Error::from_errno(errno, "the kernel does not attach it");
    match errno {
        Errno::EPERM => error.with_hint(rights::for_perf_event()),
        Errno::EBUSY => error.with_hint(
            "something else is attached there and wants to be alone, such as a livepatch",
        ),
        Errno::EINVAL | Errno::E2BIG if cookie != 0 => {
            error.with_hint("cookies of tracing programs came with Linux 6.0")
        }
        Errno::EOPNOTSUPP | Errno::ENOTSUPP => {
            error.with_hint("this machine or kernel has no BPF trampolines for the function")
        }
        _ => error,
    }
}
