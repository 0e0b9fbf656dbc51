//! Symbolizes whole call stacks: of the kernel, of a process, or by build ID.

use super::entries::StackEntry;
use super::image::Image;
use super::mappings::{Mapped, Mappings};
use super::names::Symbols;
use super::program::{Program, build_id_of};
use crate::Result;
use crate::debug_files::places_of_build_id;
use crate::elf::debug_symbols::LONGEST_KERNEL_BUILD_ID;
use crate::frame::Frame;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Symbolizes call stacks: functions, and with the feature `dwarf` also their files and lines, and inlined functions.
///
/// Files are opened when an address is in them, and what was read from them is cached.
///
/// ```no_run
/// use rawbpf::symbols::{Symbolizer, Symbols};
///
/// let mut names = Symbolizer::new(Symbols::of_kernel()?);
/// for frame in names.kernel(&[0xffff_ffff_8100_0000]) {
///     println!("{frame}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Symbolizer {
    kernel: Image,
    /// The opened files; `None` for files that cannot be read.
    programs: Vec<Option<Program>>,
    /// By device and inode number.
    by_identity: HashMap<(String, String), usize>,
    by_build_id: HashMap<BuildId, usize>,
    /// The paths of files that running processes have mapped, by build ID.
    running: Option<HashMap<BuildId, PathBuf>>,
}

type BuildId = [u8; LONGEST_KERNEL_BUILD_ID];

/// A return address is that of the next instruction, which can belong to another line or function.
const CALL: u64 = 1;

impl Symbolizer {
    /// A symbolizer with the names of the kernel's functions.
    pub fn new(kernel: Symbols) -> Self {
        Self {
            kernel: Image::new(kernel),
            ..Self::default()
        }
    }

    /// Takes the kernel's files and lines from this `vmlinux`, instead of looking for that of the running kernel.
    ///
    /// # Errors
    /// Those of [`Places::open_file`](crate::dwarf::Places::open_file).
    #[cfg(feature = "dwarf")]
    pub fn use_vmlinux(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.kernel.use_file(path.as_ref())
    }

    /// Adds a program or library that stacks by build ID may refer to, wherever it is.
    ///
    /// # Errors
    /// The file cannot be read, or is not a program or library.
    pub fn add_program(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let program = Program::open(path.as_ref())?;
        self.programs.push(Some(program));
        self.note_build_id(self.programs.len() - 1);
        Ok(())
    }

    /// The frames of a kernel stack, innermost first. Each call has at least one frame, which may be just an address.
    pub fn kernel(&mut self, stack: &[u64]) -> Vec<Frame> {
        let mut named = Vec::new();
        for (address, before) in with_calls(stack) {
            let frames = self.kernel.frames(*address, before);
            push(&mut named, *address, frames);
        }
        named
    }

    /// The frames of a process's stack, innermost first. The process must still be running: otherwise they are just addresses.
    pub fn process(&mut self, pid: u32, stack: &[u64]) -> Vec<Frame> {
        let mappings = Mappings::of(pid);
        let mut named = Vec::new();
        for (address, before) in with_calls(stack) {
            let frames = mappings.as_ref().and_then(|mappings| {
                let (mapped, offset) = mappings.at(*address)?;
                let program = self.mapped(mappings, &mapped);
                Some(self.program(program)?.frames(offset, before))
            });
            push(&mut named, *address, frames.unwrap_or_default());
        }
        named
    }

    /// The frames of a stack with build IDs, innermost first, including those of processes that have ended.
    ///
    /// A file is found if it was [added](Self::add_program), if calls of a process in it were symbolized before, if a running
    /// process has it mapped, or if it is listed in the system's directory by build ID (`/usr/lib/.build-id`). Other calls have
    /// no names, and their addresses are file offsets.
    pub fn build_ids(&mut self, stack: &[StackEntry]) -> Vec<Frame> {
        let mut named = Vec::new();
        for (entry, before) in with_calls(stack) {
            match entry {
                StackEntry::Address(address) => {
                    let is_kernel = address >> 63 == 1;
                    let frames = is_kernel.then(|| self.kernel.frames(*address, before));
                    push(&mut named, *address, frames.unwrap_or_default());
                }
                StackEntry::InFile { build_id, offset } => {
                    let program = self.by_build_id(build_id);
                    let frames = self.program(program).map(|p| p.frames(*offset, before));
                    push(&mut named, *offset, frames.unwrap_or_default());
                }
            }
        }
        named
    }

