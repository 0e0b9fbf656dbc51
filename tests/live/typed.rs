//! Views of maps, with Rust types for keys and values.

use crate::maps::create;
use crate::support::{Need, fixture};
use rawbpf::btf::Layout;
use rawbpf::load::Object;
use rawbpf::map::{Fd, LpmKey, PerCpu, UpdateMode};
use rawbpf::sys::bpf::MapCreate;
use rawbpf::{Errno, ErrorKind, MapFlags, MapType, OpenObject};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use zerocopy::{FromBytes, Immutable, IntoBytes, TryFromBytes};

/// `struct key` of `fixtures/src/maps.bpf.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Key {
    id: u32,
    port: u16,
    pad: u16,
}
rawbpf::layout!(Key { id, port, pad });

/// `struct value` of `fixtures/src/maps.bpf.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Traffic {
    packets: u64,
    bytes: u64,
}
rawbpf::layout!(Traffic { packets, bytes });

/// Like [`Traffic`], with its fields swapped.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Swapped {
    bytes: u64,
    packets: u64,
}
rawbpf::layout!(Swapped { bytes, packets });

fn maps() -> Object {
    OpenObject::from_file(fixture("maps.bpf.o"))
        .unwrap()
        .load()
        .unwrap()
}

#[test]
fn a_view_of_structs_reads_what_it_wrote() {
    require!(Need::Bpf, Need::Btf);
    let object = maps();
    let hash = object.map("hash").unwrap().typed::<Key, Traffic>().unwrap();
    let key = |id| Key {
        id,
        port: 80,
        pad: 0,
    };
    let value = |packets| Traffic {
        packets,
        bytes: packets * 1000,
    };
    for id in 0..50 {
        hash.insert(&key(id), &value(id.into()), UpdateMode::NoExist)
            .unwrap();
    }
    assert_eq!(hash.get(&key(7)).unwrap(), Some(value(7)));
    assert_eq!(hash.get(&key(50)).unwrap(), None);
    let mut room = value(0);
    assert!(hash.get_into(&key(8), &mut room).unwrap());
    assert_eq!(room, value(8));

    let sum: u64 = hash.iter().map(|e| e.unwrap().1.packets).sum();
    assert_eq!(sum, 49 * 50 / 2);
    assert!(hash.remove(&key(7)).unwrap());
    assert!(!hash.remove(&key(7)).unwrap());
    assert_eq!(hash.keys().count(), 49);
    let bytes = hash.as_bytes().get(key(8).as_bytes()).unwrap().unwrap();
    assert_eq!(bytes, value(8).as_bytes());
}

/// The current key may be removed: each element is still seen once.
#[test]
fn removing_while_iterating_leaves_nothing_out() {
    require!(Need::Bpf, Need::Btf);
    let object = maps();
    let hash = object.map("lru_hash").unwrap().typed::<u64, u8>().unwrap();
    for key in 0..200 {
        hash.insert(&key, &1, UpdateMode::Any).unwrap();
    }
    let mut seen = Vec::new();
    for key in hash.keys() {
        let key = key.unwrap();
        assert!(hash.remove(&key).unwrap());
        seen.push(key);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..200).collect::<Vec<u64>>());
}

#[test]
fn a_view_that_does_not_fit_is_refused_with_both_sides() {
    require!(Need::Bpf, Need::Btf);
    let object = maps();
    let refusal = |error: rawbpf::Error| {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        format!("{error} {}", error.hint().unwrap_or_default())
    };
    let hash = object.map("hash").unwrap();
    let text = refusal(hash.typed::<u32, Traffic>().unwrap_err());
    assert!(
        text.contains("`hash`") && text.contains("`u32` has 4 bytes, but the map's keys have 8"),
        "{text}"
    );
    let text = refusal(hash.typed::<Key, u64>().unwrap_err());
    assert!(
        text.contains("8 bytes, but the map's values have 16"),
        "{text}"
    );
    let text = refusal(hash.typed::<Key, Swapped>().unwrap_err());
    assert!(
        text.contains("field `bytes`") && text.contains("at offset 8, not 0"),
        "{text}"
    );
    let text = refusal(hash.typed::<Key, PerCpu<Traffic>>().unwrap_err());
    assert!(text.contains("one value shared by all CPUs"), "{text}");
    let text = refusal(hash.typed::<Key, Fd>().unwrap_err());
    assert!(text.contains("not descriptors"), "{text}");
    let percpu = object.map("percpu_hash").unwrap();
    let text = refusal(percpu.typed::<u32, Traffic>().unwrap_err());
    assert!(text.contains("PerCpu<"), "{text}");
    let queue = object.map("queue").unwrap();
    let text = refusal(queue.typed::<u32, u64>().unwrap_err());
    assert!(
        text.contains("4 bytes, but the map's keys have 0"),
        "{text}"
    );
    let bloom = queue.typed::<(), u64>().unwrap().contains(&1).unwrap_err();
    assert!(refusal(bloom).contains("bloom"), "only bloom filters");
}

