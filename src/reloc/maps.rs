//! The plans of an object's maps.

use super::plan::MapPlan;
use super::target::Target;
use crate::feature::Feature;
use crate::kinds::Pinning;
use crate::kinds::{MapFlags, MapType};
use crate::open::{DataKind, MapOrigin, OpenMap, OpenObject};
use crate::{Error, ErrorKind, Result, TypeId};
use std::path::Path;

/// The length of a map's name in the kernel, without its NUL.
const NAME_LEN: usize = 15;
/// Where maps are pinned by name by default.
const PIN_ROOT: &str = "/sys/fs/bpf";

/// The position of the globals in an arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ArenaPlace {
    /// Offset from the arena's start, in bytes.
    pub(super) offset: u64,
}

impl ArenaPlace {
    /// At the arena's end if the kernel can address it, so that allocations from its start are aligned.
    pub(super) fn of(object: &OpenObject, target: &Target) -> Result<Self> {
        let Some(map) = object.arena_map.and_then(|map| object.maps.get(map)) else {
            return Ok(Self::default());
        };
        let page = u64::from(target.page_size()).max(1);
        let room = page.saturating_mul(u64::from(map.max_entries));
        let len = u64::try_from(object.arena_data.len()).unwrap_or(u64::MAX);
        if object.arena_data.is_empty() || !target.supports(Feature::Ldimm64FullRangeOff) {
            return Ok(Self::default());
        }
        let taken = len.checked_next_multiple_of(page);
        let offset = taken.and_then(|taken| room.checked_sub(taken));
        offset.map(|offset| Self { offset }).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidObject,
                format!(
                    "the variables of arena `{}` take {len} bytes, but it has {} pages of {page} bytes",
                    map.name, map.max_entries
                ),
            )
            .with_hint("give the arena a larger max_entries")
        })
    }
}

/// The name of a map as the name of its pin. It comes from the object, and must not lead out of the directory for pins:
/// letters, digits and `_`, as in kernel names. Those may also contain periods, which a BPF file system rejects.
fn pin_name(name: &str) -> Result<&str> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let Some(bad) = name.chars().find(|c| !is_good(*c)) else {
        return Ok(name);
    };
    let message = format!(
        "map `{name}` is to be pinned by its name, and {bad:?} cannot be part of the name of a pin"
    );
    Err(Error::new(ErrorKind::InvalidObject, message).with_hint(
        "only letters, digits and `_` can: name the map otherwise, or say where to pin it (OpenMapMut::set_pin_path)",
    ))
}

/// The plans of all maps, in the order of the object's maps. `kconfig` is the image of the `.kconfig` map.
pub(super) fn plan(
    object: &OpenObject,
    target: &Target,
    kconfig: Option<&[u8]>,
    arena: ArenaPlace,
) -> Result<Vec<MapPlan>> {
    let mut plans = Vec::with_capacity(object.maps.len());
    for (index, map) in object.maps.iter().enumerate() {
        let mut plan = plan_map(map, target)?;
        if map.pin_path.is_some() {
            plan.pinning = Pinning::None;
            plan.pin_path.clone_from(&map.pin_path);
        } else if map.pinning == Pinning::ByName {
            let root = object.pin_root.as_deref().unwrap_or(Path::new(PIN_ROOT));
            plan.pin_path = Some(root.join(pin_name(&map.name)?));
        }
        if let MapOrigin::Data(kind) = map.origin {
            fit_data(&mut plan, kind, target);
            plan.initial = match (kconfig, object.kconfig_map) {
                (Some(image), Some(kconfig)) if kconfig == index => Some(image.to_vec()),
                _ => contents(map, kind),
            };
        } else if object.arena_map == Some(index) && !object.arena_data.is_empty() {
            plan.initial = Some(object.arena_data.clone());
            plan.initial_offset = arena.offset;
        }
        plans.push(plan);
    }
    Ok(plans)
}

