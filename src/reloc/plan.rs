//! The result of relocation: everything that will be requested from the kernel, in order, as plain data.

use super::choice::Choice;
use crate::btf::Btf;
use crate::insn::Insn;
use crate::kinds::{AttachType, MapType, Pinning, ProgramType};
use crate::open::{MapOrigin, MapSlot, SectionDef, Variable};
use crate::{Error, ErrorKind, KernelVersion, Result, TypeId, did_you_mean};
use std::path::PathBuf;
use std::sync::Arc;

/// Everything needed to load an object into one particular kernel.
#[derive(Debug, Clone, Default)]
pub struct LoadPlan {
    /// The object's name.
    pub object_name: String,
    /// The file that it was read from, for messages.
    pub object_path: Option<PathBuf>,
    /// The name of the kernel that this plan is for.
    pub target_name: String,
    /// The license that is passed to the kernel.
    pub license: String,
    /// The kernel version that programs declare (only kernels before Linux 5.0 check it, for kprobes).
    pub kernel_version: KernelVersion,
    /// The BTF to load first, already adapted to the kernel; `None` if there is nothing to load.
    pub btf: Option<Vec<u8>>,
    /// Whether the load must fail if the kernel rejects the BTF.
    pub btf_required: bool,
    /// The maps, in the order of creation.
    pub maps: Vec<MapPlan>,
    /// The programs, in the order of loading, including those with autoload off.
    pub programs: Vec<ProgramPlan>,
    /// The object's types as they are in the file, used to read and write variables and map elements after loading.
    pub types: Option<Arc<Btf<'static>>>,
    /// The object's global variables.
    pub variables: Arc<Vec<Variable>>,
    /// What is odd about the object ([`OpenObject::warnings`](crate::OpenObject::warnings)), in itself or on this kernel, but
    /// does not prevent loading; available after loading as [`Object::warnings`](crate::load::Object::warnings).
    pub warnings: Vec<Error>,
    /// The choices among alternative programs ([`OpenObject::prefer`](crate::OpenObject::prefer)).
    pub choices: Vec<Choice>,
}

/// One map.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing about the map, and any may go with any"
)]
pub struct MapPlan {
    /// The user-visible name.
    pub name: String,
    /// The name passed to the kernel: at most 15 characters.
    pub kernel_name: String,
    /// Where the map's definition comes from.
    pub origin: MapOrigin,
    /// Its type.
    pub kind: MapType,
    /// Size of a key, in bytes.
    pub key_size: u32,
    /// Size of a value, in bytes.
    pub value_size: u32,
    /// The maximum number of entries.
    pub max_entries: u32,
    /// `BPF_F_*` flags.
    pub flags: u32,
    /// The extra parameter of its type (`map_extra`).
    pub extra: u64,
    /// The NUMA node its memory comes from; used if `flags` has `BPF_F_NUMA_NODE`.
    pub numa_node: u32,
    /// The key's type in the object's BTF; 0 if it is not passed to the kernel.
    pub btf_key_type_id: TypeId,
    /// The value's type in the object's BTF; 0 if it is not passed to the kernel.
    pub btf_value_type_id: TypeId,
    /// The key's type in [`LoadPlan::types`], whether or not it is passed to the kernel; 0 if there is none.
    pub key_type: TypeId,
    /// The value's type there.
    pub value_type: TypeId,
    /// For `struct_ops`: the value's type in the kernel's BTF.
    pub btf_vmlinux_value_type_id: TypeId,
    /// For `struct_ops` of a module: which one.
    pub value_type_module: Option<Module>,
    /// For maps of maps: the template of the inner map.
    pub inner: Option<Box<MapPlan>>,
    /// Whether a map that the caller provides is used instead of creating this one: the
    /// [`LoadContext`](crate::load::LoadContext) has it, under the name of this map.
    pub given: bool,
    /// Whether it is pinned by name: then `pin_path` is a name in a directory, and loading stays inside that directory.
    pub pinning: Pinning,
    /// Where it is pinned.
    pub pin_path: Option<PathBuf>,
    /// Whether it is created at all.
    pub autocreate: bool,
    /// The initial value (for global data, the section's contents); `None` if it is zero, like every new map. For a map with
    /// several entries, all values in order.
    pub initial: Option<Vec<u8>>,
    /// For an arena: the offset of `initial` in its memory, in bytes; it is written through a memory mapping.
    pub initial_offset: u64,
    /// Whether it is frozen after that.
    pub freeze: bool,
    /// Entries that contain other maps or programs.
    pub slots: Vec<MapSlot>,
    /// For `struct_ops`: the offsets in `initial` for the descriptors of loaded programs.
    pub functions: Vec<FunctionSlot>,
    /// The only program that may use this map: its index in [`LoadPlan::programs`].
    pub exclusive_program: Option<usize>,
    /// The network interface that the map is offloaded to; 0 for none.
    pub ifindex: u32,
    /// Whether it is attached with the programs (`struct_ops` only).
    pub autoattach: bool,
}

