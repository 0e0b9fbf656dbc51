//! Before loading: sections as structures, maps and programs to edit.

use crate::btf::{Layout, not_valid};
use crate::open::{OpenMapMut, OpenObject, OpenOptions, OpenProgram};
use crate::{Error, ErrorKind, Result};
use zerocopy::{FromZeros, IntoBytes, KnownLayout};

/// Opens an object, which has this name unless the options have one.
///
/// # Errors
/// Those of [`OpenOptions::open_bytes`].
pub fn open(options: &OpenOptions, name: &str, bytes: &[u8]) -> Result<OpenObject> {
    options.named_unless(name).open_bytes(bytes)
}

/// The variables of a section, with the values that they have when the object is loaded.
///
/// # Errors
/// `Corrupt` if the file has bytes that are not a value of a variable's type, such as 2 for a `bool`.
pub fn section<T>(object: &OpenObject, map: usize, name: &str) -> Result<Box<T>>
where
    T: Layout + FromZeros + KnownLayout + Copy,
{
    let at_section = |error: Error| object.blame(error.context(format!("section `{name}`")));
    let bytes = object.image_start(map, size_of::<T>()).unwrap_or_default();
    check_len::<T>(bytes).map_err(at_section)?;
    let mut value = T::new_box_zeroed()
        .map_err(|_| at_section(Error::new(ErrorKind::Kernel, "there is no memory for it")))?;
    // In place, because it may be too large for the stack.
    let mut aligned = vec![0_u128; size_of::<T>().div_ceil(size_of::<u128>())];
    let mut room = aligned.as_mut_bytes();
    if let Some(start) = room.get_mut(..bytes.len()) {
        start.copy_from_slice(bytes);
    }
    room = room.get_mut(..size_of::<T>()).unwrap_or_default();
    let valid = T::try_ref_from_bytes(room);
    *value = *valid.map_err(|_| at_section(not_valid::<T>(bytes)))?;
    Ok(value)
}

/// A section ends with its last variable, and a structure with its padding.
fn check_len<T>(section: &[u8]) -> Result<()> {
    match size_of::<T>().checked_sub(section.len()) {
        Some(padding) if padding < align_of::<T>() => Ok(()),
        _ => Err(not_as_generated()),
    }
}

/// Sets the variables of a section. What the section has been grown by stays as it is.
///
/// # Errors
/// `InvalidArgument` if it has been made smaller.
pub fn set_section<T: Layout>(
    object: &mut OpenObject,
    map: usize,
    name: &str,
    value: &T,
) -> Result<()> {
    let at_section = |error: Error| error.context(format!("section `{name}`"));
    let start = object.image_start(map, size_of::<T>()).unwrap_or_default();
    if let Err(error) = check_len::<T>(start) {
        return Err(object.blame(at_section(error)));
    }
    let len = start.len();
    object.fill_image(map, value.as_bytes().get(..len).unwrap_or_default());
    Ok(())
}

/// A map, by its index.
///
/// # Panics
/// If the object has no such map, so that the bindings are not those of this object.
pub fn map_mut<'o>(object: &'o mut OpenObject, map: usize, name: &str) -> OpenMapMut<'o> {
    match object.map_mut_at(map) {
        Some(map) => map,
        None => not_this_object("map", name),
    }
}

/// A program, by its index.
///
/// # Panics
/// If the object has no such program, so that the bindings are not those of this object.
pub fn program_mut<'o>(
    object: &'o mut OpenObject,
    program: usize,
    name: &str,
) -> &'o mut OpenProgram {
    match object.programs_mut().get_mut(program) {
        Some(program) => program,
        None => not_this_object("program", name),
    }
}

#[cold]
fn not_this_object(what: &str, name: &str) -> ! {
    panic!("there is no {what} `{name}`: the bindings were generated from another object")
}

#[cold]
fn not_as_generated() -> Error {
    let message = "it is smaller than the bindings say";
    Error::new(ErrorKind::InvalidArgument, message)
        .with_hint("is this the object that they were generated from?")
}
