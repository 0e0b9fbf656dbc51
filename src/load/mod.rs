//! Turns a [`LoadPlan`](crate::reloc::LoadPlan) into an [`Object`]: goes through the plan, passes each item to the kernel in
//! order, and undoes everything if one of them is refused.
//!
//! In: a plan, the [`Target`](crate::reloc::Target) it was made for. Out: [`Object`], which owns the descriptors of maps
//! and programs; or an error that says what the kernel refused. Not here: facts about the running kernel (see
//! `kernel`), loading in one step (see `running`), attaching (see `attach`), using the maps (see `map`).
//!
//! Start with `steps`, which calls the rest:
//!
//! ```text
//!  verbs --> steps --> session --> upload    the object's types
//!                             |--> map       each map, new or from its pin (pin, exclusive), with first contents (fill)
//!                             |--> program   each program: in turn (alternatives), or side by side (workers)
//!                             |--> fill      the programs, into the maps that contain programs
//!                             `--> object    what owns it all
//! ```
//!
//! The other entry points are `prepared` (with `clone`) and `each`. Input from the caller: `options`, `context`, `reuse`. Maps
//! and programs both need `log` and `modules`. `new_map` creates a map by hand; `globals` (with `constant`) and `pin_all` are for loaded objects.

mod alternatives;
mod clone;
mod constant;
mod context;
mod each;
mod exclusive;
mod fill;
mod globals;
mod log;
mod map;
mod modules;
mod new_map;
mod object;
mod options;
mod pin;
mod pin_all;
mod prepared;
mod program;
mod reuse;
mod session;
mod steps;
mod upload;
mod verbs;
mod workers;

pub use clone::CloneOptions;
pub use constant::Constant;
pub use context::LoadContext;
pub use each::{LoadedEach, Outcome};
pub use globals::Live;
pub use object::Object;
pub use options::LoadOptions;
pub use prepared::PreparedObject;
pub(crate) use program::function_of;
