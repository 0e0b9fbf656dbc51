#![allow(unsafe_code)]
//! Links: creating them, changing their program, asking about them.

use super::call::{Command, address, bpf_done, bpf_fd, length, raw, raw_or_zero};
use crate::sys::attr::{
    IterArm, IterCgroupInfo, IterCreateAttr, IterMapInfo, IterTaskInfo, KprobeMultiArm, LinkArm,
    LinkCreateAttr, LinkDetachAttr, LinkUpdateAttr, NetfilterArm, OrderArm, PerfEventArm,
    TracingArm, TracingMultiArm, UprobeMultiArm,
};
use crate::{AttachType, Errno, TypeId};
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// `BPF_F_ID`: the neighbour is given by its id.
const BY_ID: u32 = 1 << 5;

/// What a program (or a struct_ops map) is attached to.
#[derive(Debug, Clone, Copy, Default)]
pub enum LinkTarget<'a> {
    /// Only what the program was loaded for.
    #[default]
    None,
    /// A perf event, cgroup, network namespace, map or program.
    Fd(BorrowedFd<'a>),
    /// A network interface.
    Interface(u32),
    /// An invalid descriptor (-1): a kernel that knows the kind of link answers `EBADF`.
    Invalid,
}

impl LinkTarget<'_> {
    pub(super) fn raw(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Fd(fd) => raw(fd),
            Self::Interface(index) => index,
            Self::Invalid => u32::MAX,
        }
    }
}

/// A position among a target's programs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Order<'a> {
    /// The program or link that `BPF_F_BEFORE`, `BPF_F_AFTER` or `BPF_F_REPLACE` refers to.
    pub neighbour: Neighbour<'a>,
    /// Attach only if the order is still at this revision; 0 for any.
    pub expected_revision: u64,
}

/// A program or link that is already attached.
#[derive(Debug, Clone, Copy, Default)]
pub enum Neighbour<'a> {
    /// None: the start or the end.
    #[default]
    None,
    /// By descriptor.
    Fd(BorrowedFd<'a>),
    /// By id.
    Id(u32),
}

impl Neighbour<'_> {
    pub(super) fn raw_and_flag(self) -> (u32, u32) {
        match self {
            Self::None => (0, 0),
            Self::Fd(fd) => (raw(fd), 0),
            Self::Id(id) => (id, BY_ID),
        }
    }
}

/// What an iterator walks over.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum IterTarget<'a> {
    /// The elements of a map.
    Map(BorrowedFd<'a>),
    /// Cgroups, starting at one of them. Since Linux 6.1.
    Cgroup {
        /// Which of them, and in which order.
        order: CgroupOrder,
        /// Where to start; if `None`, `id` says.
        cgroup: Option<BorrowedFd<'a>>,
        /// Id of the cgroup to start at, if there is no descriptor; 0 for none.
        id: u64,
    },
    /// One task, or the threads of a process. Since Linux 6.1.
    Task {
        /// Id of one thread; 0 for none.
        tid: u32,
        /// Id of the process whose threads are visited; 0 for none.
        pid: u32,
        /// A pidfd of the process whose threads are visited.
        pid_fd: Option<BorrowedFd<'a>>,
    },
}

/// Which cgroups an iterator visits, starting at a given one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "bpf_cgroup_iter_order")]
pub enum CgroupOrder {
    /// Only that one.
    Itself = 1,
    /// That one and all below it, parents first.
    Descendants = 2,
    /// That one and all below it, children first.
    DescendantsFirst = 3,
    /// That one and all above it.
    Ancestors = 4,
    /// Its children, without itself. Since Linux 7.0.
    Children = 5,
}

/// The functions of a kprobe.multi link.
#[derive(Debug, Clone, Copy)]
pub enum Functions<'a> {
    /// By name.
    Names(&'a [&'a CStr]),
    /// By address.
    Addresses(&'a [u64]),
}

