#![allow(unsafe_code)]
//! What the kernel reports about a loaded program.

use super::call::{address_mut, name_text};
use super::ensure::ensure_program;
use super::object::object_info;
use crate::sys::attr::RawProgInfo;
use crate::{Errno, ProgramType, TypeId};
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// What the kernel reports about a program, as numbers. The parts of variable length are read separately, with the methods
/// of [`Program`](crate::program::Program). Returned by [`Program::info`](crate::program::Program::info).
///
/// Fields that the kernel does not have yet, or does not show this process, are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "bpf_prog_info")]
pub struct ProgramInfo {
    /// Program type.
    pub kind: ProgramType,
    /// Id, unique while the program exists.
    pub id: u32,
    /// Hash of its instructions, without descriptors.
    pub tag: [u8; 8],
    /// Name, at most 15 bytes.
    pub name: String,
    /// Size of the machine code in bytes; 0 without a JIT, or without `CAP_BPF`.
    pub jited_len: u32,
    /// Size in bytes of the instructions as the verifier left them; 0 without `CAP_BPF`.
    pub translated_len: u32,
    /// When it was loaded, as time since boot.
    pub load_time: Duration,
    /// The user that loaded it.
    pub created_by_uid: u32,
    /// How many maps it uses.
    pub map_count: u32,
    /// Whether its license is compatible with the GPL.
    pub gpl_compatible: bool,
    /// Network interface that it is bound or offloaded to; 0 for none. Since Linux 4.16.
    pub ifindex: u32,
    /// Device number of that interface's network namespace. Since Linux 4.16.
    pub netns_dev: u64,
    /// Inode number of that interface's network namespace. Since Linux 4.16.
    pub netns_ino: u64,
    /// Number of functions in its machine code; 0 without `CAP_BPF`. Since Linux 4.18.
    pub jited_functions: u32,
    /// Id of its BTF; 0 for none. Since Linux 5.0.
    pub btf_id: u32,
    /// Number of `bpf_func_info` records, the types of its functions. Since Linux 5.0.
    pub func_infos: u32,
    /// Number of `bpf_line_info` records, its source lines. Since Linux 5.0.
    pub line_infos: u32,
    /// Number of source lines with a known address in machine code. Since Linux 5.0.
    pub jited_line_infos: u32,
    /// Total run time while statistics were enabled. Since Linux 5.1.
    pub run_time: Duration,
    /// How often it ran while statistics were enabled. Since Linux 5.1.
    pub run_count: u64,
    /// How often it was skipped because it was already running. Since Linux 5.12.
    pub recursion_misses: u64,
    /// Instructions that the verifier processed. Since Linux 5.16.
    pub verified_insns: u32,
    /// BTF id of what it was loaded for; 0 for none. Since Linux 5.18.
    pub attach_btf_id: TypeId,
    /// Id of the BTF that holds `attach_btf_id`. Since Linux 5.18.
    pub attach_btf_obj_id: u32,
}

