//! The same mistake is the same kind of error wherever it is made; and hints name the actual cause, not a usual one.

use crate::maps::create;
use crate::support::{Need, PinFolder, fixture};
use rawbpf::attach::{Cgroup, Interface, Link, Netns, Tcx, Uprobe, Xdp};
use rawbpf::btf::Btf;
use rawbpf::load::Object;
use rawbpf::map::{Access, Map, UpdateMode};
use rawbpf::program::Program;
use rawbpf::ring::{PerfBuffer, RingBuffer, UserRingBuffer};
use rawbpf::sys::bpf::{self, MapCreate};
use rawbpf::{Errno, Error, ErrorKind, MapType, OpenObject};
use std::ffi::CString;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// An id that no kernel has assigned yet.
const NO_ID: u32 = u32::MAX - 1;

fn load(name: &str, programs: &[&str]) -> Object {
    let mut open = OpenObject::from_file(fixture(name)).unwrap();
    for program in open.programs_mut() {
        let wanted = programs.contains(&program.name());
        program.set_autoload(wanted);
    }
    open.load().unwrap()
}

fn assert_kind<T>(what: &str, result: Result<T, Error>, kind: ErrorKind) -> Error {
    let error = result.err().unwrap_or_else(|| panic!("{what}: no error"));
    assert_eq!(error.kind(), kind, "{what}: {error}");
    error
}

#[test]
fn what_is_not_there_is_not_found() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs, Need::Linux(5, 9));
    let absent = |what, result: Result<(), Error>| {
        assert_kind(what, result, ErrorKind::NotFound);
    };
    let folder = PinFolder::new();
    let nothing = folder.path().join("nothing");
    absent("map pin", Map::from_pin(&nothing).map(drop));
    absent("program pin", Program::from_pin(&nothing).map(drop));
    absent("program id", Program::from_id(NO_ID).map(drop));
    absent("link pin", Link::from_pin(&nothing).map(drop));
    absent("map id", Map::from_id(NO_ID).map(drop));
    absent("link id", Link::from_id(NO_ID).map(drop));
    absent("type id", Btf::from_id(NO_ID, None).map(drop));
    absent("object", OpenObject::from_file("/no/such").map(drop));

    let object = load("sockets.bpf.o", &["steer"]);
    let steer = object.program("steer").unwrap();
    let netns = Netns::at("/no/such");
    absent("namespace", steer.attach_netns(&netns).map(drop));
    let object = load("xdp.bpf.o", &["count_packets"]);
    let pass = object.program("count_packets").unwrap();
    for interface in [Interface::from("no-such-if"), Interface::from(NO_ID)] {
        let at = Xdp::on(interface);
        absent("interface", pass.attach_xdp(&at).map(drop));
    }
    let object = load("tc.bpf.o", &["first"]);
    let first = object.program("first").unwrap();
    let at = Tcx::ingress("no-such-if");
    absent("interface", first.attach_tcx(&at).map(drop));
    let object = load("cgroup.bpf.o", &["skb_ingress"]);
    let ingress = object.program("skb_ingress").unwrap();
    let at = Cgroup::at("/no/such");
    absent("cgroup", ingress.attach_cgroup(&at).map(drop));
    let object = load("opensnoop.bpf.o", &[]);
    absent("map", object.map("no_such").map(drop));
    absent("program", object.program("no_such").map(drop));
}

#[test]
fn places_of_tracing_that_are_not_there_are_not_found() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Uprobes);
    let absent = |what, result: Result<(), Error>| {
        assert_kind(what, result, ErrorKind::NotFound);
    };
    let object = load("count_raw_tp.bpf.o", &["count_sys_enter"]);
    let count = object.programs().first().unwrap();
    let link = count.attach_raw_tracepoint("no_such").map(drop);
    absent("raw tracepoint", link);
    let object = load("opensnoop.bpf.o", &["enter_openat"]);
    if let Some(program) = object.programs().first() {
        let link = program.attach_tracepoint("syscalls", "no_such").map(drop);
        absent("tracepoint", link);
    }
    let object = load("uprobe.bpf.o", &["call"]);
    let call = object.program("call").unwrap();
    let at = Uprobe::entry("/no/such", "main");
    absent("file", call.attach_uprobe(&at).map(drop));
    let at = Uprobe::entry("/proc/self/exe", "no_such_function");
    absent("function", call.attach_uprobe(&at).map(drop));
}

