//! libbpf, behind safe types: only what a driver of single programs needs.
//!
//! `libbpf-rs` does more, and differently (it reads and checks more at open), so the plain C interface is measured.
//! All `unsafe` that calls libbpf is in this file.

use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

use libbpf_rs::libbpf_sys as sys;

/// What libbpf returned: a positive errno, or one of its own numbers from 4000 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 128];
        // SAFETY: the buffer is valid for its length, and libbpf ends the text with a zero byte.
        unsafe {
            sys::libbpf_strerror(
                self.0,
                text.as_mut_ptr().cast::<c_char>(),
                text.len() as u64,
            )
        };
        let text = CStr::from_bytes_until_nul(&text).unwrap_or(c"?");
        write!(f, "{} ({})", text.to_string_lossy(), self.0)
    }
}

impl std::error::Error for Errno {}

fn check(result: c_int) -> Result<(), Errno> {
    if result < 0 {
        Err(Errno(-result))
    } else {
        Ok(())
    }
}

fn c_path(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno(libc::EINVAL))
}

fn last_errno() -> Errno {
    Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// Takes libbpf's messages off standard error, or leaves them there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// Nothing is printed.
    Silent,
    /// Warnings and notes go to standard error.
    Shown,
}

/// Sets what libbpf prints in this process.
pub fn messages(choice: Messages) {
    if choice == Messages::Silent {
        // SAFETY: null takes the printer away.
        unsafe { sys::libbpf_set_print(None) };
    }
}

/// The version of the libbpf that is linked in, such as `v1.7`.
pub fn version() -> String {
    // SAFETY: libbpf returns a static string.
    let pointer = unsafe { sys::libbpf_version_string() };
    // SAFETY: libbpf returns null or a string that lives as long as what was asked.
    unsafe { text(pointer) }
}

/// Copies a C string; empty for null.
///
/// # Safety
///
/// `pointer` is null or points to a zero-terminated string.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller vouches for the terminator.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}

/// An open object; closed when dropped.
#[derive(Debug)]
pub struct Object(NonNull<sys::bpf_object>);

impl Object {
    /// `bpf_object__open_file`.
    pub fn open(path: &Path) -> Result<Object, Errno> {
        Self::open_with(path, std::ptr::null())
    }

    /// As [`Object::open`], but maps that are pinned by name are pinned below `folder` (on a BPF file system).
    pub fn open_pinning_below(path: &Path, folder: &Path) -> Result<Object, Errno> {
        let folder = c_path(folder)?;
        let options = sys::bpf_object_open_opts {
            sz: u64::try_from(size_of::<sys::bpf_object_open_opts>()).unwrap_or(0),
            pin_root_path: folder.as_ptr(),
            ..Default::default()
        };
        Self::open_with(path, &raw const options)
    }

    fn open_with(path: &Path, options: *const sys::bpf_object_open_opts) -> Result<Object, Errno> {
        let path = c_path(path)?;
        // SAFETY: `path` is a C string; the options are null or valid during the call, which copies them.
        let object = unsafe { sys::bpf_object__open_file(path.as_ptr(), options) };
        NonNull::new(object).map(Object).ok_or_else(last_errno)
    }

    /// `bpf_object__prepare`: relocated, and the maps are there.
    pub fn prepare(&mut self) -> Result<(), Errno> {
        // SAFETY: the object is alive as long as `self`.
        check(unsafe { sys::bpf_object__prepare(self.0.as_ptr()) })
    }

    /// `bpf_object__load`, which prepares first when that was not done.
    pub fn load(&mut self) -> Result<(), Errno> {
        // SAFETY: the object is alive as long as `self`.
        check(unsafe { sys::bpf_object__load(self.0.as_ptr()) })
    }

