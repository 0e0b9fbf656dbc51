//! Types in readable form: bytes as values, definitions in C and in Rust.

mod budget;
pub mod c;
pub(crate) mod names;
mod place;
pub mod rust;
mod sorted;
pub mod value;
