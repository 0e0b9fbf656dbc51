//! The kernel's requirements for new maps, type by type, to explain its `EINVAL`.
//!
//! In: a map of a plan, and the kernel's error. Out: the rules that the map breaks. Contains only rules that apply to every
//! kernel since Linux 5.10 and lead to that error; a type or flag that is not in the table is not checked. The live test
//! `map_rules` checks each rule against the running kernel, in both directions.

use super::plan::MapPlan;
use crate::Errno;
use crate::kinds::{MapFlags, MapType};

/// The rules for some map types.
struct Rules {
    kinds: &'static [MapType],
    key: Size,
    value: Size,
    entries: Entries,
    /// The flags that these types accept.
    flags: MapFlags,
    /// The flags that they require.
    needed: MapFlags,
}

/// The allowed size of a key or value, in bytes.
#[derive(Clone, Copy)]
enum Size {
    Some,
    None,
    OneOf(&'static [u32]),
    Within(u32, u32),
    /// A number of stack frames.
    Frames,
}

/// What `max_entries` means.
#[derive(Clone, Copy)]
enum Entries {
    Some,
    None,
    /// As bytes.
    Ring,
}

const ONE_FD: Size = Size::OneOf(&[4]);
const INDEX: Size = Size::OneOf(&[4]);
const NODE: MapFlags = MapFlags::NUMA_NODE;
const FD_ACCESS: MapFlags = MapFlags::RDONLY.union(MapFlags::WRONLY);
const PROG_ACCESS: MapFlags = MapFlags::RDONLY_PROG.union(MapFlags::WRONLY_PROG);
const ACCESS: MapFlags = FD_ACCESS.union(PROG_ACCESS);
const NONE: MapFlags = MapFlags::empty();
const HASH_FLAGS: MapFlags = MapFlags::NO_PREALLOC
    .union(MapFlags::ZERO_SEED)
    .union(ACCESS);

const TABLE: &[Rules] = &[
    Rules {
        kinds: &[MapType::HASH],
        key: Size::Some,
        value: Size::Some,
        entries: Entries::Some,
        flags: HASH_FLAGS.union(NODE),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::PERCPU_HASH],
        key: Size::Some,
        value: Size::Some,
        entries: Entries::Some,
        flags: HASH_FLAGS,
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::LRU_HASH],
        key: Size::Some,
        value: Size::Some,
        entries: Entries::Some,
        flags: ACCESS
            .union(NODE)
            .union(MapFlags::ZERO_SEED)
            .union(MapFlags::NO_COMMON_LRU),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::LRU_PERCPU_HASH],
        key: Size::Some,
        value: Size::Some,
        entries: Entries::Some,
        flags: ACCESS
            .union(MapFlags::ZERO_SEED)
            .union(MapFlags::NO_COMMON_LRU),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::HASH_OF_MAPS],
        key: Size::Some,
        value: ONE_FD,
        entries: Entries::Some,
        flags: HASH_FLAGS.union(NODE),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::ARRAY],
        key: INDEX,
        value: Size::Some,
        entries: Entries::Some,
        flags: ACCESS
            .union(NODE)
            .union(MapFlags::MMAPABLE)
            .union(MapFlags::INNER_MAP),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::PERCPU_ARRAY],
        key: INDEX,
        value: Size::Some,
        entries: Entries::Some,
        flags: ACCESS,
        needed: NONE,
    },
    Rules {
        kinds: &[
            MapType::PROG_ARRAY,
            MapType::CGROUP_ARRAY,
            MapType::ARRAY_OF_MAPS,
        ],
        key: INDEX,
        value: ONE_FD,
        entries: Entries::Some,
        flags: FD_ACCESS.union(NODE),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::PERF_EVENT_ARRAY],
        key: INDEX,
        value: ONE_FD,
        entries: Entries::Some,
        flags: FD_ACCESS.union(NODE).union(MapFlags::PRESERVE_ELEMS),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::REUSEPORT_SOCKARRAY],
        key: INDEX,
        value: Size::OneOf(&[4, 8]),
        entries: Entries::Some,
        flags: ACCESS.union(NODE),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::QUEUE, MapType::STACK],
        key: Size::None,
        value: Size::Some,
        entries: Entries::Some,
        flags: ACCESS.union(NODE),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::BLOOM_FILTER],
        key: Size::None,
        value: Size::Some,
        entries: Entries::Some,
        flags: ACCESS.union(NODE).union(MapFlags::ZERO_SEED),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::LPM_TRIE],
        // Four bytes of prefix length, then the data.
        key: Size::Within(5, 260),
        value: Size::Some,
        entries: Entries::Some,
        flags: ACCESS.union(NODE).union(MapFlags::NO_PREALLOC),
        needed: MapFlags::NO_PREALLOC,
    },
    Rules {
        kinds: &[MapType::STACK_TRACE],
        key: INDEX,
        value: Size::Frames,
        entries: Entries::Some,
        flags: FD_ACCESS.union(NODE).union(MapFlags::STACK_BUILD_ID),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::DEVMAP, MapType::DEVMAP_HASH, MapType::SOCKMAP],
        key: INDEX,
        value: Size::OneOf(&[4, 8]),
        entries: Entries::Some,
        flags: FD_ACCESS.union(NODE),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::SOCKHASH],
        key: Size::Some,
        value: Size::OneOf(&[4, 8]),
        entries: Entries::Some,
        flags: FD_ACCESS.union(NODE),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::CPUMAP],
        key: INDEX,
        value: Size::OneOf(&[4, 8]),
        entries: Entries::Some,
        flags: NODE,
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::XSKMAP],
        key: INDEX,
        value: ONE_FD,
        entries: Entries::Some,
        flags: FD_ACCESS.union(NODE),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::RINGBUF],
        key: Size::None,
        value: Size::None,
        entries: Entries::Ring,
        // The kernel's version tells whether it knows the second one.
        flags: NODE.union(MapFlags::RB_OVERWRITE),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::USER_RINGBUF],
        key: Size::None,
        value: Size::None,
        entries: Entries::Ring,
        flags: NODE,
        needed: NONE,
    },
    Rules {
        kinds: &[
            MapType::SK_STORAGE,
            MapType::INODE_STORAGE,
            MapType::TASK_STORAGE,
            MapType::CGRP_STORAGE,
        ],
        // A file descriptor.
        key: INDEX,
        value: Size::Some,
        entries: Entries::None,
        flags: MapFlags::NO_PREALLOC.union(MapFlags::CLONE),
        needed: MapFlags::NO_PREALLOC,
    },
    Rules {
        kinds: &[MapType::CGROUP_STORAGE, MapType::PERCPU_CGROUP_STORAGE],
        key: Size::OneOf(&[8, 16]),
        value: Size::Some,
        entries: Entries::None,
        flags: ACCESS.union(NODE),
        needed: NONE,
    },
    Rules {
        kinds: &[MapType::ARENA],
        key: Size::None,
        value: Size::None,
        entries: Entries::Some,
        flags: MapFlags::MMAPABLE
            .union(MapFlags::SEGV_ON_FAULT)
            .union(MapFlags::NO_USER_CONV),
        needed: MapFlags::MMAPABLE,
    },
];

