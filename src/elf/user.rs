//! Functions of user-space executables and libraries: from a name to the place in the file, which is what the kernel wants for
//! a user-space probe.
//!
//! A symbol's value is an address; the place in the file is `value - section address + section offset`.

use super::ElfError;
use crate::{Error, ErrorKind, Result, near_names};
use object::Endianness;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader as _, Sym as _};
use std::collections::HashMap;

/// Where the function `name` starts in the file; `name@VERSION` and `name@@VERSION` ask for that version of it.
///
/// # Errors
/// `bytes` is no ELF file, it has no such function, or two different ones of which none is weak.
#[doc(alias = "elf_find_func_offset")]
pub fn function_offset(bytes: &[u8], name: &str) -> Result<u64> {
    with_symbols(bytes, &mut |tables| {
        let wanted = Wanted::parse(name);
        let mut undefined = false;
        for table in tables {
            let mut found = Found::default();
            table.visit_named(&wanted, &mut |symbol| found.add(symbol, name))?;
            match found.0 {
                Some(symbol) if symbol.offset > 0 => return Ok(symbol.offset),
                Some(_) => undefined = true,
                None => {}
            }
        }
        Err(not_found(name, tables, undefined))
    })
}

/// Where the functions of these names start in the file, in the order of `names`, which must be the symbols' whole names.
///
/// # Errors
/// As for [`function_offset`], for the first name that fails.
#[doc(alias = "elf_resolve_syms_offsets")]
pub fn function_offsets(bytes: &[u8], names: &[&str]) -> Result<Vec<u64>> {
    with_symbols(bytes, &mut |tables| {
        let mut found: HashMap<&str, Found> =
            names.iter().map(|name| (*name, Found::default())).collect();
        for table in tables {
            table.visit(&mut |name, symbol| match found.get_mut(name) {
                Some(found) => found.add(symbol, name),
                None => Ok(()),
            })?;
        }
        let offset = |name: &&str| match found.get(*name).and_then(|found| found.0) {
            Some(symbol) if symbol.offset > 0 => Ok(symbol.offset),
            symbol => Err(not_found(name, tables, symbol.is_some())),
        };
        names.iter().map(offset).collect()
    })
}

/// Name and place of every function whose name `matches`, from the full symbol table, or the dynamic one if that has none.
///
/// # Errors
/// `bytes` is no ELF file. That nothing matches is none.
#[doc(alias = "elf_resolve_pattern_offsets")]
pub fn matching_functions(
    bytes: &[u8],
    matches: &dyn Fn(&str) -> bool,
) -> Result<Vec<(String, u64)>> {
    with_symbols(bytes, &mut |tables| {
        let mut found = Vec::new();
        for table in tables.iter().rev() {
            table.visit(&mut |name, symbol| {
                if matches(name) {
                    found.push((name.to_string(), symbol.offset));
                }
                Ok(())
            })?;
            if !found.is_empty() {
                break;
            }
        }
        Ok(found)
    })
}

/// A function symbol.
#[derive(Debug, Clone, Copy)]
struct Function {
    offset: u64,
    weak: bool,
}

/// The symbol that counts among all of one name.
#[derive(Debug, Default)]
struct Found(Option<Function>);

impl Found {
    fn add(&mut self, symbol: Function, name: &str) -> Result<()> {
        match self.0.filter(|known| known.offset > 0) {
            Some(known) if known.offset == symbol.offset => {}
            Some(known) if !known.weak && !symbol.weak => {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    format!(
                        "`{name}` is ambiguous: one function of that name is at {:#x} in the file, another at {:#x}",
                        known.offset, symbol.offset
                    ),
                )
                .with_hint("give the offset instead of the name"));
            }
            Some(_) if symbol.weak => {}
            _ => self.0 = Some(symbol),
        }
        Ok(())
    }
}

/// A name, and the version that was asked for with it.
struct Wanted<'n> {
    full: &'n str,
    name: &'n str,
    version: Option<&'n str>,
}