/// Asks the kernel about a program. Since Linux 4.13.
#[doc(alias = "bpf_prog_get_info_by_fd")]
pub fn prog_info(program: BorrowedFd<'_>) -> Result<ProgramInfo, Errno> {
    let info = raw_info(program)?;
    Ok(ProgramInfo {
        kind: ProgramType(info.prog_type),
        id: info.id,
        tag: info.tag,
        name: name_text(&info.name),
        jited_len: info.jited_prog_len,
        translated_len: info.xlated_prog_len,
        load_time: Duration::from_nanos(info.load_time),
        created_by_uid: info.created_by_uid,
        map_count: info.nr_map_ids,
        gpl_compatible: info.bits & 1 != 0,
        ifindex: info.ifindex,
        netns_dev: info.netns_dev,
        netns_ino: info.netns_ino,
        jited_functions: info.nr_jited_ksyms,
        btf_id: info.btf_id,
        func_infos: info.nr_func_info,
        line_infos: info.nr_line_info,
        jited_line_infos: info.nr_jited_line_info,
        run_time: Duration::from_nanos(info.run_time_ns),
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

/// A part of a program's information of variable length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramPart {
    /// Ids of the maps it uses, four bytes each.
    MapIds,
    /// Its instructions as the verifier left them.
    Translated,
    /// The machine code of its functions, one after the other.
    Jited,
    /// The address of each function of the machine code, eight bytes each.
    JitedAddresses,
    /// The length of each function of the machine code, four bytes each.
    JitedLengths,
    /// `struct bpf_func_info` of each function.
    FuncInfo,
    /// `struct bpf_line_info` of each line.
    LineInfo,
    /// The address of each line in the machine code, eight bytes each.
    JitedLineInfo,
    /// The tag of each function, eight bytes each.
    FunctionTags,
}

/// The bytes of a part, and the size of its records. Returned by [`prog_part`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRecords {
    /// The records.
    pub bytes: Vec<u8>,
    /// Size of a record in bytes; at least that of the kernel's first version of it.
    pub record_size: usize,
}

/// More than any program needs: a million instructions are eight megabytes, and a few times that in machine code.
const MAX_PART: usize = 256 << 20;
/// How often a part is read again if it has grown since its length was reported.
const ATTEMPTS: u32 = 8;

impl ProgramPart {
    /// Where the number of records is in the information.
    fn count(self, info: &mut RawProgInfo) -> &mut u32 {
        match self {
            Self::MapIds => &mut info.nr_map_ids,
            Self::Translated => &mut info.xlated_prog_len,
            Self::Jited => &mut info.jited_prog_len,
            Self::JitedAddresses => &mut info.nr_jited_ksyms,
            Self::JitedLengths => &mut info.nr_jited_func_lens,
            Self::FuncInfo => &mut info.nr_func_info,
            Self::LineInfo => &mut info.nr_line_info,
            Self::JitedLineInfo => &mut info.nr_jited_line_info,
            Self::FunctionTags => &mut info.nr_prog_tags,
        }
    }

    /// Where the address of the buffer is in the information.
    fn address(self, info: &mut RawProgInfo) -> &mut u64 {
        match self {
            Self::MapIds => &mut info.map_ids,
            Self::Translated => &mut info.xlated_prog_insns,
            Self::Jited => &mut info.jited_prog_insns,
            Self::JitedAddresses => &mut info.jited_ksyms,
            Self::JitedLengths => &mut info.jited_func_lens,
            Self::FuncInfo => &mut info.func_info,
            Self::LineInfo => &mut info.line_info,
            Self::JitedLineInfo => &mut info.jited_line_info,
            Self::FunctionTags => &mut info.prog_tags,
        }
    }

    /// The size of a record. The kernel reports it for some parts, and expects it along with a buffer.
    fn record_size(self, info: &mut RawProgInfo) -> RecordSize<'_> {
        match self {
            Self::Translated | Self::Jited => RecordSize::Fixed(1),
            Self::MapIds | Self::JitedLengths => RecordSize::Fixed(4),
            Self::JitedAddresses | Self::FunctionTags => RecordSize::Fixed(8),
            Self::FuncInfo => RecordSize::Told(&mut info.func_info_rec_size),
            Self::LineInfo => RecordSize::Told(&mut info.line_info_rec_size),
            Self::JitedLineInfo => RecordSize::Told(&mut info.jited_line_info_rec_size),
        }
    }
}

enum RecordSize<'i> {
    Fixed(u32),
    Told(&'i mut u32),
}

impl RecordSize<'_> {
    fn get(&self) -> u32 {
        match self {
            Self::Fixed(size) => *size,
            Self::Told(size) => **size,
        }
    }

    fn set(self, wanted: u32) {
        if let Self::Told(size) = self {
            *size = wanted;
        }
    }
}

/// Reads one part of a program's information; the kernel reports its length first. A part that has grown meanwhile (a map
/// can be bound to a program at any time) is read again.
///
/// # Errors
///
/// `EPERM` if the kernel has it but does not show it: addresses and machine code are only for processes that may see kernel
/// addresses.
pub fn prog_part(program: BorrowedFd<'_>, part: ProgramPart) -> Result<PartRecords, Errno> {
    let mut known = raw_info(program)?;
    for _ in 0..ATTEMPTS {
        let count = *part.count(&mut known);
        let size = part.record_size(&mut known).get();
        let record_size = size as usize;
        let len = (count as usize).checked_mul(record_size);
        let len = len.filter(|len| *len <= MAX_PART).ok_or(Errno::E2BIG)?;
        let mut bytes = vec![0u8; len];
        if bytes.is_empty() {
            return Ok(PartRecords { bytes, record_size });
        }
        let mut info = RawProgInfo::default();
        *part.count(&mut info) = count;
        *part.address(&mut info) = address_mut(&mut bytes);
        part.record_size(&mut info).set(size);
        // SAFETY: `raw_info` found a program; the only pointer is the buffer's, which is as long as the number of records
        // next to it needs, at the size that the kernel reported or that is fixed.
        unsafe { object_info(program, &mut info) }?;
        // The kernel clears the address of what it does not show.
        if *part.address(&mut info) == 0 {
            return Err(Errno::EPERM);
        }
        let now = *part.count(&mut info);
        if now <= count {
            bytes.truncate((now as usize).saturating_mul(record_size));
            return Ok(PartRecords { bytes, record_size });
        }
        known = info;
    }
    Err(Errno::EAGAIN)
}
