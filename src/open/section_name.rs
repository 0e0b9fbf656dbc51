//! What section names mean: libbpf's `SEC()` table.

use crate::kinds::{AttachType, ProgramType};

bitflags::bitflags! {
    /// What a section name implies beyond type and attach type.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SectionFlags: u32 {
        /// The program may sleep.
        const SLEEPABLE = 1;
        /// The attach target is a BTF type that is looked up when loading.
        const ATTACH_BTF = 1 << 1;
        /// The attach type is left out for kernels that do not know it.
        const ATTACH_TYPE_OPTIONAL = 1 << 2;
        /// The attach type can be looked up by the section name.
        const ATTACHABLE = 1 << 3;
        /// The program supports multi-buffer XDP packets.
        const XDP_FRAGS = 1 << 4;
        /// A user-space static probe.
        const USDT = 1 << 5;
    }
}

/// One entry of the table.
#[derive(Debug, PartialEq, Eq)]
#[doc(alias = "bpf_sec_def")]
pub struct SectionDef {
    /// The section name, or its part before the first `/`; ends in `+` if a target may follow, in `/` if one must.
    pub pattern: &'static str,
    /// The type of its programs.
    pub kind: ProgramType,
    /// Their expected attach type.
    pub attach_type: AttachType,
    /// Everything else that the name implies.
    pub flags: SectionFlags,
    /// How the program is attached if the section name has a target.
    pub auto_attach: Option<AutoAttach>,
}

/// How a program is attached automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoAttach {
    /// `kprobe/function[+offset]`, `kretprobe/function`
    Kprobe,
    /// `uprobe/binary:function[+offset]`, `uretprobe/...`
    Uprobe,
    /// `kprobe.multi/glob`
    KprobeMulti,
    /// `kprobe.session/glob`
    KprobeSession,
    /// `uprobe.multi/binary:glob`
    UprobeMulti,
    /// `ksyscall/name`
    Ksyscall,
    /// `usdt/binary:provider:name`
    Usdt,
    /// `tp/category/name`
    Tracepoint,
    /// `raw_tp/name`
    RawTracepoint,
    /// `tp_btf/name`, `fentry/function`, `freplace/function`
    Trace,
    /// `fentry.multi/glob`
    TracingMulti,
    /// `lsm/hook`
    Lsm,
    /// `iter/kind`
    Iter,
}

/// The attach target that a section name may contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetForm {
    /// What it is, in words.
    pub(crate) what: &'static str,
    /// An example that most kernels or machines have.
    pub(crate) example: &'static str,
    /// The section name with the example.
    pub(crate) section: String,
}

/// Programs of a type without attach types use 0, as the kernel expects.
const NO_ATTACH_TYPE: AttachType = AttachType(0);

const NONE: SectionFlags = SectionFlags::empty();
const SLEEPABLE: SectionFlags = SectionFlags::SLEEPABLE;
const BTF: SectionFlags = SectionFlags::ATTACH_BTF;
const BTF_SLEEPABLE: SectionFlags = BTF.union(SLEEPABLE);
const FRAGS: SectionFlags = SectionFlags::XDP_FRAGS;
const ATTACHABLE: SectionFlags = SectionFlags::ATTACHABLE;
const ATTACHABLE_OPTIONAL: SectionFlags = ATTACHABLE.union(SectionFlags::ATTACH_TYPE_OPTIONAL);
const USDT: SectionFlags = SectionFlags::USDT;
const USDT_SLEEPABLE: SectionFlags = USDT.union(SLEEPABLE);

const fn def(
    pattern: &'static str,
    kind: ProgramType,
    attach_type: AttachType,
    flags: SectionFlags,
    auto_attach: Option<AutoAttach>,
) -> SectionDef {
    SectionDef {
        pattern,
        kind,
        attach_type,
        flags,
        auto_attach,
    }
}

impl SectionDef {
    /// Every section name that libbpf 1.8 knows, in its order.
    #[doc(alias = "section_defs")]
    pub const ALL: &'static [Self] = SECTIONS;

