#![allow(unsafe_code)]
//! What the kernel reports about links, of every kind.
//!
//! The kernel is asked twice: first for the kind and the counts, then with room for names and lists.

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

/// Room for a name; the longest is a path.
const NAME_SIZE: usize = 4096;

/// What the kernel reports about a link. Returned by [`Link::info`](crate::attach::Link::info).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "bpf_link_info")]
pub struct LinkInfo {
    /// Link type.
    pub kind: LinkType,
    /// Id, unique while the link exists.
    pub id: u32,
    /// Id of its program; 0 for links of struct_ops maps.
    pub program_id: u32,
    /// What it is attached to.
    pub details: LinkDetails,
}

/// What a link is attached to, as far as the running kernel reports it. Part of [`LinkInfo`].
///
/// A field that the kernel does not have yet is zero or empty.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkDetails {
    /// A raw tracepoint (of `raw_tp` or `tp_btf`).
    RawTracepoint {
        /// The tracepoint.
        name: String,
        /// Passed to the program (`bpf_get_attach_cookie`). Since Linux 6.17.
        cookie: u64,
    },
    /// The entry or exit of a function, an LSM hook, or a replaced function.
    Tracing {
        /// Which of them.
        attach_type: AttachType,
        /// Id of the BTF (kernel, module) or of the program that has the function. Since Linux 5.13.
        target_id: u32,
        /// The function in those types. Since Linux 5.13.
        function: TypeId,
        /// Passed to the program (`bpf_get_attach_cookie`). Since Linux 6.17.
        cookie: u64,
    },
    /// Many kernel functions by type. Linux 7.3 and later report which.
    TracingMulti {
        /// Entry, exit, or both.
        attach_type: AttachType,
        /// Id of the BTF (kernel, module) that has the functions.
        target_id: u32,
        /// The functions in those types.
        functions: Vec<TypeId>,
        /// Their addresses; zeros for processes that may not see kernel addresses.
        addresses: Vec<u64>,
        /// One for each function; zeros if there are none.
        cookies: Vec<u64>,
    },
    /// A cgroup.
    Cgroup {
        /// Id of the cgroup, the inode number of its folder; 0 once it is gone.
        cgroup_id: u64,
        /// The hook.
        attach_type: AttachType,
    },
    /// An iterator.
    Iter {
        /// What it walks over: `task`, `bpf_map_elem`.
        name: String,
        /// Which part of it.
        scope: IterScope,
    },
    /// A network namespace.
    Netns {
        /// Inode number of the namespace.
        inode: u32,
        /// The hook.
        attach_type: AttachType,
    },
    /// XDP on an interface.
    Xdp {
        /// Index of the interface; 0 once it is gone.
        interface: u32,
    },
    /// A registered struct_ops map.
    StructOps {
        /// Id of the map.
        map_id: u32,
    },
    /// A netfilter hook.
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
    /// Many kernel functions. Since Linux 6.6.
    KprobeMulti {
        /// Their addresses; zeros for processes that may not see kernel addresses.
        addresses: Vec<u64>,
        /// One for each address if cookies were given. Since Linux 6.9.
        cookies: Vec<u64>,
        /// 1 if the program runs on return.
        flags: u32,
        /// How often the program was skipped because it was already running.
        missed: u64,
    },
    /// Many offsets in a file. Since Linux 6.8.
    UprobeMulti {
        /// The file.
        path: String,
        /// Offsets in it, in bytes.
        offsets: Vec<u64>,
        /// File offsets of the probes' semaphores; zeros if there are none.
        ref_ctr_offsets: Vec<u64>,
        /// One for each offset; zeros if there are none.
        cookies: Vec<u64>,
        /// 1 if the program runs on return.
        flags: u32,
        /// Id of the only process it runs in; 0 for all.
        pid: u32,
    },
    /// A perf event. Since Linux 6.6.
    PerfEvent(PerfEventDetails),
    /// tcx on an interface.
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
        /// Id of the map.
        map_id: u32,
        /// The hook.
        attach_type: AttachType,
    },
    /// A kind of link newer than this library: its part of `struct bpf_link_info`, starting at offset 16.
    Unknown([u64; 6]),
}

/// Which part of a collection an iterator visits. Part of [`LinkDetails`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IterScope {
    /// All of it.
    All,
    /// The elements of a map.
    Map {
        /// Id of the map.
        map_id: u32,
    },
    /// Cgroups. Since Linux 6.1.
    Cgroups {
        /// Id of the cgroup that it starts at.
        cgroup_id: u64,
        /// `enum bpf_cgroup_iter_order`.
        order: u32,
    },
    /// Some tasks. Since Linux 6.1.
    Tasks {
        /// Id of one thread; 0 for any.
        tid: u32,
        /// Id of the process whose threads are visited; 0 for any.
        pid: u32,
    },
}

/// What a link of a perf event is attached to. Part of [`LinkDetails`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PerfEventDetails {
    /// A kprobe.
    Kprobe {
        /// Whether it fires on return.
        on_return: bool,
        /// The function, if the probe was made by name.
        function: String,
        /// Bytes from the start of the function.
        offset: u32,
        /// The address; 0 for processes that may not see kernel addresses.
        address: u64,
        /// How often the probe was missed.
        missed: u64,
        /// Passed to the program (`bpf_get_attach_cookie`). Since Linux 6.9.
        cookie: u64,
    },
    /// A uprobe.
    Uprobe {
        /// Whether it fires on return.
        on_return: bool,
        /// The file.
        path: String,
        /// Bytes from the start of the file.
        offset: u32,
        /// File offset of the semaphore; 0 for none. Since Linux 6.17.
        ref_ctr_offset: u64,
        /// Passed to the program (`bpf_get_attach_cookie`). Since Linux 6.9.
        cookie: u64,
    },
    /// A tracepoint.
    Tracepoint {
        /// Its name, without the category.
        name: String,
        /// Passed to the program (`bpf_get_attach_cookie`). Since Linux 6.9.
        cookie: u64,
    },
    /// A counter or another plain perf event.
    Event {
        /// `PERF_TYPE_*`; the two clocks among the software events have PMUs with numbers of their own.
        kind: u32,
        /// `PERF_COUNT_*` of that type.
        config: u64,
        /// Passed to the program (`bpf_get_attach_cookie`). Since Linux 6.9.
        cookie: u64,
    },
    /// Something that the kernel does not report (before Linux 6.6), or that is newer than this library.
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

/// `link` is of this type; a link's type never changes.
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

/// The part of the information that depends on the kind of link.
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
/// `link` is of the kind whose arm `wanted` is; the pointers in `wanted` are null, or valid for the lengths next to them.
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
    // SAFETY: `details` found a raw tracepoint's link or an iterator's; the only pointer is the name's, with its true
    // length.
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
    // SAFETY: `details` found such a link; the lists are as long as the count says.
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
    // SAFETY: `details` found a raw tracepoint's link or an iterator's; the only pointer is the name's, with its true
    // length.
    let info = unsafe { ask_again(link, &wanted) }?;
    let name = name_text(&name);
    let scope = iter_scope(&name, &info);
    Ok(LinkDetails::Iter { name, scope })
}

/// Picks the fields that an iterator of this name uses.
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
    // SAFETY: `details` found such a link; both lists are as long as the count says.
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
    // SAFETY: `details` found such a link; the path has its true length, and the lists are as long as the count says.
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
        // Its fields lie where the other kinds have their name.
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
    // SAFETY: `details` found a perf event's link; the only pointer is the name's, with its true length.
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
