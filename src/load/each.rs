//! Loads whatever can be loaded, with an outcome for each item.

use super::object::Object;
use super::options::LoadOptions;
use super::session::Session;
use crate::map::Map;
use crate::reloc::{LoadPlan, ProgramPlan, Target};
use crate::{Errno, Error, ErrorKind, Result};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The outcome for one map or program.
#[derive(Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Why it does not exist; for a map that does, why it lacks a program that it should contain. `None` on success.
    pub error: Option<Error>,
}

/// The outcome of each item of a plan. Returned by [`LoadPlan::load_each`].
#[derive(Debug)]
pub struct LoadedEach {
    /// Contains what could be created.
    pub object: Object,
    /// The maps that were to be created, in order.
    pub maps: Vec<Outcome>,
    /// The programs that were to be loaded, in order.
    pub programs: Vec<Outcome>,
}

impl LoadPlan {
    /// Loads every program (whose autoload is on) that the kernel accepts, so that a refused program does not hide the
    /// outcome of the others.
    ///
    /// All maps are created once, and shared by all programs. A program array or `struct_ops` map that refers to a refused
    /// program lacks it, as its [`Outcome`] says.
    ///
    /// # Errors
    /// Only errors that concern the whole object.
    pub fn load_each(&self, target: &Target) -> Result<LoadedEach> {
        self.load_each_with(target, &LoadOptions::default())
    }

    /// [`LoadPlan::load_each`] with options.
    pub fn load_each_with(&self, target: &Target, options: &LoadOptions) -> Result<LoadedEach> {
        self.try_each(target, options).map_err(|e| self.blame(e))
    }

    fn try_each(&self, target: &Target, options: &LoadOptions) -> Result<LoadedEach> {
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
        let mut claims = Claims::default();
        let planned = self.programs.iter().enumerate();
        for (index, program) in planned.filter(|(_, p)| p.autoload) {
            let loaded = match &program.error {
                Some(error) => Err(error.clone()),
                None => match claims.load(&mut session, self, index, target) {
                    Ok(()) => Ok(index),
                    Err(refused) => session.load_next(index, refused, target),
                },
            };
            options.go_on()?;
            // An alternative may have been chosen instead.
            let index = *loaded.as_ref().unwrap_or(&index);
            let name = self.programs.get(index).map_or(&program.name, |p| &p.name);
            let outcome = Outcome {
                name: name.clone(),
                error: loaded.err(),
            };
            programs.push((index, outcome));
        }
        programs.sort_by_key(|(index, _)| *index);
        let programs = programs.into_iter().map(|(_, outcome)| outcome).collect();
        let maps = maps.into_iter().map(|(index, mut outcome)| {
            if outcome.error.is_none() {
                let filled = session.put_programs(index);
                let filled = filled.and_then(|()| session.check_functions(index));
                outcome.error = claims.disputed.remove(&index).or(filled.err());
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

/// Which programs use which program arrays. The kernel only allows an array to contain programs compatible with the first one
/// that uses it, and refuses (with `EINVAL`) to load others that use it.
#[derive(Default)]
struct Claims {
    /// The arrays that loaded programs use, by index.
    used: HashSet<usize>,
    /// Those that incompatible programs want to use.
    disputed: HashMap<usize, Error>,
}

impl Claims {
    /// Loads a program; if incompatible programs use the object's arrays, tries it with its own copies of them.
    fn load(
        &mut self,
        session: &mut Session<'_>,
        plan: &LoadPlan,
        index: usize,
        target: &Target,
    ) -> Result<()> {
        let arrays = plan
            .programs
            .get(index)
            .map(|program| arrays(plan, program));
        let arrays = arrays.unwrap_or_default();
        let mut loaded = session.load_program(index);
        if let Err(error) = &loaded
            && error.errno() == Some(Errno::EINVAL)
            && let Some(mut own) = self.own_arrays(session, plan, &arrays, target)
            && session.load_program_with(index, &mut own).is_ok()
        {
            let own = own.iter().map(|(array, _)| *array);
            self.disputed
                .extend(own.map(|array| (array, disputed(plan, array, index))));
            loaded = Ok(());
        }
        if loaded.is_ok() {
            self.used.extend(arrays);
        }
        loaded
    }

    /// Copies of the arrays that are in use; `None` if none is.
    fn own_arrays(
        &self,
        session: &mut Session<'_>,
        plan: &LoadPlan,
        arrays: &[usize],
        target: &Target,
    ) -> Option<Vec<(usize, Option<Map>)>> {
        let mut own = Vec::new();
        for index in arrays.iter().filter(|array| self.used.contains(*array)) {
            let array = plan.maps.get(*index)?;
            let made = session.make(array, target).ok()?;
            own.push((*index, Some(Map::new(made, array.name.clone()))));
        }
        (!own.is_empty()).then_some(own)
    }
}

/// The object's program arrays that this program uses, by index.
fn arrays(plan: &LoadPlan, program: &ProgramPlan) -> Vec<usize> {
    let used: BTreeSet<_> = plan.program_arrays(program).collect();
    let own = used.into_iter().filter(|index| {
        let map = plan.maps.get(*index);
        map.is_some_and(|map| !map.given && map.pin_path.is_none())
    });
    own.collect()
}

fn disputed(plan: &LoadPlan, array: usize, program: usize) -> Error {
    let array = plan.maps.get(array).map_or("", |map| &map.name);
    let program = plan
        .programs
        .get(program)
        .map_or("", |program| &program.name);
    let message =
        format!("programs of several sorts use it: `{program}` was tried with an array of its own");
    Error::new(ErrorKind::InvalidArgument, message)
        .with_hint("a program array holds programs of one type, and serves those alone: define one for each type")
        .context(format!("map `{array}`"))
}
