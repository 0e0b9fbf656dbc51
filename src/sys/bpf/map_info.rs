#![allow(unsafe_code)]
//! What the kernel reports about a map.

use super::call::name_text;
use super::object::object_info;
use crate::sys::attr::RawMapInfo;
use crate::{Errno, MapFlags, MapType, TypeId};
use std::os::fd::BorrowedFd;

/// What the kernel reports about a map. Returned by [`Map::info`](crate::map::Map::info).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "bpf_map_info")]
pub struct MapInfo {
    /// Map type.
    pub kind: MapType,
    /// Id, unique while the map exists.
    pub id: u32,
    /// Key size in bytes.
    pub key_size: u32,
    /// Value size in bytes (for one CPU).
    pub value_size: u32,
    /// Maximum number of elements.
    pub max_entries: u32,
    /// The flags it was created with.
    pub flags: MapFlags,
    /// Name, at most 15 bytes.
    pub name: String,
    /// Network interface it is offloaded to; 0 for none.
    pub ifindex: u32,
    /// Device number of the namespace file of that interface's network namespace.
    pub netns_dev: u64,
    /// Inode number of that file.
    pub netns_ino: u64,
    /// Id of the BTF that holds the next two types; 0 for none.
    pub btf_id: u32,
    /// Type of the key.
    pub btf_key_type: TypeId,
    /// Type of the value.
    pub btf_value_type: TypeId,
    /// For struct_ops: the value's type in the kernel's BTF.
    pub btf_vmlinux_value_type: TypeId,
    /// For struct_ops: id of the BTF that holds `btf_vmlinux_value_type`.
    pub btf_vmlinux_id: u32,
    /// Meaning depends on the map type: hash functions of a bloom filter, address of an arena. Since Linux 5.16.
    pub map_extra: u64,
}

/// Asks the kernel about a map. Since Linux 4.13.
#[doc(alias = "bpf_map_get_info_by_fd")]
pub fn map_info(map: BorrowedFd<'_>) -> Result<MapInfo, Errno> {
    let mut info = RawMapInfo::default();
    // SAFETY: all pointer fields of the information struct are zero.
    unsafe { object_info(map, &mut info) }?;
    Ok(MapInfo {
        kind: MapType(info.map_type),
        id: info.id,
        key_size: info.key_size,
        value_size: info.value_size,
        max_entries: info.max_entries,
        flags: MapFlags::from_bits_retain(info.map_flags),
        name: name_text(&info.name),
        ifindex: info.ifindex,
        netns_dev: info.netns_dev,
        netns_ino: info.netns_ino,
        btf_id: info.btf_id,
        btf_key_type: TypeId(info.btf_key_type_id),
        btf_value_type: TypeId(info.btf_value_type_id),
        btf_vmlinux_value_type: TypeId(info.btf_vmlinux_value_type_id),
        btf_vmlinux_id: info.btf_vmlinux_id,
        map_extra: info.map_extra,
    })
}
