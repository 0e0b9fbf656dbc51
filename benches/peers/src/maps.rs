//! Operations on maps, by each loader in turns, and the system call alone.
//!
//! Everybody works on one and the same map, in blocks that are timed: one block each, then from the beginning with another one first.
//! A block of each loader is a function of its own that is never inlined, so that a profiler of instructions can tell them apart.

use std::hint::black_box;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use rawbpf::MapType;
use rawbpf::load::Live;
use rawbpf::map::{Map, UpdateMode};
use rawbpf::open::OpenObject;
use rawbpf::sys::bpf::{MapCreate, map_create};
use rawbpf::sys::rlimit::set_memlock;
use serde::Serialize;

use crate::{libbpf, meter};

/// Elements of the map that is looked up and updated, and operations in a block.
const ELEMENTS: u32 = 4096;
/// Elements of a batch, the same for all.
const BATCH: usize = 8192;
/// Reads of a variable in a block.
const READS: u32 = 1 << 20;

type Hash = Map<u32, u64>;
type AyaHash = aya::maps::HashMap<aya::maps::MapData, u32, u64>;

/// How long one loader took for each of its blocks.
#[derive(Debug, Serialize)]
pub struct Sample {
    /// What was done.
    pub work: &'static str,
    /// Who did it; `bare` is the system call, or the memory load, and nothing else.
    pub loader: &'static str,
    /// Operations in a block.
    pub operations: u64,
    /// Each block's time.
    pub nanoseconds: Vec<u64>,
}

/// Takes turns: `rounds` blocks of each loader for each work; `drained` elements are drained in a block.
pub fn measure(object: &Path, rounds: u32, drained: u32) -> Result<Vec<Sample>> {
    // Refused without the right to it: then the limit has to do.
    let _ = set_memlock(None);
    let mut samples = Vec::new();
    meter::unmetered(|| {
        samples.extend(elements(rounds)?);
        samples.extend(drains(rounds.div_ceil(10), drained)?);
        samples.extend(globals(object, rounds)?);
        Ok(samples)
    })
}

fn hash(name: &str, elements: u32) -> Result<Hash> {
    let fd = map_create(&MapCreate {
        kind: MapType::HASH,
        key_size: 4,
        value_size: 8,
        max_entries: elements,
        name,
        ..MapCreate::default()
    })
    .context("create a hash map")?;
    Ok(Map::new(fd, name).typed()?)
}

/// A loader's block; it returns something that depends on all it has done.
type Block<'b> = Box<dyn FnMut() -> Result<u64> + 'b>;

fn take_turns(
    work: &'static str,
    operations: u64,
    rounds: u32,
    mut blocks: Vec<(&'static str, Block<'_>)>,
    mut before: impl FnMut() -> Result<()>,
) -> Result<Vec<Sample>> {
    let mut samples: Vec<Sample> = blocks
        .iter()
        .map(|(loader, _)| Sample {
            work,
            loader,
            operations,
            nanoseconds: Vec::new(),
        })
        .collect();
    let mut results = Vec::new();
    for round in 0..rounds as usize {
        let count = blocks.len();
        for turn in 0..count {
            let index = (round + turn) % count;
            let (Some((loader, block)), Some(sample)) =
                (blocks.get_mut(index), samples.get_mut(index))
            else {
                continue;
            };
            before()?;
            let start = Instant::now();
            let result = block().with_context(|| format!("{work} by {loader}"))?;
            sample.nanoseconds.push(meter::nanos(start.elapsed()));
            results.push(result);
        }
    }
    let same = results.windows(2).all(|pair| pair.first() == pair.last());
    ensure!(same, "{work}: not everybody did the same: {results:?}");
    Ok(samples)
}

fn elements(rounds: u32) -> Result<Vec<Sample>> {
    let hash = hash("bench", ELEMENTS)?;
    for key in 0..ELEMENTS {
        hash.insert(&key, &u64::from(key), UpdateMode::Any)?;
    }
    let fd = hash.as_fd().as_raw_fd();
    let aya = || -> Result<AyaHash> {
        let data = aya::maps::MapData::from_id(hash.id()?)?;
        Ok(aya::maps::HashMap::try_from(aya::maps::Map::HashMap(data))?)
    };
    let (reader, mut writer) = (aya()?, aya()?);
    let lookups: Vec<(&str, Block<'_>)> = vec![
        ("bare", Box::new(move || bare_lookup(fd))),
        ("rawbpf", Box::new(|| rawbpf_lookup(&hash))),
        ("libbpf", Box::new(move || libbpf_lookup(fd))),
        ("aya", Box::new(|| aya_lookup(&reader))),
    ];
    let operations = u64::from(ELEMENTS);
    let mut samples = take_turns("lookup", operations, rounds, lookups, || Ok(()))?;
    let updates: Vec<(&str, Block<'_>)> = vec![
        ("bare", Box::new(move || bare_update(fd))),
        ("rawbpf", Box::new(|| rawbpf_update(&hash))),
        ("libbpf", Box::new(move || libbpf_update(fd))),
        ("aya", Box::new(|| aya_update(&mut writer))),
    ];
    samples.extend(take_turns(
        "update",
        operations,
        rounds,
        updates,
        || Ok(()),
    )?);
    Ok(samples)
}

#[inline(never)]
fn rawbpf_lookup(hash: &Hash) -> Result<u64> {
    let mut sum = 0_u64;
    for key in 0..ELEMENTS {
        sum = sum.wrapping_add(hash.get(&key)?.context("an element")?);
    }
    Ok(sum)
}