/// A map that comes from elsewhere brings its types along.
#[test]
fn the_kernel_knows_the_types_of_a_map_that_is_found_again() {
    require!(Need::Bpf, Need::Btf);
    let object = maps();
    let found = rawbpf::map::Map::from_id(object.map("hash").unwrap().id().unwrap()).unwrap();
    assert!(found.types().unwrap().is_some());
    found.typed::<Key, Traffic>().unwrap();
    let error = found.typed::<Key, Swapped>().unwrap_err();
    assert!(error.to_string().contains("field `bytes`"), "{error}");
}

#[test]
fn each_cpu_has_a_value_of_its_own() {
    require!(Need::Bpf, Need::Btf);
    let object = maps();
    let map = object.map("percpu_hash").unwrap();
    let map = map.typed::<u32, PerCpu<Traffic>>().unwrap();
    let mut values = map.new_per_cpu().unwrap();
    for cpu in 0..values.len() {
        let packets = cpu as u64 + 1;
        assert!(values.set(cpu, &Traffic { packets, bytes: 0 }));
    }
    map.insert(&3, &values, UpdateMode::Any).unwrap();
    let back = map.get(&3).unwrap().unwrap();
    assert_eq!(back, values);
    assert_eq!(
        back.iter().map(|v| v.packets).max(),
        Some(back.len() as u64)
    );
    assert_eq!(map.get_cpu(&3, 0).unwrap().unwrap().packets, 1);
    assert_eq!(map.get_cpu(&4, 0).unwrap(), None);
    let cpus = u32::try_from(values.len()).unwrap();
    let error = map.get_cpu(&3, cpus).unwrap_err();
    assert!(
        error.to_string().contains(&format!("no CPU {cpus}")),
        "{error}"
    );
}

/// One value is written without the others where the kernel can do that (Linux 7.0), and refused elsewhere.
#[test]
fn the_value_of_one_cpu_is_written_alone_or_not_at_all() {
    require!(Need::Bpf, Need::Btf);
    let object = maps();
    let map = object.map("percpu_array").unwrap();
    let map = map.typed::<u32, PerCpu<u32>>().unwrap();
    let written = map.insert_cpu(&1, 0, &42, UpdateMode::Any);
    if let Err(error) = written {
        let must_write = crate::support::check(&[Need::Linux(7, 0)]).is_ok();
        assert!(!must_write, "{error}");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("Linux 7.0"), "{error}");
    } else {
        assert_eq!(map.get_cpu(&1, 0).unwrap(), Some(42));
        assert_eq!(map.get(&1).unwrap().unwrap().get(0), Some(42));
    }
    map.insert_all_cpus(&1, &43, UpdateMode::Any).unwrap();
    let all = map.get(&1).unwrap().unwrap();
    assert!(all.iter().all(|one| one == 43), "{all:?}");
}

#[test]
fn queues_and_stacks_have_only_values() {
    require!(Need::Bpf, Need::Btf);
    let object = maps();
    for (name, first) in [("queue", 1_u64), ("stack", 5)] {
        let map = object.map(name).unwrap().typed::<(), u64>().unwrap();
        assert_eq!(map.pop().unwrap(), None);
        for value in 1..=5 {
            map.push(&value).unwrap();
        }
        let full = map.push(&6).unwrap_err();
        assert_eq!(full.errno(), Some(Errno::E2BIG));
        assert_eq!(map.peek().unwrap(), Some(first));
        assert_eq!(map.pop().unwrap(), Some(first));
    }
}

