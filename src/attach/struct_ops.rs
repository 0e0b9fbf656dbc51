//! Kernel interfaces that consist of functions (`struct_ops`): registered by writing a map's value.

use super::attachment::Attachment;
use super::link::Link;
use crate::kinds::{AttachType, MapFlags};
use crate::load::Object;
use crate::map::{Map, UpdateMode};
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::{Errno, Error, ErrorKind, Result, did_you_mean};
use std::os::fd::AsFd;

/// The only element.
const KEY: [u8; 4] = [0; 4];

impl Object {
    /// Registers the struct_ops map of this name with the kernel. Since Linux 5.6.
    ///
    /// A map of `SEC(".struct_ops.link")` gets a link (Linux 6.4); any other stays registered as long as the returned value
    /// lives.
    #[doc(alias = "bpf_map__attach_struct_ops")]
    pub fn attach_struct_ops(&self, map: &str) -> Result<Link> {
        let (handle, value) = struct_ops_map(self, map)?;
        register(handle, map, value).map_err(|e| e.context(format!("registering `{map}`")))
    }
}

fn register(map: &Map, name: &str, value: &[u8]) -> Result<Link> {
    let linked = is_linked(map);
    set_value(map, value)?;
    if !linked {
        return Ok(Link::with(name, None, Registered(map.clone())));
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

fn is_linked(map: &Map) -> bool {
    map.flags().contains(MapFlags::LINK)
}

fn set_value(map: &Map, value: &[u8]) -> Result<()> {
    match map.insert(&KEY, value, UpdateMode::Any) {
        // It is set already: by another link, or for a link that was dropped.
        Err(error) if is_linked(map) && error.errno() == Some(Errno::EBUSY) => Ok(()),
        result => result.map_err(explain),
    }
}

impl Link {
    /// Atomically replaces the registered struct_ops map with another one. Since Linux 6.4.
    ///
    /// Both must be maps of `SEC(".struct_ops.link")`, of the same type and (for a congestion control) with the same name.
    #[doc(alias = "bpf_link__update_map")]
    pub fn update_map(&self, object: &Object, map: &str) -> Result<()> {
        let (handle, value) = struct_ops_map(object, map)?;
        let put = || {
            if !is_linked(handle) {
                let message = "the map is not of SEC(\".struct_ops.link\")";
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
            let link = self.need_fd("update")?;
            set_value(handle, value)?;
            bpf::link_update(link, handle.as_fd(), None)
                .map_err(|errno| explain(Error::from_errno(errno, "the kernel does not take it")))
        };
        put().map_err(|e: Error| {
            e.context(format!(
                "putting map `{map}` into the link of `{}`",
                self.name()
            ))
        })
    }
}

/// The struct_ops map with this name, and the value that registers it.
fn struct_ops_map<'o>(object: &'o Object, name: &str) -> Result<(&'o Map, &'o [u8])> {
    let values = object.struct_ops.iter();
    let Some(value) = values.clone().find(|value| value.map == name) else {
        let near = did_you_mean(name, values.map(|value| value.map.as_str()));
        let message = format!("there is no struct_ops map `{name}`{near}");
        return Err(Error::new(ErrorKind::NotFound, message));
    };
    Ok((object.map(name)?, &value.value))
}

/// A struct_ops map that is registered because its value is set. The registration keeps the map alive: it would outlive this
/// process.
#[derive(Debug)]
struct Registered(Map);

impl Attachment for Registered {
    fn undo(&mut self) -> Result<()> {
        self.0.remove(&KEY).map(drop)
    }

    fn why_no_link(&self) -> &'static str {
        "declare the map in SEC(\".struct_ops.link\"): such maps can be links since Linux 6.4"
    }
}

fn explain(error: Error) -> Error {
    match error.errno() {
        Some(Errno::EEXIST) => error.with_hint("something of the same name is registered already"),
        Some(Errno::EBUSY) => error.with_hint("the map is registered already"),
        _ => error,
    }
}
