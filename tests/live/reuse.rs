//! Maps that exist before the object's programs: given, pinned, or created by preparing.

use crate::support::{Need, PinFolder, fixture};
use rawbpf::map::{Map, UpdateMode};
use rawbpf::sys::bpf::{self, MapCreate, TestRun};
use rawbpf::{Errno, ErrorKind, MapFlags, MapType, OpenObject, OpenOptions};
use std::os::fd::AsFd;
use std::path::Path;

fn array(name: &str, value_size: u32, max_entries: u32) -> Map {
    let create = MapCreate {
        kind: MapType::ARRAY,
        key_size: 4,
        value_size,
        max_entries,
        name,
        ..MapCreate::default()
    };
    Map::new(bpf::map_create(&create).expect("a map"), name)
}

fn counter(map: &Map) -> u64 {
    let value = map.get(&[0; 4]).unwrap().unwrap();
    u64::from_ne_bytes(value.try_into().unwrap())
}

fn set_counter(map: &Map, value: u64) {
    let value = value.to_ne_bytes();
    map.insert(&[0; 4], &value, UpdateMode::Any).unwrap();
}

/// Runs the program once, on an empty packet.
fn run(object: &rawbpf::load::Object, program: &str) {
    let packet = [0; 64];
    let mut run = TestRun {
        data_in: &packet,
        ..TestRun::default()
    };
    bpf::prog_test_run(object.program(program).unwrap().as_fd(), &mut run).unwrap();
}

/// An object with the map `rawbpf_pinned`, pinned below `root`, and the program `count`, which counts in it.
fn open(root: &Path) -> OpenObject {
    OpenOptions::new()
        .pin_root_path(root)
        .open_file(fixture("maps_pinned.bpf.o"))
        .unwrap()
}

#[test]
fn a_given_map_takes_the_place_of_the_objects() {
    require!(Need::Bpf, Need::Btf);
    let map = array("t_given", 8, 1);
    set_counter(&map, 41);
    let mut object = open(Path::new("/nowhere"));
    let mut own = object.map_mut("rawbpf_pinned").unwrap();
    own.set_pin_path(None).reuse(&map).unwrap();
    assert!(own.is_reused());
    let object = object.load().unwrap();
    run(&object, "count");
    assert_eq!(counter(&map), 42);
    let taken = object.map("rawbpf_pinned").unwrap();
    assert_eq!(taken.id().unwrap(), map.id().unwrap());
}

#[test]
fn a_given_map_is_pinned_unless_another_is_there() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let pins = PinFolder::new();
    let (map, other) = (array("t_first", 8, 1), array("t_second", 8, 1));
    let load_with = |map: &Map| {
        let mut object = open(pins.path());
        object.map_mut("rawbpf_pinned").unwrap().reuse(map).unwrap();
        let object = object.load().unwrap();
        object.map("rawbpf_pinned").unwrap().id().unwrap()
    };
    let first = map.id().unwrap();
    assert_eq!(load_with(&map), first);
    let pinned = Map::from_pin(pins.path().join("rawbpf_pinned")).unwrap();
    assert_eq!(pinned.id().unwrap(), first);
    assert_eq!(load_with(&other), first, "the pin comes first");
}

/// Anyone who may write to the folder for pins could otherwise lead others to any map.
#[test]
fn a_link_in_place_of_a_pin_is_not_followed() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let (theirs, ours) = (PinFolder::new(), PinFolder::new());
    let other = array("t_theirs", 8, 1);
    let their_pin = theirs.path().join("secret");
    other.pin(&their_pin).unwrap();
    std::os::unix::fs::symlink(&their_pin, ours.path().join("rawbpf_pinned")).unwrap();
    let error = open(ours.path()).load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert!(error.message().contains("is a symbolic link"), "{error}");

    // The caller may follow links.
    let mut object = open(ours.path());
    let link = ours.path().join("rawbpf_pinned");
    object
        .map_mut("rawbpf_pinned")
        .unwrap()
        .set_pin_path(Some(link));
    let object = object.load().unwrap();
    let map = object.map("rawbpf_pinned").unwrap();
    assert_eq!(map.id().unwrap(), other.id().unwrap());
}

/// The map's name is the object's choice; its pin stays in the folder that the caller chose.
#[test]
fn a_name_cannot_leave_the_folder_for_pins() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let pins = PinFolder::new();
    let root = pins.path().join("root");
    let name = b"rawbpf_pinned";
    for hostile in [b"../rawbpf_pin", b"/tmp/rawbpf_p", b"rawbpf.pinned"] {
        let mut bytes = std::fs::read(fixture("maps_pinned.bpf.o")).unwrap();
        let places: Vec<_> = (0..bytes.len() - name.len())
            .filter(|at| bytes[*at..].starts_with(name))
            .collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at..at + name.len()].copy_from_slice(hostile);
        }
        let object = OpenOptions::new().pin_root_path(&root).open_bytes(&bytes);
        let error = object.unwrap().load().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidObject, "{error}");
        assert!(!root.exists() && !pins.path().join("rawbpf_pin").exists());
    }
}

#[test]
fn a_given_map_must_suit_the_program() {
    require!(Need::Bpf, Need::Btf);
    let mut object = open(Path::new("/nowhere"));
    let mut own = object.map_mut("rawbpf_pinned").unwrap();
    own.set_pin_path(None)
        .reuse(&array("t_small", 4, 7))
        .unwrap();
    assert_eq!((own.value_size(), own.max_entries()), (4, 7));
    let error = object.load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Verifier, "{error}");
}

