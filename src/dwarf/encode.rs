//! The pipeline: converts a file with debug information to BTF.

use super::error::DwarfError;
use super::image::Image;
use super::merge::Merged;
use super::names::Names;
use super::types::Types;
use super::units::{Refusal, Units};
use super::write::write;
use crate::Result;
use crate::elf::ReadAt;
use gimli::{BigEndian, Endianity, LittleEndian};
use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// The types of a file as the bytes of a BTF blob.
pub(super) fn encode(file: &dyn ReadAt, threads: NonZero<usize>) -> Result<Vec<u8>> {
    let image = Image::read(file)?;
    if image.is_little_endian {
        in_order(&image, LittleEndian, threads)
    } else {
        in_order(&image, BigEndian, threads)
    }
}

fn in_order<E: Endianity + Send + Sync>(
    image: &Image,
    order: E,
    threads: NonZero<usize>,
) -> Result<Vec<u8>> {
    let units = Units::of(image, order)?;
    let (types, names) = read(&units, threads)?;
    Ok(write(&types, &names, &image.symbols)?)
}

/// The result of reading a chunk.
type Read<'d> = Result<(Types, Names<'d>), Refusal>;

/// The types of all units, deduplicated.
fn read<'d, E: Endianity + Send + Sync>(
    units: &Units<'d, E>,
    threads: NonZero<usize>,
) -> Result<(Types, Names<'d>), DwarfError> {
    if !units.has_type_units() {
        match read_chunks(units, threads) {
            Err(Refusal::Crosses) => {}
            Err(Refusal::Error(error)) => return Err(error),
            Ok(read) => return Ok(read),
        }
    }
    units.read_together().map_err(|refusal| match refusal {
        Refusal::Error(error) => error,
        Refusal::Crosses => DwarfError::Unsupported {
            what: "a type in a unit that is in another file",
            hint: None,
        },
    })
}

/// Reads the chunks, on several threads, and merges them in order.
fn read_chunks<'d, E: Endianity + Send + Sync>(
    units: &Units<'d, E>,
    threads: NonZero<usize>,
) -> Read<'d> {
    let chunks = units.chunks();
    let mut all = Collected::new(units.names());
    if threads.get() == 1 || chunks.len() == 1 {
        for chunk in chunks {
            all.add(units.read_chunk(chunk)?);
        }
        return Ok(all.finish());
    }
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let mut lanes = Vec::new();
        for _ in 0..threads.get().min(chunks.len()) {
            // One chunk waits while the next is read.
            let (sender, receiver) = sync_channel(1);
            let (next, chunks) = (&next, &chunks);
            scope.spawn(move || read_some(units, chunks, next, &sender));
            lanes.push(receiver);
        }
        let mut waiting = Waiting::new(lanes);
        for index in 0..chunks.len() {
            all.add(waiting.take(index)?);
        }
        Ok(all.finish())
    })
}

/// Takes chunks until none are left, or until the receiver is gone.
fn read_some<'d, E: Endianity>(
    units: &Units<'d, E>,
    chunks: &[Range<usize>],
    next: &AtomicUsize,
    sender: &SyncSender<(usize, Read<'d>)>,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(chunk) = chunks.get(index) else {
            return;
        };
        if sender
            .send((index, units.read_chunk(chunk.clone())))
            .is_err()
        {
            return;
        }
    }
}

/// The chunks that threads have read, those of each thread in ascending order.
struct Waiting<'d> {
    lanes: Vec<Lane<'d>>,
}

/// What one thread sends, and the first of its chunks that has not been taken yet.
type Lane<'d> = (Receiver<Chunk<'d>>, Option<Chunk<'d>>);

/// A chunk's index, and the result of reading it.
type Chunk<'d> = (usize, Read<'d>);

impl<'d> Waiting<'d> {
    fn new(lanes: Vec<Receiver<Chunk<'d>>>) -> Self {
        Self {
            lanes: lanes.into_iter().map(|lane| (lane, None)).collect(),
        }
    }

    /// Waits for a chunk; chunks are taken in order.
    fn take(&mut self, wanted: usize) -> Read<'d> {
        for (lane, first) in &mut self.lanes {
            if first.is_none() {
                *first = lane.recv().ok();
            }
            if let Some((_, read)) = first.take_if(|(index, _)| *index == wanted) {
                return read;
            }
        }
        // A thread that ended without sending its chunk has panicked, which the scope reports.
        Err(Refusal::Crosses)
    }
}

/// All chunks so far.
struct Collected<'d> {
    merged: Merged,
    names: Names<'d>,
}

impl<'d> Collected<'d> {
    fn new(names: Names<'d>) -> Self {
        Self {
            merged: Merged::default(),
            names,
        }
    }

    fn add(&mut self, (mut types, names): (Types, Names<'d>)) {
        types.rename(&names.translate_to(&mut self.names));
        self.merged.absorb(&types);
    }

    fn finish(self) -> (Types, Names<'d>) {
        (self.merged.finish(), self.names)
    }
}
