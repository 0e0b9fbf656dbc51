//! What has been created from a plan so far, and how to create the next item.

use super::fill::{self, Programs};
use super::map::{self, MapContext};
use super::modules::ModuleFds;
use super::object::{Object, StructOpsValue};
use super::options::LoadOptions;
use super::pin::NewPins;
use super::program::{self, LoadedProgram, ProgramContext};
use super::{upload, workers};
use crate::feature::Feature;
use crate::kernel::memlock;
use crate::kinds::MapType;
use crate::map::{Map, MapTypes};
use crate::open::{DataKind, MapOrigin};
use crate::program::usdt::{self, UsdtMaps};
use crate::program::{Origin, Program, ProgramParts};
use crate::reloc::{Choice, LoadPlan, MapPlan, ProgramPlan, Target};
use crate::sys::arena::ArenaMemory;
use crate::sys::bpf::{self, MapFd};
use crate::sys::fd;
use crate::{Error, Result};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock};

/// What has been created from a plan so far. Dropping it undoes everything.
#[derive(Debug)]
pub(super) struct Made {
    /// The kernel, for when programs are attached.
    target: Target,
    license: CString,
    /// Whether the kernel accepts names.
    named: bool,
    token: Option<OwnedFd>,
    /// Whether programs can get the id of a USDT spec from a cookie; probed only for objects with such programs.
    usdt_by_cookie: bool,
    usdt: OnceLock<Option<Arc<UsdtMaps>>>,
    btf: Option<OwnedFd>,
    pub(super) maps: Vec<Option<Map>>,
    pub(super) arena: Option<ArenaMemory>,
    programs: Vec<Option<LoadedProgram>>,
    modules: ModuleFds,
    pins: NewPins,
    /// The maps of constants, by index.
    constants: Vec<usize>,
    /// Whether the kernel can bind maps to programs; assumed until it refuses.
    binds: bool,
    /// The first one reports that the object's types were refused, if they were.
    pub(super) warnings: Vec<Error>,
    /// The plan's choices, and their outcomes.
    pub(super) choices: Vec<Choice>,
}

/// A plan, and what has been created from it.
#[derive(Debug)]
pub(super) struct Session<'p> {
    pub(super) plan: &'p LoadPlan,
    options: &'p LoadOptions,
    pub(super) made: Made,
}

impl Made {
    /// Raises the memory limit if necessary, and uploads the object's types.
    fn start(plan: &LoadPlan, target: &Target, options: &LoadOptions) -> Result<Self> {
        let token = target.token()?;
        memlock::ensure(target);
        let mut warnings = Vec::new();
        let upload = |blob| upload::btf(blob, token, options.limit());
        let btf = match plan.btf.as_deref().map(upload).transpose() {
            Ok(btf) => btf,
            Err(error) if plan.btf_required => return Err(error),
            Err(error) => {
                warnings.push(error);
                None
            }
        };
        warnings.extend(plan.warnings.iter().cloned());
        let license = plan.license.split('\0').next().unwrap_or_default();
        Ok(Self {
            target: target.for_attaching(),
            license: CString::new(license).unwrap_or_default(),
            named: target.supports(Feature::ProgName),
            token: token.map(duplicate).transpose()?,
            usdt_by_cookie: plan.maps.iter().any(|map| map.name == usdt::SPECS)
                && target.supports(Feature::BpfCookie),
            usdt: OnceLock::new(),
            btf,
            maps: none(plan.maps.len()),
            arena: None,
            programs: none(plan.programs.len()),
            modules: ModuleFds::default(),
            pins: NewPins::default(),
            constants: constants(plan),
            binds: true,
            warnings,
            choices: plan.choices.clone(),
        })
    }
}

impl Made {
    /// Opens the modules that a program refers to.
    fn open_modules(&mut self, program: &ProgramPlan) -> Result<()> {
        program::modules(program).try_for_each(|module| self.modules.open(module))
    }

    /// Loads a program, whose modules are open, with the maps and types of its plan.
    fn load(
        &self,
        plan: &LoadPlan,
        program: &ProgramPlan,
        options: &LoadOptions,
    ) -> Result<LoadedProgram> {
        let context = ProgramContext {
            license: &self.license,
            kernel_version: plan.kernel_version,
            btf: self.btf.as_ref().map(AsFd::as_fd),
            named: self.named,
            token: self.token.as_ref().map(AsFd::as_fd),
            map_plans: &plan.maps,
            maps: &self.maps,
            modules: &self.modules,
            options,
        };
        program::load(&context, program)
    }

