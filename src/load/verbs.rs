//! From an opened object to a loaded one in one step.

use super::each::LoadedEach;
use super::object::Object;
use super::options::LoadOptions;
use crate::btf::Btf;
use crate::open::OpenObject;
use crate::reloc::Target;
use crate::{Error, Result};

impl OpenObject {
    /// Relocates the object for the running kernel, and loads it: all or nothing.
    ///
    /// # Errors
    /// What relocation could not resolve, or the first refusal of the kernel.
    #[doc(alias = "bpf_object__load")]
    pub fn load(self) -> Result<Object> {
        let target = self.running_target()?;
        self.load_into(&target, &LoadOptions::default())
    }

    /// Relocates the object for `target`, which describes the running kernel, and loads it with `options`.
    ///
    /// One target serves any number of objects, and remembers what it found out about the kernel. Those who look at the plan, or
    /// change it, before anything is asked of the kernel call [`OpenObject::relocate`] and [`LoadPlan::load_with`](crate::reloc::LoadPlan::load_with)
    /// instead.
    pub fn load_into(self, target: &Target, options: &LoadOptions) -> Result<Object> {
        let options = options.for_object(&self);
        self.relocate(target)?.load_with(target, &options)
    }

    /// Relocates the object for the running kernel, and loads every program (whose autoload is on) that the kernel takes;
    /// see [`LoadPlan::load_each`](crate::reloc::LoadPlan::load_each).
    ///
    /// # Errors
    /// Only what concerns the object as a whole.
    pub fn load_each(self) -> Result<LoadedEach> {
        let target = self.running_target()?;
        let options = LoadOptions::default().for_object(&self);
        self.relocate_each(&target)?
            .load_each_with(&target, &options)
    }

    /// The running kernel as this object is loaded into it: with the types and the token that its
    /// [`OpenOptions`](crate::OpenOptions) name.
    ///
    /// # Errors
    /// The file with the types cannot be read, or holds none.
    pub fn running_target(&self) -> Result<Target> {
        let target = Target::running_with_token(self.token.clone());
        match &self.btf_path {
            Some(path) => {
                let types = Btf::from_file(path).map_err(|e| self.blame(e))?;
                Ok(target.with_core_btf(types))
            }
            None => Ok(target),
        }
    }

    pub(super) fn blame(&self, error: Error) -> Error {
        match &self.path {
            Some(path) => error.context(format!("object {}", path.display())),
            None => error.context(format!("object {}", self.name)),
        }
    }
}
