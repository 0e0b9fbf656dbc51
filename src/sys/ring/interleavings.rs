//! The protocols, run through every interleaving and reordering that their acquire and release operations allow (`loom`).
//!
//! The other side does what the kernel does (`kernel/bpf/ringbuf.c`, `kernel/events/ring_buffer.c`). Records are plain words
//! without ordering of their own: a reader that did not wait for the right store would find old ones. Each also has a guard,
//! which detects any two unordered accesses.
//!
//! `loom` remembers only the last access to a word: a thread that loads a word and then stores to it hides that another thread
//! loaded it before, and `loom` then explores one interleaving instead of all. So nothing here loads a word that it alone
//! writes. [`every_order_is_needed`] would fail if a model explored too little.

use super::memory::{Memory, Word};
use super::perf_reader::PerfReader;
use super::reader::{Patience, Reader};
use super::walk::BUSY;
use super::writer::{Fate, Writer};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, fence};
use loom::thread;
use std::panic::catch_unwind;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};

/// Bytes in the data area, and in a record of one word with its header.
const SIZE: usize = 32;
const STEP: usize = 16;
/// Enough records to wrap around the end of the data once.
const RECORDS: usize = 3;
/// In a larger ring, a batch is two records.
const LARGE: usize = 8 * STEP;

const ONE_LOOK: Patience = Patience {
    looks: 1,
    pauses: 0,
};

/// One of our operations that has a memory order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ordered {
    LoadConsumer,
    LoadProducer,
    LoadHeader,
    StoreConsumer,
    StoreProducer,
    StoreHeader,
    Fence,
}

/// Memory whose every word is modelled.
struct Modelled {
    consumer: AtomicUsize,
    producer: AtomicUsize,
    /// Words of 8 bytes: headers and payloads in turn.
    data: Vec<AtomicUsize>,
    /// One for each word of the data.
    guards: Vec<UnsafeCell<()>>,
    /// An operation that is performed without its order.
    weak: Option<Ordered>,
}

impl Modelled {
    fn new(size: usize, weak: Option<Ordered>) -> Arc<Self> {
        Self::starting_at(0, size, weak)
    }

    fn starting_at(position: usize, size: usize, weak: Option<Ordered>) -> Arc<Self> {
        Arc::new(Self {
            consumer: AtomicUsize::new(position),
            producer: AtomicUsize::new(position),
            data: (0..size / 8).map(|_| AtomicUsize::new(0)).collect(),
            guards: (0..size / 8).map(|_| UnsafeCell::new(())).collect(),
            weak,
        })
    }

    fn size(&self) -> usize {
        8 * self.data.len()
    }

    fn word(&self, word: Word) -> &AtomicUsize {
        match word {
            Word::Consumer => &self.consumer,
            Word::Producer => &self.producer,
            Word::Header(offset) => &self.data[offset / 8],
        }
    }

    /// The word of a record, which begins at an offset of the (doubled) data.
    fn payload(&self, offset: usize) -> usize {
        let at = offset / 8 % self.data.len();
        self.guards[at].with(|_| ());
        self.data[at].load(Relaxed)
    }

    fn set_payload(&self, offset: usize, value: usize) {
        let at = offset / 8 % self.data.len();
        self.guards[at].with_mut(|_| ());
        self.data[at].store(value, Relaxed);
    }

    fn order(&self, operation: Ordered, order: Ordering) -> Ordering {
        if self.weak == Some(operation) {
            Relaxed
        } else {
            order
        }
    }

    fn load_order(&self, word: Word, order: Ordering) -> Ordering {
        let operation = match word {
            Word::Consumer => Ordered::LoadConsumer,
            Word::Producer => Ordered::LoadProducer,
            Word::Header(_) => Ordered::LoadHeader,
        };
        self.order(operation, order)
    }

    fn store_order(&self, word: Word, order: Ordering) -> Ordering {
        let operation = match word {
            Word::Consumer => Ordered::StoreConsumer,
            Word::Producer => Ordered::StoreProducer,
            Word::Header(_) => Ordered::StoreHeader,
        };
        self.order(operation, order)
    }
}

impl Memory<usize> for Modelled {
    fn load(&self, word: Word, order: Ordering) -> usize {
        self.word(word).load(self.load_order(word, order))
    }

