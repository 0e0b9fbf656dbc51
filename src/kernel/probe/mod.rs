//! Whether the running kernel has a [`Feature`](crate::feature::Feature), found out by trying it on something tiny.
//!
//! In: a feature, a program or map type, a helper function. Out: yes or no, and why. Everything created on the way is closed
//! again. Nothing is remembered here: the [`Target`](crate::reloc::Target) that asked keeps the answer. Not here: which
//! features a load needs.
//!
//! Start with `feature`, which knows the experiment for each:
//!
//! ```text
//!  has(feature)       feature --> btf, map, program, link --> answer   yes, no, or nothing at all
//!  obstacle(plan)     obstacle --> kinds                               types of programs and maps, helper functions
//! ```

use std::os::fd::BorrowedFd;

mod answer;
mod btf;
mod feature;
mod kinds;
mod link;
mod map;
mod obstacle;
mod program;

pub(crate) use feature::has;
pub use kinds::{Support, helper, helper_in, map, map_kind, program, program_kind};
pub(crate) use link::has_links;
pub(crate) use obstacle::{AttachTrial, no_place, obstacle};
pub(crate) use program::{EXIT, NOTHING, mov};

/// The token whose rights are used in addition to this process's, if any.
pub(crate) type Token<'a> = Option<BorrowedFd<'a>>;
