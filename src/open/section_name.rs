//! What a program's section name says: libbpf's `SEC()` table.

use crate::kinds::{AttachType, ProgramType};

bitflags::bitflags! {
    /// What a section name says besides type and attach type.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SectionFlags: u32 {
        /// The program may sleep.
        const SLEEPABLE = 1;
        /// The attach target is a BTF type that is looked up when loading.
        const ATTACH_BTF = 1 << 1;
        /// The attach type is left out for kernels that do not know it.
        const ATTACH_TYPE_OPTIONAL = 1 << 2;
        /// The attach type can be found by the section's name.
        const ATTACHABLE = 1 << 3;
        /// The program handles XDP packets in fragments.
        const XDP_FRAGS = 1 << 4;
        /// A user-space static probe.
        const USDT = 1 << 5;
    }
}

/// One entry of the table.
#[derive(Debug, PartialEq, Eq)]
#[doc(alias = "bpf_sec_def")]
pub struct SectionDef {
    /// The section's name or its part before the first `/`; ends in `+` if a target may follow, in `/` if one must.
    pub pattern: &'static str,
    /// The type of its programs.
    pub program_type: ProgramType,
    /// What they attach to.
    pub attach_type: AttachType,
    /// The rest.
    pub flags: SectionFlags,
    /// How the program is attached if the section's name says to what.
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
