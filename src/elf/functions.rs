//! Functions of programs and libraries: from a name to the offset in the file, which the kernel needs for a probe.
//!
//! A symbol's value is an address, which the program headers map to a file offset. Symbols come from up to three tables: the
//! *dynamic* one, which has exported symbols, with versions; the *full* one, which `strip` removes; and the full one of a
//! separate file with debug information.

use super::executable::{CodePlace, Executable};
use super::read_at::ReadAt;
use super::symbol_choice::{self, Candidate, Choice};
use super::symbol_scan::{Symbol, SymbolKind, SymbolTable};
use crate::{Error, ErrorKind, Result, did_you_mean, near_names};
use std::collections::HashMap;

/// Longer names are not matched against patterns. C++ names can have thousands of bytes.
const LONGEST_NAME: usize = 1 << 14;
/// Longer names are not suggested.
const LONGEST_SUGGESTION: usize = 1 << 8;
/// What may follow a name: `@@` and a version.
const LONGEST_VERSION: usize = 1 << 8;
/// How many symbols of the same name are distinguished.
const MOST_OF_ONE_NAME: usize = 1 << 12;
/// How many implementations of an indirect function are listed.
const SHOWN: usize = 8;

/// The functions of an executable or library.
#[derive(Debug)]
pub struct Functions<'r> {
    file: Executable<'r>,
    debug: Option<Executable<'r>>,
    /// How to get missing symbols.
    advice: Option<String>,
}

/// The location of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionPlace {
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// Its index in its symbol table.
    pub index: u32,
}

/// A symbol table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Dynamic,
    Full,
    Debug,
}

const SOURCES: [Source; 3] = [Source::Dynamic, Source::Full, Source::Debug];

/// A name, and the version requested with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'n> {
    pub(super) name: &'n str,
    pub(super) version: Option<&'n str>,
}

impl<'n> Wanted<'n> {
    fn parse(full: &'n str) -> Self {
        match full.split_once('@') {
            Some((name, version)) => Self {
                name,
                version: Some(version.strip_prefix('@').unwrap_or(version)),
            },
            None => Self {
                name: full,
                version: None,
            },
        }
    }
}

impl<'r> Functions<'r> {
    /// Reads the headers; symbols are read when needed.
    ///
    /// # Errors
    /// `Elf` if this is not an executable or library, or is damaged.
    pub fn open(reader: &'r dyn ReadAt) -> Result<Self> {
        Ok(Self {
            file: Executable::open(reader)?,
            debug: None,
            advice: None,
        })
    }

    /// Adds the symbols of a separate debug file. Their addresses are mapped by this file's program headers; those of the debug
    /// file are useless.
    ///
    /// # Errors
    /// `Elf` if that is not an ELF file, or is damaged.
    pub fn with_symbols_of(mut self, debug: &'r dyn ReadAt) -> Result<Self> {
        self.debug = Some(Executable::open(debug)?);
        Ok(self)
    }

    /// Sets the advice for functions that are not found, instead of the default, which is not specific to the system.
    pub fn with_advice(mut self, advice: String) -> Self {
        self.advice = Some(advice);
        self
    }

    /// The advice for a function that is not found; empty if no symbols are missing.
    pub fn advice(&self) -> Option<&str> {
        let advice = self.advice.as_deref().unwrap_or(STRIPPED);
        self.is_stripped().then_some(advice)
    }