    /// All programs that can be loaded, in the object's order.
    pub fn programs(&self) -> Vec<Program<'_>> {
        let mut programs = Vec::new();
        let mut last = std::ptr::null_mut();
        loop {
            // SAFETY: `last` is null or a program of this object.
            last = unsafe { sys::bpf_object__next_program(self.0.as_ptr(), last) };
            let Some(program) = NonNull::new(last) else {
                return programs;
            };
            programs.push(Program(program, PhantomData));
        }
    }

    /// All maps, in the object's order.
    pub fn maps(&self) -> Vec<Map<'_>> {
        let mut maps = Vec::new();
        let mut last = std::ptr::null_mut();
        loop {
            // SAFETY: `last` is null or a map of this object.
            last = unsafe { sys::bpf_object__next_map(self.0.as_ptr(), last) };
            let Some(map) = NonNull::new(last) else {
                return maps;
            };
            maps.push(Map(map, PhantomData));
        }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: opened by us, closed once.
        unsafe { sys::bpf_object__close(self.0.as_ptr()) };
    }
}

/// Whether a program takes part in `load`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Autoload {
    /// It is loaded.
    On,
    /// It is left out.
    Off,
}

/// What the kernel says of a loaded program.
#[derive(Debug, Clone)]
pub struct ProgramInfo {
    /// The kernel's hash over the instructions, in hex.
    pub tag: String,
    /// Number of function records the kernel kept.
    pub func_infos: u32,
    /// Number of line records the kernel kept.
    pub line_infos: u32,
}

/// One program of an open object.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a>(NonNull<sys::bpf_program>, PhantomData<&'a Object>);

impl Program<'_> {
    /// Its name.
    pub fn name(&self) -> String {
        // SAFETY: the program lives as long as its object, which `self` borrows; so in all methods below.
        let pointer = unsafe { sys::bpf_program__name(self.0.as_ptr()) };
        // SAFETY: libbpf returns null or a string that lives as long as what was asked.
        unsafe { text(pointer) }
    }

    /// Its section.
    pub fn section(&self) -> String {
        // SAFETY: see `name`.
        let pointer = unsafe { sys::bpf_program__section_name(self.0.as_ptr()) };
        // SAFETY: libbpf returns null or a string that lives as long as what was asked.
        unsafe { text(pointer) }
    }

    /// Its program type.
    pub fn kind(&self) -> u32 {
        // SAFETY: see `name`.
        unsafe { sys::bpf_program__type(self.0.as_ptr()) }
    }

    /// Its expected attach type.
    pub fn attach_type(&self) -> u32 {
        // SAFETY: see `name`.
        unsafe { sys::bpf_program__expected_attach_type(self.0.as_ptr()) }
    }

    /// Its load flags.
    pub fn flags(&self) -> u32 {
        // SAFETY: see `name`.
        unsafe { sys::bpf_program__flags(self.0.as_ptr()) }
    }

    /// Whether `load` takes it.
    pub fn autoload(&self) -> Autoload {
        // SAFETY: see `name`.
        let on = unsafe { sys::bpf_program__autoload(self.0.as_ptr()) };
        if on { Autoload::On } else { Autoload::Off }
    }

    /// Says whether `load` takes it.
    pub fn set_autoload(&self, autoload: Autoload) -> Result<(), Errno> {
        let on = autoload == Autoload::On;
        // SAFETY: see `name`.
        check(unsafe { sys::bpf_program__set_autoload(self.0.as_ptr(), on) })
    }

    /// Its instructions as they are now; the final ones after `prepare`.
    pub fn insns(&self) -> Vec<[u8; 8]> {
        // SAFETY: see `name`.
        let count = unsafe { sys::bpf_program__insn_cnt(self.0.as_ptr()) };
        // SAFETY: see `name`.
        let first = unsafe { sys::bpf_program__insns(self.0.as_ptr()) }.cast::<[u8; 8]>();
        if first.is_null() {
            return Vec::new();
        }
        // SAFETY: libbpf keeps `count` instructions of eight bytes at `first`, and nothing changes them during this call.
        let insns =
            unsafe { std::slice::from_raw_parts(first, usize::try_from(count).unwrap_or(0)) };
        insns.to_vec()
    }

    /// Number of function records that go with it.
    pub fn func_infos(&self) -> u32 {
        // SAFETY: see `name`.
        unsafe { sys::bpf_program__func_info_cnt(self.0.as_ptr()) }
    }

    /// Number of line records that go with it.
    pub fn line_infos(&self) -> u32 {
        // SAFETY: see `name`.
        unsafe { sys::bpf_program__line_info_cnt(self.0.as_ptr()) }
    }

    /// Asks the kernel about the loaded program; nothing when it is not loaded.
    pub fn info(&self) -> Option<ProgramInfo> {
        // SAFETY: see `name`.
        let fd = unsafe { sys::bpf_program__fd(self.0.as_ptr()) };
        let mut info = sys::bpf_prog_info::default();
        let mut size = u32::try_from(size_of_val(&info)).ok()?;
        // SAFETY: `info` is a zeroed structure of `size` bytes, so no array is asked for.
        check(unsafe { sys::bpf_prog_get_info_by_fd(fd, &raw mut info, &raw mut size) }).ok()?;
        Some(ProgramInfo {
            tag: hex(&info.tag),
            func_infos: info.nr_func_info,
            line_infos: info.nr_line_info,
        })
    }
}

