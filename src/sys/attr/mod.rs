//! The kernel's argument blocks: one `repr(C)` struct per `bpf(2)` command, every offset asserted at compile time.
//!
//! In: nothing. Out: plain structs without padding, all bytes of which may be read (zerocopy checks that). Pointers are
//! `u64`, as in the kernel's header; the typed functions in `sys::bpf` fill them. Not here: calls, meaning.

mod info;
mod layout;
mod link;
mod map;
mod object;
mod perf;
mod program;

pub(super) use info::*;
pub(super) use layout::Attr;
pub(super) use link::*;
pub(super) use map::*;
pub(super) use object::*;
pub(super) use perf::*;
pub(super) use program::*;
