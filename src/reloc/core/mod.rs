//! CO-RE: answers the questions that a program was compiled with from a kernel's types.
//!
//! In: the object's types with its relocation records, a [`Target`](crate::reloc::Target), and instructions. Out: the
//! patched instructions, and a [`CoreStep`](crate::reloc::CoreStep) for each that says what was
//! done. Not here: which records belong to which program (see `reloc`), and where a kernel's types come from (see
//! `load`).
//!
//! A record says: *this instruction contains the offset (or size, existence, id, ...) of this path into this type as I
//! know it; replace it with the one of your kernel*. Answering takes five steps, each in its own file; start with `resolver`:
//!
//! ```text
//!  resolver, for each record:
//!  access string --spec--> path  --candidates--> kernel types of that name  --matching--> the same path in each
//!      --value--> what it was, and is, in numbers (answer, field, type_enum)  --patch--> the instruction
//! ```
//!
//! `compat` compares types for fields and existence, `types_match` in all details. `kind` is the question, `budget` limits the
//! work, `error` says why there is no answer, and `used` collects the types and members that all answers depend on.

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
