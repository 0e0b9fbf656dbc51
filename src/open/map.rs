//! Inspecting a map, and changing it before it is created.

use super::{MapOrigin, OpenMap, OpenObject};
use crate::btf::{Array, Btf, BtfBuilder, Kind};
use crate::kinds::Pinning;
use crate::kinds::{MapFlags, MapType};
use crate::{Error, ErrorKind, Result, TypeId, did_you_mean};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest size that the contents of a data map may be grown to.
const LARGEST_VALUE: u32 = 1 << 29;

impl OpenObject {
    /// The map with this name. Data maps are found by their section (`.rodata`) and by their name in the kernel
    /// (`opensnoo.rodata`).
    ///
    /// # Errors
    /// There is none; the message lists similar names.
    #[doc(alias = "bpf_object__find_map_by_name")]
    pub fn map(&self, name: &str) -> Result<&OpenMap> {
        let index = self.map_index(name)?;
        self.maps.get(index).ok_or_else(|| self.no_map(name))
    }

    /// The map with this name, for editing.
    ///
    /// # Errors
    /// There is none; the message lists similar names.
    pub fn map_mut(&mut self, name: &str) -> Result<OpenMapMut<'_>> {
        let index = self.map_index(name)?;
        Ok(OpenMapMut {
            object: self,
            index,
        })
    }

    /// The map with this index, for editing.
    pub(crate) fn map_mut_at(&mut self, index: usize) -> Option<OpenMapMut<'_>> {
        self.maps.get(index)?;
        Some(OpenMapMut {
            object: self,
            index,
        })
    }

    fn map_index(&self, name: &str) -> Result<usize> {
        let by_name = self.maps.iter().position(|map| map.name == name);
        let by_kernel_name = || self.maps.iter().position(|map| map.kernel_name == name);
        by_name
            .or_else(by_kernel_name)
            .ok_or_else(|| self.no_map(name))
    }

    #[cold]
    fn no_map(&self, name: &str) -> Error {
        let names = self.maps.iter().map(|map| map.name.as_str());
        let message = format!("there is no map `{name}`{}", did_you_mean(name, names));
        Error::new(ErrorKind::NotFound, message).context(format!("object {}", self.name))
    }

    /// The length of the contents that contain this map's variables.
    pub(super) fn image_len(&self, map: usize) -> usize {
        if Some(map) == self.arena_map {
            return self.arena_data.len();
        }
        self.maps.get(map).map_or(0, |map| map.image.len())
    }

    /// A range of the contents that contain this map's variables.
    pub(super) fn part_of_image(&self, map: usize, start: usize, size: usize) -> Option<&[u8]> {
        if Some(map) == self.arena_map {
            return self.arena_data.get(start..)?.get(..size);
        }
        self.maps.get(map)?.image.part(start, size)
    }

    /// The first bytes, at most this many, of the contents that contain this map's variables.
    pub(crate) fn image_start(&self, map: usize, size: usize) -> Option<&[u8]> {
        self.part_of_image(map, 0, size.min(self.image_len(map)))
    }

    /// Overwrites the first of those bytes, as many as there are.
    pub(crate) fn fill_image(&mut self, map: usize, bytes: &[u8]) {
        // Zeroes that stay zeroes take no memory.
        if self.part_of_image(map, 0, bytes.len()) != Some(bytes) {
            for (place, byte) in self.image_mut(map).iter_mut().zip(bytes) {
                *place = *byte;
            }
        }
    }

    pub(super) fn image_mut(&mut self, map: usize) -> &mut [u8] {
        if Some(map) == self.arena_map {
            return &mut self.arena_data;
        }
        self.maps
            .get_mut(map)
            .map(|map| map.image.bytes_mut())
            .unwrap_or_default()
    }

    /// The initial contents: global variables, or the bytes of a `struct_ops` variable; empty for other maps.
    #[doc(alias = "bpf_map__initial_value")]
    pub fn initial_value<'o>(&'o self, map: &'o OpenMap) -> &'o [u8] {
        if map.kind == MapType::ARENA {
            &self.arena_data
        } else {
            map.image.bytes()
        }
    }
}

impl OpenMap {
    /// Its name: the variable's, or the section's for global data (`.rodata`).
    #[doc(alias = "bpf_map__name")]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name passed to the kernel, which keeps 15 characters of it.
    pub fn kernel_name(&self) -> &str {
        &self.kernel_name
    }

    /// Where its definition comes from.
    #[doc(alias = "bpf_map__is_internal")]
    pub fn origin(&self) -> MapOrigin {
        self.origin
    }