    /// The definition that matches a section name (without a leading `?`), if any.
    #[doc(alias("find_sec_def", "libbpf_prog_type_by_name"))]
    pub fn find(section: &str) -> Option<&'static Self> {
        SECTIONS.iter().find(|def| def.matches(section))
    }

    /// Whether the section name matches: `kprobe+` matches `kprobe` and `kprobe/...`, `xdp` only `xdp`.
    #[doc(alias = "sec_def_matches")]
    pub fn matches(&self, section: &str) -> bool {
        if let Some(name) = self.pattern.strip_suffix('+') {
            let rest = section.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        } else if self.pattern.ends_with('/') {
            section.starts_with(self.pattern)
        } else {
            section == self.pattern
        }
    }

    /// Whether its programs may sleep.
    pub fn is_sleepable(&self) -> bool {
        self.flags.contains(SLEEPABLE)
    }

    /// What may follow the first slash: where its programs are attached. `None` if nothing can.
    pub(crate) fn target(&self) -> Option<TargetForm> {
        let (what, example) = match (self.auto_attach, self.attach_type) {
            (Some(AutoAttach::Kprobe), _) => ("a kernel function", "vfs_read"),
            (Some(AutoAttach::Uprobe), _) => {
                ("a file and a function in it", "/usr/bin/bash:readline")
            }
            (
                Some(
                    AutoAttach::KprobeMulti | AutoAttach::KprobeSession | AutoAttach::TracingMulti,
                ),
                _,
            ) => ("a pattern of kernel functions", "tcp_*"),
            (Some(AutoAttach::UprobeMulti), _) => {
                ("a file and a pattern of its functions", "libc.so.6:mem*")
            }
            (Some(AutoAttach::Ksyscall), _) => ("a system call", "openat"),
            (Some(AutoAttach::Usdt), _) => (
                "a file, a provider and a probe",
                "/usr/bin/python3:python:gc__start",
            ),
            (Some(AutoAttach::Tracepoint), _) => {
                ("a tracepoint with its category", "sched/sched_switch")
            }
            (Some(AutoAttach::RawTracepoint), _) | (_, A::TRACE_RAW_TP) => {
                ("a tracepoint", "sched_switch")
            }
            (Some(AutoAttach::Lsm), _) => ("an LSM hook", "file_open"),
            (_, A::LSM_CGROUP) => ("an LSM hook", "socket_bind"),
            (Some(AutoAttach::Iter), _) => ("what to iterate over", "task"),
            (Some(AutoAttach::Trace), A::MODIFY_RETURN) => {
                ("a kernel function", "security_file_open")
            }
            (Some(AutoAttach::Trace), _) if self.kind == P::EXT => {
                ("a function of another program", "FUNCTION")
            }
            (Some(AutoAttach::Trace), _) => ("a kernel function", "vfs_read"),
            (None, _) => return None,
        };
        let word = self.pattern.trim_end_matches('+');
        Some(TargetForm {
            what,
            example,
            section: format!("{word}/{example}"),
        })
    }

    /// Whether its programs have a BTF target: a type or function of the kernel or of another program.
    pub fn needs_attach_target(&self) -> bool {
        self.flags.contains(BTF)
    }
}

use {AttachType as A, ProgramType as P};

