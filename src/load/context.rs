//! The caller's maps and programs that complete a plan.

use crate::map::Map;
use crate::open::{Held, OpenObject};
use crate::sys::fd;
use crate::{Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Existing maps and programs that a [`LoadPlan`](crate::reloc::LoadPlan) refers to. The plan itself is plain data, and only
/// contains their names: [`MapPlan::given`](crate::reloc::MapPlan::given),
/// [`ProgramPlan::attach_program`](crate::reloc::ProgramPlan::attach_program).
///
/// Loading an [`OpenObject`] as a whole uses what was given to it ([`OpenMapMut::reuse`](crate::open::OpenMapMut::reuse) and
/// similar methods). When loading a plan, pass a context: [`LoadOptions::context`](super::LoadOptions::context).
///
/// ```no_run
/// # fn main() -> rawbpf::Result<()> {
/// use rawbpf::OpenObject;
/// use rawbpf::load::{LoadContext, LoadOptions};
/// use rawbpf::map::Map;
/// use rawbpf::reloc::Target;
///
/// let mut open = OpenObject::from_file("trace.bpf.o")?;
/// open.map_mut("counts")?.reuse(&Map::from_pin("/sys/fs/bpf/counts")?)?;
/// let target = Target::running();
/// let plan = open.relocate(&target)?;
/// let options = LoadOptions::new().context(LoadContext::of(&open));
/// let object = plan.load_with(&target, &options)?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct LoadContext {
    maps: BTreeMap<String, Arc<OwnedFd>>,
    inner_maps: BTreeMap<String, Arc<OwnedFd>>,
    programs: BTreeMap<String, Arc<OwnedFd>>,
}

impl LoadContext {
    /// An empty context.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was given to this object.
    pub fn of(open: &OpenObject) -> Self {
        let mut context = Self::new();
        for map in &open.maps {
            if let Some(fd) = map.reused.as_ref().and_then(Held::get) {
                context.maps.insert(map.name.clone(), fd);
            }
            let inner = map.inner.as_ref().and_then(|inner| inner.reused.as_ref());
            if let Some(fd) = inner.and_then(Held::get) {
                context.inner_maps.insert(map.name.clone(), fd);
            }
        }
        for program in &open.programs {
            if let Some(fd) = program.attach_program.as_ref().and_then(Held::get) {
                context.programs.insert(program.name.clone(), fd);
            }
        }
        context
    }

    /// Uses `map` for the plan's map with this name.
    ///
    /// # Errors
    /// The descriptor cannot be copied.
    pub fn map(mut self, name: impl Into<String>, map: &Map) -> Result<Self> {
        self.maps.insert(name.into(), copy_of_map(map)?);
        Ok(self)
    }

    /// Uses `map` as the template for the inner maps of the plan's map of maps with this name.
    ///
    /// # Errors
    /// The descriptor cannot be copied.
    pub fn inner_map(mut self, name: impl Into<String>, map: &Map) -> Result<Self> {
        self.inner_maps.insert(name.into(), copy_of_map(map)?);
        Ok(self)
    }

    /// Sets the loaded program whose function is the target of the plan's program with this name.
    ///
    /// # Errors
    /// The descriptor cannot be copied.
    pub fn attach_program(mut self, name: impl Into<String>, program: impl AsFd) -> Result<Self> {
        self.programs
            .insert(name.into(), copy_of_program(program.as_fd())?);
        Ok(self)
    }

    /// Adds everything from `other`, which takes precedence.
    pub(super) fn extend(&mut self, other: Self) {
        self.maps.extend(other.maps);
        self.inner_maps.extend(other.inner_maps);
        self.programs.extend(other.programs);
    }

    /// [`LoadContext::attach_program`] for a descriptor that has already been copied.
    pub(super) fn put_program(&mut self, name: &str, program: &Arc<OwnedFd>) {
        self.programs.insert(name.to_owned(), Arc::clone(program));
    }

    /// The map to use for the plan's map with this name.
    ///
    /// # Errors
    /// Nothing was given.
    pub(super) fn given_map(&self, name: &str) -> Result<BorrowedFd<'_>> {
        found(&self.maps, name, "map", "LoadContext::map")
    }

    /// The template for the plan's map of maps with this name.
    ///
    /// # Errors
    /// Nothing was given.
    pub(super) fn given_inner_map(&self, name: &str) -> Result<BorrowedFd<'_>> {
        found(
            &self.inner_maps,
            name,
            "inner map",
            "LoadContext::inner_map",
        )
    }

    /// The program that contains this program's target function; `None` if none was given.
    pub(super) fn given_program(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.programs.get(name).map(AsFd::as_fd)
    }
}

fn found<'f>(
    given: &'f BTreeMap<String, Arc<OwnedFd>>,
    name: &str,
    what: &str,
    with: &str,
) -> Result<BorrowedFd<'f>> {
    given.get(name).map(AsFd::as_fd).ok_or_else(|| {
        let message =
            format!("the plan has a place for a {what} of the caller's, and none was given");
        Error::new(ErrorKind::InvalidArgument, message).with_hint(format!(
            "give it with {with}, or all that the opened object has with LoadContext::of"
        ))
    })
}

/// A descriptor of the same map.
pub(super) fn copy_of_map(map: &Map) -> Result<Arc<OwnedFd>> {
    copied(map.as_fd()).map_err(|e| e.context(format!("map `{}`", map.name())))
}

/// A descriptor of the same program.
pub(super) fn copy_of_program(program: BorrowedFd<'_>) -> Result<Arc<OwnedFd>> {
    copied(program).map_err(|e| e.context("the program to attach to"))
}

fn copied(fd: BorrowedFd<'_>) -> Result<Arc<OwnedFd>> {
    let copy = fd::duplicate(fd).map(Arc::new);
    copy.map_err(|errno| Error::from_errno(errno, "cannot copy its descriptor"))
}
