//! Ring buffers, filled by test runs of programs: what they write is what is read.

use crate::support::{Need, lift_memlock};
use rawbpf::insn::{Insn, class, mode, pseudo, size};
use rawbpf::map::Map;
use rawbpf::ring::{PerfBuffer, RingBuffer, UserRingBuffer};
use rawbpf::sys::bpf::{self, MapCreate, ProgLoad, TestRun};
use rawbpf::{Errno, MapType, ProgramType};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const MOV_REG: u8 = class::ALU64 | 0xbf;
const MOV_IMM: u8 = class::ALU64 | 0xb0;
const ADD_IMM: u8 = class::ALU64;
const JEQ_IMM: u8 = class::JMP | 0x10;
const RESERVE: i32 = 131;
const SUBMIT: i32 = 132;
const DISCARD: i32 = 133;

/// Long enough for a loaded machine; nothing waits that long if all is well.
const LONG: Option<Duration> = Some(Duration::from_secs(10));

pub(crate) fn ring(name: &str) -> Map {
    lift_memlock();
    let create = MapCreate {
        kind: MapType::RINGBUF,
        max_entries: 4096 * 4,
        name,
        ..MapCreate::default()
    };
    Map::new(bpf::map_create(&create).unwrap(), name)
}

/// A socket filter that reserves 16 bytes, stores `number` in the first 8 and the length of its packet in the last 8, and
/// ends the record with `helper`.
fn writer(map: &Map, number: i32, helper: i32) -> OwnedFd {
    let load_map = Insn::new(
        Insn::LD_IMM64,
        1,
        pseudo::MAP_FD,
        0,
        map.as_fd().as_raw_fd(),
    );
    let insns = [
        Insn::new(class::LDX | size::W | mode::MEM, 6, 1, 0, 0),
        load_map,
        Insn::default(),
        Insn::new(MOV_IMM, 2, 0, 0, 16),
        Insn::new(MOV_IMM, 3, 0, 0, 0),
        Insn::new(Insn::CALL, 0, 0, 0, RESERVE),
        Insn::new(JEQ_IMM, 0, 0, 6, 0),
        Insn::new(MOV_IMM, 2, 0, 0, number),
        Insn::new(class::STX | size::DW | mode::MEM, 0, 2, 0, 0),
        Insn::new(class::STX | size::DW | mode::MEM, 0, 6, 8, 0),
        Insn::new(MOV_REG, 1, 0, 0, 0),
        Insn::new(MOV_IMM, 2, 0, 0, 0),
        Insn::new(Insn::CALL, 0, 0, 0, helper),
        Insn::new(MOV_IMM, 0, 0, 0, 0),
        Insn::new(ADD_IMM, 0, 0, 0, 0),
        Insn::new(Insn::EXIT, 0, 0, 0, 0),
    ];
    let load = ProgLoad {
        kind: ProgramType::SOCKET_FILTER,
        insns: &insns,
        license: c"GPL",
        name: "t_writer",
        ..ProgLoad::default()
    };
    let mut buffer = vec![0; 1 << 16];
    let mut log = bpf::Log::new(1, &mut buffer);
    bpf::prog_load(&load, Some(&mut log)).unwrap_or_else(|errno| {
        panic!("{errno}: {}", String::from_utf8_lossy(&buffer));
    })
}

/// A [`writer`] whose records are read.
pub(crate) fn submitter(map: &Map, number: i32) -> OwnedFd {
    writer(map, number, SUBMIT)
}

/// A [`writer`] whose records are skipped.
#[cfg(feature = "tokio")]
pub(crate) fn discarder(map: &Map, number: i32) -> OwnedFd {
    writer(map, number, DISCARD)
}

/// Runs a writer on a packet whose length it will see as `len`.
pub(crate) fn write(program: &OwnedFd, len: usize) {
    const ETHERNET: usize = 14;
    let packet = vec![0; len + ETHERNET];
    let mut run = TestRun {
        data_in: &packet,
        ..TestRun::default()
    };
    bpf::prog_test_run(program.as_fd(), &mut run).unwrap();
}

fn numbers(record: &[u8]) -> (u64, u64) {
    let (first, second) = record.split_at(8);
    (
        u64::from_ne_bytes(first.try_into().unwrap()),
        u64::from_ne_bytes(second.try_into().unwrap()),
    )
}

#[test]
fn records_arrive_in_order_and_once() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring");
    let program = writer(&map, 7, SUBMIT);
    let mut reader = RingBuffer::new(&map).unwrap();
    assert!(reader.poll().is_empty());
    for len in 20..30 {
        write(&program, len);
    }
    let batch = reader.wait(LONG).unwrap();
    let seen: Vec<_> = batch.iter().map(|r| numbers(&r.unwrap())).collect();
    assert_eq!(seen, (20..30).map(|len| (7, len)).collect::<Vec<_>>());
    assert!(batch.is_empty());
    drop(batch);
    assert!(reader.poll().is_empty());
    let (size, unread) = reader.fill(0).unwrap();
    assert_eq!((size, unread), (4096 * 4, 0));
}

