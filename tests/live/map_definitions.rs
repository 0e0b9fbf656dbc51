//! Maps as the kernel describes them, compared with their definitions in `fixtures/src`.

use crate::load::load_fixture;
use crate::support::{Need, check, fixture};
use rawbpf::map::Map;
use rawbpf::reloc::Target;
use rawbpf::sys::bpf;
use rawbpf::sys::system::possible_cpus;
use rawbpf::{Errno, MapType, OpenObject};
use std::os::fd::AsFd;

/// A map's name, its type, the bytes of key and value, how many entries, flags, the extra parameter, whether it has types.
type Line = (&'static str, MapType, u32, u32, u32, u32, u64, bool);

const MAPS: &[Line] = &[
    ("hash", MapType::HASH, 8, 16, 100, 1, 0, true),
    ("array_by_size", MapType::ARRAY, 4, 24, 3, 0, 0, false),
    ("on_node_0", MapType::HASH, 4, 4, 10, 4, 0, true),
    ("percpu_hash", MapType::PERCPU_HASH, 4, 16, 10, 0, 0, true),
    ("percpu_array", MapType::PERCPU_ARRAY, 4, 4, 2, 0, 0, true),
    ("lru_hash", MapType::LRU_HASH, 8, 1, 1000, 0, 0, true),
    ("lpm_trie", MapType::LPM_TRIE, 8, 4, 16, 1, 0, true),
    ("queue", MapType::QUEUE, 0, 8, 5, 0, 0, false),
    ("stack", MapType::STACK, 0, 8, 5, 0, 0, false),
    ("ring", MapType::RINGBUF, 0, 0, 8192, 0, 0, false),
    (
        "a_name_longer_than_the_kernels",
        MapType::ARRAY,
        4,
        8,
        1,
        0,
        0,
        true,
    ),
    ("inner_one", MapType::ARRAY, 4, 8, 4, 0, 0, true),
    ("inner_two", MapType::ARRAY, 4, 8, 4, 0, 0, true),
    (
        "array_of_maps",
        MapType::ARRAY_OF_MAPS,
        4,
        4,
        3,
        0,
        0,
        false,
    ),
    ("hash_of_maps", MapType::HASH_OF_MAPS, 4, 4, 8, 0, 0, false),
    // The kernel refuses a key type without a value type; the map is created without types.
    ("jumps", MapType::PROG_ARRAY, 4, 4, 4, 0, 0, false),
];

const NEWER: &[Line] = &[
    ("bloom", MapType::BLOOM_FILTER, 0, 8, 1000, 0, 4, true),
    ("commands", MapType::USER_RINGBUF, 0, 0, 4096, 0, 0, false),
];

const ARENA: &[Line] = &[("arena", MapType::ARENA, 0, 0, 16, 1024, 1 << 44, false)];

const STORAGE: &[Line] = &[("of_socket", MapType::SK_STORAGE, 4, 8, 0, 1, 0, true)];

fn seen(map: &Map, line: &Line) -> Line {
    let info = map.info().unwrap();
    assert!(line.0.starts_with(&info.name) && info.name.len() == line.0.len().min(15));
    let procfs = bpf::map_info_from_fdinfo(map.as_fd()).unwrap();
    let sizes = |info: &bpf::MapInfo| {
        let sizes = (info.key_size, info.value_size, info.max_entries);
        (info.kind, sizes, info.flags, info.map_extra)
    };
    assert_eq!(sizes(&info), sizes(&procfs), "{}", line.0);
    assert_eq!(info.id, procfs.id);
    (
        line.0,
        info.kind,
        info.key_size,
        info.value_size,
        info.max_entries,
        info.flags.bits(),
        info.map_extra,
        info.btf_id != 0,
    )
}

#[test]
fn maps_are_made_as_they_are_defined() {
    require!(Need::Bpf, Need::Btf);
    for (fixture, since, lines) in [
        ("maps", Need::Linux(5, 10), MAPS),
        ("storage", Need::Linux(5, 10), STORAGE),
        ("maps_newer", Need::Linux(6, 1), NEWER),
        ("arena", Need::Linux(6, 9), ARENA),
    ] {
        if check(&[since]).is_err() {
            continue;
        }
        let object = load_fixture(fixture, |_| Ok(())).unwrap();
        for line in lines {
            assert_eq!(seen(object.map(line.0).unwrap(), line), *line);
        }
    }
}

#[test]
fn a_perf_event_array_of_no_size_has_a_slot_for_each_cpu() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("maps", |_| Ok(())).unwrap();
    let info = object.map("perf_events").unwrap().info().unwrap();
    assert_eq!(info.kind, MapType::PERF_EVENT_ARRAY);
    assert_eq!(info.max_entries, possible_cpus().unwrap());
}

/// The kernel does not report which node a map's memory is on, but it refuses nodes that do not exist.
#[test]
fn a_memory_node_that_is_not_there_is_refused() {
    require!(Need::Bpf, Need::Btf);
    let on_node = |node| {
        load_fixture("maps", |object: &mut OpenObject| {
            object.map_mut("on_node_0")?.set_numa_node(node);
            Ok(())
        })
    };
    on_node(0).unwrap();
    let error = on_node(1000).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EINVAL));
    let text = error.to_string();
    assert!(
        text.contains("map `on_node_0`") && text.contains("NUMA node 1000"),
        "{text}"
    );
}

/// Since Linux 7.2 the kernel says what is wrong with a map.
#[test]
fn a_refused_map_is_explained_in_the_kernels_words() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 16));
    let error = load_fixture("maps", |object: &mut OpenObject| {
        object.map_mut("hash")?.set_extra(5);
        Ok(())
    });
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("map `hash`") && text.contains("map_extra 0x5"),
        "{text}"
    );
    let must_explain = check(&[Need::Linux(7, 2)]).is_ok();
    assert!(
        text.contains("the kernel says: ") || !must_explain,
        "{text}"
    );
}

#[test]
fn a_map_that_needs_types_says_why_there_are_none() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 2));
    let open = OpenObject::from_file(fixture("storage.bpf.o")).unwrap();
    let target = Target::running();
    let mut plan = open.relocate(&target).unwrap();
    plan.btf = Some(b"no types".to_vec());
    let error = plan.load(&target).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EINVAL));
    assert!(error.to_string().contains("map `of_socket`"), "{error}");
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("does not take the type information"),
        "{hint}"
    );
}
