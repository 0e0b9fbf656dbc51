#![allow(unsafe_code)]
//! Programs: loading them, test runs, and the other commands on loaded programs.

use super::call::{
    Command, address, address_mut, bpf, bpf_done, bpf_fd, length, object_name, raw, raw_or_zero,
};
use crate::insn::Insn;
use crate::sys::attr::{
    ProgAssocStructOpsAttr, ProgBindMapAttr, ProgLoadAttr, ProgStreamReadAttr, ProgTestRunAttr,
};
use crate::sys::fd;
use crate::{AttachType, Errno, KernelVersion, ProgramFlags, ProgramType, TypeId};
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// How often a load is tried by default.
const LOAD_ATTEMPTS: u32 = 5;

/// Where the verifier (or the BTF checker) writes its log.
#[derive(Debug)]
pub struct Log<'a> {
    /// 1 for the usual log, 2 for every state, 4 for statistics.
    pub level: u32,
    /// Receives the text, which ends with a zero byte.
    pub buffer: &'a mut [u8],
    /// Size of the whole log in bytes, with its zero byte. 0 before Linux 6.4.
    pub true_size: u32,
}

impl<'a> Log<'a> {
    /// A log of this level.
    pub fn new(level: u32, buffer: &'a mut [u8]) -> Self {
        Self {
            level,
            buffer,
            true_size: 0,
        }
    }
}

/// Records of equal size, such as function and line information.
#[derive(Debug, Clone, Copy, Default)]
pub struct Records<'a> {
    /// Size of a record in bytes.
    pub size: u32,
    /// The records, one after the other.
    pub bytes: &'a [u8],
}

impl Records<'_> {
    fn count(&self) -> Result<u32, Errno> {
        if self.bytes.is_empty() {
            return Ok(0);
        }
        let size = self.size as usize;
        match self.bytes.len().checked_rem(size) {
            Some(0) => u32::try_from(self.bytes.len() / size).map_err(|_| Errno::E2BIG),
            _ => Err(Errno::EINVAL),
        }
    }

    fn size_if_any(&self) -> u32 {
        if self.bytes.is_empty() { 0 } else { self.size }
    }
}

/// Descriptors that instructions refer to by index. In calls of kernel functions, index 0 means the kernel proper, whatever
/// is there.
#[derive(Debug, Clone, Copy, Default)]
pub enum FdArray<'a> {
    /// None.
    #[default]
    None,
    /// The kernel looks only at those that instructions refer to. Since Linux 5.14.
    Sparse(&'a [BorrowedFd<'a>]),
    /// The kernel looks at all, and binds the maps among them to the program. Since Linux 6.14.
    Bound(&'a [BorrowedFd<'a>]),
}

/// What to load a program with (`BPF_PROG_LOAD`); fields left at their default are not sent.
#[derive(Debug, Clone, Copy, Default)]
#[doc(alias = "bpf_prog_load_opts")]
pub struct ProgLoad<'a> {
    /// Program type.
    pub kind: ProgramType,
    /// The instructions.
    pub insns: &'a [Insn],
    /// License; some helpers need one that is compatible with the GPL.
    pub license: &'a CStr,
    /// For kprobes before Linux 5.0, where it must equal the kernel's own.
    pub kernel_version: KernelVersion,
    /// Flags; the token's is set automatically.
    pub flags: ProgramFlags,
    /// Name; the kernel keeps 15 bytes. Since Linux 4.15.
    pub name: &'a str,
    /// Network interface to offload to.
    pub ifindex: u32,
    /// Where the program is meant to be attached. Since Linux 4.17.
    pub expected_attach_type: AttachType,
    /// BTF that the records below refer to.
    pub btf: Option<BorrowedFd<'a>>,
    /// `bpf_func_info` records. Since Linux 5.0.
    pub func_info: Records<'a>,
    /// `bpf_line_info` records. Since Linux 5.0.
    pub line_info: Records<'a>,
    /// BTF id of the function, tracepoint, hook or struct that the program is for. Since Linux 5.5.
    pub attach_btf_id: TypeId,
    /// What defines `attach_btf_id`: a program, or a module's BTF; `None` for the kernel itself.
    pub attach_to: Option<BorrowedFd<'a>>,
    /// Descriptors that instructions refer to by index.
    pub fd_array: FdArray<'a>,
    /// `bpf_core_relo` records for the kernel to apply. Since Linux 5.17.
    pub core_relos: Records<'a>,
    /// BPF token. Since Linux 6.9.
    pub token: Option<BorrowedFd<'a>>,
    /// Once set, the load is not tried (again) and ends with `EAGAIN`.
    pub stop: Option<&'a AtomicBool>,
    /// How often the load is tried while the kernel answers `EAGAIN` (a signal interrupted verification); 0 for five times.
    pub attempts: u32,
}

