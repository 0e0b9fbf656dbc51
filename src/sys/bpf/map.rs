#![allow(unsafe_code)]
//! Maps: creating them and accessing their elements.
//!
//! Through `key` and `value` the kernel reads and writes as many bytes as the map's sizes say, whatever buffer it was given.
//! [`MapFd`] therefore carries the map's sizes, as the kernel confirmed them, and every function here checks the slices
//! against them first.

use super::call::{
    Command, address, address_mut, bpf, bpf_done, bpf_fd, bpf_with_log, length, object_name, raw,
    raw_or_zero,
};
use super::ensure::{ensure_map_or_btf, program_or_link};
use super::fdinfo::map_info_from_fdinfo;
use super::map_info::{MapInfo, map_info};
use super::map_width;
use super::object::{ObjectKind, object_info};
use super::program::Log;
use crate::sys::attr::{MapCreateAttr, MapElemAttr, RawMapInfo};
use crate::sys::fd;
use crate::{Errno, MapFlags, MapType, TypeId};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

/// Which of a per-CPU map's values a call accesses. Since Linux 7.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cpus {
    /// The value of one CPU.
    #[doc(alias = "BPF_F_CPU")]
    One(u32),
    /// The values of all CPUs, which are set to the same.
    #[doc(alias = "BPF_F_ALL_CPUS")]
    All,
}

impl Cpus {
    /// As element flags, whose upper half holds the CPU's number.
    fn flags(self) -> u64 {
        match self {
            Self::One(cpu) => u64::from(cpu) << 32 | 1 << 3,
            Self::All => 1 << 4,
        }
    }
}

/// What to create a map with (`BPF_MAP_CREATE`); fields left at their default are not sent.
#[derive(Debug, Clone, Copy, Default)]
#[doc(alias = "bpf_map_create_opts")]
pub struct MapCreate<'a> {
    /// Map type.
    pub kind: MapType,
    /// Key size in bytes.
    pub key_size: u32,
    /// Value size in bytes (for one CPU).
    pub value_size: u32,
    /// Maximum number of elements; bytes for a ring buffer, pages for an arena.
    pub max_entries: u32,
    /// Flags; those that go with the descriptors below are set automatically.
    pub flags: MapFlags,
    /// A map like those that will be stored in this map of maps.
    pub inner_map: Option<BorrowedFd<'a>>,
    /// NUMA node, if `flags` say so.
    pub numa_node: u32,
    /// Name; the kernel keeps 15 bytes. Since Linux 4.15.
    pub name: &'a str,
    /// Network interface to offload to.
    pub ifindex: u32,
    /// BTF that holds the next two types.
    pub btf: Option<BorrowedFd<'a>>,
    /// Type of the key.
    pub btf_key_type: TypeId,
    /// Type of the value.
    pub btf_value_type: TypeId,
    /// For struct_ops: the value's type in the kernel's BTF.
    pub btf_vmlinux_value_type: TypeId,
    /// Meaning depends on the map type: hash functions of a bloom filter, address of an arena.
    pub map_extra: u64,
    /// BTF of the module that defines `btf_vmlinux_value_type`. Since Linux 6.9.
    pub value_type_btf: Option<BorrowedFd<'a>>,
    /// BPF token. Since Linux 6.9.
    pub token: Option<BorrowedFd<'a>>,
    /// SHA-256 of the only program that may use the map. Since Linux 6.18.
    pub exclusive_program: Option<&'a [u8; 32]>,
}

