//! Type information as it is: decoded in place, looked up, checked, compared with the shapes of Rust types.
//!
//! Start with `parse`, which makes a [`Btf`](super::Btf) of bytes; `types` has what one type answers, `query` what is asked of all
//! of them.

pub(super) mod ext;
mod foreign;
pub(super) mod header;
#[cfg(test)]
mod hostile;
mod index;
pub(super) mod kind;
pub(super) mod layout;
mod name;
pub(super) mod parse;
pub(super) mod query;
pub(super) mod typed_bytes;
pub(super) mod types;
mod validate;