impl ProgLoad<'_> {
    fn attr(&self) -> Result<ProgLoadAttr, Errno> {
        let mut flags = self.flags;
        flags.set(ProgramFlags::TOKEN_FD, self.token.is_some());
        let (fds, bound) = match self.fd_array {
            FdArray::None => (&[][..], 0),
            FdArray::Sparse(fds) => (fds, 0),
            FdArray::Bound(fds) => (fds, length(fds)?),
        };
        Ok(ProgLoadAttr {
            prog_type: self.kind.0,
            insn_cnt: length(self.insns)?,
            insns: address(self.insns),
            license: address(self.license.to_bytes_with_nul()),
            kern_version: self.kernel_version.0,
            prog_flags: flags.bits(),
            prog_name: object_name(self.name),
            prog_ifindex: self.ifindex,
            expected_attach_type: self.expected_attach_type.0,
            prog_btf_fd: raw_or_zero(self.btf),
            func_info_rec_size: self.func_info.size_if_any(),
            func_info: address(self.func_info.bytes),
            func_info_cnt: self.func_info.count()?,
            line_info_rec_size: self.line_info.size_if_any(),
            line_info: address(self.line_info.bytes),
            line_info_cnt: self.line_info.count()?,
            attach_btf_id: self.attach_btf_id.0,
            attach_fd: raw_or_zero(self.attach_to),
            core_relo_cnt: self.core_relos.count()?,
            fd_array: address(fds),
            core_relos: address(self.core_relos.bytes),
            core_relo_rec_size: self.core_relos.size_if_any(),
            prog_token_fd: raw_or_zero(self.token).cast_signed(),
            fd_array_cnt: bound,
            ..ProgLoadAttr::default()
        })
    }
}

/// Loads a program, and retries while the kernel answers `EAGAIN`.
///
/// A kernel that knows only shorter func or line records answers `E2BIG` and reports the length it knows; the load is then
/// repeated with the rest of each record zeroed, as the kernel requires.
#[doc(alias = "bpf_prog_load")]
pub fn prog_load(load: &ProgLoad<'_>, log: Option<&mut Log<'_>>) -> Result<OwnedFd, Errno> {
    let mut log = log;
    let attr = load.attr()?;
    // SAFETY: every pointer was made from a slice that `load` borrows, with the length of that slice next to it. `fd_array`
    // may have no length: then the verifier reads the entries that instructions refer to, by copying from user memory, which
    // fails cleanly beyond what is mapped.
    let (result, after) = unsafe { load_with(attr, log.as_deref_mut(), load) };
    match result {
        Err(Errno::E2BIG) => {}
        other => return other,
    }
    let func_info = shortened(&load.func_info, after.func_info_rec_size);
    let line_info = shortened(&load.line_info, after.line_info_rec_size);
    if func_info.is_none() && line_info.is_none() {
        return result;
    }
    let mut attr = attr;
    if let Some(bytes) = &func_info {
        attr.func_info = address(bytes);
    }
    if let Some(bytes) = &line_info {
        attr.line_info = address(bytes);
    }
    // SAFETY: as above; the two replaced pointers are those of copies of equal length.
    unsafe { load_with(attr, log, load) }.0
}

