//! Kernel interfaces made of functions (`struct_ops`): registered by writing a map's value.

use super::link::Link;
use crate::kinds::{AttachType, MapFlags};
use crate::load::Object;
use crate::map::UpdateMode;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::AsFd;

/// There is one element.
const KEY: [u8; 4] = [0; 4];

impl Object {
    /// Registers the struct_ops map of this name with the kernel. Since Linux 5.6.
    ///
    /// A map of `SEC(".struct_ops.link")` gets a link (Linux 6.4); any other is registered as long as the returned value
    /// lives.
    #[doc(alias = "bpf_map__attach_struct_ops")]
    pub fn attach_struct_ops(&self, map: &str) -> Result<Link> {
        let mut values = self.struct_ops.iter();
        let Some(value) = values.find(|value| value.map == map) else {
            let message = format!("map `{map}` is no struct_ops map");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        };
        register(self, map, &value.value).map_err(|e| e.context(format!("registering `{map}`")))
    }
}

fn register(object: &Object, name: &str, value: &[u8]) -> Result<Link> {
    let map = object.map(name)?;
    let linked = map.flags().contains(MapFlags::LINK);
    match map.insert(&KEY, value, UpdateMode::Any) {
        Ok(()) => {}
        // Its value is set already: a second link of the same map.
        Err(error) if linked && error.errno() == Some(Errno::EBUSY) => {}
        Err(error) => return Err(explain(error)),
    }
    if !linked {
        return Ok(Link::registered(name, map.clone()));
    }
    let create = LinkCreate {
        source: map.as_fd(),
        target: LinkTarget::None,
        attach_type: AttachType::STRUCT_OPS,
        flags: 0,
        options: LinkOptions::None,
    };
    let fd = bpf::link_create(&create)
        .map_err(|errno| explain(Error::from_errno(errno, "the kernel does not register it")))?;
    Ok(Link::kernel(name, fd))
}

fn explain(error: Error) -> Error {
    match error.errno() {
        Some(Errno::EEXIST) => error.with_hint("something of the same name is registered already"),
        Some(Errno::EBUSY) => error.with_hint("the map is registered already"),
        _ => error,
    }
}
