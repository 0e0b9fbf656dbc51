//! Type information that is written: built, edited, fitted to kernels that know less.
//!
//! [`BtfBuilder`](super::BtfBuilder) holds records as words, and strings that are kept once:
//!
//! ```text
//!  names, numbers --> elements --> builder --.                    .--> finish --> bytes
//!  a blob -------------> copy -------------->|--> edit, sanitize -|
//!                  (strings, record: what they are made of)       '--> build ---> Btf
//! ```

pub(super) mod builder;
mod copy;
mod edit;
pub(super) mod elements;
mod finish;
pub(super) mod record;
mod sanitize;
mod strings;
#[cfg(test)]
mod tests;
