//! The running kernel: its functions from its own list, and their source locations if its `vmlinux` with debug information is
//! installed.

use super::names::Symbols;
use super::program::with_symbol;
#[cfg(feature = "dwarf")]
use super::vmlinux::Vmlinux;
use crate::frame::Frame;
#[cfg(feature = "dwarf")]
use std::path::Path;

/// Names for kernel addresses.
#[derive(Debug, Default)]
pub(super) struct Image {
    symbols: Symbols,
    #[cfg(feature = "dwarf")]
    file: ImageFile,
}

impl Image {
    pub(super) fn new(symbols: Symbols) -> Self {
        Self {
            symbols,
            #[cfg(feature = "dwarf")]
            file: ImageFile::default(),
        }
    }

    /// The functions at an address, innermost first; none if it has no name. The instruction that is meant is `before` bytes
    /// before it.
    pub(super) fn frames(&mut self, address: u64, before: u64) -> Vec<Frame> {
        let wanted = address.saturating_sub(before);
        let symbol = self.symbols.name_of(wanted);
        let symbol = symbol.map(|(name, place)| (name.to_owned(), place.saturating_add(before)));
        #[cfg(feature = "dwarf")]
        let frames = self.file.frames(&self.symbols, wanted);
        #[cfg(not(feature = "dwarf"))]
        let frames = Vec::new();
        with_symbol(frames, symbol)
    }

    /// Takes debug information from this file.
    #[cfg(feature = "dwarf")]
    pub(super) fn use_file(&mut self, path: &Path) -> crate::Result<()> {
        self.file = ImageFile::Found(Box::new(Vmlinux::open(path)?));
        Ok(())
    }
}

/// A `vmlinux` with debug information.
#[cfg(feature = "dwarf")]
#[derive(Debug, Default)]
enum ImageFile {
    #[default]
    NotSearched,
    NotFound,
    Found(Box<Vmlinux>),
}

#[cfg(feature = "dwarf")]
impl ImageFile {
    fn frames(&mut self, symbols: &Symbols, address: u64) -> Vec<Frame> {
        if matches!(self, Self::NotSearched) {
            *self = match Vmlinux::search() {
                Some(found) => Self::Found(Box::new(found)),
                None => Self::NotFound,
            };
        }
        match self {
            Self::Found(found) => found.frames(symbols, address),
            _ => Vec::new(),
        }
    }
}