    fn store(&self, word: Word, value: usize, order: Ordering) {
        self.word(word).store(value, self.store_order(word, order));
    }

    fn fence(&self, order: Ordering) {
        if self.weak != Some(Ordered::Fence) {
            fence(order);
        }
    }
}

impl Memory<u64> for Modelled {
    fn load(&self, word: Word, order: Ordering) -> u64 {
        Memory::<usize>::load(self, word, order) as u64
    }

    fn store(&self, word: Word, value: u64, order: Ordering) {
        Memory::<usize>::store(self, word, usize::try_from(value).unwrap(), order);
    }

    fn fence(&self, order: Ordering) {
        Memory::<usize>::fence(self, order);
    }
}

/// Reserves and submits records like `bpf_ringbuf_reserve` and `bpf_ringbuf_submit`.
struct Program {
    memory: Arc<Modelled>,
    position: usize,
    wake: Arc<AtomicBool>,
}

impl Program {
    /// False if there is no room.
    fn submit(&mut self, value: usize) -> bool {
        let memory = &*self.memory;
        let position = self.position;
        let consumer = memory.consumer.load(Acquire);
        if position + STEP - consumer > memory.size() {
            return false;
        }
        let header = position % memory.size();
        memory.data[header / 8].store(8 | BUSY as usize, Relaxed);
        self.position = position + STEP;
        memory.producer.store(self.position, Release);
        memory.set_payload(header + 8, value);
        // An exchange, which in the kernel is a full fence on both sides.
        fence(SeqCst);
        memory.data[header / 8].swap(8, AcqRel);
        fence(SeqCst);
        if memory.consumer.load(Acquire) == position {
            self.wake.store(true, Release);
        }
        true
    }
}

/// A ring in which nothing was ever written, and the program that will.
fn ring(position: usize, size: usize, weak: Option<Ordered>) -> (Arc<Modelled>, Program) {
    let memory = Modelled::starting_at(position, size, weak);
    let program = Program {
        memory: Arc::clone(&memory),
        position,
        wake: Arc::new(AtomicBool::new(false)),
    };
    (memory, program)
}

/// Takes a batch (of a small ring, one record), and checks that it is what comes next.
fn take_batch(memory: &Modelled, reader: &mut Reader, expected: &mut usize) {
    reader.begin(memory);
    let mut walk = reader.walk();
    while reader.seek(&mut walk, memory).unwrap() {
        let found = reader.take(&mut walk, memory).unwrap();
        assert_eq!(
            memory.payload(found.offset),
            *expected,
            "an old record, or one that was overwritten"
        );
        *expected += 1;
    }
}

/// A ring lends only what is written and not yet overwritten.
fn lending(weak: Option<Ordered>) {
    loom::model(move || {
        let (memory, mut program) = ring(0, SIZE, weak);
        let program = thread::spawn(move || (1..=RECORDS).filter(|n| program.submit(*n)).count());
        let mut reader = Reader::new(&*memory, SIZE);
        let mut expected = 1;
        take_batch(&memory, &mut reader, &mut expected);
        reader.publish(&*memory);
        let written = program.join().unwrap();
        // Only records at the end can be missing for lack of room: there are three, and room for two.
        for _ in 1..=RECORDS {
            take_batch(&memory, &mut reader, &mut expected);
            reader.publish(&*memory);
        }
        assert_eq!(expected - 1, written);
    });
}

/// A ring's reader does not sleep while there is a record.
fn sleeping(weak: Option<Ordered>) {
    loom::model(move || {
        let (memory, mut program) = ring(0, SIZE, weak);
        assert!(program.submit(1));
        let wake = Arc::clone(&program.wake);
        wake.store(false, Relaxed);
        let program = thread::spawn(move || program.submit(2));
        let mut reader = Reader::new(&*memory, SIZE);
        let mut expected = 1;
        take_batch(&memory, &mut reader, &mut expected);
        reader.publish(&*memory);
        // What `wait` does before it sleeps.
        take_batch(&memory, &mut reader, &mut expected);
        let slept = expected == 2;
        assert!(program.join().unwrap());
        assert!(
            !slept || wake.load(Acquire),
            "asleep, though there is a record"
        );
    });
}

