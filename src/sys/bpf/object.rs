#![allow(unsafe_code)]
//! What all kinds of objects share: pins, ids, information; and the commands about the kernel itself.

use super::call::{
    Command, address, address_mut, bpf, bpf_done, bpf_fd, length, name_text, raw, raw_or_zero,
};
use crate::Errno;
use crate::kinds::TaskFdType;
use crate::sys::attr::{
    EnableStatsAttr, IdAttr, InfoAttr, ObjAttr, TaskFdQueryAttr, TokenCreateAttr,
};
use std::ffi::CStr;
use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use zerocopy::{FromBytes, IntoBytes};

/// Fills `info` with what the kernel reports about an object.
///
/// # Safety
///
/// The pointer fields of `info` are null, or valid for the lengths next to them.
pub(super) unsafe fn object_info<T: FromBytes + IntoBytes>(
    object: BorrowedFd<'_>,
    info: &mut T,
) -> Result<(), Errno> {
    let bytes = info.as_mut_bytes();
    let mut attr = InfoAttr {
        bpf_fd: raw(object),
        info_len: length(bytes)?,
        info: address_mut(bytes),
    };
    // SAFETY: the struct is borrowed exclusively with its length, any bytes are a valid `T`, and the caller vouches for the
    // pointers inside. An object of an unexpected kind fills in other numbers, but never more bytes.
    unsafe { bpf(Command::ObjGetInfoByFd, &mut attr) }.map(drop)
}

/// `BPF_F_PATH_FD`.
const PATH_FD: u32 = 1 << 14;

/// Pins an object: gives it a path in a BPF file system. A relative `path` starts at `directory` (since Linux 6.5).
#[doc(alias = "bpf_obj_pin_opts")]
pub fn obj_pin(
    object: BorrowedFd<'_>,
    directory: Option<BorrowedFd<'_>>,
    path: &CStr,
) -> Result<(), Errno> {
    let mut attr = path_attr(directory, path);
    attr.bpf_fd = raw(object);
    // SAFETY: the path ends with a zero byte, at which the kernel stops.
    unsafe { bpf(Command::ObjPin, &mut attr) }.map(drop)
}

/// Opens a pinned object. `flags` may be `BPF_F_RDONLY` or `BPF_F_WRONLY`.
#[doc(alias = "bpf_obj_get_opts")]
pub fn obj_get(
    directory: Option<BorrowedFd<'_>>,
    path: &CStr,
    flags: u32,
) -> Result<OwnedFd, Errno> {
    let mut attr = path_attr(directory, path);
    attr.file_flags |= flags;
    // SAFETY: the path ends with a zero byte, at which the kernel stops; the command makes a descriptor.
    unsafe { bpf_fd(Command::ObjGet, &mut attr) }
}

fn path_attr(directory: Option<BorrowedFd<'_>>, path: &CStr) -> ObjAttr {
    ObjAttr {
        pathname: address(path.to_bytes_with_nul()),
        file_flags: if directory.is_some() { PATH_FD } else { 0 },
        path_fd: raw_or_zero(directory).cast_signed(),
        ..ObjAttr::default()
    }
}

/// The kinds of objects that have ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// Programs. Since Linux 4.13.
    Program,
    /// Maps. Since Linux 4.13.
    Map,
    /// BTF blobs; the kernel's and the modules' own since Linux 5.11.
    Btf,
    /// Links. Since Linux 5.8.
    Link,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Program => "program",
            Self::Map => "map",
            Self::Btf => "BTF blob",
            Self::Link => "link",
        })
    }
}

