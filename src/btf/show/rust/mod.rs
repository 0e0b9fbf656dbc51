//! Types in, their definitions in Rust out: for programs that read the output of BPF programs, with `zerocopy`.
//!
//! Offsets and sizes are those of BTF: gaps become padding members, types that Rust would lay out differently are `packed`, and
//! what it cannot lay out at all (overlapping members) is described in a comment; a `const` after each definition asserts the
//! layout. Pointers are integers, since they point into another address space, and so types that are only pointed to are not
//! written.
//!
//! All types are `Immutable` and `KnownLayout`. Types without a `bool` are `FromBytes`; those with one have `TryFromBytes` and
//! `FromZeros`. Those without a union are `IntoBytes`. A name that is taken, by a type of another kind or by the code around
//! the definitions, gets a number (`name___2`).
//!
//! ```text
//!  module (a whole file: lints, helpers, all types)
//!     `--> definitions    complete types first
//!             |--> names      valid and unique; anonymous types are named after their containers
//!             |--> expression how a type is written where it is used, its size, alignment and traits
//!             |--> define     an enumeration, a typedef; the members of a structure or union
//!             `--> compose    members at their offsets (layout), bitfields as bytes (bits), asserts
//! ```

mod bits;
mod compose;
mod define;
mod definitions;
mod expression;
mod layout;
mod module;
mod names;
#[cfg(test)]
mod tests;

pub use super::sorted::Order;
pub use bits::PRELUDE;
pub use definitions::Definitions;
pub use module::Module;
