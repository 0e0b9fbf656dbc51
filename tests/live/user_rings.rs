//! User ring buffers: what is written here is what a program consumes when it is run.

use crate::support::{Need, fixture};
use rawbpf::load::Object;
use rawbpf::open::OpenObject;
use rawbpf::ring::UserRingBuffer;
use rawbpf::sys::bpf::{TestRun, prog_test_run};
use rawbpf::{Errno, ErrorKind};
use std::os::fd::AsFd;
use std::time::Duration;

/// Long enough for a loaded machine; nothing waits that long if all is well.
const LONG: Option<Duration> = Some(Duration::from_secs(10));

/// Size of the ring of `user_ringbuf.bpf.o`, in bytes.
const SIZE: usize = 4096;

struct Drainer(Object);

impl Drainer {
    fn load() -> Self {
        let open = OpenObject::from_file(fixture("user_ringbuf.bpf.o")).unwrap();
        Self(open.load().unwrap())
    }

    fn writer(&self) -> UserRingBuffer {
        UserRingBuffer::new(self.0.map("commands").unwrap()).unwrap()
    }

    /// Runs the program; returns the kernel's answer: the number of records, or an error number.
    fn drain(&self) -> i32 {
        let program = self.0.program("drain").unwrap();
        let result = prog_test_run(program.as_fd(), &mut TestRun::default()).unwrap();
        result.return_value.cast_signed()
    }

    fn counter(&self, name: &str) -> u64 {
        let bytes = self.0.read_variable(name).unwrap();
        u64::from_ne_bytes(bytes.try_into().unwrap())
    }
}

fn send(ring: &mut UserRingBuffer, number: u64) {
    let mut slot = ring.reserve(8).unwrap().expect("room");
    slot.write(&number).unwrap();
    slot.submit();
}

#[test]
fn submitted_records_are_taken_and_others_are_not() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 1));
    let drainer = Drainer::load();
    let mut ring = drainer.writer();
    send(&mut ring, 3);
    let mut slot = ring.reserve(8).unwrap().unwrap();
    slot.write(&1000_u64).unwrap();
    slot.discard();
    drop(ring.reserve(16).unwrap().unwrap());
    let mut long = ring.reserve(200).unwrap().unwrap();
    assert_eq!(long[..], [0; 200], "nothing of earlier records");
    long[..8].copy_from_slice(&4_u64.to_ne_bytes());
    long.submit();
    assert_eq!(drainer.drain(), 2);
    assert_eq!(drainer.counter("taken"), 2);
    assert_eq!(drainer.counter("sum"), 7);
    assert_eq!(drainer.counter("long_ones"), 1);
    assert_eq!(drainer.drain(), 0);
}

#[test]
fn a_program_stops_at_a_record_in_the_making() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 1));
    let drainer = Drainer::load();
    let mut ring = drainer.writer();
    send(&mut ring, 1);
    let slot = ring.reserve(8).unwrap().unwrap();
    assert_eq!(drainer.drain(), 1);
    slot.submit();
    assert_eq!(drainer.drain(), 1);
}

/// 4096 bytes hold 256 records of 16: the ring is filled and drained several times, past its end.
#[test]
fn a_full_ring_has_no_room_until_it_is_drained() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 1));
    let drainer = Drainer::load();
    let mut ring = drainer.writer();
    let (mut count, mut sum) = (0, 0);
    for round in 0..5 {
        // Another length, so that rounds end at different places.
        let odd = ring.reserve(8 * round).unwrap().unwrap();
        odd.discard();
        let mut filled = 0;
        while let Some(mut slot) = ring.reserve(8).unwrap() {
            slot.write(&count).unwrap();
            slot.submit();
            sum += count;
            count += 1;
            filled += 1;
        }
        assert_eq!(filled, (SIZE - 8 - 8 * round) / 16, "round {round}");
        assert!(
            ring.reserve_wait(8, Some(Duration::from_millis(5)))
                .unwrap()
                .is_none()
        );
        while drainer.drain() > 0 {}
        assert_eq!(drainer.counter("taken"), count);
        assert_eq!(drainer.counter("sum"), sum);
    }
}

#[test]
fn a_blocked_writer_is_woken_by_a_drain() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 1));
    let drainer = Drainer::load();
    let mut ring = drainer.writer();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // Four times as many as there is room for, and of all the room at last.
            for number in 0..1024_u64 {
                let mut slot = ring.reserve_wait(8, LONG).unwrap().expect("room in time");
                slot.write(&number).unwrap();
                slot.submit();
            }
            let longest = ring.longest();
            assert_eq!(longest, SIZE - 8);
            let slot = ring.reserve_wait(longest, LONG).unwrap();
            slot.expect("all the room in time").discard();
        });
        while !writer.is_finished() {
            drainer.drain();
            std::thread::sleep(Duration::from_millis(1));
        }
        writer.join().unwrap();
    });
    drainer.drain();
    assert_eq!(drainer.counter("taken"), 1024);
    assert_eq!(drainer.counter("sum"), 1023 * 1024 / 2);
}

#[test]
fn wrong_sizes_and_maps_are_explained() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 1));
    let drainer = Drainer::load();
    let mut ring = drainer.writer();
    let error = ring.reserve(SIZE).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::E2BIG));
    let text = error.to_string();
    assert!(text.contains("4096") && text.contains("4088"), "{text}");

    let mut slot = ring.reserve(4).unwrap().unwrap();
    let error = slot.write(&0_u64).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("8 bytes, but 4"), "{error}");
    drop(slot);

    let map = drainer.0.map("commands").unwrap();
    let error = UserRingBuffer::new(map).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EBUSY));
    drop(ring);
    UserRingBuffer::new(map).unwrap();

    let error = UserRingBuffer::new(&crate::rings::ring("t_no_user")).unwrap_err();
    assert!(
        error.to_string().contains("ringbuf, not user_ringbuf"),
        "{error}"
    );
}
