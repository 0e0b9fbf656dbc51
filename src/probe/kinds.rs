//! Which types of programs and maps, and which helper functions, the running kernel has.

use super::program::NOTHING;
use crate::btf::BtfEditor;
use crate::insn::Insn;
use crate::kinds::{AttachType, MapFlags, MapType, ProgramFlags, ProgramType};
use crate::load::{kernel_files, since};
use crate::sys::bpf::{self, Log, MapCreate, ProgLoad};
use crate::sys::system;
use crate::{Errno, KernelVersion, TypeId};
use std::os::fd::{AsFd, OwnedFd};

/// Whether the running kernel has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It has.
    Yes,
    /// It has not.
    No {
        /// The version of mainline Linux that brought it, if known: a kernel above it was built without it.
        since: Option<KernelVersion>,
    },
    /// There is no way to find out, or no right to.
    Unknown,
}

impl Support {
    /// Whether the kernel certainly has it.
    pub fn is_yes(self) -> bool {
        self == Self::Yes
    }

    fn of(has: bool, since: Option<KernelVersion>) -> Self {
        if has { Self::Yes } else { Self::No { since } }
    }
}

/// How a small program of a type is loaded, and what the kernel answers if it has the type.
struct Trial {
    attach_type: AttachType,
    flags: ProgramFlags,
    attach_btf_id: TypeId,
    /// For types that nothing this small can be loaded for: the refusal that shows that they exist.
    refusal: Option<(Errno, &'static str)>,
}

impl Trial {
    fn of(kind: ProgramType) -> Self {
        let attach_type = match kind {
            ProgramType::CGROUP_SOCK_ADDR => AttachType::CGROUP_INET4_CONNECT,
            ProgramType::CGROUP_SOCKOPT => AttachType::CGROUP_GETSOCKOPT,
            ProgramType::SK_LOOKUP => AttachType::SK_LOOKUP,
            ProgramType::TRACING => AttachType::TRACE_FENTRY,
            ProgramType::LSM => AttachType::LSM_MAC,
            ProgramType::NETFILTER => AttachType::NETFILTER,
            _ => AttachType::default(),
        };
        let refusal = match kind {
            ProgramType::TRACING | ProgramType::LSM => {
                Some((Errno::EINVAL, "attach_btf_id 1 is not a function"))
            }
            ProgramType::EXT => Some((Errno::EINVAL, "Cannot replace kernel functions")),
            ProgramType::STRUCT_OPS => Some((Errno::ENOTSUPP, "")),
            _ => None,
        };
        let flags = match kind {
            ProgramType::SYSCALL => ProgramFlags::SLEEPABLE,
            _ => ProgramFlags::empty(),
        };
        let by_type = refusal.is_some() && kind != ProgramType::STRUCT_OPS;
        Self {
            attach_type,
            flags,
            attach_btf_id: TypeId(u32::from(by_type)),
            refusal,
        }
    }

