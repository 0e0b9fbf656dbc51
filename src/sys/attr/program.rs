//! Programs: loading, attaching without links, test runs, streams; and BTF, which is loaded in much the same way.

use super::layout::kernel_struct;

kernel_struct! {
    /// `BPF_PROG_LOAD`. `attach_fd` is a program's or a module BTF's.
    ProgLoadAttr: 168 sent 168 {
        0 prog_type: u32,
        4 insn_cnt: u32,
        8 insns: u64,
        16 license: u64,
        24 log_level: u32,
        28 log_size: u32,
        32 log_buf: u64,
        40 kern_version: u32,
        44 prog_flags: u32,
        48 prog_name: [u8; 16],
        64 prog_ifindex: u32,
        68 expected_attach_type: u32,
        72 prog_btf_fd: u32,
        76 func_info_rec_size: u32,
        80 func_info: u64,
        88 func_info_cnt: u32,
        92 line_info_rec_size: u32,
        96 line_info: u64,
        104 line_info_cnt: u32,
        108 attach_btf_id: u32,
        112 attach_fd: u32,
        116 core_relo_cnt: u32,
        120 fd_array: u64,
        128 core_relos: u64,
        136 core_relo_rec_size: u32,
        140 log_true_size: u32,
        144 prog_token_fd: i32,
        148 fd_array_cnt: u32,
        152 signature: u64,
        160 signature_size: u32,
        164 keyring_id: i32,
    }

    /// `BPF_BTF_LOAD`.
    BtfLoadAttr: 40 sent 40 {
        0 btf: u64,
        8 btf_log_buf: u64,
        16 btf_size: u32,
        20 btf_log_size: u32,
        24 btf_log_level: u32,
        28 btf_log_true_size: u32,
        32 btf_flags: u32,
        36 btf_token_fd: i32,
    }

    /// `BPF_PROG_ATTACH` and `BPF_PROG_DETACH`. `target` is a descriptor or an interface, `relative` a descriptor or an id.
    ProgAttachAttr: 32 sent 32 {
        0 target: u32,
        4 attach_bpf_fd: u32,
        8 attach_type: u32,
        12 attach_flags: u32,
        16 replace_bpf_fd: u32,
        20 relative: u32,
        24 expected_revision: u64,
    }

    /// `BPF_PROG_QUERY`.
    ProgQueryAttr: 64 sent 64 {
        0 target: u32,
        4 attach_type: u32,
        8 query_flags: u32,
        12 attach_flags: u32,
        16 prog_ids: u64,
        24 count: u32,
        28 pad: u32,
        32 prog_attach_flags: u64,
        40 link_ids: u64,
        48 link_attach_flags: u64,
        56 revision: u64,
    }

    /// `BPF_PROG_TEST_RUN`, also known as `BPF_PROG_RUN`.
    ProgTestRunAttr: 80 sent 76 {
        0 prog_fd: u32,
        4 retval: u32,
        8 data_size_in: u32,
        12 data_size_out: u32,
        16 data_in: u64,
        24 data_out: u64,
        32 repeat: u32,
        36 duration: u32,
        40 ctx_size_in: u32,
        44 ctx_size_out: u32,
        48 ctx_in: u64,
        56 ctx_out: u64,
        64 flags: u32,
        68 cpu: u32,
        72 batch_size: u32,
        76 pad: u32,
    }

    /// `BPF_RAW_TRACEPOINT_OPEN`.
    RawTracepointOpenAttr: 24 sent 24 {
        0 name: u64,
        8 prog_fd: u32,
        12 pad: u32,
        16 cookie: u64,
    }

    /// `BPF_PROG_BIND_MAP`.
    ProgBindMapAttr: 12 sent 12 {
        0 prog_fd: u32,
        4 map_fd: u32,
        8 flags: u32,
    }

    /// `BPF_PROG_ASSOC_STRUCT_OPS`.
    ProgAssocStructOpsAttr: 12 sent 12 {
        0 map_fd: u32,
        4 prog_fd: u32,
        8 flags: u32,
    }

    /// `BPF_PROG_STREAM_READ_BY_FD`.
    ProgStreamReadAttr: 24 sent 20 {
        0 stream_buf: u64,
        8 stream_buf_len: u32,
        12 stream_id: u32,
        16 prog_fd: u32,
        20 pad: u32,
    }
}