/// What a map is created with, or what the kernel says it was created with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MapAttributes {
    /// The map type's number.
    #[serde(rename = "type")]
    pub kind: u32,
    /// Size of a key in bytes.
    pub key_size: u32,
    /// Size of a value in bytes.
    pub value_size: u32,
    /// Capacity.
    pub max_entries: u32,
    /// Creation flags.
    pub flags: u32,
    /// `map_extra`.
    pub extra: u64,
}

/// What the kernel says of a map.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MapInfo {
    /// The name the kernel keeps.
    pub kernel_name: String,
    /// What it was made with.
    #[serde(flatten)]
    pub attributes: MapAttributes,
    /// BTF type of the key; 0 for none.
    pub btf_key_type_id: u32,
    /// BTF type of the value; 0 for none.
    pub btf_value_type_id: u32,
    /// BTF type of the value in the kernel's own BTF; 0 for none.
    pub btf_vmlinux_value_type_id: u32,
}

/// One map of an open object.
#[derive(Debug, Clone, Copy)]
pub struct Map<'a>(NonNull<sys::bpf_map>, PhantomData<&'a Object>);

impl Map<'_> {
    /// Its name.
    pub fn name(&self) -> String {
        // SAFETY: the map lives as long as its object, which `self` borrows; so in all methods below.
        let pointer = unsafe { sys::bpf_map__name(self.0.as_ptr()) };
        // SAFETY: libbpf returns null or a string that lives as long as what was asked.
        unsafe { text(pointer) }
    }

    /// Whether it is created by `prepare`.
    pub fn autocreate(&self) -> bool {
        // SAFETY: see `name`.
        unsafe { sys::bpf_map__autocreate(self.0.as_ptr()) }
    }

    /// The NUMA node it is placed on.
    pub fn numa_node(&self) -> u32 {
        // SAFETY: see `name`.
        unsafe { sys::bpf_map__numa_node(self.0.as_ptr()) }
    }

    /// Where it is pinned by name; empty for nowhere.
    pub fn pin_path(&self) -> String {
        // SAFETY: see `name`.
        let pointer = unsafe { sys::bpf_map__pin_path(self.0.as_ptr()) };
        // SAFETY: libbpf returns null or a string that lives as long as what was asked.
        unsafe { text(pointer) }
    }

    /// What libbpf asks the kernel for.
    pub fn attributes(&self) -> MapAttributes {
        let map = self.0.as_ptr();
        MapAttributes {
            // SAFETY: see `name`.
            kind: unsafe { sys::bpf_map__type(map) },
            // SAFETY: see `name`.
            key_size: unsafe { sys::bpf_map__key_size(map) },
            // SAFETY: see `name`.
            value_size: unsafe { sys::bpf_map__value_size(map) },
            // SAFETY: see `name`.
            max_entries: unsafe { sys::bpf_map__max_entries(map) },
            // SAFETY: see `name`.
            flags: unsafe { sys::bpf_map__map_flags(map) },
            // SAFETY: see `name`.
            extra: unsafe { sys::bpf_map__map_extra(map) },
        }
    }

    /// Its initial contents, for maps of global data.
    pub fn initial_value(&self) -> Option<Vec<u8>> {
        let mut size = 0;
        // SAFETY: see `name`; `size` is a valid place for the length.
        let value = unsafe { sys::bpf_map__initial_value(self.0.as_ptr(), &raw mut size) };
        if value.is_null() {
            return None;
        }
        // SAFETY: libbpf says that `size` bytes are at `value`; no program runs that could change them.
        let value =
            unsafe { std::slice::from_raw_parts(value.cast::<u8>(), usize::try_from(size).ok()?) };
        Some(value.to_vec())
    }

    /// Asks the kernel about the map; nothing when it was not created.
    pub fn info(&self) -> Option<MapInfo> {
        // SAFETY: see `name`.
        let fd = unsafe { sys::bpf_map__fd(self.0.as_ptr()) };
        let mut info = sys::bpf_map_info::default();
        let mut size = u32::try_from(size_of_val(&info)).ok()?;
        // SAFETY: `info` is a zeroed structure of `size` bytes.
        check(unsafe { sys::bpf_map_get_info_by_fd(fd, &raw mut info, &raw mut size) }).ok()?;
        Some(MapInfo {
            // SAFETY: the kernel ends the name with a zero byte within its 16.
            kernel_name: unsafe { text(info.name.as_ptr()) },
            attributes: MapAttributes {
                kind: info.type_,
                key_size: info.key_size,
                value_size: info.value_size,
                max_entries: info.max_entries,
                flags: info.map_flags,
                extra: info.map_extra,
            },
            btf_key_type_id: info.btf_key_type_id,
            btf_value_type_id: info.btf_value_type_id,
            btf_vmlinux_value_type_id: info.btf_vmlinux_value_type_id,
        })
    }
}