    /// Loads a program that does not become part of the object.
    pub(super) fn load_apart(
        &mut self,
        plan: &LoadPlan,
        program: &ProgramPlan,
        options: &LoadOptions,
    ) -> Result<Program> {
        self.open_modules(program)?;
        let loaded = self.load(plan, program, options)?;
        Ok(self.handle(program, program.autoattach, loaded))
    }

    /// The handle of a program that was loaded.
    fn handle(&self, plan: &ProgramPlan, autoattach: bool, loaded: LoadedProgram) -> Program {
        Program::new(ProgramParts {
            fd: Arc::new(loaded.fd),
            name: plan.name.clone(),
            kind: plan.kind,
            attach_type: Some(plan.expected_attach_type),
            target: self.target.clone().into(),
            origin: Some(Origin {
                section: plan.section.clone(),
                def: plan.def,
                attach_target: plan.attach_target.clone(),
                autoattach,
                usdt: self.usdt(),
                log: loaded.log,
            }),
        })
    }

    /// What programs need to be attached to USDT probes: shared by all of them, whenever they were loaded.
    fn usdt(&self) -> Option<Arc<UsdtMaps>> {
        let find = || UsdtMaps::find(&self.maps, self.usdt_by_cookie);
        self.usdt.get_or_init(find).clone()
    }
}

fn constants(plan: &LoadPlan) -> Vec<usize> {
    let maps = plan.maps.iter().enumerate();
    let maps = maps.filter(|(_, map)| map.origin == MapOrigin::Data(DataKind::Rodata));
    maps.map(|(index, _)| index).collect()
}

fn duplicate(token: BorrowedFd<'_>) -> Result<OwnedFd> {
    fd::duplicate(token)
        .map_err(|errno| Error::from_errno(errno, "cannot copy the token's descriptor"))
}

impl<'p> Session<'p> {
    /// Creates what comes before maps and programs.
    pub(super) fn start(
        plan: &'p LoadPlan,
        target: &Target,
        options: &'p LoadOptions,
    ) -> Result<Self> {
        let made = Made::start(plan, target, options)?;
        Ok(Self::resume(plan, options, made))
    }

    /// Continues with what has been created from the plan.
    pub(super) fn resume(plan: &'p LoadPlan, options: &'p LoadOptions, made: Made) -> Self {
        Self {
            plan,
            options,
            made,
        }
    }

    /// What was created, to be continued later.
    pub(super) fn pause(self) -> Made {
        self.made
    }

    /// Creates all maps of the plan.
    pub(super) fn make_maps(&mut self, target: &Target) -> Result<()> {
        (0..self.plan.maps.len()).try_for_each(|index| self.make_map(index, target))
    }

    /// Loads all programs that are to be loaded, and puts them where they belong.
    pub(super) fn load_programs(&mut self, target: &Target) -> Result<()> {
        let programs = 0..self.plan.programs.len();
        let wanted: Vec<usize> = programs.filter(|index| self.wants(*index)).collect();
        let workers = self.options.workers_for(wanted.len());
        let (alone, together) = if workers > 1 {
            wanted
                .into_iter()
                .partition(|index| self.depends_on_others(*index))
        } else {
            (wanted, Vec::new())
        };
        let failed = self.load_in_turn(&alone, target).err();
        let before = failed.as_ref().map_or(usize::MAX, |(index, _)| *index);
        let together: Vec<usize> = together.into_iter().filter(|i| *i < before).collect();
        // They come before the program that failed, and so do their errors.
        let failed = self.load_together(&together, workers).err().or(failed);
        if let Some((_, error)) = failed {
            return Err(error);
        }
        (0..self.plan.maps.len()).try_for_each(|index| self.put_programs(index))
    }

    /// Whether this program depends on the outcome of others. It may have alternatives; or it uses a program array, which accepts
    /// only programs like the first one that used it, so that the order of loading determines which are refused.
    fn depends_on_others(&self, index: usize) -> bool {
        let program = self.plan.programs.get(index);
        program.is_some_and(|program| {
            let mut choices = self.plan.choices.iter();
            choices.any(|choice| choice.names.contains(&program.name))
                || self.plan.program_arrays(program).next().is_some()
        })
    }

    /// Loads these programs one after the other.
    fn load_in_turn(&mut self, programs: &[usize], target: &Target) -> Result<(), (usize, Error)> {
        let mut programs = programs.iter();
        programs.try_for_each(|index| {
            let loaded = self.load_preferred(*index, target);
            loaded.map(drop).map_err(|error| (*index, error))
        })
    }

