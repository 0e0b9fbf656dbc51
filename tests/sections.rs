//! libbpf's `SEC()` table, written down a second time: names, what each means, and which section names each matches.

use rawbpf::open::{AutoAttach, SectionDef, SectionFlags};
use rawbpf::reloc::{OfflineKernel, Target};
use rawbpf::{AttachType, OpenOptions, ProgramFlags, ProgramType};

/// A line for each entry of libbpf 1.8, in its order: name, program type, attach type, flags, how it is attached. Types have
/// the names that libbpf prints. Flags: S sleepable, B attach target is looked up in BTF, A attachable by name, O attach
/// type is optional, F fragments of XDP packets, U user-space static probe.
const TABLE: &str = "
socket socket_filter - - -
sk_reuseport/migrate sk_reuseport sk_reuseport_select_or_migrate A -
sk_reuseport sk_reuseport sk_reuseport_select A -
kprobe+ kprobe - - kprobe
uprobe+ kprobe - - uprobe
uprobe.s+ kprobe - S uprobe
kretprobe+ kprobe - - kprobe
uretprobe+ kprobe - - uprobe
uretprobe.s+ kprobe - S uprobe
kprobe.multi+ kprobe trace_kprobe_multi - kprobe_multi
kretprobe.multi+ kprobe trace_kprobe_multi - kprobe_multi
kprobe.session+ kprobe trace_kprobe_session - kprobe_session
uprobe.multi+ kprobe trace_uprobe_multi - uprobe_multi
uretprobe.multi+ kprobe trace_uprobe_multi - uprobe_multi
uprobe.session+ kprobe trace_uprobe_session - uprobe_multi
uprobe.multi.s+ kprobe trace_uprobe_multi S uprobe_multi
uretprobe.multi.s+ kprobe trace_uprobe_multi S uprobe_multi
uprobe.session.s+ kprobe trace_uprobe_session S uprobe_multi
ksyscall+ kprobe - - ksyscall
kretsyscall+ kprobe - - ksyscall
usdt+ kprobe - U usdt
usdt.s+ kprobe - SU usdt
tc/ingress sched_cls tcx_ingress - -
tc/egress sched_cls tcx_egress - -
tcx/ingress sched_cls tcx_ingress - -
tcx/egress sched_cls tcx_egress - -
tc sched_cls - - -
classifier sched_cls - - -
action sched_act - - -
netkit/primary sched_cls netkit_primary - -
netkit/peer sched_cls netkit_peer - -
tracepoint+ tracepoint - - tp
tp+ tracepoint - - tp
tracepoint.s+ tracepoint - S tp
tp.s+ tracepoint - S tp
raw_tracepoint+ raw_tracepoint - - raw_tp
raw_tp+ raw_tracepoint - - raw_tp
raw_tracepoint.s+ raw_tracepoint - S raw_tp
raw_tp.s+ raw_tracepoint - S raw_tp
raw_tracepoint.w+ raw_tracepoint_writable - - raw_tp
raw_tp.w+ raw_tracepoint_writable - - raw_tp
tp_btf+ tracing trace_raw_tp B trace
fentry+ tracing trace_fentry B trace
fmod_ret+ tracing modify_return B trace
fexit+ tracing trace_fexit B trace
fsession+ tracing trace_fsession B trace
tp_btf.s+ tracing trace_raw_tp SB trace
fentry.s+ tracing trace_fentry SB trace
fmod_ret.s+ tracing modify_return SB trace
fexit.s+ tracing trace_fexit SB trace
fsession.s+ tracing trace_fsession SB trace
fentry.multi+ tracing trace_fentry_multi - tracing_multi
fentry.multi.s+ tracing trace_fentry_multi S tracing_multi
fexit.multi+ tracing trace_fexit_multi - tracing_multi
fexit.multi.s+ tracing trace_fexit_multi S tracing_multi
fsession.multi+ tracing trace_fsession_multi - tracing_multi
fsession.multi.s+ tracing trace_fsession_multi S tracing_multi
freplace+ ext - B trace
lsm+ lsm lsm_mac B lsm
lsm.s+ lsm lsm_mac SB lsm
lsm_cgroup+ lsm lsm_cgroup B -
iter+ tracing trace_iter B iter
iter.s+ tracing trace_iter SB iter
syscall syscall - S -
xdp.frags/devmap xdp xdp_devmap F -
xdp/devmap xdp xdp_devmap A -
xdp.frags/cpumap xdp xdp_cpumap F -
xdp/cpumap xdp xdp_cpumap A -
xdp.frags xdp xdp F -
xdp xdp xdp AO -
perf_event perf_event - - -
lwt_in lwt_in - - -
lwt_out lwt_out - - -
lwt_xmit lwt_xmit - - -
lwt_seg6local lwt_seg6local - - -
sockops sock_ops cgroup_sock_ops AO -
sk_skb/stream_parser sk_skb sk_skb_stream_parser AO -
sk_skb/stream_verdict sk_skb sk_skb_stream_verdict AO -
sk_skb/verdict sk_skb sk_skb_verdict AO -
sk_skb sk_skb - - -
sk_msg sk_msg sk_msg_verdict AO -
lirc_mode2 lirc_mode2 lirc_mode2 AO -
flow_dissector flow_dissector flow_dissector AO -
cgroup_skb/ingress cgroup_skb cgroup_inet_ingress AO -
cgroup_skb/egress cgroup_skb cgroup_inet_egress AO -
cgroup/skb cgroup_skb - - -
cgroup/sock_create cgroup_sock cgroup_inet_sock_create A -
cgroup/sock_release cgroup_sock cgroup_inet_sock_release A -
cgroup/sock cgroup_sock cgroup_inet_sock_create AO -
cgroup/post_bind4 cgroup_sock cgroup_inet4_post_bind A -
cgroup/post_bind6 cgroup_sock cgroup_inet6_post_bind A -
cgroup/bind4 cgroup_sock_addr cgroup_inet4_bind A -
cgroup/bind6 cgroup_sock_addr cgroup_inet6_bind A -
cgroup/connect4 cgroup_sock_addr cgroup_inet4_connect A -
cgroup/connect6 cgroup_sock_addr cgroup_inet6_connect A -
cgroup/connect_unix cgroup_sock_addr cgroup_unix_connect A -
cgroup/sendmsg4 cgroup_sock_addr cgroup_udp4_sendmsg A -
cgroup/sendmsg6 cgroup_sock_addr cgroup_udp6_sendmsg A -
cgroup/sendmsg_unix cgroup_sock_addr cgroup_unix_sendmsg A -
cgroup/recvmsg4 cgroup_sock_addr cgroup_udp4_recvmsg A -
cgroup/recvmsg6 cgroup_sock_addr cgroup_udp6_recvmsg A -
cgroup/recvmsg_unix cgroup_sock_addr cgroup_unix_recvmsg A -
cgroup/getpeername4 cgroup_sock_addr cgroup_inet4_getpeername A -
cgroup/getpeername6 cgroup_sock_addr cgroup_inet6_getpeername A -
cgroup/getpeername_unix cgroup_sock_addr cgroup_unix_getpeername A -
cgroup/getsockname4 cgroup_sock_addr cgroup_inet4_getsockname A -
cgroup/getsockname6 cgroup_sock_addr cgroup_inet6_getsockname A -
cgroup/getsockname_unix cgroup_sock_addr cgroup_unix_getsockname A -
cgroup/sysctl cgroup_sysctl cgroup_sysctl A -
cgroup/getsockopt cgroup_sockopt cgroup_getsockopt A -
cgroup/setsockopt cgroup_sockopt cgroup_setsockopt A -
cgroup/dev cgroup_device cgroup_device AO -
struct_ops+ struct_ops - - -
struct_ops.s+ struct_ops - S -
sk_lookup sk_lookup sk_lookup A -
netfilter netfilter netfilter - -
";

