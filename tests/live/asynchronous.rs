//! Readers in tokio tasks: what is written wakes them, on every round.

use crate::perf_buffers::{events_for_all, sender};
use crate::rings::{discarder, ring, submitter, write};
use crate::support::Need;
use rawbpf::ErrorKind;
use rawbpf::ring::{Async, PerfBuffer, PerfRecord, Poller, RingBuffer};
use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

const ROUNDS: usize = 200;

/// Runs a future on a runtime of its own. If it never ends, the test hangs.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Whether a future has to wait.
fn waits(future: impl Future) -> bool {
    let mut future = pin!(future);
    let poll = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    matches!(poll, Poll::Pending)
}

/// Writes now and then: sometimes before the reader looks, sometimes while it waits.
fn write_slowly(program: OwnedFd) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for round in 0..ROUNDS {
            thread::sleep(Duration::from_micros(100 * (round as u64 % 4)));
            write(&program, 33);
        }
    })
}

#[test]
fn a_ring_wakes_its_task_on_every_round() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring_async");
    let program = submitter(&map, 5);
    block_on(async {
        let mut ring = Async::new(RingBuffer::new(&map).unwrap()).unwrap();
        assert!(waits(ring.wait()), "there is nothing yet");
        let thread = write_slowly(program);
        let mut seen = 0;
        while seen < ROUNDS {
            let batch = ring.wait().await.unwrap();
            assert!(!batch.is_empty());
            seen += batch.iter().map(Result::unwrap).count();
        }
        thread.join().unwrap();
        assert_eq!(seen, ROUNDS);
        assert!(waits(ring.wait()), "all was taken");
        assert_eq!(ring.get_ref().fill(0).unwrap().1, 0);
    });
}

/// The obvious loop: a batch and its records are held while the task waits for something else.
#[test]
fn a_spawned_task_waits_for_somebody_else_in_the_middle_of_a_batch() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring_spawned");
    let program = submitter(&map, 5);
    block_on(async {
        let (events, mut numbers) = tokio::sync::mpsc::channel(1);
        let mut ring = Async::new(RingBuffer::new(&map).unwrap()).unwrap();
        let task = tokio::spawn(async move {
            let mut sent = 0;
            while sent < ROUNDS {
                for record in &ring.wait().await? {
                    let record = record?;
                    events.send(record.to_vec()).await.expect("a receiver");
                    sent += 1;
                }
            }
            Ok::<_, rawbpf::Error>(sent)
        });
        let thread = write_slowly(program);
        let mut received = 0;
        while let Some(record) = numbers.recv().await {
            assert!(!record.is_empty());
            received += 1;
        }
        assert_eq!(received, ROUNDS);
        assert_eq!(task.await.unwrap().unwrap(), ROUNDS);
        thread.join().unwrap();
    });
}

/// The same for perf buffers.
#[test]
fn a_spawned_task_holds_the_records_of_a_perf_buffer() {
    require!(Need::Bpf);
    let map = events_for_all("t_perf_spawned");
    let program = sender(&map, 8);
    block_on(async {
        let mut buffer = Async::new(PerfBuffer::new(&map).unwrap()).unwrap();
        write(&program, 20);
        let task = tokio::spawn(async move {
            let mut samples = 0;
            while samples == 0 {
                for record in &buffer.wait().await? {
                    if let PerfRecord::Sample(sample) = record? {
                        tokio::task::yield_now().await;
                        samples += usize::from(!sample.bytes().is_empty());
                    }
                }
            }
            Ok::<_, rawbpf::Error>(samples)
        });
        assert_eq!(task.await.unwrap().unwrap(), 1);
    });
}

#[test]
fn records_that_were_left_end_the_next_wait_at_once() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = ring("t_ring_left");
    let (submit, discard) = (submitter(&map, 1), discarder(&map, 2));
    block_on(async {
        let mut ring = Async::new(RingBuffer::new(&map).unwrap()).unwrap();
        write(&submit, 20);
        write(&submit, 21);
        assert_eq!(ring.wait().await.unwrap().iter().take(1).count(), 1);
        assert_eq!(ring.wait().await.unwrap().iter().count(), 1);
        // Skipped records give no batch, and do not keep the next record from waking the task.
        for _ in 0..3 {
            write(&discard, 20);
            assert!(waits(ring.wait()));
            write(&submit, 22);
            assert_eq!(ring.wait().await.unwrap().iter().count(), 1);
        }
        let mut ring = ring.into_inner();
        write(&submit, 23);
        assert_eq!(ring.wait(None).unwrap().iter().count(), 1);
    });
}

#[test]
fn a_perf_buffer_wakes_its_task_on_every_round() {
    require!(Need::Bpf);
    let map = events_for_all("t_perf_async");
    let program = sender(&map, 5);
    block_on(async {
        let mut perf = Async::new(PerfBuffer::new(&map).unwrap()).unwrap();
        assert!(waits(perf.wait()), "there is nothing yet");
        let thread = write_slowly(program);
        let mut seen = 0;
        while seen < ROUNDS {
            let batch = perf.wait().await.unwrap();
            let is_sample = |record: PerfRecord<'_>| matches!(record, PerfRecord::Sample(_));
            let records = batch.iter().map(Result::unwrap);
            let count = records.filter(|record| is_sample(*record)).count();
            assert_ne!(count, 0);
            seen += count;
        }
        thread.join().unwrap();
        assert_eq!(seen, ROUNDS);
        assert!(waits(perf.wait()), "all was taken");
    });
}

/// The kernel reports only once that a perf buffer has something, to whoever asks first.
#[test]
fn a_poller_wakes_its_task_for_ring_and_perf_buffers() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let (perf_map, ring_map) = (events_for_all("t_perf_apoll"), ring("t_ring_apoll"));
    let (to_perf, to_ring) = (sender(&perf_map, 1), submitter(&ring_map, 2));
    let mut perf = PerfBuffer::new(&perf_map).unwrap();
    let mut ring = RingBuffer::new(&ring_map).unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(&perf).unwrap();
    poller.add(&ring).unwrap();
    block_on(async {
        let mut poller = Async::new(poller).unwrap();
        assert!(waits(poller.wait()), "there is nothing yet");
        let threads = [write_slowly(to_perf), write_slowly(to_ring)];
        let mut seen = 0;
        while seen < 2 * ROUNDS {
            poller.wait().await.unwrap();
            seen += perf.poll().iter().map(Result::unwrap).count();
            seen += ring.poll().iter().map(Result::unwrap).count();
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(seen, 2 * ROUNDS);
    });
}

#[test]
fn without_a_runtime_it_is_an_error() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let reader = RingBuffer::new(&ring("t_ring_alone")).unwrap();
    let error = Async::new(reader).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("no tokio runtime"), "{error}");
}
