//! Which program types, map types and helper functions the running kernel has.

use super::btf::upload;
use super::program::NOTHING;
use crate::btf::{BtfBuilder, Kind};
use crate::insn::{Helper, Insn};
use crate::kernel::{btf, files};
use crate::kinds::{AttachType, MapFlags, MapType, ProgramFlags, ProgramType};
use crate::since;
use crate::sys::bpf::{self, Log, MapCreate, ProgLoad};
use crate::sys::system;
use crate::{Errno, Error, ErrorKind, KernelVersion, Result, TypeId, did_you_mean};
use std::os::fd::{AsFd, OwnedFd};

/// Whether the running kernel has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It does.
    Yes,
    /// It does not.
    No {
        /// The mainline version that introduced it, if known: a newer kernel was built without it.
        since: Option<KernelVersion>,
    },
    /// It cannot be found out, or not with the rights of this process.
    Unknown,
}

impl Support {
    /// Whether the kernel is known to have it.
    pub fn is_yes(self) -> bool {
        self == Self::Yes
    }

    fn of(has: bool, since: Option<KernelVersion>) -> Self {
        if has { Self::Yes } else { Self::No { since } }
    }
}

/// How a tiny program of a type is loaded, and what the kernel answers if it has the type.
struct Trial {
    attach_type: AttachType,
    flags: ProgramFlags,
    attach_btf_id: TypeId,
    /// For types that nothing this small can be loaded as: the refusal that shows that the type exists.
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
            kind,
            insns,
            license: c"GPL",
            // Before Linux 5.0, kprobe programs must state the exact kernel version.
            kernel_version: files::version().unwrap_or_default(),
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

/// What the verifier says about a call of a helper function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Called {
    /// Programs of this type can call it.
    Known,
    /// Programs of other types can call it.
    NotHere,
    /// The kernel has no helper with this number.
    NoSuch,
    Unknown,
}

/// Whether any program can call this helper function, such as `probe_read_kernel` (or `bpf_probe_read_kernel`).
///
/// For programs of one type, see [`helper_in`]. `struct_ops` programs are not tried.
///
/// # Errors
/// `NotFound` if no kernel has this name; the message lists the nearest names.
#[doc(alias = "libbpf_probe_bpf_helper")]
pub fn helper(name: &str) -> Result<Support> {
    /// The only helper that is for `struct_ops` programs alone.
    const NOT_TRIED: Helper = Helper::TCP_SEND_ACK;
    let helper = Helper::find(name)?;
    let mut unknown = helper == NOT_TRIED;
    for kind in ProgramType::ALL {
        match call(*kind, helper) {
            Called::Known => return Ok(Support::Yes),
            Called::NoSuch => return Ok(Support::No { since: None }),
            Called::NotHere => {}
            Called::Unknown => {
                unknown |= !matches!(*kind, ProgramType::EXT | ProgramType::STRUCT_OPS);
            }
        }
    }
    Ok(if unknown {
        Support::Unknown
    } else {
        Support::No { since: None }
    })
}

/// Whether programs of this type can call this helper function; [`Helper::find`] turns a name into a helper.
#[doc(alias = "libbpf_probe_bpf_helper")]
pub fn helper_in(kind: ProgramType, helper: Helper) -> Support {
    match call(kind, helper) {
        Called::Known => Support::Yes,
        Called::NotHere | Called::NoSuch => Support::No { since: None },
        Called::Unknown => Support::Unknown,
    }
}

fn call(kind: ProgramType, helper: Helper) -> Called {
    if kind == ProgramType::UNSPEC || i32::try_from(helper.0).is_err() {
        return Called::NotHere;
    }
    let insns = [
        Insn::new(Insn::CALL, 0, 0, 0, helper.immediate()),
        Insn::new(Insn::EXIT, 0, 0, 0, 0),
    ];
    // Kernels refuse a `struct_ops` program that names no struct in different ways, some without a log.
    if kind == ProgramType::STRUCT_OPS || Trial::of(kind).refusal.is_some() {
        return call_in_place(kind, &insns);
    }
    match Trial::of(kind).call(kind, &insns) {
        Some(called) => called,
        // The type itself is missing or may not be loaded: the verifier was never asked.
        None => match program_kind(kind) {
            Support::Yes => Called::Known,
            Support::No { .. } => Called::NotHere,
            Support::Unknown => Called::Unknown,
        },
    }
}

