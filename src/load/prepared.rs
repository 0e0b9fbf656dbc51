//! Partial loading: the maps exist, the programs do not.

use super::object::Object;
use super::options::LoadOptions;
use super::session::{Made, Session};
use crate::map::Map;
use crate::open::OpenObject;
use crate::reloc::{LoadPlan, Target};
use crate::sys::arena::ArenaMemory;
use crate::{Error, ErrorKind, Result, did_you_mean};

/// An object whose maps were created and filled, but whose programs are not loaded yet: for callers that want to fill a map,
/// or pass it on, before the first program can run. Returned by [`OpenObject::prepare`].
///
/// Dropping it undoes everything, including pins.
#[derive(Debug)]
#[doc(alias = "bpf_object__prepare")]
pub struct PreparedObject {
    pub(super) open: OpenObject,
    pub(super) plan: LoadPlan,
    pub(super) made: Made,
    /// For each program, whether it was relocated: only programs to be loaded are.
    pub(super) relocated: Vec<bool>,
    /// The kernel that has the maps, for later look-ups.
    pub(super) target: Target,
}

impl OpenObject {
    /// [`OpenObject::prepare`] for `target`, which describes the running kernel. The programs are loaded into the same kernel,
    /// with the same token.
    pub fn prepare_for(self, target: &Target) -> Result<PreparedObject> {
        let plan = self.relocate(target)?;
        let made = plan.check().and_then(|()| self.make_maps(&plan, target));
        let made = made.map_err(|e| plan.blame(e))?;
        Ok(PreparedObject {
            open: self,
            relocated: plan.programs.iter().map(|p| p.autoload).collect(),
            plan,
            made,
            target: target.afresh(),
        })
    }

    fn make_maps(&self, plan: &LoadPlan, target: &Target) -> Result<Made> {
        let options = LoadOptions::default().for_object(self);
        let mut session = Session::start(plan, target, &options)?;
        session.make_maps(target)?;
        Ok(session.pause())
    }
}

impl PreparedObject {
    /// The object's name.
    #[doc(alias = "bpf_object__name")]
    pub fn name(&self) -> &str {
        &self.plan.object_name
    }

    /// What was created so far, and what is still to be loaded.
    pub fn plan(&self) -> &LoadPlan {
        &self.plan
    }

    /// The maps that were created, in the order of the file.
    #[doc(alias = "bpf_object__for_each_map")]
    pub fn maps(&self) -> impl Iterator<Item = &Map> {
        self.made.maps.iter().flatten()
    }

    /// The map with this name; maps of global data are named after their sections, such as `.bss`.
    ///
    /// # Errors
    /// `NotFound` if there is none, or if it was not created.
    #[doc(alias = "bpf_object__find_map_by_name")]
    pub fn map(&self, name: &str) -> Result<&Map> {
        self.maps().find(|map| map.name() == name).ok_or_else(|| {
            let near = did_you_mean(name, self.maps().map(Map::name));
            let message = format!("object {} has no map `{name}`{near}", self.name());
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// The memory of the object's arena, if it has one.
    pub fn arena(&self) -> Option<&ArenaMemory> {
        self.made.arena.as_ref()
    }

    /// Warnings about the object on this kernel, and what the kernel refused but the object does not strictly need.
    pub fn warnings(&self) -> &[Error] {
        &self.made.warnings
    }

    /// Loads the programs: all or nothing.
    ///
    /// # Errors
    /// The first program that the kernel refused; the maps are gone, too.
    #[doc(alias = "bpf_object__load")]
    pub fn load(self) -> Result<Object> {
        self.load_with(&LoadOptions::default())
    }

    /// [`PreparedObject::load`] with options.
    pub fn load_with(self, options: &LoadOptions) -> Result<Object> {
        let Self {
            open,
            plan,
            made,
            target,
            ..
        } = self;
        let options = options.for_object(&open);
        let mut session = Session::resume(&plan, &options, made);
        session.load_programs(&target).map_err(|e| plan.blame(e))?;
        Ok(session.finish())
    }
}
