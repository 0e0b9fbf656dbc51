//! USDT probes: one link for all locations of a probe in a program or library.
//!
//! In: a program of an object that was compiled with `usdt.bpf.h`, and the probe's name. Out: a [`Link`](super::Link) that
//! owns uprobes and *specs*: entries of the object's maps that say where the arguments are, found by the uprobe's cookie or,
//! on kernels without cookies, by the instruction's address. Not here: reading the notes that compilers leave (see
//! `elf::usdt`).

mod attach;
mod attachment;
mod layout;
mod mapped;
mod specs;

pub use attach::Usdt;
