//! Consuming events: the records of ring buffers.
//!
//! In: maps. Out: batches of borrowed records. Readers are pulled, not called back, and can be waited for with any event
//! loop, because they are [`AsFd`](std::os::fd::AsFd). Not here: what the bytes of a record mean (see `btf`).

mod buffer;

pub use buffer::{Batch, Record, Records, RingBuffer};
