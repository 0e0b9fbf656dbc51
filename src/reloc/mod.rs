//! An [`OpenObject`](crate::open::OpenObject) and a [`Target`] in, a [`LoadPlan`] out.
//!
//! In: what the object says, and a kernel as data. Out: everything that will be asked of the kernel, as plain data. Not
//! here: asking it (see `load`).

mod plan;
mod target;

pub use plan::{
    AttachTarget, CoreOutcome, CoreStep, InfoRecords, LoadPlan, MapPlan, Pinning, ProgramPlan, Ref,
    RefKind, SlotPlan, SlotTarget,
};
pub use target::{KernelSource, Module, ModuleBtf, OfflineKernel, Target};
