//! What generated bindings are made of at run time (see [`bindings`](crate::bindings)): opened and loaded objects by index
//! instead of by name, with the types that the generator knows.
//!
//! In: an [`OpenObject`](crate::OpenObject) or [`Object`](crate::load::Object) of the same bytes that the bindings were
//! generated from. Out: sections as structures, maps and variables of their types, programs with an `attach` that takes what
//! their section's name does not say. Not here: anything that a program without bindings needs.

mod edit;
mod loaded;
mod program;

pub use edit::{map_mut, open, program_mut, section, set_section};
pub use loaded::{constant, live, map, optional_map};
pub use program::{Bound, how};
