//! What is left after loading: descriptors, and the names to find them by.

use super::pin::MadePins;
use super::usdt::UsdtMaps;
use crate::btf::Btf;
use crate::kinds::{AttachType, ProgramType};
use crate::map::{Map, MapMemory};
use crate::open::{SectionDef, Variable};
use crate::reloc::AttachTarget;
use crate::sys::arena::ArenaMemory;
use crate::sys::bpf::{self, ProgInfo};
use crate::{Error, ErrorKind, Result, VerifierLog, did_you_mean};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

/// A loaded object: it owns the descriptors of its maps and programs, and the kernel keeps both as long as it lives.
///
/// What was pinned or attached meanwhile outlives it.
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
    /// Where the arena's variables start in it.
    pub(super) arena_data: u64,
    /// Maps of global variables that were mapped, by name.
    pub(super) memories: Mutex<Vec<(String, Arc<MapMemory>)>>,
    pub(super) types: Option<Arc<Btf<'static>>>,
    pub(super) variables: Vec<Variable>,
    pub(super) warnings: Vec<Error>,
    /// Where maps were pinned that were not pinned before.
    pub(super) new_pins: Mutex<MadePins>,
}

impl Object {
    /// Removes the pins that loading made, and the folders it made for them if nothing else is in there; pins that were there
    /// before stay.
    ///
    /// # Errors
    /// A pin cannot be removed; the others are, as far as possible.
    #[doc(alias = "bpf_object__unpin_maps")]
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

    /// The program of this name.
    ///
    /// # Errors
    /// `NotFound` if there is none, or if it was not loaded.
    #[doc(alias = "bpf_object__find_program_by_name")]
    pub fn program(&self, name: &str) -> Result<&Program> {
        let found = self.programs.iter().find(|program| program.name() == name);
        found.ok_or_else(|| self.no_program(name))
    }

    fn no_program(&self, name: &str) -> Error {
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

    /// The map of this name; global data has the names of its sections, such as `.bss`.
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

    /// The memory of its arena, if it has one.
    pub fn arena(&self) -> Option<&ArenaMemory> {
        self.arena.as_deref()
    }

    /// The object's types, if it was loaded from an opened object that has some.
    #[doc(alias = "bpf_object__btf")]
    pub fn btf(&self) -> Option<&Arc<Btf<'static>>> {
        self.types.as_ref()
    }

    /// What is odd about the object (see [`OpenObject::warnings`](crate::OpenObject::warnings)), and what the kernel refused and
    /// the object could do without.
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

/// A handle to a loaded program; clones share the descriptor. Returned by [`Object::program`].
#[derive(Debug, Clone)]
#[doc(alias = "bpf_program")]
pub struct Program(Arc<ProgramParts>);

#[derive(Debug)]
pub(super) struct ProgramParts {
    pub(super) fd: OwnedFd,
    /// What the verifier wrote, if it was asked to.
    pub(super) log: Option<VerifierLog>,
    pub(super) name: String,
    pub(super) section: String,
    pub(super) def: Option<&'static SectionDef>,
    pub(super) kind: ProgramType,
    pub(super) attach_type: AttachType,
    pub(super) attach_target: Option<AttachTarget>,
    pub(super) autoattach: bool,
    /// Shared by all programs of the object.
    pub(super) usdt: Option<Arc<UsdtMaps>>,
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

impl Program {
    pub(super) fn new(parts: ProgramParts) -> Self {
        Self(Arc::new(parts))
    }

    /// The ids of all programs of the kernel, in ascending order. Since Linux 4.13. [`prog_info`](bpf::prog_info) and
    /// [`fd_by_id`](bpf::fd_by_id) tell what they are.
    ///
    /// # Errors
    /// `Permission` without `CAP_SYS_ADMIN`.
    #[doc(alias = "bpf_prog_get_next_id")]
    pub fn ids() -> impl Iterator<Item = Result<u32>> {
        bpf::ids(bpf::ObjectKind::Program)
            .map(|id| id.map_err(|errno| Error::from_errno(errno, "cannot list the programs")))
    }

    /// Its name in the object; the kernel knows the first 15 bytes of it.
    #[doc(alias = "bpf_program__name")]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The section it came from, without a leading `?`.
    #[doc(alias = "bpf_program__section_name")]
    pub fn section(&self) -> &str {
        &self.0.section
    }

    /// Its type.
    #[doc(alias = "bpf_program__type")]
    pub fn kind(&self) -> ProgramType {
        self.0.kind
    }

    /// What it was loaded to be attached to.
    #[doc(alias = "bpf_program__expected_attach_type")]
    pub fn attach_type(&self) -> AttachType {
        self.0.attach_type
    }

    /// The kernel function, hook or program that it was checked against.
    pub fn attach_target(&self) -> Option<&AttachTarget> {
        self.0.attach_target.as_ref()
    }

    /// Whether attaching the whole object attaches it.
    #[doc(alias = "bpf_program__autoattach")]
    pub fn autoattach(&self) -> bool {
        self.0.autoattach
    }

    /// What libbpf's table says about its section.
    pub(crate) fn section_def(&self) -> Option<&'static SectionDef> {
        self.0.def
    }

    /// What it needs to be attached to USDT probes, if its object has that.
    pub(crate) fn usdt(&self) -> Option<&Arc<UsdtMaps>> {
        self.0.usdt.as_ref()
    }

    /// What the verifier wrote when it was loaded, if [`LoadOptions::log_level`](super::LoadOptions::log_level) asked for that.
    #[doc(alias = "bpf_program__log_buf")]
    pub fn verifier_log(&self) -> Option<&VerifierLog> {
        self.0.log.as_ref()
    }

    /// What the kernel tells about it.
    #[doc(alias = "bpf_prog_get_info_by_fd")]
    pub fn info(&self) -> Result<ProgInfo> {
        bpf::prog_info(self.as_fd()).map_err(|errno| {
            let message = format!("cannot ask the kernel about program `{}`", self.name());
            Error::from_errno(errno, message)
        })
    }

    /// Its number while it lives.
    pub fn id(&self) -> Result<u32> {
        Ok(self.info()?.id)
    }

    /// The kernel's hash of its instructions: equal tags on one kernel mean equal instructions.
    pub fn tag(&self) -> Result<[u8; 8]> {
        Ok(self.info()?.tag)
    }
}
