//! The kernel features that loading depends on, and the version of Linux that introduced each.
//!
//! Pure: `probe` finds out whether the *running* kernel has a feature.

use crate::KernelVersion;

macro_rules! features {
    ($($(#[doc = $doc:literal])+ $name:ident => ($major:literal, $minor:literal);)*) => {
        /// A capability of the kernel that determines how an object is loaded.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[doc(alias = "kern_feature_id")]
        pub enum Feature {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Feature {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The version of mainline Linux that introduced it.
            pub fn since(self) -> KernelVersion {
                match self {
                    $(Self::$name => KernelVersion::new($major, $minor, 0),)*
                }
            }
        }
    };
}

features! {
    /// Programs and maps can have names.
    ProgName => (4, 15);
    /// Arrays can hold global variables that programs address directly.
    GlobalData => (5, 2);
    /// BTF can be uploaded at all.
    Btf => (4, 18);
    /// BTF can describe functions, and programs can carry function and line information.
    BtfFunc => (5, 0);
    /// BTF can mark a function as global.
    BtfGlobalFunc => (5, 6);
    /// BTF can describe variables and sections.
    BtfDatasec => (5, 2);
    /// BTF section names can start with a question mark.
    BtfQmarkDatasec => (6, 9);
    /// BTF can describe floating-point numbers.
    BtfFloat => (5, 13);
    /// BTF can tag declarations.
    BtfDeclTag => (5, 16);
    /// BTF can tag types.
    BtfTypeTag => (5, 17);
    /// BTF can describe 64-bit enumerations.
    BtfEnum64 => (6, 0);
    /// BTF can carry a layout section.
    BtfLayout => (7, 1);
    /// Arrays can be mapped into memory.
    ArrayMmap => (5, 5);
    /// Programs can be loaded with an expected attach type.
    ExpAttachType => (4, 17);
    /// `bpf_probe_read_kernel` and its siblings exist.
    ProbeReadKern => (5, 5);
    /// A map can be bound to a program.
    ProgBindMap => (5, 10);
    /// Kernel modules have BTF.
    ModuleBtf => (5, 11);
    /// Perf-event attachments can be links.
    PerfLink => (5, 15);
    /// `bpf_get_attach_cookie` exists.
    BpfCookie => (5, 15);
    /// One link can attach to many user-space probes.
    UprobeMultiLink => (6, 6);
    /// Memory of maps and programs is charged to the control group, not to `RLIMIT_MEMLOCK`.
    MemcgAccount => (5, 11);
    /// System calls have a wrapper function with an architecture prefix.
    SyscallWrapper => (4, 17);
    /// The verifier knows the declaration tag `arg:ctx`.
    ArgCtxTag => (6, 8);
    /// Direct map values can be addressed with any 32-bit offset.
    Ldimm64FullRangeOff => (7, 0);
    /// User-space probes enter the kernel through a system call.
    UprobeSyscall => (6, 18);
    /// `bpf()` takes attributes that are common to all commands.
    SyscallCommonAttrs => (7, 2);
}
