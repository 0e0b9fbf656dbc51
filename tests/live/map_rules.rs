//! The rules of map types, which explain the kernel's refusals, checked against those refusals: from a map of each type that
//! the kernel accepts, one thing is changed at a time. If the kernel then refuses, the explanation must be that one thing.

use crate::support::{Need, fixture};
use rawbpf::map::Map;
use rawbpf::reloc::{LoadPlan, MapPlan, Target};
use rawbpf::{Errno, Error, MapFlags, MapType, OpenObject};

/// A type, and the bytes of key and value, the entries and the flags of the smallest map of it.
type Smallest = (MapType, u32, u32, u32, MapFlags);

const NONE: MapFlags = MapFlags::empty();

const SMALLEST: &[Smallest] = &[
    (MapType::HASH, 1, 1, 1, NONE),
    (MapType::PERCPU_HASH, 1, 1, 1, NONE),
    (MapType::LRU_HASH, 1, 1, 1, NONE),
    (MapType::LRU_PERCPU_HASH, 1, 1, 1, NONE),
    (MapType::ARRAY, 4, 1, 1, NONE),
    (MapType::PERCPU_ARRAY, 4, 1, 1, NONE),
    (MapType::PROG_ARRAY, 4, 4, 1, NONE),
    (MapType::PERF_EVENT_ARRAY, 4, 4, 1, NONE),
    (MapType::CGROUP_ARRAY, 4, 4, 1, NONE),
    (MapType::REUSEPORT_SOCKARRAY, 4, 4, 1, NONE),
    (MapType::QUEUE, 0, 1, 1, NONE),
    (MapType::STACK, 0, 1, 1, NONE),
    (MapType::BLOOM_FILTER, 0, 1, 1, NONE),
    (MapType::LPM_TRIE, 5, 1, 1, MapFlags::NO_PREALLOC),
    (MapType::STACK_TRACE, 4, 8, 1, NONE),
    (MapType::DEVMAP, 4, 4, 1, NONE),
    (MapType::DEVMAP_HASH, 4, 4, 1, NONE),
    (MapType::SOCKMAP, 4, 4, 1, NONE),
    (MapType::SOCKHASH, 1, 4, 1, NONE),
    (MapType::CPUMAP, 4, 4, 1, NONE),
    (MapType::XSKMAP, 4, 4, 1, NONE),
    (MapType::RINGBUF, 0, 0, 4096, NONE),
    (MapType::USER_RINGBUF, 0, 0, 4096, NONE),
    (MapType::CGROUP_STORAGE, 8, 1, 0, NONE),
    (MapType::PERCPU_CGROUP_STORAGE, 8, 1, 0, NONE),
    (MapType::ARENA, 0, 0, 1, MapFlags::MMAPABLE),
    (MapType::SK_STORAGE, 4, 8, 0, MapFlags::NO_PREALLOC),
    (MapType::TASK_STORAGE, 4, 8, 0, MapFlags::NO_PREALLOC),
    (MapType::INODE_STORAGE, 4, 8, 0, MapFlags::NO_PREALLOC),
    (MapType::CGRP_STORAGE, 4, 8, 0, MapFlags::NO_PREALLOC),
];

/// The flags that the table covers, except the one whose version differs between map types.
const FLAGS: std::ops::Range<u32> = 0..13;
const ARENA_FLAGS: std::ops::Range<u32> = 17..19;

fn is_storage(smallest: &Smallest) -> bool {
    smallest.3 == 0 && smallest.4 == MapFlags::NO_PREALLOC
}

/// A plan with one map, which has the types of a fixture's `int` and of a value of eight bytes.
fn one(target: &Target, smallest: &Smallest) -> LoadPlan {
    let &(kind, key_size, value_size, max_entries, flags) = smallest;
    let object = OpenObject::from_file(fixture("storage.bpf.o")).unwrap();
    let mut plan = object.relocate(target).unwrap();
    plan.programs.clear();
    let position = plan.maps.iter().position(|map| map.name == "of_socket");
    let typed = plan.maps.swap_remove(position.unwrap());
    let is_storage = max_entries == 0 && flags == MapFlags::NO_PREALLOC;
    let typed = if is_storage {
        typed
    } else {
        MapPlan::default()
    };
    plan.maps = vec![MapPlan {
        name: "tried".into(),
        kernel_name: "tried".into(),
        kind,
        key_size,
        value_size,
        max_entries,
        flags: flags.bits(),
        autocreate: true,
        ..typed
    }];
    plan
}

