//! Maps that outlive the process: pinned under a name in a BPF file system, and reopened from there.

use crate::kinds::Pinning;
use crate::kinds::{MapFlags, MapType};
use crate::map::no_map;
use crate::map::pin::{self, Place};
use crate::reloc::MapPlan;
use crate::sys::bpf::{MapFd, MapInfo};
use crate::{Errno, Error, ErrorKind, Result};
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The pins (and directories) that this load created, which are removed again unless they are [kept](Self::keep).
#[derive(Debug, Default)]
pub(super) struct NewPins(MadePins);

/// Pins, and the directories created for them.
#[derive(Debug, Default)]
pub(super) struct MadePins {
    files: Vec<MadePin>,
    folders: Vec<PathBuf>,
}

#[derive(Debug)]
struct MadePin {
    path: PathBuf,
    /// Device and inode: the pin may have been removed and replaced by another one.
    identity: Option<(u64, u64)>,
}

impl MadePin {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            identity: identity(path),
        }
    }

    fn remove(&self) -> Result<()> {
        if self.identity.is_none() || identity(&self.path) != self.identity {
            return Ok(());
        }
        fs::remove_file(&self.path).map_err(|e| Error::from_io(e, "remove the pin", &self.path))
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

impl Drop for NewPins {
    fn drop(&mut self) {
        // The caller is already getting the error that led here.
        let _ = self.0.remove();
    }
}

impl MadePins {
    /// Removes the pins, and the directories that are otherwise empty. Pins that somebody else has removed are ignored.
    pub(super) fn remove(&mut self) -> Result<()> {
        let mut result = Ok(());
        for pin in self.files.drain(..) {
            result = result.and(pin.remove());
        }
        for folder in self.folders.drain(..).rev() {
            let _ = fs::remove_dir(folder);
        }
        result
    }
}

/// The outcome of pinning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pinned {
    /// Nothing had that name.
    New,
    /// Something already has the name.
    Exists,
}

impl NewPins {
    /// The load succeeded: nothing is removed unless the caller requests it.
    pub(super) fn keep(mut self) -> MadePins {
        std::mem::take(&mut self.0)
    }

    /// Pins a map at its path; the directory is created if only its last component is missing.
    pub(super) fn add(&mut self, map: BorrowedFd<'_>, place: Place<'_>) -> Result<Pinned> {
        let path = place.path();
        let new_folder = path.parent().filter(|folder| !folder.exists());
        match pin::pin(map, place) {
            Ok(()) => {
                self.0.files.push(MadePin::new(path));
                self.0.folders.extend(new_folder.map(Path::to_owned));
                Ok(Pinned::New)
            }
            Err(error) if error.errno() == Some(Errno::EEXIST) => Ok(Pinned::Exists),
            Err(error) => Err(error),
        }
    }
}

/// The error for a name that is taken although nothing can be opened there.
pub(super) fn taken(path: &Path) -> Error {
    Error::from_errno(
        Errno::EEXIST,
        format!(
            "cannot pin it at {}: another process pins and unpins there",
            path.display()
        ),
    )
}

/// Where a map of a plan is pinned, if it is.
pub(super) fn place(plan: &MapPlan) -> Option<Place<'_>> {
    let path = plan.pin_path.as_deref()?;
    Some(match plan.pinning {
        Pinning::ByName => Place::Below(path),
        Pinning::None => Place::At(path),
    })
}

/// Opens the map that is pinned there, if there is one that matches the plan.
#[doc(alias = "bpf_object__reuse_map")]
pub(super) fn reuse(place: Place<'_>, plan: &MapPlan) -> Result<Option<MapFd>> {
    let path = place.path();
    let fd = match pin::open(place) {
        Ok(fd) => fd,
        Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(None),
        Err(error) => return Err(error),
    };
    let (fd, info) = MapFd::from_fd(fd)
        .map_err(|no| no_map(&format!("what is pinned at {}", path.display()), no))?;
    if let Some(difference) = difference(&info, plan) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "the map pinned at {} is another one: {difference}",
                path.display()
            ),
        )
        .with_hint("remove the pin if nobody needs it, or pin somewhere else"));
    }
    Ok(Some(fd))
}

/// The first attribute in which a pinned map differs from the planned one.
#[doc(alias = "map_is_reuse_compat")]
fn difference(info: &MapInfo, plan: &MapPlan) -> Option<String> {
    let mut flags = info.flags;
    // The kernel adds this flag to device maps.
    if matches!(info.kind, MapType::DEVMAP | MapType::DEVMAP_HASH) {
        flags.remove(MapFlags::RDONLY_PROG);
        flags.insert(MapFlags::from_bits_retain(plan.flags) & MapFlags::RDONLY_PROG);
    }
    if info.kind != plan.kind {
        return Some(format!(
            "its type is {}, the object's is {}",
            info.kind, plan.kind
        ));
    }
    let numbers = [
        ("key_size", info.key_size.into(), plan.key_size.into()),
        ("value_size", info.value_size.into(), plan.value_size.into()),
        (
            "max_entries",
            info.max_entries.into(),
            plan.max_entries.into(),
        ),
        ("map_flags", flags.bits().into(), plan.flags.into()),
        ("map_extra", info.map_extra, plan.extra),
    ];
    let found = numbers
        .iter()
        .find(|(_, theirs, ours): &&(&str, u64, u64)| theirs != ours);
    found.map(|(name, theirs, ours)| match *name {
        "map_flags" => format!("its {name} is {theirs:#x}, the object's is {ours:#x}"),
        _ => format!("its {name} is {theirs}, the object's is {ours}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TypeId;

    fn pinned() -> MapInfo {
        MapInfo {
            kind: MapType::HASH,
            id: 1,
            key_size: 4,
            value_size: 8,
            max_entries: 16,
            flags: MapFlags::empty(),
            name: "m".into(),
            ifindex: 0,
            netns_dev: 0,
            netns_ino: 0,
            btf_id: 0,
            btf_key_type: TypeId::VOID,
            btf_value_type: TypeId::VOID,
            btf_vmlinux_value_type: TypeId::VOID,
            btf_vmlinux_id: 0,
            map_extra: 0,
        }
    }

    fn planned() -> MapPlan {
        MapPlan {
            kind: MapType::HASH,
            key_size: 4,
            value_size: 8,
            max_entries: 16,
            ..MapPlan::default()
        }
    }

    #[test]
    fn the_attribute_that_differs_is_named() {
        assert_eq!(difference(&pinned(), &planned()), None);
        let larger = MapPlan {
            value_size: 12,
            ..planned()
        };
        assert_eq!(
            difference(&pinned(), &larger).as_deref(),
            Some("its value_size is 8, the object's is 12")
        );
        let array = MapPlan {
            kind: MapType::ARRAY,
            ..planned()
        };
        assert_eq!(
            difference(&pinned(), &array).as_deref(),
            Some("its type is hash, the object's is array")
        );
        let flags = MapPlan {
            flags: 1,
            ..planned()
        };
        let text = difference(&pinned(), &flags).expect("a difference");
        assert!(
            text.contains("map_flags is 0x0, the object's is 0x1"),
            "{text}"
        );
    }

    #[test]
    fn device_maps_have_a_flag_that_nobody_set() {
        let mut info = pinned();
        info.kind = MapType::DEVMAP;
        info.flags = MapFlags::RDONLY_PROG;
        let plan = MapPlan {
            kind: MapType::DEVMAP,
            ..planned()
        };
        assert_eq!(difference(&info, &plan), None);
    }
}
