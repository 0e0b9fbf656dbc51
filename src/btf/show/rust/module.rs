//! A whole file: the lints that C's names require, the helpers for bitfields, and the definitions.

use super::{Definitions, Order, PRELUDE};
use crate::TypeId;
use crate::btf::show::sorted::sorted;
use crate::btf::{Btf, BtfError};

/// A module with the definitions of a kernel's, module's or object's types, for a crate that depends on `zerocopy` (0.8, with
/// its feature `derive`).
///
/// ```no_run
/// use rawbpf::btf::{Btf, rust::Module};
///
/// let btf = Btf::from_file("opensnoop.bpf.o")?;
/// std::fs::write("src/types.rs", Module::new(&btf).write()?.text())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Module<'b> {
    btf: &'b Btf<'b>,
    order: Order,
    roots: Vec<TypeId>,
}

const START: &str = "\
//! Types of C in Rust, written from BTF.

#![allow(
    clippy::all,
    clippy::pedantic,
    confusable_idents,
    dead_code,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unused_imports
)]

";

impl<'b> Module<'b> {
    /// A module with all types; of a base, only those that the blob's own need.
    pub fn new(btf: &'b Btf<'b>) -> Self {
        Self {
            btf,
            order: Order::default(),
            roots: Vec::new(),
        }
    }

    /// Sets the order of the types.
    pub fn order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// Restricts the module to these types and those that they contain, in this order.
    pub fn only(self, roots: impl IntoIterator<Item = TypeId>) -> Self {
        Self {
            roots: roots.into_iter().collect(),
            ..self
        }
    }

    /// Writes the module. [`Definitions::text`] returns the text.
    ///
    /// # Errors
    /// `TooMuch` if the output would be too large for the size of the types.
    pub fn write(&self) -> Result<Definitions<'b>, BtfError> {
        let mut definitions = Definitions::new(self.btf);
        definitions.text.push_str(START);
        definitions.text.push_str(PRELUDE);
        definitions.text.push('\n');
        if self.roots.is_empty() {
            for id in sorted(self.btf, self.order) {
                // The anonymous type of a member is written with the member, and named after it.
                let is_nameless = definitions.names.get(id).is_none();
                if !is_nameless || !definitions.names.is_used(id) {
                    definitions.add(id)?;
                }
            }
        } else {
            for id in &self.roots {
                definitions.add(*id)?;
            }
        }
        Ok(definitions)
    }
}
