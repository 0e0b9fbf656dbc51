//! How a program is attached: what its section's name leaves to say.

use crate::kinds::{AttachType, ProgramType};
use crate::open::{AutoAttach, OpenProgram};

/// The name of the kind in `rawbpf::bound::how`.
pub(super) fn how(program: &OpenProgram) -> &'static str {
    let section = program.section();
    let target = section.split_once('/').map(|(_, target)| target);
    let says = target.is_some_and(|target| !target.is_empty());
    match program.def().map(|def| def.auto_attach) {
        None => "Unattached",
        Some(None) => by_kind(program.kind(), program.attach_type()),
        // A target can also be set before loading.
        Some(Some(AutoAttach::Trace | AutoAttach::Lsm | AutoAttach::Iter)) => "Said",
        // Sections of sleepable ones are never enough.
        Some(Some(AutoAttach::Usdt)) if section.starts_with("usdt.s") => "Usdt",
        Some(Some(_)) if says => "Said",
        Some(Some(how)) => by_section(how, section),
    }
}

fn by_section(how: AutoAttach, section: &str) -> &'static str {
    match how {
        AutoAttach::Kprobe => "Kprobe",
        AutoAttach::KprobeMulti | AutoAttach::KprobeSession => "KprobeMulti",
        AutoAttach::TracingMulti => "TracingMulti",
        AutoAttach::Ksyscall if section.starts_with("kret") => "Kretsyscall",
        AutoAttach::Ksyscall => "Ksyscall",
        AutoAttach::Uprobe => "Uprobe",
        AutoAttach::UprobeMulti => "UprobeMulti",
        AutoAttach::Usdt => "Usdt",
        AutoAttach::Tracepoint => "Tracepoint",
        AutoAttach::RawTracepoint => "RawTracepoint",
        AutoAttach::Trace | AutoAttach::Lsm | AutoAttach::Iter => "Said",
    }
}

fn by_kind(kind: ProgramType, attach_type: AttachType) -> &'static str {
    match (kind, attach_type) {
        (ProgramType::XDP, AttachType::XDP_DEVMAP | AttachType::XDP_CPUMAP) => "Unattached",
        (ProgramType::XDP, _) => "Xdp",
        (ProgramType::SCHED_CLS, AttachType::NETKIT_PRIMARY | AttachType::NETKIT_PEER) => "Netkit",
        (ProgramType::SCHED_CLS, _) => "Tc",
        (ProgramType::SOCKET_FILTER, _) => "Socket",
        (ProgramType::SK_REUSEPORT, _) => "Reuseport",
        (ProgramType::SK_SKB | ProgramType::SK_MSG, _) => "Sockmap",
        (ProgramType::FLOW_DISSECTOR | ProgramType::SK_LOOKUP, _) => "Netns",
        (ProgramType::NETFILTER, _) => "Netfilter",
        (ProgramType::PERF_EVENT, _) => "PerfEvent",
        (
            ProgramType::CGROUP_SKB
            | ProgramType::CGROUP_SOCK
            | ProgramType::CGROUP_SOCK_ADDR
            | ProgramType::CGROUP_SYSCTL
            | ProgramType::CGROUP_SOCKOPT
            | ProgramType::CGROUP_DEVICE
            | ProgramType::SOCK_OPS
            | ProgramType::LSM,
            _,
        ) => "Cgroup",
        _ => "Unattached",
    }
}
