//! Bytes of an ELF file in; sections, symbols and relocations out.
//!
//! In: any bytes. Out: views that borrow from them, every access checked; nothing here panics. The layout of the structures
//! comes from the `object` crate. Beside it, the two other formats in which user-space libraries are found: the dynamic
//! loader's list and zip archives. Not here: what a section means to BPF (see `open`).

mod error;
mod file;
pub(crate) mod ld_cache;
mod rel;
mod section;
mod symbol;
pub mod usdt;
pub mod user;
pub(crate) mod zip;

pub(crate) use error::ElfError;
pub(crate) use file::ElfFile;
pub(crate) use rel::Rel;
pub(crate) use section::Section;
pub(crate) use symbol::{Symbol, SymbolPlace, SymbolTable, Visibility};