impl MapCreate<'_> {
    /// The flags, including the one for a module's types.
    fn all_flags(&self) -> MapFlags {
        let mut flags = self.flags;
        flags.set(MapFlags::VTYPE_BTF_OBJ_FD, self.value_type_btf.is_some());
        flags
    }

    fn attr(&self) -> MapCreateAttr {
        let mut flags = self.all_flags();
        flags.set(MapFlags::TOKEN_FD, self.token.is_some());
        let hash: &[u8] = self.exclusive_program.map_or(&[], |hash| hash);
        MapCreateAttr {
            map_type: self.kind.0,
            key_size: self.key_size,
            value_size: self.value_size,
            max_entries: self.max_entries,
            map_flags: flags.bits(),
            inner_map_fd: raw_or_zero(self.inner_map),
            numa_node: self.numa_node,
            map_name: object_name(self.name),
            map_ifindex: self.ifindex,
            btf_fd: raw_or_zero(self.btf),
            btf_key_type_id: self.btf_key_type.0,
            btf_value_type_id: self.btf_value_type.0,
            btf_vmlinux_value_type_id: self.btf_vmlinux_value_type.0,
            map_extra: self.map_extra,
            value_type_btf_obj_fd: raw_or_zero(self.value_type_btf).cast_signed(),
            map_token_fd: raw_or_zero(self.token).cast_signed(),
            excl_prog_hash: address(hash),
            excl_prog_hash_size: if hash.is_empty() { 0 } else { 32 },
            pad: 0,
        }
    }

    /// The map that the kernel made from this.
    fn made(&self, fd: OwnedFd) -> MapFd {
        MapFd {
            fd,
            shape: MapShape {
                kind: self.kind,
                key_size: self.key_size,
                value_size: self.value_size,
                max_entries: self.max_entries,
                // The token's flag concerns the call, not the map.
                flags: self.all_flags().difference(MapFlags::TOKEN_FD),
            },
            of_all_cpus: OnceLock::new(),
        }
    }
}

/// Creates a map.
#[doc(alias = "bpf_map_create")]
pub fn map_create(create: &MapCreate<'_>) -> Result<MapFd, Errno> {
    let mut attr = create.attr();
    // SAFETY: the only pointer is that of the hash: null, or 32 bytes that `create` borrows; the command makes a descriptor.
    let fd = unsafe { bpf_fd(Command::MapCreate, &mut attr) }?;
    Ok(create.made(fd))
}

/// Creates a map. If the kernel refuses, `log` receives the reason. Since Linux 7.2; older kernels answer `EINVAL`.
#[doc(alias = "bpf_map_create")]
pub fn map_create_with_log(create: &MapCreate<'_>, log: &mut Log<'_>) -> Result<MapFd, Errno> {
    let mut attr = create.attr();
    // SAFETY: the only pointer is that of the hash: null, or 32 bytes that `create` borrows.
    let raw = unsafe { bpf_with_log(Command::MapCreate, &mut attr, log) }?;
    // SAFETY: this command returns a new descriptor.
    let fd = unsafe { fd::adopt(raw) }?;
    Ok(create.made(fd))
}

/// A map's type, sizes and flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapShape {
    /// Map type.
    pub kind: MapType,
    /// Key size in bytes.
    pub key_size: u32,
    /// Value size in bytes (for one CPU).
    pub value_size: u32,
    /// Maximum number of elements.
    pub max_entries: u32,
    /// The flags it was created with.
    pub flags: MapFlags,
}

/// A descriptor that is not a map, or cannot be queried. Returned by [`MapFd::from_fd`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMap {
    /// The kernel's answer; `EINVAL` if the descriptor is known to be something else.
    pub errno: Errno,
    /// What it is instead, if known.
    pub kind: Option<ObjectKind>,
}

impl NoMap {
    fn of_kind(kind: ObjectKind) -> Self {
        Self {
            errno: Errno::EINVAL,
            kind: Some(kind),
        }
    }
}

/// A map's descriptor together with the map's sizes. Returned by [`map_create`] and [`MapFd::from_fd`].
///
/// The sizes cannot be forged: they are the ones that the kernel accepted or reported, and a map never changes them.
#[derive(Debug)]
pub struct MapFd {
    fd: OwnedFd,
    shape: MapShape,
    /// Size of the values of all CPUs, once the kernel has been asked.
    of_all_cpus: OnceLock<usize>,
}