impl<'n> Wanted<'n> {
    fn parse(full: &'n str) -> Self {
        match full.split_once('@') {
            Some((name, version)) => Self {
                full,
                name,
                version: Some(version.strip_prefix('@').unwrap_or(version)),
            },
            None => Self {
                full,
                name: full,
                version: None,
            },
        }
    }
}

#[cold]
fn not_found(name: &str, tables: &[&dyn Table], undefined: bool) -> Error {
    if undefined {
        return Error::new(
            ErrorKind::NotFound,
            format!("function `{name}` is used here, but defined in another file"),
        )
        .with_hint("name the library that defines it");
    }
    if tables.is_empty() {
        return Error::new(
            ErrorKind::NotFound,
            format!("function `{name}` cannot be found: the file has no symbol table"),
        )
        .with_hint("was it stripped? give the offset in the file instead of the name");
    }
    let mut names = Vec::new();
    for table in tables {
        // What cannot be read is not near either.
        let _ = table.visit(&mut |known, _| {
            if !near_names(name, [known]).is_empty() {
                names.push(known.to_string());
            }
            Ok(())
        });
    }
    let near = crate::did_you_mean(name, names.iter().map(String::as_str));
    Error::new(
        ErrorKind::NotFound,
        format!("there is no function `{name}`{near}"),
    )
}

/// A symbol table of a file of either class.
trait Table {
    /// Calls `visit` with the name and place of every function.
    fn visit(&self, visit: &mut dyn FnMut(&str, Function) -> Result<()>) -> Result<()>;

    /// Calls `visit` with the place of every function of this name and version.
    fn visit_named(
        &self,
        wanted: &Wanted<'_>,
        visit: &mut dyn FnMut(Function) -> Result<()>,
    ) -> Result<()>;
}

/// Calls `job` with the file's symbol tables: the dynamic one, then the full one, as far as they are there.
fn with_symbols<T>(bytes: &[u8], job: &mut dyn FnMut(&[&dyn Table]) -> Result<T>) -> Result<T> {
    if bytes.get(..4) != Some(b"\x7fELF") {
        return Err(match bytes.get(..4) {
            None if bytes.is_empty() => ElfError::Empty.into(),
            other => not_elf(other.unwrap_or(bytes)),
        });
    }
    let class = bytes.get(4).copied().unwrap_or_default();
    if class == elf::ELFCLASS32.0 {
        with_class::<FileHeader32<Endianness>, T>(bytes, job)
    } else {
        with_class::<FileHeader64<Endianness>, T>(bytes, job)
    }
}

fn not_elf(start: &[u8]) -> Error {
    Error::new(ErrorKind::Elf, ElfError::Magic(start.to_vec()).to_string())
        .with_hint("name an executable or a library, not a script that starts one")
}

fn with_class<H: FileHeader<Endian = Endianness>, T>(
    bytes: &[u8],
    job: &mut dyn FnMut(&[&dyn Table]) -> Result<T>,
) -> Result<T> {
    let damaged = |error: object::read::Error| {
        Error::new(ErrorKind::Elf, format!("the file is damaged: {error}"))
    };
    let header = H::parse(bytes).map_err(damaged)?;
    let endian = header.endian().map_err(damaged)?;
    let sections = header.section_headers(endian, bytes).map_err(damaged)?;
    let file = File {
        bytes,
        endian,
        sections,
    };
    let dynamic = file.table::<H>(elf::SHT_DYNSYM)?;
    let full = file.table::<H>(elf::SHT_SYMTAB)?;
    let tables: Vec<&dyn Table> = [dynamic.as_ref(), full.as_ref()]
        .into_iter()
        .flatten()
        .map(|table| -> &dyn Table { table })
        .collect();
    job(&tables)
}

/// What all tables of a file share.
struct File<'a, S> {
    bytes: &'a [u8],
    endian: Endianness,
    sections: &'a [S],
}

