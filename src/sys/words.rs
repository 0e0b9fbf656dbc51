#![allow(unsafe_code)]
//! Memory shared with the kernel, with BPF programs and with other processes, as an array of 64-bit atomic words.
//!
//! In Rust, racing accesses are undefined behaviour unless they are atomic *and of the same size*. So this program makes
//! only one kind of access to shared memory: to a whole, aligned word. Anything smaller is cut out of a loaded word, or put
//! into one by compare-and-exchange. What others do to the memory, in accesses of any size, is indistinguishable from a
//! thread that exchanges whole words.
//!
//! Only a relaxed load is guaranteed to work on memory that is mapped read-only, so an ordered load is a relaxed one
//! followed by a fence. The guarantee covers 64-bit words on 64-bit machines, the only ones that this crate supports.

use std::fmt;
use std::sync::atomic::Ordering::{self, Relaxed};
use std::sync::atomic::{AtomicU64, fence};

const _: () = assert!(
    cfg!(target_pointer_width = "64"),
    "only 64-bit machines load 64 bits from read-only memory"
);

/// Bytes in a word.
const WORD: usize = 8;

/// Memory that is only accessed through the functions of this file.
///
/// # Safety
///
/// `start` is aligned to a word, and the `len` bytes from there are readable as long as the value lives. Nothing else in
/// this program writes to them, or reads bytes that may be written at the same time.
pub(super) unsafe trait Mapped {
    /// Where the memory starts.
    fn start(&self) -> *mut u8;
    /// Size in bytes.
    fn len(&self) -> usize;
}

/// The word at `at`; `None` if it is unaligned or outside. Store to it only if the memory is mapped writable.
#[inline]
pub(super) fn word<M: Mapped>(memory: &M, at: usize) -> Option<&AtomicU64> {
    let end = at.checked_add(WORD)?;
    if end > memory.len() || !at.is_multiple_of(WORD) {
        return None;
    }
    let word = memory.start().wrapping_add(at).cast();
    // SAFETY: the word is inside the memory, which outlives the borrow, and aligned, because `at` and the start are. By the
    // promise of `Mapped`, every access of this program that could race with this one goes through such an atomic as well.
    Some(unsafe { AtomicU64::from_ptr(word) })
}

/// Loads a word.
#[inline]
pub(super) fn load(memory: &impl Mapped, at: usize, order: Ordering) -> Option<u64> {
    let value = word(memory, at)?.load(Relaxed);
    if order != Relaxed {
        fence(order);
    }
    Some(value)
}

/// Stores a word to memory that is mapped writable. Does nothing if the word is outside.
#[inline]
pub(super) fn store(memory: &impl Mapped, at: usize, value: u64, order: Ordering) {
    if let Some(word) = word(memory, at) {
        word.store(value, order);
    }
}

/// The first bytes of a word in memory order, up to eight.
#[inline]
pub(super) fn first_bytes<const N: usize>(word: u64) -> [u8; N] {
    word.to_ne_bytes().first_chunk().copied().unwrap_or([0; N])
}

/// The word that starts with these bytes (up to eight); the rest is zero.
#[inline]
pub(super) fn starting_with<const N: usize>(bytes: [u8; N]) -> u64 {
    let mut all = [0; WORD];
    if let Some(first) = all.first_chunk_mut() {
        *first = bytes;
    }
    u64::from_ne_bytes(all)
}

/// Copies bytes out of shared memory. The bytes of one word are read in one access.
#[inline]
pub(super) fn copy_out(memory: &impl Mapped, offset: usize, into: &mut [u8]) -> Option<()> {
    let within = offset % WORD;
    // Aligned numbers: where the compiler knows the length, this becomes a single load.
    match into.len() {
        8 if within == 0 => {
            into.copy_from_slice(&word(memory, offset)?.load(Relaxed).to_ne_bytes());
            Some(())
        }
        4 if within.is_multiple_of(4) => {
            let value = SharedU32::of(word(memory, offset - within)?, within);
            into.copy_from_slice(&value.load(Relaxed).to_ne_bytes());
            Some(())
        }
        _ => copy_out_words(memory, offset, into),
    }
}

#[inline(never)]
fn copy_out_words(memory: &impl Mapped, offset: usize, into: &mut [u8]) -> Option<()> {
    let (first, rest) = into.split_at_mut_checked(until_word(offset, into.len()))?;
    copy_part_out(memory, offset, first)?;
    let mut at = offset + first.len();
    let (words, last) = rest.as_chunks_mut();
    for bytes in words {
        *bytes = word(memory, at)?.load(Relaxed).to_ne_bytes();
        at += WORD;
    }
    copy_part_out(memory, at, last)
}

