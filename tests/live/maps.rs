//! Maps in the kernel: elements, iteration, per-CPU values, batches, pins, memory.

use crate::support::{Need, PinFolder, lift_memlock};
use rawbpf::map::{Access, BatchCursor, BatchMode, Map, OpenAccess, UpdateMode};
use rawbpf::sys::bpf::{self, MapCreate};
use rawbpf::{Errno, ErrorKind, MapFlags, MapType};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd};

pub(crate) fn create(create: &MapCreate<'_>) -> Map {
    lift_memlock();
    Map::new(bpf::map_create(create).unwrap(), create.name)
}

fn hash(name: &str) -> Map {
    create(&MapCreate {
        kind: MapType::HASH,
        key_size: 4,
        value_size: 8,
        max_entries: 100,
        name,
        ..MapCreate::default()
    })
}

fn key(number: u32) -> [u8; 4] {
    number.to_ne_bytes()
}

fn value(number: u64) -> [u8; 8] {
    number.to_ne_bytes()
}

#[test]
fn elements_come_and_go() {
    require!(Need::Bpf);
    let map = hash("t_elements");
    assert!(map.as_fd().as_raw_fd() > 2);
    assert_eq!(map.get(&key(1)).unwrap(), None);
    map.insert(&key(1), &value(10), UpdateMode::NoExist)
        .unwrap();
    assert_eq!(map.get(&key(1)).unwrap().unwrap(), value(10));
    let twice = map
        .insert(&key(1), &value(11), UpdateMode::NoExist)
        .unwrap_err();
    assert_eq!(twice.errno(), Some(Errno::EEXIST));
    map.insert(&key(1), &value(12), UpdateMode::Exist).unwrap();
    let absent = map
        .insert(&key(2), &value(12), UpdateMode::Exist)
        .unwrap_err();
    assert_eq!(absent.errno(), Some(Errno::ENOENT));
    assert!(map.remove(&key(1)).unwrap());
    assert!(!map.remove(&key(1)).unwrap());
}

#[test]
fn slices_of_the_wrong_length_never_reach_the_kernel() {
    require!(Need::Bpf);
    let map = hash("t_lengths");
    let errors = [
        map.get(&[0; 3]).unwrap_err(),
        map.get_into(&key(1), &mut vec![0; 7]).unwrap_err(),
        map.insert(&key(1), &[0; 9], UpdateMode::Any).unwrap_err(),
        map.remove(&[]).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.to_string().contains("t_lengths"), "{error}");
    }
    let raw = map.get(&[0; 3]).unwrap_err().to_string();
    assert!(raw.contains("3 bytes") && raw.contains("have 4"), "{raw}");
}

#[test]
fn a_full_map_says_so() {
    require!(Need::Bpf);
    let map = hash("t_full");
    for number in 0..100 {
        map.insert(&key(number), &value(0), UpdateMode::Any)
            .unwrap();
    }
    let error = map
        .insert(&key(100), &value(0), UpdateMode::Any)
        .unwrap_err();
    assert_eq!(error.errno(), Some(Errno::E2BIG));
    assert!(error.hint().unwrap().contains("100"), "{error}");
}

#[test]
fn iteration_sees_every_element_once() {
    require!(Need::Bpf);
    let map = hash("t_iter");
    let wanted: BTreeMap<_, _> = (0..100u32)
        .map(|n| (key(n).to_vec(), value(u64::from(n) * 3).to_vec()))
        .collect();
    for (key, value) in &wanted {
        map.insert(key, value, UpdateMode::Any).unwrap();
    }
    let seen: Vec<_> = map.iter().map(Result::unwrap).collect();
    assert_eq!(seen.len(), 100);
    assert_eq!(seen.into_iter().collect::<BTreeMap<_, _>>(), wanted);
    assert_eq!(map.keys().count(), 100);
}

/// The kernel starts over at the first key if the key to continue from is gone.
#[test]
fn iteration_ends_though_keys_vanish() {
    require!(Need::Bpf);
    let map = hash("t_vanish");
    for number in 0..50 {
        map.insert(&key(number), &value(0), UpdateMode::Any)
            .unwrap();
    }
    let mut removed = 0;
    for found in map.keys() {
        let found = found.unwrap();
        // Removed and inserted again: an endless supply.
        removed += usize::from(map.remove(&found).unwrap());
        map.insert(&found, &value(1), UpdateMode::Any).unwrap();
        map.remove(&found).unwrap();
        map.insert(&found, &value(2), UpdateMode::Any).unwrap();
    }
    assert!((50..=100).contains(&removed), "{removed}");
}

