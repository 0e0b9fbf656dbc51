//! Global variables after loading, as memory shared with the programs.

use crate::support::{Need, fixture};
use rawbpf::load::{Live, Object};
use rawbpf::map::UpdateMode;
use rawbpf::program::TestRun;
use rawbpf::reloc::Target;
use rawbpf::{ErrorKind, OpenObject, OpenOptions};
use std::sync::atomic::Ordering;
use zerocopy::{FromBytes, Immutable, IntoBytes, TryFromBytes};

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

/// `enum colour` of `fixtures/src/globals.bpf.c`.
#[derive(Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable)]
#[repr(i32)]
#[allow(dead_code, reason = "the others are read, not made")]
enum Colour {
    Red = 0,
    Green = 5,
    Blue = -1,
}
rawbpf::layout!(Colour);

#[test]
fn enums_and_bools_are_values_if_their_bytes_are() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 5));
    let object = globals();
    assert!(object.live::<bool>("flag").unwrap().try_get().unwrap());
    let colour = object.live::<Colour>("colour").unwrap();
    assert_eq!(colour.try_get().unwrap(), Colour::Green);
    let error = object.live::<bool>("byte").unwrap().try_get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error.to_string().contains("a5 are not a valid `bool`"),
        "{error}"
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

/// The program is called, and counts in memory that is mapped here.
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

#[test]
fn constants_are_frozen_in_the_kernel_too() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 2));
    let object = globals();
    let constants = object.map(".rodata").unwrap();
    let value = constants.get(&[0; 4]).unwrap().unwrap();
    let refused = constants.insert(&[0; 4], &value, UpdateMode::Any);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Permission);
}

/// The array at the end of an enlarged section is longer.
#[test]
fn a_section_that_was_enlarged_has_a_longer_array() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 5));
    let mut open = OpenObject::from_file(fixture("globals.bpf.o")).unwrap();
    let mut section = open.map_mut(".data.extra").unwrap();
    section.set_value_size(4 + 4 * 8).unwrap();
    let object = open.load().unwrap();
    let info = object.map(".data.extra").unwrap().info().unwrap();
    assert_eq!(info.value_size, 36);
    let grows: Live<[u32; 8]> = object.live("grows").unwrap();
    assert_eq!(grows.get(), [1, 2, 3, 4, 0, 0, 0, 0]);
}

/// The caller's configuration takes precedence over the kernel's, and supplies weak and absent values.
#[test]
fn configuration_of_the_callers_goes_before_the_kernels() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 10));
    let options = OpenOptions::new().kconfig("CONFIG_HZ=12345\nCONFIG_RAWBPF_NONE=9\n");
    let mut open = options.open_file(fixture("kconfig.bpf.o")).unwrap();
    let tgid = std::process::id();
    open.variable_mut("targ_tgid").unwrap().set(&tgid).unwrap();
    let object = open.load().unwrap();
    let program = object.program("copy").unwrap();
    program.test_run(&TestRun::new().context(&[0; 16])).unwrap();
    let number = |name: &str| object.live::<u32>(name).unwrap().get();
    assert_eq!((number("hz"), number("none")), (12345, 9));
    assert_eq!(number("unknown"), 0);
    let version = Target::running().version().unwrap();
    assert_eq!(number("kernel_version"), version.0);
}