/// Copies bytes out of one word.
fn copy_part_out(memory: &impl Mapped, at: usize, into: &mut [u8]) -> Option<()> {
    if into.is_empty() {
        return Some(());
    }
    let within = at % WORD;
    let bytes = word(memory, at - within)?.load(Relaxed).to_ne_bytes();
    into.copy_from_slice(bytes.get(within..)?.get(..into.len())?);
    Some(())
}

/// Copies bytes into shared memory that is mapped writable. The bytes of one word are written in one access.
#[inline]
pub(super) fn copy_in(memory: &impl Mapped, offset: usize, from: &[u8]) -> Option<()> {
    let (first, rest) = from.split_at_checked(until_word(offset, from.len()))?;
    copy_part_in(memory, offset, first)?;
    let mut at = offset + first.len();
    let (words, last) = rest.as_chunks();
    for bytes in words {
        word(memory, at)?.store(u64::from_ne_bytes(*bytes), Relaxed);
        at += WORD;
    }
    copy_part_in(memory, at, last)
}

/// Copies bytes into one word. Its other bytes keep what others write to them meanwhile.
fn copy_part_in(memory: &impl Mapped, at: usize, from: &[u8]) -> Option<()> {
    if from.is_empty() {
        return Some(());
    }
    let within = at % WORD;
    let replace = |word: u64| {
        let mut bytes = word.to_ne_bytes();
        let part = bytes.get_mut(within..)?.get_mut(..from.len())?;
        part.copy_from_slice(from);
        Some(u64::from_ne_bytes(bytes))
    };
    let word = word(memory, at - within)?;
    word.fetch_update(Relaxed, Relaxed, replace).ok().map(drop)
}

/// How many of `len` bytes come before the next word.
#[inline]
fn until_word(at: usize, len: usize) -> usize {
    (at.wrapping_neg() % WORD).min(len)
}

/// 32 bits of shared memory. Returned by [`Live::atomic`](crate::load::Live::atomic) and
/// [`MapMemory::atomic_u32`](crate::map::MapMemory::atomic_u32).
///
/// It is used like a reference to an [`AtomicU32`](std::sync::atomic::AtomicU32). It cannot be one, because this crate
/// accesses shared memory only as 64-bit words: Rust does not allow atomics of different sizes to race with each other. A
/// change is a compare-and-exchange of the whole word, retried if either half was changed meanwhile; the other half is left
/// alone.
#[derive(Clone, Copy)]
pub struct SharedU32<'a> {
    word: &'a AtomicU64,
    /// How many bits the value is shifted within the word.
    shift: u32,
}

impl fmt::Debug for SharedU32<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedU32")
            .field(&self.load(Relaxed))
            .finish()
    }
}

impl<'a> SharedU32<'a> {
    /// The half of a word that begins `within` bytes into it (0 or 4).
    #[inline]
    fn of(word: &'a AtomicU64, within: usize) -> Self {
        let is_low = (within == 0) == cfg!(target_endian = "little");
        let shift = if is_low { 0 } else { u32::BITS };
        Self { word, shift }
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the other half is not part of the value"
    )]
    fn cut_out(self, word: u64) -> u32 {
        (word >> self.shift) as u32
    }

    #[inline]
    fn put_into(self, word: u64, value: u32) -> u64 {
        let others = !(u64::from(u32::MAX) << self.shift);
        word & others | u64::from(value) << self.shift
    }

    /// Loads the value.
    ///
    /// # Panics
    /// If `order` is `Release` or `AcqRel`, as for other atomics.
    #[inline]
    #[track_caller]
    pub fn load(self, order: Ordering) -> u32 {
        self.cut_out(self.word.load(order))
    }

    /// Stores a value.
    #[inline]
    pub fn store(self, value: u32, order: Ordering) {
        self.swap(value, order);
    }

    /// Stores a value and returns the previous one.
    #[inline]
    pub fn swap(self, value: u32, order: Ordering) -> u32 {
        self.change(order, |_| value)
    }

    /// Stores `new` if the value is `current`, and returns the previous value.
    ///
    /// # Errors
    /// The value, if it was not `current`.
    ///
    /// # Panics
    /// If `failure` is `Release` or `AcqRel`, as for other atomics.
    #[inline]
    #[track_caller]
    pub fn compare_exchange(
        self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.fetch_update(success, failure, |value| (value == current).then_some(new))
    }

    /// Replaces the value with what `f` returns for it, and returns the previous one. `f` is called again if the word was
    /// changed meanwhile.
    ///
    /// # Errors
    /// The value, if `f` returned `None` for it.
    ///
    /// # Panics
    /// If `fetch_order` is `Release` or `AcqRel`, as for other atomics.
    #[inline]
    #[track_caller]
    pub fn fetch_update(
        self,
        set_order: Ordering,
        fetch_order: Ordering,
        mut f: impl FnMut(u32) -> Option<u32>,
    ) -> Result<u32, u32> {
        let replace = |word| f(self.cut_out(word)).map(|value| self.put_into(word, value));
        match self.word.fetch_update(set_order, fetch_order, replace) {
            Ok(word) => Ok(self.cut_out(word)),
            Err(word) => Err(self.cut_out(word)),
        }
    }

    #[inline]
    fn change(self, order: Ordering, f: impl Fn(u32) -> u32) -> u32 {
        match self.fetch_update(order, Relaxed, |value| Some(f(value))) {
            Ok(before) | Err(before) => before,
        }
    }
}

