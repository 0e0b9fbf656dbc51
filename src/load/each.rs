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
    /// Why it is not there; of a map that the object has, why it lacks a program that it should hold. `None` if all is well.
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
    /// All maps are made once, and used by all programs. A program array or `struct_ops` map that names a refused program
    /// lacks that one, which its [`Outcome`] says.
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
            let outcome = Outcome {
                name: map.name.clone(),
                error: session.make_map(index, target).err(),
            };
            maps.push((index, outcome));
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
        let maps = maps.into_iter().map(|(index, mut outcome)| {
            if outcome.error.is_none() {
                let filled = session.put_programs(index);
                outcome.error = filled.and_then(|()| session.check_functions(index)).err();
            }
            outcome
        });
        let maps = maps.collect();
        Ok(LoadedEach {
            object: session.finish(),
            maps,
            programs,
        })
    }
}
