//! Perf buffers: one for each CPU, behind one map.

use super::perf_source::PerfSource;
use super::typed;
use super::wait::{First, new_epoll, wait_until, watch};
use crate::kernel::rights;
use crate::map::{Map, UpdateMode};
use crate::sys::epoll::Epoll;
use crate::sys::perf_sample::SampleDetails;
use crate::sys::ring::{PerfEntry, PerfMapping, RingDamage};
use crate::sys::system::online_cpus;
use crate::{Errno, Error, ErrorKind, MapType, Result};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use zerocopy::TryFromBytes;

pub use crate::sys::perf_event::Wakeup;

/// Reads what programs send with `bpf_perf_event_output` through a perf event array.
///
/// Each CPU has its own buffer. Records of one CPU arrive in order; those of different CPUs may not. Since Linux 5.8 a
/// [`RingBuffer`](super::RingBuffer) is simpler, keeps the order and wastes less memory.
///
/// Its descriptor ([`AsFd`]) becomes readable when a CPU wakes the reader. In an event loop, call [`PerfBuffer::poll`] then;
/// otherwise call [`PerfBuffer::wait`].
///
/// A slot of the map holds one buffer: a second reader of the same CPUs replaces the first one, and gets all events from then
/// on. The first one still has what was written before, and can be dropped at any time: dropping a reader removes only its
/// own buffers from the map. That needs `CAP_SYS_ADMIN`, because the kernel identifies the owner of a slot by the open file
/// that filled it. Without it, the slots stay filled until somebody else fills them or the map is closed; what programs send
/// there in the meantime is lost, as it is without a reader.
#[derive(Debug)]
#[doc(alias = "perf_buffer")]
pub struct PerfBuffer {
    /// The map, through our own open file if we may have one: when it is closed, which happens first, the kernel empties exactly
    /// the slots that were filled through it.
    slots: Map,
    epoll: Epoll,
    cpus: Vec<CpuBuffer>,
    wakeup: Wakeup,
}

#[derive(Debug)]
struct CpuBuffer {
    cpu: u32,
    memory: PerfMapping,
    lost: AtomicU64,
}

impl CpuBuffer {
    fn note_lost(&self, count: u64) {
        let add = |lost: u64| Some(lost.saturating_add(count));
        // Never `None`, so that it never fails.
        let _ = self.lost.fetch_update(Relaxed, Relaxed, add);
    }
}

/// Options for a [`PerfBuffer`]. Returned by [`PerfBuffer::builder`].
#[derive(Debug, Clone)]
#[must_use = "nothing is read before `build`"]
pub struct PerfBufferBuilder<'m> {
    map: &'m Map,
    pages: usize,
    source: PerfSource,
    wakeup: Wakeup,
    cpus: Option<Vec<u32>>,
    keys: Option<Vec<u32>>,
}

impl AsFd for PerfBuffer {
    #[doc(alias = "perf_buffer__epoll_fd")]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl PerfBuffer {
    /// A reader for all CPUs that are online, with 64 pages each, woken by every event.
    pub fn new(map: &Map) -> Result<Self> {
        Self::builder(map).build()
    }

    /// Options for a reader.
    #[doc(alias = "perf_buffer__new")]
    #[doc(alias = "perf_buffer__new_raw")]
    pub fn builder(map: &Map) -> PerfBufferBuilder<'_> {
        PerfBufferBuilder {
            map,
            pages: 64,
            source: PerfSource::programs(),
            wakeup: Wakeup::Events(1),
            cpus: None,
            keys: None,
        }
    }

    /// Waits until a CPU wakes the reader, and lends what all CPUs have written. After `timeout`, or when a signal arrives, the
    /// batch has what was too little for a wake-up, or is empty.
    #[doc(alias = "perf_buffer__poll")]
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<PerfBatch<'_>> {
        let first = match self.wakeup {
            Wakeup::Events(0 | 1) => First::Look,
            _ => First::Wait,
        };
        let cpus = &mut self.cpus;
        wait_until(&self.epoll, timeout, first, || look(cpus))?;
        Ok(PerfBatch { cpus })
    }

    /// Lends the records that are there now.
    #[doc(alias = "perf_buffer__consume")]
    #[doc(alias = "perf_buffer__consume_buffer")]
    pub fn poll(&mut self) -> PerfBatch<'_> {
        look(&mut self.cpus);
        PerfBatch {
            cpus: &mut self.cpus,
        }
    }

    /// The CPUs that are read.
    #[doc(alias = "perf_buffer__buffer_cnt")]
    pub fn cpus(&self) -> impl Iterator<Item = u32> {
        self.cpus.iter().map(|buffer| buffer.cpu)
    }

    /// How many events were lost for lack of room.
    ///
    /// Since Linux 6.0 (and in later stable releases of 5.10) this is the kernel's own count. Elsewhere it is the sum of the
    /// [`PerfRecord::Lost`] records taken so far, which the kernel writes when there is room again, in front of the next event.
    pub fn lost(&self) -> u64 {
        let counts = self.cpus.iter().map(|buffer| {
            let reported = buffer.lost.load(Relaxed);
            buffer
                .memory
                .lost()
                .map_or(reported, |counted| counted.max(reported))
        });
        counts.fold(0, u64::saturating_add)
    }
}

