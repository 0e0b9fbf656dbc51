//! Links objects: one object that has what all of them have.
//!
//! In: compiled objects, as bytes. Out: the bytes of one object, in which the functions, maps and variables of one file that others
//! declare `extern` are those that the others refer to. Not here: what a kernel says to it (see `reloc`).
//!
//! Start with `steps`, which calls the stages in order:
//!
//! ```text
//!  steps  --> input (sections, symbols)  --> layout (each section's place in the output)
//!             declared (names of types)      resolve (which symbol each name means)
//!                                        --> agree (do all files say the same of it?), map_definition
//!         --> relocate (references that move), jump_tables --> types (BTF and .BTF.ext of all) --> output
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