#[test]
fn a_bloom_filter_is_asked_for_values() {
    require!(Need::Bpf, Need::Linux(5, 16));
    let map = create(&MapCreate {
        kind: MapType::BLOOM_FILTER,
        value_size: 4,
        max_entries: 100,
        name: "t_bloom",
        ..MapCreate::default()
    });
    let map = map.typed::<(), u32>().unwrap();
    map.push(&7).unwrap();
    assert!(map.contains(&7).unwrap());
    let absent = (1000..1100).filter(|n| !map.contains(n).unwrap()).count();
    assert!(absent > 50, "{absent}");
}

#[test]
fn a_trie_finds_the_longest_prefix() {
    require!(Need::Bpf, Need::Btf);
    let object = maps();
    let trie = object.map("lpm_trie").unwrap();
    let trie = trie.typed::<LpmKey<4>, u32>().unwrap();
    trie.insert(&LpmKey::new(8, [10, 0, 0, 0]), &8, UpdateMode::Any)
        .unwrap();
    trie.insert(&LpmKey::new(16, [10, 1, 0, 0]), &16, UpdateMode::Any)
        .unwrap();
    let find = |a, b, c, d| trie.get(&Ipv4Addr::new(a, b, c, d).into()).unwrap();
    assert_eq!(find(10, 1, 2, 3), Some(16));
    assert_eq!(find(10, 2, 2, 3), Some(8));
    assert_eq!(find(11, 2, 2, 3), None);
}

/// Descriptors in, ids out: program arrays and maps of maps.
#[test]
fn maps_and_programs_are_put_into_maps() {
    require!(Need::Bpf, Need::Btf);
    let object = maps();
    let jumps = object.map("jumps").unwrap().typed::<u32, Fd>().unwrap();
    let second = object.program("second").unwrap();
    jumps.insert(&1, second, UpdateMode::Any).unwrap();
    assert_eq!(jumps.get(&1).unwrap(), Some(second.id().unwrap().into()));
    assert_eq!(jumps.get(&2).unwrap(), None);
    assert!(jumps.remove(&1).unwrap());
    assert_eq!(jumps.get(&1).unwrap(), None);

    let outer = object.map("hash_of_maps").unwrap();
    let outer = outer.typed::<u32, Fd>().unwrap();
    let inner = object.map("inner_one").unwrap();
    outer.insert(&9, inner, UpdateMode::NoExist).unwrap();
    assert_eq!(outer.get(&9).unwrap(), Some(inner.id().unwrap().into()));
    assert_eq!(outer.keys().count(), 2, "5 is from the object");

    let foreign = std::fs::File::open("/dev/null").unwrap();
    let error = outer.insert(&8, &foreign, UpdateMode::Any).unwrap_err();
    assert!(error.hint().unwrap().contains("hash_of_maps"), "{error}");
}

/// The key of a local storage is the descriptor of what the value belongs to.
#[test]
fn storage_belongs_to_the_owner_of_a_descriptor() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 2));
    let object = OpenObject::from_file(fixture("storage.bpf.o"))
        .unwrap()
        .load()
        .unwrap();
    let map = object.map("of_socket").unwrap().typed::<Fd, u64>().unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(map.get(&socket).unwrap(), None);
    map.insert(&socket, &5, UpdateMode::NoExist).unwrap();
    assert_eq!(map.get(&socket).unwrap(), Some(5));
    assert!(map.remove(&socket).unwrap());
    assert!(!map.remove(&socket).unwrap());
    let error = object
        .map("of_socket")
        .unwrap()
        .typed::<u32, u64>()
        .unwrap_err();
    assert!(error.hint().unwrap().contains("Fd"), "{error}");
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(map.get(&file).is_err(), "a file has no socket storage");
}

