//! Other loaders of BPF objects, measured and asked for a second opinion.
//!
//! In: an object file. Out: JSON lines on standard output. Two commands use this crate: `peers` times one loader
//! in one cold process (or one reader of a flooded ring buffer, or all of them in turns on one map), `reference` says what libbpf makes of an object, program by program.
//! Not here: pairing, medians and comparisons, which are chores (`cargo xtask bench`, `cargo xtask parity`).

pub mod dedup;
pub mod libbpf;
pub mod maps;
pub mod meter;
pub mod ring_copy;
pub mod rings;
