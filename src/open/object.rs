//! The types of an opened object.

use super::{Held, Image, MapSlot, SectionDef, TokenSource};
use crate::btf::{Btf, BtfExt, ByteOrder};
use crate::insn::Insn;
use crate::kinds::{AttachType, MapType, Pinning, ProgramType};
use crate::{KernelVersion, SectionIndex, TypeId};
use std::path::PathBuf;
use std::sync::Arc;

/// An opened object file: its contents, and the caller's changes. No kernel is involved yet.
#[derive(Debug, Clone)]
#[doc(alias = "bpf_object")]
pub struct OpenObject {
    /// libbpf's name for it: the file name up to the first dot, at most 15 characters.
    pub(crate) name: String,
    /// Where it was read from, for messages.
    pub(crate) path: Option<PathBuf>,
    pub(crate) license: String,
    /// The contents of a `version` section.
    pub(crate) kernel_version: Option<KernelVersion>,
    pub(crate) byte_order: ByteOrder,
    /// The object's types, with the sizes and offsets of sections filled in, and externs turned into ordinary variables, because
    /// the kernel accepts no externs.
    pub(crate) btf: Option<Arc<Btf<'static>>>,
    /// The contents of `.BTF.ext`; `None` if missing or unusable (which is not an error).
    pub(crate) btf_ext: Option<BtfExt>,
    /// All functions, sorted by section and offset: entry programs and subprograms.
    pub(crate) functions: Vec<Function>,
    /// The section of subprograms, `.text`.
    pub(crate) text_section: Option<SectionIndex>,
    /// Code sections in which no function starts.
    pub(crate) code_without_functions: Vec<String>,
    /// The entry programs, in the order of `functions`.
    pub(crate) programs: Vec<OpenProgram>,
    /// The maps: first those of `.maps`, then global data, `.kconfig`, `struct_ops`.
    pub(crate) maps: Vec<OpenMap>,
    pub(crate) externs: Vec<Extern>,
    pub(crate) variables: Arc<Vec<Variable>>,
    /// The index of the `.kconfig` map.
    pub(crate) kconfig_map: Option<usize>,
    /// Kernel configuration text from the caller, which takes precedence over the kernel's own.
    pub(crate) user_kconfig: String,
    /// Where maps are pinned by name; `/sys/fs/bpf` if not set.
    pub(crate) pin_root: Option<PathBuf>,
    /// The index of the one arena map.
    pub(crate) arena_map: Option<usize>,
    /// Arena globals: the contents of `.addr_space.1`.
    pub(crate) arena_data: Vec<u8>,
    /// Jump tables: the contents of `.jumptables`, in the byte order of the file. Each is an array of 64-bit byte offsets in
    /// the section of the function that uses it.
    pub(crate) jump_tables: Vec<u8>,
    /// A file with kernel types, used for CO-RE instead of the running kernel's.
    pub(crate) btf_path: Option<PathBuf>,
    /// Where the BPF token for loading it comes from.
    pub(crate) token: TokenSource,
    /// Groups of programs, by index; of each group, the first possible one is loaded.
    pub(crate) alternatives: Vec<Vec<usize>>,
}

/// A function of the object: an entry program or a subprogram.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) section: SectionIndex,
    pub(crate) section_name: String,
    /// The offset from the section's start, in instructions.
    pub(crate) offset: usize,
    pub(crate) insns: Vec<Insn>,
    /// What instructions refer to, sorted by instruction (its index in the function).
    pub(crate) relocations: Vec<Relocation>,
    pub(crate) linkage: FunctionLinkage,
}

/// The linkage of a function: global functions are verified on their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FunctionLinkage {
    /// `static`.
    Static,
    /// Global.
    Global,
    /// Global in the file, but hidden or internal: presented to the kernel as static.
    Hidden,
}

/// What one instruction refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "reloc_desc")]
pub(crate) struct Relocation {
    /// The index of the instruction in the function.
    pub(crate) insn: usize,
    pub(crate) kind: RelocKind,
}

/// What an instruction refers to; indexes are into the lists of [`OpenObject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "reloc_type")]
pub(crate) enum RelocKind {
    /// `ldimm64` of a map.
    Map { map: usize },
    /// `ldimm64` of an address in a global data map. `symbol_value` is added to the instruction's immediate.
    Data { map: usize, symbol_value: u64 },
    /// `ldimm64` of an extern variable (or the address of an extern function).
    ExternLoad { ext: usize },
    /// A call to an extern function.
    ExternCall { ext: usize },
    /// A call to a function in `.text`, at the symbol's offset.
    Call { symbol_value: u64 },
    /// `ldimm64` of a function's address.
    SubprogAddress { symbol_value: u64 },
    /// `ldimm64` of a jump table: its offset and length in `jump_tables`. Every program gets its own map for it.
    InsnArray { symbol_value: u64, symbol_size: u64 },
}

