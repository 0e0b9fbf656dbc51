//! `cargo xtask bench`: what rawbpf costs compared with other loaders, in one run.
//!
//! In: an object, a map, or a flood of events. Out: ratios, as a table or JSON. One process is one measurement
//! (`benches/peers`); here they are paired and the medians taken. Not here: what the figures mean, see `benches/README.md`.

mod btf;
mod dwarf;
mod figures;
mod footprint;
mod load;
mod maps;
mod open;
mod ring;
mod rounds;
mod sample;
mod workers;

use anyhow::Result;

/// What is measured.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Opening, relocating and loading an object, parsing the kernel's BTF, memory and binary size; or (`--workers`) loading slow
    /// programs by two threads (as root).
    Load(load::Args),
    /// Opening and relocating every object of a folder for the running kernel, loading none (as root).
    Open(open::Args),
    /// Putting the types of files together and keeping those that say the same once.
    Btf(btf::Args),
    /// Making BTF of a kernel's debug information, and naming places in its source.
    Dwarf(dwarf::Args),
    /// Looking up, updating and draining a hash map, and reading a variable (as root).
    Maps(maps::Args),
    /// Reading a ring buffer that is being flooded (as root, on two CPUs that have nothing else to do).
    Ring(ring::Args),
}

/// Measures and prints.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Load(args) => load::run(args),
        Bench::Open(args) => open::run(args),
        Bench::Btf(args) => btf::run(args),
        Bench::Dwarf(args) => dwarf::run(args),
        Bench::Maps(args) => maps::run(args),
        Bench::Ring(args) => ring::run(args),
    }
}
