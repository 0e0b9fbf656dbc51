//! Links: creating them (with one arm for each kind), replacing their program, detaching them.

use super::layout::kernel_struct;

/// Room for the largest arm of [`LinkCreateAttr`].
pub(in crate::sys) type LinkArm = [u64; 6];

kernel_struct! {
    /// `BPF_LINK_CREATE`. `source` is a program's or a struct_ops map's descriptor, `target` a descriptor or an interface;
    /// `arm` holds one of the structs below.
    LinkCreateAttr: 64 sent 64 {
        0 source: u32,
        4 target: u32,
        8 attach_type: u32,
        12 flags: u32,
        16 arm: LinkArm,
    }

    /// Arm for perf events.
    PerfEventArm: 8 {
        0 bpf_cookie: u64,
    }

    /// Arm for tracing programs, LSM programs and replaced functions.
    TracingArm: 16 {
        0 target_btf_id: u32,
        4 pad: u32,
        8 cookie: u64,
    }

    /// Arm for iterators: the address of an [`IterMapInfo`], [`IterCgroupInfo`] or [`IterTaskInfo`].
    IterArm: 16 {
        0 iter_info: u64,
        8 iter_info_len: u32,
        12 pad: u32,
    }

    /// Arm for kprobe.multi.
    KprobeMultiArm: 32 {
        0 flags: u32,
        4 cnt: u32,
        8 syms: u64,
        16 addrs: u64,
        24 cookies: u64,
    }

    /// Arm for uprobe.multi.
    UprobeMultiArm: 48 {
        0 path: u64,
        8 offsets: u64,
        16 ref_ctr_offsets: u64,
        24 cookies: u64,
        32 cnt: u32,
        36 flags: u32,
        40 pid: u32,
        44 path_fd: u32,
    }

    /// Arm for fentry.multi and its kin.
    TracingMultiArm: 24 {
        0 ids: u64,
        8 cookies: u64,
        16 cnt: u32,
        20 pad: u32,
    }

    /// Arm for netfilter.
    NetfilterArm: 16 {
        0 pf: u32,
        4 hooknum: u32,
        8 priority: i32,
        12 flags: u32,
    }

    /// Arm for targets that keep their programs in order: tcx, netkit, cgroup.
    OrderArm: 16 {
        0 relative: u32,
        4 pad: u32,
        8 expected_revision: u64,
    }

    /// `bpf_iter_link_info` of a map iterator.
    IterMapInfo: 16 {
        0 map_fd: u32,
        4 pad: [u32; 3],
    }

    /// `bpf_iter_link_info` of a cgroup iterator.
    IterCgroupInfo: 16 {
        0 order: u32,
        4 cgroup_fd: u32,
        8 cgroup_id: u64,
    }

    /// `bpf_iter_link_info` of a task iterator.
    IterTaskInfo: 16 {
        0 tid: u32,
        4 pid: u32,
        8 pid_fd: u32,
        12 pad: u32,
    }

    /// `BPF_LINK_UPDATE`. `new` and `old` are programs' or struct_ops maps' descriptors.
    LinkUpdateAttr: 16 sent 16 {
        0 link_fd: u32,
        4 new: u32,
        8 flags: u32,
        12 old: u32,
    }

    /// `BPF_LINK_DETACH`.
    LinkDetachAttr: 4 sent 4 {
        0 link_fd: u32,
    }

    /// `BPF_ITER_CREATE`.
    IterCreateAttr: 8 sent 8 {
        0 link_fd: u32,
        4 flags: u32,
    }
}