macro_rules! changes {
    ($($name:ident: $what:literal, $f:expr;)*) => {
        impl SharedU32<'_> {$(
            #[doc = $what]
            #[doc = ", and returns the previous value."]
            #[inline]
            pub fn $name(self, value: u32, order: Ordering) -> u32 {
                let f: fn(u32, u32) -> u32 = $f;
                self.change(order, |before| f(before, value))
            }
        )*}
    };
}
changes! {
    fetch_add: "Adds `value`, wrapping around", u32::wrapping_add;
    fetch_sub: "Subtracts `value`, wrapping around", u32::wrapping_sub;
    fetch_and: "Clears all bits that are not set in `value`", |a, b| a & b;
    fetch_or: "Sets the bits that are set in `value`", |a, b| a | b;
    fetch_xor: "Flips the bits that are set in `value`", |a, b| a ^ b;
    fetch_max: "Stores the greater of the two values", u32::max;
    fetch_min: "Stores the lesser of the two values", u32::min;
}

/// The 32 bits at `at`; `None` if they are unaligned or outside.
#[inline]
pub(super) fn shared_u32<M: Mapped>(memory: &M, at: usize) -> Option<SharedU32<'_>> {
    let within = at % WORD;
    let is_aligned = within.is_multiple_of(4);
    is_aligned.then(|| Some(SharedU32::of(word(memory, at - within)?, within)))?
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::atomic::Ordering::{AcqRel, Acquire, SeqCst};
    use std::thread;

    /// Ordinary memory.
    #[derive(Debug)]
    pub(in super::super) struct Words(Box<[AtomicU64]>);

    impl Words {
        /// Zeros, at least this many bytes.
        pub(in super::super) fn zeroed(bytes: usize) -> Self {
            let words = (0..bytes.div_ceil(WORD)).map(|_| AtomicU64::new(0));
            Self(words.collect())
        }
    }

    // SAFETY: the words live as long as the value, and only the functions of this file access them.
    unsafe impl Mapped for Words {
        fn start(&self) -> *mut u8 {
            self.0.as_ptr().cast_mut().cast()
        }

        fn len(&self) -> usize {
            size_of_val(&*self.0)
        }
    }

    #[test]
    fn what_is_written_is_read_back_at_any_offset() {
        let bytes: Vec<u8> = (1..=24).collect();
        for offset in 0..16 {
            for len in (0..=24).step_by(if cfg!(miri) { 5 } else { 1 }) {
                let memory = Words::zeroed(48);
                let from = &bytes[..len];
                copy_in(&memory, offset, from).unwrap();
                let mut back = vec![0; len];
                copy_out(&memory, offset, &mut back).unwrap();
                assert_eq!(back, from, "offset {offset}, length {len}");
                let mut all = [0xee; 48];
                copy_out(&memory, 0, &mut all).unwrap();
                let around = all[..offset].iter().chain(&all[offset + len..]);
                assert!(around.copied().all(|byte| byte == 0), "{offset}, {len}");
            }
        }
    }

    #[test]
    fn accesses_outside_and_off_the_alignment_are_refused() {
        let memory = Words::zeroed(16);
        assert!(word(&memory, 8).is_some());
        for at in [1, 4, 9, 16, 24, usize::MAX - 7, usize::MAX] {
            assert!(word(&memory, at).is_none(), "{at}");
        }
        for at in [1, 2, 6, 16, usize::MAX - 3] {
            assert!(shared_u32(&memory, at).is_none(), "{at}");
        }
        for (at, len) in [(9, 8), (16, 1), (0, 17), (usize::MAX, 1), (usize::MAX, 2)] {
            assert!(copy_out(&memory, at, &mut vec![0; len]).is_none());
            assert!(copy_in(&memory, at, &vec![0; len]).is_none());
        }
        assert!(copy_out(&memory, 16, &mut []).is_some());
        assert!(copy_in(&memory, 16, &[]).is_some());
    }

    #[test]
    fn halves_are_where_32_bits_are_in_memory() {
        let memory = Words::zeroed(8);
        copy_in(&memory, 0, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let (first, second) = (
            shared_u32(&memory, 0).unwrap(),
            shared_u32(&memory, 4).unwrap(),
        );
        assert_eq!(first.load(Relaxed).to_ne_bytes(), [1, 2, 3, 4]);
        assert_eq!(second.load(Acquire).to_ne_bytes(), [5, 6, 7, 8]);
        let whole = load(&memory, 0, Acquire).unwrap();
        assert_eq!(first_bytes(whole), [1, 2, 3, 4]);
        second.store(u32::from_ne_bytes([9; 4]), Relaxed);
        let mut bytes = [0; 8];
        copy_out(&memory, 0, &mut bytes).unwrap();
        assert_eq!(bytes, [1, 2, 3, 4, 9, 9, 9, 9]);
        let bytes = starting_with([1, 2, 3, 4]).to_ne_bytes();
        assert_eq!(bytes, [1, 2, 3, 4, 0, 0, 0, 0]);
    }

    #[test]
    fn a_shared_u32_changes_as_an_atomic_does() {
        let memory = Words::zeroed(8);
        let other = shared_u32(&memory, 0).unwrap();
        other.store(u32::MAX, SeqCst);
        let value = shared_u32(&memory, 4).unwrap();
        assert_eq!(value.fetch_sub(1, AcqRel), 0);
        assert_eq!(value.fetch_add(6, Relaxed), u32::MAX);
        assert_eq!(value.fetch_or(8, Relaxed), 5);
        assert_eq!(value.fetch_and(12, Relaxed), 13);
        assert_eq!(value.fetch_xor(4, Relaxed), 12);
        assert_eq!(value.fetch_max(7, Relaxed), 8);
        assert_eq!(value.fetch_min(7, Relaxed), 8);
        assert_eq!(value.swap(1, Relaxed), 7);
        assert_eq!(value.compare_exchange(2, 3, AcqRel, Acquire), Err(1));
        assert_eq!(value.compare_exchange(1, 3, AcqRel, Acquire), Ok(1));
        assert_eq!(value.fetch_update(AcqRel, Acquire, |_| None), Err(3));
        assert_eq!(format!("{value:?}"), "SharedU32(3)");
        assert_eq!(other.load(Relaxed), u32::MAX, "the other half is untouched");
    }

    /// Miri reports races between accesses of different sizes.
    #[test]
    fn neighbours_do_not_lose_each_others_changes() {
        const ROUNDS: u32 = if cfg!(miri) { 30 } else { 3000 };
        let memory = Words::zeroed(16);
        thread::scope(|scope| {
            for at in [0, 4] {
                let value = shared_u32(&memory, at).unwrap();
                scope.spawn(move || {
                    for _ in 0..ROUNDS {
                        value.fetch_add(1, Relaxed);
                    }
                });
            }
            let memory = &memory;
            scope.spawn(move || {
                for n in 0..ROUNDS {
                    copy_in(memory, 7, &n.to_ne_bytes()[..2]).unwrap();
                    copy_out(memory, 3, &mut [0; 9]).unwrap();
                    load(memory, 8, Acquire).unwrap();
                }
            });
        });
        assert_eq!(shared_u32(&memory, 0).unwrap().load(Relaxed), ROUNDS);
    }

    /// A relaxed load with a fence behind it synchronizes with a release.
    #[test]
    fn a_load_that_acquires_sees_what_was_released() {
        let memory = Words::zeroed(16);
        thread::scope(|scope| {
            scope.spawn(|| {
                copy_in(&memory, 0, &[7; 8]).unwrap();
                word(&memory, 8).unwrap().store(1, Ordering::Release);
            });
            while load(&memory, 8, Acquire) == Some(0) {
                thread::yield_now();
            }
            assert_eq!(load(&memory, 0, Relaxed), Some(u64::from_ne_bytes([7; 8])));
        });
    }
}