/// The flags that users set. Others are not checked.
const NAMED: &[(MapFlags, &str)] = &[
    (MapFlags::NO_PREALLOC, "BPF_F_NO_PREALLOC"),
    (MapFlags::NO_COMMON_LRU, "BPF_F_NO_COMMON_LRU"),
    (MapFlags::NUMA_NODE, "BPF_F_NUMA_NODE"),
    (MapFlags::RDONLY, "BPF_F_RDONLY"),
    (MapFlags::WRONLY, "BPF_F_WRONLY"),
    (MapFlags::STACK_BUILD_ID, "BPF_F_STACK_BUILD_ID"),
    (MapFlags::ZERO_SEED, "BPF_F_ZERO_SEED"),
    (MapFlags::RDONLY_PROG, "BPF_F_RDONLY_PROG"),
    (MapFlags::WRONLY_PROG, "BPF_F_WRONLY_PROG"),
    (MapFlags::CLONE, "BPF_F_CLONE"),
    (MapFlags::MMAPABLE, "BPF_F_MMAPABLE"),
    (MapFlags::PRESERVE_ELEMS, "BPF_F_PRESERVE_ELEMS"),
    (MapFlags::INNER_MAP, "BPF_F_INNER_MAP"),
    (MapFlags::SEGV_ON_FAULT, "BPF_F_SEGV_ON_FAULT"),
    (MapFlags::NO_USER_CONV, "BPF_F_NO_USER_CONV"),
    (MapFlags::RB_OVERWRITE, "BPF_F_RB_OVERWRITE"),
];

