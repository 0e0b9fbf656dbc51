//! Generated bindings, on objects that are loaded.

use crate::support::Need;
use rawbpf::map::{Fd, UpdateMode};
use rawbpf::ring::TypedSample;
use rawbpf::{ErrorKind, include_bpf};
use std::fs::File;
use std::process;
use std::time::Duration;

include_bpf!("../../fixtures/opensnoop.bpf.o");
include_bpf!("../../fixtures/globals.bpf.o");
include_bpf!("../../fixtures/perf_output.bpf.o");
include_bpf!("../../fixtures/maps.bpf.o", mod = all_maps);

const SECOND: Option<Duration> = Some(Duration::from_secs(1));

/// As a program would keep it.
struct Snoop {
    loaded: opensnoop::Loaded,
    links: opensnoop::Links,
}

#[test]
fn events_are_of_their_type() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Linux(5, 8));
    let mut open = opensnoop::open().unwrap();
    open.rodata.targ_tgid = process::id();
    open.maps().start().set_max_entries(64);
    let loaded = open.load().unwrap();
    let links = loaded.attach().unwrap();
    let snoop = Snoop { loaded, links };
    assert_eq!(snoop.loaded.rodata.targ_tgid.get(), process::id());
    assert!(!snoop.loaded.rodata.targ_failed.try_get().unwrap());
    assert_eq!(snoop.loaded.maps.start.max_entries(), 64);

    let mut ring = snoop.loaded.maps.events.ring().unwrap();
    let name = format!("/no/such/file/{}", process::id());
    File::open(&name).unwrap_err();
    let mut found = None;
    for _ in 0..10 {
        for event in &ring.wait(SECOND).unwrap() {
            let event = event.unwrap();
            if event.fname == *name {
                found = Some(*event);
            }
        }
        if found.is_some() {
            break;
        }
    }
    let event = found.unwrap();
    assert_eq!((event.tgid, event.ret), (process::id(), -2));
    assert!(!event.comm.to_str_lossy().is_empty());
    assert_eq!(snoop.loaded.bss.lost.get(), 0);
    // Links by name; dropping one detaches it.
    let names = [&snoop.links.enter_openat, &snoop.links.exit_openat];
    assert!(names.iter().all(|link| link.is_some()));
    assert_eq!(
        snoop.links.exit_openat.as_ref().unwrap().name(),
        "exit_openat"
    );
}

#[test]
fn typed_maps_take_keys_and_values() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let maps = opensnoop::open().unwrap().load().unwrap().maps;
    let args = opensnoop::args {
        fname: 1,
        flags: 2,
        mode: 3,
    };
    // The handle holds the map, without the object.
    maps.start.insert(&7, &args, UpdateMode::Any).unwrap();
    let found = maps.start.get(&7).unwrap().unwrap();
    assert_eq!((found.fname, found.flags, found.mode), (1, 2, 3));
    assert!(maps.start.clone().remove(&7).unwrap());
}

#[test]
fn views_of_all_kinds_of_maps_fit() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 10));
    let loaded = all_maps::open().unwrap().load().unwrap();
    let maps = &loaded.maps;
    let value = all_maps::value {
        packets: 5,
        bytes: 6,
    };
    let key = all_maps::key {
        id: 1,
        port: 2,
        pad: 0,
    };
    maps.hash.insert(&key, &value, UpdateMode::Any).unwrap();
    assert_eq!(maps.hash.get(&key).unwrap().unwrap().bytes, 6);
    maps.queue.push(&9).unwrap();
    assert_eq!(maps.queue.pop().unwrap(), Some(9));
    let _: &rawbpf::map::Map<u32, Fd> = &maps.array_of_maps;
    let _: &rawbpf::map::Map<u32, Fd> = &maps.jumps;
    assert_eq!(maps.percpu_array.max_entries(), 2);
}

#[test]
fn live_variables_change_with_the_programs() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 5));
    let mut open = globals::open().unwrap();
    open.rodata.targ_tgid = process::id();
    open.data.counter = 1000;
    let loaded = open.load().unwrap();
    assert_eq!(loaded.data.counter.get(), 1000);
    assert_eq!(loaded.data.shape.get().name.to_str_lossy(), "shape");
    let _links = loaded.attach().unwrap();
    let _ = File::open("/dev/null");
    assert!(loaded.bss.runs.get() > 0);
    loaded.data.counter.set(&5).unwrap();
    assert_eq!(loaded.data.counter.get(), 5);
}

#[test]
fn perf_events_are_of_their_type() {
    require!(Need::Bpf, Need::Btf);
    let mut open = perf_output::open().unwrap();
    open.rodata.targ_tgid = process::id();
    let loaded = open.load().unwrap();
    let mut perf = loaded.maps.events.perf().unwrap();
    let _links = loaded.attach().unwrap();
    let _ = File::open("/dev/null");
    let mut tgids = Vec::new();
    for _ in 0..10 {
        for sample in &perf.wait(SECOND).unwrap() {
            if let TypedSample::Event { event, .. } = sample.unwrap() {
                tgids.push(event.tgid);
            }
        }
        if !tgids.is_empty() {
            break;
        }
    }
    assert!(!tgids.is_empty() && tgids.iter().all(|tgid| *tgid == process::id()));
}

#[test]
fn a_program_that_was_not_loaded_is_an_error_where_it_is_used() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Linux(5, 8));
    let mut open = opensnoop::open().unwrap();
    open.programs().enter_open().set_autoload(false);
    let loaded = open.load().unwrap();
    let error = loaded.programs.enter_open.attach().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("`enter_open` was not loaded"),
        "{error}"
    );
    assert!(loaded.attach().unwrap().enter_open.is_none());
    drop(loaded.programs.exit_open.attach().unwrap());
}

/// A map that the bindings do not know to be optional has to be there.
#[test]
fn a_map_that_was_not_created_is_an_error_when_loading() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let mut open = opensnoop::open().unwrap();
    open.maps().start().set_autocreate(false);
    for program in open.object_mut().programs_mut() {
        program.set_autoload(false);
    }
    let error = open.load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("optional"), "{error}");
}
