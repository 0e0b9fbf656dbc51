//! The memory of a ring buffer: where records begin and end, and who may look at them when.
//!
//! In: a ring-buffer map. Out: borrowed records, and contradictions in the memory as values. Not here: waiting, several
//! rings (see the room `ring`).

mod mapping;
mod walk;

pub use mapping::RingMapping;
pub use walk::RingDamage;
