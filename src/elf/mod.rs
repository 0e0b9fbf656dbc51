//! Reads ELF files: sections, symbols and relocations.
//!
//! In: any bytes. Out: for a BPF object, views that borrow from them, with every access checked; for programs and libraries,
//! which are read piece by piece ([`ReadAt`]), the file offsets of functions ([`functions`]) and probes ([`usdt`]). Nothing
//! here panics.
//! The layout of the structures comes from the `object` crate. Also here are two other formats that are needed to find
//! user-space libraries: the dynamic loader's cache and zip archives. Not here: what a section means to BPF (see `open`).
//!
//! Start with `file` for objects, with `functions` for programs and libraries:
//!
//! ```text
//!  an object:              file --> section --> symbol, rel
//!  a program or library:   functions --> symbol_scan (dynamic) --> symbol_choice   a name --> its offset in the file
//!                          usdt, debug_symbols                                     its probes; where else to find symbols
//!  debug information:      parts                                                   a name --> the contents of a section
//!                              all of them --> executable --> format, read_at
//! ```
//!
//! `name_budget` bounds the work in both cases, `error` has the errors of damaged files. `write` writes objects. The other
//! formats: `ld_cache`, `zip`.

pub(crate) mod debug_symbols;
mod dynamic;
mod error;
mod executable;
mod file;
mod format;
pub mod functions;
pub(crate) mod ld_cache;
mod name_budget;
#[cfg(feature = "dwarf")]
pub(crate) mod parts;
pub(crate) mod read_at;
mod rel;
mod section;
mod symbol;
mod symbol_choice;
mod symbol_scan;
pub mod usdt;
mod write;
pub(crate) mod zip;

pub(crate) use error::ElfError;
pub use executable::Executable;
pub(crate) use file::ElfFile;
pub(crate) use name_budget::NameBudget;
pub(crate) use read_at::Extent;
pub use read_at::ReadAt;
pub(crate) use rel::Rel;
pub(crate) use section::Section;
pub(crate) use symbol::{Symbol, SymbolPlace, SymbolTable, Visibility};
pub(crate) use write::{Content, NewObject, NewRel, NewSection, NewSymbol};