    /// The program or library.
    pub fn executable(&self) -> &Executable<'r> {
        &self.file
    }

    /// Whether only exported functions are known.
    pub fn is_stripped(&self) -> bool {
        let full = |file| matches!(SymbolTable::full(file), Ok(None));
        full(&self.file) && self.debug.as_ref().is_none_or(full)
    }

    /// The file offset where the function `name` starts. `name` alone means its default version; `name@VERSION` and
    /// `name@@VERSION` select a version.
    ///
    /// # Errors
    /// `NotFound` if there is no such function; the message says what else has the name. `InvalidArgument` if there are
    /// several, none of which is the default; `Unsupported` if it is an indirect function (IFUNC).
    #[doc(alias = "elf_find_func_offset")]
    pub fn offset(&self, name: &str) -> Result<u64> {
        let offsets = self.offsets(&[name])?;
        offsets.first().copied().ok_or_else(|| self.unknown(name))
    }

    /// The file offsets where the functions of these names start, in the order of `names`.
    ///
    /// # Errors
    /// Those of [`Functions::offset`], for the first name that fails.
    #[doc(alias = "elf_resolve_syms_offsets")]
    pub fn offsets(&self, names: &[&str]) -> Result<Vec<u64>> {
        let wanted: Vec<Wanted<'_>> = names.iter().map(|name| Wanted::parse(name)).collect();
        let mut choices = vec![Choice::Nothing; names.len()];
        for source in SOURCES {
            if choices.iter().all(Choice::is_final) {
                break;
            }
            let Some(table) = self.table(source)? else {
                continue;
            };
            let mut candidates = candidates(&table, &wanted)?;
            let open = choices.iter_mut().zip(&wanted).zip(&mut candidates);
            for ((choice, wanted), candidates) in open.filter(|((c, _), _)| !c.is_final()) {
                choice.replace_by(symbol_choice::choose(&self.file, *wanted, candidates)?);
            }
        }
        let answers = choices.into_iter().zip(names);
        answers
            .map(|(choice, name)| match choice {
                Choice::Function(offset) => Ok(offset),
                choice => Err(self.refusal(name, &choice)),
            })
            .collect()
    }

    /// Calls `visit` with each name that `matches`, with or without its version, and the locations of the functions that share
    /// it in the symbol table. They come from the full symbol table, or else from the dynamic one; if this file has no full
    /// one, also from that of the separate debug file.
    ///
    /// # Errors
    /// The tables are damaged. It is not an error if nothing matches.
    #[doc(alias = "elf_resolve_pattern_offsets")]
    pub fn each(
        &self,
        matches: &dyn Fn(&str) -> bool,
        visit: &mut dyn FnMut(&str, &[FunctionPlace]),
    ) -> Result<()> {
        for source in [Source::Full, Source::Debug, Source::Dynamic] {
            let Some(table) = self.table(source)? else {
                continue;
            };
            let mut found = false;
            each_name(&table, LONGEST_NAME, &mut |name, symbols| {
                let plain = name.split_once('@').map_or(name, |(plain, _)| plain);
                if !matches(plain) && !matches(name) {
                    return;
                }
                let places = symbols.iter().filter_map(|symbol| self.place(symbol));
                let places: Vec<FunctionPlace> = places.collect();
                if !places.is_empty() {
                    found = true;
                    visit(name, &places);
                }
            })?;
            if found && source == Source::Full {
                break;
            }
        }
        Ok(())
    }

    /// `None` if there is no code at its address.
    fn place(&self, symbol: &Symbol) -> Option<FunctionPlace> {
        match self.file.code_at(symbol.address) {
            CodePlace::At(offset) => Some(FunctionPlace {
                offset,
                index: symbol.index,
            }),
            CodePlace::NotExecuted | CodePlace::NotLoaded => None,
        }
    }

    fn table(&self, source: Source) -> Result<Option<SymbolTable<'r>>> {
        match (source, &self.debug) {
            (Source::Dynamic, _) => SymbolTable::dynamic(&self.file),
            (Source::Full, _) => SymbolTable::full(&self.file),
            (Source::Debug, Some(debug)) => SymbolTable::full(debug),
            (Source::Debug, None) => Ok(None),
        }
    }

    /// Calls `visit` with the functions of all tables that can be read, for messages.
    fn each_suggestion(&self, visit: &mut dyn FnMut(&str)) {
        for source in SOURCES {
            if let Ok(Some(table)) = self.table(source) {
                // Tables that cannot be read just yield no suggestions.
                let _ = each_name(&table, LONGEST_SUGGESTION, &mut |name, symbols| {
                    // The file may contain terminal escape sequences.
                    if !name.contains(char::is_control)
                        && symbols.iter().any(|symbol| self.place(symbol).is_some())
                    {
                        visit(name);
                    }
                });
            }
        }
    }

    #[cold]
    fn refusal(&self, name: &str, choice: &Choice) -> Error {
        let not_found = |message| Error::new(ErrorKind::NotFound, message);
        match choice {
            Choice::Indirect => self.indirect(name),
            Choice::Data => not_found(format!("`{name}` is a variable, not a function"))
                .with_hint("probes see code run; name a function that uses the variable"),
            Choice::Undefined => not_found(format!(
                "function `{name}` is used here, but defined in another file"
            ))
            .with_hint("name the library that defines it"),
            Choice::Label(offset) => not_found(format!(
                "`{name}` is a label (NOTYPE), not declared to be a function"
            ))
            .with_hint(format!(
                "to probe it all the same, give its offset in the file: {offset:#x}"
            )),
            Choice::NotCode(why) => Error::new(
                ErrorKind::Elf,
                format!("the symbol table says that `{name}` is {why}"),
            ),
            Choice::OtherVersions(versions) => {
                let plain = name.split_once('@').map_or(name, |(plain, _)| plain);
                not_found(format!("there is no `{name}`, but {}", versions.join(", "))).with_hint(
                    format!("`{plain}` alone means the default version, the one with @@"),
                )
            }
            Choice::Nothing | Choice::Function(_) => self.unknown(name),
        }
    }

    #[cold]
    fn unknown(&self, name: &str) -> Error {
        let mut near: Vec<String> = Vec::new();
        self.each_suggestion(&mut |known| {
            let plain = known.split_once('@').map_or(known, |(plain, _)| plain);
            if !near_names(name, [plain]).is_empty() && near.len() < MOST_OF_ONE_NAME {
                near.push(plain.to_owned());
            }
        });
        let near = did_you_mean(name, near.iter().map(String::as_str));
        let has_none = SOURCES
            .iter()
            .all(|source| matches!(self.table(*source), Ok(None)));
        let message = if has_none {
            format!("function `{name}` cannot be found: the file has no symbol table")
        } else {
            format!("there is no function `{name}`{near}")
        };
        let error = Error::new(ErrorKind::NotFound, message);
        match self.advice() {
            Some(advice) => error.with_hint(advice),
            None => error,
        }
    }

    /// An indirect function is called through a pointer that its resolver returned when the program was loaded.
    #[cold]
    fn indirect(&self, name: &str) -> Error {
        let plain = name.split_once('@').map_or(name, |(plain, _)| plain);
        let mut found = Vec::new();
        self.each_suggestion(&mut |known| {
            if is_implementation(known, plain) && found.len() < MOST_OF_ONE_NAME {
                found.push(format!("`{known}`"));
            }
        });
        found.sort_unstable();
        found.dedup();
        let more = match found.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        found.truncate(SHOWN);
        let known = match found[..] {
            [] => "no function here has a name like it".to_owned(),
            _ => format!("by their names, {}{more} may be such", found.join(", ")),
        };
        let hint = format!("probe the implementation that the resolver chooses; {known}");
        let message = format!(
            "`{name}` is an indirect function (IFUNC): its symbol is that of a resolver, which runs once and chooses an \
             implementation, so a probe there would see no calls"
        );
        Error::new(ErrorKind::Unsupported, message).with_hint(hint)
    }
}

