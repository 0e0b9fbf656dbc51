//! Names for addresses: the functions of the kernel, or of an executable, with their places in the source.
//!
//! In: the text of `/proc/kallsyms`, or an ELF file; an address of the kernel, of a process, or one that a map of stacks has by
//! build ID. Out: a sorted table ([`Symbols`]); frames ([`Symbolizer`]), for which the files are found and opened when an address
//! asks for them. Not here: the kernel's own list ([`Symbols::of_kernel`] reads it), reading debug information (see `dwarf`).
//!
//! `names` is the table. `symbolizer` is the way through for stacks: `mappings` tells what a process has at an address, `program`
//! and `image` (of the kernel, by its `vmlinux`) name places in a file, `entries` reads stacks with build IDs.

mod entries;
mod image;
mod mappings;
mod names;
mod program;
mod symbolizer;
#[cfg(all(test, feature = "dwarf"))]
mod tests;
#[cfg(feature = "dwarf")]
mod vmlinux;

pub use crate::frame::Frame;
pub use entries::StackEntry;
pub use names::{Addresses, KernelSymbol, Symbols};
pub(crate) use names::{each_in_kallsyms, hidden};
pub use symbolizer::Symbolizer;