/// Type information; freed when dropped.
#[derive(Debug)]
pub struct Btf(NonNull<sys::btf>);

impl Btf {
    /// `btf__load_vmlinux_btf`: the running kernel's.
    pub fn vmlinux() -> Result<Btf, Errno> {
        // SAFETY: takes nothing.
        NonNull::new(unsafe { sys::btf__load_vmlinux_btf() })
            .map(Btf)
            .ok_or_else(last_errno)
    }

    /// `btf__parse_raw`: a file that is nothing but BTF.
    pub fn parse(path: &Path) -> Result<Btf, Errno> {
        let path = c_path(path)?;
        // SAFETY: `path` is a C string.
        NonNull::new(unsafe { sys::btf__parse_raw(path.as_ptr()) })
            .map(Btf)
            .ok_or_else(last_errno)
    }

    /// `btf__parse`: the `.BTF` of an ELF file, or a file that is nothing but BTF.
    pub fn parse_any(path: &Path) -> Result<Btf, Errno> {
        let path = c_path(path)?;
        // SAFETY: `path` is a C string; the second argument may be null.
        NonNull::new(unsafe { sys::btf__parse(path.as_ptr(), std::ptr::null_mut()) })
            .map(Btf)
            .ok_or_else(last_errno)
    }

    /// `btf__new_empty`.
    pub fn new_empty() -> Result<Btf, Errno> {
        // SAFETY: takes nothing.
        NonNull::new(unsafe { sys::btf__new_empty() })
            .map(Btf)
            .ok_or_else(last_errno)
    }

    /// `btf__add_btf`: adds all types of another one.
    pub fn add(&mut self, other: &Btf) -> Result<(), Errno> {
        // SAFETY: both are alive, and are not the same: one is borrowed mutably.
        check(unsafe { sys::btf__add_btf(self.0.as_ptr(), other.0.as_ptr()) })
    }

    /// `btf__dedup`.
    pub fn dedup(&mut self) -> Result<(), Errno> {
        // SAFETY: the BTF is alive as long as `self`; the options may be null.
        check(unsafe { sys::btf__dedup(self.0.as_ptr(), std::ptr::null()) })
    }

    /// `btf__type_cnt`.
    pub fn type_count(&self) -> u32 {
        // SAFETY: the BTF is alive as long as `self`.
        unsafe { sys::btf__type_cnt(self.0.as_ptr()) }
    }

