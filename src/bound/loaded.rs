//! After loading: maps and variables of their types.

use crate::btf::Layout;
use crate::load::{Constant, Live, Object};
use crate::map::Map;
use crate::{Error, ErrorKind, Result};

/// A map, by its index in the file.
///
/// # Errors
/// `NotFound` if it was not created.
pub fn map(object: &Object, map: usize, name: &str) -> Result<Map> {
    if let Some(map) = object.map_at(map) {
        return Ok(map.clone());
    }
    let message = format!("object {}: map `{name}` was not created", object.name());
    Err(Error::new(ErrorKind::NotFound, message).with_hint(
        "its autocreate is off: generate the bindings with it as optional (`optional(\"NAME\")`)",
    ))
}

/// A map, by its index in the file; `None` if it was not created.
///
/// # Errors
/// None, so that it can take the place of [`map`].
pub fn optional_map(object: &Object, map: usize, _name: &str) -> Result<Option<Map>> {
    Ok(object.map_at(map).cloned())
}

/// A global variable, by its place.
///
/// # Errors
/// Those of [`Object::live`].
pub fn live<T: Layout>(object: &Object, map: usize, offset: u32, name: &str) -> Result<Live<T>> {
    object.live_at(map, offset, name)
}

/// A global constant, by its place.
///
/// # Errors
/// Those of [`Object::live`].
pub fn constant<T: Layout>(
    object: &Object,
    map: usize,
    offset: u32,
    name: &str,
) -> Result<Constant<T>> {
    object.live_at(map, offset, name).map(Constant::from)
}
