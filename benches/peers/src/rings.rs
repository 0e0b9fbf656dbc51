//! A ring buffer that is flooded from one CPU and read from another, by one of the loaders.
//!
//! The object, the map and the producer are the same for everybody; only who reads it differs. The reader's loop is the one its
//! documentation shows: wait until there is something, read all there is, look at each event's first and last word.

use std::cell::Cell;
use std::hint::black_box;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use rawbpf::load::Object;
use rawbpf::open::OpenObject;
use rawbpf::sys::bpf::{TestRun, prog_test_run};
use serde::Serialize;

use crate::meter;

/// How long a reader waits before it looks at the clock again.
const TICK: Duration = Duration::from_millis(5);

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// libbpf, through `libbpf-rs`.
    Libbpf,
    /// aya.
    Aya,
    /// rawbpf.
    Rawbpf,
}

/// Where the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Placement {
    /// On another CPU than the reader.
    Apart,
    /// On the reader's CPU, in turns with it.
    Together,
}

/// What came through.
#[derive(Debug, Serialize)]
pub struct Flood {
    /// Events that were read.
    pub events: u64,
    /// Events for which the program found no room.
    pub lost: u64,
    /// Events that the program tried to send.
    pub sent: u64,
    /// From the start to the last event.
    pub wall_ns: u64,
    /// CPU time of the reading thread.
    pub cpu_ns: u64,
    /// How often the reading thread went to sleep.
    pub sleeps: u64,
}

/// What a reader saw.
#[derive(Debug, Default)]
struct Tally {
    events: Cell<u64>,
    /// Of the events' numbers: an event read twice, or half, would show.
    sum: Cell<u64>,
}

impl Tally {
    /// Looks at both ends of an event.
    fn see(&self, event: &[u8]) {
        let number = |bytes: Option<&[u8; 8]>| bytes.map_or(u64::MAX, |b| u64::from_ne_bytes(*b));
        let (first, last) = (number(event.first_chunk()), number(event.last_chunk()));
        self.events
            .set(self.events.get() + u64::from(first == last));
        self.sum.set(self.sum.get().wrapping_add(first));
    }
}

/// Floods the ring buffer of an object with events of `bytes` bytes, and reads it.
pub fn flood(
    object: &Path,
    reader: Reader,
    bytes: u32,
    time: Duration,
    placement: Placement,
) -> Result<Flood> {
    let object = OpenObject::from_file(object)?.load()?;
    let program = object.program(&format!("flood_{bytes}"))?;
    let map = object.map("events")?.id()?;
    let (stop, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    let tally = Tally::default();
    let producer_cpu = match placement {
        Placement::Apart => 0,
        Placement::Together => 1,
    };
    stay_on(1);
    let (wall_ns, cpu_ns, sleeps) = thread::scope(|scope| {
        let producer = scope.spawn(|| {
            stay_on(producer_cpu);
            let result = produce(program.as_fd(), &stop);
            ended.store(true, Ordering::Release);
            result
        });
        let (start, cpu, slept) = (Instant::now(), meter::cpu_time(), meter::sleeps());
        let is_over = || {
            if start.elapsed() >= time {
                stop.store(true, Ordering::Release);
            }
            // Once it has ended, one more look finds the rest.
            ended.load(Ordering::Acquire)
        };
        let read = match reader {
            Reader::Libbpf => read_libbpf(map, &tally, is_over),
            Reader::Aya => read_aya(map, &tally, is_over),
            Reader::Rawbpf => read_rawbpf(&object, &tally, is_over),
        };
        let wall_ns = meter::nanos(start.elapsed());
        let cpu_ns = meter::nanos(meter::cpu_time().saturating_sub(cpu));
        let sleeps = meter::sleeps() - slept;
        stop.store(true, Ordering::Release);
        let produced = producer.join();
        read?;
        produced
            .map_err(|_| anyhow::anyhow!("the producer panicked"))?
            .context("run the producer")?;
        anyhow::Ok((wall_ns, cpu_ns, sleeps))
    })?;
    let events = tally.events.get();
    let (sent, lost) = (word(&object, "sent")?, word(&object, "lost")?);
    ensure!(
        events + lost == sent,
        "{events} events were read and {lost} found no room, but {sent} were sent"
    );
    black_box(tally.sum.get());
    Ok(Flood {
        events,
        lost,
        sent,
        wall_ns,
        cpu_ns,
        sleeps,
    })
}

fn read_libbpf(map: u32, tally: &Tally, is_over: impl Fn() -> bool) -> Result<()> {
    let map = libbpf_rs::MapHandle::from_map_id(map)?;
    let mut builder = libbpf_rs::RingBufferBuilder::new();
    builder.add(&map, |event| {
        tally.see(event);
        0
    })?;
    let ring = builder.build()?;
    while !is_over() {
        ring.poll(TICK)?;
    }
    ring.consume()?;
    Ok(())
}

fn read_aya(map: u32, tally: &Tally, is_over: impl Fn() -> bool) -> Result<()> {
    let map = aya::maps::Map::RingBuf(aya::maps::MapData::from_id(map)?);
    let mut ring = aya::maps::RingBuf::try_from(map)?;
    while !is_over() {
        wait_readable(ring.as_fd())?;
        while let Some(event) = ring.next() {
            tally.see(&event);
        }
    }
    while let Some(event) = ring.next() {
        tally.see(&event);
    }
    Ok(())
}

fn read_rawbpf(object: &Object, tally: &Tally, is_over: impl Fn() -> bool) -> Result<()> {
    let mut ring = rawbpf::ring::RingBuffer::new(object.map("events")?)?;
    while !is_over() {
        for event in &ring.wait(Some(TICK))? {
            tally.see(event?.bytes());
        }
    }
    loop {
        let batch = ring.poll();
        if batch.is_empty() {
            return Ok(());
        }
        for event in &batch {
            tally.see(event?.bytes());
        }
    }
}

/// Runs the program again and again, once at least.
fn produce(program: BorrowedFd<'_>, stop: &AtomicBool) -> Result<(), rawbpf::Errno> {
    /// The least that a socket filter takes.
    const PACKET: [u8; 64] = [0; 64];
    loop {
        let mut run = TestRun {
            data_in: &PACKET,
            repeat: 100,
            ..TestRun::default()
        };
        prog_test_run(program, &mut run)?;
        if stop.load(Ordering::Acquire) {
            return Ok(());
        }
    }
}

/// A counter of the program's.
fn word(object: &Object, name: &str) -> Result<u64> {
    let bytes = object.read_variable(name)?;
    let bytes = bytes.try_into().ok().context("a counter of 8 bytes")?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Waits as an event loop would.
fn wait_readable(fd: BorrowedFd<'_>) -> Result<()> {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let tick = libc::c_int::try_from(TICK.as_millis())?;
    // SAFETY: `poll` is a valid place for one pollfd.
    let result = unsafe { libc::poll(&raw mut poll, 1, tick) };
    ensure!(result >= 0, "poll: {}", std::io::Error::last_os_error());
    Ok(())
}

/// Keeps this thread on one CPU; where there is no such CPU, it stays where it is.
fn stay_on(cpu: usize) {
    // SAFETY: all-zero is a valid cpu_set_t.
    let mut cpus: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the number is below CPU_SETSIZE.
    unsafe { libc::CPU_SET(cpu, &mut cpus) };
    // SAFETY: `cpus` is a cpu_set_t, with its size.
    let _ = unsafe { libc::sched_setaffinity(0, size_of_val(&cpus), &raw const cpus) };
}
