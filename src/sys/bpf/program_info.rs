#![allow(unsafe_code)]
//! What the kernel tells about a loaded program.

use super::call::{address_mut, length, name_text};
use super::object::object_info;
use super::sort::ensure_program;
use crate::insn::{INSN_SIZE, Insn};
use crate::sys::attr::RawProgInfo;
use crate::{Errno, ProgramType, TypeId};
use std::os::fd::BorrowedFd;
use zerocopy::IntoBytes;

/// What the kernel tells about a program. Returned by [`prog_info`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "bpf_prog_info")]
pub struct ProgInfo {
    /// What sort of program.
    pub program_type: ProgramType,
    /// Number of the program while it lives.
    pub id: u32,
    /// Hash of its instructions, descriptors left out.
    pub tag: [u8; 8],
    /// Name, at most 15 bytes.
    pub name: String,
    /// Bytes of machine code; 0 without a JIT (or without the right to see it).
    pub jited_len: u32,
    /// Bytes of instructions as the verifier left them.
    pub translated_len: u32,
    /// When it was loaded, in nanoseconds since the machine started.
    pub load_time: u64,
    /// Who loaded it.
    pub created_by_uid: u32,
    /// How many maps it uses.
    pub map_count: u32,
    /// Whether its license is compatible with the GPL.
    pub gpl_compatible: bool,
    /// Id of its BTF; 0 for none.
    pub btf_id: u32,
    /// How many records the kernel keeps that tell its functions' types. Since Linux 5.0.
    pub func_infos: u32,
    /// How many records the kernel keeps that tell its lines of source. Since Linux 5.0.
    pub line_infos: u32,
    /// Time it ran, in nanoseconds, while statistics were enabled.
    pub run_time_ns: u64,
    /// How often it ran while statistics were enabled.
    pub run_count: u64,
    /// How often it did not run because it was running already.
    pub recursion_misses: u64,
    /// Instructions that the verifier went through.
    pub verified_insns: u32,
    /// What it was loaded for, as a type; 0 for none.
    pub attach_btf_id: TypeId,
    /// Id of the BTF that `attach_btf_id` is in.
    pub attach_btf_obj_id: u32,
}

/// Asks the kernel about a program. Since Linux 4.13.
#[doc(alias = "bpf_prog_get_info_by_fd")]
pub fn prog_info(program: BorrowedFd<'_>) -> Result<ProgInfo, Errno> {
    let info = raw_info(program)?;
    Ok(ProgInfo {
        program_type: ProgramType(info.prog_type),
        id: info.id,
        tag: info.tag,
        name: name_text(&info.name),
        jited_len: info.jited_prog_len,
        translated_len: info.xlated_prog_len,
        load_time: info.load_time,
        created_by_uid: info.created_by_uid,
        map_count: info.nr_map_ids,
        gpl_compatible: info.bits & 1 != 0,
        btf_id: info.btf_id,
        func_infos: info.nr_func_info,
        line_infos: info.nr_line_info,
        run_time_ns: info.run_time_ns,
        run_count: info.run_cnt,
        recursion_misses: info.recursion_misses,
        verified_insns: info.verified_insns,
        attach_btf_id: TypeId(info.attach_btf_id),
        attach_btf_obj_id: info.attach_btf_obj_id,
    })
}

fn raw_info(program: BorrowedFd<'_>) -> Result<RawProgInfo, Errno> {
    ensure_program(program)?;
    let mut info = RawProgInfo::default();
    // SAFETY: all pointer fields of the information struct are zero.
    unsafe { object_info(program, &mut info) }?;
    Ok(info)
}

/// The ids of the maps that a program uses.
pub fn prog_map_ids(program: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    let mut ids = vec![0u32; raw_info(program)?.nr_map_ids as usize];
    let mut info = RawProgInfo {
        nr_map_ids: length(&ids)?,
        map_ids: address_mut(&mut ids),
        ..RawProgInfo::default()
    };
    // SAFETY: it is a program, as `raw_info` found; the only pointer is that of the ids, with their number.
    unsafe { object_info(program, &mut info) }?;
    ids.truncate(info.nr_map_ids as usize);
    Ok(ids)
}

/// The instructions of a program as the verifier left them. Empty without the right to see them.
pub fn prog_insns(program: BorrowedFd<'_>) -> Result<Vec<Insn>, Errno> {
    let mut words = vec![0u64; raw_info(program)?.xlated_prog_len as usize / INSN_SIZE];
    let mut info = RawProgInfo {
        xlated_prog_len: length(words.as_bytes())?,
        xlated_prog_insns: address_mut(&mut words),
        ..RawProgInfo::default()
    };
    // SAFETY: it is a program, as `raw_info` found; the only pointer is that of the instructions, with their length in bytes.
    unsafe { object_info(program, &mut info) }?;
    words.truncate(info.xlated_prog_len as usize / INSN_SIZE);
    Ok(words
        .iter()
        .map(|word| Insn::from_bytes(word.to_ne_bytes()))
        .collect())
}
