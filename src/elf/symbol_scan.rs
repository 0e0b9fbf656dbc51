//! The symbol tables of programs and libraries, read piece by piece.
//!
//! Such tables can have millions of entries, and the owner of the file can make their names overlap. So the entries are read in
//! batches and sorted by the offset of their names; the names are read once, in that order, and the
//! symbols that share a name are visited together.

use super::executable::Executable;
use super::format::{Format, Section, structure};
use super::read_at::{self, Extent, ReadAt};
use super::{NameBudget, dynamic};
use crate::{Error, ErrorKind, Result, work};
use object::Endianness;
use object::elf;

/// The largest programs have a few million symbols.
const MAX_SYMBOLS: u64 = 1 << 24;
/// The names of the largest programs take a few hundred MiB.
const MAX_NAMES: u64 = 1 << 30;
/// How many symbols are sorted at once, and how many are read at once.
const BATCH: u64 = 1 << 20;
const CHUNK: u64 = 1 << 12;
/// How many bytes of names are read at once.
const WINDOW: usize = 1 << 16;
/// The kernel and glibc together define fewer versions.
const MAX_VERSIONS: u32 = 1 << 12;
const LONGEST_VERSION: u64 = 256;

/// A symbol table, its names and its versions.
#[derive(Debug)]
pub(super) struct SymbolTable<'r> {
    reader: &'r dyn ReadAt,
    format: Format,
    symbols: Extent,
    names: Extent,
    /// A version number for each symbol, in tables whose names do not contain the version.
    version_numbers: Option<Extent>,
    versions: Vec<(u16, String)>,
}

/// What a symbol stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SymbolKind {
    Function,
    /// An indirect function (IFUNC): code that chooses an implementation once.
    Indirect,
    /// A variable, thread-local or not.
    Data,
    /// An untyped symbol.
    Label,
    /// Undefined: another file defines it.
    Undefined,
    /// A section, a source file, a number.
    Other,
}

/// A symbol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol {
    /// Its index in the table.
    pub(super) index: u32,
    /// Where its name starts.
    pub(super) name: u32,
    pub(super) address: u64,
    pub(super) kind: SymbolKind,
    pub(super) weak: bool,
    /// `VERSYM_*`; 0 without versions.
    version: u16,
}

impl Symbol {
    /// Whether the name without a version does not refer to it.
    pub(super) fn is_hidden(&self) -> bool {
        self.version & elf::VERSYM_HIDDEN.0 != 0
    }
}

impl<'r> SymbolTable<'r> {
    /// The full table, which `strip` removes.
    pub(super) fn full(file: &Executable<'r>) -> Result<Option<Self>> {
        let section = file.section_of(elf::SHT_SYMTAB);
        section
            .map(|section| Self::of_section(file, section))
            .transpose()
    }

    /// The dynamic loader's table. It is found by the section headers, or else by the dynamic section.
    pub(super) fn dynamic(file: &Executable<'r>) -> Result<Option<Self>> {
        let section = file.section_of(elf::SHT_DYNSYM);
        let Some(section) = section.filter(|section| file.content(section).is_some()) else {
            return dynamic::symbol_table(file);
        };
        let mut table = Self::of_section(file, section)?;
        let content = |kind| {
            let section = file.section_of(kind)?;
            Some((file.content(section)?, section.info))
        };
        table.version_numbers = content(elf::SHT_GNU_VERSYM).map(|(numbers, _)| numbers);
        if let Some((definitions, count)) = content(elf::SHT_GNU_VERDEF) {
            table.read_versions(definitions, count);
        }
        Ok(Some(table))
    }

    fn of_section(file: &Executable<'r>, section: &Section) -> Result<Self> {
        let damaged = |what: &str| {
            let message =
                format!("the file is damaged: the section header of {what} leads out of it");
            Error::new(ErrorKind::Elf, message)
        };
        let symbols = file
            .content(section)
            .ok_or_else(|| damaged("its symbol table"))?;
        let names = file
            .section(section.link)
            .and_then(|names| file.content(names));
        let names = names.ok_or_else(|| damaged("its symbols' names"))?;
        Self::new(file, symbols, names)
    }

