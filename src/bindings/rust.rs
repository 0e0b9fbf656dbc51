//! What to generate, and for whom.

use crate::open::OpenObject;
use crate::{Error, ErrorKind, Result};
use std::path::PathBuf;

/// Generates Rust bindings for an object: one item, a module.
///
/// ```
/// # fn main() -> rawbpf::Result<()> {
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/opensnoop.bpf.o");
/// use rawbpf::bindings::{ObjectBytes, Rust};
/// use rawbpf::OpenObject;
///
/// let open = OpenObject::from_file(path)?;
/// let module = Rust::new(&open)
///     .derive("PartialEq")
///     .object(ObjectBytes::Include(path.into()))
///     .write()?;
/// assert!(module.contains("pub mod opensnoop {"));
/// # Ok(())
/// # }
/// ```
///
/// The module has `open()`, which returns `Open`: a field for each section of variables, `maps()` and `programs()` to change what
/// is loaded, `load()`. That returns `Loaded`: the fields `maps` and `programs`, a field for each section, and
/// `attach()`, which returns the links by name. The types are those that maps, variables and events reach, in the module
/// itself and in `types`. The crate that compiles it depends on `rawbpf` with its feature `load`.
#[derive(Debug, Clone)]
pub struct Rust<'o> {
    pub(super) open: &'o OpenObject,
    pub(super) module: Option<String>,
    pub(super) is_public: bool,
    pub(super) derives: Vec<String>,
    pub(super) types: Vec<String>,
    /// The types of events, by map.
    pub(super) events: Vec<(String, String)>,
    /// Maps that may be missing after loading.
    pub(super) optional: Vec<String>,
    pub(super) bytes: ObjectBytes,
}

/// Where the compiled program has the object's bytes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ObjectBytes {
    /// Nowhere: there is no `open()`, only `Open::new`, which takes an opened object.
    #[default]
    None,
    /// `include_bytes!` of this path.
    Include(PathBuf),
}

impl<'o> Rust<'o> {
    /// Bindings for an object: a public module with the object's name.
    pub fn new(open: &'o OpenObject) -> Self {
        Self {
            open,
            module: None,
            is_public: true,
            derives: Vec::new(),
            types: Vec::new(),
            events: Vec::new(),
            optional: Vec::new(),
            bytes: ObjectBytes::None,
        }
    }

    /// Sets the name of the module.
    pub fn module(self, name: impl Into<String>) -> Self {
        Self {
            module: Some(name.into()),
            ..self
        }
    }

    /// Makes the module private to the one that it is in.
    pub fn private(self) -> Self {
        Self {
            is_public: false,
            ..self
        }
    }

    /// Derives another trait for all types, by its path: `serde::Serialize`.
    pub fn derive(mut self, path: impl Into<String>) -> Self {
        self.derives.push(path.into());
        self
    }

    /// Adds types that neither a map, a variable nor an event reaches, by their names in C.
    pub fn types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.types.extend(names.into_iter().map(Into::into));
        self
    }

    /// Names the type of the events of a map, for one that does not state it.
    pub fn event(mut self, map: impl Into<String>, type_name: impl Into<String>) -> Self {
        self.events.push((map.into(), type_name.into()));
        self
    }

    /// Makes a map optional: its field in `Loaded` is an `Option`, for a map whose autocreate may be turned off.
    pub fn optional(mut self, map: impl Into<String>) -> Self {
        self.optional.push(map.into());
        self
    }

    /// Says where the compiled program has the object from.
    pub fn object(self, bytes: ObjectBytes) -> Self {
        Self { bytes, ..self }
    }

    /// The path of the object's file, as text.
    pub(super) fn path(&self) -> Result<Option<&str>> {
        match &self.bytes {
            ObjectBytes::None => Ok(None),
            ObjectBytes::Include(path) => path.to_str().map(Some).ok_or_else(|| {
                let message = format!("the path {} is not UTF-8", path.display());
                Error::new(ErrorKind::InvalidArgument, message)
            }),
        }
    }
}
