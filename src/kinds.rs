//! The kernel's numbers for map, program, attach and link types, and the flags that go with them.
//!
//! Newtypes, not enums: a newer kernel's value is passed on unchanged and printed as a number. The names are those of
//! libbpf and `bpftool`. Pure data, so that `open` and `reloc` can use them without the kernel.

use std::fmt;

/// Defines one of them: the newtype, a constant for each known value, its name, and the conversion back from the name.
///
/// `kinds!(/// doc  Foo "foo" : 0 BAR "bar",)` makes `Foo(u32)`, `Foo::BAR`, `Foo::ALL`, `name`, `from_name`, and a
/// `Display` that prints `bar`, or `foo 17` for a value without a name.
macro_rules! kinds {
    ($(#[$doc:meta])* $type:ident $what:literal: $($value:literal $name:ident $text:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $type(pub u32);

        impl $type {
            $(#[doc = concat!("`", $text, "`")] pub const $name: Self = Self($value);)*

            /// Every value that has a name, in the kernel's order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name that libbpf and `bpftool` print; `None` for a value newer than this table.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }

            /// The value with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => f.pad(&format!(concat!($what, " {}"), self.0)),
                }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!($what, " {}"), self.0),
                }
            }
        }
    };
}

pub(crate) use kinds;

kinds! {
    /// The type of a map (`enum bpf_map_type`).
    #[doc(alias = "libbpf_bpf_map_type_str")]
    MapType "map type":
    0 UNSPEC "unspec",
    1 HASH "hash",
    2 ARRAY "array",
    3 PROG_ARRAY "prog_array",
    4 PERF_EVENT_ARRAY "perf_event_array",
    5 PERCPU_HASH "percpu_hash",
    6 PERCPU_ARRAY "percpu_array",
    7 STACK_TRACE "stack_trace",
    8 CGROUP_ARRAY "cgroup_array",
    9 LRU_HASH "lru_hash",
    10 LRU_PERCPU_HASH "lru_percpu_hash",
    11 LPM_TRIE "lpm_trie",
    12 ARRAY_OF_MAPS "array_of_maps",
    13 HASH_OF_MAPS "hash_of_maps",
    14 DEVMAP "devmap",
    15 SOCKMAP "sockmap",
    16 CPUMAP "cpumap",
    17 XSKMAP "xskmap",
    18 SOCKHASH "sockhash",
    19 CGROUP_STORAGE "cgroup_storage",
    20 REUSEPORT_SOCKARRAY "reuseport_sockarray",
    21 PERCPU_CGROUP_STORAGE "percpu_cgroup_storage",
    22 QUEUE "queue",
    23 STACK "stack",
    24 SK_STORAGE "sk_storage",
    25 DEVMAP_HASH "devmap_hash",
    26 STRUCT_OPS "struct_ops",
    27 RINGBUF "ringbuf",
    28 INODE_STORAGE "inode_storage",
    29 TASK_STORAGE "task_storage",
    30 BLOOM_FILTER "bloom_filter",
    31 USER_RINGBUF "user_ringbuf",
    32 CGRP_STORAGE "cgrp_storage",
    33 ARENA "arena",
    34 INSN_ARRAY "insn_array",
    35 RHASH "rhash",
}

kinds! {
    /// The type of a program (`enum bpf_prog_type`): determines its context, its helpers and where it may be attached.
    #[doc(alias = "libbpf_bpf_prog_type_str")]
    ProgramType "program type":
    0 UNSPEC "unspec",
    1 SOCKET_FILTER "socket_filter",
    2 KPROBE "kprobe",
    3 SCHED_CLS "sched_cls",
    4 SCHED_ACT "sched_act",
    5 TRACEPOINT "tracepoint",
    6 XDP "xdp",
    7 PERF_EVENT "perf_event",
    8 CGROUP_SKB "cgroup_skb",
    9 CGROUP_SOCK "cgroup_sock",
    10 LWT_IN "lwt_in",
    11 LWT_OUT "lwt_out",
    12 LWT_XMIT "lwt_xmit",
    13 SOCK_OPS "sock_ops",
    14 SK_SKB "sk_skb",
    15 CGROUP_DEVICE "cgroup_device",
    16 SK_MSG "sk_msg",
    17 RAW_TRACEPOINT "raw_tracepoint",
    18 CGROUP_SOCK_ADDR "cgroup_sock_addr",
    19 LWT_SEG6LOCAL "lwt_seg6local",
    20 LIRC_MODE2 "lirc_mode2",
    21 SK_REUSEPORT "sk_reuseport",
    22 FLOW_DISSECTOR "flow_dissector",
    23 CGROUP_SYSCTL "cgroup_sysctl",
    24 RAW_TRACEPOINT_WRITABLE "raw_tracepoint_writable",
    25 CGROUP_SOCKOPT "cgroup_sockopt",
    26 TRACING "tracing",
    27 STRUCT_OPS "struct_ops",
    28 EXT "ext",
    29 LSM "lsm",
    30 SK_LOOKUP "sk_lookup",
    31 SYSCALL "syscall",
    32 NETFILTER "netfilter",
}

