//! Reading events of 128 bytes out of a ring buffer, beside copying as many bytes.
//!
//! The ring is filled and emptied in turns by this thread, so that nobody waits for anybody. In every other turn the events are
//! not read but copied from where they are known to be, out of memory that is as warm as in the turns before.

use std::hint::black_box;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use rawbpf::load::Object;
use rawbpf::open::OpenObject;
use rawbpf::ring::RingBuffer;
use rawbpf::sys::bpf::{TestRun, prog_test_run};
use serde::Serialize;

type Event = [u8; 128];
/// An event with its header.
const STEP: usize = size_of::<Event>() + 8;
/// Of the program, in a turn: not quite a quarter of the ring, as much as a batch lends.
const RUNS: u32 = 30;
const COUNT: usize = 64 * RUNS as usize;
const TURNS: u32 = 300;

/// Nanoseconds for one event; medians.
#[derive(Debug, Serialize)]
pub struct CopyCost {
    /// Lent by the reader, and copied by its user.
    pub read: f64,
    /// Lent by the reader; its user looks at both ends.
    pub look: f64,
    /// Copied.
    pub copy: f64,
}

/// Takes the three in turns.
pub fn measure(object: &Path) -> Result<CopyCost> {
    let object = OpenObject::from_file(object)?.load()?;
    let mut ring = RingBuffer::new(object.map("events")?)?;
    let data = Data::map(&object)?;
    let mut kept: Vec<Event> = vec![[0; 128]; COUNT];
    let (mut read, mut look, mut copy) = (Vec::new(), Vec::new(), Vec::new());
    let mut position = 0;
    for _ in 0..TURNS {
        fill(&object)?;
        let start = Instant::now();
        for (event, place) in ring.poll().iter().zip(&mut kept) {
            *place = *event?.view()?;
        }
        read.push(start.elapsed().as_secs_f64());
        black_box(&mut kept);

        fill(&object)?;
        let start = Instant::now();
        let mut sum = 0_u64;
        for event in &ring.poll() {
            let event: &[u64; 16] = event?.view()?;
            sum = sum.wrapping_add(event[0] ^ event[15]);
        }
        look.push(start.elapsed().as_secs_f64());
        ensure!(black_box(sum) == 0, "an event was not whole");

        fill(&object)?;
        position += 2 * STEP * COUNT;
        let bytes = data.bytes(position);
        let start = Instant::now();
        for (piece, place) in bytes.chunks_exact(STEP).zip(&mut kept) {
            if let Some(event) = piece.last_chunk() {
                *place = *event;
            }
        }
        copy.push(start.elapsed().as_secs_f64());
        black_box(&mut kept);
        let count = ring.poll().iter().count();
        ensure!(count == COUNT, "{count} events instead of {COUNT}");
        position += STEP * COUNT;
    }
    Ok(CopyCost {
        read: median(read),
        look: median(look),
        copy: median(copy),
    })
}

fn fill(object: &Object) -> Result<()> {
    let mut run = TestRun {
        data_in: &[0; 64],
        repeat: RUNS,
        ..TestRun::default()
    };
    prog_test_run(object.program("flood_128")?.as_fd(), &mut run)?;
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    middle * 1e9 / f64::from(64 * RUNS)
}

/// The ring's data, mapped a second time.
#[derive(Debug)]
struct Data {
    start: *const u8,
    size: usize,
}

impl Data {
    fn map(object: &Object) -> Result<Self> {
        const PAGE: usize = 4096;
        let map = object.map("events")?;
        let size = map.max_entries() as usize;
        // SAFETY: a new mapping, wherever the kernel likes.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                2 * PAGE + 2 * size,
                libc::PROT_READ,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                map.as_fd().as_raw_fd(),
                0,
            )
        };
        ensure!(start != libc::MAP_FAILED, "cannot map the ring once more");
        Ok(Self {
            start: start.cast::<u8>().wrapping_add(2 * PAGE).cast_const(),
            size,
        })
    }

    /// A turn's events, which nobody writes to before they are read.
    fn bytes(&self, position: usize) -> &[u8] {
        let start = self.start.wrapping_add(position % self.size);
        // SAFETY: the data is mapped twice in a row, and a turn is shorter than it is; the mapping is never taken away.
        unsafe { std::slice::from_raw_parts(start, STEP * COUNT) }
    }
}
