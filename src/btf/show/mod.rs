//! What types are good for reading: bytes as values, definitions in C.

pub mod c;
pub mod value;
