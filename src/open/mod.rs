//! Turns an ELF object into an [`OpenObject`]: the contents of the file, ready for editing.
//!
//! In: bytes. Out: programs, maps, variables, externs, and the relocations that connect them, all owned. The caller may edit
//! sizes, variables, autoload and targets; then `reloc` turns it into a plan. Not here: anything that depends on a kernel.
//!
//! Start with `options`, which calls the stages in order:
//!
//! ```text
//!  options --> collect (sections, functions) --> externs --> btf_fixup (types) --> map_def, globals (image), struct_ops
//!          --> section_name (programs) --> relocs (functions, slot) --> object
//! ```
//!
//! `single` creates an object from instructions instead. The caller inspects and edits it through `program`, `map`, `variable`
//! and `struct_ops_field` (both with `value_text`), `prefer`, `events` and `core_relocation`; `held` keeps what the caller adds for later.

mod btf_fixup;
mod collect;
mod core_relocation;
mod events;
mod externs;
mod functions;
mod globals;
mod held;
mod image;
mod map;
mod map_def;
mod object;
mod options;
mod prefer;
mod program;
mod relocs;
mod section_name;
mod single;
mod slot;
mod struct_ops;
mod struct_ops_field;
#[cfg(test)]
mod tests;
mod value_text;
mod variable;

pub use core_relocation::CoreRelocation;
pub use events::EventType;
pub(crate) use events::EventTypes;
pub(crate) use held::Held;
pub(crate) use image::Image;
pub use map::OpenMapMut;
pub(crate) use map_def::map_definition;
pub use object::{
    DataKind, Extern, ExternKind, KconfigType, MapOrigin, OpenMap, OpenObject, OpenProgram,
    StructOpsMember, Variable,
};
pub(crate) use object::{Function, FunctionLinkage, RelocKind, Relocation};
pub use options::{OpenOptions, TokenSource, UnknownAttributes};
pub(crate) use section_name::TargetForm;
pub use section_name::{AutoAttach, SectionDef, SectionFlags};
pub use slot::{MapSlot, SlotTarget};
pub use variable::VariableMut;