/// The file of an uprobe.multi link.
#[derive(Debug, Clone, Copy)]
pub enum UprobeFile<'a> {
    /// By path.
    Path(&'a CStr),
    /// By an open descriptor. Since Linux 7.2.
    #[doc(alias = "BPF_F_UPROBE_MULTI_PATH_FD")]
    Fd(BorrowedFd<'a>),
}

/// What a kind of link needs besides program, target and attach type.
#[derive(Debug, Clone, Copy, Default)]
pub enum LinkOptions<'a> {
    /// Nothing.
    #[default]
    None,
    /// A perf event. Since Linux 5.15.
    PerfEvent {
        /// Passed to the program (`bpf_get_attach_cookie`).
        cookie: u64,
    },
    /// fentry and the like, LSM hooks, replaced functions. Since Linux 6.0.
    Tracing {
        /// The function to attach to, if not the one that the program was loaded for.
        target: TypeId,
        /// Passed to the program (`bpf_get_attach_cookie`).
        cookie: u64,
    },
    /// An iterator with a target.
    Iter(IterTarget<'a>),
    /// Many kernel functions. Since Linux 5.18.
    KprobeMulti {
        /// 1 to run on return.
        flags: u32,
        /// The functions, by name or address.
        functions: Functions<'a>,
        /// One for each function, or empty.
        cookies: &'a [u64],
    },
    /// Many offsets in a file. Since Linux 6.6.
    UprobeMulti {
        /// The executable or library.
        file: UprobeFile<'a>,
        /// 1 to run on return.
        flags: u32,
        /// Offsets in the file, in bytes.
        offsets: &'a [u64],
        /// File offset of each probe's semaphore, or empty.
        ref_ctr_offsets: &'a [u64],
        /// One for each offset, or empty.
        cookies: &'a [u64],
        /// Only in this process; 0 for all.
        pid: i32,
    },
    /// Many kernel functions by type. Since Linux 7.2.
    TracingMulti {
        /// The functions' BTF ids.
        ids: &'a [u32],
        /// One for each function, or empty.
        cookies: &'a [u64],
    },
    /// A netfilter hook. Since Linux 6.4.
    Netfilter {
        /// Protocol family.
        family: u32,
        /// Hook of the family.
        hook: u32,
        /// Order among the hook's users, lowest first.
        priority: i32,
        /// `BPF_F_NETFILTER_IP_DEFRAG`.
        flags: u32,
    },
    /// tcx (since Linux 6.6), netkit (since 6.7), cgroups (since 6.17): a position among the target's programs.
    Order(Order<'a>),
}

/// What to create a link with (`BPF_LINK_CREATE`).
#[derive(Debug, Clone, Copy)]
#[doc(alias = "bpf_link_create_opts")]
pub struct LinkCreate<'a> {
    /// The program, or a struct_ops map.
    pub source: BorrowedFd<'a>,
    /// What it is attached to.
    pub target: LinkTarget<'a>,
    /// The hook.
    pub attach_type: AttachType,
    /// Flags specific to the kind of link.
    pub flags: u32,
    /// What else the kind of link needs.
    pub options: LinkOptions<'a>,
}

/// Attaches a program. Since Linux 5.7; some kinds of link came later.
#[doc(alias = "bpf_link_create")]
pub fn link_create(create: &LinkCreate<'_>) -> Result<OwnedFd, Errno> {
    // Memory that the arm points to must outlive the call.
    let mut names: Vec<u64> = Vec::new();
    let mut iter_info = [0u64; 2];
    let mut flags = create.flags;
    let arm = match create.options {
        LinkOptions::None => LinkArm::new_zeroed(),
        LinkOptions::PerfEvent { cookie } => arm(&PerfEventArm { bpf_cookie: cookie }),
        LinkOptions::Tracing { target, cookie } => arm(&TracingArm {
            target_btf_id: target.0,
            pad: 0,
            cookie,
        }),
        LinkOptions::Iter(target) => iter_arm(target, &mut iter_info)?,
        LinkOptions::KprobeMulti {
            flags,
            functions,
            cookies,
        } => kprobe_multi_arm(flags, functions, cookies, &mut names)?,
        LinkOptions::UprobeMulti {
            file,
            flags,
            offsets,
            ref_ctr_offsets,
            cookies,
            pid,
        } => arm(&UprobeMultiArm {
            offsets: address(offsets),
            ref_ctr_offsets: address_of_as_many(ref_ctr_offsets, offsets.len())?,
            cookies: address_of_as_many(cookies, offsets.len())?,
            cnt: length(offsets)?,
            pid: pid.cast_unsigned(),
            ..uprobe_file(file, flags)
        }),
        LinkOptions::TracingMulti { ids, cookies } => arm(&TracingMultiArm {
            ids: address(ids),
            cookies: address_of_as_many(cookies, ids.len())?,
            cnt: length(ids)?,
            pad: 0,
        }),
        LinkOptions::Netfilter {
            family,
            hook,
            priority,
            flags,
        } => arm(&NetfilterArm {
            pf: family,
            hooknum: hook,
            priority,
            flags,
        }),
        LinkOptions::Order(order) => {
            let (relative, by_id) = order.neighbour.raw_and_flag();
            flags |= by_id;
            arm(&OrderArm {
                relative,
                pad: 0,
                expected_revision: order.expected_revision,
            })
        }
    };
    let mut attr = LinkCreateAttr {
        source: raw(create.source),
        target: create.target.raw(),
        attach_type: create.attach_type.0,
        flags,
        arm,
    };
    // SAFETY: the kernel reads the arm by the program's kind, which may not be the one the arm was made for: then it takes
    // numbers for addresses. It only ever reads through them, copying from user memory with checks, and answers EFAULT to a
    // bad one. Arms that hold addresses point to slices with their counts, which live until here.
    unsafe { bpf_fd(Command::LinkCreate, &mut attr) }
}

/// An arm, padded to the room that the attributes have for it.
fn arm<T: IntoBytes + Immutable>(value: &T) -> LinkArm {
    const { assert!(size_of::<T>() <= size_of::<LinkArm>()) };
    let mut room = LinkArm::new_zeroed();
    let bytes = room.as_mut_bytes().iter_mut();
    for (to, from) in bytes.zip(value.as_bytes()) {
        *to = *from;
    }
    room
}

fn iter_arm(target: IterTarget<'_>, room: &mut [u64; 2]) -> Result<LinkArm, Errno> {
    fn put<T: IntoBytes + Immutable>(value: &T, room: &mut [u64; 2]) {
        const { assert!(size_of::<T>() == size_of::<[u64; 2]>()) };
        for (to, from) in room.as_mut_bytes().iter_mut().zip(value.as_bytes()) {
            *to = *from;
        }
    }
    match target {
        IterTarget::Map(map) => put(
            &IterMapInfo {
                map_fd: raw(map),
                pad: [0; 3],
            },
            room,
        ),
        IterTarget::Cgroup { order, cgroup, id } => put(
            &IterCgroupInfo {
                order: order as u32,
                cgroup_fd: raw_or_zero(cgroup),
                cgroup_id: id,
            },
            room,
        ),
        IterTarget::Task { tid, pid, pid_fd } => put(
            &IterTaskInfo {
                tid,
                pid,
                pid_fd: raw_or_zero(pid_fd),
                pad: 0,
            },
            room,
        ),
    }
    Ok(arm(&IterArm {
        iter_info: address(room),
        iter_info_len: length(room.as_bytes())?,
        pad: 0,
    }))
}

/// An arm with only the file and the flags filled in.
fn uprobe_file(file: UprobeFile<'_>, flags: u32) -> UprobeMultiArm {
    /// `BPF_F_UPROBE_MULTI_PATH_FD`
    const PATH_FD: u32 = 1 << 1;
    let (path, path_fd, by_fd) = match file {
        UprobeFile::Path(path) => (address(path.to_bytes_with_nul()), 0, 0),
        UprobeFile::Fd(fd) => (0, raw(fd), PATH_FD),
    };
    UprobeMultiArm {
        path,
        path_fd,
        flags: flags | by_fd,
        ..UprobeMultiArm::default()
    }
}

fn kprobe_multi_arm(
    flags: u32,
    functions: Functions<'_>,
    cookies: &[u64],
    names: &mut Vec<u64>,
) -> Result<LinkArm, Errno> {
    let (syms, addrs, count) = match functions {
        Functions::Names(list) => {
            names.extend(list.iter().map(|name| address(name.to_bytes_with_nul())));
            (address(names), 0, list.len())
        }
        Functions::Addresses(list) => (0, address(list), list.len()),
    };
    Ok(arm(&KprobeMultiArm {
        flags,
        cnt: u32::try_from(count).map_err(|_| Errno::E2BIG)?,
        syms,
        addrs,
        cookies: address_of_as_many(cookies, count)?,
    }))
}

/// The address of an optional list, which must be empty or hold `count` items.
fn address_of_as_many(list: &[u64], count: usize) -> Result<u64, Errno> {
    if list.is_empty() || list.len() == count {
        Ok(address(list))
    } else {
        Err(Errno::EINVAL)
    }
}

/// Replaces a link's program (or struct_ops map). If `old` is given, the link must hold it now. Since Linux 5.7.
#[doc(alias = "bpf_link_update")]
pub fn link_update(
    link: BorrowedFd<'_>,
    new: BorrowedFd<'_>,
    old: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    /// `BPF_F_REPLACE`.
    const REPLACE: u32 = 1 << 2;
    let mut attr = LinkUpdateAttr {
        link_fd: raw(link),
        new: raw(new),
        flags: if old.is_some() { REPLACE } else { 0 },
        old: raw_or_zero(old),
    };
    // SAFETY: no pointers.
    unsafe { bpf_done(Command::LinkUpdate, &mut attr) }
}

/// Detaches a link that others may still hold. Since Linux 5.9; not every kind supports it.
#[doc(alias = "bpf_link_detach")]
pub fn link_detach(link: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut attr = LinkDetachAttr { link_fd: raw(link) };
    // SAFETY: no pointers.
    unsafe { bpf_done(Command::LinkDetach, &mut attr) }
}

/// Starts one pass of an iterator; its output is read from the descriptor. Since Linux 5.8.
#[doc(alias = "bpf_iter_create")]
pub fn iter_create(link: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let mut attr = IterCreateAttr {
        link_fd: raw(link),
        flags: 0,
    };
    // SAFETY: no pointers; the command makes a descriptor.
    unsafe { bpf_fd(Command::IterCreate, &mut attr) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn arms_keep_their_layout() {
        let words = arm(&TracingArm {
            target_btf_id: 7,
            pad: 0,
            cookie: 9,
        });
        assert_eq!(
            words,
            [
                u64::from_ne_bytes([7u32, 0].as_bytes().try_into().unwrap()),
                9,
                0,
                0,
                0,
                0
            ]
        );
    }

    #[test]
    fn a_file_is_named_by_path_or_descriptor() {
        let arm = uprobe_file(UprobeFile::Path(c"/bin/true"), 1);
        assert!(arm.path != 0);
        assert_eq!((arm.flags, arm.path_fd), (1, 0));
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let arm = uprobe_file(UprobeFile::Fd(file.as_fd()), 1);
        assert_eq!((arm.path, arm.flags), (0, 3));
        assert_eq!(arm.path_fd, raw(file.as_fd()));
    }

    #[test]
    fn lists_must_be_equally_long_or_absent() {
        assert_eq!(address_of_as_many(&[], 2), Ok(0));
        assert_eq!(address_of_as_many(&[1], 2), Err(Errno::EINVAL));
        assert!(address_of_as_many(&[1, 2], 2).unwrap() != 0);
    }
}