#[test]
fn every_attribute_that_differs_from_the_pin_is_named() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let pins = PinFolder::new();
    let _first = open(pins.path()).load().unwrap();
    let refusal = |edit: &dyn Fn(&mut rawbpf::open::OpenMapMut<'_>)| {
        let mut object = open(pins.path());
        edit(&mut object.map_mut("rawbpf_pinned").unwrap());
        object.load().unwrap_err().to_string()
    };
    let kind = refusal(&|map| {
        map.set_kind(MapType::HASH);
    });
    assert!(
        kind.contains("its type is array, the object's is hash"),
        "{kind}"
    );
    let key = refusal(&|map| {
        map.set_key_size(8);
    });
    assert!(
        key.contains("its key_size is 4, the object's is 8"),
        "{key}"
    );
    let value = refusal(&|map| {
        map.set_value_size(16).unwrap();
    });
    assert!(
        value.contains("its value_size is 8, the object's is 16"),
        "{value}"
    );
    let flags = refusal(&|map| {
        map.set_flags(MapFlags::MMAPABLE);
    });
    assert!(
        flags.contains("its map_flags is 0x0, the object's is 0x400"),
        "{flags}"
    );
    let extra = refusal(&|map| {
        map.set_extra(5);
    });
    assert!(
        extra.contains("its map_extra is 0, the object's is 5"),
        "{extra}"
    );
}

#[test]
fn a_map_of_maps_takes_maps_like_the_given_one() {
    require!(Need::Bpf, Need::Btf);
    let wide = array("t_wide", 8, 8);
    let load = |inner: Option<&Map>| {
        let mut object = OpenObject::from_file(fixture("maps.bpf.o")).unwrap();
        for name in ["inner_one", "inner_two"] {
            object.map_mut(name).unwrap().set_max_entries(8);
        }
        object
            .map_mut("hash_of_maps")
            .unwrap()
            .set_autocreate(false);
        if let Some(map) = inner {
            let mut outer = object.map_mut("array_of_maps").unwrap();
            outer.set_inner_map(map).unwrap();
        }
        object.load()
    };
    let error = load(None).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EINVAL), "{error}");
    assert!(
        error
            .to_string()
            .contains("cannot put the map `inner_one` at index 0"),
        "{error}"
    );
    let object = load(Some(&wide)).unwrap();
    let outer = object.map("array_of_maps").unwrap();
    let id = |slot: u32| {
        let id = outer.get(&slot.to_ne_bytes()).unwrap().unwrap();
        u32::from_ne_bytes(id.try_into().unwrap())
    };
    assert_eq!(id(2), object.map("inner_two").unwrap().id().unwrap());
    assert_eq!(wide.max_entries(), 8, "the given map is as it was");

    let mut object = OpenObject::from_file(fixture("maps.bpf.o")).unwrap();
    let error = object
        .map_mut("hash")
        .unwrap()
        .set_inner_map(&wide)
        .unwrap_err();
    assert!(error.to_string().contains("holds no maps"), "{error}");
}

#[test]
fn maps_exist_before_programs_if_that_is_wanted() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let pins = PinFolder::new();
    let pin = pins.path().join("rawbpf_pinned");
    let prepared = open(pins.path()).prepare().unwrap();
    assert!(pin.exists());
    drop(prepared);
    assert!(!pin.exists(), "what was never loaded leaves nothing");

    let prepared = open(pins.path()).prepare().unwrap();
    let map = prepared.map("rawbpf_pinned").unwrap().clone();
    set_counter(&map, 6);
    assert!(
        prepared
            .map("rawbpf_pined")
            .unwrap_err()
            .to_string()
            .contains("rawbpf_pinned")
    );
    let object = prepared.load().unwrap();
    run(&object, "count");
    assert_eq!(counter(&map), 7);
    assert_eq!(
        object.map("rawbpf_pinned").unwrap().id().unwrap(),
        map.id().unwrap()
    );
    drop(object);
    assert!(pin.exists(), "a pin outlives the object");
}

#[test]
fn programs_are_loaded_after_preparing_only() {
    require!(Need::Bpf, Need::Btf);
    let object = OpenObject::from_file(fixture("reject.bpf.o")).unwrap();
    let prepared = object.prepare().expect("the verifier was not asked");
    let error = prepared.load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Verifier, "{error}");
    assert!(error.to_string().starts_with("object "), "{error}");
}

/// Where the kernel reports nothing else, procfs has to do.
#[test]
fn procfs_tells_of_maps_what_the_kernel_does() {
    require!(Need::Bpf, Need::Btf);
    let object = OpenObject::from_file(fixture("maps.bpf.o")).unwrap();
    let object = object.load().unwrap();
    for map in object.maps() {
        let told = map.info().unwrap();
        let shown = bpf::map_info_from_fdinfo(map.as_fd()).unwrap();
        let numbers = |info: &bpf::MapInfo| {
            (
                info.kind,
                info.key_size,
                info.value_size,
                info.max_entries,
                info.flags,
                info.map_extra,
            )
        };
        assert_eq!(numbers(&shown), numbers(&told), "{}", map.name());
    }
    let program = object.programs()[0].as_fd();
    assert_eq!(
        bpf::map_info_from_fdinfo(program).unwrap_err(),
        Errno::EINVAL
    );
}

#[test]
fn an_exclusive_map_is_for_its_program_alone() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 18));
    let load_for = |program: &str| {
        let mut object = OpenObject::from_file(fixture("maps.bpf.o")).unwrap();
        let mut map = object.map_mut("hash").unwrap();
        map.set_exclusive_program(program).unwrap();
        object.load()
    };
    let object = load_for("second").unwrap();
    run(&object, "second");
    let error = load_for("first").unwrap_err();
    assert!(error.to_string().contains("program `second`"), "{error}");
}
