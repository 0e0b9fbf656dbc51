#![allow(unsafe_code)]
//! Checks what kind of object a descriptor refers to.
//!
//! One command fills the information structs of every kind of object, and the kernel reads the struct by the kind of the
//! descriptor: where one kind has the address of a name, another has a count of addresses. So before the kernel is handed
//! addresses of ours, it is asked whether the descriptor is of the kind they are meant for, by calls that find the object
//! and then fail.

use super::call::{Command, bpf_done, raw};
use super::object::ObjectKind;
use crate::Errno;
use crate::sys::attr::{LinkUpdateAttr, ProgBindMapAttr};
use std::os::fd::BorrowedFd;

/// A descriptor that is never open.
const NONE: u32 = u32::MAX;

/// `EINVAL` unless the descriptor is a link.
pub(super) fn ensure_link(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    refuse_unless(is_link(fd)?)
}

/// `EINVAL` unless the descriptor is a program. Kernels before Linux 5.10 can only be asked whether it is a link, the only
/// other kind of theirs whose information has lists.
pub(super) fn ensure_program(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    refuse_unless(is_program(fd)? || (!knows_programs()? && !is_link(fd)?))
}

/// `EINVAL` if the descriptor is a link or a program: the check for maps and BTF, which no call finds without changing them.
pub(super) fn ensure_map_or_btf(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    refuse_unless(!is_link(fd)? && !is_program(fd)?)
}

/// Whether the descriptor is a program or a link, if the kernel can tell.
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

/// Whether the kernel has the command that looks for programs: if so, it reports that [`NONE`] is not a descriptor.
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

/// The kernel looks for the first object, then for the one behind [`NONE`], which is not open (`EBADF`). A first object of
/// another kind is an invalid argument, and so is an unknown command.
fn found(answer: Result<(), Errno>) -> Result<bool, Errno> {
    match answer {
        Err(Errno::EBADF) => Ok(true),
        Err(Errno::EINVAL) => Ok(false),
        Err(errno) => Err(errno),
        Ok(()) => Err(Errno::EINVAL),
    }
}
