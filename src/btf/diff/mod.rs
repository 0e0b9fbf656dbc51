//! Two sets of types in, the differences between them out: added, removed and changed types, as plain data.
//!
//! Types are identified by kind and name, anonymous enumerations by their first constant. References to named types are
//! compared by name only, since each type is compared once, where it is defined; anonymous types are compared by content. So
//! the work is linear: one pass over the types of either side for their hashes, and over the members of those that differ.
//!
//! ```text
//!  key       the identity of a type
//!  hashes    a hash of each type: equal hashes mean equal types
//!  parts     members (those of anonymous members too), constants, variables, each with its offset
//!  compare   pairs by key --> those with different hashes --> parts that differ --> report
//! ```
//!
//! A forward declaration matters only if neither side has a definition. Type tags (`btf_type_tag`) and parameter names are
//! ignored: they depend on the compiler.

mod compare;
mod hashes;
mod key;
mod parts;
mod report;
#[cfg(test)]
mod tests;

pub use compare::Comparison;
pub use report::{Change, Changed, Diff, Named, Place};
