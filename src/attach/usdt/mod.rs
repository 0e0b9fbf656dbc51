//! USDT probes: one link for all places where a probe of a program or library stands.
//!
//! In: a program of an object that was compiled with `usdt.bpf.h`, and the probe's name. Out: a [`Link`](super::Link) that
//! owns user-space probes and *specs*: entries of the object's maps that say where the arguments are, found by the cookie
//! of a user-space probe, or, on kernels without cookies, by the address of its instruction. Not here: reading the notes that
//! compilers leave (see `elf::usdt`).

mod attach;
mod attachment;
mod layout;
mod mapped;
mod specs;

pub use attach::Usdt;
