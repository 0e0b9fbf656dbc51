//! Global variables after loading, as memory that is shared with the programs.

use crate::support::{Need, fixture};
use rawbpf::load::{Live, Object};
use rawbpf::{ErrorKind, OpenObject};
use std::sync::atomic::Ordering;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `struct point` of `fixtures/src/globals.bpf.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Point {
    x: i32,
    y: i32,
}
rawbpf::layout!(Point { x, y });

/// The object, with its program looking at this process only.
fn globals() -> Object {
    let mut open = OpenObject::from_file(fixture("globals.bpf.o")).unwrap();
    open.variable_mut("targ_tgid")
        .unwrap()
        .set(&std::process::id())
        .unwrap();
    open.load().unwrap()
}

#[test]
fn a_program_and_user_space_share_variables() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 5));
    let object = globals();
    let counter: Live<u32> = object.live("counter").unwrap();
    let runs: Live<u32> = object.live("runs").unwrap();
    let table: Live<[[u16; 3]; 2]> = object.live("table").unwrap();
    let small: Live<i8> = object.live("small").unwrap();
    assert_eq!(counter.get(), 7);
    assert_eq!(small.get(), -8);
    assert_eq!(table.get(), [[1, 2, 3], [4, 5, 6]]);
    assert_eq!(runs.get(), 0);

    let _links = object.attach().unwrap();
    let before = runs.get();
    for _ in 0..10 {
        std::fs::metadata("/").unwrap();
    }
    assert!(
        runs.get() >= before + 10,
        "the program counts this process's calls"
    );

    let sum: Live<u64> = object.live("sum").unwrap();
    let old = sum.get();
    counter.set(&1007).unwrap();
    std::fs::metadata("/").unwrap();
    assert!(
        sum.get() >= old + 1000,
        "the program sees what was set: {} after {old}",
        sum.get()
    );
}

#[test]
fn counters_are_changed_as_atomics() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 5));
    let object = globals();
    let counter: Live<u32> = object.live("counter").unwrap();
    let again: Live<u32> = object.live("counter").unwrap();
    assert_eq!(counter.atomic().unwrap().fetch_add(5, Ordering::Relaxed), 7);
    assert_eq!(again.get(), 12);
    assert_eq!(
        object.read_variable("counter").unwrap(),
        12_u32.to_ne_bytes()
    );
}

#[test]
fn constants_are_read_only() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 5));
    let object = globals();
    let origin: Live<Point> = object.live("origin").unwrap();
    assert_eq!(origin.get(), Point { x: 3, y: -4 });
    let error = origin.set(&Point { x: 0, y: 0 }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.hint().unwrap().contains("variable_mut"), "{error}");
    let tgid: Live<u32> = object.live("targ_tgid").unwrap();
    assert_eq!(tgid.get(), std::process::id());
    assert!(tgid.atomic().is_err());
}

#[test]
fn a_wrong_type_is_refused_with_the_right_one() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 5));
    let object = globals();
    let error = object.live::<u64>("counter").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("variable `counter`") && text.contains("4 bytes, not 8"),
        "{text}"
    );
    let text = object.live::<u64>("origin").unwrap_err().to_string();
    assert!(
        text.contains("struct point") && text.contains("not a number"),
        "{text}"
    );
    let error = object.live::<u32>("countr").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("`counter`"), "{error}");
}

/// The program is called, and counts in the memory that is mapped here.
#[test]
fn an_arenas_variables_are_live() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 9));
    let object = OpenObject::from_file(fixture("arena.bpf.o"))
        .unwrap()
        .load()
        .unwrap();
    let counter: Live<u64> = object.live("counter").unwrap();
    assert_eq!(counter.get(), 5);
    counter.atomic().unwrap().fetch_add(10, Ordering::Relaxed);
    assert_eq!(
        object.read_variable("counter").unwrap(),
        15_u64.to_ne_bytes()
    );
}
