//! Misused maps: errors show both sides. And rare uses of maps.

use crate::maps::create;
use crate::support::{Cgroup, Need, PinFolder, check, fixture, in_own_network};
use rawbpf::load::{Live, Object};
use rawbpf::map::{BatchCursor, BatchMode, Fd, Map, UpdateMode};
use rawbpf::probe::map_kind;
use rawbpf::program::TestRun;
use rawbpf::sys::bpf::{self, MapCreate, ObjectKind};
use rawbpf::{Error, ErrorKind, MapType, OpenObject};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use zerocopy::{FromBytes, Immutable, IntoBytes};

fn hash(name: &str) -> Map {
    create(&MapCreate {
        kind: MapType::HASH,
        key_size: 4,
        value_size: 8,
        max_entries: 64,
        name,
        ..MapCreate::default()
    })
}

fn of_fixture(name: &str) -> Object {
    OpenObject::from_file(fixture(name))
        .unwrap()
        .load()
        .unwrap()
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T, Error>, words: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    for word in words {
        assert!(
            error.to_string().contains(word),
            "`{word}` is missing in: {error}"
        );
    }
}

fn own(fd: impl AsFd) -> OwnedFd {
    fd.as_fd().try_clone_to_owned().unwrap()
}

/// The information of another object was once taken for a map's: its tag for the sizes of keys and values.
#[test]
fn a_descriptor_of_another_object_is_no_map() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 10));
    let object = of_fixture("globals.bpf.o");
    let program = object.program("add_up").unwrap();
    assert_refused(Map::from_fd(own(program)), &["is a program, not a map"]);
    let btf = bpf::fd_by_id(ObjectKind::Btf, program.info().unwrap().btf_id).unwrap();
    assert_refused(Map::from_fd(btf), &["is a BTF blob, not a map"]);
    let links = object.attach().unwrap();
    let link = links.iter().find_map(rawbpf::attach::Link::fd).unwrap();
    assert_refused(Map::from_fd(own(link)), &["is a link, not a map"]);
    let file = std::fs::File::open("/dev/null").unwrap();
    assert_refused(Map::from_fd(file.into()), &["is not a BPF map"]);
}

#[test]
fn a_pin_of_another_object_is_no_map() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs, Need::Linux(5, 10));
    let folder = PinFolder::new();
    let path = folder.path().join("program");
    let object = of_fixture("maps.bpf.o");
    let c_path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let program = object.program("first").unwrap();
    bpf::obj_pin(program.as_fd(), None, &c_path).unwrap();
    let text = path.display().to_string();
    assert_refused(Map::from_pin(&path), &[&text, "is a program, not a map"]);
    // The same when an object would reuse the map from there.
    let mut open = OpenObject::from_file(fixture("maps.bpf.o")).unwrap();
    open.map_mut("hash")
        .unwrap()
        .set_pin_path(Some(path.clone()));
    assert_refused(open.load(), &["`hash`", &text, "is a program, not a map"]);
}

#[test]
fn a_map_of_the_wrong_type_is_named_with_its_type() {
    require!(Need::Bpf, Need::Linux(4, 20));
    let map = hash("t_keyed");
    for result in [map.push(&[0; 8]).map(|()| None), map.pop(), map.peek()] {
        assert_refused(result, &["t_keyed", "type hash", "keys of 4 bytes"]);
    }
    assert_refused(map.get_per_cpu(&[0; 4]), &["t_keyed", "type hash"]);
    assert_refused(map.typed::<u32, Fd>(), &["type hash", "not descriptors"]);
    assert_refused(map.typed::<Fd, u64>(), &["type hash", "not descriptors"]);
}

#[test]
fn batches_of_odd_sizes_are_refused_with_both() {
    require!(Need::Bpf);
    let map = hash("t_odd_batch");
    let mut cursor = BatchCursor::default();
    let short = map.get_batch(&mut cursor, &mut [0; 3], &mut [0; 8], BatchMode::Keep);
    assert_refused(short, &["t_odd_batch", "3 bytes", "key has 4"]);
    let short = map.get_batch(&mut cursor, &mut [0; 4], &mut [0; 7], BatchMode::Keep);
    assert_refused(short, &["7 bytes", "value has 8"]);
    assert_refused(map.remove_batch(&[0; 6]), &["6 bytes", "keys of 4 bytes"]);
    let odd = map.insert_batch(&[0; 8], &[0; 9], UpdateMode::Any);
    assert_refused(odd, &["9 bytes of values", "4 and 8 bytes"]);
}

/// The iterator knows the next key already when that is removed.
#[test]
fn iteration_survives_the_loss_of_the_next_key() {
    require!(Need::Bpf);
    let map = hash("t_lost_key").typed::<u32, u64>().unwrap();
    for number in 0..64 {
        map.insert(&number, &1, UpdateMode::Any).unwrap();
    }
    let mut seen = BTreeSet::new();
    let mut elements = map.iter();
    for _ in 0..8 {
        seen.insert(elements.next().unwrap().unwrap().0);
    }
    for number in 0..64 {
        map.remove(&number).unwrap();
    }
    map.insert(&1000, &1, UpdateMode::Any).unwrap();
    // Removed elements are not shown; new ones may be.
    for element in elements {
        assert_eq!(element.unwrap().0, 1000);
    }
    assert_eq!(seen.len(), 8);
}

#[derive(Debug, Clone, Copy, PartialEq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Locked {
    lock: u32,
    pad: u32,
    numbers: [u64; 2],
}
rawbpf::layout!(Locked { lock, pad, numbers });

