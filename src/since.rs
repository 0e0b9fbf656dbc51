//! Which version of Linux introduced which type of map and program, for messages.

use crate::KernelVersion;
use crate::insn::Helper;
use crate::kinds::{AttachType, MapType, ProgramType};

const fn v(major: u8, minor: u8) -> KernelVersion {
    KernelVersion::new(major, minor, 0)
}

/// The version that introduced this type of program; `None` for types newer than this table.
pub(crate) fn program_type(kind: ProgramType) -> Option<KernelVersion> {
    Some(match kind {
        ProgramType::SOCKET_FILTER => v(3, 19),
        ProgramType::KPROBE | ProgramType::SCHED_CLS | ProgramType::SCHED_ACT => v(4, 1),
        ProgramType::TRACEPOINT => v(4, 7),
        ProgramType::XDP => v(4, 8),
        ProgramType::PERF_EVENT => v(4, 9),
        ProgramType::CGROUP_SKB
        | ProgramType::CGROUP_SOCK
        | ProgramType::LWT_IN
        | ProgramType::LWT_OUT
        | ProgramType::LWT_XMIT => v(4, 10),
        ProgramType::SOCK_OPS => v(4, 13),
        ProgramType::SK_SKB => v(4, 14),
        ProgramType::CGROUP_DEVICE => v(4, 15),
        ProgramType::SK_MSG | ProgramType::RAW_TRACEPOINT | ProgramType::CGROUP_SOCK_ADDR => {
            v(4, 17)
        }
        ProgramType::LWT_SEG6LOCAL | ProgramType::LIRC_MODE2 => v(4, 18),
        ProgramType::SK_REUSEPORT => v(4, 19),
        ProgramType::FLOW_DISSECTOR => v(4, 20),
        ProgramType::CGROUP_SYSCTL | ProgramType::RAW_TRACEPOINT_WRITABLE => v(5, 2),
        ProgramType::CGROUP_SOCKOPT => v(5, 3),
        ProgramType::TRACING => v(5, 5),
        ProgramType::STRUCT_OPS | ProgramType::EXT => v(5, 6),
        ProgramType::LSM => v(5, 7),
        ProgramType::SK_LOOKUP => v(5, 9),
        ProgramType::SYSCALL => v(5, 14),
        ProgramType::NETFILTER => v(6, 4),
        _ => return None,
    })
}

/// The version that introduced this attach type, where it is newer than the program type that uses it.
pub(crate) fn attach_type(kind: AttachType) -> Option<KernelVersion> {
    Some(match kind {
        AttachType::TRACE_ITER | AttachType::XDP_DEVMAP => v(5, 8),
        AttachType::XDP_CPUMAP => v(5, 9),
        AttachType::SK_SKB_VERDICT => v(5, 13),
        AttachType::SK_REUSEPORT_SELECT_OR_MIGRATE => v(5, 14),
        AttachType::TRACE_KPROBE_MULTI => v(5, 18),
        AttachType::LSM_CGROUP => v(6, 0),
        AttachType::TCX_INGRESS | AttachType::TCX_EGRESS | AttachType::TRACE_UPROBE_MULTI => {
            v(6, 6)
        }
        AttachType::NETKIT_PRIMARY
        | AttachType::NETKIT_PEER
        | AttachType::CGROUP_UNIX_CONNECT
        | AttachType::CGROUP_UNIX_SENDMSG
        | AttachType::CGROUP_UNIX_RECVMSG
        | AttachType::CGROUP_UNIX_GETPEERNAME
        | AttachType::CGROUP_UNIX_GETSOCKNAME => v(6, 7),
        AttachType::TRACE_KPROBE_SESSION => v(6, 10),
        AttachType::TRACE_UPROBE_SESSION => v(6, 13),
        AttachType::TRACE_FSESSION => v(7, 0),
        AttachType::TRACE_FENTRY_MULTI
        | AttachType::TRACE_FEXIT_MULTI
        | AttachType::TRACE_FSESSION_MULTI => v(7, 2),
        _ => return None,
    })
}

/// The version that allowed such programs to sleep.
pub(crate) fn sleepable(kind: ProgramType, attach_type: AttachType) -> Option<KernelVersion> {
    Some(match (kind, attach_type) {
        (ProgramType::TRACING, AttachType::TRACE_ITER) => v(5, 18),
        (ProgramType::KPROBE, _) => v(6, 0),
        (ProgramType::STRUCT_OPS, _) => v(6, 3),
        // Some kernels before loaded sleepable `tp_btf`, and ran it where it must not sleep.
        (ProgramType::TRACING, AttachType::TRACE_RAW_TP)
        | (ProgramType::TRACEPOINT | ProgramType::RAW_TRACEPOINT, _) => v(7, 2),
        _ => return None,
    })
}

