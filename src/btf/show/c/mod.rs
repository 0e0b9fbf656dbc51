//! Types in, their definitions in C out: what `vmlinux.h` consists of.
//!
//! A compiler lays the definitions out exactly as BTF says, whatever attributes the kernel's own source has: [`Definitions`]
//! computes what gcc and clang make of a structure, and writes gaps, `packed` and `aligned` where they would do otherwise.
//!
//! ```text
//!  header (vmlinux.h: guards, all types, kernel functions)      asserts (sizes and offsets, for a compiler to check)
//!     `--> definitions --> order    complete types first, then declarations of what is pointed to
//!                            |--> define    a structure, an enumeration, a typedef
//!                            |       `--> layout    members and gaps, given each member's extent
//!                            `--> declare   a type around a name
//!          on the way: names (what C allows, each once), integer (numbers by size), tags (as attributes)
//! ```

mod asserts;
mod declare;
mod define;
mod definitions;
mod extent;
mod header;
mod integer;
mod layout;
mod names;
mod order;
mod tags;
#[cfg(test)]
mod tests;

pub use super::sorted::Order;
pub use definitions::Definitions;
pub use header::Header;