struct Symbols<'a, H: FileHeader<Endian = Endianness>> {
    endian: Endianness,
    sections: &'a [H::SectionHeader],
    entries: &'a [H::Sym],
    strings: &'a [u8],
    /// For each symbol the number of its version; empty if there are none.
    version_numbers: &'a [elf::Versym<Endianness>],
    versions: HashMap<u16, &'a [u8]>,
}

impl<'a, S> File<'a, S> {
    /// The first symbol table of this type.
    fn table<H>(&self, kind: elf::SectionType) -> Result<Option<Symbols<'a, H>>>
    where
        H: FileHeader<Endian = Endianness, SectionHeader = S>,
        S: object::read::elf::SectionHeader<Elf = H, Endian = Endianness>,
    {
        let of_kind = |kind| {
            self.sections
                .iter()
                .find(|s| s.sh_type(self.endian) == kind)
        };
        let damaged = |what: &str| {
            Error::new(
                ErrorKind::Elf,
                format!("the file is damaged: {what} cannot be read"),
            )
        };
        let Some(section) = of_kind(kind) else {
            return Ok(None);
        };
        let entries = section
            .data_as_array(self.endian, self.bytes)
            .map_err(|_| damaged("its symbol table"))?;
        let strings = usize::try_from(section.sh_link(self.endian))
            .ok()
            .and_then(|link| self.sections.get(link))
            .and_then(|strings| strings.data(self.endian, self.bytes).ok())
            .ok_or_else(|| damaged("the table of its symbols' names"))?;
        let mut table = Symbols {
            endian: self.endian,
            sections: self.sections,
            entries,
            strings,
            version_numbers: &[],
            versions: HashMap::new(),
        };
        let versym = of_kind(elf::SHT_GNU_VERSYM).filter(|_| kind == elf::SHT_DYNSYM);
        if let Some(versym) = versym {
            table.version_numbers = versym
                .data_as_array(self.endian, self.bytes)
                .unwrap_or_default();
            if let Some(verdef) = of_kind(elf::SHT_GNU_VERDEF) {
                table.versions = self.versions(verdef);
            }
        }
        Ok(Some(table))
    }

    /// The names of the versions that a library defines, by number. What cannot be read is left out.
    fn versions<H>(&self, section: &S) -> HashMap<u16, &'a [u8]>
    where
        H: FileHeader<Endian = Endianness, SectionHeader = S>,
        S: object::read::elf::SectionHeader<Elf = H, Endian = Endianness>,
    {
        let mut versions = HashMap::new();
        let Ok(Some((mut definitions, link))) = section.gnu_verdef(self.endian, self.bytes) else {
            return versions;
        };
        let strings = self
            .sections
            .get(link.0)
            .and_then(|strings| strings.data(self.endian, self.bytes).ok())
            .unwrap_or_default();
        while let Ok(Some((definition, mut names))) = definitions.next() {
            let number = definition.vd_ndx.get(self.endian).0;
            if let Ok(Some(name)) = names.next() {
                let name = bytes_at(strings, name.vda_name.get(self.endian));
                versions.entry(number).or_insert(name.unwrap_or_default());
            }
        }
        versions
    }
}

/// The text at `offset`, without its NUL; names of C++ can be very long, but not of any length.
fn bytes_at(strings: &[u8], offset: u32) -> Option<&[u8]> {
    const LONGEST: usize = 1 << 16;
    let tail = strings.get(usize::try_from(offset).ok()?..)?;
    let window = tail.get(..LONGEST).unwrap_or(tail);
    window.get(..memchr::memchr(0, window)?)
}

