#![allow(unsafe_code)]
//! What the kernel tells about a link, for every kind that it has.
//!
//! It is asked twice: first for the kind and the counts, then with room for names and lists.

use super::call::{address_mut, length, name_text};
use super::ensure::ensure_link;
use super::object::object_info;
use crate::sys::attr::{
    CgroupInfo, IterInfo, KprobeMultiInfo, NetfilterArm, PerfEventInfo, RawLinkInfo,
    RawTracepointInfo, TargetInfo, TracingInfo, TracingMultiInfo, UprobeMultiInfo,
};
use crate::{AttachType, Errno, LinkType, TypeId};
use std::os::fd::BorrowedFd;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Room for a name: the longest is a path.
const NAME_SIZE: usize = 4096;

/// What the kernel tells about a link. Returned by [`Link::info`](crate::attach::Link::info).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "bpf_link_info")]
pub struct LinkInfo {
    /// What sort of link.
    pub kind: LinkType,
    /// Number of the link while it lives.
    pub id: u32,
    /// Id of its program; 0 for links of struct_ops maps.
    pub program_id: u32,
    /// What it is attached to.
    pub details: LinkDetails,
}

/// What a link is attached to, as far as the running kernel says. Part of [`LinkInfo`].
///
/// A field that the kernel does not know yet is zero or empty.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkDetails {
    /// A raw tracepoint (of `raw_tp` or `tp_btf`).
    RawTracepoint {
        /// The tracepoint.
        name: String,
        /// Given to the program. Since Linux 6.17.
        cookie: u64,
    },
    /// The entry or exit of a function, a hook of the security modules, a replaced function.
    Tracing {
        /// Which of them.
        attach_type: AttachType,
        /// Id of the BTF (kernel, module) or of the program that has the function. Since Linux 5.13.
        target_id: u32,
        /// The function in those types. Since Linux 5.13.
        function: TypeId,
        /// Given to the program. Since Linux 6.17.
        cookie: u64,
    },
    /// Many kernel functions by type. Which ones, the kernel says since Linux 7.3.
    TracingMulti {
        /// Entry, exit, or both.
        attach_type: AttachType,
        /// Id of the BTF (kernel, module) that has the functions.
        target_id: u32,
        /// The functions in those types.
        functions: Vec<TypeId>,
        /// Where they are; zeros for those who may not see kernel addresses.
        addresses: Vec<u64>,
        /// One for each function; zeros without.
        cookies: Vec<u64>,
    },
    /// A cgroup.
    Cgroup {
        /// Number of the cgroup: the inode of its folder; 0 once it is gone.
        cgroup_id: u64,
        /// The hook.
        attach_type: AttachType,
    },
    /// An iterator.
    Iter {
        /// What it walks over: `task`, `bpf_map_elem`.
        name: String,
        /// Where the walk begins and ends.
        scope: IterScope,
    },
    /// A network namespace.
    Netns {
        /// Inode of the namespace.
        inode: u32,
        /// The hook.
        attach_type: AttachType,
    },
    /// XDP of an interface.
    Xdp {
        /// Index of the interface; 0 once it is gone.
        interface: u32,
    },
    /// A registered struct_ops map.
    StructOps {
        /// The map.
        map_id: u32,
    },
    /// A netfilter hook.
    Netfilter {
        /// Protocol family.
        family: u32,
        /// Hook of the family.
        hook: u32,
        /// Rank among the hook's users, lowest first.
        priority: i32,
        /// `BPF_F_NETFILTER_IP_DEFRAG`.
        flags: u32,
    },
    /// Many kernel functions. Since Linux 6.6.
    KprobeMulti {
        /// Where; zeros for those who may not see kernel addresses.
        addresses: Vec<u64>,
        /// One for each address if cookies were given. Since Linux 6.9.
        cookies: Vec<u64>,
        /// 1 for returns.
        flags: u32,
        /// How often the program did not run because it was running already.
        missed: u64,
    },
    /// Many places in a file. Since Linux 6.8.
    UprobeMulti {
        /// The file.
        path: String,
        /// Places in it.
        offsets: Vec<u64>,
        /// Semaphores of the places; zeros without.
        ref_ctr_offsets: Vec<u64>,
        /// One for each place; zeros without.
        cookies: Vec<u64>,
        /// 1 for returns.
        flags: u32,
        /// The process; 0 for all.
        pid: u32,
    },
    /// A perf event. Since Linux 6.6.
    PerfEvent(PerfEventDetails),
    /// An interface's tcx.
    Tcx {
        /// Index of the interface; 0 once it is gone.
        interface: u32,
        /// Ingress or egress.
        attach_type: AttachType,
    },
    /// A netkit interface.
    Netkit {
        /// Index of the interface; 0 once it is gone.
        interface: u32,
        /// Primary or peer.
        attach_type: AttachType,
    },
    /// A map of sockets.
    Sockmap {
        /// The map.
        map_id: u32,
        /// The hook.
        attach_type: AttachType,
    },
    /// A kind of link that is newer than this library: its part of `struct bpf_link_info`, from offset 16 on.
    Unknown([u64; 6]),
}