kinds! {
    /// Where a program is attached (`enum bpf_attach_type`). 0 is a real attach type, and also means "none" where none applies.
    #[doc(alias = "libbpf_bpf_attach_type_str")]
    AttachType "attach type":
    0 CGROUP_INET_INGRESS "cgroup_inet_ingress",
    1 CGROUP_INET_EGRESS "cgroup_inet_egress",
    2 CGROUP_INET_SOCK_CREATE "cgroup_inet_sock_create",
    3 CGROUP_SOCK_OPS "cgroup_sock_ops",
    4 SK_SKB_STREAM_PARSER "sk_skb_stream_parser",
    5 SK_SKB_STREAM_VERDICT "sk_skb_stream_verdict",
    6 CGROUP_DEVICE "cgroup_device",
    7 SK_MSG_VERDICT "sk_msg_verdict",
    8 CGROUP_INET4_BIND "cgroup_inet4_bind",
    9 CGROUP_INET6_BIND "cgroup_inet6_bind",
    10 CGROUP_INET4_CONNECT "cgroup_inet4_connect",
    11 CGROUP_INET6_CONNECT "cgroup_inet6_connect",
    12 CGROUP_INET4_POST_BIND "cgroup_inet4_post_bind",
    13 CGROUP_INET6_POST_BIND "cgroup_inet6_post_bind",
    14 CGROUP_UDP4_SENDMSG "cgroup_udp4_sendmsg",
    15 CGROUP_UDP6_SENDMSG "cgroup_udp6_sendmsg",
    16 LIRC_MODE2 "lirc_mode2",
    17 FLOW_DISSECTOR "flow_dissector",
    18 CGROUP_SYSCTL "cgroup_sysctl",
    19 CGROUP_UDP4_RECVMSG "cgroup_udp4_recvmsg",
    20 CGROUP_UDP6_RECVMSG "cgroup_udp6_recvmsg",
    21 CGROUP_GETSOCKOPT "cgroup_getsockopt",
    22 CGROUP_SETSOCKOPT "cgroup_setsockopt",
    23 TRACE_RAW_TP "trace_raw_tp",
    24 TRACE_FENTRY "trace_fentry",
    25 TRACE_FEXIT "trace_fexit",
    26 MODIFY_RETURN "modify_return",
    27 LSM_MAC "lsm_mac",
    28 TRACE_ITER "trace_iter",
    29 CGROUP_INET4_GETPEERNAME "cgroup_inet4_getpeername",
    30 CGROUP_INET6_GETPEERNAME "cgroup_inet6_getpeername",
    31 CGROUP_INET4_GETSOCKNAME "cgroup_inet4_getsockname",
    32 CGROUP_INET6_GETSOCKNAME "cgroup_inet6_getsockname",
    33 XDP_DEVMAP "xdp_devmap",
    34 CGROUP_INET_SOCK_RELEASE "cgroup_inet_sock_release",
    35 XDP_CPUMAP "xdp_cpumap",
    36 SK_LOOKUP "sk_lookup",
    37 XDP "xdp",
    38 SK_SKB_VERDICT "sk_skb_verdict",
    39 SK_REUSEPORT_SELECT "sk_reuseport_select",
    40 SK_REUSEPORT_SELECT_OR_MIGRATE "sk_reuseport_select_or_migrate",
    41 PERF_EVENT "perf_event",
    42 TRACE_KPROBE_MULTI "trace_kprobe_multi",
    43 LSM_CGROUP "lsm_cgroup",
    44 STRUCT_OPS "struct_ops",
    45 NETFILTER "netfilter",
    46 TCX_INGRESS "tcx_ingress",
    47 TCX_EGRESS "tcx_egress",
    48 TRACE_UPROBE_MULTI "trace_uprobe_multi",
    49 CGROUP_UNIX_CONNECT "cgroup_unix_connect",
    50 CGROUP_UNIX_SENDMSG "cgroup_unix_sendmsg",
    51 CGROUP_UNIX_RECVMSG "cgroup_unix_recvmsg",
    52 CGROUP_UNIX_GETPEERNAME "cgroup_unix_getpeername",
    53 CGROUP_UNIX_GETSOCKNAME "cgroup_unix_getsockname",
    54 NETKIT_PRIMARY "netkit_primary",
    55 NETKIT_PEER "netkit_peer",
    56 TRACE_KPROBE_SESSION "trace_kprobe_session",
    57 TRACE_UPROBE_SESSION "trace_uprobe_session",
    58 TRACE_FSESSION "trace_fsession",
    59 TRACE_FENTRY_MULTI "trace_fentry_multi",
    60 TRACE_FEXIT_MULTI "trace_fexit_multi",
    61 TRACE_FSESSION_MULTI "trace_fsession_multi",
}

