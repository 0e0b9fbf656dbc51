//! The bindings of every fixture: what `include_bpf!` makes of it compiles, and has the types of the C source.

#![cfg(all(feature = "macros", feature = "load", target_os = "linux"))]

use rawbpf::bound::{Bound, how};
use rawbpf::btf::CharArray;
use rawbpf::include_bpf;
use rawbpf::load::{Constant, Live};
use rawbpf::map::{Fd, Map, PerCpu};
use rawbpf::open::OpenObject;
use rawbpf::ring::{PerfMap, RingMap};
use std::path::Path;

// All that open without debug information, on a machine of their byte order.
include_bpf!("fixtures/arena.bpf.o");
include_bpf!("fixtures/arg_ctx.bpf.o");
include_bpf!("fixtures/attach.bpf.o");
include_bpf!("fixtures/biolatency.bpf.o");
include_bpf!("fixtures/bss_past_4_gib.bpf.o");
include_bpf!("fixtures/callbacks.bpf.o");
include_bpf!("fixtures/cgroup.bpf.o");
include_bpf!("fixtures/core_fail.bpf.o");
include_bpf!("fixtures/core_kinds.bpf.o");
include_bpf!("fixtures/count_raw_tp.bpf.o");
include_bpf!("fixtures/count_tp_btf.bpf.o");
include_bpf!("fixtures/events.bpf.o");
include_bpf!("fixtures/exception_callback.bpf.o");
include_bpf!("fixtures/exec.bpf.o");
include_bpf!("fixtures/execsnoop.bpf.o");
include_bpf!("fixtures/fentry.bpf.o");
include_bpf!("fixtures/freplace.bpf.o");
include_bpf!("fixtures/funccount.bpf.o");
include_bpf!("fixtures/globals.bpf.o");
include_bpf!("fixtures/iter_task.bpf.o");
include_bpf!("fixtures/jump_table.bpf.o");
include_bpf!("fixtures/kconfig.bpf.o");
include_bpf!("fixtures/kconfig_missing.bpf.o");
include_bpf!("fixtures/kfunc.bpf.o");
include_bpf!("fixtures/kfunc_missing.bpf.o");
include_bpf!("fixtures/kfunc_module.bpf.o");
include_bpf!("fixtures/kprobe_latency.bpf.o");
include_bpf!("fixtures/kprobe_multi.bpf.o");
include_bpf!("fixtures/ksyms.bpf.o");
include_bpf!("fixtures/ksyms_missing.bpf.o");
include_bpf!("fixtures/ksyms_typed.bpf.o");
include_bpf!("fixtures/linked.bpf.o");
include_bpf!("fixtures/linked_data.bpf.o");
include_bpf!("fixtures/loop.bpf.o");
include_bpf!("fixtures/lsm_guard.bpf.o");
include_bpf!("fixtures/maps.bpf.o");
include_bpf!("fixtures/maps_newer.bpf.o");
include_bpf!("fixtures/maps_pinned.bpf.o");
include_bpf!("fixtures/maps_refused.bpf.o");
include_bpf!("fixtures/no_btf.bpf.o");
include_bpf!("fixtures/no_license.bpf.o");
include_bpf!("fixtures/opensnoop.bpf.o");
include_bpf!("fixtures/owners.bpf.o");
include_bpf!("fixtures/perf_output.bpf.o");
include_bpf!("fixtures/prefer.bpf.o");
include_bpf!("fixtures/profile.bpf.o");
include_bpf!("fixtures/pyaudit.bpf.o");
include_bpf!("fixtures/reject.bpf.o");
include_bpf!("fixtures/rich.bpf.o");
include_bpf!("fixtures/ring_flood.bpf.o");
include_bpf!("fixtures/sections.bpf.o");
include_bpf!("fixtures/siblings.bpf.o");
include_bpf!("fixtures/slots.bpf.o");
include_bpf!("fixtures/slow.bpf.o");
include_bpf!("fixtures/sockets.bpf.o");
include_bpf!("fixtures/stacks.bpf.o");
include_bpf!("fixtures/storage.bpf.o");
include_bpf!("fixtures/streams.bpf.o");
include_bpf!("fixtures/struct_ops.bpf.o");
include_bpf!("fixtures/struct_ops_link.bpf.o");
include_bpf!("fixtures/subprogs.bpf.o");
include_bpf!("fixtures/syscount.bpf.o");
include_bpf!("fixtures/tables.bpf.o");
include_bpf!("fixtures/tc.bpf.o");
include_bpf!("fixtures/tc_filter.bpf.o");
include_bpf!("fixtures/tcpconnect.bpf.o");
include_bpf!("fixtures/tcplife.bpf.o");
include_bpf!("fixtures/tcpstates.bpf.o");
include_bpf!("fixtures/trace_program.bpf.o");
include_bpf!("fixtures/type_kinds.bpf.o");
include_bpf!("fixtures/unknown_section.bpf.o");
include_bpf!("fixtures/uprobe.bpf.o");
include_bpf!("fixtures/uprobe_multi.bpf.o");
include_bpf!("fixtures/usdt.bpf.o");
include_bpf!("fixtures/usdt_first.bpf.o");
include_bpf!("fixtures/user_ringbuf.bpf.o");
include_bpf!("fixtures/values.bpf.o");
include_bpf!("fixtures/xdp.bpf.o");