fn made(target: &Target, smallest: &Smallest, change: &dyn Fn(&mut MapPlan)) -> Result<(), Error> {
    let mut plan = one(target, smallest);
    plan.maps.iter_mut().for_each(change);
    let object = plan.load(target)?;
    assert_eq!(object.maps().iter().map(Map::name).count(), 1);
    Ok(())
}

/// A change must either be fine, or be explained with a word about what was changed.
#[track_caller]
fn judged(target: &Target, smallest: &Smallest, word: &str, change: &dyn Fn(&mut MapPlan)) -> bool {
    let Err(error) = made(target, smallest, change) else {
        return false;
    };
    // What is refused for lack of memory or rights breaks no rule.
    if !matches!(
        error.errno(),
        Some(Errno::EINVAL | Errno::ENOTSUPP | Errno::E2BIG)
    ) {
        return false;
    }
    let rule = format!(
        "the kernel does not create it: a map of type {} ",
        smallest.0.name().unwrap()
    );
    let rest = error.message().split_once(rule.trim_start());
    let rest = rest.map(|(_, rest)| rest.split(" (asked for").next().unwrap_or(rest));
    let explained = |rest: &str| rest.split("; ").all(|rule| rule.contains(word));
    assert!(
        rest.is_some_and(explained),
        "{:?} {word}: {error}",
        smallest.0
    );
    true
}

#[test]
fn every_refusal_of_a_map_has_its_rule() {
    require!(Need::Bpf, Need::Btf);
    let target = Target::running();
    let mut refusals = 0;
    for smallest in SMALLEST {
        let kind = smallest.0;
        if let Err(error) = made(&target, smallest, &|_| {}) {
            // This kernel has no such maps: nothing is claimed about them.
            assert_ne!(kind, MapType::HASH, "{error}");
            assert!(!error.message().contains("a map of type"), "{error}");
            continue;
        }
        let mut judge = |word: &str, change: &dyn Fn(&mut MapPlan)| {
            refusals += u32::from(judged(&target, smallest, word, change));
        };
        for bytes in [0, 1, 2, 4, 5, 8, 12, 16, 24, 260, 261] {
            judge("key", &|map| map.key_size = bytes);
            // Values that need types must have the size of their type, which no rule of the map's knows.
            if !is_storage(smallest) || [0, 8].contains(&bytes) {
                judge("value", &|map| map.value_size = bytes);
            }
        }
        for count in [0, 1, 2, 3, 100, 4096, 4097, 8192, 12288] {
            judge("max_entries", &|map| map.max_entries = count);
        }
        for bit in FLAGS.chain(ARENA_FLAGS) {
            judge("BPF_F_", &|map| map.flags ^= 1 << bit);
        }
        for pair in [3 << 3, 3 << 7, 3 << 1] {
            judge("BPF_F_", &|map| map.flags |= pair);
        }
        for extra in [1, 15, 16, 4096, 4097] {
            judge("map_extra", &|map| map.extra = extra);
        }
    }
    assert!(refusals > 300, "only {refusals}");
}

/// Sizes that do not allocate memory needlessly: one entry each.
#[test]
fn every_size_that_is_too_large_has_its_rule() {
    require!(Need::Bpf, Need::Btf);
    let target = Target::running();
    let mut refusals = 0;
    for smallest in SMALLEST {
        if made(&target, smallest, &|_| {}).is_err() {
            continue;
        }
        let &(_, key, value, ..) = smallest;
        let mut judge = |word: &str, change: &dyn Fn(&mut MapPlan)| {
            refusals += u32::from(judged(&target, smallest, word, change));
        };
        for bytes in [513, 1016, 1024, 32 << 10, 32_776, 1 << 16, 4 << 20, 5 << 20] {
            if key != 0 {
                judge("key", &|map| map.key_size = bytes);
            }
            // Values that need types must have the size of their type.
            if value != 0 && !is_storage(smallest) {
                judge("value", &|map| map.value_size = bytes);
            }
        }
    }
    assert!(refusals > 200, "only {refusals}");
    let hash = SMALLEST.first().unwrap();
    let buckets = |map: &mut MapPlan| map.max_entries = (1 << 28) + 1;
    let no_prealloc = |map: &mut MapPlan| {
        buckets(map);
        map.flags = MapFlags::NO_PREALLOC.bits();
    };
    assert!(judged(&target, hash, "max_entries", &no_prealloc));
}