    /// Loads these programs in parallel.
    fn load_together(&mut self, programs: &[usize], workers: usize) -> Result<(), (usize, Error)> {
        let (plan, options) = (self.plan, self.options);
        // What they share is created first. A program whose module cannot be opened fails in its turn.
        let mut unopened = None;
        for index in programs {
            if let Err(error) = self.open_modules(*index) {
                unopened = Some((*index, error));
                break;
            }
        }
        let end = unopened.as_ref().map_or(usize::MAX, |(index, _)| *index);
        let programs: Vec<usize> = programs.iter().copied().filter(|i| *i < end).collect();
        let made = &self.made;
        let loaded = workers::side_by_side(&programs, workers, |index| {
            options.go_on()?;
            let program = plan.programs.get(index);
            let loaded = program.map(|program| made.load(plan, program, options));
            loaded.transpose().map_err(|e| self.blame(index, e))
        })?;
        for (index, program) in loaded {
            if let Some(program) = program {
                self.keep(index, program);
            }
        }
        unopened.map_or(Ok(()), Err)
    }

    /// Opens the modules that a program refers to.
    fn open_modules(&mut self, index: usize) -> Result<()> {
        let opened = match self.plan.programs.get(index) {
            Some(plan) => self.made.open_modules(plan),
            None => Ok(()),
        };
        opened.map_err(|e| self.blame(index, e))
    }

    /// Adds the program to an error.
    fn blame(&self, program: usize, error: Error) -> Error {
        match self.plan.programs.get(program) {
            Some(plan) => error.context(format!("program `{}`", plan.name)),
            None => error,
        }
    }

    /// Whether the program with this index is to be loaded.
    pub(super) fn wants(&self, index: usize) -> bool {
        self.plan.programs.get(index).is_some_and(|p| p.autoload)
    }

    /// Creates the map with this index, unless its autocreate is off.
    pub(super) fn make_map(&mut self, index: usize, target: &Target) -> Result<()> {
        let Some(plan) = self.plan.maps.get(index).filter(|map| map.autocreate) else {
            return Ok(());
        };
        self.options.go_on()?;
        let made = self.make(plan, target);
        let made = made.map_err(|e| e.context(format!("map `{}`", plan.name)))?;
        let map = self.named(made, plan);
        if let Some(place) = self.made.maps.get_mut(index) {
            *place = Some(map);
        }
        Ok(())
    }

    /// The handle of a map, with the types of its elements.
    fn named(&self, made: MapFd, plan: &MapPlan) -> Map {
        let map = Map::new(made, plan.name.clone());
        if let Some(btf) = &self.plan.types {
            map.set_types(MapTypes {
                btf: Arc::clone(btf),
                key: plan.key_type,
                value: plan.value_type,
            });
        }
        map
    }

    pub(super) fn make(&mut self, plan: &MapPlan, target: &Target) -> Result<MapFd> {
        if let Some(module) = &plan.value_type_module {
            self.made.modules.open(module)?;
        }
        let btf_is_refused = self.plan.btf.is_some() && self.made.btf.is_none();
        let context = MapContext {
            target,
            btf: self.made.btf.as_ref().map(AsFd::as_fd),
            without_btf: self.made.warnings.first().filter(|_| btf_is_refused),
            named: self.made.named,
            token: self.made.token.as_ref().map(AsFd::as_fd),
            maps: &self.plan.maps,
            programs: &self.plan.programs,
            modules: &self.made.modules,
            given: self.options.given(),
        };
        match map::make(&context, plan, &self.made.maps, &mut self.made.pins)? {
            map::Made::Found(map) => Ok(map),
            map::Made::New(map) => {
                if plan.kind == MapType::ARENA {
                    self.made.arena = Some(fill::arena(&map, plan)?);
                }
                Ok(map)
            }
        }
    }

    /// Loads the program with this index.
    pub(super) fn load_program(&mut self, index: usize) -> Result<()> {
        let Some(plan) = self.plan.programs.get(index) else {
            return Ok(());
        };
        self.options.go_on()?;
        self.open_modules(index)?;
        let loaded = self.made.load(self.plan, plan, self.options);
        let loaded = loaded.map_err(|e| self.blame(index, e))?;
        self.keep(index, loaded);
        Ok(())
    }

    /// Adds a program that was loaded.
    fn keep(&mut self, index: usize, loaded: LoadedProgram) {
        if let Some(plan) = self.plan.programs.get(index) {
            self.bind_read_only_data(plan, loaded.as_fd());
        }
        if let Some(place) = self.made.programs.get_mut(index) {
            *place = Some(loaded);
        }
    }

