//! Global variables: finding them, reading their initial values, and setting them before the object is loaded.

use super::value_text::Encoder;
use super::{ExternKind, OpenObject, Variable};
use crate::btf::Layout;
use crate::{Error, ErrorKind, Result, TypeId, did_you_mean};

impl OpenObject {
    /// The global variable with this name.
    ///
    /// # Errors
    /// There is none (the message lists similar names), or there are several static ones.
    pub fn variable(&self, name: &str) -> Result<&Variable> {
        let mut named = self.variables.iter().filter(|v| v.name == name);
        match (named.next(), named.next()) {
            (Some(variable), None) => Ok(variable),
            (Some(_), Some(_)) => Err(self.variable_error(
                ErrorKind::InvalidArgument,
                format!("there are several static variables `{name}`"),
            )),
            _ => Err(self.no_variable(name)),
        }
    }

    /// The global variable with this name, for editing.
    ///
    /// # Errors
    /// There is none (the message lists similar names), or there are several static ones.
    #[doc(alias = "bpf_map__initial_value")]
    pub fn variable_mut(&mut self, name: &str) -> Result<VariableMut<'_>> {
        let variable = self.variable(name)?.clone();
        Ok(VariableMut {
            object: self,
            variable,
        })
    }

    /// The initial value of a variable.
    pub fn value_of(&self, variable: &Variable) -> &[u8] {
        variable
            .range()
            .and_then(|(start, size)| self.part_of_image(variable.map, start, size))
            .unwrap_or_default()
    }

    #[cold]
    fn no_variable(&self, name: &str) -> Error {
        let is_kconfig =
            |e: &super::Extern| e.name == name && matches!(e.kind, ExternKind::Kconfig { .. });
        if self.externs.iter().any(is_kconfig) {
            let message = format!("`{name}` is a value of the kernel's configuration");
            return self
                .variable_error(ErrorKind::InvalidArgument, message)
                .with_hint("give it as kernel configuration text, see `OpenOptions::kconfig`");
        }
        let names = self.variables.iter().map(|v| v.name.as_str());
        let near = did_you_mean(name, names);
        let message = format!("there is no global variable `{name}`{near}");
        let error = self.variable_error(ErrorKind::NotFound, message);
        if self.variables.is_empty() {
            return error.with_hint("the object has no global variables");
        }
        error
    }

    fn variable_error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message).context(format!("object {}", self.name))
    }
}

impl Variable {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The index of the map that contains it.
    pub fn map(&self) -> usize {
        self.map
    }

    /// The offset in the map's value, in bytes.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// The size in bytes.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Its type; `void` if the object has no type for it.
    pub fn type_id(&self) -> TypeId {
        self.type_id
    }

    fn range(&self) -> Option<(usize, usize)> {
        usize::try_from(self.offset)
            .ok()
            .zip(usize::try_from(self.size).ok())
    }
}

/// A global variable that can be set before the object is loaded. Returned by [`OpenObject::variable_mut`].
#[derive(Debug)]
pub struct VariableMut<'o> {
    object: &'o mut OpenObject,
    variable: Variable,
}

impl VariableMut<'_> {
    /// Which variable this is.
    pub fn variable(&self) -> &Variable {
        &self.variable
    }

    /// The initial value.
    pub fn bytes(&self) -> &[u8] {
        self.object.value_of(&self.variable)
    }

    /// Sets it to a value: an integer, a `bool`, an array of them, or any other plain data ([`Layout`]).
    ///
    /// What [`VariableMut::set_from_text`] rejects is rejected here, too: a number outside the range of the variable's type,
    /// such as -1 for an `unsigned int` or 2 for a `bool`; a number for a structure or an array; an integer for a `float`.
    /// Signed and unsigned integers may be mixed as long as the value fits. Arrays of bytes match anything of their size.
    ///
    /// # Errors
    /// `InvalidArgument`: sizes or types differ; the message contains both.
    pub fn set<T: Layout>(&mut self, value: &T) -> Result<()> {
        let bytes = value.as_bytes();
        self.check_size(bytes)?;
        self.encoder()
            .check(self.variable.type_id, value)
            .map_err(|error| self.error(error))?;
        self.set_bytes(bytes)
    }

    /// Sets it to these bytes, whatever its type.
    ///
    /// # Errors
    /// The sizes differ; the message contains both.
    pub fn set_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.check_size(bytes)?;
        let image = self.object.image_mut(self.variable.map);
        let place = self.variable.range().and_then(|(start, size)| {
            let rest = image.get_mut(start..)?;
            rest.get_mut(..size)
        });
        let Some(place) = place else {
            let message = "it lies outside the data of its map";
            return Err(self.error(Error::new(ErrorKind::Corrupt, message)));
        };
        place.copy_from_slice(bytes);
        Ok(())
    }

    fn check_size(&self, bytes: &[u8]) -> Result<()> {
        if usize::try_from(self.variable.size) == Ok(bytes.len()) {
            return Ok(());
        }
        let message = format!(
            "it takes {} bytes, the value has {}",
            self.variable.size,
            bytes.len()
        );
        Err(self.error(Error::new(ErrorKind::InvalidArgument, message)))
    }

    fn encoder(&self) -> Encoder<'_> {
        Encoder {
            btf: self.object.btf.as_deref(),
            order: self.object.byte_order,
        }
    }

    /// Sets it from text, according to its type: a number (`42`, `-1`, `0xff`), `true` or `false`, the name of an
    /// enumeration's constant, a string for an array of characters, comma-separated numbers for other arrays.
    ///
    /// # Errors
    /// The text is not a value of the type, or does not fit; the message says what would.
    pub fn set_from_text(&mut self, text: &str) -> Result<()> {
        let bytes = self
            .encoder()
            .encode(self.variable.type_id, self.variable.size, text)
            .map_err(|error| self.error(error))?;
        self.set_bytes(&bytes)
    }

    fn error(&self, error: Error) -> Error {
        error
            .context(format!("variable `{}`", self.variable.name))
            .context(format!("object {}", self.object.name))
    }
}
