//! How programs can be attached.

use super::Token;
use super::answer::{Answer, refusal, unless_refused};
use super::program::{NOTHING, load, load_for};
use crate::Errno;
use crate::kinds::{AttachType, ProbeKind, ProgramType};
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget, UprobeFile};
use crate::sys::perf_event::{PerfEvent, PerfScope, ProbeMoment, find_probe_pmu, perf_event_open};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A kernel that knows these links complains about the descriptor, an older one about the command.
fn create(program: BorrowedFd<'_>, attach_type: AttachType) -> Result<OwnedFd, Errno> {
    bpf::link_create(&LinkCreate {
        source: program,
        target: LinkTarget::Invalid,
        attach_type,
        flags: 0,
        options: LinkOptions::None,
    })
}

pub(super) fn has_perf_links(token: Token<'_>) -> Answer {
    let Some(program) = load(ProgramType::TRACEPOINT, &NOTHING, token)? else {
        return Ok(false);
    };
    let created = create(program.as_fd(), AttachType::PERF_EVENT);
    Ok(refusal(created)? == Some(Errno::EBADF))
}

/// Whether the kernel has links that attach this program to a descriptor with this attach type; `None` if it does not say.
pub(crate) fn has_links(program: BorrowedFd<'_>, attach_type: AttachType) -> Option<bool> {
    let refusal = refusal(create(program, attach_type)).ok()?;
    Some(refusal != Some(Errno::EINVAL))
}

/// Whether these links exist and filter by process. The first kernels with them (Linux 6.6) filtered by thread.
pub(super) fn has_uprobe_multi(token: Token<'_>) -> Answer {
    let attach_type = AttachType::TRACE_UPROBE_MULTI;
    let Some(program) = load_for(ProgramType::KPROBE, attach_type, &NOTHING, token)? else {
        return Ok(false);
    };
    let answer = |pid| {
        let link = LinkCreate {
            source: program.as_fd(),
            target: LinkTarget::Invalid,
            attach_type,
            flags: 0,
            options: LinkOptions::UprobeMulti {
                // A folder, which cannot be probed.
                file: UprobeFile::Path(c"/"),
                flags: 0,
                offsets: &[0],
                ref_ctr_offsets: &[],
                cookies: &[],
                pid,
            },
        };
        refusal(bpf::link_create(&link))
    };
    Ok(answer(0)? == Some(Errno::EBADF) && answer(-1)? == Some(Errno::EINVAL))
}

/// The function that implements `bpf(2)` where system calls have wrappers; `None` on machines that never had them.
const WRAPPED_BPF: Option<&CStr> = if cfg!(target_arch = "x86_64") {
    Some(c"__x64_sys_bpf")
} else if cfg!(target_arch = "aarch64") {
    Some(c"__arm64_sys_bpf")
} else if cfg!(target_arch = "s390x") {
    Some(c"__s390x_sys_bpf")
} else if cfg!(target_arch = "riscv64") {
    Some(c"__riscv_sys_bpf")
} else {
    None
};

/// Whether a probe of the wrapper can be made. (Before Linux 4.17, which brought wrappers, there was no PMU for probes
/// either.)
pub(super) fn has_syscall_wrapper() -> Answer {
    let (Some(function), Ok(pmu)) = (WRAPPED_BPF, find_probe_pmu(ProbeKind::Kprobe)) else {
        return Ok(false);
    };
    let event = PerfEvent::Kprobe {
        pmu,
        moment: ProbeMoment::Entry,
        function: Some(function),
        offset: 0,
    };
    let opened = perf_event_open(&event, PerfScope::Everyone);
    Ok(unless_refused(opened)?.is_some())
}
