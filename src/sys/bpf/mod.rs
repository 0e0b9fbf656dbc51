//! The commands of `bpf(2)`, one safe function each.
//!
//! In: borrowed descriptors, slices and the structs of this module. Out: owned descriptors, values, [`Errno`](crate::Errno).
//! Nothing is retried beyond what the kernel asks for (`EAGAIN` of a program load), and nothing is probed; fallbacks for old
//! kernels are up to the `load` and `attach` rooms. Not here: perf events, memory maps (see the neighbours).
//!
//! Start with `call`, which all the others go through:
//!
//! ```text
//!  maps        map, map_batch, map_width        --.
//!  programs    program                            |
//!  types       btf                                +--> call --> bpf(2)
//!  links       link; without one: attach          |
//!  any         object: pins, ids, information   --'
//! ```
//!
//! `map_info` (with `fdinfo`, if need be), `program_info` and `link_info` hold what the kernel reports about an object.
//! `sort` finds out what a descriptor refers to, and `ensure` refuses the wrong kind.

mod attach;
mod btf;
mod call;
mod ensure;
mod fdinfo;
mod link;
mod link_info;
mod map;
mod map_batch;
mod map_info;
mod map_width;
mod object;
mod program;
mod program_info;
mod sort;

pub use attach::*;
pub use btf::*;
pub use call::*;
pub use fdinfo::*;
pub use link::*;
pub use link_info::*;
pub use map::*;
pub use map_batch::*;
pub use map_info::*;
pub use object::*;
pub use program::*;
pub use program_info::*;
pub use sort::object_kind;
