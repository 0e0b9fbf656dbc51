//! An opened object in, Rust text out: a module with its maps, programs, variables and types, each of its own type.
//!
//! [`Rust`] is the one generator behind the macro `include_bpf!` (feature `macros`), `rawbpf gen rust` and build scripts. It
//! asks nothing of the machine: a build needs the object, and neither clang nor a kernel. Not here: how types are written (see
//! [`btf::rust`](crate::btf::rust)), and what the text calls at run time (see `bound`).
//!
//! Nothing of the object's names can become code: names become identifiers, string literals, or comments without any
//! character that could end them.
//!
//! ```text
//!  rust (options) --> write --> facts     which maps, programs, sections and types there are, and their names in Rust
//!                       |        |--> maps       the type of each map
//!                       |        `--> programs   how each program is attached
//!                       `----> text      the module
//! ```

mod facts;
mod maps;
mod programs;
mod rust;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use rust::{ObjectBytes, Rust};
