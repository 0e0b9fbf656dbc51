//! The result of loading: descriptors, and names to find them by.

use super::pin::MadePins;
use crate::btf::Btf;
use crate::map::{Map, MapMemory};
use crate::open::Variable;
use crate::program::Program;
use crate::reloc::Choice;
use crate::sys::arena::ArenaMemory;
use crate::{Error, ErrorKind, Result, did_you_mean};
use std::sync::{Arc, Mutex, PoisonError};

/// A loaded object. It owns the descriptors of its maps and programs, which the kernel keeps as long as the object lives.
///
/// Whatever was pinned or attached outlives it.
#[derive(Debug)]
#[doc(alias = "bpf_object")]
pub struct Object {
    pub(super) name: String,
    pub(super) maps: Vec<Map>,
    /// For each map of the file, its index in `maps`; `None` if it was not created.
    pub(super) map_places: Vec<Option<usize>>,
    pub(super) programs: Vec<Program>,
    /// The names of programs that were not loaded because their autoload is off.
    pub(super) not_loaded: Vec<String>,
    /// What registers its struct_ops maps.
    pub(crate) struct_ops: Vec<StructOpsValue>,
    pub(super) arena: Option<Arc<ArenaMemory>>,
    /// The offset of the arena's variables.
    pub(super) arena_data: u64,
    /// Maps of global variables that were mapped, by name.
    pub(super) memories: Mutex<Vec<(String, Arc<MapMemory>)>>,
    pub(super) types: Option<Arc<Btf<'static>>>,
    pub(super) variables: Arc<Vec<Variable>>,
    pub(super) warnings: Vec<Error>,
    pub(super) choices: Vec<Choice>,
    /// The pins that loading created.
    pub(super) new_pins: Mutex<MadePins>,
}

impl Object {
    /// Removes the pins that loading created, and the directories created for them if they are otherwise empty; older pins
    /// stay.
    ///
    /// # Errors
    /// A pin cannot be removed; the others are removed as far as possible.
    pub fn unpin_new_maps(&self) -> Result<()> {
        let mut pins = self.new_pins.lock().unwrap_or_else(PoisonError::into_inner);
        pins.remove()
    }

    /// The object's name.
    #[doc(alias = "bpf_object__name")]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The programs that were loaded, in the order of the file.
    #[doc(alias = "bpf_object__for_each_program")]
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// The program with this name.
    ///
    /// # Errors
    /// `NotFound` if there is none, or if it was not loaded.
    #[doc(alias = "bpf_object__find_program_by_name")]
    pub fn program(&self, name: &str) -> Result<&Program> {
        let found = self.programs.iter().find(|program| program.name() == name);
        found.ok_or_else(|| self.no_program(name))
    }

    fn no_program(&self, name: &str) -> Error {
        if let Some(error) = self.not_chosen(name) {
            return error;
        }
        if self.not_loaded.iter().any(|other| other == name) {
            let message = format!("object {}: program `{name}` was not loaded", self.name);
            return Error::new(ErrorKind::NotFound, message)
                .with_hint("its autoload is off; turn it on before loading");
        }
        let near = did_you_mean(name, self.programs.iter().map(Program::name));
        let message = format!("object {} has no program `{name}`{near}", self.name);
        Error::new(ErrorKind::NotFound, message)
    }

    /// The maps that were created, in the order of the file.
    #[doc(alias = "bpf_object__for_each_map")]
    pub fn maps(&self) -> &[Map] {
        &self.maps
    }

    /// The map with this name; maps of global data are named after their sections, such as `.bss`.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    #[doc(alias = "bpf_object__find_map_by_name")]
    pub fn map(&self, name: &str) -> Result<&Map> {
        let found = self.maps.iter().find(|map| map.name() == name);
        found.ok_or_else(|| {
            let near = did_you_mean(name, self.maps.iter().map(Map::name));
            let message = format!("object {} has no map `{name}`{near}", self.name);
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// The map that has this index in the file, if it was created.
    pub(crate) fn map_at(&self, index: usize) -> Option<&Map> {
        let place = self.map_places.get(index).copied().flatten()?;
        self.maps.get(place)
    }

    /// The memory of the object's arena, if it has one.
    pub fn arena(&self) -> Option<&ArenaMemory> {
        self.arena.as_deref()
    }

    /// The object's types, if it was loaded from an opened object that has some.
    #[doc(alias = "bpf_object__btf")]
    pub fn btf(&self) -> Option<&Arc<Btf<'static>>> {
        self.types.as_ref()
    }

    /// Warnings about the object (see [`OpenObject::warnings`](crate::OpenObject::warnings)), and what the kernel refused but the
    /// object does not strictly need.
    pub fn warnings(&self) -> &[Error] {
        &self.warnings
    }
}

/// The value of a struct_ops map, which registers it once it is written.
#[derive(Debug)]
pub(crate) struct StructOpsValue {
    /// The map's name.
    pub(crate) map: String,
    /// The kernel's struct, with descriptors of programs (which the object owns) where it has functions.
    pub(crate) value: Vec<u8>,
    /// Whether attaching the whole object attaches it.
    pub(crate) autoattach: bool,
}
