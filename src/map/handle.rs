//! The map handle: where maps come from, and what is known about them.

use super::pin::{self, OpenAccess};
use crate::btf::Btf;
use crate::kernel::by_id;
use crate::sys::arena::ArenaMemory;
use crate::sys::bpf::{self, MapFd, MapInfo, MapState, NoMap, ObjectKind};
use crate::sys::mapping::{Access, MapMemory};
use crate::{Errno, Error, ErrorKind, MapFlags, MapType, Result, TypeId};
use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A map in the kernel. Clones share one descriptor, which is closed with the last clone.
///
/// `Map` by itself takes and returns keys and values as bytes. [`Map::typed`] makes a view whose keys and values are Rust
/// types: `Map<u32, u64>`, or `Map<u32, PerCpu<u64>>` if each CPU has a value of its own ([`PerCpu`](super::PerCpu)). Both
/// have the same methods.
///
/// The map itself lives as long as anything holds it: a descriptor, a program, a pin, a mapping.
#[doc(alias = "bpf_map")]
pub struct Map<K: ?Sized = [u8], V: ?Sized = [u8]> {
    inner: Arc<Inner>,
    view: PhantomData<View<K, V>>,
}

/// Neither owns nor borrows keys and values.
type View<K, V> = (fn(&K), fn(&V));

struct Inner {
    fd: MapFd,
    name: String,
    types: OnceLock<Option<MapTypes>>,
    /// Whether the kernel can read and write the value of a single CPU; asked once.
    one_cpu: OnceLock<bool>,
}

/// The types of a map's keys and values, by BTF. Returned by [`Map::types`].
#[derive(Debug, Clone)]
pub struct MapTypes {
    /// The BTF that holds the types.
    pub btf: Arc<Btf<'static>>,
    /// Type of a key; `void` if unknown.
    pub key: TypeId,
    /// Type of a value (for one CPU); `void` if unknown.
    pub value: TypeId,
}

impl<K: ?Sized, V: ?Sized> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        self.view_as()
    }
}

impl<K: ?Sized, V: ?Sized> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("name", &self.inner.name)
            .field("fd", &self.inner.fd)
            .finish()
    }
}

impl<K: ?Sized, V: ?Sized> AsFd for Map<K, V> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.fd.as_fd()
    }
}

impl Map {
    /// A map that has just been created, under its name in the object. [`Map::create`] creates a map, [`Map::from_fd`] takes
    /// a descriptor.
    #[doc(hidden)]
    pub fn new(fd: MapFd, name: impl Into<String>) -> Self {
        Self {
            inner: Arc::new(Inner {
                fd,
                name: name.into(),
                types: OnceLock::new(),
                one_cpu: OnceLock::new(),
            }),
            view: PhantomData,
        }
    }

    /// A map from a descriptor that came from elsewhere. Its name is the kernel's, of at most 15 bytes.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the descriptor is not a map.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        let (fd, info) =
            MapFd::from_fd(fd).map_err(|no| no_map("what the descriptor stands for", no))?;
        Ok(Self::new(fd, info.name))
    }

    /// The map with this id, which `bpftool map` shows. Since Linux 4.13.
    ///
    /// # Errors
    /// `NotFound` if there is none (any more), `Permission` without `CAP_SYS_ADMIN`.
    #[doc(alias = "bpf_map_get_fd_by_id")]
    pub fn from_id(id: u32) -> Result<Self> {
        Self::from_id_with(id, OpenAccess::ReadWrite)
    }

    /// [`Map::from_id`] with a descriptor that allows only this access. Since Linux 4.15.
    #[doc(alias = "bpf_map_get_fd_by_id_opts")]
    pub fn from_id_with(id: u32, access: OpenAccess) -> Result<Self> {
        let fd = bpf::fd_by_id_with(ObjectKind::Map, id, access.flags());
        Self::from_fd(fd.map_err(|errno| by_id::refused(ObjectKind::Map, id, errno))?)
    }

    /// The ids of all maps in the kernel, in ascending order. Since Linux 4.13. A map may be gone before its id is used:
    /// then [`Map::from_id`] answers `NotFound`.
    ///
    /// # Errors
    /// `Permission` without `CAP_SYS_ADMIN`.
    #[doc(alias = "bpf_map_get_next_id")]
    pub fn ids() -> impl Iterator<Item = Result<u32>> {
        by_id::all(ObjectKind::Map)
    }

    /// The map that is pinned at `path`.
    #[doc(alias = "bpf_obj_get")]
    pub fn from_pin(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_pin_with(path, OpenAccess::ReadWrite)
    }

    /// [`Map::from_pin`] with a descriptor that allows only this access. Since Linux 4.15.
    ///
    /// Users who may only read the pin's file can open it with [`OpenAccess::ReadOnly`].
    #[doc(alias = "bpf_obj_get_opts")]
    pub fn from_pin_with(path: impl AsRef<Path>, access: OpenAccess) -> Result<Self> {
        let path = path.as_ref();
        let (fd, info) = MapFd::from_fd(pin::open_with(path, access)?)
            .map_err(|no| no_map(&format!("what is pinned at {}", path.display()), no))?;
        Ok(Self::new(fd, info.name))
    }

    /// Sets the types of its keys and values, unless they are known already.
    pub(crate) fn set_types(&self, types: MapTypes) {
        let _ = self.inner.types.set(Some(types));
    }
}

