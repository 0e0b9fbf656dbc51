//! The words of shared memory that the protocols load and store.
//!
//! The protocols (`reader`, `writer`, `perf_reader`) say which word is accessed when and in which order; whose memory it is
//! they do not know. It is a mapping of the kernel's in earnest, ordinary memory in tests, and memory that goes through every
//! possible interleaving in `interleavings`.

use crate::sys::words::{first_bytes, starting_with};
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

/// A position: an `unsigned long` of the kernel, with which its word begins.
#[inline]
pub(super) fn position(word: u64) -> usize {
    usize::from_ne_bytes(first_bytes(word))
}

/// The word that holds a position.
#[inline]
pub(super) fn position_word(position: usize) -> u64 {
    starting_with(position.to_ne_bytes())
}

/// The length and flags of a record, with which its header begins.
#[inline]
pub(super) fn header(word: u64) -> usize {
    u32::from_ne_bytes(first_bytes(word)) as usize
}

/// The header of a record with this length and these flags.
#[inline]
pub(super) fn header_word(header: u32) -> u64 {
    starting_with(header.to_ne_bytes())
}