/// The object `owners` with only these maps.
fn owners(maps: &[&str]) -> Object {
    let mut open = OpenObject::from_file(fixture("owners.bpf.o")).unwrap();
    for map in ["of_task", "of_inode", "of_cgroup", "with_lock"] {
        let wanted = maps.contains(&map);
        open.map_mut(map).unwrap().set_autocreate(wanted);
    }
    open.load().unwrap()
}

/// Batches of a hash with a lock, which has `value` at key 1, are copied with the lock held; those of others are refused.
fn locked_batches(map: &Map, value: &Locked) {
    let (keys, values) = ([1u32, 2].as_bytes(), [*value, *value]);
    map.insert_batch_locked(keys, values.as_bytes(), UpdateMode::Any)
        .unwrap();
    let (mut found, mut copies) = ([0; 64 * 4], [0; 64 * size_of::<Locked>()]);
    let mut cursor = BatchCursor::default();
    let count = map.get_batch_locked(&mut cursor, &mut found, &mut copies, BatchMode::Keep);
    assert_eq!(count.unwrap(), 2);
    let (first, _) = Locked::read_from_prefix(&copies).unwrap();
    assert_eq!(&first, value);
    map.remove_batch(2u32.as_bytes()).unwrap();

    let without = hash("t_no_lock_batch");
    let error = without
        .insert_batch_locked(1u32.as_bytes(), 1u64.as_bytes(), UpdateMode::Any)
        .unwrap_err();
    assert!(error.hint().unwrap().contains("bpf_spin_lock"), "{error}");
    without
        .insert_batch(1u32.as_bytes(), 1u64.as_bytes(), UpdateMode::Any)
        .unwrap();
    let mut cursor = BatchCursor::default();
    let error = without
        .get_batch_locked(&mut cursor, &mut found, &mut copies, BatchMode::Keep)
        .unwrap_err();
    assert!(error.hint().unwrap().contains("bpf_spin_lock"), "{error}");
}

#[test]
fn values_with_a_lock_are_copied_while_it_is_held() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 1));
    let object = owners(&["with_lock"]);
    let map = object.map("with_lock").unwrap();
    let map = map.typed::<u32, Locked>().unwrap();
    let value = Locked {
        lock: 0,
        pad: 0,
        numbers: [1, 2],
    };
    map.insert_locked(&1, &value, UpdateMode::NoExist).unwrap();
    assert_eq!(map.get_locked(&1).unwrap(), Some(value));
    assert_eq!(map.get_locked(&2).unwrap(), None);
    let without = hash("t_no_lock").typed::<u32, u64>().unwrap();
    let error = without.get_locked(&1).unwrap_err();
    assert!(error.hint().unwrap().contains("bpf_spin_lock"), "{error}");
    let error = without.insert_locked(&1, &1, UpdateMode::Any).unwrap_err();
    assert!(error.hint().unwrap().contains("bpf_spin_lock"), "{error}");
    locked_batches(object.map("with_lock").unwrap(), &value);
    if check(&[Need::Linux(5, 14)]).is_ok() {
        assert_eq!(map.take_locked(&1).unwrap(), Some(value));
        assert_eq!(map.take_locked(&1).unwrap(), None);
        without.insert(&1, &1, UpdateMode::Any).unwrap();
        let error = without.take_locked(&1).unwrap_err();
        assert!(error.hint().unwrap().contains("bpf_spin_lock"), "{error}");
    }
}

/// Tasks by pidfd, files by their descriptor, cgroups by their folder's.
#[test]
fn storage_belongs_to_tasks_files_and_cgroups() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 11));
    let me = rustix::process::pidfd_open(
        rustix::process::getpid(),
        rustix::process::PidfdFlags::empty(),
    );
    belongs("of_task", MapType::TASK_STORAGE, &me.unwrap());
    let file = tempfile::tempfile().unwrap();
    belongs("of_inode", MapType::INODE_STORAGE, &file.into());
}

#[test]
fn storage_belongs_to_cgroups() {
    require!(Need::Bpf, Need::Btf, Need::Cgroup, Need::Linux(6, 2));
    let cgroup = Cgroup::new();
    let folder = std::fs::File::open(cgroup.path()).unwrap();
    belongs("of_cgroup", MapType::CGRP_STORAGE, &folder.into());
}

fn belongs(map: &str, kind: MapType, owner: &OwnedFd) {
    if !map_kind(kind).is_yes() {
        println!("skipped: {map}: the kernel has no maps of type {kind}");
        return;
    }
    let object = owners(&[map]);
    let map = object.map(map).unwrap().typed::<Fd, u64>().unwrap();
    assert_eq!(map.get(owner).unwrap(), None);
    map.insert(owner, &5, UpdateMode::NoExist).unwrap();
    assert_eq!(map.get(owner).unwrap(), Some(5));
    assert!(map.remove(owner).unwrap());
    assert_eq!(map.get(owner).unwrap(), None);
}

/// Frames that are forwarded, many at a time, in a network where they end immediately.
#[test]
fn frames_are_run_in_batches() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 18));
    in_own_network(|| {
        let mut open = OpenObject::from_file(fixture("xdp.bpf.o")).unwrap();
        // UDP is dropped.
        open.variable_mut("drop_protocol")
            .unwrap()
            .set(&17)
            .unwrap();
        let object = open.load().unwrap();
        let seen: Live<u64> = object.live("seen").unwrap();
        let mut frame = [0; 64];
        frame[12] = 8;
        frame[14 + 9] = 17;
        let run = TestRun::new().data(&frame).repeat(1000);
        let program = object.program("count_packets").unwrap();
        program.test_run(&run.live_frames(32)).unwrap();
        assert_eq!(seen.get(), 1000);
        assert_eq!(program.test_run(&run).unwrap().return_value, 1);
        assert_eq!(seen.get(), 2000);
    });
}
