//! From an opened object to a loaded one in one step.

use super::each::LoadedEach;
use super::object::Object;
use super::options::LoadOptions;
use super::steps;
use crate::btf::Btf;
use crate::map::MapTypes;
use crate::open::OpenObject;
use crate::reloc::{LoadPlan, Target};
use crate::{Error, Result};
use std::sync::Arc;

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
    /// One target serves any number of objects, and remembers what it found out about the kernel.
    pub fn load_into(self, target: &Target, options: &LoadOptions) -> Result<Object> {
        let plan = self.relocate(target)?;
        self.load_planned(plan, target, options)
    }

    /// The second half of [`OpenObject::load_into`]: loads what [`OpenObject::relocate`] has made of this object. For those
    /// who look at the plan, or change it, before anything is asked of the kernel.
    pub fn load_planned(
        self,
        mut plan: LoadPlan,
        target: &Target,
        options: &LoadOptions,
    ) -> Result<Object> {
        let program_error = plan.first_error();
        let loaded = match program_error {
            Some(error) => Err(error),
            None => steps::load_all(&plan, target, options),
        };
        let mut object = loaded.map_err(|e| self.blame(e))?;
        self.hand_over(&mut object);
        Ok(object)
    }

    /// Relocates the object for the running kernel, and loads every program (whose autoload is on) that the kernel takes;
    /// see [`LoadPlan::load_each`](crate::reloc::LoadPlan::load_each).
    ///
    /// # Errors
    /// Only what concerns the object as a whole.
    pub fn load_each(self) -> Result<LoadedEach> {
        let target = self.running_target()?;
        let plan = self.relocate_each(&target)?;
        self.load_each_planned(plan, &target, &LoadOptions::default())
    }

    /// The second half of [`OpenObject::load_each`]: loads what [`OpenObject::relocate_each`] has made of this object.
    pub fn load_each_planned(
        self,
        mut plan: LoadPlan,
        target: &Target,
        options: &LoadOptions,
    ) -> Result<LoadedEach> {
        let loaded = plan.load_each_of(target, options);
        let mut each = loaded.map_err(|e| self.blame(e))?;
        self.hand_over(&mut each.object);
        Ok(each)
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

    /// What a loaded object still needs of the file.
    pub(super) fn hand_over(self, object: &mut Object) {
        object.warnings.extend(self.warnings());
        let places: Vec<_> = self
            .maps
            .iter()
            .map(|m| (m.key_type(), m.value_type()))
            .collect();
        object.types = self.btf.map(Arc::<Btf<'static>>::new);
        if let Some(btf) = &object.types {
            for ((key, value), place) in places.into_iter().zip(&object.map_places) {
                if let Some(map) = place.and_then(|place| object.maps.get(place)) {
                    let btf = Arc::clone(btf);
                    map.set_types(MapTypes { btf, key, value });
                }
            }
        }
        object.variables = self.variables;
    }
}
