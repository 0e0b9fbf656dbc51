//! Loading what can be loaded, and saying of each item how it went.

use super::object::Object;
use super::options::LoadOptions;
use super::session::Session;
use crate::reloc::{LoadPlan, Target};
use crate::{Error, Result};

/// How one map or program fared.
#[derive(Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Why it is not there; `None` if it is.
    pub error: Option<Error>,
}

/// What became of each item of a plan. Returned by [`LoadPlan::load_each`].
#[derive(Debug)]
pub struct LoadedEach {
    /// Holds what could be made.
    pub object: Object,
    /// The maps that were to be created, in order.
    pub maps: Vec<Outcome>,
    /// The programs that were to be loaded, in order.
    pub programs: Vec<Outcome>,
}

impl LoadPlan {
    /// Loads every program (whose autoload is on) that the kernel takes, so that one refused program does not hide what
    /// the kernel says of the others.
    ///
    /// # Errors
    /// Only what concerns the object as a whole.
    pub fn load_each(self, target: &Target) -> Result<LoadedEach> {
        self.load_each_with(target, &LoadOptions::default())
    }

    /// [`LoadPlan::load_each`] with options.
    pub fn load_each_with(mut self, target: &Target, options: &LoadOptions) -> Result<LoadedEach> {
        self.load_each_of(target, options)
            .map_err(|e| e.context(format!("object {}", self.object_name)))
    }

    pub(super) fn load_each_of(
        &mut self,
        target: &Target,
        options: &LoadOptions,
    ) -> Result<LoadedEach> {
        let hopeless: Vec<_> = self.programs.iter_mut().map(|p| p.error.take()).collect();
        let mut session = Session::start(self, target, options)?;
        let mut maps = Vec::new();
        for (index, map) in self.maps.iter().enumerate().filter(|(_, m)| m.autocreate) {
            maps.push(Outcome {
                name: map.name.clone(),
                error: session.make_map(index, target).err(),
            });
            options.go_on()?;
        }
        let mut programs = Vec::new();
        let planned = self.programs.iter().zip(hopeless).enumerate();
        for (index, (program, hopeless)) in planned.filter(|(_, (p, _))| p.autoload) {
            let error = match hopeless {
                Some(error) => Some(error),
                None => session.load_program(index).err(),
            };
            options.go_on()?;
            programs.push(Outcome {
                name: program.name.clone(),
                error,
            });
        }
        // A program array may name a program that was refused; that is said already.
        let _ = session.fill_program_arrays();
        Ok(LoadedEach {
            object: session.finish(),
            maps,
            programs,
        })
    }
}
