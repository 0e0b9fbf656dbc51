//! From a plan to an object, step by step: the way through this room.

use super::object::Object;
use super::options::LoadOptions;
use super::session::Session;
use crate::Result;
use crate::reloc::{LoadPlan, Target};

impl LoadPlan {
    /// Asks the running kernel for everything in the plan, in order. All or nothing: if one item is refused, those before
    /// it are given back.
    ///
    /// `target` is the one that the plan was made for; it says what the kernel can do.
    ///
    /// # Errors
    /// The first refusal, with the map or program it was about.
    #[doc(alias = "bpf_object__load")]
    pub fn load(&self, target: &Target) -> Result<Object> {
        self.load_with(target, &LoadOptions::default())
    }

    /// [`LoadPlan::load`] with options. A plan with holes (see [`LoadContext`](super::LoadContext)) has to be loaded with what
    /// goes into them.
    pub fn load_with(&self, target: &Target, options: &LoadOptions) -> Result<Object> {
        load_all(self, target, options).map_err(|e| self.blame(e))
    }

    /// What is known to be impossible before anything is made is an error.
    pub(super) fn check(&self) -> Result<()> {
        let mut wanted = self.programs.iter().filter(|p| p.autoload);
        let first = wanted.find_map(|program| program.error.clone());
        first.map_or(Ok(()), Err)
    }
}

/// Walks over the whole plan; what was made before a failure is given back.
fn load_all(plan: &LoadPlan, target: &Target, options: &LoadOptions) -> Result<Object> {
    plan.check()?;
    // The memory limit, the object's types.
    let mut session = Session::start(plan, target, options)?;
    // Each map with its first contents, pinned or found at its pin.
    session.make_maps(target)?;
    // Each program, with descriptors in place of the plan's zeros; then the maps that hold programs.
    session.load_programs(target)?;
    // What owns it all.
    Ok(session.finish())
}