#[test]
fn records_that_were_not_taken_come_again() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring_again");
    let program = writer(&map, 1, SUBMIT);
    let mut reader = RingBuffer::new(&map).unwrap();
    for len in [20, 21, 22] {
        write(&program, len);
    }
    let first = reader.poll();
    let record = first.iter().next().unwrap().unwrap();
    assert_eq!(numbers(&record), (1, 20));
    drop(first);
    let rest = reader.wait(LONG).unwrap();
    let seen: Vec<_> = rest.iter().map(|r| numbers(&r.unwrap()).1).collect();
    assert_eq!(seen, [21, 22]);
}

/// 16 KiB hold 682 records of 24 bytes: the ring is filled and emptied several times, past its end.
#[test]
fn a_ring_can_be_filled_again_and_again() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring_full");
    let program = writer(&map, 3, SUBMIT);
    let mut reader = RingBuffer::new(&map).unwrap();
    for _ in 0..5 {
        for _ in 0..700 {
            write(&program, 50);
        }
        let mut seen = 0;
        loop {
            let batch = reader.poll();
            if batch.is_empty() {
                break;
            }
            for record in &batch {
                assert_eq!(numbers(&record.unwrap()), (3, 50));
                seen += 1;
            }
        }
        assert!((681..=682).contains(&seen), "{seen}");
    }
}

/// While a batch is read, a program that never stops has three quarters of the ring to write to.
#[test]
fn a_batch_does_not_hold_the_whole_ring() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring_portion");
    let program = writer(&map, 3, SUBMIT);
    let mut reader = RingBuffer::new(&map).unwrap();
    for _ in 0..300 {
        write(&program, 50);
    }
    let first = reader.poll();
    let taken = first.iter().map(Result::unwrap).count();
    assert_eq!(taken, 4096_usize.div_ceil(24), "a quarter of the ring");
    assert!(first.is_empty());
    drop(first);
    assert_eq!(reader.fill(0).unwrap().1, (300 - taken) * 24, "the rest");
    assert_eq!(reader.poll().iter().count(), 300 - taken);
}

#[test]
fn discarded_records_are_passed_over() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring_discard");
    let (submit, discard) = (writer(&map, 1, SUBMIT), writer(&map, 2, DISCARD));
    let mut reader = RingBuffer::new(&map).unwrap();
    write(&discard, 20);
    assert!(
        reader
            .wait(Some(Duration::from_millis(1)))
            .unwrap()
            .is_empty()
    );
    assert_eq!(reader.fill(0).unwrap().1, 0, "its room is given back");
    write(&discard, 20);
    write(&submit, 21);
    write(&discard, 22);
    let batch = reader.wait(LONG).unwrap();
    let seen: Vec<_> = batch.iter().map(|r| numbers(&r.unwrap())).collect();
    assert_eq!(seen, [(1, 21)]);
}

#[test]
fn one_reader_serves_several_rings() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let maps = [ring("t_ring_a"), ring("t_ring_b")];
    let programs = [writer(&maps[0], 100, SUBMIT), writer(&maps[1], 200, SUBMIT)];
    let mut reader = RingBuffer::new(&maps[0]).unwrap();
    reader.add(&maps[1]).unwrap();
    write(&programs[1], 20);
    write(&programs[0], 21);
    let batch = reader.wait(LONG).unwrap();
    let seen: Vec<_> = batch
        .iter()
        .map(Result::unwrap)
        .map(|r| (r.ring(), numbers(&r)))
        .collect();
    assert_eq!(seen, [(0, (100, 21)), (1, (200, 20))]);
}

#[test]
fn a_waiting_reader_is_woken() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring_wake");
    let program = writer(&map, 5, SUBMIT);
    let mut reader = RingBuffer::new(&map).unwrap();
    let start = Instant::now();
    assert!(
        reader
            .wait(Some(Duration::from_millis(20)))
            .unwrap()
            .is_empty()
    );
    assert!(start.elapsed() >= Duration::from_millis(20));
    // Every round must wake the reader again.
    let thread = std::thread::spawn(move || {
        for _ in 0..200 {
            std::thread::sleep(Duration::from_micros(300));
            write(&program, 33);
        }
    });
    let mut seen = 0;
    while seen < 200 {
        let batch = reader.wait(LONG).unwrap();
        let count = batch.iter().map(|r| r.map(drop).unwrap()).count();
        assert_ne!(count, 0, "after {seen} records, none came in ten seconds");
        seen += count;
    }
    thread.join().unwrap();
    assert_eq!(seen, 200);
}