impl PerfBufferBuilder<'_> {
    /// Pages of memory for each CPU: a power of two; 64 by default.
    pub fn pages(mut self, pages: usize) -> Self {
        self.pages = pages;
        self
    }

    /// What fills the buffers; what programs write unless told.
    #[doc(alias = "perf_event_attr")]
    pub fn source(mut self, source: PerfSource) -> Self {
        self.source = source;
        self
    }

    /// When to be woken; by every event unless told.
    pub fn wakeup(mut self, wakeup: Wakeup) -> Self {
        self.wakeup = wakeup;
        self
    }

    /// Which CPUs to read; all that are online by default.
    pub fn cpus(mut self, cpus: &[u32]) -> Self {
        self.cpus = Some(cpus.to_vec());
        self
    }

    /// The slot of the map for the buffer of each of the [chosen CPUs](PerfBufferBuilder::cpus); the CPU's number by default.
    /// A program that sends with `BPF_F_CURRENT_CPU` writes to the slot of its CPU's number; one that chooses a slot itself has
    /// to choose one whose buffer belongs to the CPU it runs on.
    #[doc(alias = "perf_buffer_raw_opts")]
    #[doc(alias = "map_keys")]
    pub fn keys(mut self, keys: &[u32]) -> Self {
        self.keys = Some(keys.to_vec());
        self
    }

    /// Opens a buffer for each CPU and puts it into the map.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the map is no perf event array or has no slot for one of the CPUs, or if the
    /// number of pages is no power of two, if there are not as many keys as CPUs, or if the source cannot be; [`ErrorKind::Permission`] without `CAP_PERFMON`.
    pub fn build(self) -> Result<PerfBuffer> {
        self.check().map_err(|error| self.map.blame(error))?;
        let mut reader = PerfBuffer {
            slots: self.map.reopened().unwrap_or_else(|| self.map.clone()),
            epoll: new_epoll()?,
            cpus: Vec::new(),
            wakeup: self.wakeup,
        };
        let online = || online_cpus().map_err(|e| self.map.fail(e, "cannot list the CPUs"));
        let cpus = self.cpus.clone().map_or_else(online, Ok)?;
        for (at, cpu) in cpus.into_iter().enumerate() {
            let key = self.keys.as_ref().and_then(|keys| keys.get(at));
            self.add(&mut reader, cpu, *key.unwrap_or(&cpu))
                .map_err(|error| self.map.blame(error.context(format!("CPU {cpu}"))))?;
        }
        Ok(reader)
    }

    fn check(&self) -> Result<()> {
        let kind = self.map.kind();
        if kind != MapType::PERF_EVENT_ARRAY {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "cannot read the map as a perf buffer: its type is {kind}, not {}",
                    MapType::PERF_EVENT_ARRAY
                ),
            ));
        }
        self.source.check()?;
        let chosen = self.cpus.as_ref().map_or(0, Vec::len);
        if let Some(keys) = self.keys.as_ref().filter(|keys| keys.len() != chosen) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("{} keys were given for {chosen} chosen CPUs", keys.len()),
            )
            .with_hint("PerfBufferBuilder::cpus chooses the CPUs, in the order of the keys"));
        }
        if !self.pages.is_power_of_two() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("a perf buffer cannot have {} pages", self.pages),
            )
            .with_hint("it takes a power of two, such as 8 or 64"));
        }
        Ok(())
    }

    fn add(&self, reader: &mut PerfBuffer, cpu: u32, key: u32) -> Result<()> {
        let slots = self.map.max_entries();
        if key >= slots {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("the map has {slots} slots, and none of number {key}"),
            )
            .with_hint(
                "leave `max_entries` away in the object: the map then has a slot for every CPU",
            ));
        }
        let memory = match PerfMapping::open(cpu, self.pages, &self.source.raw(), self.wakeup) {
            // Switched off since they were listed.
            Err(Errno::ENODEV) if self.cpus.is_none() => return Ok(()),
            result => result.map_err(|errno| self.explain(errno))?,
        };
        watch(&reader.epoll, memory.as_fd(), cpu.into())?;
        let descriptor = memory.as_fd().as_raw_fd().to_ne_bytes();
        reader
            .slots
            .insert(&key.to_ne_bytes(), &descriptor, UpdateMode::Any)?;
        reader.cpus.push(CpuBuffer {
            cpu,
            memory,
            lost: AtomicU64::new(0),
        });
        Ok(())
    }

    fn explain(&self, errno: Errno) -> Error {
        let error = Error::from_errno(
            errno,
            format!("cannot open a perf buffer of {} pages", self.pages),
        );
        match errno {
            Errno::EPERM | Errno::EACCES => error.with_hint(rights::for_perf_buffer()),
            Errno::ENODEV => error.with_hint("this CPU is not online"),
            Errno::ENOMEM => error.with_hint("are fewer pages enough?"),
            _ if self.source != PerfSource::programs() => error.with_hint(format!(
                "does this machine have such a counter ({:?})? Virtual machines often have none of the processor's",
                self.source
            )),
            _ => error,
        }
    }
}