    /// Loads the program with this index with other maps, by index, instead of those that were created.
    pub(super) fn load_program_with(
        &mut self,
        index: usize,
        maps: &mut [(usize, Option<Map>)],
    ) -> Result<()> {
        self.exchange(maps);
        let loaded = self.load_program(index);
        self.exchange(maps);
        loaded
    }

    fn exchange(&mut self, maps: &mut [(usize, Option<Map>)]) {
        for (index, map) in maps {
            if let Some(place) = self.made.maps.get_mut(*index) {
                std::mem::swap(place, map);
            }
        }
    }

    /// Keeps constants alive as long as the program, for tools that inspect it later. The maps that its instructions refer to
    /// are bound to it anyway.
    #[doc(alias = "bpf_prog_bind_map")]
    fn bind_read_only_data(&mut self, plan: &ProgramPlan, program: BorrowedFd<'_>) {
        let names = |index| plan.refs.iter().any(|r| r.kind.map() == Some(index));
        for index in &self.made.constants {
            let map = self.made.maps.get(*index).and_then(Option::as_ref);
            if let Some(map) = map.filter(|_| self.made.binds && !names(*index)) {
                // The command exists since Linux 5.10.
                self.made.binds = bpf::prog_bind_map(program, map.as_fd(), 0).is_ok();
            }
        }
    }

    /// Puts programs into the map with this index, if it is an array of them.
    pub(super) fn put_programs(&self, index: usize) -> Result<()> {
        let plan = self.plan.maps.get(index);
        let map = self.made.maps.get(index).and_then(Option::as_ref);
        match (plan, map) {
            (Some(plan), Some(map)) => fill::programs(map.raw(), plan, &self.programs())
                .map_err(|e| e.context(format!("map `{}`", plan.name))),
            _ => Ok(()),
        }
    }

    /// Whether the `struct_ops` map with this index has all its functions.
    ///
    /// # Errors
    /// It lacks one, and could not be attached.
    pub(super) fn check_functions(&self, index: usize) -> Result<()> {
        let plan = self.plan.maps.get(index);
        plan.map_or(Ok(()), |plan| {
            fill::functions_are_there(plan, &self.programs())
                .map_err(|e| e.context(format!("map `{}`", plan.name)))
        })
    }

    fn programs(&self) -> Programs<'_> {
        Programs {
            plans: &self.plan.programs,
            loaded: &self.made.programs,
        }
    }

    /// The values that register the struct_ops maps when they are attached.
    fn struct_ops(&self) -> Vec<StructOpsValue> {
        let programs = self.programs();
        let made = self.plan.maps.iter().zip(&self.made.maps);
        let made = made.filter(|(plan, fd)| plan.origin == MapOrigin::StructOps && fd.is_some());
        made.map(|(plan, _)| StructOpsValue {
            map: plan.name.clone(),
            value: fill::struct_ops_value(plan, &programs),
            autoattach: plan.autoattach,
        })
        .collect()
    }

    /// Returns what was created.
    pub(super) fn finish(self) -> Object {
        let plan = self.plan;
        let struct_ops = self.struct_ops();
        let autoattach: Vec<_> = (0..plan.programs.len())
            .map(|index| self.autoattach(index))
            .collect();
        let mut made = self.made;
        let arena = plan.maps.iter().find(|map| map.kind == MapType::ARENA);
        let arena_data = arena.map_or(0, |map| map.initial_offset);
        let mut next = 0..;
        let map_places = made.maps.iter();
        let map_places = map_places.map(|map| map.as_ref().and_then(|_| next.next()));
        let map_places = map_places.collect();
        let loaded = std::mem::take(&mut made.programs);
        let programs = plan.programs.iter().zip(autoattach).zip(loaded);
        let programs = programs
            .filter_map(|((plan, autoattach), loaded)| Some(made.handle(plan, autoattach, loaded?)))
            .collect();
        let maps = made.maps.into_iter().flatten().collect();
        Object {
            name: plan.object_name.clone(),
            maps,
            map_places,
            struct_ops,
            arena: made.arena.map(Arc::new),
            arena_data,
            memories: Mutex::default(),
            programs,
            not_loaded: names_of_rest(plan),
            types: plan.types.clone(),
            variables: Arc::clone(&plan.variables),
            warnings: made.warnings,
            choices: made.choices,
            new_pins: Mutex::new(made.pins.keep()),
        }
    }
}

fn none<T>(count: usize) -> Vec<Option<T>> {
    std::iter::repeat_with(|| None).take(count).collect()
}

fn names_of_rest(plan: &LoadPlan) -> Vec<String> {
    let rest = plan.programs.iter().filter(|program| !program.autoload);
    rest.map(|program| program.name.clone()).collect()
}
