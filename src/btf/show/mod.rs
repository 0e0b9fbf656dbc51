//! What types are good for reading: bytes as values.

pub mod value;
