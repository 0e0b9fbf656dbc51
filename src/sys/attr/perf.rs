//! `perf_event_open(2)`'s argument block.

use super::layout::kernel_struct;

kernel_struct! {
    /// `struct perf_event_attr` as of its fifth version (Linux 4.1), which holds all that is used here.
    PerfEventAttr: 112 sent 112 {
        0 kind: u32,
        4 size: u32,
        8 config: u64,
        16 sample_period: u64,
        24 sample_type: u64,
        32 read_format: u64,
        40 bits: u64,
        48 wakeup_events: u32,
        52 bp_type: u32,
        56 config1: u64,
        64 config2: u64,
        72 branch_sample_type: u64,
        80 sample_regs_user: u64,
        88 sample_stack_user: u32,
        92 clockid: i32,
        96 sample_regs_intr: u64,
        104 aux_watermark: u32,
        108 sample_max_stack: u16,
        110 reserved: u16,
    }
}
