//! The symbol table.

use super::section::string_at;
use super::{ElfError, ElfFile, NameBudget, Section};
use crate::SectionIndex;
use object::Endianness;
use object::elf::{self, Sym64};
use object::read::elf::Sym as _;

/// The symbols of a file, with their names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SymbolTable<'a> {
    endian: Endianness,
    symbols: &'a [Sym64<Endianness>],
    strings: &'a [u8],
}

/// One symbol, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) index: usize,
    name_off: u32,
    pub(crate) place: SymbolPlace,
    /// `STT_*`
    pub(crate) kind: u8,
    /// `STB_*`
    pub(crate) binding: u8,
    pub(crate) visibility: Visibility,
    /// `STV_*`, and bits without a meaning.
    pub(crate) other: u8,
    pub(crate) value: u64,
    pub(crate) size: u64,
}

/// Where a symbol is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SymbolPlace {
    /// Not in this file.
    Undefined,
    /// In this section, which may not exist.
    Section(SectionIndex),
    /// In no section yet: a variable without a value, which a linker would allocate (`-fcommon`).
    Common,
    /// In no section, for the reason that the number gives: absolute, ...
    Special(u16),
}

/// Who can see a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Default or protected.
    Visible,
    /// Hidden or internal.
    Hidden,
}

impl<'a> ElfFile<'a> {
    /// Reads the symbol table in `section`.
    pub(crate) fn symbols(&self, section: &Section<'a>) -> Result<SymbolTable<'a>, ElfError> {
        let raw = section.entries::<{ size_of::<Sym64<Endianness>>() }>()?;
        let symbols = object::pod::slice_from_all_bytes(raw.as_flattened())
            .map_err(|()| ElfError::SectionHeaders("unaligned symbols"))?;
        let strings = self
            .strings(section.link)
            .ok_or(ElfError::SymbolNames(section.link))?;
        Ok(SymbolTable {
            endian: self.endian(),
            symbols,
            strings,
        })
    }
}

impl<'a> SymbolTable<'a> {
    pub(crate) fn len(&self) -> usize {
        self.symbols.len()
    }

    /// The symbol with this index.
    pub(crate) fn get(&self, index: usize) -> Option<Symbol> {
        self.symbols
            .get(index)
            .map(|raw| Symbol::decode(index, raw, self.endian))
    }

    /// The limit on the total length of all symbols' names.
    pub(crate) fn name_budget(&self) -> NameBudget {
        let number = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        NameBudget::of_table("symbols", number(self.strings.len()), number(self.len()))
    }

    /// All symbols, in order; the first one is empty.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Symbol> + use<'a> {
        let endian = self.endian;
        self.symbols
            .iter()
            .enumerate()
            .map(move |(index, raw)| Symbol::decode(index, raw, endian))
    }

    /// A symbol's name; may be empty.
    pub(crate) fn name(&self, symbol: &Symbol) -> Result<&'a str, ElfError> {
        string_at(self.strings, symbol.name_off).ok_or(ElfError::SymbolName {
            symbol: symbol.index,
            offset: symbol.name_off,
        })
    }
}

impl Symbol {
    pub(crate) const FUNC: u8 = elf::STT_FUNC.0;
    pub(crate) const OBJECT: u8 = elf::STT_OBJECT.0;
    pub(crate) const SECTION: u8 = elf::STT_SECTION.0;
    pub(crate) const NOTYPE: u8 = elf::STT_NOTYPE.0;
    /// Bindings.
    pub(crate) const LOCAL: u8 = elf::STB_LOCAL.0;
    pub(crate) const GLOBAL: u8 = elf::STB_GLOBAL.0;
    pub(crate) const WEAK: u8 = elf::STB_WEAK.0;
    /// Visibilities, the lower two bits of `other`.
    pub(crate) const DEFAULT: u8 = elf::STV_DEFAULT.0;
    pub(crate) const HIDDEN: u8 = elf::STV_HIDDEN.0;

    fn decode(index: usize, raw: &Sym64<Endianness>, endian: Endianness) -> Self {
        let section = raw.st_shndx.get(endian);
        let place = if section == elf::SHN_UNDEF {
            SymbolPlace::Undefined
        } else if section.0 < elf::SHN_LORESERVE {
            SymbolPlace::Section(SectionIndex(u32::from(section.0)))
        } else if section == elf::SHN_COMMON {
            SymbolPlace::Common
        } else {
            SymbolPlace::Special(section.0)
        };
        let hidden = matches!(raw.st_visibility(), elf::STV_HIDDEN | elf::STV_INTERNAL);
        Self {
            index,
            name_off: raw.st_name(endian),
            place,
            kind: raw.st_type().0,
            binding: raw.st_bind().0,
            visibility: if hidden {
                Visibility::Hidden
            } else {
                Visibility::Visible
            },
            other: raw.st_other.0,
            value: raw.st_value(endian),
            size: raw.st_size(endian),
        }
    }

    /// Whether nothing is said in it, as in the first one of a table.
    pub(crate) fn is_empty(&self) -> bool {
        let (place, info) = (self.place, [self.kind, self.binding, self.other]);
        let numbers = [u64::from(self.name_off), self.value, self.size];
        place == SymbolPlace::Undefined && info == [0; 3] && numbers == [0; 3]
    }

    /// Whether it can be seen in this file only.
    pub(crate) fn is_local(&self) -> bool {
        self.binding == elf::STB_LOCAL.0
    }

    /// Whether another symbol of the same name takes precedence.
    pub(crate) fn is_weak(&self) -> bool {
        self.binding == elf::STB_WEAK.0
    }

    /// Whether it is global or weak.
    pub(crate) fn is_global(&self) -> bool {
        self.is_weak() || self.binding == elf::STB_GLOBAL.0
    }

    /// Whether it names something that the kernel must provide.
    #[doc(alias = "sym_is_extern")]
    pub(crate) fn is_extern(&self) -> bool {
        self.place == SymbolPlace::Undefined && self.is_global() && self.kind == Self::NOTYPE
    }

    /// Whether it is defined in this section.
    pub(crate) fn is_in(&self, section: SectionIndex) -> bool {
        self.place == SymbolPlace::Section(section)
    }
}