/// Updates every buffer, and returns whether any has a record (or damage to report).
fn look(cpus: &mut [CpuBuffer]) -> bool {
    let mut ready = false;
    for buffer in cpus {
        buffer.memory.begin();
        ready |= buffer.memory.is_ready();
    }
    ready
}

/// Records that are ready. Returned by [`PerfBuffer::wait`] and [`PerfBuffer::poll`].
///
/// When the batch is dropped, programs get back the room of the records that were taken from it. The others come again with
/// the next batch.
#[derive(Debug)]
pub struct PerfBatch<'a> {
    cpus: &'a mut [CpuBuffer],
}

impl PerfBatch<'_> {
    /// The records that have not been taken yet: CPU by CPU, in the order they were written.
    pub fn iter(&self) -> PerfRecords<'_> {
        PerfRecords {
            cpus: self.cpus,
            at: 0,
        }
    }

    /// Whether there is nothing (left) to take.
    pub fn is_empty(&self) -> bool {
        !self.cpus.iter().any(|buffer| buffer.memory.is_ready())
    }
}

impl Drop for PerfBatch<'_> {
    fn drop(&mut self) {
        for buffer in &mut *self.cpus {
            buffer.memory.publish();
        }
    }
}

impl<'b> IntoIterator for &'b PerfBatch<'_> {
    type Item = Result<PerfRecord<'b>>;
    type IntoIter = PerfRecords<'b>;

    fn into_iter(self) -> PerfRecords<'b> {
        self.iter()
    }
}

/// An iterator over the records of a batch. Returned by [`PerfBatch::iter`].
#[derive(Debug)]
pub struct PerfRecords<'b> {
    cpus: &'b [CpuBuffer],
    at: usize,
}

impl<'b> Iterator for PerfRecords<'b> {
    type Item = Result<PerfRecord<'b>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let buffer = self.cpus.get(self.at)?;
            let cpu = buffer.cpu;
            match buffer.memory.next() {
                Ok(Some(PerfEntry::Sample { raw, details })) => {
                    return Some(Ok(PerfRecord::Sample(Sample {
                        bytes: raw,
                        cpu,
                        details,
                    })));
                }
                Ok(Some(PerfEntry::Lost(count))) => {
                    buffer.note_lost(count);
                    return Some(Ok(PerfRecord::Lost { cpu, count }));
                }
                // A kind of record that the event was not opened for.
                Ok(Some(_)) => {}
                Ok(None) => self.at += 1,
                Err(damage) => {
                    self.at += 1;
                    return Some(Err(corrupt(cpu, damage)));
                }
            }
        }
    }
}

#[cold]
fn corrupt(cpu: u32, damage: RingDamage) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!("the perf buffer of CPU {cpu} cannot be read any further: {damage}"),
    )
}

/// What a perf buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PerfRecord<'b> {
    /// What a program wrote.
    Sample(Sample<'b>),
    /// Events are missing here, because there was no room.
    Lost {
        /// Whose buffer was full.
        cpu: u32,
        /// How many.
        count: u64,
    },
}

/// What a program wrote, borrowed from the buffer (copied only where it wraps around the buffer's end).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sample<'b> {
    bytes: &'b [u8],
    cpu: u32,
    details: SampleDetails,
}

impl<'b> Sample<'b> {
    /// What the program wrote, and up to seven bytes of padding behind it: the kernel does not say how long it was. Nothing, if the
    /// source is a counter.
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// What the program wrote, as a value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the sample is shorter than `T`, or longer by more than its padding can be;
    /// [`ErrorKind::Corrupt`] if its bytes are not a valid value of `T` (such as 2 for a `bool`).
    pub fn read<T: TryFromBytes>(&self) -> Result<T> {
        typed::read(self.bytes, 7).map_err(|e| e.context(format!("sample of CPU {}", self.cpu)))
    }

    /// Which CPU wrote it.
    pub fn cpu(&self) -> u32 {
        self.cpu
    }

    /// What else it says, as far as [`PerfSource::fields`] asked for it.
    pub fn details(&self) -> SampleDetails {
        self.details
    }
}

impl fmt::Debug for Sample<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample")
            .field("cpu", &self.cpu)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
