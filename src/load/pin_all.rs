//! Pins all maps and programs of an object in one directory, by name.

use super::object::Object;
use super::pin::{NewPins, Pinned};
use crate::map::Map;
use crate::map::pin::{self, Place};
use crate::program::Program;
use crate::{Errno, Error, ErrorKind, MapType, Result};
use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

impl Object {
    /// Pins every map and every program in the directory `folder` of a BPF file system, under its name: all or nothing. The
    /// directory is created if only its last component is missing.
    ///
    /// The names are libbpf's: a `.` becomes a `_`, and global data has the name known to the kernel, such as
    /// `opensnoop_bss`. What is already pinned there stays as it is. Pins keep maps and programs in the kernel after this
    /// process, but programs stay attached only as long as their links do: see [`Link::pin`](crate::attach::Link::pin).
    ///
    /// # Errors
    /// The name of a pin is taken (by a program with the name of a map, for example), or `folder` is not on a BPF file
    /// system. What was pinned before the failure is removed again.
    #[doc(alias = "bpf_object__pin")]
    pub fn pin(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        self.pin_items(folder, self.pinnable_maps().chain(self.pinnable_programs()))
    }

    /// Removes the pins that [`Object::pin`] creates in `folder`. The directory stays.
    ///
    /// # Errors
    /// A pin is missing or cannot be removed; the others are removed as far as possible.
    #[doc(alias = "bpf_object__unpin")]
    pub fn unpin(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        self.unpin_items(folder, self.pinnable_programs().chain(self.pinnable_maps()))
    }

    /// [`Object::pin`] for the maps only.
    #[doc(alias = "bpf_object__pin_maps")]
    pub fn pin_maps(&self, folder: impl AsRef<Path>) -> Result<()> {
        self.pin_items(folder.as_ref(), self.pinnable_maps())
    }

    /// [`Object::unpin`] for the maps only.
    #[doc(alias = "bpf_object__unpin_maps")]
    pub fn unpin_maps(&self, folder: impl AsRef<Path>) -> Result<()> {
        self.unpin_items(folder.as_ref(), self.pinnable_maps())
    }

    /// [`Object::pin`] for the programs only.
    #[doc(alias = "bpf_object__pin_programs")]
    pub fn pin_programs(&self, folder: impl AsRef<Path>) -> Result<()> {
        self.pin_items(folder.as_ref(), self.pinnable_programs())
    }

    /// [`Object::unpin`] for the programs only.
    #[doc(alias = "bpf_object__unpin_programs")]
    pub fn unpin_programs(&self, folder: impl AsRef<Path>) -> Result<()> {
        self.unpin_items(folder.as_ref(), self.pinnable_programs())
    }

    /// All maps except jump tables, which belong to one program each and share a name.
    fn pinnable_maps(&self) -> impl Iterator<Item = Item<'_>> {
        let maps = self.maps.iter();
        maps.filter(|map| map.kind() != MapType::INSN_ARRAY)
            .map(Item::Map)
    }

    fn pinnable_programs(&self) -> impl Iterator<Item = Item<'_>> {
        self.programs.iter().map(Item::Program)
    }

    fn pin_items<'o>(&self, folder: &Path, items: impl Iterator<Item = Item<'o>>) -> Result<()> {
        // Removes the pins again if dropped after a failure.
        let mut pins = NewPins::default();
        for item in items {
            item.pin(folder, &mut pins)
                .map_err(|e| self.blame_item(e, item))?;
        }
        pins.keep();
        Ok(())
    }

    fn unpin_items<'o>(&self, folder: &Path, items: impl Iterator<Item = Item<'o>>) -> Result<()> {
        let mut result = Ok(());
        for item in items {
            let unpinned = item
                .pin_name()
                .and_then(|name| pin::unpin(&folder.join(&*name)));
            result = result.and(unpinned.map_err(|e| self.blame_item(e, item)));
        }
        result
    }

    fn blame_item(&self, error: Error, item: Item<'_>) -> Error {
        error
            .context(item.what())
            .context(format!("object {}", self.name()))
    }
}

/// A map or program of an object, to be pinned.
#[derive(Clone, Copy)]
enum Item<'o> {
    Map(&'o Map),
    Program(&'o Program),
}

impl Item<'_> {
    fn what(self) -> String {
        match self {
            Self::Map(map) => format!("map `{}`", map.name()),
            Self::Program(program) => format!("program `{}`", program.name()),
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Map(map) => map.as_fd(),
            Self::Program(program) => program.as_fd(),
        }
    }

    /// Whether this is what is pinned there.
    fn is_at(self, path: &Path) -> Result<bool> {
        let found = pin::open(Place::Below(path))?;
        Ok(match self {
            Self::Map(map) => Map::from_fd(found)?.id()? == map.id()?,
            Self::Program(program) => Program::from_fd(found)?.id()? == program.id()?,
        })
    }

    fn pin(self, folder: &Path, pins: &mut NewPins) -> Result<()> {
        let path = folder.join(&*self.pin_name()?);
        match pins.add(self.as_fd(), Place::Below(&path))? {
            Pinned::New => Ok(()),
            Pinned::Exists if self.is_at(&path).unwrap_or(false) => Ok(()),
            Pinned::Exists => {
                let message = format!(
                    "cannot pin it at {}: something else is there",
                    path.display()
                );
                Err(Error::from_errno(Errno::EEXIST, message)
                    .with_hint("remove it, or choose another folder"))
            }
        }
    }

    /// The name of its pin. It comes from an object, so it must not lead out of the directory.
    fn pin_name(self) -> Result<String> {
        let name = match self {
            Self::Program(program) => Cow::Borrowed(program.name()),
            Self::Map(map) => name_for_users(map)?,
        };
        let name = name.replace('.', "_");
        let is_good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match name.chars().find(|c| !is_good(*c)) {
            None => Ok(name),
            Some(bad) => {
                let message = format!("{bad:?} cannot be part of the name of a pin");
                Err(Error::new(ErrorKind::InvalidObject, message).with_hint(
                    "only letters, digits, `_` and `.` can: pin it by itself, at a path",
                ))
            }
        }
    }
}

/// libbpf's name for the map. Global data without a suffix (`.data`, but not `.data.mine`) uses its name in the kernel, which
/// starts with the object's name.
#[doc(alias = "bpf_map__name")]
fn name_for_users(map: &Map) -> Result<Cow<'_, str>> {
    let name = map.name();
    let own = name.starts_with(".data.") || name.starts_with(".rodata.");
    if own || !name.starts_with('.') {
        return Ok(Cow::Borrowed(name));
    }
    Ok(Cow::Owned(map.info()?.name))
}
