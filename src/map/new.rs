//! What to create a map with, without an object.

use super::{Map, MapTypes};
use crate::kinds::{MapFlags, MapType};

/// Describes a map to be created without an object, see [`Map::create`].
#[derive(Debug, Clone)]
#[doc(alias = "bpf_map_create_opts")]
pub struct NewMap {
    pub(crate) kind: MapType,
    pub(crate) key_size: u32,
    pub(crate) value_size: u32,
    pub(crate) max_entries: u32,
    pub(crate) name: String,
    pub(crate) flags: MapFlags,
    pub(crate) extra: u64,
    pub(crate) numa_node: Option<u32>,
    pub(crate) ifindex: u32,
    pub(crate) inner: Option<Map>,
    pub(crate) types: Option<MapTypes>,
}

impl NewMap {
    /// A map of this type, with key and value sizes in bytes. A ring buffer has neither keys nor values (0), and its
    /// `max_entries` is in bytes; an arena's is in pages.
    pub fn new(kind: MapType, key_size: u32, value_size: u32, max_entries: u32) -> Self {
        Self {
            kind,
            key_size,
            value_size,
            max_entries,
            name: String::new(),
            flags: MapFlags::empty(),
            extra: 0,
            numa_node: None,
            ifindex: 0,
            inner: None,
            types: None,
        }
    }

    /// Sets the name, of which the kernel keeps 15 bytes. Since Linux 4.15.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the flags.
    pub fn flags(mut self, flags: MapFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Sets a number whose meaning depends on the map type: the hash functions of a bloom filter, the address of an arena.
    #[doc(alias = "map_extra")]
    pub fn extra(mut self, extra: u64) -> Self {
        self.extra = extra;
        self
    }

    /// Sets the NUMA node that its memory comes from.
    pub fn numa_node(mut self, node: u32) -> Self {
        self.numa_node = Some(node);
        self
    }

    /// Sets the network interface that it is offloaded to, by index.
    #[doc(alias = "map_ifindex")]
    pub fn ifindex(mut self, ifindex: u32) -> Self {
        self.ifindex = ifindex;
        self
    }

    /// Sets a map like those that this one will hold. Required for maps of maps.
    #[doc(alias = "inner_map_fd")]
    pub fn inner<K: ?Sized, V: ?Sized>(mut self, like: &Map<K, V>) -> Self {
        self.inner = Some(like.as_bytes());
        self
    }

    /// Sets the types of its keys and values. Required for local storage of sockets, tasks, files and cgroups (whose key is
    /// an `int`), and for values with a lock or a timer.
    #[doc(alias("btf_fd", "btf_key_type_id", "btf_value_type_id"))]
    pub fn types(mut self, types: MapTypes) -> Self {
        self.types = Some(types);
        self
    }
}