// Options.
mod optional {
    rawbpf::include_bpf!(
        "../fixtures/owners.bpf.o",
        pub mod = storage,
        optional("of_cgroup", with_lock),
        derive(PartialEq)
    );
}
include_bpf!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/", r"maps.bpf.o"), mod = named, events(ring = "value", perf_events = key));

fn fixture(name: &str) -> OpenObject {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    OpenObject::from_file(folder.join(name)).unwrap()
}

#[test]
fn variables_have_their_types_and_initial_values() {
    let mut open = globals::open().unwrap();
    let rodata = &open.rodata;
    assert_eq!(
        (rodata.targ_tgid, rodata.flag, rodata.byte),
        (0, true, 0xa5)
    );
    assert_eq!((rodata.half, rodata.wide), (-2, -0x0123_4567_89ab_cdef));
    assert_eq!(rodata.text.to_str_lossy(), "read only");
    assert_eq!(rodata.colour, globals::colour::GREEN);
    assert_eq!((rodata.origin.x, rodata.origin.y), (3, -4));
    assert_eq!(open.data.table, [[1, 2, 3], [4, 5, 6]]);
    assert_eq!(
        (&open.data.shape.name, open.data.shape.area),
        (&CharArray::from("shape"), 99)
    );
    assert_eq!(
        (open.data_extra.grows, open.rodata_tuning.tuning),
        ([1, 2, 3, 4], 19)
    );
    assert_eq!((open.bss.sum, open.bss_scratch.scratch), (0, [0; 4]));

    open.rodata.targ_tgid = 77;
    open.rodata.flag = false;
    open.data.shape.corners[1].y = -9;
    open.bss.sum = 5;
    let object = open.into_object().unwrap();
    let value = |name: &str| object.value_of(object.variable(name).unwrap()).to_vec();
    assert_eq!(value("targ_tgid"), 77_u32.to_ne_bytes());
    assert_eq!(value("flag"), [0]);
    assert_eq!(value("shape")[20..24], (-9_i32).to_ne_bytes());
    assert_eq!(value("sum"), 5_u64.to_ne_bytes());
    // What was not touched is as it was.
    assert_eq!(value("wide"), (-0x0123_4567_89ab_cdef_i64).to_ne_bytes());
    let before = fixture("globals.bpf.o");
    for name in ["local", "hidden", "counter", "text"] {
        let of_file = before.value_of(before.variable(name).unwrap());
        assert_eq!(value(name), of_file, "{name}");
    }
}

#[test]
fn maps_and_programs_can_be_changed_before_loading() {
    let mut open = maps::open().unwrap();
    open.maps().hash().set_max_entries(7);
    open.programs().first().set_autoload(false);
    assert_eq!(open.maps().hash().max_entries(), 7);
    let object = open.into_object().unwrap();
    assert_eq!(object.map("hash").unwrap().max_entries(), 7);
    assert!(!object.program("first").unwrap().autoload());
    assert!(object.program("second").unwrap().autoload());
}