fn map_of(kind: MapType) -> Map {
    create(&MapCreate {
        kind,
        key_size: if kind == MapType::RINGBUF { 0 } else { 4 },
        value_size: if kind == MapType::RINGBUF { 0 } else { 4 },
        max_entries: 4096,
        name: "t_kinds",
        ..MapCreate::default()
    })
}

#[test]
fn a_map_of_another_type_is_an_invalid_argument() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let hash = map_of(MapType::HASH);
    let wrong = |what, result: Result<(), Error>| {
        let error = assert_kind(what, result, ErrorKind::InvalidArgument);
        let text = error.to_string();
        assert!(
            text.contains("hash") || text.contains("BPF_F_MMAPABLE"),
            "{what}: {text}"
        );
    };
    wrong("ring buffer", RingBuffer::new(&hash).map(drop));
    wrong("perf buffer", PerfBuffer::new(&hash).map(drop));
    wrong("user ring buffer", UserRingBuffer::new(&hash).map(drop));
    wrong("memory", hash.memory(Access::ReadOnly).map(drop));
    // And the other way round.
    let ring = map_of(MapType::RINGBUF);
    let error = assert_kind("element", ring.get(&[]), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("type ringbuf"), "{error}");
    let written = ring.insert(&[], &[], UpdateMode::Any);
    assert_kind("element", written, ErrorKind::InvalidArgument);
}

#[test]
fn a_pin_with_a_dot_is_told_what_is_wrong_with_it() {
    require!(Need::Bpf, Need::Bpffs, Need::Linux(5, 10));
    let folder = PinFolder::new();
    let map = map_of(MapType::HASH);
    let pin = |path: &Path| {
        let mut open = OpenObject::from_file(fixture("tables.bpf.o")).unwrap();
        for program in open.programs_mut() {
            program.set_autoload(false);
        }
        let first = open.maps()[0].name().to_owned();
        open.map_mut(&first)
            .unwrap()
            .set_pin_path(Some(path.to_owned()));
        open.load().map(drop)
    };
    for name in ["a.b", "a.b/c"] {
        let path = folder.path().join(name);
        let opened = Map::from_pin(&path).map(drop);
        for (what, result) in [("open", opened), ("pin", pin(&path))] {
            let error = assert_kind(what, result, ErrorKind::InvalidArgument);
            assert!(
                error.hint().is_some_and(|hint| hint.contains("no dots")),
                "{what}: {error}"
            );
            assert_eq!(error.errno(), Some(Errno::EPERM));
        }
    }
    drop(map);
}

#[test]
fn a_folder_is_no_pin() {
    require!(Need::Bpf, Need::Bpffs, Need::Linux(5, 10));
    let folder = PinFolder::new();
    let map = map_of(MapType::HASH);
    let path = folder.path().join("inside");
    let c_path = CString::new(path.as_os_str().as_bytes()).unwrap();
    bpf::obj_pin(map.as_fd(), None, &c_path).unwrap();
    let opened = Map::from_pin(folder.path()).map(drop);
    let linked = Link::from_pin(folder.path()).map(drop);
    for result in [opened, linked] {
        let error = assert_kind("folder", result, ErrorKind::InvalidArgument);
        let text = error.to_string();
        assert!(
            text.contains("it is a folder") && text.contains("inside"),
            "{text}"
        );
        assert!(!text.contains("run as root"), "{text}");
    }
    let error = assert_kind(
        "no link",
        Link::from_pin(&path).map(drop),
        ErrorKind::InvalidArgument,
    );
    assert!(error.to_string().contains("not a BPF link"), "{error}");
    fs::remove_file(&path).unwrap();
}