    fn load(&self, kind: ProgramType, insns: &[Insn], log: &mut [u8]) -> Result<OwnedFd, Errno> {
        let request = ProgLoad {
            program_type: kind,
            insns,
            license: c"GPL",
            // Kprobes of kernels before 5.0 must name them exactly.
            kernel_version: kernel_files::version().unwrap_or_default(),
            flags: self.flags,
            expected_attach_type: self.attach_type,
            attach_btf_id: self.attach_btf_id,
            ..ProgLoad::default()
        };
        bpf::prog_load(&request, Some(&mut Log::new(1, log)))
    }
}

/// Whether the running kernel has programs of this type.
#[doc(alias = "libbpf_probe_bpf_prog_type")]
pub fn program_kind(kind: ProgramType) -> Support {
    if kind == ProgramType::UNSPEC {
        return Support::No { since: None };
    }
    let trial = Trial::of(kind);
    let mut log = [0u8; 4096];
    let has = match (trial.load(kind, &NOTHING, &mut log), trial.refusal) {
        (Ok(_), _) => true,
        (Err(Errno::EPERM | Errno::EACCES), _) => return Support::Unknown,
        (Err(errno), Some((expected, words))) => errno == expected && says(&log, words),
        (Err(_), None) => false,
    };
    Support::of(has, since::program_type(kind))
}

/// Whether programs of this type can call this helper function, by its number.
#[doc(alias = "libbpf_probe_bpf_helper")]
pub fn helper(kind: ProgramType, helper: u32) -> Support {
    let Ok(number) = i32::try_from(helper) else {
        return Support::No { since: None };
    };
    let trial = Trial::of(kind);
    if trial.refusal.is_some() {
        return Support::Unknown;
    }
    let insns = [
        Insn::new(Insn::CALL, 0, 0, 0, number),
        Insn::new(Insn::EXIT, 0, 0, 0, 0),
    ];
    let mut log = [0u8; 4096];
    match trial.load(kind, &insns, &mut log) {
        Ok(_) => Support::Yes,
        // The type itself is not there, or may not be loaded: the verifier was never asked.
        Err(_) if log[0] == 0 => match program_kind(kind) {
            Support::Yes => Support::Yes,
            other => other,
        },
        // Wrong arguments are complained about only where the function itself is known.
        Err(_) => {
            const UNKNOWN: [&str; 3] = [
                "invalid func ",
                "unknown func ",
                "program of this type cannot use helper ",
            ];
            Support::of(!UNKNOWN.iter().any(|words| says(&log, words)), None)
        }
    }
}

fn says(log: &[u8], words: &str) -> bool {
    memchr::memmem::find(log, words.as_bytes()).is_some()
}

/// Whether the running kernel has maps of this type.
#[doc(alias = "libbpf_probe_bpf_map_type")]
pub fn map_kind(kind: MapType) -> Support {
    if kind == MapType::UNSPEC {
        return Support::No { since: None };
    }
    let inner = kind
        .is_map_of_maps()
        .then(|| bpf::map_create(&shape(MapType::HASH)));
    let inner = inner.and_then(Result::ok);
    let storage =
        kind == MapType::SK_STORAGE || shape(kind).max_entries == 0 && shape(kind).key_size == 4;
    let btf = if storage { storage_types() } else { None };
    let request = MapCreate {
        inner_map: inner.as_ref().map(AsFd::as_fd),
        btf: btf.as_ref().map(AsFd::as_fd),
        btf_key_type: TypeId(u32::from(storage)),
        btf_value_type: TypeId(if storage { 3 } else { 0 }),
        btf_vmlinux_value_type: TypeId(u32::from(kind == MapType::STRUCT_OPS)),
        ..shape(kind)
    };
    let has = match bpf::map_create(&request) {
        Ok(_) => true,
        Err(Errno::ENOTSUPP) => kind == MapType::STRUCT_OPS,
        Err(Errno::EPERM | Errno::EACCES) => return Support::Unknown,
        Err(_) => false,
    };
    Support::of(has, since::map_type(kind))
}

/// Sizes and flags that the type takes.
fn shape(map_type: MapType) -> MapCreate<'static> {
    let page = u32::try_from(system::page_size()).unwrap_or(4096);
    let (key_size, value_size, max_entries, flags) = match map_type {
        MapType::STACK_TRACE => (4, 8, 1, MapFlags::empty()),
        MapType::LPM_TRIE => (8, 8, 1, MapFlags::NO_PREALLOC),
        MapType::RHASH => (4, 4, 1, MapFlags::NO_PREALLOC),
        MapType::CGROUP_STORAGE | MapType::PERCPU_CGROUP_STORAGE => (16, 8, 0, MapFlags::empty()),
        MapType::QUEUE | MapType::STACK | MapType::BLOOM_FILTER => (0, 4, 1, MapFlags::empty()),
        MapType::SK_STORAGE
        | MapType::INODE_STORAGE
        | MapType::TASK_STORAGE
        | MapType::CGRP_STORAGE => (4, 8, 0, MapFlags::NO_PREALLOC),
        MapType::RINGBUF | MapType::USER_RINGBUF => (0, 0, page, MapFlags::empty()),
        MapType::ARENA => (0, 0, 1, MapFlags::MMAPABLE),
        MapType::INSN_ARRAY => (4, 16, 1, MapFlags::empty()),
        _ => (4, 4, 1, MapFlags::empty()),
    };
    MapCreate {
        kind: map_type,
        key_size,
        value_size,
        max_entries,
        flags,
        ..MapCreate::default()
    }
}

/// `int`, `struct bpf_spin_lock`, and a struct with one of each, as numbers 1 to 3.
fn storage_types() -> Option<OwnedFd> {
    let mut editor = BtfEditor::new();
    let int = editor.add_int("int", 4, 1);
    let lock = editor.add_composite(
        crate::btf::Kind::Struct,
        "bpf_spin_lock",
        4,
        &[("val", int, 0)],
    );
    editor.add_composite(
        crate::btf::Kind::Struct,
        "val",
        8,
        &[("cnt", int, 0), ("l", lock, 32)],
    );
    bpf::btf_load(&editor.finish(), None, None).ok()
}
