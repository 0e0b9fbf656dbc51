//! Links objects: combines several objects into one.
//!
//! In: compiled objects, as bytes. Out: the bytes of one object, in which `extern` declarations of functions, maps and
//! variables refer to the definitions in other files. Not here: resolving names against a kernel (see `reloc`).
//!
//! Start with `steps`, which calls the stages in order:
//!
//! ```text
//!  steps  --> input (sections, symbols)  --> layout (each section's offset in the output)
//!             declared (names in types)      resolve (which symbol each name refers to)
//!                                        --> agree (do all files agree on it?), map_definition
//!         --> relocate (relocations), jump_tables --> types (merged BTF and .BTF.ext) --> output
//! ```

mod agree;
mod declared;
mod input;
mod jump_tables;
mod layout;
mod map_definition;
mod output;
mod relocate;
mod resolve;
mod steps;
#[cfg(test)]
mod tests;
mod types;

pub use steps::Linker;
