//! The protocols, run through every interleaving and reordering that their acquire and release operations allow (`loom`).
//!
//! The other side is written as the kernel does it (`kernel/bpf/ringbuf.c`, `kernel/events/ring_buffer.c`). Records are plain
//! words without an order of their own: a reader that did not wait for the right store would find old ones.

use super::memory::{Memory, Word};
use super::perf_reader::PerfReader;
use super::reader::Reader;
use super::walk::BUSY;
use super::writer::{Fate, Writer};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, fence};
use loom::thread;
use std::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};

/// Bytes in the data area, and in a record of one word with its header.
const SIZE: usize = 32;
const STEP: usize = 16;
/// As many records as go over the end of the data once.
const RECORDS: usize = 3;

/// Memory whose every word is modelled.
struct Modelled {
    consumer: AtomicUsize,
    producer: AtomicUsize,
    /// Words of 8 bytes: headers and payloads in turn.
    data: [AtomicUsize; SIZE / 8],
}

impl Modelled {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            consumer: AtomicUsize::new(0),
            producer: AtomicUsize::new(0),
            data: std::array::from_fn(|_| AtomicUsize::new(0)),
        })
    }

    fn word(&self, word: Word) -> &AtomicUsize {
        match word {
            Word::Consumer => &self.consumer,
            Word::Producer => &self.producer,
            Word::Header(offset) => &self.data[offset / 8],
        }
    }

    fn payload(&self, header: usize) -> &AtomicUsize {
        &self.data[(header / 8 + 1) % (SIZE / 8)]
    }
}

impl Memory<usize> for Modelled {
    fn load(&self, word: Word, order: Ordering) -> usize {
        self.word(word).load(order)
    }

    fn store(&self, word: Word, value: usize, order: Ordering) {
        self.word(word).store(value, order);
    }

    fn fence(&self, order: Ordering) {
        fence(order);
    }
}

impl Memory<u64> for Modelled {
    fn load(&self, word: Word, order: Ordering) -> u64 {
        self.word(word).load(order) as u64
    }

    fn store(&self, word: Word, value: u64, order: Ordering) {
        self.word(word)
            .store(usize::try_from(value).unwrap(), order);
    }

    fn fence(&self, order: Ordering) {
        fence(order);
    }
}

/// Writes a record as `bpf_ringbuf_reserve` and `bpf_ringbuf_submit` do. False if there is no room.
fn submit(memory: &Modelled, wake: &AtomicBool, value: usize) -> bool {
    let consumer = memory.consumer.load(Acquire);
    let position = memory.producer.load(Relaxed);
    if position + STEP - consumer > SIZE {
        return false;
    }
    let header = position % SIZE;
    memory.data[header / 8].store(8 | BUSY as usize, Relaxed);
    memory.producer.store(position + STEP, Release);
    memory.payload(header).store(value, Relaxed);
    // An exchange, which in the kernel is a full fence on both sides.
    fence(SeqCst);
    memory.data[header / 8].swap(8, AcqRel);
    fence(SeqCst);
    if memory.consumer.load(Acquire) == position {
        wake.store(true, Release);
    }
    true
}

/// Takes what there is, and checks that it is what comes next.
fn take_all(memory: &Modelled, reader: &mut Reader, expected: &mut usize) {
    reader.begin(memory);
    while let Some(found) = reader.next(memory).unwrap() {
        let value = memory.data[found.offset % SIZE / 8].load(Relaxed);
        assert_eq!(
            value, *expected,
            "an old record, or one that was overwritten"
        );
        *expected += 1;
    }
}

#[test]
fn a_ring_lends_only_what_is_written_and_not_yet_overwritten() {
    loom::model(|| {
        let memory = Modelled::new();
        let (theirs, wake) = (Arc::clone(&memory), Arc::new(AtomicBool::new(false)));
        let program = thread::spawn(move || {
            (1..=RECORDS)
                .filter(|value| submit(&theirs, &wake, *value))
                .count()
        });
        let mut reader = Reader::new(SIZE);
        let mut expected = 1;
        take_all(&memory, &mut reader, &mut expected);
        reader.publish(&*memory);
        let written = program.join().unwrap();
        // What found no room is missing at the end only: there are three records and room for two.
        take_all(&memory, &mut reader, &mut expected);
        assert_eq!(expected - 1, written);
    });
}

#[test]
fn a_ring_does_not_sleep_on_a_record() {
    loom::model(|| {
        let memory = Modelled::new();
        let wake = Arc::new(AtomicBool::new(false));
        assert!(submit(&memory, &wake, 1));
        wake.store(false, Relaxed);
        let (theirs, their_wake) = (Arc::clone(&memory), Arc::clone(&wake));
        let program = thread::spawn(move || submit(&theirs, &their_wake, 2));
        let mut reader = Reader::new(SIZE);
        let mut expected = 1;
        take_all(&memory, &mut reader, &mut expected);
        reader.publish(&*memory);
        // What `wait` does before it sleeps.
        take_all(&memory, &mut reader, &mut expected);
        let slept = expected == 2;
        assert!(program.join().unwrap());
        assert!(
            !slept || wake.load(Acquire),
            "asleep, though there is a record"
        );
    });
}

#[test]
fn a_user_ring_gives_only_what_is_written() {
    loom::model(|| {
        let memory = Modelled::new();
        let theirs = Arc::clone(&memory);
        // A program drains as the reader of a ring buffer does.
        let program = thread::spawn(move || {
            let mut reader = Reader::new(SIZE);
            let mut expected = 1;
            take_all(&theirs, &mut reader, &mut expected);
            reader.publish(&*theirs);
        });
        let mut writer = Writer::new(&*memory, SIZE);
        for value in 1..=RECORDS {
            if let Some(reserved) = writer.reserve(&*memory, 8).unwrap() {
                memory.payload(reserved.header).store(value, Relaxed);
                Writer::commit(&*memory, reserved, Fate::Submit);
            }
        }
        program.join().unwrap();
    });
}

#[test]
fn a_perf_buffer_lends_only_what_is_written_and_not_yet_overwritten() {
    /// A record of 16 bytes, of no kind.
    const HEADER: [u8; 8] = [0, 0, 0, 0, 0, 0, 16, 0];
    loom::model(|| {
        let memory = Modelled::new();
        let theirs = Arc::clone(&memory);
        let kernel = thread::spawn(move || {
            let mut head = 0;
            for value in 1..=RECORDS {
                if head + STEP - theirs.consumer.load(Acquire) > SIZE {
                    continue;
                }
                let header = usize::from_ne_bytes(HEADER);
                theirs.data[head % SIZE / 8].store(header, Relaxed);
                theirs.payload(head % SIZE).store(value, Relaxed);
                head += STEP;
                theirs.producer.store(head, Release);
            }
        });
        let mut reader = PerfReader::new(SIZE as u64);
        let mut expected = 1;
        for _ in 0..2 {
            reader.begin(&*memory);
            while let Some(found) = reader.next(&*memory).unwrap() {
                let at = usize::try_from(found.position).unwrap() % SIZE;
                assert_eq!(memory.payload(at).load(Relaxed), expected);
                expected += 1;
            }
            reader.publish(&*memory);
        }
        kernel.join().unwrap();
    });
}