/// A function pointer in the value of a `struct_ops` map: eight bytes that get a program's descriptor before the value is
/// written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionSlot {
    /// Offset in the value, in bytes.
    pub offset: u32,
    /// The program's index in [`LoadPlan::programs`].
    pub program: usize,
}

impl MapPlan {
    /// The SHA-256 of the initial value; `None` if there is none.
    pub fn initial_sha256(&self) -> Option<[u8; 32]> {
        self.initial.as_deref().map(crate::sha256::sha256)
    }
}

/// A kernel module that an instruction or an attach target refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// The id of its BTF object in the running kernel; 0 if it comes from a file.
    pub btf_id: u32,
}

/// One program.
#[derive(Debug, Clone, Default)]
pub struct ProgramPlan {
    /// Its name.
    pub name: String,
    /// The section it comes from.
    pub section: String,
    /// The definition that its section name matches, if libbpf knows the name.
    pub def: Option<&'static SectionDef>,
    /// Its type.
    pub kind: ProgramType,
    /// Its expected attach type.
    pub expected_attach_type: AttachType,
    /// Whether it is loaded.
    pub autoload: bool,
    /// Whether it is attached with the others.
    pub autoattach: bool,
    /// `BPF_F_*` flags.
    pub flags: u32,
    /// Its attach target: a kernel function or type, or a program.
    pub attach_target: Option<AttachTarget>,
    /// Whether the function of [`AttachTarget::Program`] is in a loaded program that the caller provides: the
    /// [`LoadContext`](crate::load::LoadContext) has that program, under the name of this one.
    pub attach_program: bool,
    /// The network interface that the program is for; 0 for none.
    pub ifindex: u32,
    /// The verifier's log level for this program; 0 for that of [`LoadOptions`](crate::load::LoadOptions::log_level).
    pub log_level: u32,
    /// The instructions, with zero where a descriptor goes (see `refs`).
    pub insns: Vec<Insn>,
    /// What the instructions refer to, in the order of instructions.
    pub refs: Vec<Ref>,
    /// Modules whose descriptors go into the descriptor array, the first at index 1 (index 0 is the kernel itself).
    pub fd_array: Vec<Module>,
    /// Function information: an array of `struct bpf_func_info`.
    #[doc(alias = "bpf_program__func_info")]
    pub func_info: InfoRecords,
    /// Line information: an array of `struct bpf_line_info`. For a loaded program,
    /// [`Program::line_info`](crate::program::Program::line_info) returns it, with the text of the lines.
    #[doc(alias = "bpf_program__line_info")]
    pub line_info: InfoRecords,
    /// What CO-RE did.
    pub core: Vec<CoreStep>,
    /// Why this program cannot be loaded; reported only if it is to be loaded.
    pub error: Option<Error>,
}

impl LoadPlan {
    /// Adds the object to an error.
    pub(crate) fn blame(&self, error: Error) -> Error {
        error.of_object(self.object_path.as_deref(), &self.object_name)
    }

    /// The program arrays that a program uses: their indexes, one for each use.
    pub(crate) fn program_arrays<'p>(
        &'p self,
        program: &'p ProgramPlan,
    ) -> impl Iterator<Item = usize> + 'p {
        let maps = program.refs.iter().filter_map(|one| match one.kind {
            RefKind::Map { map } => Some(map),
            _ => None,
        });
        let is_array = |map: &MapPlan| map.kind == MapType::PROG_ARRAY;
        maps.filter(move |map| self.maps.get(*map).is_some_and(is_array))
    }

    /// The program with this name, for editing.
    ///
    /// # Errors
    /// There is none; the message lists similar names.
    pub fn program_mut(&mut self, name: &str) -> Result<&mut ProgramPlan> {
        let names = self.programs.iter().map(|p| p.name.as_str());
        let missing = format!("there is no program `{name}`{}", did_you_mean(name, names));
        let mut programs = self.programs.iter_mut();
        let found = programs.find(|program| program.name == name);
        found.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, missing).context(format!("object {}", self.object_name))
        })
    }
}

impl ProgramPlan {
    /// Replaces its instructions (relocated, with all subprograms) by the caller's.
    ///
    /// References stay where the new code has the same instruction at the same index; add anything else to be filled in to
    /// `refs`. Function and line information stays if the number of instructions is the same, and is dropped otherwise. Only
    /// the verifier checks the result.
    #[doc(alias = "bpf_program__set_insns")]
    pub fn set_instructions(&mut self, insns: Vec<Insn>) {
        let is_same = |at: usize| {
            insns
                .get(at)
                .is_some_and(|new| Some(new) == self.insns.get(at))
        };
        self.refs.retain(|reference| is_same(reference.insn));
        self.core.retain(|step| is_same(step.insn));
        if insns.len() != self.insns.len() {
            self.func_info = InfoRecords::default();
            self.line_info = InfoRecords::default();
        }
        self.insns = insns;
    }
}