    fn mapped(&mut self, mappings: &Mappings, mapped: &Mapped<'_>) -> usize {
        let (device, inode) = mapped.identity;
        let identity = (device.to_owned(), inode.to_owned());
        if let Some(known) = self.by_identity.get(&identity) {
            return *known;
        }
        let places = mappings.places(mapped);
        let program = self.keep(places.iter().find_map(|path| Program::open(path).ok()));
        self.by_identity.insert(identity, program);
        program
    }

    fn by_build_id(&mut self, id: &BuildId) -> usize {
        if let Some(known) = self.by_build_id.get(id) {
            return *known;
        }
        let running = self.running.get_or_insert_with(running);
        let places = running.get(id).cloned().into_iter();
        let mut places = places.chain(places_of_build_id(Path::new("/"), trimmed(id)));
        let program = places.find_map(|path| {
            let is_it = build_id_of(&path).is_some_and(|found| padded(&found) == *id);
            is_it.then(|| Program::open(&path).ok()).flatten()
        });
        let program = self.keep(program);
        self.by_build_id.insert(*id, program);
        program
    }

    fn keep(&mut self, program: Option<Program>) -> usize {
        self.programs.push(program);
        let index = self.programs.len() - 1;
        self.note_build_id(index);
        index
    }

    fn note_build_id(&mut self, index: usize) {
        let program = self.programs.get(index).and_then(Option::as_ref);
        if let Some(id) = program.and_then(Program::build_id) {
            self.by_build_id.insert(padded(id), index);
        }
    }

    fn program(&mut self, index: usize) -> Option<&mut Program> {
        self.programs.get_mut(index)?.as_mut()
    }
}

/// Calls, with the number of bytes from the address back to the call: zero for the innermost, which is the current instruction.
fn with_calls<T>(stack: &[T]) -> impl Iterator<Item = (&T, u64)> {
    let before = std::iter::once(0).chain(std::iter::repeat(CALL));
    stack.iter().zip(before)
}

/// Adds the frames of an address: at least one.
fn push(named: &mut Vec<Frame>, address: u64, frames: Vec<Frame>) {
    let none = frames.is_empty().then(Frame::default);
    let frames = frames.into_iter().chain(none);
    named.extend(frames.map(|frame| Frame { address, ..frame }));
}

/// In the kernel's format.
fn padded(id: &[u8]) -> BuildId {
    let mut padded = BuildId::default();
    for (to, from) in padded.iter_mut().zip(id) {
        *to = *from;
    }
    padded
}

/// Without padding: build IDs have 20 or 16 bytes, rarely fewer.
fn trimmed(id: &BuildId) -> &[u8] {
    let is_short = id
        .get(16..)
        .is_some_and(|rest| rest.iter().all(|b| *b == 0));
    id.get(..16).filter(|_| is_short).unwrap_or(id)
}

/// The files from which processes run code, by build ID, as far as this process may inspect them.
fn running() -> HashMap<BuildId, PathBuf> {
    let mut found = HashMap::new();
    let mut seen = HashSet::new();
    let processes = std::fs::read_dir("/proc").into_iter().flatten();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for mappings in pids.filter_map(Mappings::of) {
        for mapped in mappings.files().filter(|mapped| mapped.is_code) {
            let (device, inode) = mapped.identity;
            if seen.insert((device.to_owned(), inode.to_owned())) {
                let [_, path] = mappings.places(&mapped);
                if let Some(id) = build_id_of(&path) {
                    found.insert(padded(&id), path);
                }
            }
        }
    }
    found
}
