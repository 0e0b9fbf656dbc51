//! Types in, their definitions in Rust out: for programs that read the output of BPF programs, with `zerocopy`.
//!
//! Offsets and sizes are those of BTF: gaps become padding members, types that Rust would lay out differently are `packed`, and
//! what it cannot lay out at all (overlapping members) is described in a comment; a `const` after each definition asserts the
//! layout. Pointers are integers, since they point into another address space, and so types that are only pointed to are not
//! written.
//!
//! A union is bytes, with functions that read and write them as one of its members.
//!
//! All types are `Immutable`, `KnownLayout` and `IntoBytes`. Types without a `bool` are `FromBytes`; those with one have
//! `TryFromBytes` and `FromZeros`. A name that is taken, by a type of another kind or by the code around
//! the definitions, gets a number (`name___2`).
//!
//! ```text
//!  module (a whole file: lints, helpers, all types)
//!     `--> definitions    complete types first
//!             |--> names      valid and unique; anonymous types are named after their containers
//!             |--> expression how a type is written where it is used, its size, alignment and traits
//!             |--> define     an enumeration, a typedef; the members of a structure or union
//!             |--> section    the variables of a section as one structure
//!             `--> compose    members at their offsets (layout), bitfields and unions as bytes (bits), asserts
//! ```

mod bits;
mod compose;
mod define;
mod definitions;
mod expression;
mod layout;
mod module;
mod names;
mod section;
#[cfg(test)]
mod tests;

pub use super::sorted::Order;
pub use bits::PRELUDE;
pub(crate) use define::comment;
pub use definitions::Definitions;
pub use module::Module;
pub(crate) use names::identifier;
pub(crate) use section::{Section, SectionVariable};