    /// Its type.
    #[doc(alias = "bpf_map__type")]
    pub fn kind(&self) -> MapType {
        self.kind
    }

    /// Size of a key, in bytes.
    #[doc(alias = "bpf_map__key_size")]
    pub fn key_size(&self) -> u32 {
        self.key_size
    }

    /// Size of a value, in bytes.
    #[doc(alias = "bpf_map__value_size")]
    pub fn value_size(&self) -> u32 {
        self.value_size
    }

    /// The maximum number of entries. The sizes of ring buffers are rounded up to valid ones when the map is created.
    #[doc(alias = "bpf_map__max_entries")]
    pub fn max_entries(&self) -> u32 {
        self.max_entries
    }

    /// Its creation flags.
    #[doc(alias = "bpf_map__map_flags")]
    pub fn flags(&self) -> MapFlags {
        MapFlags::from_bits_retain(self.flags)
    }

    /// The extra parameter of its type (`map_extra`).
    #[doc(alias = "bpf_map__map_extra")]
    pub fn extra(&self) -> u64 {
        self.extra
    }

    /// The NUMA node that its memory comes from; used with [`MapFlags::NUMA_NODE`].
    #[doc(alias = "bpf_map__numa_node")]
    pub fn numa_node(&self) -> u32 {
        self.numa_node
    }

    /// The network interface that it is offloaded to; 0 for none.
    #[doc(alias = "bpf_map__ifindex")]
    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// The key's type; `void` if the object has no type for it.
    #[doc(alias = "bpf_map__btf_key_type_id")]
    pub fn key_type(&self) -> TypeId {
        self.key_type
    }

    /// The value's type; `void` if the object has no type for it.
    #[doc(alias = "bpf_map__btf_value_type_id")]
    pub fn value_type(&self) -> TypeId {
        self.value_type
    }

    /// Whether it is pinned by its name.
    pub fn pinning(&self) -> Pinning {
        self.pinning
    }

    /// The path where it will be pinned, if one was set.
    #[doc(alias = "bpf_map__pin_path")]
    pub fn pin_path(&self) -> Option<&Path> {
        self.pin_path.as_deref()
    }

    /// The template of its inner maps.
    #[doc(alias = "bpf_map__inner_map")]
    pub fn inner(&self) -> Option<&OpenMap> {
        self.inner.as_deref()
    }

    /// The entries that the object fills.
    pub fn slots(&self) -> &[super::MapSlot] {
        &self.slots
    }

    /// Which program each function pointer of a `struct_ops` variable points to.
    pub fn members(&self) -> &[super::StructOpsMember] {
        &self.members
    }

    /// Whether an existing map is used instead.
    pub fn is_reused(&self) -> bool {
        self.reused.is_some()
    }

    /// Whether it is created when the object is loaded.
    #[doc(alias = "bpf_map__autocreate")]
    pub fn autocreate(&self) -> bool {
        self.autocreate
    }

    /// Whether a `struct_ops` map is attached together with all programs.
    #[doc(alias = "bpf_map__autoattach")]
    pub fn autoattach(&self) -> bool {
        self.autoattach
    }
}

/// A map of an opened object, for editing. Returned by [`OpenObject::map_mut`].
#[derive(Debug)]
pub struct OpenMapMut<'o> {
    object: &'o mut OpenObject,
    index: usize,
}

impl Deref for OpenMapMut<'_> {
    type Target = OpenMap;

    fn deref(&self) -> &OpenMap {
        static NONE: std::sync::LazyLock<OpenMap> = std::sync::LazyLock::new(OpenMap::default);
        self.object.maps.get(self.index).unwrap_or(&NONE)
    }
}