/// Where an iterator's walk begins and ends. Part of [`LinkDetails`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IterScope {
    /// Everything of its kind.
    All,
    /// The elements of a map.
    Map {
        /// The map.
        map_id: u32,
    },
    /// Cgroups. Since Linux 6.1.
    Cgroups {
        /// Where it starts.
        cgroup_id: u64,
        /// `enum bpf_cgroup_iter_order`.
        order: u32,
    },
    /// Some tasks. Since Linux 6.1.
    Tasks {
        /// This thread; 0 for any.
        tid: u32,
        /// The threads of this process; 0 for any.
        pid: u32,
    },
}

/// What a link of a perf event is attached to. Part of [`LinkDetails`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PerfEventDetails {
    /// A place in the kernel.
    Kprobe {
        /// Whether it is the return.
        on_return: bool,
        /// The function, if it was named.
        function: String,
        /// Bytes from the start of the function.
        offset: u32,
        /// The place; 0 for those who may not see kernel addresses.
        address: u64,
        /// How often the probe could not fire.
        missed: u64,
        /// Given to the program. Since Linux 6.9.
        cookie: u64,
    },
    /// A place in a file.
    Uprobe {
        /// Whether it is the return.
        on_return: bool,
        /// The file.
        path: String,
        /// Bytes from the start of the file.
        offset: u32,
        /// Where the semaphore is in the file; 0 for none. Since Linux 6.17.
        ref_ctr_offset: u64,
        /// Given to the program. Since Linux 6.9.
        cookie: u64,
    },
    /// A tracepoint.
    Tracepoint {
        /// Its name, without the category.
        name: String,
        /// Given to the program. Since Linux 6.9.
        cookie: u64,
    },
    /// A counter.
    Event {
        /// `PERF_TYPE_*`; the number of their own source for the two clocks among the software events.
        kind: u32,
        /// `PERF_COUNT_*` of that type.
        config: u64,
        /// Given to the program. Since Linux 6.9.
        cookie: u64,
    },
    /// Something that the kernel does not tell (before Linux 6.6), or newer than this library.
    Unknown {
        /// `enum bpf_perf_event_type`.
        kind: u32,
    },
}

/// Asks the kernel about a link. Since Linux 5.8.
#[doc(alias = "bpf_link_get_info_by_fd")]
pub fn link_info(link: BorrowedFd<'_>) -> Result<LinkInfo, Errno> {
    ensure_link(link)?;
    let mut first = RawLinkInfo::default();
    // SAFETY: all pointer fields of the information struct are zero.
    unsafe { object_info(link, &mut first) }?;
    let kind = LinkType(first.link_type);
    Ok(LinkInfo {
        kind,
        id: first.id,
        program_id: first.prog_id,
        details: details(link, kind, &first)?,
    })
}

/// `link` is one of this type: a link's type does not change.
fn details(
    link: BorrowedFd<'_>,
    kind: LinkType,
    first: &RawLinkInfo,
) -> Result<LinkDetails, Errno> {
    let target = arm::<TargetInfo>(first);
    let attach_type = AttachType(target.attach_type);
    Ok(match kind {
        LinkType::RAW_TRACEPOINT => raw_tracepoint(link)?,
        LinkType::TRACING => tracing(&arm(first)),
        LinkType::TRACING_MULTI => tracing_multi(link, &arm(first))?,
        LinkType::CGROUP => cgroup(&arm(first)),
        LinkType::ITER => iter(link)?,
        LinkType::NETNS => LinkDetails::Netns {
            inode: target.target,
            attach_type,
        },
        LinkType::XDP => LinkDetails::Xdp {
            interface: target.target,
        },
        LinkType::STRUCT_OPS => LinkDetails::StructOps {
            map_id: target.target,
        },
        LinkType::NETFILTER => netfilter(&arm(first)),
        LinkType::KPROBE_MULTI => kprobe_multi(link, &arm(first))?,
        LinkType::UPROBE_MULTI => uprobe_multi(link, &arm(first))?,
        LinkType::PERF_EVENT => LinkDetails::PerfEvent(perf_event(link, &arm(first))?),
        LinkType::TCX => LinkDetails::Tcx {
            interface: target.target,
            attach_type,
        },
        LinkType::NETKIT => LinkDetails::Netkit {
            interface: target.target,
            attach_type,
        },
        LinkType::SOCKMAP => LinkDetails::Sockmap {
            map_id: target.target,
            attach_type,
        },
        _ => LinkDetails::Unknown(first.arm),
    })
}

