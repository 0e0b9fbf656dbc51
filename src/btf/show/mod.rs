//! What types are good for reading: bytes as values, definitions in C and in Rust.

mod budget;
pub mod c;
mod names;
mod place;
pub mod rust;
mod sorted;
pub mod value;
