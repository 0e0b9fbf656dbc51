//! Bytes of an ELF file in; sections, symbols and relocations out.
//!
//! In: any bytes. Out: views that borrow from them, every access checked; nothing here panics. The layout of the structures
//! comes from the `object` crate. Not here: what a section means to BPF (see `open`).

mod error;
mod file;
mod rel;
mod section;
mod symbol;
pub mod usdt;
pub mod user;

pub(crate) use error::ElfError;
pub(crate) use file::ElfFile;
pub(crate) use rel::Rel;
pub(crate) use section::Section;
pub(crate) use symbol::{Symbol, SymbolPlace, SymbolTable, Visibility};