/// A section that was grown keeps the end that no structure describes.
#[test]
fn grown_sections_are_written_in_part() {
    let mut open = globals::open().unwrap();
    open.maps().data_extra().set_value_size(4 + 8 * 4).unwrap();
    open.data_extra.grows[3] = 9;
    let object = open.into_object().unwrap();
    let grown = object.initial_value(object.map(".data.extra").unwrap());
    assert_eq!(grown.len(), 36);
    assert_eq!(grown[16..24], [9, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn bindings_of_another_object_are_refused() {
    let error = globals::Open::new(fixture("opensnoop.bpf.o"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`.rodata`") && error.contains("smaller"),
        "{error}"
    );
}

#[test]
fn the_object_is_that_of_the_file() {
    let whole = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/maps.bpf.o"));
    assert_eq!(named::OBJECT, whole.unwrap());
    assert_eq!(named::open().unwrap().object().name(), "maps");
    let options = rawbpf::OpenOptions::new().object_name("mine");
    assert_eq!(named::Open::with(&options).unwrap().object().name(), "mine");
}

/// What there is after loading, as the compiler sees it.
#[allow(dead_code, clippy::too_many_lines)]
fn types_after_loading() {
    fn anywhere<T: Send + Sync + 'static>() {}
    fn handle<T: Clone>(_: &T) {}
    anywhere::<(opensnoop::Open, opensnoop::Loaded, opensnoop::Links)>();
    let snoop = |loaded: opensnoop::Loaded| {
        handle(&loaded.maps);
        handle(&loaded.programs);
        handle(&loaded.bss);
        let _: &Map<u32, opensnoop::args> = &loaded.maps.start;
        let _: &RingMap<opensnoop::event> = &loaded.maps.events;
        let _: &Constant<u32> = &loaded.rodata.targ_tgid;
        let _: &Live<u64> = &loaded.bss.lost;
        let _: &Bound<how::Said> = &loaded.programs.exit_open;
    };
    let _ = snoop;
    let of_maps = |maps: maps::Maps| {
        let _: Map<maps::key, maps::value> = maps.hash;
        let _: Map<u32, [u8; 24]> = maps.array_by_size;
        let _: Map<u32, PerCpu<maps::value>> = maps.percpu_hash;
        let _: Map<u64, u8> = maps.lru_hash;
        let _: Map<maps::prefix, u32> = maps.lpm_trie;
        let _: Map<(), u64> = maps.queue;
        let _: Map<u32, Fd> = maps.array_of_maps;
        let _: Map<u32, Fd> = maps.jumps;
        // Two that send events, and nothing says which: bytes.
        let _: RingMap<[u8]> = maps.ring;
        let _: Map = maps.perf_events;
    };
    let _ = of_maps;
    let of_named = |maps: named::Maps| {
        let _: RingMap<named::value> = maps.ring;
        let _: PerfMap<named::key> = maps.perf_events;
    };
    let _ = of_named;
    let of_storage = |maps: optional::storage::Maps| {
        let _: Map<Fd, u64> = maps.of_task;
        let _: Option<Map<Fd, u64>> = maps.of_cgroup;
        let _: Option<Map<u32, optional::storage::locked>> = maps.with_lock;
    };
    let _ = of_storage;
    let how_to_attach = |xdp: xdp::Programs, tc: tc_filter::Programs| {
        let _: Bound<how::Xdp> = xdp.count_packets;
        let _: Bound<how::Tc> = tc.drop_port;
    };
    let _ = how_to_attach;
}

#[test]
fn user_derives_hold_for_all_types() {
    use optional::storage::{bpf_spin_lock, locked};
    let zero = locked {
        lock: bpf_spin_lock { val: 0 },
        pad: 0,
        numbers: [0; 2],
    };
    assert_eq!(zero, zero);
}

/// Derives of the caller's, for types with text.
#[cfg(feature = "serde")]
mod serialized {
    use rawbpf::zerocopy::FromZeros;

    rawbpf::include_bpf!("fixtures/opensnoop.bpf.o", derive(serde::Serialize));

    #[test]
    fn events_are_serialized_with_their_text() {
        let mut event = opensnoop::event::new_zeroed();
        (event.pid, event.comm) = (7, "cat".into());
        let json = serde_json::to_value(event).unwrap();
        assert_eq!((&json["pid"], &json["comm"]), (&7.into(), &"cat".into()));
    }
}