    /// `btf__raw_data`, copied.
    pub fn raw_data(&self) -> Result<Vec<u8>, Errno> {
        let mut len = 0;
        // SAFETY: the BTF is alive as long as `self`, and `len` is a number to write to.
        let data = unsafe { sys::btf__raw_data(self.0.as_ptr(), &raw mut len) };
        let data = NonNull::new(data.cast_mut().cast::<u8>()).ok_or_else(last_errno)?;
        // SAFETY: libbpf says that there are so many bytes, which live as long as the BTF is not changed.
        Ok(unsafe { std::slice::from_raw_parts(data.as_ptr(), len as usize) }.to_vec())
    }

    /// The id of the structure called `name`.
    pub fn find_struct(&self, name: &str) -> Option<u32> {
        let name = CString::new(name).ok()?;
        // SAFETY: the BTF is alive as long as `self`; `name` is a C string.
        let id = unsafe {
            sys::btf__find_by_name_kind(self.0.as_ptr(), name.as_ptr(), sys::BTF_KIND_STRUCT)
        };
        u32::try_from(id).ok()
    }
}

impl Drop for Btf {
    fn drop(&mut self) {
        // SAFETY: made by us, freed once.
        unsafe { sys::btf__free(self.0.as_ptr()) };
    }
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The value at a key, of a map from 4 to 8 bytes.
pub fn map_lookup(map: RawFd, key: u32) -> Result<u64, Errno> {
    let mut value = 0_u64;
    // SAFETY: as many bytes as the map's keys and values have; the caller says so.
    let result =
        unsafe { sys::bpf_map_lookup_elem(map, (&raw const key).cast(), (&raw mut value).cast()) };
    check(result).map(|()| value)
}

/// Sets the value at a key, of a map from 4 to 8 bytes.
pub fn map_update(map: RawFd, key: u32, value: u64) -> Result<(), Errno> {
    // SAFETY: as many bytes as the map's keys and values have; the caller says so.
    let result = unsafe {
        sys::bpf_map_update_elem(map, (&raw const key).cast(), (&raw const value).cast(), 0)
    };
    check(result)
}

/// Takes all elements out of a map from 4 to 8 bytes, `size` at a time, and shows the values.
pub fn map_drain(map: RawFd, size: usize, mut see: impl FnMut(&[u64])) -> Result<(), Errno> {
    let (mut keys, mut values) = (vec![0_u32; size], vec![0_u64; size]);
    let (mut from, mut next) = (0_u64, 0_u64);
    let mut first = true;
    loop {
        let mut count = u32::try_from(size).unwrap_or(u32::MAX);
        let start = if first {
            std::ptr::null_mut()
        } else {
            &raw mut from
        };
        // SAFETY: the place of a batch of a hash has 4 bytes, for which there are 8; the vectors have `count` elements.
        let result = unsafe {
            sys::bpf_map_lookup_and_delete_batch(
                map,
                start.cast(),
                (&raw mut next).cast(),
                keys.as_mut_ptr().cast(),
                values.as_mut_ptr().cast(),
                &raw mut count,
                std::ptr::null(),
            )
        };
        match check(result) {
            Ok(()) => see(values.get(..count as usize).unwrap_or_default()),
            Err(Errno(libc::ENOENT)) => {
                see(values.get(..count as usize).unwrap_or_default());
                return Ok(());
            }
            Err(errno) => return Err(errno),
        }
        from = next;
        first = false;
    }
}

/// The first page of a map's memory, mapped as skeletons have it.
#[derive(Debug)]
pub struct Memory(*const u64);

impl Memory {
    /// Maps it, for as long as the process lives.
    pub fn of(map: BorrowedFd<'_>) -> Result<Self, Errno> {
        // SAFETY: a new mapping, wherever the kernel likes.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                4096,
                libc::PROT_READ,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(last_errno());
        }
        Ok(Self(start.cast::<u64>().cast_const()))
    }

    /// A number `offset` bytes after the start, which nobody changes; `None` off the page.
    pub fn at(&self, offset: usize) -> Option<&'static u64> {
        if !offset.is_multiple_of(8) || offset >= 4096 {
            return None;
        }
        let place = self.0.wrapping_byte_add(offset);
        // SAFETY: within the page, aligned, and the mapping is never taken away.
        Some(unsafe { &*place })
    }
}