/// An entry program, before loading.
#[derive(Debug, Clone)]
#[doc(alias = "bpf_program")]
pub struct OpenProgram {
    /// Its index in the object's functions.
    pub(crate) function: usize,
    pub(crate) name: String,
    /// The section's name without a leading `?`.
    pub(crate) section: String,
    pub(crate) def: Option<&'static SectionDef>,
    pub(crate) kind: ProgramType,
    pub(crate) attach_type: AttachType,
    /// `BPF_F_*` flags set by the caller. Those implied by the section name (see `def`) are not included: they are added when
    /// the program is planned.
    pub(crate) flags: u32,
    pub(crate) autoload: bool,
    pub(crate) autoattach: bool,
    /// The target function, if the caller set a different one than the section name.
    pub(crate) attach_target: Option<String>,
    /// The loaded program that contains the target function; `None` for the kernel.
    pub(crate) attach_program: Option<Held>,
    /// The verifier's log level; 0 leaves it to the load.
    pub(crate) log_level: u32,
    /// The network interface that the program is for; 0 for none.
    pub(crate) ifindex: u32,
}

/// Where a map's definition comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MapOrigin {
    /// A definition in `.maps`.
    #[default]
    Definition,
    /// Global variables.
    Data(DataKind),
    /// A `struct_ops` variable.
    StructOps,
    /// Jump tables.
    InsnArray,
}

/// The kinds of global data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataKind {
    /// `.data`, `.data.*`
    Data,
    /// `.rodata`, `.rodata.*`: read-only for programs, and frozen.
    Rodata,
    /// `.bss`, `.bss.*`: initially zero.
    Bss,
    /// `.kconfig`: filled from the kernel's configuration.
    Kconfig,
}

/// A map, before loading.
#[derive(Debug, Clone, Default)]
#[doc(alias = "bpf_map")]
pub struct OpenMap {
    /// The user-visible name: the variable's name, or the section's (`.rodata`).
    pub(crate) name: String,
    /// The name passed to the kernel, not yet truncated to 15 characters for maps of `.maps`.
    pub(crate) kernel_name: String,
    pub(crate) origin: MapOrigin,
    /// The section that it is in, and its offset there.
    pub(crate) section: SectionIndex,
    pub(crate) section_offset: u64,
    pub(crate) kind: MapType,
    pub(crate) key_size: u32,
    pub(crate) value_size: u32,
    pub(crate) max_entries: u32,
    pub(crate) flags: u32,
    pub(crate) extra: u64,
    pub(crate) numa_node: u32,
    pub(crate) pinning: Pinning,
    pub(crate) pin_path: Option<PathBuf>,
    pub(crate) key_type: TypeId,
    pub(crate) value_type: TypeId,
    pub(crate) inner: Option<Box<OpenMap>>,
    /// An existing map to be used instead of creating this one.
    pub(crate) reused: Option<Held>,
    /// Entries that are filled with other maps or programs.
    pub(crate) slots: Vec<MapSlot>,
    /// `struct_ops`: which entry program each function pointer points to.
    pub(crate) members: Vec<StructOpsMember>,
    /// `struct_ops`: programs that the file assigns to a member, and that the caller removed from it.
    pub(crate) replaced: Vec<usize>,
    /// The only program that may use this map, by index.
    pub(crate) exclusive_program: Option<usize>,
    /// The network interface that the map is offloaded to; 0 for none.
    pub(crate) ifindex: u32,
    /// Global data: the contents, `value_size` bytes; `struct_ops`: the variable's bytes, function pointers zero.
    pub(crate) image: Image,
    pub(crate) autocreate: bool,
    pub(crate) autoattach: bool,
}

/// A function pointer of a `struct_ops` variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StructOpsMember {
    /// The member's index in the structure.
    pub member: usize,
    /// The index of the entry program that it points to.
    pub program: usize,
}

/// A global variable.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub(crate) name: String,
    /// The index of the map that contains it.
    pub(crate) map: usize,
    /// Offset in the map's value, in bytes.
    pub(crate) offset: u32,
    /// The size in bytes.
    pub(crate) size: u32,
    /// Its type (not the `VAR` itself); `void` if the object has no type for it.
    pub(crate) type_id: TypeId,
}

/// Something that the kernel or its configuration must provide.
#[derive(Debug, Clone)]
pub struct Extern {
    /// Its name.
    pub(crate) name: String,
    /// Whether it is optional (weak).
    pub(crate) weak: bool,
    /// Its declared type, without qualifiers and typedefs: a type, or a function's prototype; `void` for a kernel symbol
    /// without a type.
    pub(crate) declared_type: TypeId,
    /// What it is.
    pub(crate) kind: ExternKind,
}