/// One load, retried only on `EAGAIN`; returned with the attributes as the kernel left them.
///
/// # Safety
///
/// The pointers in `attr`, except the log's, are valid for reading the lengths next to them.
unsafe fn load_with(
    attr: ProgLoadAttr,
    log: Option<&mut Log<'_>>,
    load: &ProgLoad<'_>,
) -> (Result<OwnedFd, Errno>, ProgLoadAttr) {
    let mut attr = attr;
    let mut log = log;
    if let Some(log) = log.as_deref_mut() {
        let Ok(size) = length(log.buffer) else {
            return (Err(Errno::E2BIG), attr);
        };
        attr.log_level = log.level;
        attr.log_size = size;
        attr.log_buf = address_mut(log.buffer);
    }
    let mut result = Err(Errno::EAGAIN);
    let mut after = attr;
    let attempts = match load.attempts {
        0 => LOAD_ATTEMPTS,
        attempts => attempts,
    };
    for _ in 0..attempts {
        if load.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            break;
        }
        after = attr;
        // SAFETY: the caller's promise; the log buffer is borrowed exclusively, with its true length.
        result = unsafe { bpf(Command::ProgLoad, &mut after) };
        if !matches!(result, Err(Errno::EAGAIN)) {
            break;
        }
    }
    if let Some(log) = log {
        log.true_size = after.log_true_size;
    }
    let result = match result {
        // SAFETY: this command returns a new descriptor.
        Ok(raw) => unsafe { fd::adopt(raw) },
        Err(errno) => Err(errno),
    };
    (result, after)
}

/// The records, with zeros where the kernel, which knows `known` bytes of each, does not know the bytes. `None` if it knows
/// them all.
fn shortened(records: &Records<'_>, known: u32) -> Option<Vec<u8>> {
    if records.bytes.is_empty() || known == 0 || known >= records.size {
        return None;
    }
    let mut bytes = records.bytes.to_vec();
    for record in bytes.chunks_exact_mut(records.size as usize) {
        let (_, unknown) = record.split_at_mut(known as usize);
        unknown.fill(0);
    }
    Some(bytes)
}

/// What to run a program on (`BPF_PROG_TEST_RUN`).
#[derive(Debug, Default)]
#[doc(alias = "bpf_test_run_opts")]
pub struct TestRun<'a> {
    /// The packet.
    pub data_in: &'a [u8],
    /// Receives the packet as the program left it.
    pub data_out: &'a mut [u8],
    /// The context; a syscall program's is updated in place.
    pub context: &'a mut [u8],
    /// Receives the context as the program left it.
    pub context_out: &'a mut [u8],
    /// How many times to run; 0 means once.
    pub repeat: u32,
    /// `BPF_F_TEST_*`.
    pub flags: u32,
    /// Which CPU to run on, if `flags` say so.
    pub cpu: u32,
    /// Packets per batch, for live XDP frames.
    pub batch_size: u32,
}

/// The result of a test run. Returned by [`prog_test_run`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestRunResult {
    /// What the program returned.
    pub return_value: u32,
    /// Average duration of a run, in nanoseconds.
    pub nanoseconds: u32,
    /// Size of the output data, in bytes.
    pub data_len: usize,
    /// Size of the output context, in bytes.
    pub context_len: usize,
}

/// Runs a program without attaching it. Since Linux 4.12; which program types can be run depends on the kernel.
#[doc(alias = "bpf_prog_test_run_opts")]
#[doc(alias = "BPF_PROG_RUN")]
pub fn prog_test_run(
    program: BorrowedFd<'_>,
    run: &mut TestRun<'_>,
) -> Result<TestRunResult, Errno> {
    let mut attr = ProgTestRunAttr {
        prog_fd: raw(program),
        data_size_in: length(run.data_in)?,
        data_size_out: length(run.data_out)?,
        data_in: address(run.data_in),
        // Null for an empty slice: with a size of zero alone, the kernel would write all it has.
        data_out: address_mut(run.data_out),
        repeat: run.repeat,
        ctx_size_in: length(run.context)?,
        ctx_size_out: length(run.context_out)?,
        ctx_in: address_mut(run.context),
        ctx_out: address_mut(run.context_out),
        flags: run.flags,
        cpu: run.cpu,
        batch_size: run.batch_size,
        ..ProgTestRunAttr::default()
    };
    // SAFETY: each pointer comes with the length of its slice, and is null where that is zero; the slices that the kernel
    // writes are borrowed exclusively (including the context, which a syscall program updates).
    unsafe { bpf(Command::ProgTestRun, &mut attr) }?;
    Ok(TestRunResult {
        return_value: attr.retval,
        nanoseconds: attr.duration,
        data_len: attr.data_size_out as usize,
        context_len: attr.ctx_size_out as usize,
    })
}