/// A user ring gives only what is written.
fn giving(weak: Option<Ordered>) {
    loom::model(move || {
        let memory = Modelled::new(SIZE, weak);
        let theirs = Arc::clone(&memory);
        // A program drains as the reader of a ring buffer does.
        let program = thread::spawn(move || {
            let mut reader = Reader::new(&*theirs, SIZE);
            let mut expected = 1;
            take_batch(&theirs, &mut reader, &mut expected);
            reader.publish(&*theirs);
        });
        let mut writer = Writer::new(&*memory, SIZE);
        for value in 1..=RECORDS {
            if let Some(reserved) = writer.reserve(&*memory, 8).unwrap() {
                memory.set_payload(reserved.header + 8, value);
                Writer::commit(&*memory, reserved, Fate::Submit);
            }
        }
        program.join().unwrap();
    });
}

/// A perf buffer lends only what is written and not yet overwritten.
fn lending_of_perf(weak: Option<Ordered>) {
    /// A record of 16 bytes, of no kind.
    const HEADER: [u8; 8] = [0, 0, 0, 0, 0, 0, 16, 0];
    loom::model(move || {
        let memory = Modelled::new(SIZE, weak);
        let theirs = Arc::clone(&memory);
        let kernel = thread::spawn(move || {
            let mut head = 0;
            for value in 1..=RECORDS {
                if head + STEP - theirs.consumer.load(Acquire) > SIZE {
                    continue;
                }
                let header = usize::from_ne_bytes(HEADER);
                theirs.data[head % SIZE / 8].store(header, Relaxed);
                theirs.set_payload(head + 8, value);
                head += STEP;
                theirs.producer.store(head, Release);
            }
        });
        let mut reader = PerfReader::new(&*memory, SIZE as u64);
        let mut expected = 1;
        for _ in 0..2 {
            reader.begin(&*memory);
            while let Some(found) = reader.next(&*memory).unwrap() {
                let at = usize::try_from(found.position).unwrap();
                assert_eq!(memory.payload(at + 8), expected);
                expected += 1;
            }
            reader.publish(&*memory);
        }
        kernel.join().unwrap();
    });
}

#[test]
fn a_ring_lends_only_what_is_written_and_not_yet_overwritten() {
    lending(None);
}

#[test]
fn a_ring_does_not_sleep_on_a_record() {
    sleeping(None);
}

#[test]
fn a_user_ring_gives_only_what_is_written() {
    giving(None);
}

#[test]
fn a_perf_buffer_lends_only_what_is_written_and_not_yet_overwritten() {
    lending_of_perf(None);
}

#[test]
fn a_batch_goes_on_with_what_is_written_while_it_is_read() {
    static WENT_ON: AtomicU32 = AtomicU32::new(0);
    loom::model(|| {
        // The second record goes over the end of the data.
        let (memory, mut program) = ring(LARGE - STEP, LARGE, None);
        assert!(program.submit(1));
        let program = thread::spawn(move || program.submit(2));
        let mut reader = Reader::new(&*memory, LARGE);
        reader.set_patience(ONE_LOOK);
        let mut expected = 1;
        take_batch(&memory, &mut reader, &mut expected);
        WENT_ON.fetch_add(u32::from(expected == 3), Relaxed);
        reader.publish(&*memory);
        assert!(program.join().unwrap());
        take_batch(&memory, &mut reader, &mut expected);
        assert_eq!(expected, 3);
    });
    assert!(WENT_ON.load(Relaxed) > 0);
}

/// With one order taken away, an interleaving is found in which it goes wrong.
#[test]
fn every_order_is_needed() {
    let fails = |model: fn(Option<Ordered>), weak| {
        let found = catch_unwind(|| model(Some(weak)));
        assert!(found.is_err(), "nothing went wrong without {weak:?}");
    };
    for weak in [
        Ordered::LoadProducer,
        Ordered::LoadHeader,
        Ordered::StoreConsumer,
    ] {
        fails(lending, weak);
    }
    fails(sleeping, Ordered::Fence);
    for weak in [
        Ordered::LoadConsumer,
        Ordered::StoreProducer,
        Ordered::StoreHeader,
    ] {
        fails(giving, weak);
    }
    fails(lending_of_perf, Ordered::LoadProducer);
    fails(lending_of_perf, Ordered::StoreConsumer);
}