/// The error for `what`, which the kernel says is not a map.
pub(crate) fn no_map(what: &str, no: NoMap) -> Error {
    let message = match no.kind {
        Some(kind) => format!("{what} is a {kind}, not a map"),
        None => format!("{what} is not a BPF map"),
    };
    match no.errno {
        Errno::EINVAL => Error::new(ErrorKind::InvalidArgument, message).with_errno(no.errno),
        errno => Error::from_errno(errno, message),
    }
}

impl<K: ?Sized, V: ?Sized> Map<K, V> {
    /// The same map as another view, unchecked.
    pub(super) fn view_as<K2: ?Sized, V2: ?Sized>(&self) -> Map<K2, V2> {
        Map {
            inner: Arc::clone(&self.inner),
            view: PhantomData,
        }
    }

    /// The same map, with keys and values as bytes.
    pub fn as_bytes(&self) -> Map {
        self.view_as()
    }

    /// The types of its keys and values, from the BTF of the object that it was loaded from, or else the BTF that the kernel
    /// keeps with the map. `None` if neither is known.
    #[doc(alias("bpf_map__btf_key_type_id", "bpf_map__btf_value_type_id"))]
    pub fn types(&self) -> Result<Option<&MapTypes>> {
        if let Some(known) = self.inner.types.get() {
            return Ok(known.as_ref());
        }
        let types = self.types_in_kernel()?;
        Ok(self.inner.types.get_or_init(|| types).as_ref())
    }

    fn types_in_kernel(&self) -> Result<Option<MapTypes>> {
        let info = self.info()?;
        if info.btf_id == 0 {
            return Ok(None);
        }
        let blob = bpf::fd_by_id(ObjectKind::Btf, info.btf_id)
            .and_then(|fd| bpf::btf_data(fd.as_fd()))
            .map_err(|errno| self.fail(errno, "cannot read the map's types"))?;
        let btf = Btf::from_vec(blob).map_err(|e| self.blame(e.into()))?;
        Ok(Some(MapTypes {
            btf: Arc::new(btf),
            key: info.btf_key_type,
            value: info.btf_value_type,
        }))
    }

    /// Whether the kernel can read and write the value of a single CPU; `ask` is called the first time.
    pub(super) fn has_one_cpu(&self, ask: impl FnOnce() -> bool) -> bool {
        *self.inner.one_cpu.get_or_init(ask)
    }

    /// Pins the map at `path` in a BPF file system, where it outlives this process. The parent folder is created if it is
    /// missing.
    #[doc(alias = "bpf_map__pin")]
    pub fn pin(&self, path: impl AsRef<Path>) -> Result<()> {
        pin::pin(self.as_fd(), pin::Place::At(path.as_ref())).map_err(|e| self.blame(e))
    }

    /// Removes the pin at `path`; the map lives on as long as anything else holds it.
    #[doc(alias = "bpf_map__unpin")]
    pub fn unpin(&self, path: impl AsRef<Path>) -> Result<()> {
        pin::unpin(path.as_ref()).map_err(|e| self.blame(e))
    }

    /// The name: from the object file if the map came from there, else the kernel's.
    #[doc(alias = "bpf_map__name")]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The map type.
    #[doc(alias = "bpf_map__type")]
    pub fn kind(&self) -> MapType {
        self.inner.fd.shape().kind
    }

    /// Key size in bytes.
    #[doc(alias = "bpf_map__key_size")]
    pub fn key_size(&self) -> usize {
        self.inner.fd.key_len()
    }

    /// Value size in bytes; in per-CPU maps, of one CPU's value.
    #[doc(alias = "bpf_map__value_size")]
    pub fn value_size(&self) -> usize {
        self.inner.fd.shape().value_size as usize
    }