/// All elements arrive in batches, of any size, and a drained map is empty.
#[test]
fn batches_bring_every_element() {
    require!(Need::Bpf, Need::Linux(5, 6));
    let map = create(&MapCreate {
        kind: MapType::HASH,
        key_size: 4,
        value_size: 8,
        max_entries: 5000,
        name: "t_batches",
        ..MapCreate::default()
    });
    let map = map.typed::<u32, u64>().unwrap();
    let keys: Vec<u32> = (0..5000).collect();
    let values: Vec<u64> = keys.iter().map(|key| u64::from(*key) * 3).collect();
    map.insert_batch(&keys, &values, UpdateMode::NoExist)
        .unwrap();
    for size in [1, 7, 256, 10_000] {
        let mut seen = BTreeMap::new();
        let mut batches = map.batches().with_batch_size(size);
        while let Some((keys, values)) = batches.next_batch().unwrap() {
            seen.extend(keys.iter().copied().zip(values.iter().copied()));
        }
        assert_eq!(seen.len(), 5000, "batches of {size}");
        assert_eq!(seen[&4999], 14_997);
    }
    map.remove_batch(&keys[..1000]).unwrap();
    let mut drained = 0;
    let mut batches = map.drain();
    while let Some((keys, _)) = batches.next_batch().unwrap() {
        drained += keys.len();
    }
    assert_eq!(drained, 4000);
    assert_eq!(map.keys().count(), 0);
    let error = map
        .insert_batch(&keys[..2], &values[..3], UpdateMode::Any)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("2 keys were given, but 3 values"),
        "{error}"
    );
}

/// A map whose type has no batches in the kernel is read, filled and drained one by one.
#[test]
fn batches_fall_back_to_one_by_one() {
    require!(Need::Bpf);
    // Which map types have no batches differs between kernels; none can remove a batch from a trie.
    let map = create(&MapCreate {
        kind: MapType::LPM_TRIE,
        key_size: 8,
        value_size: 4,
        max_entries: 100,
        flags: MapFlags::NO_PREALLOC,
        name: "t_one_by_one",
        ..MapCreate::default()
    });
    let map = map.typed::<LpmKey<4>, u32>().unwrap();
    let keys: Vec<_> = (0..100).map(|n| LpmKey::new(32, [10, 0, 0, n])).collect();
    let values: Vec<u32> = (0..100).collect();
    map.insert_batch(&keys, &values, UpdateMode::Any).unwrap();
    let mut seen = 0;
    let mut batches = map.batches().with_batch_size(9);
    while let Some((keys, values)) = batches.next_batch().unwrap() {
        for (key, value) in keys.iter().zip(values) {
            assert_eq!(u32::from(key.data()[3]), *value);
        }
        seen += keys.len();
    }
    assert_eq!(seen, 100);
    let mut drained = map.drain().with_batch_size(9);
    let mut seen = 0;
    while let Some((keys, _)) = drained.next_batch().unwrap() {
        seen += keys.len();
    }
    assert_eq!(seen, 100);
    assert_eq!(map.keys().count(), 0);
}

/// Nothing is allocated for an operation on plain data.
#[test]
fn operations_on_plain_data_do_not_allocate() {
    require!(Need::Bpf, Need::Btf);
    let object = maps();
    let hash = object.map("hash").unwrap().typed::<Key, Traffic>().unwrap();
    let queue = object.map("queue").unwrap().typed::<(), u64>().unwrap();
    let percpu = object.map("percpu_array").unwrap();
    let percpu = percpu.typed::<u32, PerCpu<u32>>().unwrap();
    let mut values = percpu.new_per_cpu().unwrap();
    let key = Key {
        id: 1,
        port: 2,
        pad: 0,
    };
    let value = Traffic {
        packets: 1,
        bytes: 2,
    };
    let work = || {
        for _ in 0..10 {
            hash.insert(&key, &value, UpdateMode::Any).unwrap();
            assert_eq!(hash.get(&key).unwrap(), Some(value));
            assert_eq!(hash.iter().count(), 1);
            assert_eq!(hash.keys().count(), 1);
            assert!(hash.remove(&key).unwrap());
            assert_eq!(hash.get(&key).unwrap(), None);
            queue.push(&1).unwrap();
            assert_eq!(queue.pop().unwrap(), Some(1));
            assert!(percpu.get_into(&0, &mut values).unwrap());
        }
    };
    let counted = allocation_counter::measure(work);
    assert_eq!(counted.count_total, 0, "{counted:?}");
    // The counter counts.
    let counted =
        allocation_counter::measure(|| drop(hash.as_bytes().get(key.as_bytes()).unwrap()));
    assert_eq!(counted.count_total, 1, "{counted:?}");
}

fn agrees<K: Layout, V: Layout>(map: &rawbpf::map::Map) -> bool {
    map.typed::<K, V>().is_ok()
}

