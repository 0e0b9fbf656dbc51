//! The memory of a ring buffer: where records begin and end, and who may look at them when.
//!
//! In: a ring-buffer map. Out: borrowed records, and contradictions in the memory as values. Not here: waiting, several
//! rings (see the room `ring`).

mod damage;
#[cfg(all(test, target_pointer_width = "64", target_endian = "little"))]
mod interleavings;
mod mapping;
mod memory;
mod only_one;
mod perf_mapping;
mod perf_reader;
mod reader;
#[cfg(test)]
mod twin;
mod user_mapping;
mod walk;
mod writer;

pub use damage::RingDamage;
pub use mapping::{RingCursor, RingMapping};
pub use perf_mapping::PerfMapping;
pub use perf_reader::PerfEntry;
pub use user_mapping::{UserRingMapping, UserSlot};