/// The default advice, without knowledge of where this system keeps symbols.
const STRIPPED: &str = "the file is stripped: install its debug symbols, or give the offset in the file instead of the name";

/// Whether a function has the name of an indirect one with an addition, as in `__memcpy_avx_unaligned` and `f.avx2`.
fn is_implementation(known: &str, indirect: &str) -> bool {
    let known = known.trim_start_matches('_');
    let rest = known.strip_prefix(indirect.trim_start_matches('_'));
    rest.is_some_and(|rest| rest.starts_with(['_', '.']) && !rest.contains("resolver"))
}

/// The candidates for each of the names in a table.
fn candidates(table: &SymbolTable<'_>, wanted: &[Wanted<'_>]) -> Result<Vec<Vec<Candidate>>> {
    let mut by_name: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (number, wanted) in wanted.iter().enumerate() {
        by_name
            .entry(wanted.name.as_bytes())
            .or_default()
            .push(number);
    }
    let longest = by_name.keys().map(|name| name.len()).max().unwrap_or(0);
    let mut found: Vec<Vec<Candidate>> = wanted.iter().map(|_| Vec::new()).collect();
    let keep = |kind| kind != SymbolKind::Other;
    table.scan(&keep, longest + LONGEST_VERSION, &mut |full, symbols| {
        let end = memchr::memchr(b'@', full).unwrap_or(full.len());
        let (name, version) = full.split_at(end);
        for number in by_name.get(name).into_iter().flatten() {
            if let Some(found) = found.get_mut(*number) {
                let room = MOST_OF_ONE_NAME.saturating_sub(found.len());
                let symbols = symbols.iter().take(room);
                found.extend(symbols.map(|symbol| candidate(table, symbol, version)));
            }
        }
    })?;
    Ok(found)
}

/// A symbol with its version, which follows its name (`@V1`, `@@V2`), or is in a separate table.
fn candidate(table: &SymbolTable<'_>, symbol: &Symbol, tail: &[u8]) -> Candidate {
    let tail = String::from_utf8_lossy(tail);
    let (version, is_default) = if let Some(version) = tail.strip_prefix("@@") {
        (Some(version.to_owned()), true)
    } else if let Some(version) = tail.strip_prefix('@') {
        (Some(version.to_owned()), false)
    } else {
        let version = table.version(symbol).map(str::to_owned);
        (version, !symbol.is_hidden())
    };
    Candidate {
        index: symbol.index,
        kind: symbol.kind,
        address: symbol.address,
        weak: symbol.weak,
        version,
        is_default,
    }
}

/// Calls `visit` with each valid UTF-8 name of at most `longest` bytes, and the functions of a table that share it.
fn each_name(
    table: &SymbolTable<'_>,
    longest: usize,
    visit: &mut dyn FnMut(&str, &[Symbol]),
) -> Result<()> {
    let keep = |kind| kind == SymbolKind::Function;
    table.scan(&keep, longest, &mut |name, symbols| {
        if let Ok(name) = std::str::from_utf8(name) {
            visit(name, symbols);
        }
    })
}

#[cfg(test)]
mod tests;