/// What an extern is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternKind {
    /// A value of the kernel's configuration.
    Kconfig {
        /// How it is read.
        kind: KconfigType,
        /// The size in bytes.
        size: u32,
        /// Alignment in bytes.
        align: u32,
        /// Offset in the value of the `.kconfig` map, in bytes.
        offset: u32,
    },
    /// A kernel variable, with its type; `type_id` of the extern is looked up in the kernel's types.
    KsymTyped,
    /// A kernel symbol without a type (`extern const void`): an address from `/proc/kallsyms`.
    KsymTypeless,
    /// A kernel function.
    Kfunc,
}

impl ExternKind {
    /// The name used in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kconfig { .. } => "kconfig",
            Self::KsymTyped => "ksym",
            Self::KsymTypeless => "ksym_address",
            Self::Kfunc => "kfunc",
        }
    }
}

/// The type of a kernel configuration value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KconfigType {
    /// `bool`
    Bool,
    /// `enum libbpf_tristate`
    Tristate,
    /// A character, or another one-byte integer.
    Char,
    /// An integer.
    Int {
        /// Whether it is signed.
        signed: bool,
    },
    /// A character array.
    String,
}

impl OpenObject {
    /// Adds the object to an error.
    pub(crate) fn blame(&self, error: crate::Error) -> crate::Error {
        error.of_object(self.path.as_deref(), &self.name)
    }

    /// Opens an object in memory, with the default options. Its name is derived from a hash of its contents, so it is the same in
    /// every run. [`OpenObject::from_bytes_named`] gives it a readable name.
    ///
    /// # Errors
    /// The bytes are not a valid BPF object.
    #[doc(alias = "bpf_object__open_mem")]
    pub fn from_bytes(bytes: &[u8]) -> crate::Result<Self> {
        super::OpenOptions::new().open_bytes(bytes)
    }

    /// Opens an object in memory, with the default options and this name, of which the first 15 characters are used. The names of
    /// its data maps start with it.
    ///
    /// # Errors
    /// The bytes are not a valid BPF object.
    pub fn from_bytes_named(name: impl Into<String>, bytes: &[u8]) -> crate::Result<Self> {
        super::OpenOptions::new()
            .object_name(name)
            .open_bytes(bytes)
    }

    /// Warnings about the object that are no reason to reject it: code sections in which no function starts, so that none of
    /// their code will be loaded.
    pub fn warnings(&self) -> Vec<crate::Error> {
        let warn = |section: &String| {
            let message = format!(
                "section `{section}` holds instructions, but no function, so nothing of it will be loaded"
            );
            crate::Error::new(crate::ErrorKind::InvalidObject, message).with_hint(
                "functions are symbols of type STT_FUNC: was the file rewritten after it was compiled? to make it smaller, remove DWARF alone (llvm-strip -g)",
            )
        };
        self.code_without_functions.iter().map(warn).collect()
    }

    /// Its name: the file name up to the first dot, at most 15 characters.
    #[doc(alias = "bpf_object__name")]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that it was read from.
    pub fn path(&self) -> Option<&std::path::Path> {
        self.path.as_deref()
    }

    /// Its license, which determines the helpers that the kernel lets it call; empty if it declares none.
    pub fn license(&self) -> &str {
        &self.license
    }

    /// The kernel version that it was made for, if it declares one.
    #[doc(alias = "bpf_object__kversion")]
    pub fn kernel_version(&self) -> Option<KernelVersion> {
        self.kernel_version
    }

    /// The byte order of the file. Only objects in native byte order can be loaded.
    pub fn byte_order(&self) -> ByteOrder {
        self.byte_order
    }

    /// Its types, with the sizes and offsets of sections filled in.
    #[doc(alias = "bpf_object__btf")]
    pub fn btf(&self) -> Option<&Btf<'static>> {
        self.btf.as_deref()
    }

    /// What the kernel or its configuration must provide.
    pub fn externs(&self) -> &[Extern] {
        &self.externs
    }

    /// Its entry programs, in the order of sections and offsets.
    #[doc(alias = "bpf_object__for_each_program")]
    pub fn programs(&self) -> &[OpenProgram] {
        &self.programs
    }

    /// Its maps, in the order in which they are created.
    #[doc(alias = "bpf_object__for_each_map")]
    pub fn maps(&self) -> &[OpenMap] {
        &self.maps
    }

    /// Sets where maps are pinned by name, instead of `/sys/fs/bpf`:
    /// [`OpenOptions::pin_root_path`](super::OpenOptions::pin_root_path) for callers that have to inspect the object first.
    pub fn set_pin_root_path(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.pin_root = Some(path.into());
        self
    }

    /// Its global variables.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }
}
