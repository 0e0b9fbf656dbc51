//! The words of shared memory that the protocols load and store.
//!
//! The protocols (`reader`, `writer`, `perf_reader`) say which word is accessed when and in which order; whose memory it is
//! they do not know. It is a mapping of the kernel's in earnest, ordinary memory in tests, and memory that goes through every
//! possible interleaving in `interleavings`.

use std::sync::atomic::Ordering;

/// A word that both sides know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// How far the consumer has come.
    Consumer,
    /// How far the producer has come.
    Producer,
    /// The header of the record that begins at this offset of the data.
    Header(usize),
}

/// Memory with positions and headers, all of which are an `N` or narrower.
pub(super) trait Memory<N> {
    /// Loads a word; a header outside of the data is all ones.
    fn load(&self, word: Word, order: Ordering) -> N;

    /// Stores a word that is ours to write.
    fn store(&self, word: Word, value: N, order: Ordering);

    /// Orders everything before with everything after.
    fn fence(&self, order: Ordering);

    /// Passes a moment between two looks at the same word.
    fn pause(&self) {
        std::hint::spin_loop();
    }
}
