//! From a plan to an object, step by step: start here.

use super::object::Object;
use super::options::LoadOptions;
use super::session::Session;
use crate::Result;
use crate::reloc::{LoadPlan, Target};

impl LoadPlan {
    /// Passes everything in the plan to the running kernel, in order. All or nothing: if one item is refused, those before it
    /// are undone.
    ///
    /// `target` is the one that the plan was made for; it says what the kernel supports.
    ///
    /// # Errors
    /// The first refusal, with the map or program concerned.
    #[doc(alias = "bpf_object__load")]
    pub fn load(&self, target: &Target) -> Result<Object> {
        self.load_with(target, &LoadOptions::default())
    }

    /// [`LoadPlan::load`] with options. A plan that refers to the caller's maps or programs needs a
    /// [`LoadContext`](super::LoadContext) with them.
    pub fn load_with(&self, target: &Target, options: &LoadOptions) -> Result<Object> {
        load_all(self, target, options).map_err(|e| self.blame(e))
    }

    /// An error if part of the plan is known to be impossible, before anything is created.
    pub(super) fn check(&self) -> Result<()> {
        let mut wanted = self.programs.iter().filter(|p| p.autoload);
        let first = wanted.find_map(|program| program.error.clone());
        first.map_or(Ok(()), Err)
    }
}

/// Goes through the whole plan; what was created before a failure is undone.
fn load_all(plan: &LoadPlan, target: &Target, options: &LoadOptions) -> Result<Object> {
    plan.check()?;
    // The memory limit, the object's types.
    let mut session = Session::start(plan, target, options)?;
    // Each map with its initial contents, pinned or found at its pin.
    session.make_maps(target)?;
    // Each program, with descriptors instead of the plan's zeros; then the maps that contain programs.
    session.load_programs(target)?;
    // The owner of all of them.
    Ok(session.finish())
}