    /// Maximum number of elements; bytes for a ring buffer, pages for an arena.
    #[doc(alias = "bpf_map__max_entries")]
    pub fn max_entries(&self) -> u32 {
        self.inner.fd.shape().max_entries
    }

    /// The flags it was created with.
    #[doc(alias = "bpf_map__map_flags")]
    pub fn flags(&self) -> MapFlags {
        self.inner.fd.shape().flags
    }

    /// Everything that the kernel reports about the map.
    #[doc(alias = "bpf_map_get_info_by_fd")]
    pub fn info(&self) -> Result<MapInfo> {
        bpf::map_info(self.as_fd()).map_err(|errno| self.fail(errno, "cannot ask about the map"))
    }

    /// What changes while the map lives: its memory, whether it is frozen, which programs it takes. From
    /// `/proc/thread-self/fdinfo`.
    pub fn state(&self) -> Result<MapState> {
        bpf::map_state(self.as_fd())
            .map_err(|errno| self.fail(errno, "cannot read the state of the map"))
    }

    /// The map's id, unique while it exists.
    pub fn id(&self) -> Result<u32> {
        self.info().map(|info| info.id)
    }

    /// Makes the map permanently read-only for user space. Since Linux 5.2.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Kernel`] with `EBUSY` while a writable mapping of the map exists.
    #[doc(alias = "bpf_map_freeze")]
    pub fn freeze(&self) -> Result<()> {
        self.raw()
            .freeze()
            .map_err(|errno| self.fail(errno, "cannot freeze the map"))
    }

    /// The elements of an array with [`MapFlags::MMAPABLE`], as memory. Since Linux 5.5.
    pub fn memory(&self, access: Access) -> Result<MapMemory> {
        MapMemory::map(self.raw(), access).map_err(|errno| {
            let error = self.fail(errno, "cannot map the map's elements into memory");
            if errno == Errno::EINVAL {
                error
                    .with_kind(ErrorKind::InvalidArgument)
                    .with_hint("only arrays that were created with BPF_F_MMAPABLE can be mapped")
            } else {
                error
            }
        })
    }

    /// SHA-256 of the values of a [frozen](Map::freeze) array, by which signed loaders trust it. Since Linux 6.18.
    #[doc(alias = "hash_size")]
    pub fn sha256(&self) -> Result<[u8; 32]> {
        bpf::map_hash(self.as_fd()).map_err(|errno| {
            let error = self.fail(errno, "cannot read the hash of its contents");
            error.with_hint("only frozen arrays have one, since Linux 6.18")
        })
    }

    /// The memory of an arena, mapped at this address in this process; 0 leaves the choice to the kernel. Since Linux 6.9.
    ///
    /// # Errors
    /// `InvalidArgument` if the map is not an arena.
    pub fn arena_memory(&self, address: u64) -> Result<ArenaMemory> {
        if self.kind() != MapType::ARENA {
            let message = format!("a map of type {} is not an arena", self.kind());
            return Err(self.blame(Error::new(ErrorKind::InvalidArgument, message)));
        }
        ArenaMemory::map(self.raw(), address)
            .map_err(|errno| self.fail(errno, "cannot map the arena into memory"))
    }

    /// The same map through another open file, which the kernel only gives to processes with `CAP_SYS_ADMIN`.
    pub(crate) fn reopened(&self) -> Option<Map> {
        // The id stays valid, as this handle keeps the map alive.
        let fd = bpf::fd_by_id(ObjectKind::Map, self.id().ok()?).ok()?;
        let (fd, _) = MapFd::from_fd(fd).ok()?;
        Some(Map::new(fd, self.name()))
    }

    /// Descriptor and sizes.
    pub(crate) fn raw(&self) -> &MapFd {
        &self.inner.fd
    }

    /// An error about this map.
    pub(crate) fn fail(&self, errno: Errno, doing: &str) -> Error {
        self.blame(Error::from_errno(errno, doing))
    }

    /// An error about a slice of the wrong length.
    pub(super) fn wrong_length(&self, what: &str, given: usize, wanted: usize) -> Error {
        self.blame(Error::new(
            ErrorKind::InvalidArgument,
            format!("the {what} has {given} bytes, but the map's {what}s have {wanted}"),
        ))
    }

    /// Names the map as the subject of an error.
    pub(crate) fn blame(&self, error: Error) -> Error {
        error.context(format!("map `{}`", self.name()))
    }
}
