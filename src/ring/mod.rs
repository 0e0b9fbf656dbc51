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

#[cfg(feature = "tokio")]
mod asynchronous;
mod buffer;
mod pace;
mod perf;
mod perf_source;
mod poller;
mod typed;
mod user;
mod wait;

#[doc(inline)]
pub use crate::sys::perf_sample::{SampleDetails, SampleFields};
#[cfg(feature = "tokio")]
pub use asynchronous::Async;
pub use buffer::{Batch, Record, Records, RingBuffer};
pub use perf::{PerfBatch, PerfBuffer, PerfBufferBuilder, PerfRecord, PerfRecords, Sample, Wakeup};
pub use perf_source::PerfSource;
pub use poller::{Poller, Token};
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
        #[cfg(feature = "tokio")]
        anywhere::<(Async<RingBuffer>, Async<PerfBuffer>, Async<Poller>)>();
    }
}
