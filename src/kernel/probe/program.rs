//! Which programs the kernel loads.

use super::Token;
use super::answer::{Answer, unless_refused};
use super::btf;
use super::map::small_array;
use crate::btf::{BtfBuilder, Linkage};
use crate::insn::{Helper, Insn, class, mode, pseudo, size};
use crate::kinds::{AttachType, MapFlags, ProgramType};
use crate::sys::bpf::{self, Log, MapFd, ProgLoad, Records};
use crate::{Errno, TypeId};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

const MOV64_IMM: u8 = class::ALU64 | 0xb0;
const MOV64_REG: u8 = MOV64_IMM | 0x08;
const ADD64_IMM: u8 = class::ALU64;
const STORE_DW: u8 = class::ST | size::DW | mode::MEM;

pub(crate) const EXIT: Insn = Insn::new(Insn::EXIT, 0, 0, 0, 0);
/// A program that returns 0.
pub(crate) const NOTHING: [Insn; 2] = [mov(0, 0), EXIT];

pub(crate) const fn mov(register: u8, value: i32) -> Insn {
    Insn::new(MOV64_IMM, register, 0, 0, value)
}

const fn call(helper: Helper) -> Insn {
    Insn::new(Insn::CALL, 0, 0, 0, helper.immediate())
}

/// `ldimm64` of the address `offset` bytes into the first value of `map`.
fn value_address(map: &MapFd, offset: i32) -> [Insn; 2] {
    let fd = map.as_fd().as_raw_fd();
    [
        Insn::new(Insn::LD_IMM64, 1, pseudo::MAP_VALUE, 0, fd),
        Insn::new(0, 0, 0, 0, offset),
    ]
}

pub(super) fn load(
    kind: ProgramType,
    insns: &[Insn],
    token: Token<'_>,
) -> Result<Option<OwnedFd>, Errno> {
    load_for(kind, AttachType::default(), insns, token)
}

pub(super) fn load_for(
    kind: ProgramType,
    expected_attach_type: AttachType,
    insns: &[Insn],
    token: Token<'_>,
) -> Result<Option<OwnedFd>, Errno> {
    let load = ProgLoad {
        kind,
        expected_attach_type,
        insns,
        license: c"GPL",
        token,
        ..ProgLoad::default()
    };
    unless_refused(bpf::prog_load(&load, None))
}

pub(super) fn has_names(token: Token<'_>) -> Answer {
    let load = ProgLoad {
        kind: ProgramType::SOCKET_FILTER,
        insns: &NOTHING,
        license: c"GPL",
        token,
        name: "rawbpf_named",
        ..ProgLoad::default()
    };
    Ok(unless_refused(bpf::prog_load(&load, None))?.is_some())
}

/// A store into an array's value.
pub(super) fn has_global_data(token: Token<'_>) -> Answer {
    let Some(map) = small_array(32, MapFlags::empty(), token)? else {
        return Ok(false);
    };
    let [low, high] = value_address(&map, 16);
    let store = Insn::new(STORE_DW, 1, 0, 0, 42);
    let insns = [low, high, store, mov(0, 0), EXIT];
    Ok(load(ProgramType::SOCKET_FILTER, &insns, token)?.is_some())
}

/// `BPF_CGROUP_INET_SOCK_CREATE` is an attach type that such programs may state once the field exists.
pub(super) fn has_expected_attach_type(token: Token<'_>) -> Answer {
    let attach_type = AttachType::CGROUP_INET_SOCK_CREATE;
    Ok(load_for(ProgramType::CGROUP_SOCK, attach_type, &NOTHING, token)?.is_some())
}

pub(super) fn has_probe_read_kernel(token: Token<'_>) -> Answer {
    let insns = [
        Insn::new(MOV64_REG, 1, 10, 0, 0),
        Insn::new(ADD64_IMM, 1, 0, 0, -8),
        mov(2, 8),
        mov(3, 0),
        call(Helper::PROBE_READ_KERNEL),
        EXIT,
    ];
    Ok(load(ProgramType::TRACEPOINT, &insns, token)?.is_some())
}

pub(super) fn can_bind_maps(token: Token<'_>) -> Answer {
    let program = load(ProgramType::SOCKET_FILTER, &NOTHING, token)?;
    let map = small_array(32, MapFlags::empty(), token)?;
    let (Some(program), Some(map)) = (program, map) else {
        return Ok(false);
    };
    let bound = bpf::prog_bind_map(program.as_fd(), map.as_fd(), 0);
    Ok(unless_refused(bound)?.is_some())
}

pub(super) fn has_cookies(token: Token<'_>) -> Answer {
    let insns = [call(Helper::GET_ATTACH_COOKIE), EXIT];
    Ok(load(ProgramType::TRACEPOINT, &insns, token)?.is_some())
}

/// `bpf_ktime_get_coarse_ns` came in the same version as memory cgroup accounting (Linux 5.11).
pub(super) fn has_memcg_accounting(token: Token<'_>) -> Answer {
    let insns = [call(Helper::KTIME_GET_COARSE_NS), EXIT];
    Ok(load(ProgramType::SOCKET_FILTER, &insns, token)?.is_some())
}

/// `a` calls `b`, whose argument is a context only by its tag; without support for the tag, `bpf_get_func_ip` is refused.
pub(super) fn has_context_tag(token: Token<'_>) -> Answer {
    let mut types = BtfBuilder::new();
    let int = types.add_int("int", 4, 1);
    let pointer = types.add_ptr(TypeId::VOID);
    let mut add_function = |name| {
        let proto = types.add_func_proto(int, [("ctx", pointer)]);
        types.add_func(name, Linkage::Global, proto)
    };
    let (main, sub) = (add_function("a"), add_function("b"));
    types.add_decl_tag("arg:ctx", sub, Some(0));
    let Some(btf) = unless_refused(btf::upload(&types, token))? else {
        return Ok(false);
    };
    let functions: Vec<u8> = [0, main.0, 2, sub.0]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    let insns = [
        Insn::new(Insn::CALL, 0, pseudo::CALL, 0, 1),
        EXIT,
        call(Helper::GET_FUNC_IP),
        EXIT,
    ];
    let load = ProgLoad {
        kind: ProgramType::KPROBE,
        insns: &insns,
        license: c"GPL",
        token,
        btf: Some(btf.as_fd()),
        func_info: Records {
            size: 8,
            bytes: &functions,
        },
        ..ProgLoad::default()
    };
    Ok(unless_refused(bpf::prog_load(&load, None))?.is_some())
}

/// An offset beyond the value is refused either way; what counts is whether the verifier says so, or the older check of the
/// offset itself.
pub(super) fn has_wide_value_offsets(token: Token<'_>) -> Answer {
    let Some(map) = small_array(1, MapFlags::empty(), token)? else {
        return Ok(false);
    };
    let [low, high] = value_address(&map, 1 << 30);
    let load = ProgLoad {
        kind: ProgramType::SOCKET_FILTER,
        insns: &[low, high, EXIT],
        license: c"GPL",
        token,
        ..ProgLoad::default()
    };
    let mut buffer = [0u8; 4096];
    let loaded = bpf::prog_load(&load, Some(&mut Log::new(1, &mut buffer)));
    let wanted = b"invalid access to map value pointer";
    let refused = unless_refused(loaded)?.is_none();
    Ok(refused && memchr::memmem::find(&buffer, wanted).is_some())
}