/// Bursts of a hundred records, for which the reader naps; whatever it misses by that comes with a later batch.
#[test]
fn a_flood_is_read_whole_and_ends_like_any_other_wait() {
    const BURST: u32 = 100;
    const BURSTS: u32 = 300;
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring_flood");
    let program = writer(&map, 5, SUBMIT);
    let mut reader = RingBuffer::new(&map).unwrap();
    let seen = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let packet = [0; 64];
            for burst in 0..BURSTS {
                // The ring has room for 682 records.
                while burst * BURST - seen.load(Ordering::Relaxed) > 500 {
                    std::thread::yield_now();
                }
                let mut run = TestRun {
                    data_in: &packet,
                    repeat: BURST,
                    ..TestRun::default()
                };
                bpf::prog_test_run(program.as_fd(), &mut run).unwrap();
            }
        });
        while seen.load(Ordering::Relaxed) < BURST * BURSTS {
            let batch = reader.wait(LONG).unwrap();
            let mut count = 0;
            for record in &batch {
                assert_eq!(numbers(&record.unwrap()), (5, 50));
                count += 1;
            }
            assert_ne!(count, 0, "none for ten seconds after {seen:?}");
            // The program may count on the room only once the batch is gone.
            drop(batch);
            seen.fetch_add(count, Ordering::Relaxed);
        }
    });
    assert_eq!(seen.into_inner(), BURST * BURSTS);
    let start = Instant::now();
    let timeout = Duration::from_millis(20);
    assert!(reader.wait(Some(timeout)).unwrap().is_empty());
    assert!(start.elapsed() >= timeout);
}

#[test]
fn a_ring_has_one_reader() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring_one");
    let reader = RingBuffer::new(&map).unwrap();
    let second = RingBuffer::new(&map).unwrap_err();
    assert_eq!(second.errno(), Some(Errno::EBUSY));
    drop(reader);
    RingBuffer::new(&map).unwrap();
}

#[test]
fn only_ring_buffers_are_read() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let create = MapCreate {
        kind: MapType::ARRAY,
        key_size: 4,
        value_size: 4,
        max_entries: 1,
        name: "t_no_ring",
        ..MapCreate::default()
    };
    let map = Map::new(bpf::map_create(&create).unwrap(), "t_no_ring");
    let error = RingBuffer::new(&map).unwrap_err();
    assert!(error.to_string().contains("array, not ringbuf"), "{error}");
}

/// A map of this type, with sizes that the type accepts.
fn map_of(map_type: MapType) -> Map {
    lift_memlock();
    let (key_size, value_size, max_entries) = match map_type {
        MapType::RINGBUF | MapType::USER_RINGBUF => (0, 0, 4096),
        _ => (4, 4, 1),
    };
    let create = MapCreate {
        kind: map_type,
        key_size,
        value_size,
        max_entries,
        name: "t_kind",
        ..MapCreate::default()
    };
    Map::new(bpf::map_create(&create).unwrap(), "t_kind")
}

#[test]
fn every_reader_says_which_kind_it_wants_and_which_it_got() {
    type Open = fn(&Map) -> rawbpf::Result<()>;
    require!(Need::Bpf, Need::Linux(6, 1));
    let kinds = [
        MapType::RINGBUF,
        MapType::USER_RINGBUF,
        MapType::PERF_EVENT_ARRAY,
        MapType::ARRAY,
        MapType::HASH,
    ];
    let readers: [(MapType, Open); 3] = [
        (MapType::RINGBUF, |map| RingBuffer::new(map).map(drop)),
        (MapType::USER_RINGBUF, |map| {
            UserRingBuffer::new(map).map(drop)
        }),
        (MapType::PERF_EVENT_ARRAY, |map| {
            PerfBuffer::builder(map).cpus(&[0]).build().map(drop)
        }),
    ];
    for kind in kinds {
        let map = map_of(kind);
        for (wanted, open) in readers {
            if kind == wanted {
                open(&map).unwrap();
                continue;
            }
            let error = open(&map).unwrap_err();
            let text = error.to_string();
            let words = format!("{kind}, not {wanted}");
            assert!(text.contains(&words) && text.contains("t_kind"), "{text}");
        }
    }
    // A reader of several rings refuses the wrong one, and continues.
    let map = ring("t_ring_right");
    let program = submitter(&map, 1);
    let mut reader = RingBuffer::new(&map).unwrap();
    reader.add(&map_of(MapType::ARRAY)).unwrap_err();
    assert_eq!(reader.len(), 1);
    write(&program, 20);
    assert_eq!(reader.wait(LONG).unwrap().iter().count(), 1);
}

#[test]
fn records_are_values_of_the_readers_type() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring_typed");
    let program = submitter(&map, 7);
    let mut reader = RingBuffer::new(&map).unwrap();
    write(&program, 20);
    let batch = reader.wait(LONG).unwrap();
    let record = batch.iter().next().unwrap().unwrap();
    assert_eq!(record.view::<[u64; 2]>().unwrap(), &[7, 20]);
    assert_eq!(record.read::<[u64; 2]>().unwrap(), [7, 20]);
    let error = record.view::<[u64; 3]>().unwrap_err().to_string();
    assert!(
        error.contains("has 16 bytes, but `[u64; 3]` has 24"),
        "{error}"
    );
}