#[test]
fn layouts_of_arrays_and_bytes_agree_with_btf() {
    require!(Need::Bpf, Need::Btf);
    let object = maps();
    let hash = object.map("hash").unwrap();
    assert!(
        agrees::<[u8; 8], [u8; 16]>(hash),
        "bytes stand for anything"
    );
    assert!(
        !agrees::<u64, [u8; 16]>(hash),
        "a struct of three is no number"
    );
    assert!(!agrees::<[u8; 8], [u64; 2]>(hash), "a struct is no array");
}

/// A type that not all bytes are valid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable)]
#[repr(u32)]
enum State {
    Idle = 1,
    Busy = 7,
}
rawbpf::layout!(State);

fn shaped(kind: MapType, value_size: u32) -> rawbpf::map::Map {
    create(&MapCreate {
        kind,
        key_size: 4,
        value_size,
        max_entries: 8,
        name: "shaped",
        ..MapCreate::default()
    })
}

#[test]
fn enums_and_bools_are_checked_as_they_are_read() {
    require!(Need::Bpf);
    let bytes = shaped(MapType::HASH, 1);
    let flags = bytes.typed::<State, bool>().unwrap();
    flags.insert(&State::Idle, &true, UpdateMode::Any).unwrap();
    flags.insert(&State::Busy, &false, UpdateMode::Any).unwrap();
    assert_eq!(flags.get(&State::Idle).unwrap(), Some(true));
    let mut flag = true;
    assert!(flags.get_into(&State::Busy, &mut flag).unwrap());
    assert!(!flag);

    let wrong_value = |error: rawbpf::Error| {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let text = error.to_string();
        let key = 7_u32.to_ne_bytes().map(|b| format!("{b:02x}")).join(" ");
        assert!(text.contains(&format!("value of key {key}")), "{text}");
        assert!(text.contains("02 are not a valid `bool`"), "{text}");
    };
    let busy = 7_u32.to_ne_bytes();
    bytes.insert(&busy, &[2], UpdateMode::Any).unwrap();
    wrong_value(flags.get(&State::Busy).unwrap_err());
    wrong_value(flags.get_into(&State::Busy, &mut flag).unwrap_err());
    assert!(!flag, "what was there stays");
    // The iteration continues after what is wrong.
    let (good, bad): (Vec<_>, Vec<_>) = flags.iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (1, 1));
    for error in bad {
        wrong_value(error.unwrap_err());
    }
    let error = flags.batches().next_batch().unwrap_err().to_string();
    assert!(
        error.contains("of the batch") && error.contains("02 are not"),
        "{error}"
    );
    let taken = flags.take(&State::Busy).unwrap_err();
    // Hashes have it since Linux 5.14.
    if taken.kind() == ErrorKind::Unsupported {
        bytes.remove(&busy).unwrap();
    } else {
        wrong_value(taken);
    }

    bytes.insert(&[9; 4], &[1], UpdateMode::Any).unwrap();
    let keys: Vec<_> = flags.keys().collect();
    assert_eq!(keys.iter().filter(|key| key.is_ok()).count(), 1);
    let wrong = keys.into_iter().find_map(Result::err).unwrap();
    assert_eq!(wrong.kind(), ErrorKind::Corrupt);
    assert!(
        wrong.to_string().contains("09 09 09 09 are not a valid"),
        "{wrong}"
    );
}

#[test]
fn the_value_of_the_wrong_cpu_is_named() {
    require!(Need::Bpf);
    let bytes = shaped(MapType::PERCPU_ARRAY, 4);
    let states = bytes.typed::<u32, PerCpu<State>>().unwrap();
    let error = states.get(&0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let text = error.to_string();
    assert!(
        text.contains("value of CPU 0: the bytes 00 00 00 00"),
        "{text}"
    );
    let error = states.get_cpu(&0, 0).unwrap_err().to_string();
    assert!(error.contains("value of CPU 0: the bytes"), "{error}");
    states
        .insert_all_cpus(&0, &State::Busy, UpdateMode::Any)
        .unwrap();
    let mut all = states.get(&0).unwrap().unwrap();
    assert!(all.iter().all(|state| state == State::Busy));
    assert!(all.set(0, &State::Idle));
    states.insert(&0, &all, UpdateMode::Any).unwrap();
    assert_eq!(states.get_cpu(&0, 0).unwrap(), Some(State::Idle));
}
