//! The relevant parts of a file: its debug sections, and its symbols for functions and variables.

use super::error::DwarfError;
use crate::Result;
use crate::elf::ReadAt;
use crate::elf::parts::{PartSymbolKind, Parts};
use crate::keyed_hash::{Set, Table};

/// The sections of a file that are read.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) is_little_endian: bool,
    pub(super) info: Vec<u8>,
    /// The type units of DWARF 4.
    pub(super) types: Vec<u8>,
    pub(super) abbreviations: Vec<u8>,
    pub(super) strings: Vec<u8>,
    pub(super) line_strings: Vec<u8>,
    pub(super) string_offsets: Vec<u8>,
    pub(super) addresses: Vec<u8>,
    pub(super) symbols: Symbols,
}

/// The contents of the symbol table.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// Functions, without suffixes (`.isra.0`, `.constprop.1`).
    pub(super) functions: Set<String>,
    /// Variables of the sections that BTF covers, by address: name, size, and the index of the section.
    pub(super) variables: Table<u64, Vec<VariableSymbol>>,
    /// The names of these sections, and their addresses.
    pub(super) sections: Vec<(String, u64)>,
}

#[derive(Debug)]
pub(super) struct VariableSymbol {
    pub(super) name: String,
    pub(super) size: u32,
    /// An index in [`Symbols::sections`].
    pub(super) section: usize,
}

impl Image {
    pub(super) fn read(file: &dyn ReadAt) -> Result<Self> {
        let parts = Parts::open(file)?;
        let section = |name: &str| Ok::<_, crate::Error>(parts.section(name)?.unwrap_or_default());
        let (info, types) = (section(".debug_info")?, section(".debug_types")?);
        if info.is_empty() && types.is_empty() {
            return Err(DwarfError::no_debug_info(&parts).into());
        }
        let abbreviations = section(".debug_abbrev")?;
        if abbreviations.is_empty() {
            let section = ".debug_abbrev";
            return Err(DwarfError::NoSection { section }.into());
        }
        if parts
            .sections()
            .any(|section| section.name == ".gnu_debugaltlink")
        {
            let what = "debug information that shares a part with other files (`.gnu_debugaltlink`, as `dwz -m` writes it)";
            let hint = "take the file as the linker wrote it, before `dwz` moved what it shares with others";
            let hint = Some(hint);
            return Err(DwarfError::Unsupported { what, hint }.into());
        }
        Ok(Self {
            is_little_endian: parts.is_little_endian(),
            info,
            types,
            abbreviations,
            strings: section(".debug_str")?,
            line_strings: section(".debug_line_str")?,
            string_offsets: section(".debug_str_offsets")?,
            addresses: section(".debug_addr")?,
            symbols: Symbols::of(&parts),
        })
    }
}

impl Symbols {
    /// Records functions, and for a kernel the per-CPU variables, for a BPF object all variables.
    fn of(parts: &Parts<'_>) -> Self {
        let mut symbols = Self::default();
        let mut wanted: Table<usize, usize> = Table::default();
        for (number, section) in parts.sections().enumerate() {
            let of_object = parts.is_bpf() && section.is_data && section.len > 0;
            if section.name == ".data..percpu" || of_object {
                wanted.insert(number, symbols.sections.len());
                symbols
                    .sections
                    .push((section.name.to_owned(), section.address));
            }
        }
        for symbol in parts.symbols() {
            let name = symbol.name.to_owned();
            match symbol.kind {
                PartSymbolKind::Function => {
                    let plain = name.split('.').next().unwrap_or_default();
                    symbols.functions.insert(plain.to_owned());
                }
                PartSymbolKind::Data => {
                    if let Some(section) = wanted.get(&symbol.section) {
                        let all = symbols.variables.entry(symbol.address).or_default();
                        all.push(VariableSymbol {
                            name,
                            size: u32::try_from(symbol.size).unwrap_or(u32::MAX),
                            section: *section,
                        });
                    }
                }
                PartSymbolKind::Other => {}
            }
        }
        symbols
    }

    /// Whether a function exists in the file, and not only inlined; without symbols, whether it is global.
    pub(super) fn has_function(&self, name: &str, is_global: bool) -> bool {
        if self.functions.is_empty() {
            is_global
        } else {
            self.functions.contains(name)
        }
    }

    /// The symbol of a variable.
    pub(super) fn variable(&self, address: u64, name: &str) -> Option<&VariableSymbol> {
        let all = self.variables.get(&address)?;
        all.iter().find(|symbol| symbol.name == name)
    }
}