fn flags(letters: &str) -> SectionFlags {
    let flag = |letter| match letter {
        'S' => SectionFlags::SLEEPABLE,
        'B' => SectionFlags::ATTACH_BTF,
        'A' => SectionFlags::ATTACHABLE,
        'O' => SectionFlags::ATTACH_TYPE_OPTIONAL,
        'F' => SectionFlags::XDP_FRAGS,
        'U' => SectionFlags::USDT,
        _ => SectionFlags::empty(),
    };
    letters.chars().map(flag).collect()
}

fn auto_attach(word: &str) -> Option<AutoAttach> {
    Some(match word {
        "-" => return None,
        "kprobe" => AutoAttach::Kprobe,
        "uprobe" => AutoAttach::Uprobe,
        "kprobe_multi" => AutoAttach::KprobeMulti,
        "kprobe_session" => AutoAttach::KprobeSession,
        "uprobe_multi" => AutoAttach::UprobeMulti,
        "ksyscall" => AutoAttach::Ksyscall,
        "usdt" => AutoAttach::Usdt,
        "tp" => AutoAttach::Tracepoint,
        "raw_tp" => AutoAttach::RawTracepoint,
        "trace" => AutoAttach::Trace,
        "tracing_multi" => AutoAttach::TracingMulti,
        "lsm" => AutoAttach::Lsm,
        "iter" => AutoAttach::Iter,
        other => panic!("no kind of attachment is called {other}"),
    })
}

