//! Using maps: handles, elements as bytes or as Rust types, iteration, batches, per-CPU values, pins.
//!
//! In: the descriptor of an existing map (from `load`, a pin, an id), or what to create one with ([`NewMap`]). Out: bytes or
//! plain data, and [`crate::Error`]s that name the map. Not here: decoding values by their BTF alone (see `btf`), creating
//! an object's maps (see `load`), reading ring buffers (see `ring`).
//!
//! There is one [`Map`] and one set of methods; [`Map::typed`] changes what its keys and values are:
//!
//! | view | key | value |
//! |---|---|---|
//! | `Map` | `[u8]` | `[u8]` |
//! | `Map<K, V>` | plain data ([`Layout`](crate::btf::Layout)) | plain data |
//! | `Map<K, PerCpu<V>>` | plain data | plain data for each possible CPU |
//! | `Map<(), V>` | none: a queue, stack or bloom filter | plain data |
//! | `Map<LpmKey<4>, V>` | the prefix of a trie | plain data |
//! | `Map<K, Fd>` | plain data | descriptors in, ids out: program arrays, maps of maps, maps of sockets |
//! | `Map<Fd, V>` | the descriptor of the element's owner: local storage | plain data |
//!
//! Plain data may include types that not all bytes are valid for (`bool`, enums): what a program wrote is checked when it is
//! read.
//!
//! Start with `handle`, which everything else builds on:
//!
//! ```text
//!  new, pin --> handle --typed--> a view (view) --> elements   one at a time
//!                                               |--> iter      one after the other
//!                                               `--> batch     many in one call
//! ```
//!
//! Building blocks of views besides plain data: `per_cpu`, `lpm`, `fd`.

mod batch;
mod elements;
mod fd;
mod handle;
mod iter;
mod lpm;
mod new;
mod per_cpu;
pub(crate) mod pin;
mod typed;
mod view;

#[doc(inline)]
pub use crate::sys::arena::ArenaMemory;
#[doc(inline)]
pub use crate::sys::bpf::{BatchMode, MapInfo, MapOwner, MapState};
#[doc(inline)]
pub use crate::sys::mapping::{Access, MapMemory};
pub use crate::sys::words::SharedU32;
pub use batch::{BatchCursor, Batches};
pub use elements::UpdateMode;
pub use fd::Fd;
pub(crate) use handle::no_map;
pub use handle::{Map, MapTypes};
pub use iter::{Iter, Keys};
pub use lpm::LpmKey;
pub use new::NewMap;
pub use per_cpu::PerCpu;
pub use pin::OpenAccess;
pub use typed::{ViewKey, ViewValue};
pub use view::{Key, Value};
