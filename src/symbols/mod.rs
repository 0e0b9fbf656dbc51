//! Names for addresses: functions of the kernel or of an executable, with their source locations.
//!
//! In: the text of `/proc/kallsyms`, or an ELF file; an address in the kernel or in a process, or a stack entry with a build
//! ID. Out: a sorted table ([`Symbols`]); frames ([`Symbolizer`]), for which files are found and opened on demand. Not here:
//! the kernel's own list ([`Symbols::of_kernel`] reads it), reading debug information (see `dwarf`).
//!
//! `names` is the table. `symbolizer` is the entry point for call stacks: `mappings` finds what a process has mapped at an
//! address, `program` and `image` (for the kernel, from its `vmlinux`) symbolize locations in a file, `entries` parses stacks
//! with build IDs.

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