/// A map by itself, and its template of an inner map.
fn plan_map(map: &OpenMap, target: &Target) -> Result<MapPlan> {
    let inner = match &map.inner {
        Some(inner) => Some(Box::new(plan_map(inner, target)?)),
        None => None,
    };
    let (btf_key_type_id, btf_value_type_id) = if hides_types(map.kind) {
        (TypeId::VOID, TypeId::VOID)
    } else {
        (map.key_type, map.value_type)
    };
    Ok(MapPlan {
        name: map.name.clone(),
        kernel_name: kernel_name(&map.kernel_name),
        origin: map.origin,
        kind: map.kind,
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: max_entries(map, target)?,
        flags: map.flags,
        extra: map.extra,
        numa_node: map.numa_node,
        btf_key_type_id,
        btf_value_type_id,
        inner,
        key_type: map.key_type,
        value_type: map.value_type,
        given: map.reused.is_some(),
        pinning: map.pinning,
        autocreate: map.autocreate,
        slots: map.slots.clone(),
        exclusive_program: map.exclusive_program,
        ifindex: map.ifindex,
        autoattach: map.autoattach,
        ..MapPlan::default()
    })
}

/// The map types for which the kernel rejects BTF.
fn hides_types(kind: MapType) -> bool {
    matches!(
        kind,
        MapType::PERF_EVENT_ARRAY
            | MapType::CGROUP_ARRAY
            | MapType::STACK_TRACE
            | MapType::ARRAY_OF_MAPS
            | MapType::HASH_OF_MAPS
            | MapType::DEVMAP
            | MapType::DEVMAP_HASH
            | MapType::CPUMAP
            | MapType::XSKMAP
            | MapType::SOCKMAP
            | MapType::SOCKHASH
            | MapType::QUEUE
            | MapType::STACK
            | MapType::ARENA
            | MapType::STRUCT_OPS
    )
}

/// At most fifteen bytes, without splitting a character.
fn kernel_name(name: &str) -> String {
    let mut end = name.len().min(NAME_LEN);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default().to_string()
}

fn max_entries(map: &OpenMap, target: &Target) -> Result<u32> {
    match map.kind {
        MapType::RINGBUF | MapType::USER_RINGBUF => {
            Ok(ring_size(map.max_entries, target.page_size()))
        }
        MapType::PERF_EVENT_ARRAY if map.max_entries == 0 => target.possible_cpus(),
        _ => Ok(map.max_entries),
    }
}

/// The size, rounded up to a power of two of pages; 0 stays, for the kernel to reject.
#[doc(alias = "adjust_ringbuf_sz")]
fn ring_size(size: u32, page_size: u32) -> u32 {
    if size == 0 || page_size == 0 {
        return size;
    }
    let pages = size.div_ceil(page_size).checked_next_power_of_two();
    pages
        .and_then(|pages| pages.checked_mul(page_size))
        .unwrap_or(size)
}

/// Sets what depends on the kernel and on the kind of data.
fn fit_data(plan: &mut MapPlan, kind: DataKind, target: &Target) {
    let mappable = MapFlags::MMAPABLE.bits();
    if plan.flags & mappable != 0 && !target.supports(Feature::ArrayMmap) {
        plan.flags &= !mappable;
    }
    if !target.supports(Feature::GlobalData) {
        plan.autocreate = false;
    }
    plan.freeze = matches!(kind, DataKind::Rodata | DataKind::Kconfig);
}