#[test]
fn every_cpu_has_its_own_value() {
    require!(Need::Bpf);
    let map = create(&MapCreate {
        kind: MapType::PERCPU_HASH,
        key_size: 4,
        value_size: 12,
        max_entries: 4,
        name: "t_percpu",
        ..MapCreate::default()
    });
    let mut values = map.new_per_cpu().unwrap();
    let cpus = values.len();
    assert!(cpus >= 1);
    for cpu in 0..cpus {
        values
            .get_mut(cpu)
            .unwrap()
            .fill(u8::try_from(cpu + 1).unwrap());
    }
    map.insert_per_cpu(&key(9), &values, UpdateMode::Any)
        .unwrap();
    let back = map.get_per_cpu(&key(9)).unwrap().unwrap();
    for (cpu, value) in back.iter().enumerate() {
        assert_eq!(value, [u8::try_from(cpu + 1).unwrap(); 12]);
    }
    assert_eq!(map.get_per_cpu(&key(8)).unwrap(), None);
    let other = hash("t_no_percpu").get_per_cpu(&key(1)).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::InvalidArgument);
    let one = map.get_cpu(&key(9), 0).unwrap();
    assert_eq!(one, Some(vec![1; 12]));
    assert_eq!(map.get_cpu(&key(8), 0).unwrap(), None);
    let short = map.insert_cpu(&key(9), 0, &[0; 8], UpdateMode::Any);
    assert_eq!(short.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn one_value_is_written_for_all_cpus() {
    require!(Need::Bpf);
    let map = create(&MapCreate {
        kind: MapType::PERCPU_HASH,
        key_size: 4,
        value_size: 12,
        max_entries: 4,
        name: "t_all_cpus",
        ..MapCreate::default()
    });
    let all = |at| {
        let values = map.get_per_cpu(&key(at)).unwrap().unwrap();
        assert!(values.iter().all(|one| one == values.get(0).unwrap()));
        values.get(0).unwrap().to_vec()
    };
    for (byte, mode) in [
        (1, UpdateMode::NoExist),
        (2, UpdateMode::Any),
        (3, UpdateMode::Exist),
    ] {
        map.insert_all_cpus(&key(1), &[byte; 12], mode).unwrap();
        assert_eq!(all(1), [byte; 12], "{mode:?}");
    }
    let there = map.insert_all_cpus(&key(1), &[4; 12], UpdateMode::NoExist);
    assert_eq!(there.unwrap_err().errno(), Some(Errno::EEXIST));
    let short = map.insert_all_cpus(&key(1), &[4; 8], UpdateMode::Any);
    assert_eq!(short.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let other = hash("t_no_percpu").insert_all_cpus(&key(1), &value(1), UpdateMode::Any);
    assert_eq!(other.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn queues_and_stacks_have_no_keys() {
    require!(Need::Bpf, Need::Linux(4, 20));
    let of = |map_type, name| {
        create(&MapCreate {
            kind: map_type,
            value_size: 8,
            max_entries: 4,
            name,
            ..MapCreate::default()
        })
    };
    for (map, first) in [
        (of(MapType::QUEUE, "t_queue"), 1),
        (of(MapType::STACK, "t_stack"), 2),
    ] {
        assert_eq!(map.pop().unwrap(), None);
        map.push(&value(1)).unwrap();
        map.push(&value(2)).unwrap();
        assert_eq!(map.peek().unwrap().unwrap(), value(first));
        assert_eq!(map.pop().unwrap().unwrap(), value(first));
        assert_eq!(map.pop().unwrap().unwrap(), value(3 - first));
        assert_eq!(map.pop().unwrap(), None);
    }
}

#[test]
fn batches_read_write_and_remove() {
    require!(Need::Bpf, Need::Linux(5, 6));
    let map = hash("t_batch");
    let keys: Vec<u8> = (0..40u32).flat_map(key).collect();
    let values: Vec<u8> = (0..40u64).flat_map(value).collect();
    map.insert_batch(&keys, &values, UpdateMode::Any).unwrap();

    let mut seen = BTreeMap::new();
    let mut cursor = BatchCursor::default();
    let (mut some_keys, mut some_values) = (vec![0; 16 * 4], vec![0; 16 * 8]);
    while !cursor.is_finished() {
        let count = map
            .get_batch(
                &mut cursor,
                &mut some_keys,
                &mut some_values,
                BatchMode::Keep,
            )
            .unwrap();
        let pairs = some_keys.chunks(4).zip(some_values.chunks(8)).take(count);
        seen.extend(pairs.map(|(k, v)| (k.to_vec(), v.to_vec())));
    }
    assert_eq!(seen.len(), 40);
    assert_eq!(seen[&key(39).to_vec()], value(39));

    map.remove_batch(&keys[..80]).unwrap();
    assert_eq!(map.keys().count(), 20);
    let mut cursor = BatchCursor::default();
    let (mut all_keys, mut all_values) = (vec![0; 100 * 4], vec![0; 100 * 8]);
    let count = map
        .get_batch(
            &mut cursor,
            &mut all_keys,
            &mut all_values,
            BatchMode::Remove,
        )
        .unwrap();
    assert_eq!(count, 20);
    assert_eq!(map.keys().count(), 0);
    assert!(
        map.get_batch(
            &mut BatchCursor::default(),
            &mut [],
            &mut [],
            BatchMode::Keep
        )
        .is_err()
    );
}

/// A way to open an existing map.
type Open<'a> = &'a dyn Fn(OpenAccess) -> rawbpf::Result<Map>;

#[test]
fn a_pinned_map_is_found_again() {
    require!(Need::Bpf, Need::Bpffs);
    let folder = PinFolder::new();
    let path = folder.path().join("inner/map");
    let map = hash("t_pin");
    map.insert(&key(1), &value(5), UpdateMode::Any).unwrap();
    map.pin(&path).unwrap();
    let again = map.pin(&path).unwrap_err();
    assert_eq!(again.errno(), Some(Errno::EEXIST));

    let found = Map::from_pin(&path).unwrap();
    assert_eq!(found.id().unwrap(), map.id().unwrap());
    assert_eq!(found.name(), "t_pin");
    assert_eq!(found.get(&key(1)).unwrap().unwrap(), value(5));

    let id = map.id().unwrap();
    let ways: [Open<'_>; 2] = [&|access| Map::from_id_with(id, access), &|access| {
        Map::from_pin_with(&path, access)
    }];
    for open in ways {
        let read = open(OpenAccess::ReadOnly).unwrap();
        assert_eq!(read.get(&key(1)).unwrap().unwrap(), value(5));
        let refused = read.insert(&key(1), &value(6), UpdateMode::Any);
        let refused = refused.unwrap_err();
        assert_eq!(refused.errno(), Some(Errno::EPERM));
        assert!(refused.hint().unwrap().contains("read-only"), "{refused}");
        let write = open(OpenAccess::WriteOnly).unwrap();
        write.insert(&key(1), &value(5), UpdateMode::Any).unwrap();
        let refused = write.get(&key(1)).unwrap_err();
        assert_eq!(refused.errno(), Some(Errno::EPERM));
        assert!(refused.hint().unwrap().contains("write-only"), "{refused}");
    }

    map.unpin(&path).unwrap();
    let gone = Map::from_pin(&path).unwrap_err();
    assert_eq!(gone.errno(), Some(Errno::ENOENT));
    std::fs::remove_dir(folder.path().join("inner")).unwrap();
}

#[test]
fn other_objects_are_refused() {
    require!(Need::Bpf);
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(Map::from_fd(file.into()).is_err());
    assert!(Map::from_id(u32::MAX - 1).is_err());
}

#[test]
fn an_array_is_memory_until_it_is_frozen() {
    require!(Need::Bpf, Need::Linux(5, 5));
    let map = create(&MapCreate {
        kind: MapType::ARRAY,
        key_size: 4,
        value_size: 12,
        max_entries: 3,
        flags: MapFlags::MMAPABLE,
        name: "t_memory",
        ..MapCreate::default()
    });
    let memory = map.memory(Access::ReadWrite).unwrap();
    assert_eq!(memory.len(), 48);
    memory.write(16, &[7; 12]).unwrap();
    assert_eq!(map.get(&key(1)).unwrap().unwrap(), [7; 12]);
    map.insert(&key(2), &[8; 12], UpdateMode::Any).unwrap();
    let mut bytes = [0; 12];
    memory.read(32, &mut bytes).unwrap();
    assert_eq!(bytes, [8; 12]);

    let busy = map.freeze().unwrap_err();
    assert_eq!(busy.errno(), Some(Errno::EBUSY));
    drop(memory);
    map.freeze().unwrap();
    let frozen = map.insert(&key(0), &[0; 12], UpdateMode::Any).unwrap_err();
    assert_eq!(frozen.kind(), ErrorKind::Permission);
    assert!(map.memory(Access::ReadWrite).is_err());
    let memory = map.memory(Access::ReadOnly).unwrap();
    memory.read(16, &mut bytes).unwrap();
    assert_eq!(bytes, [7; 12]);
    assert!(memory.write(16, &[0]).is_none());

    let other = hash("t_no_memory").memory(Access::ReadOnly).unwrap_err();
    assert!(other.hint().is_some());
}