/// The smallest id above `after` of an object of this kind; `None` after the last one.
#[doc(alias = "bpf_prog_get_next_id")]
#[doc(alias = "bpf_map_get_next_id")]
#[doc(alias = "bpf_btf_get_next_id")]
#[doc(alias = "bpf_link_get_next_id")]
pub fn next_id(kind: ObjectKind, after: u32) -> Result<Option<u32>, Errno> {
    let command = match kind {
        ObjectKind::Program => Command::ProgGetNextId,
        ObjectKind::Map => Command::MapGetNextId,
        ObjectKind::Btf => Command::BtfGetNextId,
        ObjectKind::Link => Command::LinkGetNextId,
    };
    let mut attr = IdAttr {
        id: after,
        ..IdAttr::default()
    };
    // SAFETY: no pointers.
    match unsafe { bpf_done(command, &mut attr) } {
        Ok(()) => Ok(Some(attr.next_id)),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The ids of all objects of a kind, in ascending order. Returned by [`ids`].
#[derive(Debug, Clone)]
pub struct Ids {
    kind: ObjectKind,
    /// `None` after the end or an error.
    after: Option<u32>,
}

/// Iterates over the ids of all objects of a kind. Objects that come and go meanwhile may be missed.
pub fn ids(kind: ObjectKind) -> Ids {
    Ids {
        kind,
        after: Some(0),
    }
}

impl Iterator for Ids {
    type Item = Result<u32, Errno>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = next_id(self.kind, self.after?).transpose();
        self.after = next.and_then(Result::ok);
        next
    }
}

impl std::iter::FusedIterator for Ids {}

/// Opens an object by its id. `ENOENT` if it is gone (or about to go).
#[doc(alias = "bpf_prog_get_fd_by_id")]
#[doc(alias = "bpf_map_get_fd_by_id")]
#[doc(alias = "bpf_btf_get_fd_by_id")]
#[doc(alias = "bpf_link_get_fd_by_id")]
pub fn fd_by_id(kind: ObjectKind, id: u32) -> Result<OwnedFd, Errno> {
    fd_by_id_with(kind, id, 0)
}

/// [`fd_by_id`] with `open_flags`: for maps `BPF_F_RDONLY` or `BPF_F_WRONLY`; programs and links take none.
#[doc(alias = "bpf_prog_get_fd_by_id_opts")]
#[doc(alias = "bpf_map_get_fd_by_id_opts")]
#[doc(alias = "bpf_btf_get_fd_by_id_opts")]
#[doc(alias = "bpf_link_get_fd_by_id_opts")]
pub fn fd_by_id_with(kind: ObjectKind, id: u32, open_flags: u32) -> Result<OwnedFd, Errno> {
    let command = match kind {
        ObjectKind::Program => Command::ProgGetFdById,
        ObjectKind::Map => Command::MapGetFdById,
        ObjectKind::Btf => Command::BtfGetFdById,
        ObjectKind::Link => Command::LinkGetFdById,
    };
    let mut attr = IdAttr {
        id,
        open_flags,
        ..IdAttr::default()
    };
    // SAFETY: no pointers; the command makes a descriptor.
    unsafe { bpf_fd(command, &mut attr) }
}

/// Opens BTF by its id with a BPF token. Since Linux 6.15.
pub fn btf_by_id_with_token(id: u32, token: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let mut attr = IdAttr {
        id,
        open_flags: 1 << 16,
        token_fd: raw(token).cast_signed(),
        ..IdAttr::default()
    };
    // SAFETY: no pointers; the command makes a descriptor.
    unsafe { bpf_fd(Command::BtfGetFdById, &mut attr) }
}

/// What a process's descriptor is attached to. Returned by [`task_fd`](crate::attach::task_fd).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskFd {
    /// Id of the program.
    pub program_id: u32,
    /// What kind of event the descriptor is.
    pub kind: TaskFdType,
    /// Tracepoint, symbol or file.
    pub name: String,
    /// Offset from the symbol or from the start of the file, in bytes.
    pub offset: u64,
    /// Address, if there is no symbol.
    pub address: u64,
}

/// Asks what descriptor `fd` of process `pid` is attached to. Since Linux 4.18.
#[doc(alias = "bpf_task_fd_query")]
pub fn task_fd_query(pid: u32, fd: u32) -> Result<TaskFd, Errno> {
    let mut name = [0u8; 4096];
    let mut attr = TaskFdQueryAttr {
        pid,
        fd,
        buf_len: length(&name)?,
        buf: address_mut(&mut name),
        ..TaskFdQueryAttr::default()
    };
    // SAFETY: the only pointer is that of the name, with its true length.
    unsafe { bpf(Command::TaskFdQuery, &mut attr) }?;
    Ok(TaskFd {
        program_id: attr.prog_id,
        kind: TaskFdType(attr.fd_type),
        name: name_text(&name),
        offset: attr.probe_offset,
        address: attr.probe_addr,
    })
}

/// Counts the runs and run time of all programs while the descriptor is open. Since Linux 5.8.
#[doc(alias = "bpf_enable_stats")]
pub fn enable_run_time_stats() -> Result<OwnedFd, Errno> {
    // SAFETY: no pointers; the command makes a descriptor.
    unsafe { bpf_fd(Command::EnableStats, &mut EnableStatsAttr { kind: 0 }) }
}

/// Makes a token from a BPF file system that was mounted with delegation options. Since Linux 6.9. Kernels up to 7.2 know no
/// `flags` and answer `EINVAL` to any.
#[doc(alias = "bpf_token_create")]
pub fn token_create(bpffs: BorrowedFd<'_>, flags: u32) -> Result<OwnedFd, Errno> {
    let mut attr = TokenCreateAttr {
        flags,
        bpffs_fd: raw(bpffs),
    };
    // SAFETY: no pointers; the command makes a descriptor.
    unsafe { bpf_fd(Command::TokenCreate, &mut attr) }
}