#[rustfmt::skip]
static SECTIONS: &[SectionDef] = &[
    def("socket", P::SOCKET_FILTER, NO_ATTACH_TYPE, NONE, None),
    def("sk_reuseport/migrate", P::SK_REUSEPORT, A::SK_REUSEPORT_SELECT_OR_MIGRATE, ATTACHABLE, None),
    def("sk_reuseport", P::SK_REUSEPORT, A::SK_REUSEPORT_SELECT, ATTACHABLE, None),
    def("kprobe+", P::KPROBE, NO_ATTACH_TYPE, NONE, Some(AutoAttach::Kprobe)),
    def("uprobe+", P::KPROBE, NO_ATTACH_TYPE, NONE, Some(AutoAttach::Uprobe)),
    def("uprobe.s+", P::KPROBE, NO_ATTACH_TYPE, SLEEPABLE, Some(AutoAttach::Uprobe)),
    def("kretprobe+", P::KPROBE, NO_ATTACH_TYPE, NONE, Some(AutoAttach::Kprobe)),
    def("uretprobe+", P::KPROBE, NO_ATTACH_TYPE, NONE, Some(AutoAttach::Uprobe)),
    def("uretprobe.s+", P::KPROBE, NO_ATTACH_TYPE, SLEEPABLE, Some(AutoAttach::Uprobe)),
    def("kprobe.multi+", P::KPROBE, A::TRACE_KPROBE_MULTI, NONE, Some(AutoAttach::KprobeMulti)),
    def("kretprobe.multi+", P::KPROBE, A::TRACE_KPROBE_MULTI, NONE, Some(AutoAttach::KprobeMulti)),
    def("kprobe.session+", P::KPROBE, A::TRACE_KPROBE_SESSION, NONE, Some(AutoAttach::KprobeSession)),
    def("uprobe.multi+", P::KPROBE, A::TRACE_UPROBE_MULTI, NONE, Some(AutoAttach::UprobeMulti)),
    def("uretprobe.multi+", P::KPROBE, A::TRACE_UPROBE_MULTI, NONE, Some(AutoAttach::UprobeMulti)),
    def("uprobe.session+", P::KPROBE, A::TRACE_UPROBE_SESSION, NONE, Some(AutoAttach::UprobeMulti)),
    def("uprobe.multi.s+", P::KPROBE, A::TRACE_UPROBE_MULTI, SLEEPABLE, Some(AutoAttach::UprobeMulti)),
    def("uretprobe.multi.s+", P::KPROBE, A::TRACE_UPROBE_MULTI, SLEEPABLE, Some(AutoAttach::UprobeMulti)),
    def("uprobe.session.s+", P::KPROBE, A::TRACE_UPROBE_SESSION, SLEEPABLE, Some(AutoAttach::UprobeMulti)),
    def("ksyscall+", P::KPROBE, NO_ATTACH_TYPE, NONE, Some(AutoAttach::Ksyscall)),
    def("kretsyscall+", P::KPROBE, NO_ATTACH_TYPE, NONE, Some(AutoAttach::Ksyscall)),
    def("usdt+", P::KPROBE, NO_ATTACH_TYPE, USDT, Some(AutoAttach::Usdt)),
    def("usdt.s+", P::KPROBE, NO_ATTACH_TYPE, USDT_SLEEPABLE, Some(AutoAttach::Usdt)),
    def("tc/ingress", P::SCHED_CLS, A::TCX_INGRESS, NONE, None),
    def("tc/egress", P::SCHED_CLS, A::TCX_EGRESS, NONE, None),
    def("tcx/ingress", P::SCHED_CLS, A::TCX_INGRESS, NONE, None),
    def("tcx/egress", P::SCHED_CLS, A::TCX_EGRESS, NONE, None),
    def("tc", P::SCHED_CLS, NO_ATTACH_TYPE, NONE, None),
    def("classifier", P::SCHED_CLS, NO_ATTACH_TYPE, NONE, None),
    def("action", P::SCHED_ACT, NO_ATTACH_TYPE, NONE, None),
    def("netkit/primary", P::SCHED_CLS, A::NETKIT_PRIMARY, NONE, None),
    def("netkit/peer", P::SCHED_CLS, A::NETKIT_PEER, NONE, None),
    def("tracepoint+", P::TRACEPOINT, NO_ATTACH_TYPE, NONE, Some(AutoAttach::Tracepoint)),
    def("tp+", P::TRACEPOINT, NO_ATTACH_TYPE, NONE, Some(AutoAttach::Tracepoint)),
    def("tracepoint.s+", P::TRACEPOINT, NO_ATTACH_TYPE, SLEEPABLE, Some(AutoAttach::Tracepoint)),
    def("tp.s+", P::TRACEPOINT, NO_ATTACH_TYPE, SLEEPABLE, Some(AutoAttach::Tracepoint)),
    def("raw_tracepoint+", P::RAW_TRACEPOINT, NO_ATTACH_TYPE, NONE, Some(AutoAttach::RawTracepoint)),
    def("raw_tp+", P::RAW_TRACEPOINT, NO_ATTACH_TYPE, NONE, Some(AutoAttach::RawTracepoint)),
    def("raw_tracepoint.s+", P::RAW_TRACEPOINT, NO_ATTACH_TYPE, SLEEPABLE, Some(AutoAttach::RawTracepoint)),
    def("raw_tp.s+", P::RAW_TRACEPOINT, NO_ATTACH_TYPE, SLEEPABLE, Some(AutoAttach::RawTracepoint)),
    def("raw_tracepoint.w+", P::RAW_TRACEPOINT_WRITABLE, NO_ATTACH_TYPE, NONE, Some(AutoAttach::RawTracepoint)),
    def("raw_tp.w+", P::RAW_TRACEPOINT_WRITABLE, NO_ATTACH_TYPE, NONE, Some(AutoAttach::RawTracepoint)),
    def("tp_btf+", P::TRACING, A::TRACE_RAW_TP, BTF, Some(AutoAttach::Trace)),
    def("fentry+", P::TRACING, A::TRACE_FENTRY, BTF, Some(AutoAttach::Trace)),
    def("fmod_ret+", P::TRACING, A::MODIFY_RETURN, BTF, Some(AutoAttach::Trace)),
    def("fexit+", P::TRACING, A::TRACE_FEXIT, BTF, Some(AutoAttach::Trace)),
    def("fsession+", P::TRACING, A::TRACE_FSESSION, BTF, Some(AutoAttach::Trace)),
    def("tp_btf.s+", P::TRACING, A::TRACE_RAW_TP, BTF_SLEEPABLE, Some(AutoAttach::Trace)),
    def("fentry.s+", P::TRACING, A::TRACE_FENTRY, BTF_SLEEPABLE, Some(AutoAttach::Trace)),
    def("fmod_ret.s+", P::TRACING, A::MODIFY_RETURN, BTF_SLEEPABLE, Some(AutoAttach::Trace)),
    def("fexit.s+", P::TRACING, A::TRACE_FEXIT, BTF_SLEEPABLE, Some(AutoAttach::Trace)),
    def("fsession.s+", P::TRACING, A::TRACE_FSESSION, BTF_SLEEPABLE, Some(AutoAttach::Trace)),
    def("fentry.multi+", P::TRACING, A::TRACE_FENTRY_MULTI, NONE, Some(AutoAttach::TracingMulti)),
    def("fentry.multi.s+", P::TRACING, A::TRACE_FENTRY_MULTI, SLEEPABLE, Some(AutoAttach::TracingMulti)),
    def("fexit.multi+", P::TRACING, A::TRACE_FEXIT_MULTI, NONE, Some(AutoAttach::TracingMulti)),
    def("fexit.multi.s+", P::TRACING, A::TRACE_FEXIT_MULTI, SLEEPABLE, Some(AutoAttach::TracingMulti)),
    def("fsession.multi+", P::TRACING, A::TRACE_FSESSION_MULTI, NONE, Some(AutoAttach::TracingMulti)),
    def("fsession.multi.s+", P::TRACING, A::TRACE_FSESSION_MULTI, SLEEPABLE, Some(AutoAttach::TracingMulti)),
    def("freplace+", P::EXT, NO_ATTACH_TYPE, BTF, Some(AutoAttach::Trace)),
    def("lsm+", P::LSM, A::LSM_MAC, BTF, Some(AutoAttach::Lsm)),
    def("lsm.s+", P::LSM, A::LSM_MAC, BTF_SLEEPABLE, Some(AutoAttach::Lsm)),
    def("lsm_cgroup+", P::LSM, A::LSM_CGROUP, BTF, None),
    def("iter+", P::TRACING, A::TRACE_ITER, BTF, Some(AutoAttach::Iter)),
    def("iter.s+", P::TRACING, A::TRACE_ITER, BTF_SLEEPABLE, Some(AutoAttach::Iter)),
    def("syscall", P::SYSCALL, NO_ATTACH_TYPE, SLEEPABLE, None),
    def("xdp.frags/devmap", P::XDP, A::XDP_DEVMAP, FRAGS, None),
    def("xdp/devmap", P::XDP, A::XDP_DEVMAP, ATTACHABLE, None),
    def("xdp.frags/cpumap", P::XDP, A::XDP_CPUMAP, FRAGS, None),
    def("xdp/cpumap", P::XDP, A::XDP_CPUMAP, ATTACHABLE, None),
    def("xdp.frags", P::XDP, A::XDP, FRAGS, None),
    def("xdp", P::XDP, A::XDP, ATTACHABLE_OPTIONAL, None),
    def("perf_event", P::PERF_EVENT, NO_ATTACH_TYPE, NONE, None),
    def("lwt_in", P::LWT_IN, NO_ATTACH_TYPE, NONE, None),
    def("lwt_out", P::LWT_OUT, NO_ATTACH_TYPE, NONE, None),
    def("lwt_xmit", P::LWT_XMIT, NO_ATTACH_TYPE, NONE, None),
    def("lwt_seg6local", P::LWT_SEG6LOCAL, NO_ATTACH_TYPE, NONE, None),
    def("sockops", P::SOCK_OPS, A::CGROUP_SOCK_OPS, ATTACHABLE_OPTIONAL, None),
    def("sk_skb/stream_parser", P::SK_SKB, A::SK_SKB_STREAM_PARSER, ATTACHABLE_OPTIONAL, None),
    def("sk_skb/stream_verdict", P::SK_SKB, A::SK_SKB_STREAM_VERDICT, ATTACHABLE_OPTIONAL, None),
    def("sk_skb/verdict", P::SK_SKB, A::SK_SKB_VERDICT, ATTACHABLE_OPTIONAL, None),
    def("sk_skb", P::SK_SKB, NO_ATTACH_TYPE, NONE, None),
    def("sk_msg", P::SK_MSG, A::SK_MSG_VERDICT, ATTACHABLE_OPTIONAL, None),
    def("lirc_mode2", P::LIRC_MODE2, A::LIRC_MODE2, ATTACHABLE_OPTIONAL, None),
    def("flow_dissector", P::FLOW_DISSECTOR, A::FLOW_DISSECTOR, ATTACHABLE_OPTIONAL, None),
    def("cgroup_skb/ingress", P::CGROUP_SKB, A::CGROUP_INET_INGRESS, ATTACHABLE_OPTIONAL, None),
    def("cgroup_skb/egress", P::CGROUP_SKB, A::CGROUP_INET_EGRESS, ATTACHABLE_OPTIONAL, None),
    def("cgroup/skb", P::CGROUP_SKB, NO_ATTACH_TYPE, NONE, None),
    def("cgroup/sock_create", P::CGROUP_SOCK, A::CGROUP_INET_SOCK_CREATE, ATTACHABLE, None),
    def("cgroup/sock_release", P::CGROUP_SOCK, A::CGROUP_INET_SOCK_RELEASE, ATTACHABLE, None),
    def("cgroup/sock", P::CGROUP_SOCK, A::CGROUP_INET_SOCK_CREATE, ATTACHABLE_OPTIONAL, None),
    def("cgroup/post_bind4", P::CGROUP_SOCK, A::CGROUP_INET4_POST_BIND, ATTACHABLE, None),
    def("cgroup/post_bind6", P::CGROUP_SOCK, A::CGROUP_INET6_POST_BIND, ATTACHABLE, None),
    def("cgroup/bind4", P::CGROUP_SOCK_ADDR, A::CGROUP_INET4_BIND, ATTACHABLE, None),
    def("cgroup/bind6", P::CGROUP_SOCK_ADDR, A::CGROUP_INET6_BIND, ATTACHABLE, None),
    def("cgroup/connect4", P::CGROUP_SOCK_ADDR, A::CGROUP_INET4_CONNECT, ATTACHABLE, None),
    def("cgroup/connect6", P::CGROUP_SOCK_ADDR, A::CGROUP_INET6_CONNECT, ATTACHABLE, None),
    def("cgroup/connect_unix", P::CGROUP_SOCK_ADDR, A::CGROUP_UNIX_CONNECT, ATTACHABLE, None),
    def("cgroup/sendmsg4", P::CGROUP_SOCK_ADDR, A::CGROUP_UDP4_SENDMSG, ATTACHABLE, None),
    def("cgroup/sendmsg6", P::CGROUP_SOCK_ADDR, A::CGROUP_UDP6_SENDMSG, ATTACHABLE, None),
    def("cgroup/sendmsg_unix", P::CGROUP_SOCK_ADDR, A::CGROUP_UNIX_SENDMSG, ATTACHABLE, None),
    def("cgroup/recvmsg4", P::CGROUP_SOCK_ADDR, A::CGROUP_UDP4_RECVMSG, ATTACHABLE, None),
    def("cgroup/recvmsg6", P::CGROUP_SOCK_ADDR, A::CGROUP_UDP6_RECVMSG, ATTACHABLE, None),
    def("cgroup/recvmsg_unix", P::CGROUP_SOCK_ADDR, A::CGROUP_UNIX_RECVMSG, ATTACHABLE, None),
    def("cgroup/getpeername4", P::CGROUP_SOCK_ADDR, A::CGROUP_INET4_GETPEERNAME, ATTACHABLE, None),
    def("cgroup/getpeername6", P::CGROUP_SOCK_ADDR, A::CGROUP_INET6_GETPEERNAME, ATTACHABLE, None),
    def("cgroup/getpeername_unix", P::CGROUP_SOCK_ADDR, A::CGROUP_UNIX_GETPEERNAME, ATTACHABLE, None),
    def("cgroup/getsockname4", P::CGROUP_SOCK_ADDR, A::CGROUP_INET4_GETSOCKNAME, ATTACHABLE, None),
    def("cgroup/getsockname6", P::CGROUP_SOCK_ADDR, A::CGROUP_INET6_GETSOCKNAME, ATTACHABLE, None),
    def("cgroup/getsockname_unix", P::CGROUP_SOCK_ADDR, A::CGROUP_UNIX_GETSOCKNAME, ATTACHABLE, None),
    def("cgroup/sysctl", P::CGROUP_SYSCTL, A::CGROUP_SYSCTL, ATTACHABLE, None),
    def("cgroup/getsockopt", P::CGROUP_SOCKOPT, A::CGROUP_GETSOCKOPT, ATTACHABLE, None),
    def("cgroup/setsockopt", P::CGROUP_SOCKOPT, A::CGROUP_SETSOCKOPT, ATTACHABLE, None),
    def("cgroup/dev", P::CGROUP_DEVICE, A::CGROUP_DEVICE, ATTACHABLE_OPTIONAL, None),
    def("struct_ops+", P::STRUCT_OPS, NO_ATTACH_TYPE, NONE, None),
    def("struct_ops.s+", P::STRUCT_OPS, NO_ATTACH_TYPE, SLEEPABLE, None),
    def("sk_lookup", P::SK_LOOKUP, A::SK_LOOKUP, ATTACHABLE, None),
    def("netfilter", P::NETFILTER, A::NETFILTER, NONE, None),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(section: &str) -> Option<&'static str> {
        SectionDef::find(section).map(|def| def.pattern)
    }

    #[test]
    fn the_table_is_complete() {
        let count = |what: &dyn Fn(&SectionDef) -> bool| {
            SectionDef::ALL.iter().filter(|def| what(def)).count()
        };
        assert_eq!(SectionDef::ALL.len(), 116);
        assert_eq!(count(&|d| d.pattern.ends_with('+')), 53);
        assert_eq!(count(&|d| d.auto_attach.is_some()), 50);
        assert_eq!(count(&SectionDef::is_sleepable), 22);
        assert_eq!(count(&SectionDef::needs_attach_target), 16);
        assert_eq!(count(&|d| d.flags.contains(FRAGS)), 3);
        assert_eq!(count(&|d| d.flags.contains(USDT)), 2);
        assert_eq!(count(&|d| d.flags.contains(ATTACHABLE)), 41);
        assert_eq!(count(&|d| d.flags.contains(ATTACHABLE_OPTIONAL)), 12);
    }

    #[test]
    fn no_entry_hides_another() {
        for def in SectionDef::ALL {
            let name = def.pattern.trim_end_matches('+');
            assert_eq!(pattern(name), Some(def.pattern));
        }
    }

    #[test]
    fn only_a_plus_takes_a_target() {
        assert_eq!(pattern("kprobe/do_unlinkat"), Some("kprobe+"));
        assert_eq!(pattern("kprobe"), Some("kprobe+"));
        assert_eq!(pattern("kprobes"), None);
        assert_eq!(pattern("xdp"), Some("xdp"));
        assert_eq!(pattern("xdp/foo"), None);
        assert_eq!(pattern("xdp/devmap"), Some("xdp/devmap"));
        assert_eq!(pattern("tc/ingress"), Some("tc/ingress"));
        assert_eq!(pattern("usdt.s/x:y:z"), Some("usdt.s+"));
        assert_eq!(pattern(".text"), None);
        assert_eq!(pattern(""), None);
    }

    #[test]
    fn what_may_follow_the_slash_has_an_example_of_the_same_section() {
        for def in SectionDef::ALL {
            let takes_target = def.auto_attach.is_some() || def.needs_attach_target();
            let target = def.target();
            assert_eq!(target.is_some(), takes_target, "{}", def.pattern);
            if let Some(target) = target {
                assert_eq!(pattern(&target.section), Some(def.pattern));
            }
        }
    }

    #[test]
    fn tc_ingress_is_tcx_and_tc_is_not() {
        let attach_type = |section| SectionDef::find(section).map(|def| def.attach_type);
        assert_eq!(attach_type("tc/ingress"), Some(AttachType::TCX_INGRESS));
        assert_eq!(attach_type("tc"), Some(NO_ATTACH_TYPE));
    }
}