impl<'a, H: FileHeader<Endian = Endianness>> Symbols<'a, H> {
    /// The place of a symbol, if it is a function.
    fn function(&self, symbol: &H::Sym) -> Option<Function> {
        if symbol.st_type() != elf::STT_FUNC {
            return None;
        }
        let section = usize::from(symbol.st_shndx(self.endian).0);
        let section = self.sections.get(section)?;
        let value: u64 = symbol.st_value(self.endian).into();
        let address: u64 = section.sh_addr(self.endian).into();
        let offset: u64 = section.sh_offset(self.endian).into();
        Some(Function {
            offset: value.wrapping_sub(address).wrapping_add(offset),
            weak: symbol.st_bind() == elf::STB_WEAK,
        })
    }

    fn version(&self, index: usize) -> Option<&'a [u8]> {
        let number = self.version_numbers.get(index)?.0.get(self.endian);
        self.versions.get(&(number.0 & 0x7fff)).copied()
    }

    /// Whether the symbol's name is `wanted`'s, up to a version.
    #[doc(alias = "symbol_match")]
    fn is_wanted(&self, index: usize, symbol: &H::Sym, wanted: &Wanted<'_>) -> bool {
        let start = usize::try_from(symbol.st_name(self.endian)).unwrap_or(usize::MAX);
        let name = self.strings.get(start..).unwrap_or_default();
        let rest = name.strip_prefix(wanted.name.as_bytes());
        if !rest.is_some_and(|rest| matches!(rest.first(), Some(0 | b'@'))) {
            return false;
        }
        match wanted.version {
            None => true,
            Some(version) if !self.version_numbers.is_empty() => {
                self.version(index) == Some(version.as_bytes())
            }
            // Names in the full symbol table carry their version themselves.
            Some(_) => {
                let rest = name.strip_prefix(wanted.full.as_bytes());
                rest.is_some_and(|rest| rest.first() == Some(&0))
            }
        }
    }
}

