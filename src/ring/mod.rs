//! Events: the records that programs put into ring buffers and perf buffers, and those they take from user ring buffers.
//!
//! In: maps. Out: batches of borrowed records, slots to write. Readers are pulled, not called back, and can be waited for with any event
//! loop, because they are [`AsFd`](std::os::fd::AsFd);
//! feature `tokio` has futures for them (`Async`). Not here: what the bytes of a record mean (see `btf`).
//!
//! Start with the kind of map:
//!
//! ```text
//!  ring buffers        buffer (pace) -------.
//!  perf buffers        perf (perf_source) --+--> typed    records as values
//!  user ring buffers   user                 |
//!  many at once        poller               `--> wait     until there is something (asynchronous, for tasks)
//! ```
//!
//! Buffers whose records are all of one type, which is an `event`: `typed_ring`, `typed_perf`.

#[cfg(feature = "tokio")]
mod asynchronous;
mod buffer;
mod event;
mod pace;
mod perf;
mod perf_source;
mod poller;
mod typed;
mod typed_perf;
mod typed_ring;
mod user;
mod wait;

#[doc(inline)]
pub use crate::sys::perf_sample::{SampleDetails, SampleFields};
#[cfg(feature = "tokio")]
pub use asynchronous::Async;
pub use buffer::{Batch, Record, Records, RingBuffer};
pub use event::{Event, PlainEvent};
pub use perf::{PerfBatch, PerfBuffer, PerfBufferBuilder, PerfRecord, PerfRecords, Sample, Wakeup};
pub use perf_source::PerfSource;
pub use poller::{Poller, Token};
pub use typed_perf::{PerfMap, TypedPerf, TypedPerfBatch, TypedSample, TypedSamples};
pub use typed_ring::{RingMap, TypedBatch, TypedRecords, TypedRing};
pub use user::{Slot, UserRingBuffer};

/// A task may hold a batch and its records while it waits for something else, and may resume on another thread.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_batches_and_records_go_to_other_threads() {
        fn anywhere<T: Send + Sync>() {}
        anywhere::<RingBuffer>();
        anywhere::<Batch<'_>>();
        anywhere::<Records<'_>>();
        anywhere::<Record<'_>>();
        anywhere::<PerfBuffer>();
        anywhere::<PerfBufferBuilder<'_>>();
        anywhere::<PerfBatch<'_>>();
        anywhere::<PerfRecords<'_>>();
        anywhere::<PerfRecord<'_>>();
        anywhere::<Sample<'_>>();
        anywhere::<UserRingBuffer>();
        anywhere::<Slot<'_>>();
        anywhere::<Poller>();
        anywhere::<(RingMap<[u8]>, TypedRing<u64>, TypedBatch<'_, u64>)>();
        anywhere::<(PerfMap<u64>, TypedPerf<u64>, TypedPerfBatch<'_, u64>)>();
        #[cfg(feature = "tokio")]
        anywhere::<(Async<RingBuffer>, Async<PerfBuffer>, Async<Poller>)>();
    }
}
