//! Pinning all maps and programs of an object in one folder.

use crate::load::load_fixture;
use crate::support::{Need, PinFolder};
use rawbpf::map::Map;
use rawbpf::program::Program;
use rawbpf::{Errno, ErrorKind};
use std::collections::BTreeSet;
use std::path::Path;

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn everything_is_pinned_under_the_names_of_libbpf() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let object = load_fixture("globals", |_| Ok(())).unwrap();
    let root = PinFolder::new();
    // The folder is created.
    let folder = root.path().join("all");
    object.pin(&folder).unwrap();
    let expected = set([
        "add_up",
        "globals_rodata",
        "globals_data",
        "globals_bss",
        "_data_extra",
        "_rodata_tuning",
        "_bss_scratch",
    ]);
    assert_eq!(names(&folder), expected);
    let program = Program::from_pin(folder.join("add_up")).unwrap();
    let own = object.program("add_up").unwrap();
    assert_eq!(program.id().unwrap(), own.id().unwrap());
    let map = Map::from_pin(folder.join("_data_extra")).unwrap();
    assert_eq!(
        map.id().unwrap(),
        object.map(".data.extra").unwrap().id().unwrap()
    );
    // Again: everything exists.
    object.pin(&folder).unwrap();
    assert_eq!(names(&folder), expected);

    object.unpin_programs(&folder).unwrap();
    assert!(!folder.join("add_up").exists());
    assert_eq!(names(&folder).len(), 6);
    object.unpin_maps(&folder).unwrap();
    assert_eq!(names(&folder), set([]));
    object.pin_programs(&folder).unwrap();
    assert_eq!(names(&folder), set(["add_up"]));
    object.pin_maps(&folder).unwrap();
    object.unpin(&folder).unwrap();
    assert_eq!(names(&folder), set([]));
}

#[test]
fn a_name_that_is_taken_undoes_all_pins() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let object = load_fixture("globals", |_| Ok(())).unwrap();
    let other = load_fixture("count_raw_tp", |_| Ok(())).unwrap();
    let root = PinFolder::new();
    let taken = root.path().join("add_up");
    other.map("counts").unwrap().pin(&taken).unwrap();
    let error = object.pin(root.path()).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EEXIST), "{error}");
    for word in ["object globals", "program `add_up`", "something else"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    assert_eq!(names(root.path()), set(["add_up"]));
    Map::from_pin(&taken).unwrap();
    // A folder that was not needed after all is removed, too.
    let folder = root.path().join("new");
    let clashing = load_fixture("globals", |_| Ok(())).unwrap();
    clashing.pin(&folder).unwrap();
    assert!(object.pin(&folder).is_err());
    assert_eq!(names(&folder).len(), 7);
}

#[test]
fn a_missing_pin_is_reported_and_the_others_are_removed() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let object = load_fixture("globals", |_| Ok(())).unwrap();
    let root = PinFolder::new();
    object.pin(root.path()).unwrap();
    std::fs::remove_file(root.path().join("globals_data")).unwrap();
    let error = object.unpin(root.path()).unwrap_err();
    assert!(error.to_string().contains("map `.data`"), "{error}");
    assert_eq!(names(root.path()), set([]));
}

#[test]
fn other_file_systems_accept_no_pins() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("globals", |_| Ok(())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = object.pin(folder.path().join("new")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert!(error.to_string().contains("BPF file system"), "{error}");
    assert_eq!(names(folder.path()), set([]));
}