/// Records of `.BTF.ext`, with their instruction offsets counted in instructions from the program's start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InfoRecords {
    /// Size of one record, in bytes.
    pub record_size: u32,
    /// The records.
    pub bytes: Vec<u8>,
}

impl InfoRecords {
    /// How many records there are.
    pub fn len(&self) -> usize {
        match usize::try_from(self.record_size) {
            Ok(size) if size > 0 => self.bytes.len() / size,
            _ => 0,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Something outside the instructions that one of them refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ref {
    /// The instruction's index.
    pub insn: usize,
    /// What it refers to, and thereby what the loader has to fill in.
    pub kind: RefKind,
    /// The name of what it refers to, shared by all references to it.
    pub name: Arc<str>,
}

/// What an instruction refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefKind {
    /// A map: `imm` becomes its descriptor.
    Map {
        /// Its index in [`LoadPlan::maps`].
        map: usize,
    },
    /// An address in a map's value: `imm` becomes the map's descriptor; the offset is already in place.
    MapValue {
        /// Its index in [`LoadPlan::maps`].
        map: usize,
    },
    /// A kernel variable or function by its BTF id: the second `imm` becomes the module's BTF descriptor.
    BtfId {
        /// The module; `None` for the kernel itself.
        module: Option<Module>,
    },
    /// A call to a kernel function by its BTF id; `off` already is the index into the descriptor array.
    Kfunc {
        /// The module; `None` for the kernel itself.
        module: Option<Module>,
    },
    /// The address of a kernel symbol; already in place.
    Ksym,
    /// A call to, or the address of, another function of this program; already in place.
    Func,
}

impl RefKind {
    /// The map that it is, or is in: its index in [`LoadPlan::maps`].
    pub(crate) fn map(&self) -> Option<usize> {
        match self {
            Self::Map { map } | Self::MapValue { map } => Some(*map),
            _ => None,
        }
    }

    /// The name used in listings.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Map { .. } => "map",
            Self::MapValue { .. } => "map_value",
            Self::BtfId { .. } => "btf_id",
            Self::Kfunc { .. } => "kfunc",
            Self::Ksym => "ksym",
            Self::Func => "func",
        }
    }
}

/// What the target of a program is, at load time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachTarget {
    /// A type of the kernel or of a module.
    Btf {
        /// Its id; void for programs whose functions are chosen when they are attached.
        id: TypeId,
        /// The module; `None` for the kernel itself.
        module: Option<Module>,
        /// Its name, without the prefix for the type of program; the name of the module if the id is void.
        name: String,
    },
    /// A function of another loaded program, see [`ProgramPlan::attach_program`].
    Program {
        /// The function's name.
        function: String,
    },
}

impl AttachTarget {
    /// The name of the type or function.
    pub fn name(&self) -> &str {
        match self {
            Self::Btf { name, .. } => name,
            Self::Program { function } => function,
        }
    }
}

/// What one CO-RE relocation did to one instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreStep {
    /// The instruction's index in the program.
    pub insn: usize,
    /// The kind of relocation, in the kernel's terms: `"field_byte_offset"`.
    pub kind: &'static str,
    /// The relocation in libbpf's notation: `"<byte_off> [24] struct task_struct.pid (0:71 @ offset 2464)"`.
    pub spec: String,
    /// The matching target types, in the same notation.
    pub candidates: Vec<String>,
    /// If the instruction was poisoned: what the program needs, in words, such as
    /// ``"field `gone` of `struct task_struct`"``.
    pub missing: Option<String>,
    /// If nothing matches: the kernel's types of the right name, and why each does not match. If something matches but does not
    /// fit the instruction: why.
    pub mismatches: Vec<String>,
    /// The value in the object; `None` if there is none to check.
    pub value_before: Option<u64>,
    /// The value for the target; `None` if the instruction was poisoned.
    pub value_after: Option<u64>,
    /// The outcome for the instruction.
    pub outcome: CoreOutcome,
}

impl CoreStep {
    /// How many bytes its description takes.
    pub(super) fn text_len(&self) -> usize {
        let lists = self.candidates.iter().chain(&self.mismatches);
        let texts = lists.chain(&self.missing).map(String::len);
        texts.sum::<usize>().saturating_add(self.spec.len())
    }
}

/// The outcome of a CO-RE relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoreOutcome {
    /// The value was written (it may be the same as before).
    Patched,
    /// Nothing matches, or a load of this width cannot be adapted; the instruction must never be reached.
    Poisoned,
}

impl CoreOutcome {
    /// The name used in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Patched => "patched",
            Self::Poisoned => "poisoned",
        }
    }
}