impl<H: FileHeader<Endian = Endianness>> Table for Symbols<'_, H> {
    fn visit(&self, visit: &mut dyn FnMut(&str, Function) -> Result<()>) -> Result<()> {
        for symbol in self.entries {
            let Some(function) = self.function(symbol) else {
                continue;
            };
            let name = bytes_at(self.strings, symbol.st_name(self.endian));
            if let Some(name) = name.and_then(|name| std::str::from_utf8(name).ok()) {
                visit(name, function)?;
            }
        }
        Ok(())
    }

    fn visit_named(
        &self,
        wanted: &Wanted<'_>,
        visit: &mut dyn FnMut(Function) -> Result<()>,
    ) -> Result<()> {
        for (index, symbol) in self.entries.iter().enumerate() {
            if self.is_wanted(index, symbol, wanted)
                && let Some(function) = self.function(symbol)
            {
                visit(function)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::write::{Object, StandardSection, Symbol, SymbolSection};
    use object::{Architecture, BinaryFormat, SymbolFlags, SymbolKind, SymbolScope};

    #[derive(Clone, Copy, PartialEq)]
    enum Binding {
        Strong,
        Weak,
    }

    /// An object whose `.text` holds a function for each name, 16 bytes each, and where `.text` starts.
    fn program(functions: &[(&str, u64, Binding)]) -> (Vec<u8>, u64) {
        let mut object = Object::new(
            BinaryFormat::Elf,
            Architecture::X86_64,
            object::Endianness::Little,
        );
        let text = object.section_id(StandardSection::Text);
        object.append_section_data(text, &[0x90; 256], 16);
        for (name, value, binding) in functions {
            object.add_symbol(Symbol {
                name: name.as_bytes().to_vec(),
                value: *value,
                size: 16,
                kind: SymbolKind::Text,
                scope: SymbolScope::Dynamic,
                weak: *binding == Binding::Weak,
                section: SymbolSection::Section(text),
                flags: SymbolFlags::None,
            });
        }
        let bytes = object.write().unwrap();
        let start = bytes.windows(256).position(|w| w == [0x90; 256]).unwrap();
        (bytes, u64::try_from(start).unwrap())
    }

    #[test]
    fn a_function_is_found_in_the_file() {
        let (bytes, text) = program(&[("foo", 16, Binding::Strong), ("foo2", 32, Binding::Strong)]);
        assert_eq!(function_offset(&bytes, "foo").unwrap(), text + 16);
        assert_eq!(
            function_offsets(&bytes, &["foo2", "foo"]).unwrap(),
            [text + 32, text + 16]
        );
        let error = function_offset(&bytes, "fo").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("did you mean `foo`"), "{error}");
    }

    #[test]
    fn weak_symbols_give_way_and_strong_ones_clash() {
        use Binding::{Strong, Weak};
        let offset = |functions: &[(&str, u64, Binding)]| {
            let (bytes, text) = program(functions);
            function_offset(&bytes, "f").map(|offset| offset - text)
        };
        assert_eq!(offset(&[("f", 16, Weak), ("f", 32, Strong)]).unwrap(), 32);
        assert_eq!(offset(&[("f", 32, Strong), ("f", 16, Weak)]).unwrap(), 32);
        assert_eq!(offset(&[("f", 48, Weak), ("f", 16, Weak)]).unwrap(), 48);
        assert_eq!(offset(&[("f", 16, Strong), ("f", 16, Strong)]).unwrap(), 16);
        let error = offset(&[("f", 16, Strong), ("f", 32, Strong)]).unwrap_err();
        assert!(error.message().contains("ambiguous"), "{error}");
    }

    #[test]
    fn versions_are_part_of_names_in_the_full_table() {
        let (bytes, text) = program(&[
            ("f@V1", 16, Binding::Strong),
            ("f@@V2", 32, Binding::Strong),
        ]);
        assert_eq!(function_offset(&bytes, "f@V1").unwrap(), text + 16);
        assert_eq!(function_offset(&bytes, "f@@V2").unwrap(), text + 32);
        assert!(function_offset(&bytes, "f@V3").is_err());
        assert!(function_offset(&bytes, "f").is_err());
    }

    #[test]
    fn patterns_list_all_that_match() {
        let (bytes, text) = program(&[
            ("get_a", 16, Binding::Strong),
            ("set_a", 32, Binding::Strong),
            ("get_b", 48, Binding::Weak),
        ]);
        let found = matching_functions(&bytes, &|name| name.starts_with("get_")).unwrap();
        let expected = [
            ("get_a".to_string(), text + 16),
            ("get_b".to_string(), text + 48),
        ];
        assert_eq!(found, expected);
        assert!(matching_functions(&bytes, &|_| false).unwrap().is_empty());
    }

    #[test]
    fn the_c_library_has_versions() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let path = maps.lines().find_map(|line| {
            let path = line.split_whitespace().last()?;
            path.contains("/libc.so.6").then_some(path)
        });
        let Some(path) = path else {
            println!("skipped: this test is not linked with glibc's libc.so.6");
            return;
        };
        let bytes = std::fs::read(path).unwrap();
        let plain = function_offset(&bytes, "malloc").unwrap();
        assert!(plain > 0);
        let file = object::read::elf::ElfFile64::<Endianness>::parse(&*bytes).unwrap();
        let symbol = object::read::Object::dynamic_symbols(&file)
            .find(|symbol| object::read::ObjectSymbol::name(symbol) == Ok("malloc"))
            .unwrap();
        // In shared libraries as linkers lay them out today, `.text` lies in the file where its address is.
        assert_eq!(object::read::ObjectSymbol::address(&symbol), plain);
        let error = function_offset(&bytes, "malloc@NO_SUCH_VERSION").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn other_files_are_refused() {
        let error = function_offset(b"#!/bin/sh\n", "main").unwrap_err();
        assert!(
            error.hint().is_some_and(|hint| hint.contains("script")),
            "{error}"
        );
        assert!(function_offset(b"", "main").is_err());
        assert!(function_offset(b"\x7fELF\x01\x01\x01", "main").is_err());
        assert!(function_offset(b"\x7fELF\x02\x01\x01", "main").is_err());
    }
}
