//! Addresses in, source locations out: functions, those inlined into them, files and lines.
//!
//! In: an executable, library, kernel or module with debug information, read piece by piece, and addresses as in its headers.
//! Out: [`Frame`]s. Not here: finding the file, or the address in it (see [`symbols`](crate::symbols)).
//!
//! A lookup reads one unit out of thousands: `index` finds the one that contains the address, `unit` reads it (`functions`:
//! address ranges; `lines`: the line table) and caches it for the next lookup. `sections` has the sections of the file, of
//! which the largest, `.debug_info`, is never read as a whole unless it is compressed.

mod functions;
mod index;
mod lines;
mod sections;
#[cfg(test)]
mod tests;
mod unit;

use super::error::DwarfError;
use crate::Result;
use crate::elf::ReadAt;
use crate::files::{Limit, Opened};
use crate::frame::Frame;
use crate::keyed_hash::Table;
use index::Index;
use sections::Sections;
use std::path::Path;
use unit::Unit;

/// The maximum size of the cached units in bytes; when it is exceeded, all are dropped.
const MOST_KEPT: usize = 256 << 20;

/// Finds source locations for addresses in one file.
///
/// ```no_run
/// let mut places = rawbpf::dwarf::Places::open_file("vmlinux")?;
/// for frame in places.frames(0xffff_ffff_8100_0000)? {
///     println!("{frame}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Places {
    sections: Sections,
    index: Index,
    units: Table<u64, Unit>,
    kept: usize,
}

impl Places {
    /// Opens a file that was compiled with `-g`.
    ///
    /// # Errors
    /// `NotFound` if the file has no debug information, `Elf` if it is not an ELF file or is damaged; and errors of opening and
    /// reading the file.
    pub fn open_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = Opened::open(path, Limit::PROGRAM)?;
        Self::open(Box::new(file)).map_err(|e| e.context(path.display().to_string()))
    }

    /// Opens a file that is read piece by piece.
    ///
    /// # Errors
    /// Those of [`open_file`](Self::open_file).
    pub fn open(file: Box<dyn ReadAt + Send + Sync>) -> Result<Self> {
        let sections = Sections::open(file)?;
        let index = Index::of(&sections);
        Ok(Self {
            sections,
            index,
            units: Table::default(),
            kept: 0,
        })
    }

    /// The functions at an address, innermost first; none if the debug information does not cover the address.
    ///
    /// Addresses are those of the file's headers. A return address belongs to the call before it: subtract one.
    ///
    /// # Errors
    /// The unit that contains the address is damaged.
    #[doc(alias = "addr2line")]
    pub fn frames(&mut self, address: u64) -> Result<Vec<Frame>> {
        for offset in self.index.units_at(&self.sections, address)? {
            let frames = self.frames_in(offset, address)?;
            if !frames.is_empty() {
                return Ok(frames);
            }
        }
        Ok(Vec::new())
    }

    fn frames_in(&mut self, offset: u64, address: u64) -> Result<Vec<Frame>> {
        self.keep(offset)?;
        loop {
            // A unit may refer to names in another one, which is then read, too.
            let Some(unit) = self.units.get(&offset) else {
                return Ok(Vec::new());
            };
            match unit.frames(&self.sections, address, &self.units) {
                Ok(frames) => return Ok(frames),
                Err(unit::Stop::Damaged(reason)) => {
                    let unit = offset;
                    return Err(DwarfError::Damaged { unit, reason }.into());
                }
                Err(unit::Stop::Elsewhere(entry)) => {
                    let other = self.index.unit_of_entry(&self.sections, entry)?;
                    if self.units.contains_key(&other) {
                        return Ok(Vec::new());
                    }
                    self.keep(other)?;
                }
            }
        }
    }

    fn keep(&mut self, offset: u64) -> Result<()> {
        if self.units.contains_key(&offset) {
            return Ok(());
        }
        let unit = Unit::read(&self.sections, offset)?;
        let len = unit.len();
        if self.kept.saturating_add(len) > MOST_KEPT {
            self.units.clear();
            self.kept = 0;
        }
        self.kept = self.kept.saturating_add(len);
        self.units.insert(offset, unit);
        Ok(())
    }
}
