//! The way through: from options to facts to text.

use super::facts::Facts;
use super::rust::Rust;
use super::text;
use crate::Result;

impl Rust<'_> {
    /// Writes the module.
    ///
    /// # Errors
    /// `NotFound` if a map or type that was named does not exist, `InvalidArgument` if a map sends no events; `Btf` if the
    /// object's types would take too much text.
    pub fn write(&self) -> Result<String> {
        let facts = Facts::of(self).map_err(|error| self.open.blame(error))?;
        text::module(self, &facts).map_err(|error| self.open.blame(error))
    }
}