/// The part of the information that differs by kind.
fn arm<T: FromBytes + IntoBytes + Immutable + Default>(info: &RawLinkInfo) -> T {
    const { assert!(size_of::<T>() <= size_of::<[u64; 6]>()) };
    let mut arm = T::default();
    let bytes = arm.as_mut_bytes().iter_mut();
    for (to, from) in bytes.zip(info.arm.as_bytes()) {
        *to = *from;
    }
    arm
}

/// Asks again, with buffers in the arm.
///
/// # Safety
///
/// `link` is one, of the kind whose arm `wanted` is; the pointers in it are null, or valid for the lengths next to them.
unsafe fn ask_again<T>(link: BorrowedFd<'_>, wanted: &T) -> Result<T, Errno>
where
    T: FromBytes + IntoBytes + Immutable + Default,
{
    let mut info = RawLinkInfo::default();
    let bytes = info.arm.as_mut_bytes().iter_mut();
    for (to, from) in bytes.zip(wanted.as_bytes()) {
        *to = *from;
    }
    // SAFETY: the pointers are the caller's promise.
    unsafe { object_info(link, &mut info) }?;
    Ok(arm(&info))
}

fn raw_tracepoint(link: BorrowedFd<'_>) -> Result<LinkDetails, Errno> {
    let mut name = [0u8; NAME_SIZE];
    let wanted = RawTracepointInfo {
        name: address_mut(&mut name),
        name_len: length(&name)?,
        ..RawTracepointInfo::default()
    };
    // SAFETY: it is a raw tracepoint's link or an iterator's, as `details` found; the only pointer is that of the name, with
    // its true length.
    let info = unsafe { ask_again(link, &wanted) }?;
    Ok(LinkDetails::RawTracepoint {
        name: name_text(&name),
        cookie: info.cookie,
    })
}

fn tracing(info: &TracingInfo) -> LinkDetails {
    LinkDetails::Tracing {
        attach_type: AttachType(info.attach_type),
        target_id: info.target_obj_id,
        function: TypeId(info.target_btf_id),
        cookie: info.cookie,
    }
}

fn tracing_multi(link: BorrowedFd<'_>, first: &TracingMultiInfo) -> Result<LinkDetails, Errno> {
    let mut ids = vec![0u32; first.count as usize];
    let mut addresses = vec![0u64; ids.len()];
    let mut cookies = addresses.clone();
    let wanted = TracingMultiInfo {
        count: first.count,
        ids: address_mut(&mut ids),
        addrs: address_mut(&mut addresses),
        cookies: address_mut(&mut cookies),
        ..TracingMultiInfo::default()
    };
    // SAFETY: it is such a link, as `details` found; the lists are as long as the count says.
    let info = unsafe { ask_again(link, &wanted) }?;
    Ok(LinkDetails::TracingMulti {
        attach_type: AttachType(info.attach_type),
        target_id: info.btf_obj_id,
        functions: ids.into_iter().map(TypeId).collect(),
        addresses,
        cookies,
    })
}

fn cgroup(info: &CgroupInfo) -> LinkDetails {
    LinkDetails::Cgroup {
        cgroup_id: info.cgroup_id,
        attach_type: AttachType(info.attach_type),
    }
}

fn netfilter(info: &NetfilterArm) -> LinkDetails {
    LinkDetails::Netfilter {
        family: info.pf,
        hook: info.hooknum,
        priority: info.priority,
        flags: info.flags,
    }
}

fn iter(link: BorrowedFd<'_>) -> Result<LinkDetails, Errno> {
    let mut name = [0u8; NAME_SIZE];
    let wanted = IterInfo {
        name: address_mut(&mut name),
        name_len: length(&name)?,
        ..IterInfo::default()
    };
    // SAFETY: it is a raw tracepoint's link or an iterator's, as `details` found; the only pointer is that of the name, with
    // its true length.
    let info = unsafe { ask_again(link, &wanted) }?;
    let name = name_text(&name);
    let scope = iter_scope(&name, &info);
    Ok(LinkDetails::Iter { name, scope })
}

/// Which of the fields are about an iterator of this name.
fn iter_scope(name: &str, info: &IterInfo) -> IterScope {
    let [tid, pid] = info.start;
    match name {
        "bpf_map_elem" | "bpf_sk_storage_map" | "sockmap" => IterScope::Map {
            map_id: info.map_id,
        },
        "cgroup" => IterScope::Cgroups {
            cgroup_id: FromBytes::read_from_bytes(info.start.as_bytes()).unwrap_or_default(),
            order: info.order,
        },
        "task" | "task_file" | "task_vma" if (tid, pid) != (0, 0) => IterScope::Tasks { tid, pid },
        _ => IterScope::All,
    }
}

fn kprobe_multi(link: BorrowedFd<'_>, first: &KprobeMultiInfo) -> Result<LinkDetails, Errno> {
    let mut addresses = vec![0u64; first.count as usize];
    let mut cookies = addresses.clone();
    let wanted = KprobeMultiInfo {
        addrs: address_mut(&mut addresses),
        cookies: address_mut(&mut cookies),
        count: first.count,
        ..KprobeMultiInfo::default()
    };
    // SAFETY: it is such a link, as `details` found; both lists are as long as the count says.
    let info = unsafe { ask_again(link, &wanted) }?;
    Ok(LinkDetails::KprobeMulti {
        addresses,
        cookies,
        flags: info.flags,
        missed: info.missed,
    })
}

fn uprobe_multi(link: BorrowedFd<'_>, first: &UprobeMultiInfo) -> Result<LinkDetails, Errno> {
    let mut path = [0u8; NAME_SIZE];
    let mut offsets = vec![0u64; first.count as usize];
    let (mut ref_ctr_offsets, mut cookies) = (offsets.clone(), offsets.clone());
    let wanted = UprobeMultiInfo {
        path: address_mut(&mut path),
        path_size: length(&path)?,
        offsets: address_mut(&mut offsets),
        ref_ctr_offsets: address_mut(&mut ref_ctr_offsets),
        cookies: address_mut(&mut cookies),
        count: first.count,
        ..UprobeMultiInfo::default()
    };
    // SAFETY: it is such a link, as `details` found; the path has its true length, and the lists are as long as the count says.
    let info = unsafe { ask_again(link, &wanted) }?;
    Ok(LinkDetails::UprobeMulti {
        path: name_text(&path),
        offsets,
        ref_ctr_offsets,
        cookies,
        flags: info.flags,
        pid: info.pid,
    })
}

fn perf_event(link: BorrowedFd<'_>, first: &PerfEventInfo) -> Result<PerfEventDetails, Errno> {
    /// `enum bpf_perf_event_type`.
    const UPROBE: u32 = 1;
    const URETPROBE: u32 = 2;
    const KPROBE: u32 = 3;
    const KRETPROBE: u32 = 4;
    const TRACEPOINT: u32 = 5;
    const EVENT: u32 = 6;
    let kind = first.kind;
    if kind == EVENT {
        // Its fields lie where the others have their name.
        return Ok(PerfEventDetails::Event {
            kind: first.name_len,
            config: first.name,
            cookie: first.rest[0],
        });
    }
    if !(UPROBE..=TRACEPOINT).contains(&kind) {
        return Ok(PerfEventDetails::Unknown { kind });
    }
    let mut name = [0u8; NAME_SIZE];
    let wanted = PerfEventInfo {
        name: address_mut(&mut name),
        name_len: length(&name)?,
        ..PerfEventInfo::default()
    };
    // SAFETY: it is a perf event's link, as `details` found; the only pointer is that of the name, with its true length.
    let info = unsafe { ask_again(link, &wanted) }?;
    let name = name_text(&name);
    Ok(match kind {
        UPROBE | URETPROBE => PerfEventDetails::Uprobe {
            on_return: kind == URETPROBE,
            path: name,
            offset: info.offset,
            cookie: info.rest[0],
            ref_ctr_offset: info.rest[1],
        },
        KPROBE | KRETPROBE => PerfEventDetails::Kprobe {
            on_return: kind == KRETPROBE,
            function: name,
            offset: info.offset,
            address: info.rest[0],
            missed: info.rest[1],
            cookie: info.rest[2],
        },
        _ => PerfEventDetails::Tracepoint {
            name,
            cookie: info.rest[0],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_are_cut_out_of_the_whole() {
        let info = RawLinkInfo {
            arm: [7, 9, 1, 0, 0, 0],
            ..RawLinkInfo::default()
        };
        let cut: CgroupInfo = arm(&info);
        assert_eq!((cut.cgroup_id, cut.attach_type), (7, 9));
    }

    #[test]
    fn an_iterators_name_says_what_its_numbers_mean() {
        let info = IterInfo {
            map_id: 5,
            start: [3, 4],
            order: 2,
            ..IterInfo::default()
        };
        assert_eq!(
            iter_scope("bpf_map_elem", &info),
            IterScope::Map { map_id: 5 }
        );
        assert_eq!(
            iter_scope("task", &info),
            IterScope::Tasks { tid: 3, pid: 4 }
        );
        let cgroup_id = u64::from_ne_bytes([3u32, 4].as_bytes().try_into().unwrap());
        let cgroups = IterScope::Cgroups {
            cgroup_id,
            order: 2,
        };
        assert_eq!(iter_scope("cgroup", &info), cgroups);
        assert_eq!(iter_scope("tcp", &info), IterScope::All);
        assert_eq!(iter_scope("task", &IterInfo::default()), IterScope::All);
    }
}