fn rows() -> Vec<[&'static str; 5]> {
    let lines = TABLE.trim().lines();
    let words = lines.map(|line| line.split(' ').collect::<Vec<_>>().try_into());
    words.map(|row| row.expect("five words")).collect()
}

#[test]
fn every_entry_says_what_libbpfs_does() {
    let rows = rows();
    assert_eq!((rows.len(), SectionDef::ALL.len()), (116, 116));
    for (row, def) in rows.into_iter().zip(SectionDef::ALL) {
        let [pattern, program_type, attach_type, letters, how] = row;
        assert_eq!(
            def.pattern, pattern,
            "the order counts: the first that matches is taken"
        );
        assert_eq!(
            Some(def.kind),
            ProgramType::from_name(program_type),
            "{pattern}"
        );
        let attach_type = match attach_type {
            "-" => Some(AttachType(0)),
            name => AttachType::from_name(name),
        };
        assert_eq!(Some(def.attach_type), attach_type, "{pattern}");
        assert_eq!(def.flags, flags(letters), "{pattern}");
        assert_eq!(def.auto_attach, auto_attach(how), "{pattern}");
    }
}

#[test]
fn names_are_exact_unless_a_target_may_follow() {
    let found = |section: &str| SectionDef::find(section).map(|def| def.pattern);
    for [pattern, ..] in rows() {
        let name = pattern.trim_end_matches('+');
        assert_eq!(found(name), Some(pattern));
        assert_eq!(
            found(&format!("?{name}")),
            None,
            "the question mark is not part of a name"
        );
        assert_eq!(found(&format!("{name}x")), None);
        assert_eq!(found(&format!(" {name}")), None);
        assert_eq!(found(&name.to_uppercase()), None);
        let with_target = found(&format!("{name}/a_target"));
        assert_eq!(with_target, pattern.ends_with('+').then_some(pattern));
        let with_end = found(&format!("{name}/"));
        assert_eq!(with_end, pattern.ends_with('+').then_some(pattern));
    }
}

/// `sections.bpf.o` has a program for each entry; three need something else as well.
#[test]
fn a_program_of_every_entry_is_planned_as_its_entry_says() {
    let bytes = include_bytes!("../fixtures/sections.bpf.o");
    let mut object = OpenOptions::new().open_bytes(bytes).unwrap();
    for program in object.programs_mut() {
        assert!(!program.autoload(), "{}", program.section());
        program.set_autoload(true);
    }
    let kernel = OfflineKernel {
        btf: Some(include_bytes!("../fixtures/btf/6.18.btf").to_vec()),
        ..OfflineKernel::default()
    };
    let plan = object.relocate(&Target::offline(kernel)).unwrap();
    let mut planned: Vec<_> = plan
        .programs
        .iter()
        .map(|p| p.def.unwrap().pattern)
        .collect();
    for program in &plan.programs {
        let def = program.def.unwrap();
        assert_eq!(program.kind, def.kind, "{}", def.pattern);
        let mut flags = ProgramFlags::from_bits_retain(program.flags);
        assert_eq!(
            program.expected_attach_type,
            attach_type(def),
            "{}",
            def.pattern
        );
        let sleepable = def.flags.contains(SectionFlags::SLEEPABLE);
        assert_eq!(flags.contains(ProgramFlags::SLEEPABLE), sleepable);
        let frags = def.flags.contains(SectionFlags::XDP_FRAGS);
        assert_eq!(flags.contains(ProgramFlags::XDP_HAS_FRAGS), frags);
        flags.remove(ProgramFlags::SLEEPABLE | ProgramFlags::XDP_HAS_FRAGS);
        assert!(flags.is_empty(), "{flags:?}");
        // That kernel's slice of types lacks most targets.
        let needs_types = def.flags.contains(SectionFlags::ATTACH_BTF);
        assert!(program.error.is_none() || needs_types, "{}", def.pattern);
    }
    planned.extend(["freplace+", "struct_ops+", "struct_ops.s+"]);
    planned.sort_unstable();
    let mut all: Vec<_> = SectionDef::ALL.iter().map(|def| def.pattern).collect();
    all.sort_unstable();
    assert_eq!(planned, all);
}

/// USDT probes become multi-uprobe links, where the kernel has them.
fn attach_type(def: &SectionDef) -> AttachType {
    if def.flags.contains(SectionFlags::USDT) {
        AttachType::TRACE_UPROBE_MULTI
    } else {
        def.attach_type
    }
}
