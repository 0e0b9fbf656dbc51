//! CO-RE: the answers of one kernel's types to the questions that a program was compiled with.
//!
//! In: the object's types with its relocation records, a [`Target`](crate::reloc::Target), and instructions. Out: the
//! instructions with the answers patched in, and a [`CoreStep`](crate::reloc::CoreStep) for each that tells what was
//! done. Not here: which records belong to which program (see `reloc`), and where a kernel's types come from (see
//! `load`).
//!
//! A record says: *this instruction holds the offset (or size, existence, number, ...) of this path into this type, as I
//! know the type; put in what it is in your kernel*. The answer takes five steps, a file each; start with `resolver`:
//!
//! ```text
//!  resolver, for each record:
//!  access string --spec--> path  --candidates--> kernel types of that name  --matching--> the same path in each
//!      --value--> what it was, and is, in numbers (answer, field, type_enum)  --patch--> the instruction
//! ```
//!
//! Types are compared by `compat` (fields, types that exist) and `types_match` (types that match). `kind` is the question,
//! `budget` how much work it may take, `error` why there is no answer, `used` which types and members all answers rest on.

mod answer;
mod budget;
mod candidates;
mod compat;
mod error;
mod field;
mod kind;
mod matching;
mod patch;
mod resolver;
mod spec;
#[cfg(test)]
mod tests;
mod type_enum;
mod types_match;
mod used;
mod value;

pub(crate) use candidates::explain_missing_btf;
pub(crate) use compat::declarations_are_compatible;
pub use kind::core_kind_name;
pub(crate) use resolver::{CoreResolver, wanted_names};
pub(crate) use used::UsedTypes;
