//! Whether the running kernel has a [`Feature`](crate::feature::Feature), found out by trying it on something tiny.
//!
//! In: a feature, or a type of program or map. Out: yes or no. Everything made on the way is closed again. Nothing is remembered here: the
//! [`Target`](crate::reloc::Target) that asked keeps the answer. Not here: which features a load needs.

mod btf;
mod feature;
mod kinds;
mod link;
mod map;
mod program;

pub(crate) use feature::has;
pub use kinds::{Support, helper, map_kind, program_kind};