impl AsFd for MapFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl MapFd {
    /// Asks the kernel for the type and sizes of a map that came from elsewhere: a pin, an id, another process.
    pub fn from_fd(fd: OwnedFd) -> Result<(Self, MapInfo), NoMap> {
        // The information of a program or link would be taken for a map's.
        if let Some(kind) = program_or_link(fd.as_fd()) {
            return Err(NoMap::of_kind(kind));
        }
        let info = match map_info(fd.as_fd()) {
            // No such command: older than Linux 4.13, or filtered out.
            Err(Errno::EINVAL) => map_info_from_fdinfo(fd.as_fd()),
            answer => answer,
        };
        let info = info.map_err(|errno| NoMap { errno, kind: None })?;
        // Only BTF has no type.
        if info.kind == MapType::default() {
            return Err(NoMap::of_kind(ObjectKind::Btf));
        }
        let shape = MapShape {
            kind: info.kind,
            key_size: info.key_size,
            value_size: info.value_size,
            max_entries: info.max_entries,
            flags: info.flags,
        };
        let map = Self {
            fd,
            shape,
            of_all_cpus: OnceLock::new(),
        };
        Ok((map, info))
    }

    /// The descriptor alone.
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }

    /// Type and sizes.
    pub fn shape(&self) -> &MapShape {
        &self.shape
    }

    /// Key size in bytes.
    pub fn key_len(&self) -> usize {
        // `usize` holds any u32: BPF only exists on machines of 32 bits and more.
        self.shape.key_size as usize
    }

    /// How many bytes user space reads and writes for a value: per-CPU maps have one value for each possible CPU, each
    /// padded to 8 bytes. The kernel is asked for the total once per map.
    ///
    /// # Errors
    ///
    /// `EPERM` if the kernel cannot be asked: if a per-CPU map has no readable element, cannot be written, and this process
    /// may not create another map.
    pub fn value_len(&self) -> Result<usize, Errno> {
        if !self.shape.kind.is_per_cpu() {
            return Ok(self.shape.value_size as usize);
        }
        if let Some(len) = self.of_all_cpus.get() {
            return Ok(*len);
        }
        let len = map_width::of_all_cpus(self)?;
        Ok(*self.of_all_cpus.get_or_init(|| len))
    }

    fn check_key(&self, key: &[u8]) -> Result<(), Errno> {
        if key.len() == self.key_len() {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }

    fn check_value(&self, value: &[u8]) -> Result<(), Errno> {
        if value.len() == self.value_len()? {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }

    pub(super) fn elem(&self, flags: u64) -> MapElemAttr {
        MapElemAttr {
            map_fd: raw(self.fd.as_fd()),
            flags,
            ..MapElemAttr::default()
        }
    }

    /// Copies the value at `key` to `value`, which must have [`MapFd::value_len`] bytes.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none, `EINVAL` if a slice has the wrong length.
    #[doc(alias = "bpf_map_lookup_elem")]
    pub fn lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
        self.read(Command::MapLookupElem, key, value, flags)
    }

    /// Copies the value at `key` and removes the element. For hashes since Linux 5.14; for queues and stacks since 4.20.
    #[doc(alias = "bpf_map_lookup_and_delete_elem")]
    pub fn lookup_and_delete(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
        self.read(Command::MapLookupAndDeleteElem, key, value, flags)
    }

    fn read(&self, cmd: Command, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
        self.check_key(key)?;
        self.check_value(value)?;
        let mut attr = self.elem(flags);
        // A bloom filter has values but no keys: the kernel reads the value.
        attr.key = address(key);
        attr.value = address_mut(value);
        // SAFETY: both slices were just checked against the map's sizes, and live through the call.
        unsafe { bpf(cmd, &mut attr) }.map(drop)
    }

    /// Copies one CPU's value at `key` to `value`, which must have the size of one value. Since Linux 7.0; older kernels
    /// refuse the flag.
    pub fn lookup_one_cpu(&self, key: &[u8], value: &mut [u8], cpu: u32) -> Result<(), Errno> {
        self.check_key(key)?;
        self.check_one_value(value)?;
        let mut attr = self.elem(Cpus::One(cpu).flags());
        attr.key = address(key);
        attr.value = address_mut(value);
        // SAFETY: the slices were just checked: they have the sizes of a key and of one value. Both live through the call. A
        // kernel that knows the flag copies one value; others refuse unknown flags before they write.
        unsafe { bpf(Command::MapLookupElem, &mut attr) }.map(drop)
    }

    /// Writes one value at `key` for the CPUs that `cpus` selects. Since Linux 7.0; older kernels refuse the flags.
    pub fn update_cpus(
        &self,
        key: &[u8],
        value: &[u8],
        cpus: Cpus,
        flags: u64,
    ) -> Result<(), Errno> {
        self.check_key(key)?;
        self.check_one_value(value)?;
        // A kernel that does not know the flag reads the values of all CPUs before refusing it.
        let mut all = vec![0; self.value_len()?.max(value.len())];
        all.get_mut(..value.len())
            .ok_or(Errno::EINVAL)?
            .copy_from_slice(value);
        let mut attr = self.elem(flags | cpus.flags());
        attr.key = address(key);
        attr.value = address(&all);
        // SAFETY: the key was just checked to have its size, the value has at least as many bytes as the kernel may read,
        // and both live through the call, which only reads.
        unsafe { bpf(Command::MapUpdateElem, &mut attr) }.map(drop)
    }

    fn check_one_value(&self, value: &[u8]) -> Result<(), Errno> {
        let is_one = value.len() == self.shape.value_size as usize;
        if is_one && self.shape.kind.is_per_cpu() {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// Writes `value`, which must have [`MapFd::value_len`] bytes, at `key`.
    #[doc(alias = "bpf_map_update_elem")]
    pub fn update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.check_key(key)?;
        self.check_value(value)?;
        let mut attr = self.elem(flags);
        attr.key = address(key);
        attr.value = address(value);
        // SAFETY: both slices were just checked against the map's sizes, and live through the call, which only reads.
        unsafe { bpf(Command::MapUpdateElem, &mut attr) }.map(drop)
    }

    /// Removes the element at `key`.
    #[doc(alias = "bpf_map_delete_elem")]
    pub fn delete(&self, key: &[u8], flags: u64) -> Result<(), Errno> {
        self.check_key(key)?;
        let mut attr = self.elem(flags);
        attr.key = address(key);
        // SAFETY: the slice was just checked to have the key's size, and lives through the call, which only reads.
        unsafe { bpf(Command::MapDeleteElem, &mut attr) }.map(drop)
    }

    /// Copies the key that follows `key` (or the first one) to `next`.
    ///
    /// # Errors
    ///
    /// `ENOENT` after the last one.
    #[doc(alias = "bpf_map_get_next_key")]
    pub fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> Result<(), Errno> {
        if let Some(key) = key {
            self.check_key(key)?;
        }
        self.check_key(next)?;
        let mut attr = self.elem(0);
        attr.key = key.map_or(0, address);
        attr.value = address_mut(next);
        // SAFETY: both slices were just checked to have the key's size (or there is no key), and live through the call.
        unsafe { bpf(Command::MapGetNextKey, &mut attr) }.map(drop)
    }

    /// Makes the map permanently read-only for user space. Since Linux 5.2.
    #[doc(alias = "bpf_map_freeze")]
    pub fn freeze(&self) -> Result<(), Errno> {
        // SAFETY: freezing needs only a descriptor; the pointer fields are zero.
        unsafe { bpf_done(Command::MapFreeze, &mut self.elem(0)) }
    }
}

/// SHA-256 of a frozen array's values. Since Linux 6.18.
pub fn map_hash(map: BorrowedFd<'_>) -> Result<[u8; 32], Errno> {
    ensure_map_or_btf(map)?;
    let mut hash = [0u8; 32];
    let mut info = RawMapInfo {
        hash: address_mut(&mut hash),
        hash_size: length(&hash)?,
        ..RawMapInfo::default()
    };
    // SAFETY: it is a map, or BTF, whose information ends before the only pointer: that of `hash`, with its true size next
    // to it.
    unsafe { object_info(map, &mut info) }?;
    Ok(hash)
}
