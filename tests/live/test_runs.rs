//! Programs that are run without being attached, and the kernel's counts of runs.

use crate::support::{Need, fixture};
use rawbpf::btf::{Btf, Kind};
use rawbpf::map::Map;
use rawbpf::program::{Program, TestRun, enable_stats};
use rawbpf::{ErrorKind, OpenObject};

#[test]
fn a_socket_filter_is_run_on_a_packet() {
    require!(Need::Bpf, Need::Btf);
    let object = OpenObject::from_file(fixture("maps.bpf.o"))
        .unwrap()
        .load()
        .unwrap();
    let program = object.program("first").unwrap();
    let packet = [0x55; 64];
    let ran = program
        .test_run(&TestRun::new().data(&packet).repeat(10))
        .unwrap();
    // Socket filters start behind the Ethernet header, which the kernel blanks.
    assert_eq!(ran.data.len(), packet.len());
    assert_eq!(ran.data[14..], packet[14..]);
    let again = program.test_run(&TestRun::new().data(&packet)).unwrap();
    assert_eq!(again.return_value, ran.return_value);

    let short = program.test_run(&TestRun::new().data(&[0; 5])).unwrap_err();
    assert!(short.hint().unwrap().contains("14 bytes"), "{short}");
}

/// A raw tracepoint's arguments are its context; it runs as this process.
#[test]
fn a_raw_tracepoint_is_run_as_this_process() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 10));
    let mut open = OpenObject::from_file(fixture("globals.bpf.o")).unwrap();
    open.variable_mut("targ_tgid")
        .unwrap()
        .set(&std::process::id())
        .unwrap();
    let object = open.load().unwrap();
    let runs = object.live::<u32>("runs").unwrap();
    let program = object.program("add_up").unwrap();
    for _ in 0..3 {
        program.test_run(&TestRun::new().context(&[0; 16])).unwrap();
    }
    assert_eq!(runs.get(), 3);
    // On another CPU it runs as whatever process was running there.
    program
        .test_run(&TestRun::new().context(&[0; 16]).on_cpu(0))
        .unwrap();
    assert!((3..=4).contains(&runs.get()));
}

#[test]
fn a_syscall_program_is_run_and_changes_its_arena() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 9));
    let object = OpenObject::from_file(fixture("arena.bpf.o"))
        .unwrap()
        .load()
        .unwrap();
    let counter = object.live::<u64>("counter").unwrap();
    let ran = object
        .program("count")
        .unwrap()
        .test_run(&TestRun::new())
        .unwrap();
    assert_eq!((ran.return_value, counter.get()), (6, 6));
}

#[test]
fn a_type_without_test_runs_is_named() {
    require!(Need::Bpf, Need::Btf, Need::Kprobes);
    let object = OpenObject::from_file(fixture("kprobe_latency.bpf.o"))
        .unwrap()
        .load()
        .unwrap();
    let program = object.programs().first().unwrap();
    let error = program.test_run(&TestRun::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("type kprobe"), "{error}");
}

#[test]
fn runs_are_counted_while_statistics_are_on() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let object = OpenObject::from_file(fixture("maps.bpf.o"))
        .unwrap()
        .load()
        .unwrap();
    let program = object.program("first").unwrap();
    let _stats = enable_stats().unwrap();
    program
        .test_run(&TestRun::new().data(&[0; 64]).repeat(100))
        .unwrap();
    let info = program.info().unwrap();
    assert_eq!(info.run_count, 100);
    assert!(!info.run_time.is_zero());
}

#[test]
fn everything_of_the_kernel_is_listed_by_id() {
    require!(Need::Bpf, Need::Btf);
    let object = OpenObject::from_file(fixture("maps.bpf.o"))
        .unwrap()
        .load()
        .unwrap();
    let programs: Vec<u32> = Program::ids().map(Result::unwrap).collect();
    let maps: Vec<u32> = Map::ids().map(Result::unwrap).collect();
    for program in object.programs() {
        assert!(programs.contains(&program.id().unwrap()));
    }
    for map in object.maps() {
        assert!(maps.contains(&map.id().unwrap()));
    }
    let types: Vec<u32> = Btf::ids().map(Result::unwrap).collect();
    assert!(maps.is_sorted() && programs.is_sorted() && types.is_sorted());
    let id = object.map("hash").unwrap().info().unwrap().btf_id;
    assert!(types.contains(&id));
    let own = Btf::from_id(id, None).unwrap();
    assert!(own.find("key", Kind::Struct).is_some());
    assert_eq!(
        Btf::from_id(u32::MAX, None).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}
