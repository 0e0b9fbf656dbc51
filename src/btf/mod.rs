//! A blob of type information in, answers about its types out.
//!
//! In: the `.BTF` and `.BTF.ext` sections of an object, or a kernel's BTF, as bytes. Out: [`Btf`], whose types are decoded
//! in place when asked for. Not here: where a kernel's BTF comes from (see `load`), and what CO-RE does with it (see
//! `reloc`). Values of these types as text, JSON and tables: [`value`].
//!
//! The format is described in the kernel's `Documentation/bpf/btf.rst`.

mod edit;
mod error;
mod ext;
mod foreign;
mod header;
#[cfg(test)]
mod hostile;
mod index;
mod kind;
mod layout;
mod name;
mod parse;
mod query;
mod room;
mod sanitize;
mod types;
mod validate;
pub mod value;

pub use edit::{BtfEditor, Info};
pub use error::BtfError;
pub use ext::{BtfExt, CoreRelo, ExtSection};
pub use header::ByteOrder;
pub use kind::{KIND_COUNT, Kind};
pub use layout::{Field, Layout, Number, Shape};
pub use parse::{Btf, LONGEST_NAME, SharedBytes};
pub use query::{Found, NameMatch, essential_name};
pub(crate) use query::{MAX_CHAIN, Wanted};
pub(crate) use room::{Room, Rooms, hex, not_valid};
pub use types::{Array, Enumerator, IntEncoding, Linkage, Member, Param, Type, VarSecinfo};
#[doc(inline)]
pub use value::{Columns, Json, Value};