#[inline(never)]
fn libbpf_lookup(fd: RawFd) -> Result<u64> {
    let mut sum = 0_u64;
    for key in 0..ELEMENTS {
        sum = sum.wrapping_add(libbpf::map_lookup(fd, key)?);
    }
    Ok(sum)
}

#[inline(never)]
fn aya_lookup(hash: &AyaHash) -> Result<u64> {
    let mut sum = 0_u64;
    for key in 0..ELEMENTS {
        sum = sum.wrapping_add(hash.get(&key, 0)?);
    }
    Ok(sum)
}

#[inline(never)]
fn bare_lookup(fd: RawFd) -> Result<u64> {
    let mut sum = 0_u64;
    for key in 0..ELEMENTS {
        let mut value = 0;
        bare(1, fd, key, &mut value)?;
        sum = sum.wrapping_add(value);
    }
    Ok(sum)
}

#[inline(never)]
fn rawbpf_update(hash: &Hash) -> Result<u64> {
    for key in 0..ELEMENTS {
        hash.insert(&key, &u64::from(key), UpdateMode::Any)?;
    }
    Ok(0)
}

#[inline(never)]
fn libbpf_update(fd: RawFd) -> Result<u64> {
    for key in 0..ELEMENTS {
        libbpf::map_update(fd, key, u64::from(key))?;
    }
    Ok(0)
}

#[inline(never)]
fn aya_update(hash: &mut AyaHash) -> Result<u64> {
    for key in 0..ELEMENTS {
        hash.insert(key, u64::from(key), 0)?;
    }
    Ok(0)
}

#[inline(never)]
fn bare_update(fd: RawFd) -> Result<u64> {
    for key in 0..ELEMENTS {
        bare(2, fd, key, &mut u64::from(key))?;
    }
    Ok(0)
}

/// What `BPF_MAP_LOOKUP_ELEM` (1) and `BPF_MAP_UPDATE_ELEM` (2) are told.
#[repr(C)]
struct Element {
    map: u32,
    pad: u32,
    key: *const u32,
    value: *mut u64,
    flags: u64,
}

fn bare(command: i64, fd: RawFd, key: u32, value: &mut u64) -> std::io::Result<()> {
    let mut element = Element {
        map: fd.cast_unsigned(),
        pad: 0,
        key: &raw const key,
        value: &raw mut *value,
        flags: 0,
    };
    // SAFETY: the map's keys have 4 bytes and its values 8, as many as the pointers lead to.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            &raw mut element,
            size_of::<Element>(),
        )
    };
    if result < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}

/// aya has no batches.
fn drains(rounds: u32, elements: u32) -> Result<Vec<Sample>> {
    let hash = hash("bench_drain", elements)?;
    let fd = hash.as_fd().as_raw_fd();
    let keys: Vec<u32> = (0..elements).collect();
    let values: Vec<u64> = keys.iter().map(|key| u64::from(*key)).collect();
    let blocks: Vec<(&str, Block<'_>)> = vec![
        ("rawbpf", Box::new(|| rawbpf_drain(&hash))),
        ("libbpf", Box::new(move || libbpf_drain(fd))),
    ];
    take_turns("drain", elements.into(), rounds, blocks, || {
        Ok(hash.insert_batch(&keys, &values, UpdateMode::NoExist)?)
    })
}

#[inline(never)]
fn rawbpf_drain(hash: &Hash) -> Result<u64> {
    let mut sum = 0_u64;
    let mut batches = hash.drain().with_batch_size(BATCH);
    while let Some((_, values)) = batches.next_batch()? {
        sum = values.iter().fold(sum, |sum, n| sum.wrapping_add(*n));
    }
    Ok(sum)
}

#[inline(never)]
fn libbpf_drain(fd: RawFd) -> Result<u64> {
    let mut sum = 0_u64;
    libbpf::map_drain(fd, BATCH, |values| {
        sum = values.iter().fold(sum, |sum, n| sum.wrapping_add(*n));
    })?;
    Ok(sum)
}

/// A variable of a loaded object. libbpf's users read it through the skeleton's pointer, which is the bare load.
fn globals(object: &Path, rounds: u32) -> Result<Vec<Sample>> {
    let object = OpenObject::from_file(object)?.load()?;
    let live: Live<u64> = object.live("sent")?;
    let memory = libbpf::Memory::of(object.map(".bss")?.as_fd())?;
    let offset = object
        .variables()
        .iter()
        .find(|variable| variable.name() == "sent")
        .context("the variable `sent`")?
        .offset();
    let place = memory.at(offset as usize).context("`sent` in the page")?;
    let blocks: Vec<(&str, Block<'_>)> = vec![
        ("bare", Box::new(move || Ok(bare_read(place)))),
        ("rawbpf", Box::new(|| Ok(rawbpf_read(&live)))),
    ];
    take_turns("global", READS.into(), rounds, blocks, || Ok(()))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the load is what is measured"
)]
#[inline(never)]
fn bare_read(place: &u64) -> u64 {
    let mut sum = 0_u64;
    for _ in 0..READS {
        // Not kept in a register, as programs may change it.
        sum = sum.wrapping_add(*black_box(place));
    }
    sum
}

#[inline(never)]
fn rawbpf_read(live: &Live<u64>) -> u64 {
    let mut sum = 0_u64;
    for _ in 0..READS {
        sum = sum.wrapping_add(black_box(live).get());
    }
    sum
}
