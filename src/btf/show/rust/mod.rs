//! Types in, their definitions in Rust out: for programs that read the bytes that BPF programs write, with `zerocopy`.
//!
//! Offsets and sizes are those of BTF: gaps become members of bytes, what Rust would lay out otherwise is `packed`, and what it cannot
//! lay out at all (members upon each other) is told in a comment; a `const` next to each definition asserts it. Pointers are
//! numbers, since what they point to is in another address space, and so what is only pointed to is not written.
//!
//! All types are `Immutable` and `KnownLayout`. Of any bytes (`FromBytes`) are those without a `bool`; those with one have `TryFromBytes`
//! and `FromZeros`. Those without a union are `IntoBytes`. A name that is taken, by a type of another kind or by what is written around the
//! definitions, gets a number (`name___2`).
//!
//! ```text
//!  module (a whole file: lints, helpers, all types)
//!     `--> definitions    complete types first
//!             |--> names      what Rust allows, each once; those without a name after what they are in
//!             |--> expression how a type is written where it is used, its size, alignment and traits
//!             |--> define     an enumeration, a typedef; of a structure or union what its members are
//!             `--> compose    members in their places (layout), bitfields as bytes (bits), asserts
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