/// Keeps a map alive as long as a program, even if no instruction refers to it. Since Linux 5.10. Kernels up to 7.2 know no
/// `flags` and answer `EINVAL` to any.
#[doc(alias = "bpf_prog_bind_map")]
pub fn prog_bind_map(
    program: BorrowedFd<'_>,
    map: BorrowedFd<'_>,
    flags: u32,
) -> Result<(), Errno> {
    let mut attr = ProgBindMapAttr {
        prog_fd: raw(program),
        map_fd: raw(map),
        flags,
    };
    // SAFETY: no pointers.
    unsafe { bpf_done(Command::ProgBindMap, &mut attr) }
}

/// Associates a program with a struct_ops map, whose kernel functions it may then call. Since Linux 6.19.
#[doc(alias = "bpf_prog_assoc_struct_ops")]
pub fn prog_assoc_struct_ops(map: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut attr = ProgAssocStructOpsAttr {
        map_fd: raw(map),
        prog_fd: raw(program),
        flags: 0,
    };
    // SAFETY: no pointers.
    unsafe { bpf_done(Command::ProgAssocStructOps, &mut attr) }
}

/// Reads text from a program's stream, removing it, and returns the number of bytes. Since Linux 6.17.
#[doc(alias = "bpf_prog_stream_read")]
pub fn prog_stream_read(
    program: BorrowedFd<'_>,
    stream: u32,
    buffer: &mut [u8],
) -> Result<usize, Errno> {
    let mut attr = ProgStreamReadAttr {
        stream_buf: address_mut(buffer),
        stream_buf_len: length(buffer)?,
        stream_id: stream,
        prog_fd: raw(program),
        pad: 0,
    };
    // SAFETY: the buffer is borrowed exclusively, with its length next to it.
    let read = unsafe { bpf(Command::ProgStreamReadByFd, &mut attr) }?;
    Ok(usize::try_from(read).unwrap_or(0).min(buffer.len()))
}

/// Opens a raw tracepoint, or attaches a tracing program the old way (`name` is `None`); the descriptor is a link. Since
/// Linux 4.17; a nonzero cookie since 6.10.
#[doc(alias = "bpf_raw_tracepoint_open_opts")]
pub fn raw_tracepoint_open(
    name: Option<&CStr>,
    program: BorrowedFd<'_>,
    cookie: u64,
) -> Result<OwnedFd, Errno> {
    let mut attr = crate::sys::attr::RawTracepointOpenAttr {
        name: name.map_or(0, |name| address(name.to_bytes_with_nul())),
        prog_fd: raw(program),
        pad: 0,
        cookie,
    };
    // SAFETY: the name is null or ends with a zero byte, at which the kernel stops; the command makes a descriptor.
    unsafe { bpf_fd(Command::RawTracepointOpen, &mut attr) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_that_the_kernel_does_not_know_are_zeroed() {
        let records = Records {
            size: 4,
            bytes: &[1, 2, 3, 4, 5, 6, 7, 8],
        };
        assert_eq!(shortened(&records, 3), Some(vec![1, 2, 3, 0, 5, 6, 7, 0]));
        assert_eq!(shortened(&records, 4), None);
        assert_eq!(shortened(&Records::default(), 3), None);
    }

    #[test]
    fn records_must_be_whole() {
        let of = |size, bytes| Records { size, bytes }.count();
        assert_eq!(of(8, &[0; 24]), Ok(3));
        assert_eq!(of(8, &[0; 20]), Err(Errno::EINVAL));
        assert_eq!(of(0, &[0; 20]), Err(Errno::EINVAL));
        assert_eq!(of(0, &[]), Ok(0));
    }
}
