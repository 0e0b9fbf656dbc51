#![allow(unsafe_code)]
//! The claim of a mapping to be the only one of its map in this process.
//!
//! The list of claims has to be the only one of the process, too, even where two versions of this crate are linked into one
//! program, each with its own statics. It is therefore a *common symbol*: of those that have the same name the linker makes
//! one. What it holds is fixed for all versions to come; whoever needs something else gives it another name, and claims here as
//! well.

use crate::Errno;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// A lock (0 or 1), and the ids of the maps that are in use (0 in unused places).
type Claims = [AtomicU32; if cfg!(miri) { 64 } else { 4096 }];

#[cfg(not(miri))]
std::arch::global_asm!(".comm rawbpf_rings_in_use, 16384, 4");

#[cfg(not(miri))]
// SAFETY: the symbol is defined above, with the size and alignment of its type. It begins as zeros, and everybody who knows its
// name uses it as atomics of 4 bytes.
unsafe extern "C" {
    #[link_name = "rawbpf_rings_in_use"]
    safe static IN_USE: Claims;
}

/// Miri runs no linker.
#[cfg(miri)]
static IN_USE: Claims = [const { AtomicU32::new(0) }; 64];

/// A claim, as long as it lives. Meanwhile a mapping keeps its map alive, whose id is therefore not given to another one.
#[derive(Debug)]
pub(super) struct OnlyOne {
    map_id: u32,
}

impl OnlyOne {
    /// # Errors
    ///
    /// `EBUSY` if the map is in use, `EMFILE` if too many are.
    pub(super) fn claim(map_id: u32) -> Result<Self, Errno> {
        let list = List::lock();
        if list.place_of(map_id).is_some() {
            return Err(Errno::EBUSY);
        }
        let place = list.place_of(0).ok_or(Errno::EMFILE)?;
        place.store(map_id, Relaxed);
        Ok(Self { map_id })
    }
}

impl Drop for OnlyOne {
    fn drop(&mut self) {
        if let Some(place) = List::lock().place_of(self.map_id) {
            place.store(0, Relaxed);
        }
    }
}

/// The places of the list, locked as long as this lives: for one look through them.
struct List {
    lock: &'static AtomicU32,
    places: &'static [AtomicU32],
}

impl List {
    fn lock() -> Self {
        let [lock, places @ ..] = &IN_USE;
        while lock.compare_exchange_weak(0, 1, Acquire, Relaxed).is_err() {
            std::thread::yield_now();
        }
        Self { lock, places }
    }

    fn place_of(&self, map_id: u32) -> Option<&AtomicU32> {
        self.places.iter().find(|id| id.load(Relaxed) == map_id)
    }
}

impl Drop for List {
    fn drop(&mut self) {
        self.lock.store(0, Release);
    }
}