/// The version that introduced this helper; `None` for those that Linux 5.10 has, and for those newer than this table.
pub(crate) fn helper_for(
    helper: Helper,
    kind: ProgramType,
    attach_type: AttachType,
) -> Option<KernelVersion> {
    /// The first helper of each version.
    const FIRST: [(u32, KernelVersion); 12] = [
        (156, v(5, 11)), // task_storage_get
        (163, v(5, 12)), // check_mtu
        (164, v(5, 13)), // for_each_map_elem
        (166, v(5, 14)), // sys_bpf
        (169, v(5, 15)), // timer_init
        (176, v(5, 16)), // get_branch_snapshot
        (180, v(5, 17)), // find_vma
        (186, v(5, 18)), // get_retval
        (194, v(5, 19)), // kptr_xchg
        (204, v(6, 0)),  // tcp_raw_gen_syncookie_ipv4
        (208, v(6, 1)),  // ktime_get_tai_ns
        (210, v(6, 2)),  // cgrp_storage_get
    ];
    match (helper, kind) {
        // Program types got this helper one by one.
        (Helper::GET_ATTACH_COOKIE, ProgramType::TRACING)
            if attach_type == AttachType::TRACE_RAW_TP =>
        {
            Some(v(6, 10))
        }
        (Helper::GET_ATTACH_COOKIE, ProgramType::RAW_TRACEPOINT) => Some(v(6, 10)),
        (Helper::GET_ATTACH_COOKIE, ProgramType::TRACING | ProgramType::LSM) => Some(v(6, 0)),
        _ if helper <= Helper::CGRP_STORAGE_DELETE => {
            let before = FIRST.iter().take_while(|(first, _)| *first <= helper.0);
            before.last().map(|(_, since)| *since)
        }
        _ => None,
    }
}

/// The version that introduced this type of map; `None` for types newer than this table.
pub(crate) fn map_type(kind: MapType) -> Option<KernelVersion> {
    Some(match kind {
        MapType::HASH | MapType::ARRAY => v(3, 19),
        MapType::PROG_ARRAY => v(4, 2),
        MapType::PERF_EVENT_ARRAY => v(4, 3),
        MapType::PERCPU_HASH | MapType::PERCPU_ARRAY | MapType::STACK_TRACE => v(4, 6),
        MapType::CGROUP_ARRAY => v(4, 8),
        MapType::LRU_HASH | MapType::LRU_PERCPU_HASH => v(4, 10),
        MapType::LPM_TRIE => v(4, 11),
        MapType::ARRAY_OF_MAPS | MapType::HASH_OF_MAPS => v(4, 12),
        MapType::DEVMAP | MapType::SOCKMAP => v(4, 14),
        MapType::CPUMAP => v(4, 15),
        MapType::XSKMAP | MapType::SOCKHASH => v(4, 18),
        MapType::CGROUP_STORAGE | MapType::REUSEPORT_SOCKARRAY => v(4, 19),
        MapType::PERCPU_CGROUP_STORAGE | MapType::QUEUE | MapType::STACK => v(4, 20),
        MapType::SK_STORAGE => v(5, 2),
        MapType::DEVMAP_HASH => v(5, 4),
        MapType::STRUCT_OPS => v(5, 6),
        MapType::RINGBUF => v(5, 8),
        MapType::INODE_STORAGE => v(5, 10),
        MapType::TASK_STORAGE => v(5, 11),
        MapType::BLOOM_FILTER => v(5, 16),
        MapType::USER_RINGBUF => v(6, 1),
        MapType::CGRP_STORAGE => v(6, 2),
        MapType::ARENA => v(6, 9),
        MapType::INSN_ARRAY => v(6, 19),
        _ => return None,
    })
}

/// A version as kernel developers write it: `6.7`, not `6.7.0`.
pub(crate) fn series(version: KernelVersion) -> String {
    let text = version.to_string();
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_program_type_has_a_version_and_they_rise() {
        let versions: Vec<_> = ProgramType::ALL
            .iter()
            .filter(|kind| **kind != ProgramType::UNSPEC)
            .map(|kind| program_type(*kind).unwrap_or_else(|| panic!("{kind} has no version")))
            .collect();
        assert!(
            versions.is_sorted(),
            "numbers are given out in order of time"
        );
    }

    #[test]
    fn helpers_have_the_version_of_their_range() {
        let kprobe = |number| helper_for(Helper(number), ProgramType::KPROBE, AttachType(0));
        assert_eq!((kprobe(1), kprobe(155), kprobe(212)), (None, None, None));
        assert_eq!((kprobe(156), kprobe(162)), (Some(v(5, 11)), Some(v(5, 11))));
        assert_eq!((kprobe(174), kprobe(211)), (Some(v(5, 15)), Some(v(6, 2))));
        let tracing =
            |attach_type| helper_for(Helper::GET_ATTACH_COOKIE, ProgramType::TRACING, attach_type);
        assert_eq!(tracing(AttachType::TRACE_FENTRY), Some(v(6, 0)));
        assert_eq!(tracing(AttachType::TRACE_RAW_TP), Some(v(6, 10)));
    }

    #[test]
    fn map_types_rise_but_for_the_newest() {
        let versions: Vec<_> = MapType::ALL
            .iter()
            .filter_map(|kind| map_type(*kind))
            .collect();
        assert_eq!(versions.len(), MapType::ALL.len() - 2, "unspec and rhash");
        assert!(versions.is_sorted());
    }
}