/// For programs that are checked against a kernel function or hook: one that most kernels have.
fn call_in_place(kind: ProgramType, insns: &[Insn]) -> Called {
    const NONE: ProgramFlags = ProgramFlags::empty();
    const PLACES: [(ProgramType, AttachType, ProgramFlags, Kind, &str); 6] = [
        (
            ProgramType::TRACING,
            AttachType::TRACE_RAW_TP,
            NONE,
            Kind::Typedef,
            "btf_trace_sys_enter",
        ),
        (
            ProgramType::TRACING,
            AttachType::TRACE_FENTRY,
            NONE,
            Kind::Func,
            "bpf_fentry_test1",
        ),
        (
            ProgramType::TRACING,
            AttachType::TRACE_FEXIT,
            NONE,
            Kind::Func,
            "bpf_fentry_test1",
        ),
        (
            ProgramType::TRACING,
            AttachType::TRACE_ITER,
            NONE,
            Kind::Func,
            "bpf_iter_task",
        ),
        (
            ProgramType::LSM,
            AttachType::LSM_MAC,
            NONE,
            Kind::Func,
            "bpf_lsm_file_open",
        ),
        (
            ProgramType::LSM,
            AttachType::LSM_MAC,
            ProgramFlags::SLEEPABLE,
            Kind::Func,
            "bpf_lsm_file_open",
        ),
    ];
    let Ok(types) = btf::vmlinux() else {
        return Called::Unknown;
    };
    let mut best = Called::Unknown;
    for (_, attach_type, flags, what, name) in PLACES.iter().filter(|place| place.0 == kind) {
        let Some(attach_btf_id) = types.find(name, *what) else {
            continue;
        };
        let trial = Trial {
            attach_type: *attach_type,
            flags: *flags,
            attach_btf_id,
            refusal: None,
        };
        match trial.call(kind, insns) {
            Some(Called::NotHere) => best = Called::NotHere,
            Some(called) => return called,
            None => {}
        }
    }
    best
}

impl Trial {
    /// What the verifier says about a program that calls a helper; `None` if it was not asked.
    fn call(&self, kind: ProgramType, insns: &[Insn]) -> Option<Called> {
        let mut log = [0u8; 4096];
        if self.load(kind, insns, &mut log).is_ok() {
            return Some(Called::Known);
        }
        // The verifier prints each instruction before it checks it. What it says before that is about the attach target:
        // that it may not sleep, for example.
        if !says(&log, "(85) call ") && !says(&log, " func ") {
            return None;
        }
        // The verifier complains about wrong arguments only if it knows the function.
        Some(if says(&log, "invalid func ") {
            Called::NoSuch
        } else if says(&log, "unknown func ")
            || says(&log, "program of this type cannot use helper ")
        {
            Called::NotHere
        } else {
            Called::Known
        })
    }
}

fn says(log: &[u8], words: &str) -> bool {
    memchr::memmem::find(log, words.as_bytes()).is_some()
}

/// Whether the running kernel has maps of this type, such as `ringbuf` (or `BPF_MAP_TYPE_RINGBUF`).
///
/// # Errors
/// `NotFound` if no kernel has this name; the message lists the nearest names.
#[doc(alias = "libbpf_probe_bpf_map_type")]
pub fn map(name: &str) -> Result<Support> {
    let plain = plain_name(name, "bpf_map_type_");
    let known = || MapType::ALL.iter().filter_map(|kind| kind.name());
    let kind = MapType::from_name(&plain);
    kind.map(map_kind)
        .ok_or_else(|| no_type("map", name, &did_you_mean(&plain, known())))
}

/// Whether the running kernel has programs of this type, such as `xdp` (or `BPF_PROG_TYPE_XDP`).
///
/// # Errors
/// `NotFound` if no kernel has this name; the message lists the nearest names.
#[doc(alias = "libbpf_probe_bpf_prog_type")]
pub fn program(name: &str) -> Result<Support> {
    let plain = plain_name(name, "bpf_prog_type_");
    let known = || ProgramType::ALL.iter().filter_map(|kind| kind.name());
    let kind = ProgramType::from_name(&plain);
    kind.map(program_kind)
        .ok_or_else(|| no_type("program", name, &did_you_mean(&plain, known())))
}

/// The short form of a name, which may be given as in C.
fn plain_name(name: &str, prefix: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix(prefix) {
        Some(plain) => plain.to_owned(),
        None => name,
    }
}

#[cold]
fn no_type(what: &str, name: &str, near: &str) -> Error {
    let message = format!("there is no {what} type `{name}`{near}");
    Error::new(ErrorKind::NotFound, message)
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

/// Sizes and flags that the type accepts.
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

/// `int`, `struct bpf_spin_lock`, and a struct with one of each, as types 1 to 3.
fn storage_types() -> Option<OwnedFd> {
    let mut types = BtfBuilder::new();
    let int = types.add_int("int", 4, 1);
    let lock = types.add_struct("bpf_spin_lock", 4, &[("val", int, 0)]);
    types.add_struct("val", 8, &[("cnt", int, 0), ("l", lock, 32)]);
    upload(&types, None).ok()
}