kinds! {
    /// The type of a link (`enum bpf_link_type`).
    #[doc(alias = "libbpf_bpf_link_type_str")]
    LinkType "link type":
    0 UNSPEC "unspec",
    1 RAW_TRACEPOINT "raw_tracepoint",
    2 TRACING "tracing",
    3 CGROUP "cgroup",
    4 ITER "iter",
    5 NETNS "netns",
    6 XDP "xdp",
    7 PERF_EVENT "perf_event",
    8 KPROBE_MULTI "kprobe_multi",
    9 STRUCT_OPS "struct_ops",
    10 NETFILTER "netfilter",
    11 TCX "tcx",
    12 UPROBE_MULTI "uprobe_multi",
    13 NETKIT "netkit",
    14 SOCKMAP "sockmap",
    15 TRACING_MULTI "tracing_multi",
}

kinds! {
    /// How a descriptor's program is attached (`enum bpf_task_fd_type`).
    TaskFdType "descriptor type":
    0 RAW_TRACEPOINT "raw_tracepoint",
    1 TRACEPOINT "tracepoint",
    2 KPROBE "kprobe",
    3 KRETPROBE "kretprobe",
    4 UPROBE "uprobe",
    5 URETPROBE "uretprobe",
}

impl MapType {
    /// Whether each possible CPU has its own copy of every value.
    pub const fn is_per_cpu(self) -> bool {
        matches!(
            self,
            Self::PERCPU_HASH
                | Self::PERCPU_ARRAY
                | Self::LRU_PERCPU_HASH
                | Self::PERCPU_CGROUP_STORAGE
        )
    }

    /// Whether the values are other maps.
    pub const fn is_map_of_maps(self) -> bool {
        matches!(self, Self::ARRAY_OF_MAPS | Self::HASH_OF_MAPS)
    }

    /// Whether user space writes a file descriptor into a value and reads an id back.
    pub const fn is_fd_map(self) -> bool {
        self.is_map_of_maps()
            || matches!(
                self,
                Self::PROG_ARRAY | Self::PERF_EVENT_ARRAY | Self::CGROUP_ARRAY
            )
    }

    /// Whether user space writes the descriptor of a socket into a value.
    pub const fn holds_sockets(self) -> bool {
        matches!(
            self,
            Self::SOCKMAP | Self::SOCKHASH | Self::REUSEPORT_SOCKARRAY | Self::XSKMAP
        )
    }

    /// Whether each element belongs to a socket, task, file or cgroup, whose descriptor is the key.
    pub const fn is_local_storage(self) -> bool {
        matches!(
            self,
            Self::SK_STORAGE | Self::TASK_STORAGE | Self::INODE_STORAGE | Self::CGRP_STORAGE
        )
    }
}

