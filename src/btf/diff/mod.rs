//! Two sets of types in, what changed between them out: added, removed and changed types, as plain data.
//!
//! Types are known by kind and name, enumerations without a name by their first constant. What refers to a type with a name compares
//! that name only, since the type itself is compared once, where it is defined; what has no name is compared by what it is. So the
//! work is linear: one look at each type of either side for its hash, and at the members of those that differ.
//!
//! ```text
//!  key       what a type is known by
//!  hashes    what a type says, as a number: equal numbers, equal types
//!  parts     members (those of anonymous members too), constants, variables, each with its place
//!  compare   pairs by key --> those with other numbers --> parts that differ --> report
//! ```
//!
//! A forward declaration counts only if neither side has the type itself. Tags of types (`btf_type_tag`) and names of parameters do not count: which of them there are depends on the compiler.

mod compare;
mod hashes;
mod key;
mod parts;
mod report;
#[cfg(test)]
mod tests;

pub use compare::Comparison;
pub use report::{Change, Changed, Diff, Named, Place};
