//! Perf buffer readers that replace each other: who owns a slot, and who gives it back.

use crate::perf_buffers::{events_for_all, sender, stay_on};
use crate::support::Need;
use rawbpf::map::Map;
use rawbpf::ring::PerfBuffer;
use rawbpf::sys::bpf::{self, TestRun};
use rawbpf::sys::system::online_cpus;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::os::fd::{AsFd, OwnedFd};

/// Drops only `CAP_SYS_ADMIN` from this thread.
pub(crate) fn give_up_sys_admin() {
    let mut sets = capabilities(None).unwrap();
    sets.effective.remove(CapabilitySet::SYS_ADMIN);
    set_capabilities(None, sets).unwrap();
}

/// Sends an event from every CPU, and returns the result of each: 0, or a negative error number.
fn send(program: &OwnedFd) -> Vec<i32> {
    let send_from = |cpu| {
        stay_on(cpu);
        let mut run = TestRun {
            data_in: &[0; 34],
            ..TestRun::default()
        };
        let result = bpf::prog_test_run(program.as_fd(), &mut run).unwrap();
        result.return_value.cast_signed()
    };
    online_cpus().unwrap().into_iter().map(send_from).collect()
}

fn on_every_cpu(answer: i32) -> Vec<i32> {
    vec![answer; online_cpus().unwrap().len()]
}

/// Takes all records, and returns how many there were.
fn take(reader: &mut PerfBuffer) -> usize {
    reader
        .poll()
        .iter()
        .map(Result::unwrap)
        .fold(0, |n, _| n + 1)
}

/// Creates a reader while there is another, which is then dropped: nothing is lost.
fn replace(map: &Map, map_of_second: &Map) {
    let program = sender(map, 7);
    let cpus = online_cpus().unwrap().len();
    let mut first = PerfBuffer::new(map).unwrap();
    assert_eq!(send(&program), on_every_cpu(0));
    let mut second = PerfBuffer::new(map_of_second).unwrap();
    assert_eq!(send(&program), on_every_cpu(0));
    assert_eq!(take(&mut first), cpus, "what was sent before");
    drop(first);
    for _ in 0..3 {
        assert_eq!(send(&program), on_every_cpu(0));
    }
    assert_eq!(take(&mut second), 4 * cpus, "what was sent since");
    assert_eq!(second.lost(), 0);
}

#[test]
fn a_reader_that_replaces_another_gets_all_events() {
    require!(Need::Bpf);
    let map = events_for_all("t_perf_replace");
    replace(&map, &map);
}

/// As when a new version of a program takes over from the old one, which continues for a while.
#[test]
fn a_reader_by_another_handle_gets_all_events() {
    require!(Need::Bpf);
    let map = events_for_all("t_perf_handles");
    let other = Map::from_id(map.id().unwrap()).unwrap();
    replace(&map, &other);
}

#[test]
fn a_reader_by_another_handle_gets_all_events_without_sys_admin() {
    require!(Need::Bpf, Need::Linux(5, 8), Need::PerfWithoutSysAdmin);
    let map = events_for_all("t_perf_no_admin");
    let other = Map::from_id(map.id().unwrap()).unwrap();
    give_up_sys_admin();
    replace(&map, &other);
}

#[test]
fn a_reader_that_replaces_another_gets_all_events_without_sys_admin() {
    require!(Need::Bpf, Need::Linux(5, 8), Need::PerfWithoutSysAdmin);
    let map = events_for_all("t_perf_less");
    give_up_sys_admin();
    replace(&map, &map);
}

#[test]
fn a_dropped_reader_gives_back_what_is_still_its_own() {
    const ENOENT: i32 = -2;
    require!(Need::Bpf);
    let map = events_for_all("t_perf_own");
    let program = sender(&map, 7);
    let cpus = online_cpus().unwrap();
    let (&replaced, others) = cpus.split_first().unwrap();
    let first = PerfBuffer::new(&map).unwrap();
    let second = PerfBuffer::builder(&map).cpus(&[replaced]).build().unwrap();
    drop(first);
    let mut expected = vec![0];
    expected.extend(others.iter().map(|_| ENOENT));
    assert_eq!(send(&program), expected);
    drop(second);
    assert_eq!(send(&program), on_every_cpu(ENOENT));
}

#[test]
fn without_sys_admin_a_dropped_reader_leaves_its_slots_to_the_next() {
    const ENOSPC: i32 = -28;
    require!(Need::Bpf, Need::Linux(5, 8), Need::PerfWithoutSysAdmin);
    let map = events_for_all("t_perf_left");
    let program = sender(&map, 7);
    give_up_sys_admin();
    drop(PerfBuffer::new(&map).unwrap());
    assert_eq!(send(&program), on_every_cpu(ENOSPC));
    let mut next = PerfBuffer::new(&map).unwrap();
    assert_eq!(send(&program), on_every_cpu(0));
    assert_eq!(take(&mut next), online_cpus().unwrap().len());
}
