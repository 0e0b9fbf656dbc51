//! What kind of object a descriptor from elsewhere refers to.

use super::ensure::program_or_link;
use super::map_info::map_info;
use super::object::ObjectKind;
use crate::MapType;
use std::os::fd::BorrowedFd;

/// What the descriptor refers to, if the kernel can tell; `None` if it is not a BPF object.
pub fn object_kind(fd: BorrowedFd<'_>) -> Option<ObjectKind> {
    program_or_link(fd).or_else(|| match map_info(fd) {
        // Only BTF has no type.
        Ok(info) if info.kind == MapType::default() => Some(ObjectKind::Btf),
        Ok(_) => Some(ObjectKind::Map),
        Err(_) => None,
    })
}
