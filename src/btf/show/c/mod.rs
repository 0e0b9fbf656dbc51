//! Types in, their definitions in C out: the contents of `vmlinux.h`.
//!
//! Compilers lay the definitions out exactly as in BTF, whatever attributes the kernel's own source has: [`Definitions`]
//! computes how gcc and clang lay a structure out, and adds gaps, `packed` and `aligned` where that would differ.
//!
//! ```text
//!  header (vmlinux.h: guards, all types, kernel functions)      asserts (sizes and offsets, for a compiler to check)
//!     `--> definitions --> order    complete types first, then declarations of pointer targets
//!                            |--> define    a structure, an enumeration, a typedef
//!                            |       `--> layout    members and gaps, given each member's extent
//!                            `--> declare   a type around a name
//!          helpers: names (valid and unique), integer (numbers by size), tags (as attributes)
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
pub(crate) use definitions::Qualifiers;
pub use header::Header;
pub(crate) use names::identifier;
