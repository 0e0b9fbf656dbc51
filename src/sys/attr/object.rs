//! What all kinds of objects share: pins, ids, information, and the commands about the kernel itself.

use super::layout::kernel_struct;

kernel_struct! {
    /// Attributes common to all commands, passed in a block of their own. Since Linux 7.2.
    CommonAttr: 24 sent 20 {
        0 log_buf: u64,
        8 log_size: u32,
        12 log_level: u32,
        16 log_true_size: u32,
        20 pad: u32,
    }

    /// `BPF_OBJ_PIN` and `BPF_OBJ_GET`.
    ObjAttr: 24 sent 20 {
        0 pathname: u64,
        8 bpf_fd: u32,
        12 file_flags: u32,
        16 path_fd: i32,
        20 pad: u32,
    }

    /// `BPF_{PROG,MAP,BTF,LINK}_GET_NEXT_ID` (`id` is the one before) and `..._GET_FD_BY_ID`.
    IdAttr: 16 sent 16 {
        0 id: u32,
        4 next_id: u32,
        8 open_flags: u32,
        12 token_fd: i32,
    }

    /// `BPF_OBJ_GET_INFO_BY_FD`.
    InfoAttr: 16 sent 16 {
        0 bpf_fd: u32,
        4 info_len: u32,
        8 info: u64,
    }

    /// `BPF_TASK_FD_QUERY`.
    TaskFdQueryAttr: 48 sent 48 {
        0 pid: u32,
        4 fd: u32,
        8 flags: u32,
        12 buf_len: u32,
        16 buf: u64,
        24 prog_id: u32,
        28 fd_type: u32,
        32 probe_offset: u64,
        40 probe_addr: u64,
    }

    /// `BPF_ENABLE_STATS`.
    EnableStatsAttr: 4 sent 4 {
        0 kind: u32,
    }

    /// `BPF_TOKEN_CREATE`.
    TokenCreateAttr: 8 sent 8 {
        0 flags: u32,
        4 bpffs_fd: u32,
    }
}
