//! Reads BTF: decoding in place, look-up, validation, comparison with Rust types.
//!
//! Start with `parse`, which turns bytes into a [`Btf`](super::Btf):
//!
//! ```text
//!  bytes --> parse --> header --> foreign (the other byte order) --> index (where each type starts) --> Btf
//!  Btf --> types       one type (kind), decoded on demand
//!     |--> query       all of them: by name, size, alignment --> name (as C writes it), layout (as Rust has it)
//!     |--> sorted      one name by halving, where types are in the order of their names
//!     `--> validate    does every reference lead somewhere?
//! ```
//!
//! `typed_bytes` reads a value of a Rust type whose layout has been compared. `ext` reads the other section, `.BTF.ext`.

pub(super) mod ext;
mod foreign;
pub(super) mod header;
#[cfg(test)]
mod hostile;
mod index;
pub(super) mod kind;
pub(super) mod layout;
mod name;
pub(super) mod parse;
pub(super) mod query;
mod sorted;
pub(super) mod typed_bytes;
pub(super) mod types;
mod validate;
