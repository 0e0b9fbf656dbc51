//! An object in, a header for C and C++ programs out that link libbpf: what `bpftool gen skeleton` writes, with the same names and
//! the same layout.
//!
//! Not here: how types are declared (see [`btf::c`](crate::btf::c)). The header defines no types of the object but those of its
//! sections; whoever includes it has included the others before.
//!
//! Nothing of the object's names can become code: names become identifiers, or string literals without any character that could end
//! them.
//!
//! ```text
//!  skeleton, subskeleton --> facts     maps, programs, sections and tables of functions, and their names in C
//!                       |      |--> section    the variables of a section
//!                       |      |--> table      the members of a struct_ops variable
//!                       |      `--> writer     types and names
//!                       |--> shape     the structure that both begin with
//!                       |--> fill      code that tells libbpf about maps and programs
//!                       `--> literal   strings, and the object's bytes
//! ```

mod facts;
mod fill;
mod literal;
mod section;
mod shape;
mod skeleton;
mod subskeleton;
mod table;
#[cfg(test)]
mod tests;
mod writer;

pub use skeleton::Skeleton;
pub use subskeleton::Subskeleton;
