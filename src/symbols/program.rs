//! A program or library: source locations by file offset.

use super::names::Symbols;
use crate::Result;
use crate::debug_files::DebugFile;
#[cfg(feature = "dwarf")]
use crate::dwarf::Places;
use crate::elf::functions::Functions;
use crate::elf::{Executable, ReadAt, debug_symbols};
use crate::files::{Limit, Opened};
use crate::frame::Frame;
use std::ops::Range;
use std::path::Path;

/// A file with code, and the sources of names for it.
#[derive(Debug)]
pub(super) struct Program {
    /// The loaded parts of the file, and their addresses.
    loaded: Vec<(Range<u64>, u64)>,
    symbols: Symbols,
    #[cfg(feature = "dwarf")]
    places: Option<Places>,
    build_id: Option<Vec<u8>>,
}

/// The build ID of a program, without reading more of the file.
pub(super) fn build_id_of(path: &Path) -> Option<Vec<u8>> {
    let file = Opened::open(path, Limit::PROGRAM).ok()?;
    debug_symbols::build_id(&Executable::open(&file).ok()?)
}

impl Program {
    /// Reads its symbols, and finds its debug information.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = Opened::open(path, Limit::PROGRAM)?;
        let mut functions = Functions::open(&file)?;
        let program = functions.executable();
        let loaded = program.loaded_parts();
        let build_id = debug_symbols::build_id(program);
        // The target of a symbolic link has neighbors; `/proc/PID/map_files/...` does not.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let separate = DebugFile::find(&path, program);
        let separate = if functions.is_stripped() {
            separate.or_embedded(program)
        } else {
            separate
        };
        if let Some(file) = &separate.file {
            functions = functions.with_symbols_of(file.as_ref())?;
        }
        let symbols = Symbols::of_functions(&functions)?;
        Ok(Self {
            loaded,
            symbols,
            #[cfg(feature = "dwarf")]
            places: places(separate.file, Box::new(file)),
            build_id,
        })
    }

    pub(super) fn build_id(&self) -> Option<&[u8]> {
        self.build_id.as_deref()
    }

    /// The functions at an offset in the file, innermost first: at least one if it has a name.
    ///
    /// The instruction that is meant is `before` bytes before it.
    pub(super) fn frames(&mut self, offset: u64, before: u64) -> Vec<Frame> {
        let symbol = self.symbols.name_of(offset.saturating_sub(before));
        let symbol = symbol.map(|(name, place)| (name.to_owned(), place.saturating_add(before)));
        let frames = self.source(offset.saturating_sub(before));
        with_symbol(frames, symbol)
    }

    #[cfg(feature = "dwarf")]
    fn source(&mut self, offset: u64) -> Vec<Frame> {
        let address = self.address(offset);
        let places = self.places.as_mut();
        let frames = places.zip(address).and_then(|(places, address)| {
            // Damaged debug information is treated as missing: the function's name is still known.
            places.frames(address).ok()
        });
        frames.unwrap_or_default()
    }

    #[cfg(not(feature = "dwarf"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn source(&mut self, _offset: u64) -> Vec<Frame> {
        Vec::new()
    }

    fn address(&self, offset: u64) -> Option<u64> {
        let mut parts = self.loaded.iter();
        let (part, address) = parts.find(|(part, _)| part.contains(&offset))?;
        (offset - part.start).checked_add(*address)
    }
}

/// From the separate debug file or the program itself, whichever has debug information.
#[cfg(feature = "dwarf")]
fn places(
    separate: Option<Box<dyn ReadAt + Send + Sync>>,
    program: Box<dyn ReadAt + Send + Sync>,
) -> Option<Places> {
    let separate = separate.and_then(|file| Places::open(file).ok());
    separate.or_else(|| Places::open(program).ok())
}

/// Completes frames from the symbol table, which may be all that is known.
pub(super) fn with_symbol(mut frames: Vec<Frame>, symbol: Option<(String, u64)>) -> Vec<Frame> {
    let Some((name, offset)) = symbol else {
        return frames;
    };
    if frames.is_empty() {
        frames.push(Frame::default());
    }
    if let Some(outermost) = frames.last_mut() {
        outermost.function.get_or_insert(name);
        outermost.offset = Some(offset);
    }
    frames
}
