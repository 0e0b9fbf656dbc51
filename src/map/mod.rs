//! Using maps: handles, elements as bytes, iteration, values of every CPU, pins.
//!
//! In: a descriptor of a map that exists (from `load`, a pin, an id). Out: bytes, [`crate::Error`]s that name the map.
//! Not here: what the bytes mean (see `btf`), creating the maps of an object (see `load`), reading ring buffers (see `ring`).

mod elements;
mod handle;
mod iter;
mod per_cpu;
pub(crate) mod pin;

#[doc(inline)]
pub use crate::sys::bpf::{BatchCursor, BatchMode, MapInfo};
#[doc(inline)]
pub use crate::sys::mapping::{Access, MapMemory};
pub use elements::UpdateMode;
pub use handle::Map;
pub use iter::{Iter, Keys};
pub use per_cpu::PerCpuValues;