impl OpenMapMut<'_> {
    pub(super) fn object(&self) -> &OpenObject {
        self.object
    }

    pub(super) fn object_mut(&mut self) -> &mut OpenObject {
        self.object
    }

    /// Its index among the object's maps.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut OpenMap)) -> &mut Self {
        if let Some(map) = self.object.maps.get_mut(self.index) {
            change(map);
        }
        self
    }

    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message)
            .context(format!("map `{}`", self.name))
            .context(format!("object {}", self.object.name))
    }

    /// Sets its type.
    #[doc(alias = "bpf_map__set_type")]
    pub fn set_kind(&mut self, kind: MapType) -> &mut Self {
        self.change(|map| map.kind = kind)
    }

    /// Sets the maximum number of entries.
    #[doc(alias = "bpf_map__set_max_entries")]
    pub fn set_max_entries(&mut self, entries: u32) -> &mut Self {
        self.change(|map| map.max_entries = entries)
    }

    /// Sets the size of a key.
    #[doc(alias = "bpf_map__set_key_size")]
    pub fn set_key_size(&mut self, size: u32) -> &mut Self {
        self.change(|map| map.key_size = size)
    }

    /// Sets its creation flags.
    #[doc(alias = "bpf_map__set_map_flags")]
    pub fn set_flags(&mut self, flags: MapFlags) -> &mut Self {
        self.change(|map| map.flags = flags.bits())
    }

    /// Sets the extra parameter of its type (`map_extra`).
    #[doc(alias = "bpf_map__set_map_extra")]
    pub fn set_extra(&mut self, extra: u64) -> &mut Self {
        self.change(|map| map.extra = extra)
    }

    /// Sets the NUMA node that its memory comes from; used with [`MapFlags::NUMA_NODE`].
    #[doc(alias = "bpf_map__set_numa_node")]
    pub fn set_numa_node(&mut self, node: u32) -> &mut Self {
        self.change(|map| map.numa_node = node)
    }

    /// Offloads it to a network interface.
    #[doc(alias = "bpf_map__set_ifindex")]
    pub fn set_ifindex(&mut self, ifindex: u32) -> &mut Self {
        self.change(|map| map.ifindex = ifindex)
    }

    /// Sets whether it is created when the object is loaded. Programs that use a map that is not created cannot be loaded.
    #[doc(alias = "bpf_map__set_autocreate")]
    pub fn set_autocreate(&mut self, autocreate: bool) -> &mut Self {
        self.change(|map| map.autocreate = autocreate)
    }

    /// Sets whether a `struct_ops` map is attached together with all programs.
    #[doc(alias = "bpf_map__set_autoattach")]
    pub fn set_autoattach(&mut self, autoattach: bool) -> &mut Self {
        self.change(|map| map.autoattach = autoattach)
    }

    /// Pins it at this path when it is created; `None` does not pin it, even if its definition says so.
    #[doc(alias = "bpf_map__set_pin_path")]
    pub fn set_pin_path(&mut self, path: Option<PathBuf>) -> &mut Self {
        self.change(|map| {
            if path.is_none() {
                map.pinning = Pinning::None;
            }
            map.pin_path = path;
        })
    }

    /// Lets only this program use it. Since Linux 6.18.
    ///
    /// # Errors
    /// There is no such program.
    #[doc(alias = "bpf_map__set_exclusive_program")]
    pub fn set_exclusive_program(&mut self, program: &str) -> Result<&mut Self> {
        let program = self.object.program_index(program)?;
        Ok(self.change(|map| map.exclusive_program = Some(program)))
    }

    /// Sets the program that a function pointer of a `struct_ops` map points to; `None` for none. A program that the file
    /// assigns to the member, and that no map refers to any more, is not loaded.
    ///
    /// # Errors
    /// It is not a `struct_ops` map, there is no such member or program, or the member is not a function pointer.
    pub fn set_member(&mut self, member: &str, program: Option<&str>) -> Result<&mut Self> {
        let wanted = program
            .map(|program| self.object.program_index(program))
            .transpose()?;
        let index = self.member_index(member)?;
        if let (Some(btf), Some(_)) = (&self.object.btf, wanted) {
            super::struct_ops::check_function_member(btf, self.value_type, index)
                .map_err(|e| self.error(e.kind(), e.message()))?;
        }
        Ok(self.change(|map| {
            let old = map.members.extract_if(.., |m| m.member == index);
            map.replaced.extend(old.map(|m| m.program));
            if let Some(program) = wanted {
                let member = super::StructOpsMember {
                    member: index,
                    program,
                };
                map.members.push(member);
            }
        }))
    }

    pub(super) fn member_index(&self, member: &str) -> Result<usize> {
        let btf = self.object.btf.as_ref();
        let ty = btf.and_then(|btf| btf.get(self.value_type).ok());
        let (MapOrigin::StructOps, Some(ty)) = (self.origin, ty) else {
            return Err(self.error(ErrorKind::InvalidArgument, "it is no struct_ops map"));
        };
        let position = ty.members().position(|m| m.name == member);
        position.ok_or_else(|| {
            let names = ty.members().map(|m| m.name);
            let near = did_you_mean(member, names);
            let message = format!("`struct {}` has no member `{member}`{near}", ty.name());
            self.error(ErrorKind::NotFound, message)
        })
    }

    /// Replaces all of its initial contents: global variables, or the bytes of a `struct_ops` variable.
    ///
    /// # Errors
    /// It has no contents that the caller can set, or its contents have a different size.
    #[doc(alias = "bpf_map__set_initial_value")]
    pub fn set_initial_value(&mut self, bytes: &[u8]) -> Result<&mut Self> {
        let is_kconfig = Some(self.index) == self.object.kconfig_map;
        let len = self.object.image_len(self.index);
        if is_kconfig || len == 0 {
            let message = "it holds nothing at first that could be set";
            return Err(self.error(ErrorKind::InvalidArgument, message));
        }
        if bytes.len() != len {
            let message = format!("its value takes {len} bytes, {} were given", bytes.len());
            return Err(self.error(ErrorKind::InvalidArgument, message));
        }
        self.object.image_mut(self.index).copy_from_slice(bytes);
        Ok(self)
    }

    /// Sets the size of a value. Global data grows or shrinks at its end: if its last variable is an array, it gets the new
    /// length, also in the BTF; otherwise the map is created without BTF.
    ///
    /// # Errors
    /// It is an arena with variables or a `struct_ops` map, or the size is too large.
    #[doc(alias = "bpf_map__set_value_size")]
    pub fn set_value_size(&mut self, size: u32) -> Result<&mut Self> {
        let arena = Some(self.index) == self.object.arena_map && !self.object.arena_data.is_empty();
        match self.origin {
            MapOrigin::Data(_) => {}
            MapOrigin::Definition if !arena => return Ok(self.change(|map| map.value_size = size)),
            _ => {
                let message = "the size of its value cannot be changed";
                return Err(self.error(ErrorKind::Unsupported, message));
            }
        }
        if size > LARGEST_VALUE {
            let message = format!("{size} bytes of global data are more than {LARGEST_VALUE}");
            return Err(self.error(ErrorKind::InvalidArgument, message));
        }
        let array = self.resize_types(size)?;
        let len = usize::try_from(size).unwrap_or_default();
        self.change(|map| {
            map.value_size = size;
            map.image.resize(len);
            if array.is_none() {
                map.value_type = TypeId::VOID;
                map.key_type = TypeId::VOID;
            }
        });
        self.resize_variables(size, array);
        Ok(self)
    }

    /// Changes the length of a data section's last variable in the BTF. Returns its new type, if it is an array that can absorb
    /// the difference.
    #[doc(alias = "map_btf_datasec_resize")]
    fn resize_types(&mut self, size: u32) -> Result<Option<TypeId>> {
        let Some(btf) = &self.object.btf else {
            return Ok(None);
        };
        let section = btf.get(self.value_type)?;
        let last = section.variables().enumerate().last();
        let (Kind::Datasec, Some((number, mut place))) = (section.kind(), last) else {
            return Ok(None);
        };
        let array = array_of(btf, place.type_id)?;
        let (Some(array), Some(len)) = (array, size.checked_sub(place.offset)) else {
            return Ok(None);
        };
        let element = btf.size_of(array.element)?;
        if element == 0 || !len.is_multiple_of(element) {
            return Ok(None);
        }
        let mut types = BtfBuilder::copy_of(btf);
        let resized = types.add_array(array.element, array.index, len / element);
        types.set_size(section.id(), size);
        types.set_target(place.type_id, resized);
        place.size = len;
        types.set_secinfo(section.id(), number, place);
        self.object.btf = Some(Arc::new(types.build()?));
        Ok(Some(resized))
    }

    /// Adapts the variables of a data map to its new size; `array` is the new type of the last one, if it was resized.
    fn resize_variables(&mut self, size: u32, array: Option<TypeId>) {
        let index = self.index;
        let of_map = |v: &super::Variable| v.map == index;
        let variables = Arc::make_mut(&mut self.object.variables);
        variables.retain(|v| !of_map(v) || v.offset < size);
        let Some(last) = variables.iter_mut().rfind(|v| of_map(v)) else {
            return;
        };
        let room = size.saturating_sub(last.offset);
        match array {
            Some(array) => (last.size, last.type_id) = (room, array),
            None if last.size > room => (last.size, last.type_id) = (room, TypeId::VOID),
            None => {}
        }
    }
}

/// A variable's array type, if it has one.
fn array_of(btf: &Btf<'_>, variable: TypeId) -> Result<Option<Array>> {
    let declared = btf.get(TypeId(btf.get(variable)?.size_field()))?;
    Ok(declared.resolved()?.array())
}
