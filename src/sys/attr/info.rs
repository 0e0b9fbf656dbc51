//! What the kernel reports about a program, map, BTF or link. Pointer fields are buffers that the caller provides.

use super::layout::kernel_struct;

kernel_struct! {
    /// `struct bpf_prog_info`.
    RawProgInfo: 232 {
        0 prog_type: u32,
        4 id: u32,
        8 tag: [u8; 8],
        16 jited_prog_len: u32,
        20 xlated_prog_len: u32,
        24 jited_prog_insns: u64,
        32 xlated_prog_insns: u64,
        40 load_time: u64,
        48 created_by_uid: u32,
        52 nr_map_ids: u32,
        56 map_ids: u64,
        64 name: [u8; 16],
        80 ifindex: u32,
        84 bits: u32,
        88 netns_dev: u64,
        96 netns_ino: u64,
        104 nr_jited_ksyms: u32,
        108 nr_jited_func_lens: u32,
        112 jited_ksyms: u64,
        120 jited_func_lens: u64,
        128 btf_id: u32,
        132 func_info_rec_size: u32,
        136 func_info: u64,
        144 nr_func_info: u32,
        148 nr_line_info: u32,
        152 line_info: u64,
        160 jited_line_info: u64,
        168 nr_jited_line_info: u32,
        172 line_info_rec_size: u32,
        176 jited_line_info_rec_size: u32,
        180 nr_prog_tags: u32,
        184 prog_tags: u64,
        192 run_time_ns: u64,
        200 run_cnt: u64,
        208 recursion_misses: u64,
        216 verified_insns: u32,
        220 attach_btf_obj_id: u32,
        224 attach_btf_id: u32,
        228 pad: u32,
    }

    /// `struct bpf_map_info`.
    RawMapInfo: 104 {
        0 map_type: u32,
        4 id: u32,
        8 key_size: u32,
        12 value_size: u32,
        16 max_entries: u32,
        20 map_flags: u32,
        24 name: [u8; 16],
        40 ifindex: u32,
        44 btf_vmlinux_value_type_id: u32,
        48 netns_dev: u64,
        56 netns_ino: u64,
        64 btf_id: u32,
        68 btf_key_type_id: u32,
        72 btf_value_type_id: u32,
        76 btf_vmlinux_id: u32,
        80 map_extra: u64,
        88 hash: u64,
        96 hash_size: u32,
        100 pad: u32,
    }

    /// `struct bpf_btf_info`.
    RawBtfInfo: 32 {
        0 btf: u64,
        8 btf_size: u32,
        12 id: u32,
        16 name: u64,
        24 name_len: u32,
        28 kernel_btf: u32,
    }

    /// `struct bpf_link_info`; `arm` differs by link type.
    RawLinkInfo: 64 {
        0 link_type: u32,
        4 id: u32,
        8 prog_id: u32,
        12 pad: u32,
        16 arm: [u64; 6],
    }

    /// Arm of [`RawLinkInfo`] for raw tracepoints.
    RawTracepointInfo: 24 {
        0 name: u64,
        8 name_len: u32,
        12 pad: u32,
        16 cookie: u64,
    }

    /// Arm for tracing programs.
    TracingInfo: 24 {
        0 attach_type: u32,
        4 target_obj_id: u32,
        8 target_btf_id: u32,
        12 pad: u32,
        16 cookie: u64,
    }

    /// Arm for cgroups.
    CgroupInfo: 16 {
        0 cgroup_id: u64,
        8 attach_type: u32,
        12 pad: u32,
    }

    /// Arm for iterators: `map_id` for those over a map, `start` and `order` for those over cgroups; the halves of `start`
    /// are a thread and a process for those over tasks.
    IterInfo: 32 {
        0 name: u64,
        8 name_len: u32,
        12 map_id: u32,
        16 start: [u32; 2],
        24 order: u32,
        28 pad: u32,
    }

    /// Arm for network namespaces, interfaces and maps: the target's number, and where in it.
    TargetInfo: 8 {
        0 target: u32,
        4 attach_type: u32,
    }

    /// Arm for kprobe.multi.
    KprobeMultiInfo: 32 {
        0 addrs: u64,
        8 count: u32,
        12 flags: u32,
        16 missed: u64,
        24 cookies: u64,
    }

    /// Arm for uprobe.multi.
    UprobeMultiInfo: 48 {
        0 path: u64,
        8 offsets: u64,
        16 ref_ctr_offsets: u64,
        24 cookies: u64,
        32 path_size: u32,
        36 count: u32,
        40 flags: u32,
        44 pid: u32,
    }

    /// Arm for fentry.multi and its kin.
    TracingMultiInfo: 40 {
        0 attach_type: u32,
        4 count: u32,
        8 btf_obj_id: u32,
        12 pad: u32,
        16 ids: u64,
        24 addrs: u64,
        32 cookies: u64,
    }

    /// Arm for perf events; what follows the name differs by `kind`.
    PerfEventInfo: 48 {
        0 kind: u32,
        4 pad: u32,
        8 name: u64,
        16 name_len: u32,
        20 offset: u32,
        24 rest: [u64; 3],
    }
}