bitflags::bitflags! {
    /// How a map is created (`BPF_F_*` of `BPF_MAP_CREATE`); unknown bits are passed on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct MapFlags: u32 {
        /// Allocate elements when they are inserted, not when the map is created.
        const NO_PREALLOC = 1 << 0;
        /// One LRU list for each CPU.
        const NO_COMMON_LRU = 1 << 1;
        /// `numa_node` is set.
        const NUMA_NODE = 1 << 2;
        /// The descriptor may not write.
        const RDONLY = 1 << 3;
        /// The descriptor may not read.
        const WRONLY = 1 << 4;
        /// A stack-trace map keeps build ids and offsets instead of addresses.
        const STACK_BUILD_ID = 1 << 5;
        /// Hash with seed zero (tests only).
        const ZERO_SEED = 1 << 6;
        /// Programs may not write.
        const RDONLY_PROG = 1 << 7;
        /// Programs may not read.
        const WRONLY_PROG = 1 << 8;
        /// Socket storage is copied to accepted sockets.
        const CLONE = 1 << 9;
        /// May be mapped into memory. Since Linux 5.5.
        const MMAPABLE = 1 << 10;
        /// A perf-event array keeps its events when its descriptor is closed.
        const PRESERVE_ELEMS = 1 << 11;
        /// An inner array may differ in `max_entries` from the template.
        const INNER_MAP = 1 << 12;
        /// A struct_ops map is attached by a link. Since Linux 6.4.
        const LINK = 1 << 13;
        /// `path_fd` is set. Since Linux 6.5.
        const PATH_FD = 1 << 14;
        /// `value_type_btf_obj_fd` is set. Since Linux 6.9.
        const VTYPE_BTF_OBJ_FD = 1 << 15;
        /// `map_token_fd` is set. Since Linux 6.9.
        const TOKEN_FD = 1 << 16;
        /// A page fault in an arena raises a signal instead of allocating the page.
        const SEGV_ON_FAULT = 1 << 17;
        /// Arena pointers are not converted to user addresses.
        const NO_USER_CONV = 1 << 18;
        /// A full ring buffer drops its oldest records. Since Linux 6.19.
        const RB_OVERWRITE = 1 << 19;
        const _ = !0;
    }

    /// How a program is loaded (`BPF_F_*` of `BPF_PROG_LOAD`); unknown bits are passed on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ProgramFlags: u32 {
        /// Reject unaligned access on every machine.
        const STRICT_ALIGNMENT = 1 << 0;
        /// Allow unaligned access on every machine.
        const ANY_ALIGNMENT = 1 << 1;
        /// Randomise the upper halves of 32-bit results (tests only).
        const TEST_RND_HI32 = 1 << 2;
        /// Check states more often (tests only).
        const TEST_STATE_FREQ = 1 << 3;
        /// The program may sleep. Since Linux 5.10.
        const SLEEPABLE = 1 << 4;
        /// An XDP program that supports multi-buffer packets. Since Linux 5.18.
        const XDP_HAS_FRAGS = 1 << 5;
        /// An XDP program bound to a device, but not offloaded. Since Linux 6.3.
        const XDP_DEV_BOUND_ONLY = 1 << 6;
        /// Treat a violated register invariant as a bug (tests only).
        const TEST_REG_INVARIANTS = 1 << 7;
        /// `prog_token_fd` is set. Since Linux 6.9.
        const TOKEN_FD = 1 << 16;
        const _ = !0;
    }
}

/// How a map is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Pinning {
    /// Not pinned, unless a path is set.
    #[default]
    None,
    /// Under its name in the BPF file system: `LIBBPF_PIN_BY_NAME`.
    ByName,
}

impl Pinning {
    /// The name used in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ByName => "by_name",
        }
    }
}

/// The two sorts of probes that perf events make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    /// In the kernel.
    Kprobe,
    /// In a program or library.
    Uprobe,
}

impl ProbeKind {
    /// Both.
    pub const ALL: &[Self] = &[Self::Kprobe, Self::Uprobe];
}

/// A performance monitoring unit (PMU) that makes probes, as a kernel numbers it. Since Linux 4.17.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbePmu {
    /// `perf_event_attr.type`.
    pub number: u32,
    /// Bit in `perf_event_attr.config` that turns a probe into a return probe.
    pub return_bit: u32,
    /// Whether probes count their users where the program asks for that (`ref_ctr_offset`). Since Linux 4.20.
    pub counts_users: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_dense_and_names_lead_back() {
        fn check(all: &[(u32, Option<&'static str>, Option<u32>)], count: usize) {
            assert_eq!(all.len(), count);
            for (expected, (value, name, back)) in (0u32..).zip(all) {
                assert_eq!(*value, expected, "{name:?}");
                assert_eq!(*back, Some(expected), "{name:?}");
            }
        }
        macro_rules! rows {
            ($type:ident) => {
                $type::ALL
                    .iter()
                    .map(|k| {
                        let back = k.name().and_then($type::from_name).map(|b| b.0);
                        (k.0, k.name(), back)
                    })
                    .collect::<Vec<_>>()
            };
        }
        check(&rows!(MapType), 36);
        check(&rows!(ProgramType), 33);
        check(&rows!(AttachType), 62);
        check(&rows!(LinkType), 16);
        check(&rows!(TaskFdType), 6);
    }

    #[test]
    fn known_numbers_agree_with_the_kernel_headers() {
        assert_eq!(MapType::RINGBUF.0, 27);
        assert_eq!(ProgramType::TRACING.0, 26);
        assert_eq!(AttachType::TRACE_UPROBE_MULTI.0, 48);
        assert_eq!(AttachType::TRACE_FSESSION_MULTI.0, 61);
        assert_eq!(LinkType::UPROBE_MULTI.0, 12);
    }

    #[test]
    fn unknown_values_print_their_number() {
        assert_eq!(MapType(999).to_string(), "map type 999");
        assert_eq!(ProgramType::SCHED_CLS.to_string(), "sched_cls");
        assert_eq!(MapType::from_name("hush"), None);
        assert_eq!(MapFlags::from_bits_retain(1 << 30).bits(), 1 << 30);
    }
}
