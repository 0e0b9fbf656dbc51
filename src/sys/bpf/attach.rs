#![allow(unsafe_code)]
//! Attachments without a link, which live in their target; and what is attached to a target, by whatever means.

use super::call::{Command, address_mut, bpf, bpf_done, length, raw_or_zero};
use super::link::{LinkTarget, Order};
use crate::sys::attr::{ProgAttachAttr, ProgQueryAttr};
use crate::{AttachType, Errno};
use std::os::fd::BorrowedFd;

/// -1, which is no descriptor.
const NO_FD: u32 = u32::MAX;

/// What to attach without a link (`BPF_PROG_ATTACH`). The attachment lasts as long as its target.
#[derive(Debug, Clone, Copy)]
#[doc(alias = "bpf_prog_attach_opts")]
pub struct ProgAttach<'a> {
    /// A cgroup, a map, an interface.
    pub target: LinkTarget<'a>,
    /// The program; `None` to detach whatever is there.
    pub program: Option<BorrowedFd<'a>>,
    /// Which hook of the target.
    pub attach_type: AttachType,
    /// `BPF_F_*`.
    pub flags: u32,
    /// The program to replace.
    pub replaced: Option<BorrowedFd<'a>>,
    /// Its position among the target's programs.
    pub order: Order<'a>,
}

impl ProgAttach<'_> {
    fn attr(&self) -> ProgAttachAttr {
        let (relative, by_id) = self.order.neighbour.raw_and_flag();
        ProgAttachAttr {
            target: self.target.raw(),
            attach_bpf_fd: raw_or_zero(self.program),
            attach_type: self.attach_type.0,
            attach_flags: self.flags | by_id,
            replace_bpf_fd: raw_or_zero(self.replaced),
            relative,
            expected_revision: self.order.expected_revision,
        }
    }
}

/// Attaches without a link. Since Linux 4.10.
#[doc(alias = "bpf_prog_attach")]
pub fn prog_attach(attach: &ProgAttach<'_>) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { bpf_done(Command::ProgAttach, &mut attach.attr()) }
}

/// Whether the kernel knows an attach type and accepts these flags with it.
///
/// The kernel refuses an unknown type (`EINVAL`) before it looks for the program, and none is passed here (`EBADF`).
///
/// # Errors
///
/// Any other answer, such as `EPERM`.
pub fn prog_attach_is_known(attach_type: AttachType, flags: u32) -> Result<bool, Errno> {
    let mut attr = ProgAttachAttr {
        target: NO_FD,
        attach_bpf_fd: NO_FD,
        attach_type: attach_type.0,
        attach_flags: flags,
        ..ProgAttachAttr::default()
    };
    // SAFETY: no pointers.
    match unsafe { bpf_done(Command::ProgAttach, &mut attr) } {
        Ok(()) | Err(Errno::EBADF) => Ok(true),
        Err(Errno::EINVAL) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Detaches what [`prog_attach`] attached.
#[doc(alias = "bpf_prog_detach_opts")]
pub fn prog_detach(detach: &ProgAttach<'_>) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { bpf_done(Command::ProgDetach, &mut detach.attr()) }
}

/// What is attached to a target. Returned by [`AttachPoint::query`](crate::attach::AttachPoint::query).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[doc(alias = "bpf_prog_query_opts")]
pub struct Attached {
    /// The programs, in the order in which they run.
    pub programs: Vec<AttachedProgram>,
    /// Flags of the target as a whole, such as `BPF_F_ALLOW_MULTI` of a cgroup.
    pub flags: u32,
    /// Changes whenever the order does; 0 for targets without a revision.
    pub revision: u64,
}

/// One program of [`Attached`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AttachedProgram {
    /// Id of the program.
    pub id: u32,
    /// The flags it was attached with; 0 on kernels that do not report them (before 6.0).
    pub flags: u32,
    /// Id of the link that holds it. `None` if there is no link, and if the kernel does not report links for this target.
    pub link_id: Option<u32>,
}

/// How much a kernel reports about each program, most detailed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Flags and links. Since Linux 6.6.
    Links,
    /// Flags. Since Linux 6.0.
    Flags,
    /// Ids only.
    Ids,
}

/// `BPF_F_QUERY_EFFECTIVE`: include the programs of the cgroups above.
pub const QUERY_EFFECTIVE: u32 = 1 << 0;

/// Queries what is attached to a target. `flags` may be [`QUERY_EFFECTIVE`].
#[doc(alias = "bpf_prog_query_opts")]
pub fn prog_query(
    target: LinkTarget<'_>,
    attach_type: AttachType,
    flags: u32,
) -> Result<Attached, Errno> {
    let empty = ProgQueryAttr {
        target: target.raw(),
        attach_type: attach_type.0,
        query_flags: flags,
        ..ProgQueryAttr::default()
    };
    let mut detail = match flags {
        QUERY_EFFECTIVE => Detail::Ids,
        _ => Detail::Links,
    };
    // Programs may be attached between the two queries. Then the lists are too short, and both queries are repeated.
    for _ in 0..8 {
        let mut attr = empty;
        // SAFETY: no pointers.
        unsafe { bpf_done(Command::ProgQuery, &mut attr) }?;
        if attr.count == 0 {
            return Ok(attached(&attr, Vec::new()));
        }
        match programs(empty, attr.count, detail) {
            Err(Errno::ENOSPC) => {}
            Err(Errno::EINVAL | Errno::E2BIG) if detail == Detail::Links => detail = Detail::Flags,
            Err(Errno::EINVAL | Errno::E2BIG) if detail == Detail::Flags => detail = Detail::Ids,
            answer => return answer,
        }
    }
    Err(Errno::ENOSPC)
}

/// Queries into lists with room for `count` programs.
fn programs(mut attr: ProgQueryAttr, count: u32, detail: Detail) -> Result<Attached, Errno> {
    let room = count as usize;
    let (mut ids, mut flags, mut links) = (vec![0u32; room], vec![0u32; room], vec![0u32; room]);
    attr.prog_ids = address_mut(&mut ids);
    attr.count = length(&ids)?;
    if detail != Detail::Ids {
        attr.prog_attach_flags = address_mut(&mut flags);
    }
    if detail == Detail::Links {
        attr.link_ids = address_mut(&mut links);
    }
    // SAFETY: each list has room for `count` numbers, and the kernel writes no more than that to any of them.
    unsafe { bpf(Command::ProgQuery, &mut attr) }?;
    let rows = ids.iter().zip(&flags).zip(&links).take(attr.count as usize);
    let rows = rows.map(|((id, flags), link)| AttachedProgram {
        id: *id,
        flags: *flags,
        link_id: (*link != 0).then_some(*link),
    });
    Ok(attached(&attr, rows.collect()))
}

fn attached(attr: &ProgQueryAttr, programs: Vec<AttachedProgram>) -> Attached {
    Attached {
        programs,
        flags: attr.attach_flags,
        revision: attr.revision,
    }
}