    pub(super) fn new(file: &Executable<'r>, symbols: Extent, names: Extent) -> Result<Self> {
        let count = symbols.len / file.format().symbol_len() as u64;
        if count > MAX_SYMBOLS || names.len > MAX_NAMES {
            let message = format!(
                "its symbol table has {count} entries and {} bytes of names; at most {MAX_SYMBOLS} and {MAX_NAMES} are read",
                names.len
            );
            return Err(Error::new(ErrorKind::Elf, message)
                .with_hint("give the offset in the file instead of the name"));
        }
        Ok(Self {
            reader: file.reader(),
            format: file.format(),
            symbols,
            names,
            version_numbers: None,
            versions: Vec::new(),
        })
    }

    pub(super) fn with_version_numbers(mut self, numbers: Extent) -> Self {
        self.version_numbers = Some(numbers);
        self
    }

    /// Reads the versions that a library defines. Unreadable ones are left out.
    #[doc(alias = "elf_get_vername")]
    pub(super) fn read_versions(&mut self, definitions: Extent, count: u32) {
        let mut at = 0;
        for _ in 0..count.min(MAX_VERSIONS) {
            let Some(next) = self.read_version(definitions, at) else {
                break;
            };
            at += next;
        }
    }

    /// Reads one, and returns the distance to the next.
    fn read_version(&mut self, definitions: Extent, at: u64) -> Option<u64> {
        let endian = self.format.endian;
        let mut bytes = [0; 20];
        self.fill(definitions, at, &mut bytes)?;
        let definition: &elf::Verdef<Endianness> = structure(&bytes)?;
        let number = definition.vd_ndx.get(endian).0;
        let first_name = at.checked_add(definition.vd_aux.get(endian).into())?;
        let next = u64::from(definition.vd_next.get(endian));
        let mut bytes = [0; 8];
        self.fill(definitions, first_name, &mut bytes)?;
        let name: &elf::Verdaux<Endianness> = structure(&bytes)?;
        let name = self.name(name.vda_name.get(endian))?;
        self.versions.push((number, name));
        (next > 0).then_some(next)
    }

    fn fill(&self, within: Extent, at: u64, into: &mut [u8]) -> Option<()> {
        let len = into.len() as u64;
        let part = within.part(at, len).filter(|part| part.len == len)?;
        self.reader.read_at(part.offset, into).ok()
    }

