//! Programs that are loaded for one function, tracepoint or hook, by its BTF type: `fentry`, `fexit`, `fmod_ret`, `tp_btf`,
//! `freplace`.

use super::link::Link;
use super::switches;
use crate::kernel::rights;
use crate::kinds::{AttachType, ProgramType};
use crate::program::Program;
use crate::reloc::AttachTarget;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::{Errno, Error, ErrorKind, Result, TypeId};
use std::os::fd::{AsFd, OwnedFd};

impl Program {
    /// Attaches to what the program was loaded for.
    #[doc(alias = "bpf_program__attach_trace")]
    pub fn attach_tracing(&self) -> Result<Link> {
        attach_loaded(self, 0)
    }

    /// [`Program::attach_tracing`] with a cookie that the program can read with `bpf_get_attach_cookie`. Since Linux 6.0.
    #[doc(alias = "bpf_program__attach_trace_opts")]
    pub fn attach_tracing_with_cookie(&self, cookie: u64) -> Result<Link> {
        attach_loaded(self, cookie)
    }
}

/// A link or, on kernels that have no such links, a raw tracepoint without a name.
#[doc(alias = "bpf_program__attach_btf_id")]
pub(super) fn attach_loaded(program: &Program, cookie: u64) -> Result<Link> {
    let doing = || format!("attaching `{}` to {}", program.name(), target_name(program));
    // If the program was not loaded by us, only the kernel knows its target.
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
        // A raw tracepoint without a name attaches to whatever the program was loaded for; it takes no cookie.
        None if cookie == 0 => bpf::raw_tracepoint_open(None, program.as_fd(), 0),
        None => link(
            program,
            program.need_attach_type().map_err(|e| e.context(doing()))?,
            cookie,
        ),
    };
    let fd = made.map_err(|errno| {
        let error = refused(errno, program, cookie);
        let again =
            program.kind() == ProgramType::EXT && matches!(errno, Errno::ENOENT | Errno::EINVAL);
        let error = if again { error.with_hint(AGAIN) } else { error };
        error.context(doing())
    })?;
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

/// The attach types that were attached as raw tracepoints before about Linux 5.17.
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

/// Whether the program runs from a trampoline at the entry or exit of a kernel function.
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

pub(super) fn refused(errno: Errno, program: &Program, cookie: u64) -> Error {
    let error = Error::from_errno(errno, "the kernel does not attach it");
    let is_replacement = program.kind() == ProgramType::EXT;
    match errno {
        Errno::EPERM => error.with_hint(rights::for_perf_event()),
        Errno::EBUSY => error.with_hint(busy(program)),
        Errno::EINVAL if cookie != 0 => {
            error.with_hint("cookies of tracing programs came with Linux 6.0")
        }
        Errno::E2BIG if cookie != 0 => error.with_hint(format!(
            "{FULL}; or the kernel knows no cookies of tracing programs, which came with Linux 6.0"
        )),
        Errno::E2BIG => error.with_hint(FULL),
        Errno::EINVAL if is_replacement => error.with_hint(
            "does the function have the same parameters and result as its replacement?",
        ),
        Errno::ENOENT => error.with_hint(
            "the program is attached there already, or was before: until Linux 5.13 a program can be attached only once",
        ),
        Errno::EOPNOTSUPP | Errno::ENOTSUPP => {
            error.with_hint("this machine or kernel has no BPF trampolines for the function")
        }
        _ => error,
    }
}

/// A replacement is loaded for one target, which it loses when it is attached.
const AGAIN: &str = "has it been attached before? then its target has to be named again, with Program::attach_freplace";

/// `BPF_MAX_TRAMP_LINKS`, and one page for the machine code.
const FULL: &str = "a function takes 38 programs of fentry, fexit, fmod_ret and LSM in all, and has as many already";

/// What may be in the way at a function (`bpf_trampoline_link_prog`, `register_ftrace_direct`).
fn busy(program: &Program) -> &'static str {
    match program.attach_target() {
        _ if program.kind() == ProgramType::EXT => {
            "the function has a replacement already, or is traced by fentry or fexit, which rules out replacing it; or its \
             program is in a program array for tail calls, which does so, too"
        }
        Some(AttachTarget::Program { .. }) => {
            "the program is attached there already, or the function has a replacement (freplace), which rules out tracing it"
        }
        _ => {
            "the program is attached there already, or something other than BPF has taken the function: a module that \
             redirects it (a direct call of ftrace), before Linux 6.0 also a livepatch or a kprobe with a post handler, which \
             fexit and fmod_ret could not share a function with before Linux 6.18"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Origin, ProgramParts};
    use std::sync::Arc;

    /// A program that was loaded for this target. Its descriptor is not used.
    fn loaded_for(kind: ProgramType, target: AttachTarget) -> Program {
        let null = std::fs::File::open("/dev/null").unwrap();
        Program::new(ProgramParts {
            fd: Arc::new(null.into()),
            name: "p".to_owned(),
            kind,
            attach_type: Some(AttachType::TRACE_FENTRY),
            target: std::sync::OnceLock::new(),
            origin: Some(Origin {
                section: "fentry".to_owned(),
                def: None,
                attach_target: Some(target),
                autoattach: true,
                usdt: None,
                log: None,
            }),
        })
    }

    #[test]
    fn who_is_in_the_way_depends_on_the_place() {
        let function = "f".to_owned();
        let of_program = AttachTarget::Program { function };
        let of_kernel = AttachTarget::Btf {
            id: TypeId(1),
            module: None,
            name: "vfs_read".to_owned(),
        };
        let fentry = loaded_for(ProgramType::TRACING, of_kernel);
        let fentry_of_program = loaded_for(ProgramType::TRACING, of_program.clone());
        let replacement = loaded_for(ProgramType::EXT, of_program);
        for (program, errno, words) in [
            (&fentry, Errno::EBUSY, "attached there already"),
            (&fentry, Errno::EBUSY, "direct call of ftrace"),
            (&fentry, Errno::ENOENT, "attached there already"),
            (&fentry, Errno::E2BIG, "38 programs"),
            (&fentry_of_program, Errno::EBUSY, "(freplace)"),
            (&replacement, Errno::EBUSY, "has a replacement already"),
            (&replacement, Errno::EBUSY, "tail calls"),
            (&replacement, Errno::EINVAL, "same parameters and result"),
        ] {
            let error = refused(errno, program, 0);
            let hint = error.hint().unwrap();
            assert!(hint.contains(words), "`{words}` is missing in: {hint}");
        }
    }
}