/// The rules that a map breaks, each as a clause; `errno` is the kernel's error.
pub(crate) fn broken(errno: Errno, plan: &MapPlan, page_size: u32) -> Vec<String> {
    let Some(rules) = TABLE.iter().find(|rules| rules.kinds.contains(&plan.kind)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    match errno {
        Errno::EINVAL => {
            found.extend(size("key", rules.key, plan.key_size));
            found.extend(size("value", rules.value, plan.value_size));
            found.extend(entries(rules.entries, plan.max_entries, page_size));
            flags(rules, plan, &mut found);
            found.extend(extra(plan, page_size));
            found.extend(frames(plan));
            found.extend(types(plan));
            found.extend(nesting(plan));
            found.extend(limit(plan, page_size));
        }
        Errno::ENOTSUPP => flags(rules, plan, &mut found),
        Errno::E2BIG => found.extend(limit(plan, page_size).or_else(|| close_to_limit(plan))),
        _ => {}
    }
    let name = plan.kind.name().unwrap_or("map");
    let of_type = |rule| format!("a map of type {name} {rule}");
    found.into_iter().map(of_type).collect()
}

fn size(what: &str, rule: Size, bytes: u32) -> Option<String> {
    let words = match rule {
        Size::Some if bytes == 0 => format!("has a {what}: {what}_size must not be 0"),
        Size::None if bytes != 0 => {
            format!("has no {what}: {what}_size must be 0, not {bytes}")
        }
        Size::OneOf(sizes) if !sizes.contains(&bytes) => {
            let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
            let sizes = sizes.join(" or ");
            format!("has a {what} of {sizes} bytes: {what}_size must not be {bytes}")
        }
        Size::Within(least, most) if !(least..=most).contains(&bytes) => {
            format!("has a {what} of {least} to {most} bytes: {what}_size must not be {bytes}")
        }
        _ => return None,
    };
    Some(words)
}

fn entries(rule: Entries, count: u32, page_size: u32) -> Option<String> {
    match rule {
        Entries::Some if count == 0 => {
            Some("has at least one entry: max_entries must not be 0".into())
        }
        Entries::None if count != 0 => Some(format!(
            "grows with its owners: max_entries must be 0, not {count}"
        )),
        Entries::Ring if !count.is_power_of_two() || !count.is_multiple_of(page_size) => {
            Some(format!(
                "has max_entries bytes: a power of two from {page_size} (the page size) to {}, not {count}",
                1_u32 << 31
            ))
        }
        _ => None,
    }
}

fn flags(rules: &Rules, plan: &MapPlan, found: &mut Vec<String>) {
    let given = MapFlags::from_bits_retain(plan.flags);
    for (flag, name) in NAMED {
        if given.contains(*flag) && !rules.flags.contains(*flag) {
            found.push(format!("does not take the flag {name}"));
        }
        if !given.contains(*flag) && rules.needed.contains(*flag) {
            found.push(format!(
                "needs the flag {name} (__uint(map_flags, {name}) in its definition)"
            ));
        }
    }
    for both in [FD_ACCESS, PROG_ACCESS] {
        if given.contains(both) && rules.flags.contains(both) {
            let names = NAMED.iter().filter(|(flag, _)| both.contains(*flag));
            let names: Vec<&str> = names.map(|(_, name)| *name).collect();
            found.push(format!("takes one of {}, not both", names.join(" and ")));
        }
    }
    if given.contains(NODE | MapFlags::NO_COMMON_LRU) && plan.kind == MapType::LRU_HASH {
        found.push("takes one of BPF_F_NUMA_NODE and BPF_F_NO_COMMON_LRU, not both".into());
    }
}

fn extra(plan: &MapPlan, page_size: u32) -> Option<String> {
    let extra = plan.extra;
    match plan.kind {
        MapType::BLOOM_FILTER => (extra > 15)
            .then(|| format!("has at most 15 hash functions: map_extra must not be {extra:#x}")),
        MapType::ARENA => (!extra.is_multiple_of(page_size.into())).then(|| {
            format!("starts at a page: map_extra must be a multiple of {page_size}, not {extra:#x}")
        }),
        _ => (extra != 0).then(|| format!("has no map_extra: it must be 0, not {extra:#x}")),
    }
}

/// `PERF_MAX_STACK_DEPTH`
const FRAMES: u32 = 127;

fn frames(plan: &MapPlan) -> Option<String> {
    if plan.kind != MapType::STACK_TRACE {
        return None;
    }
    let by_build_id = plan.flags & MapFlags::STACK_BUILD_ID.bits() != 0;
    let (bytes, why) = if by_build_id {
        (32, " (for BPF_F_STACK_BUILD_ID)")
    } else {
        (8, "")
    };
    let size = plan.value_size;
    if size == 0 || !size.is_multiple_of(bytes) {
        return Some(format!(
            "has a value of {bytes} bytes for each frame{why}: value_size must not be {size}"
        ));
    }
    (size / bytes > FRAMES).then(|| {
        format!(
            "has a value of at most {FRAMES} frames{why}, unless the sysctl kernel.perf_event_max_stack allows more: \
             value_size must not be {size}"
        )
    })
}

fn types(plan: &MapPlan) -> Option<String> {
    let untyped = plan.btf_key_type_id.is_void() || plan.btf_value_type_id.is_void();
    (STORAGE.contains(&plan.kind) && untyped).then(|| {
        "needs the types of its key and value (__type(key, int) and __type(value, ...) in its definition)".into()
    })
}

fn nesting(plan: &MapPlan) -> Option<String> {
    let inner = plan.inner.as_deref()?;
    inner
        .inner
        .is_some()
        .then(|| "holds maps that hold no maps themselves".into())
}

/// `MAX_BPF_STACK`
const STACK: u32 = 512;
const CPU_STORAGE: MapType = MapType::PERCPU_CGROUP_STORAGE;
const STORAGE: [MapType; 4] = [
    MapType::SK_STORAGE,
    MapType::INODE_STORAGE,
    MapType::TASK_STORAGE,
    MapType::CGRP_STORAGE,
];

/// What is too large. The kernel does not say which of its limits was exceeded, but there are few.
fn limit(plan: &MapPlan, page_size: u32) -> Option<String> {
    /// `PCPU_MIN_UNIT_SIZE`
    const OF_A_CPU: u32 = 32 << 10;
    /// The size of the bucket array in bytes must fit into 32 bits.
    const BUCKETS: u32 = 1 << 28;
    // The most that `kmalloc` allocates in one piece, or less.
    let piece = u64::from(page_size) << 10;
    let (key, value, count) = (plan.key_size, plan.value_size, plan.max_entries);
    let (element, pages) = (
        u64::from(key) + u64::from(value),
        u64::from(count) * u64::from(page_size),
    );
    match plan.kind {
        MapType::PERCPU_HASH | MapType::LRU_PERCPU_HASH | MapType::PERCPU_ARRAY | CPU_STORAGE
            if value > OF_A_CPU =>
        {
            Some(format!(
                "has a value of at most {OF_A_CPU} bytes for each CPU: value_size must not be {value}"
            ))
        }
        MapType::HASH | MapType::LRU_HASH | MapType::PERCPU_HASH | MapType::LRU_PERCPU_HASH
            if count > BUCKETS =>
        {
            Some(format!(
                "has at most {BUCKETS} entries: max_entries must not be {count}"
            ))
        }
        MapType::PERCPU_HASH | MapType::LRU_PERCPU_HASH if u64::from(key) >= piece => Some(
            format!("has a key of less than {piece} bytes: key_size must not be {key}"),
        ),
        MapType::HASH | MapType::LRU_HASH | MapType::LPM_TRIE if element >= piece => {
            let (what, size) = if key > value {
                ("key", key)
            } else {
                ("value", value)
            };
            Some(format!(
                "has a key and value of less than {piece} bytes together: {what}_size must not be {size}"
            ))
        }
        MapType::SOCKHASH if key > STACK => Some(format!(
            "has a key of at most {STACK} bytes: key_size must not be {key}"
        )),
        MapType::QUEUE | MapType::STACK | MapType::BLOOM_FILTER if u64::from(value) > piece => {
            Some(format!(
                "has a value of at most {piece} bytes: value_size must not be {value}"
            ))
        }
        MapType::CGROUP_STORAGE if value > 0xffff => close_to_limit(plan),
        kind if STORAGE.contains(&kind) && value > 0xffff => close_to_limit(plan),
        MapType::ARENA if pages > 1 << 32 => Some(format!(
            "has at most 4 GiB: max_entries counts pages of {page_size} bytes, and must not be {count}"
        )),
        _ => None,
    }
}

/// What `E2BIG` must refer to, even though the limit itself depends on the kernel's configuration.
fn close_to_limit(plan: &MapPlan) -> Option<String> {
    let value = plan.value_size;
    match plan.kind {
        MapType::CPUMAP => Some(format!(
            "has at most as many entries as the kernel was built for CPUs (CONFIG_NR_CPUS): max_entries must not be {}",
            plan.max_entries
        )),
        MapType::CGROUP_STORAGE | CPU_STORAGE => Some(format!(
            "has a value of at most a page on old kernels, and of less than 64 KiB on newer ones: value_size must not be {value}"
        )),
        MapType::HASH
        | MapType::LRU_HASH
        | MapType::PERCPU_HASH
        | MapType::LRU_PERCPU_HASH
        | MapType::HASH_OF_MAPS
            if plan.key_size > STACK =>
        {
            Some(format!(
                "has a key of at most {STACK} bytes on old kernels: key_size must not be {}",
                plan.key_size
            ))
        }
        MapType::ARRAY => Some(format!(
            "has a value of at most 4 MiB on old kernels, and of 2 GiB on newer ones: value_size must not be {value}"
        )),
        kind if STORAGE.contains(&kind) => Some(format!(
            "has a value of less than 64 KiB: value_size must not be {value}"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(kind: MapType, key_size: u32, value_size: u32, max_entries: u32) -> MapPlan {
        MapPlan {
            kind,
            key_size,
            value_size,
            max_entries,
            ..MapPlan::default()
        }
    }

    fn refused(plan: &MapPlan) -> Vec<String> {
        broken(Errno::EINVAL, plan, 4096)
    }

    #[test]
    fn the_broken_rule_is_named() {
        assert_eq!(
            refused(&plan(MapType::RINGBUF, 0, 8, 4096)),
            ["a map of type ringbuf has no value: value_size must be 0, not 8"]
        );
        assert_eq!(
            refused(&plan(MapType::RINGBUF, 0, 0, 0x9000_0000)),
            [
                "a map of type ringbuf has max_entries bytes: a power of two from 4096 (the page size) to 2147483648, not 2415919104"
            ]
        );
        assert_eq!(
            refused(&plan(MapType::ARRAY, 8, 4, 8)),
            ["a map of type array has a key of 4 bytes: key_size must not be 8"]
        );
        assert_eq!(
            refused(&plan(MapType::LPM_TRIE, 8, 4, 8)),
            [
                "a map of type lpm_trie needs the flag BPF_F_NO_PREALLOC (__uint(map_flags, BPF_F_NO_PREALLOC) in its definition)"
            ]
        );
        // Everything that has to be fixed is reported at once.
        assert_eq!(refused(&plan(MapType::TASK_STORAGE, 4, 4, 100)).len(), 3);
    }

    #[test]
    fn what_is_too_large_is_named() {
        for (kind, key, value, count, words) in [
            (MapType::HASH, 4, 5 << 20, 1, "5242880"),
            (MapType::LPM_TRIE, 8, 4 << 20, 1, "4194304"),
            (MapType::PERCPU_HASH, 4 << 20, 4, 1, "key_size"),
            (MapType::PERCPU_ARRAY, 4, 32776, 1, "for each CPU"),
            (MapType::LRU_HASH, 4, 4, 1 << 29, "max_entries"),
            (MapType::CPUMAP, 4, 4, 1 << 20, "CONFIG_NR_CPUS"),
            (MapType::SK_STORAGE, 4, 65480, 0, "64 KiB"),
            (MapType::ARENA, 0, 0, (1 << 20) + 1, "4 GiB"),
        ] {
            let rules = broken(Errno::E2BIG, &plan(kind, key, value, count), 4096);
            assert!(
                matches!(&rules[..], [rule] if rule.contains(words)),
                "{kind}: {rules:?}"
            );
        }
        // Larger values depend on a sysctl.
        assert!(refused(&plan(MapType::STACK_TRACE, 4, 1016, 1)).is_empty());
        let frames = refused(&plan(MapType::STACK_TRACE, 4, 1024, 1));
        assert!(frames[0].contains("127 frames"), "{frames:?}");
    }

    #[test]
    fn nothing_is_said_of_what_the_kernel_did_not_mean() {
        assert!(refused(&plan(MapType::HASH, 4, 4, 1)).is_empty());
        assert!(broken(Errno::E2BIG, &plan(MapType::DEVMAP, 8, 4, 8), 4096).is_empty());
        assert!(broken(Errno::ENOMEM, &plan(MapType::ARRAY, 8, 4, 8), 4096).is_empty());
        assert!(refused(&plan(MapType::STRUCT_OPS, 9, 9, 9)).is_empty());
        let mut odd = plan(MapType::HASH, 4, 4, 1);
        odd.flags = 1 << 30;
        assert!(refused(&odd).is_empty());
    }
}
