#![allow(unsafe_code)]
//! What sort of object a descriptor is.
//!
//! The information structs of all sorts are asked for with one command, and the kernel reads them as the descriptor says: where
//! one sort has the address of a name, another has a count of addresses. So before it is handed addresses of ours, it is asked
//! whether the descriptor is of the sort that they are meant for, by calls that find the object and then fail.

use super::call::{Command, bpf_done, raw};
use super::object::ObjectKind;
use crate::Errno;
use crate::sys::attr::{LinkUpdateAttr, ProgBindMapAttr};
use std::os::fd::BorrowedFd;

/// A descriptor that nobody has.
const NONE: u32 = u32::MAX;

/// `EINVAL` if the descriptor is no link's.
pub(super) fn ensure_link(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    refuse_unless(is_link(fd)?)
}

/// `EINVAL` if the descriptor is no program's. Kernels before Linux 5.10 are asked only whether it is a link's, the one other sort
/// of theirs with lists in its information.
pub(super) fn ensure_program(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    refuse_unless(is_program(fd)? || (!knows_programs()? && !is_link(fd)?))
}

/// `EINVAL` if the descriptor is a link's or a program's: for maps and BTF, which no call finds without doing something to them.
pub(super) fn ensure_map_or_btf(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    refuse_unless(!is_link(fd)? && !is_program(fd)?)
}

/// Whether the descriptor is a program's or a link's, if the kernel can tell.
pub(super) fn program_or_link(fd: BorrowedFd<'_>) -> Option<ObjectKind> {
    if is_program(fd) == Ok(true) {
        Some(ObjectKind::Program)
    } else if is_link(fd) == Ok(true) {
        Some(ObjectKind::Link)
    } else {
        None
    }
}

fn refuse_unless(met: bool) -> Result<(), Errno> {
    if met { Ok(()) } else { Err(Errno::EINVAL) }
}

fn is_link(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mut attr = LinkUpdateAttr {
        link_fd: raw(fd),
        new: NONE,
        ..LinkUpdateAttr::default()
    };
    // SAFETY: no pointers.
    found(unsafe { bpf_done(Command::LinkUpdate, &mut attr) })
}

fn is_program(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    finds_program(raw(fd))
}

/// Whether the kernel has the call that looks for programs: then it says that there is none behind no descriptor.
fn knows_programs() -> Result<bool, Errno> {
    finds_program(NONE)
}

fn finds_program(prog_fd: u32) -> Result<bool, Errno> {
    let mut attr = ProgBindMapAttr {
        prog_fd,
        map_fd: NONE,
        flags: 0,
    };
    // SAFETY: no pointers.
    found(unsafe { bpf_done(Command::ProgBindMap, &mut attr) })
}

/// The kernel looks for the first object, then for the one of descriptor [`NONE`], which is no open file (`EBADF`). A first one of
/// another sort is an invalid argument, as is a command that the kernel does not know.
fn found(answer: Result<(), Errno>) -> Result<bool, Errno> {
    match answer {
        Err(Errno::EBADF) => Ok(true),
        Err(Errno::EINVAL) => Ok(false),
        Err(errno) => Err(errno),
        Ok(()) => Err(Errno::EINVAL),
    }
}
