//! The memory of a ring buffer: where records begin and end, and who may look at them when.
//!
//! In: a ring-buffer map. Out: borrowed records, and contradictions in the memory as values. Not here: waiting, several
//! rings (see the room `ring`).
//!
//! Start with `mapping` and its `reader`; the other two kinds of buffers are built alike:
//!
//! ```text
//!  ring buffer               mapping --> reader --> walk    from record to record
//!  perf buffer of one CPU    perf_mapping --> perf_reader
//!  user ring buffer          user_mapping --> writer        the headers that walk reads
//! ```
//!
//! The protocols (`reader`, `perf_reader`, `writer`) see nothing but `memory`, and tell its contradictions as `damage`. `only_one`
//! keeps a second mapping of the same map out.

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
pub use reader::Patience;
pub use user_mapping::{UserRingMapping, UserSlot};
