//! An opened object in, source code out that uses it by name.

pub mod c;