/// A data map's initial value. New maps are zero, so data that is all zeros need not be written unless it is to be frozen.
fn contents(map: &OpenMap, kind: DataKind) -> Option<Vec<u8>> {
    let written = kind != DataKind::Bss || !map.image.is_zero();
    written.then(|| map.image.bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{kernel, object};
    use super::*;
    use crate::KernelVersion;

    #[test]
    fn ring_buffers_are_rounded_up_to_a_power_of_two_of_pages() {
        for (asked, given) in [
            (0, 0),
            (1, 4096),
            (4096, 4096),
            (4097, 8192),
            (3 * 4096, 4 * 4096),
            (256 * 1024, 256 * 1024),
            ((1 << 31) + 1, (1 << 31) + 1),
        ] {
            assert_eq!(ring_size(asked, 4096), given, "{asked}");
        }
    }

    #[test]
    fn names_are_cut_to_what_the_kernel_takes() {
        assert_eq!(kernel_name("a_rather_long_map_name"), "a_rather_long_m");
        assert_eq!(kernel_name("short"), "short");
        assert_eq!(kernel_name("fourteen_bytes\u{e9}"), "fourteen_bytes");
    }

    fn planned(map: OpenMap, version: KernelVersion) -> MapPlan {
        let mut object = object();
        object.maps.push(map);
        let target = kernel(version, |_| {});
        plan(&object, &target, None, ArenaPlace::default())
            .unwrap()
            .remove(0)
    }

    fn data(kind: DataKind, image: &[u8]) -> OpenMap {
        OpenMap {
            name: ".rodata".to_string(),
            kind: MapType::ARRAY,
            origin: MapOrigin::Data(kind),
            flags: MapFlags::MMAPABLE.bits() | MapFlags::RDONLY_PROG.bits(),
            image: image.to_vec().into(),
            autocreate: true,
            ..OpenMap::default()
        }
    }

    #[test]
    fn data_is_frozen_mapped_and_written_as_needed() {
        let new = KernelVersion::new(6, 1, 0);
        let rodata = planned(data(DataKind::Rodata, &[0, 0]), new);
        assert_eq!((rodata.freeze, rodata.initial), (true, Some(vec![0, 0])));
        let bss = planned(data(DataKind::Bss, &[0, 0]), new);
        assert_eq!((bss.freeze, bss.initial), (false, None));
        let set = planned(data(DataKind::Bss, &[0, 1]), new);
        assert_eq!(set.initial, Some(vec![0, 1]));

        let old = planned(data(DataKind::Data, &[1]), KernelVersion::new(5, 4, 0));
        assert_eq!(old.flags, MapFlags::RDONLY_PROG.bits());
        let older = planned(data(DataKind::Data, &[1]), KernelVersion::new(5, 1, 0));
        assert!(!older.autocreate);
    }

    #[test]
    fn a_name_that_leaves_the_folder_for_pins_is_refused() {
        for name in ["/tmp/x", "../y", "..", ".", "a/b", "a.b", "a\0b", "ä"] {
            let map = OpenMap {
                name: name.to_string(),
                pinning: Pinning::ByName,
                ..OpenMap::default()
            };
            let mut object = object();
            object.maps.push(map);
            let symbols = super::super::testing::Symbols(Vec::new());
            let target = Target::new(std::sync::Arc::new(symbols));
            let error = plan(&object, &target, None, ArenaPlace::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidObject, "{name}");
            object.maps[0].pin_path = Some("/sys/fs/bpf/elsewhere".into());
            assert!(plan(&object, &target, None, ArenaPlace::default()).is_ok());
        }
    }

    #[test]
    fn pins_by_name_lie_in_the_given_folder() {
        let map = OpenMap {
            name: "counts".to_string(),
            pinning: Pinning::ByName,
            ..OpenMap::default()
        };
        let path = planned(map.clone(), KernelVersion::new(6, 1, 0)).pin_path;
        assert_eq!(path, Some("/sys/fs/bpf/counts".into()));
        let explicit = OpenMap {
            pin_path: Some("/sys/fs/bpf/other".into()),
            ..map
        };
        let path = planned(explicit, KernelVersion::new(6, 1, 0)).pin_path;
        assert_eq!(path, Some("/sys/fs/bpf/other".into()));
    }

    #[test]
    fn perf_arrays_get_a_slot_for_each_cpu_and_no_types() {
        let map = OpenMap {
            kind: MapType::PERF_EVENT_ARRAY,
            key_type: TypeId(3),
            value_type: TypeId(4),
            ..OpenMap::default()
        };
        let mut object = object();
        object.maps.push(map);
        let symbols = super::super::testing::Symbols(Vec::new());
        let target = Target::new(std::sync::Arc::new(symbols));
        let plans = plan(&object, &target, None, ArenaPlace::default()).unwrap();
        assert_eq!(plans[0].max_entries, 8);
        assert_eq!(plans[0].btf_key_type_id, TypeId::VOID);
        assert_eq!(plans[0].btf_value_type_id, TypeId::VOID);
    }

    #[test]
    fn arena_variables_lie_at_the_end_where_the_kernel_can_address_it() {
        let mut object = object();
        object.maps.push(OpenMap {
            kind: MapType::ARENA,
            max_entries: 4,
            autocreate: true,
            ..OpenMap::default()
        });
        object.arena_map = Some(0);
        object.arena_data = vec![7; 5000];
        let place = |object: &OpenObject, version| {
            let target = kernel(version, |_| {});
            ArenaPlace::of(object, &target)
        };
        assert_eq!(
            place(&object, KernelVersion::new(6, 9, 0)).unwrap().offset,
            0
        );
        assert_eq!(
            place(&object, Feature::Ldimm64FullRangeOff.since())
                .unwrap()
                .offset,
            2 * 4096
        );
        object.arena_data = vec![7; 5 * 4096];
        assert!(place(&object, Feature::Ldimm64FullRangeOff.since()).is_err());
    }
}
