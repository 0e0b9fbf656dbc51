//! An [`OpenObject`](crate::open::OpenObject) and a [`Target`] in, a [`LoadPlan`] out.
//!
//! In: what the object contains, and a kernel as data. Out: everything that will be requested from the kernel, as plain data.
//! Not here: the requests (see `load`).
//!
//! Start with `steps`, which calls everything else; the other files are its steps, and `plan` is the result:
//!
//! ```text
//!  steps, for the object:     kernel_types --> externs (kconfig) --> maps --> struct_ops --> core_relos (core)
//!         for each program:   subprog --> references (jump_tables, poison) --> sanitize_insns --> info --> arg_ctx
//!                                     --> attach_target
//!         in the end:         btf_upload --> plan --> alternatives (obstacles, choice)
//! ```
//!
//! All of them query `target`, which caches the `answers`, of a running kernel or one described by files (`offline`). Not
//! part of these steps: `missing_types`, which attributes the errors if a kernel has no types; `helpers` and `refused_maps`
//! (by `map_rules`), which predict what a load would need or run into; and `minimize`, which writes those of a kernel's types
//! that all this looks at.

mod alternatives;
mod answers;
mod arg_ctx;
mod attach_target;
mod btf_upload;
mod choice;
mod core;
mod core_relos;
mod externs;
mod helpers;
mod info;
mod jump_tables;
pub(crate) mod kconfig;
mod kernel_types;
pub(crate) mod map_rules;
mod maps;
mod minimize;
mod missing_types;
mod obstacles;
mod offline;
mod plan;
mod poison;
mod references;
mod refused_maps;
mod sanitize_insns;
mod steps;
mod struct_ops;
mod subprog;
mod target;
#[cfg(test)]
mod testing;

#[doc(no_inline)]
pub use crate::kinds::{Pinning, ProbeKind, ProbePmu};
#[doc(no_inline)]
pub use crate::open::{MapSlot, SlotTarget};
pub(crate) use alternatives::is_refusal;
pub(crate) use answers::LoadedFor;
pub(crate) use attach_target::resolve_alone as attach_target_of;
pub use choice::{Choice, PassedOver};
pub use core::core_kind_name;
pub use minimize::minimize;
pub(crate) use obstacles::of as obstacle;
pub use offline::OfflineKernel;
pub use plan::{
    AttachTarget, CoreOutcome, CoreStep, FunctionSlot, InfoRecords, LoadPlan, MapPlan, Module,
    ProgramPlan, Ref, RefKind,
};
pub(crate) use poison::Poison;
pub use target::{KernelSource, ModuleBtf, Target};