/// Maps that hold maps, and their templates: either may break a rule.
#[test]
fn maps_of_maps_and_their_templates_are_explained() {
    require!(Need::Bpf, Need::Btf);
    let target = Target::running();
    let template = |kind, key_size, inner: Option<MapPlan>| {
        Some(Box::new(MapPlan {
            name: "template".into(),
            kernel_name: "template".into(),
            kind,
            key_size,
            value_size: 4,
            max_entries: 1,
            inner: inner.map(Box::new),
            ..MapPlan::default()
        }))
    };
    for kind in [MapType::ARRAY_OF_MAPS, MapType::HASH_OF_MAPS] {
        let smallest = (kind, 4, 4, 1, NONE);
        let hash = |map: &mut MapPlan| map.inner = template(MapType::HASH, 4, None);
        made(&target, &smallest, &hash).unwrap();
        for bytes in [0, 1, 8, 5 << 20] {
            let value = |map: &mut MapPlan| {
                hash(map);
                map.value_size = bytes;
            };
            assert!(judged(&target, &smallest, "value", &value));
        }
        let empty = |map: &mut MapPlan| {
            hash(map);
            map.max_entries = 0;
        };
        assert!(judged(&target, &smallest, "max_entries", &empty));
        let flag = |map: &mut MapPlan| {
            hash(map);
            map.flags = MapFlags::MMAPABLE.bits();
        };
        assert!(judged(&target, &smallest, "BPF_F_MMAPABLE", &flag));
        let deep = |map: &mut MapPlan| {
            let innermost = template(MapType::HASH, 4, None).map(|inner| *inner);
            map.inner = template(MapType::ARRAY_OF_MAPS, 4, innermost);
        };
        assert!(judged(&target, &smallest, "hold no maps", &deep));

        let wide = |map: &mut MapPlan| map.inner = template(MapType::ARRAY, 8, None);
        let error = made(&target, &smallest, &wide).unwrap_err().to_string();
        for words in [
            "map `tried`: inner map `template`",
            "a map of type array has a key of 4 bytes",
        ] {
            assert!(error.contains(words), "{error}");
        }
    }
}

/// What is predicted is what the kernel then refuses.
#[test]
fn what_is_foretold_comes_true() {
    require!(Need::Bpf, Need::Btf);
    let target = Target::running();
    let mut foretold = 0;
    for smallest in SMALLEST {
        if made(&target, smallest, &|_| {}).is_err() {
            continue;
        }
        let mut told = |change: &dyn Fn(&mut MapPlan)| {
            let mut plan = one(&target, smallest);
            plan.maps.iter_mut().for_each(change);
            if !plan.maps_to_be_refused(&target).is_empty() {
                plan.load(&target).unwrap_err();
                foretold += 1;
            }
        };
        told(&|_| {});
        for bytes in [0, 1, 4, 8, 512, 1016, 32_776, 5 << 20] {
            told(&|map| map.key_size = bytes);
            told(&|map| map.value_size = bytes);
        }
        for count in [0, 1, 4097] {
            told(&|map| map.max_entries = count);
        }
        for bit in FLAGS.chain(ARENA_FLAGS) {
            told(&|map| map.flags ^= 1 << bit);
        }
    }
    assert!(foretold > 200, "only {foretold}");
}

#[test]
fn what_users_meet_is_refused_and_explained() {
    require!(Need::Bpf, Need::Btf);
    let target = Target::running();
    let find = |kind| SMALLEST.iter().find(|smallest| smallest.0 == kind).unwrap();
    let refused = |kind, change: &dyn Fn(&mut MapPlan), words: &str| {
        let error = made(&target, find(kind), change).unwrap_err();
        assert!(error.message().contains(words), "{error}");
    };
    let value = |map: &mut MapPlan| map.value_size = 8;
    refused(MapType::RINGBUF, &value, "value_size must be 0, not 8");
    let huge = |map: &mut MapPlan| map.max_entries = 0x9000_0000;
    refused(MapType::RINGBUF, &huge, "a power of two from 4096");
    let key = |map: &mut MapPlan| map.key_size = 8;
    refused(MapType::ARRAY, &key, "a key of 4 bytes");
    refused(MapType::QUEUE, &key, "key_size must be 0, not 8");
    let prealloc = |map: &mut MapPlan| map.flags = 0;
    refused(
        MapType::LPM_TRIE,
        &prealloc,
        "needs the flag BPF_F_NO_PREALLOC",
    );
    refused(
        MapType::SK_STORAGE,
        &prealloc,
        "needs the flag BPF_F_NO_PREALLOC",
    );
    let many = |map: &mut MapPlan| map.max_entries = 100;
    refused(MapType::SK_STORAGE, &many, "max_entries must be 0, not 100");
    let large = |map: &mut MapPlan| map.value_size = 5 << 20;
    refused(MapType::HASH, &large, "value_size must not be 5242880");
}
