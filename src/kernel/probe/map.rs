//! Which maps the kernel can create.

use super::Token;
use super::answer::{Answer, unless_refused};
use crate::Errno;
use crate::kinds::{MapFlags, MapType};
use crate::sys::bpf::{self, MapCreate, MapFd};

/// An array of one element, for programs of other probes.
pub(super) fn small_array(
    value_size: u32,
    flags: MapFlags,
    token: Token<'_>,
) -> Result<Option<MapFd>, Errno> {
    unless_refused(bpf::map_create(&MapCreate {
        kind: MapType::ARRAY,
        key_size: 4,
        value_size,
        max_entries: 1,
        flags,
        token,
        ..MapCreate::default()
    }))
}

pub(super) fn has_mappable_arrays(token: Token<'_>) -> Answer {
    Ok(small_array(4, MapFlags::MMAPABLE, token)?.is_some())
}