    /// A short name.
    fn name(&self, at: u32) -> Option<String> {
        let part = self.names.part(at.into(), LONGEST_VERSION)?;
        let bytes = read_at::read(self.reader, part, LONGEST_VERSION, "a name").ok()?;
        let name = bytes.get(..memchr::memchr(0, &bytes)?)?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// The version of a symbol, if the table keeps versions beside the names.
    pub(super) fn version(&self, symbol: &Symbol) -> Option<&str> {
        let number = symbol.version & elf::VERSYM_VERSION;
        // The first two stand for "local" and "any".
        let mut found = self.versions.iter().filter(|(known, _)| *known == number);
        let (_, name) = found.next().filter(|_| number > 1)?;
        Some(name)
    }

    /// Calls `visit` with each name of at most `longest` bytes and all the symbols that share its offset, so that
    /// what a name refers to is worked out once. Names come in the order of their offsets within each million symbols.
    ///
    /// # Errors
    /// The table cannot be read, or its names overlap each other too much.
    pub(super) fn scan(
        &self,
        keep: &dyn Fn(SymbolKind) -> bool,
        longest: usize,
        visit: &mut dyn FnMut(&[u8], &[Symbol]),
    ) -> Result<()> {
        let count = self.symbols.len / self.format.symbol_len() as u64;
        let mut budget = NameBudget::of_table("symbols", self.names.len, count);
        let mut first = 0;
        while first < count {
            let end = count.min(first + BATCH);
            let mut batch = self.batch(first..end, keep)?;
            batch.sort_unstable_by_key(|symbol| (symbol.name, symbol.index));
            let mut names = Names::new(self, longest + 1);
            for symbols in batch.chunk_by(|one, next| one.name == next.name) {
                let place = symbols.first().map_or(0, |symbol| symbol.name);
                let Some(bytes) = names.at(place)? else {
                    continue;
                };
                let end = memchr::memchr(0, bytes);
                let looked_at = end.unwrap_or(bytes.len());
                work::did(looked_at);
                budget.spend(looked_at)?;
                if let Some(name) = end.and_then(|end| bytes.get(..end)) {
                    visit(name, symbols);
                }
            }
            first = end;
        }
        Ok(())
    }

    fn batch(
        &self,
        indexes: std::ops::Range<u64>,
        keep: &dyn Fn(SymbolKind) -> bool,
    ) -> Result<Vec<Symbol>> {
        let entry = self.format.symbol_len();
        let mut batch = Vec::new();
        let mut first = indexes.start;
        while first < indexes.end {
            let count = CHUNK.min(indexes.end - first);
            let entry_len = entry as u64;
            let part = self.symbols.part(first * entry_len, count * entry_len);
            let part = part.unwrap_or(Extent { offset: 0, len: 0 });
            let bytes = read_at::read(self.reader, part, part.len, "its symbol table")?;
            let versions = self.version_numbers(first, count);
            let entries = bytes.chunks_exact(entry).zip(first..);
            for (at, (bytes, index)) in entries.enumerate() {
                let version = versions.get(at).copied().unwrap_or(0);
                let symbol = self.symbol(bytes, index, version);
                batch.extend(symbol.filter(|symbol| keep(symbol.kind)));
            }
            first += count;
        }
        Ok(batch)
    }

    fn version_numbers(&self, first: u64, count: u64) -> Vec<u16> {
        let part = self
            .version_numbers
            .and_then(|all| all.part(first * 2, count * 2));
        let bytes =
            part.map(|part| read_at::read(self.reader, part, part.len, "its symbols' versions"));
        let bytes = bytes.and_then(Result::ok).unwrap_or_default();
        let numbers = bytes.chunks_exact(2).map(|bytes| {
            let number: Option<&object::U16<Endianness>> = structure(bytes);
            number.map_or(0, |number| number.get(self.format.endian))
        });
        numbers.collect()
    }

    fn symbol(&self, bytes: &[u8], index: u64, version: u16) -> Option<Symbol> {
        let raw = self.format.symbol(bytes)?;
        let kind = match raw.kind {
            _ if raw.section == elf::SHN_UNDEF => SymbolKind::Undefined,
            _ if raw.section == elf::SHN_ABS => SymbolKind::Other,
            elf::STT_FUNC => SymbolKind::Function,
            elf::STT_GNU_IFUNC => SymbolKind::Indirect,
            elf::STT_OBJECT | elf::STT_COMMON | elf::STT_TLS => SymbolKind::Data,
            elf::STT_NOTYPE => SymbolKind::Label,
            _ => SymbolKind::Other,
        };
        Some(Symbol {
            index: u32::try_from(index).ok()?,
            name: raw.name,
            address: raw.value,
            kind,
            weak: raw.bind == elf::STB_WEAK,
            version,
        })
    }
}

/// The bytes of the names, which are requested from front to back.
struct Names<'t> {
    table: &'t SymbolTable<'t>,
    look: u64,
    /// Where the window starts among the names.
    start: u64,
    window: Vec<u8>,
}

impl<'t> Names<'t> {
    fn new(table: &'t SymbolTable<'t>, look: usize) -> Self {
        Self {
            table,
            look: look as u64,
            start: 0,
            window: Vec::new(),
        }
    }

    /// The bytes at an offset; `None` if that is outside the names.
    fn at(&mut self, name: u32) -> Result<Option<&[u8]>> {
        let at = u64::from(name);
        let Some(wanted) = self.table.names.part(at, self.look) else {
            return Ok(None);
        };
        let end = at + wanted.len;
        if at < self.start || end > self.start + self.window.len() as u64 {
            let len = self.look.max(WINDOW as u64);
            let part = self.table.names.part(at, len).unwrap_or(wanted);
            self.window = read_at::read(self.table.reader, part, len, "its symbols' names")?;
            self.start = at;
        }
        let range = usize::try_from(at - self.start)
            .ok()
            .zip(usize::try_from(end - self.start).ok());
        Ok(range.and_then(|(start, end)| self.window.get(start..end)))
    }
}
