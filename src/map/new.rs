//! What to create a map with, by hand.

use super::{Map, MapTypes};
use crate::kinds::{MapFlags, MapType};

/// A map to be created without an object, see [`Map::create`].
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
    /// A map of this type, with keys and values of so many bytes, for so many elements. A ring buffer has neither keys nor values
    /// (0), and bytes instead of elements; an arena has pages.
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

    /// Its name, of which the kernel keeps 15 bytes. Since Linux 4.15.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Its flags.
    pub fn flags(mut self, flags: MapFlags) -> Self {
        self.flags = flags;
        self
    }

    /// A number whose meaning depends on the type: the hash functions of a bloom filter, the address of an arena.
    #[doc(alias = "map_extra")]
    pub fn extra(mut self, extra: u64) -> Self {
        self.extra = extra;
        self
    }

    /// The NUMA node that its memory comes from.
    pub fn numa_node(mut self, node: u32) -> Self {
        self.numa_node = Some(node);
        self
    }

    /// The network interface that it is offloaded to.
    #[doc(alias = "map_ifindex")]
    pub fn ifindex(mut self, ifindex: u32) -> Self {
        self.ifindex = ifindex;
        self
    }

    /// A map like those that this one will hold. For maps of maps, which cannot do without.
    #[doc(alias = "inner_map_fd")]
    pub fn inner<K: ?Sized, V: ?Sized>(mut self, like: &Map<K, V>) -> Self {
        self.inner = Some(like.as_bytes());
        self
    }

    /// What its keys and values are. The storage of sockets, tasks, files and cgroups cannot do without (a key is an `int`), nor
    /// can values with a lock or a timer.
    #[doc(alias("btf_fd", "btf_key_type_id", "btf_value_type_id"))]
    pub fn types(mut self, types: MapTypes) -> Self {
        self.types = Some(types);
        self
    }
}
