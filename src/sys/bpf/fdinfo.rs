//! What procfs shows about descriptors: maps, for kernels and sandboxes without `BPF_OBJ_GET_INFO_BY_FD`; and what that
//! command does not report.

use super::map_info::MapInfo;
use crate::sys::errno;
use crate::sys::file_system::{FileSystem, open_genuine};
use crate::{Errno, MapFlags, MapType, ProgramType, TypeId};
use std::ffi::CString;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What `/proc/thread-self/fdinfo` says about a map: type, sizes and flags; since Linux 5.9 its id, since 5.16 the extra
/// parameter. The other fields stay zero or empty.
///
/// Memory safety depends on the sizes, so the file is read only if procfs is mounted at `/proc` and nothing is mounted over
/// the path from there to the file.
///
/// # Errors
///
/// `EINVAL` if the descriptor is not a map, `ENODEV` or `EXDEV` if the file is not procfs's own.
#[doc(alias = "bpf_get_map_info_from_fdinfo")]
pub fn map_info_from_fdinfo(map: BorrowedFd<'_>) -> Result<MapInfo, Errno> {
    map_info_from_text(&fdinfo(map)?).ok_or(Errno::EINVAL)
}

/// The same from the file's text; `None` if it is not about a map.
pub(crate) fn map_info_from_text(text: &str) -> Option<MapInfo> {
    let small = |name| u32::try_from(field(text, name)?).ok();
    Some(MapInfo {
        kind: MapType(small("map_type")?),
        id: small("map_id").unwrap_or(0),
        key_size: small("key_size")?,
        value_size: small("value_size")?,
        max_entries: small("max_entries")?,
        flags: MapFlags::from_bits_retain(small("map_flags")?),
        name: String::new(),
        ifindex: 0,
        netns_dev: 0,
        netns_ino: 0,
        btf_id: 0,
        btf_key_type: TypeId::VOID,
        btf_value_type: TypeId::VOID,
        btf_vmlinux_value_type: TypeId::VOID,
        btf_vmlinux_id: 0,
        map_extra: field(text, "map_extra").unwrap_or(0),
    })
}

/// What changes while a map lives. Returned by [`Map::state`](crate::map::Map::state).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapState {
    /// How many bytes of memory the kernel has set aside for it.
    pub memlock: u64,
    /// Whether user space can no longer write to it. Since Linux 5.2.
    pub frozen: bool,
    /// Which programs an array of programs takes, once it has had one.
    pub owner: Option<MapOwner>,
}

/// The programs that fit into an array of programs. Part of [`MapState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapOwner {
    /// Their type.
    pub kind: ProgramType,
    /// Whether they are compiled to machine code.
    pub jited: bool,
}

/// Reads a map's state from procfs.
///
/// # Errors
///
/// `EINVAL` if the descriptor is not a map.
pub fn map_state(map: BorrowedFd<'_>) -> Result<MapState, Errno> {
    map_state_from_text(&fdinfo(map)?).ok_or(Errno::EINVAL)
}

fn map_state_from_text(text: &str) -> Option<MapState> {
    let kind = field(text, "owner_prog_type").and_then(|kind| u32::try_from(kind).ok());
    Some(MapState {
        memlock: field(text, "memlock")?,
        frozen: field(text, "frozen").is_some_and(|frozen| frozen != 0),
        owner: kind.map(|kind| MapOwner {
            kind: ProgramType(kind),
            jited: field(text, "owner_jited").is_some_and(|jited| jited != 0),
        }),
    })
}

/// How many bytes of memory the kernel has set aside for a program.
///
/// # Errors
///
/// `EINVAL` if the descriptor is something else.
pub fn memlock(object: BorrowedFd<'_>) -> Result<u64, Errno> {
    field(&fdinfo(object)?, "memlock").ok_or(Errno::EINVAL)
}

fn fdinfo(object: BorrowedFd<'_>) -> Result<String, Errno> {
    // This thread's, as it may have descriptors of its own (`CLONE_FILES`).
    let place = format!("thread-self/fdinfo/{}", object.as_raw_fd());
    let place = CString::new(place).map_err(|_| Errno::EINVAL)?;
    let mut text = String::new();
    open_genuine(FileSystem::Procfs, "/proc", &place)?
        .read_to_string(&mut text)
        .map_err(|error| errno::from_io(&error))?;
    Ok(text)
}

/// A number, decimal or with `0x`.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key == name).then(|| value.trim())
    })?;
    match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARENA: &str = "pos:\t0\nflags:\t02000002\nmnt_id:\t16\nmap_type:\t33\nkey_size:\t0\nvalue_size:\t0\nmax_entries:\t100\n\
                         map_flags:\t0x400\nmap_extra:\t0x100000000000\nmemlock:\t4096\nmap_id:\t7\nfrozen:\t0\n";

    #[test]
    fn numbers_are_found_by_name() {
        let info = map_info_from_text(ARENA).unwrap();
        assert_eq!((info.kind, info.id), (MapType::ARENA, 7));
        assert_eq!(info.flags, MapFlags::MMAPABLE);
        assert_eq!((info.max_entries, info.map_extra), (100, 1 << 44));
    }

    #[test]
    fn kernels_that_tell_less_are_enough() {
        let old: String = ARENA.split_inclusive('\n').take(8).collect();
        let info = map_info_from_text(&old).unwrap();
        assert_eq!((info.id, info.map_extra), (0, 0));
    }

    #[test]
    fn the_state_of_a_map_is_read() {
        let state = map_state_from_text(ARENA).unwrap();
        assert_eq!(
            (state.memlock, state.frozen, state.owner),
            (4096, false, None)
        );
        let owned = "memlock:\t8\nfrozen:\t1\nowner_prog_type:\t5\nowner_jited:\t1\n";
        let state = map_state_from_text(owned).unwrap();
        let owner = MapOwner {
            kind: ProgramType::TRACEPOINT,
            jited: true,
        };
        assert_eq!((state.frozen, state.owner), (true, Some(owner)));
    }

    #[test]
    fn other_files_are_no_maps() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let answer = map_info_from_fdinfo(std::os::fd::AsFd::as_fd(&file));
        assert_eq!(answer.unwrap_err(), Errno::EINVAL);
        assert!(map_info_from_text("map_type:\tx\n").is_none());
    }
}
