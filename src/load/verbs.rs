//! From an opened object to a loaded one, for a given kernel.

use super::each::LoadedEach;
use super::object::Object;
use super::options::LoadOptions;
use crate::Result;
use crate::open::OpenObject;
use crate::reloc::Target;

impl OpenObject {
    /// Relocates the object for `target`, which describes the running kernel, and loads it with `options`.
    ///
    /// One target serves any number of objects, and caches what it found out about the kernel. To inspect or change the plan
    /// before anything is passed to the kernel, call [`OpenObject::relocate`] and
    /// [`LoadPlan::load_with`](crate::reloc::LoadPlan::load_with) instead.
    pub fn load_into(self, target: &Target, options: &LoadOptions) -> Result<Object> {
        let options = options.for_object(&self);
        self.relocate(target)?.load_with(target, &options)
    }

    /// Relocates the object for `target`, and loads every program (whose autoload is on) that the kernel accepts.
    pub(crate) fn load_each_into(self, target: &Target) -> Result<LoadedEach> {
        let options = LoadOptions::default().for_object(&self);
        self.relocate_each(target)?.load_each_with(target, &options)
    }
}
