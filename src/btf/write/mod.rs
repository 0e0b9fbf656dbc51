//! Writes type information: built, edited, renumbered, adapted to older kernels.
//!
//! [`BtfBuilder`](super::BtfBuilder) stores records as words, and each string once:
//!
//! ```text
//!  names, numbers --> elements --> builder --.                                .--> finish --> bytes, Btf
//!  a blob -------------> copy -------------->|--> edit     in place          -|
//!  parts of blobs --> subset, distill ------>|                                |
//!         record   what the words of a type  |    sanitize for old kernels    |
//!                  are                       |    permute  other numbers      |
//!         strings, hash                      |    dedup    copies left out    |
//!                                            '----------------' `-- ext <-----'  .BTF.ext follows
//! ```

pub(super) mod builder;
pub(super) mod copy;
mod dedup;
mod distill;
mod edit;
pub(super) mod elements;
mod ext;
mod finish;
mod hash;
mod permute;
pub(super) mod record;
mod sanitize;
mod strings;
pub(super) mod subset;
#[cfg(test)]
mod tests;
