//! Maps: creating them, accessing their elements one by one and in batches.

use super::layout::kernel_struct;

kernel_struct! {
    /// `BPF_MAP_CREATE`.
    MapCreateAttr: 96 sent 92 {
        0 map_type: u32,
        4 key_size: u32,
        8 value_size: u32,
        12 max_entries: u32,
        16 map_flags: u32,
        20 inner_map_fd: u32,
        24 numa_node: u32,
        28 map_name: [u8; 16],
        44 map_ifindex: u32,
        48 btf_fd: u32,
        52 btf_key_type_id: u32,
        56 btf_value_type_id: u32,
        60 btf_vmlinux_value_type_id: u32,
        64 map_extra: u64,
        72 value_type_btf_obj_fd: i32,
        76 map_token_fd: i32,
        80 excl_prog_hash: u64,
        88 excl_prog_hash_size: u32,
        92 pad: u32,
    }

    /// `BPF_MAP_{LOOKUP,UPDATE,DELETE,LOOKUP_AND_DELETE}_ELEM`, `BPF_MAP_GET_NEXT_KEY` (the value is the next key) and
    /// `BPF_MAP_FREEZE` (the descriptor only).
    MapElemAttr: 32 sent 32 {
        0 map_fd: u32,
        4 pad: u32,
        8 key: u64,
        16 value: u64,
        24 flags: u64,
    }

    /// `BPF_MAP_{LOOKUP,LOOKUP_AND_DELETE,UPDATE,DELETE}_BATCH`.
    MapBatchAttr: 56 sent 56 {
        0 in_batch: u64,
        8 out_batch: u64,
        16 keys: u64,
        24 values: u64,
        32 count: u32,
        36 map_fd: u32,
        40 elem_flags: u64,
        48 flags: u64,
    }
}
