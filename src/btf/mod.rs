//! BTF blobs in, answers about their types out.
//!
//! In: the `.BTF` and `.BTF.ext` sections of an object, or a kernel's BTF, as bytes. Out: [`Btf`], whose types are decoded in
//! place on demand. Not here: where a kernel's BTF comes from (see `kernel`), and what CO-RE does with it (see `reloc`).
//! Values of these types as text, JSON and tables: [`value`]; definitions of these types in C: [`c`],
//! and in Rust: [`rust`], where arrays of characters are [`CharArray`]s; what changed from one blob to another: [`diff`].
//!
//! The format is described in the kernel's `Documentation/bpf/btf.rst`.

mod char_array;
pub mod diff;
mod error;
mod read;
mod show;
mod write;

#[doc(no_inline)]
pub use crate::ids::ByteOrder;
pub use char_array::CharArray;
pub use error::BtfError;
pub use read::ext::{BtfExt, CoreRelo, ExtSection};
pub use read::kind::{KIND_COUNT, Kind};
pub use read::layout::{Field, Layout, Number, Shape};
pub use read::parse::{Btf, LONGEST_NAME, SharedBytes};
pub use read::query::{Found, NameMatch, essential_name};
pub(crate) use read::query::{MAX_CHAIN, Wanted};
pub(crate) use read::typed_bytes::{Room, Rooms, hex, not_valid};
pub use read::types::{Array, Enumerator, IntEncoding, Linkage, Member, Param, Type, VarSecinfo};
pub(crate) use show::names::Space;
pub use show::{c, rust, value};
#[doc(inline)]
pub use value::{Columns, Json, Value};
pub use write::builder::{BtfBuilder, MAX_NAME_OFFSET, MAX_TYPE};
pub(crate) use write::copy::NameMap;
pub use write::elements::{FwdKind, Signedness};
#[cfg(test)]
pub(crate) use write::record::Info;
pub(crate) use write::subset::Subset;
