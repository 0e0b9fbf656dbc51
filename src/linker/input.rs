//! One input object: the role of each section, and whether the object can be linked.

use crate::btf::{Btf, BtfExt};
use crate::elf::{ElfError, ElfFile, Rel, Section, Symbol, SymbolPlace, SymbolTable};
use crate::ids::ByteOrder;
use crate::insn::INSN_SIZE;
use crate::{Error, ErrorKind, Result, SectionIndex};

/// The role of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Dropped: names, debug information, and what only linkers of other kinds read.
    Left,
    /// Code or data, which is linked.
    Data,
    /// Relocations of code or data.
    Relocations,
}

/// An object that was read.
#[derive(Debug)]
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    elf: ElfFile<'a>,
    /// All sections except the empty first one.
    sections: Vec<(Section<'a>, Role)>,
    symbol_table: SectionIndex,
    pub(super) symbols: SymbolTable<'a>,
    pub(super) btf: Option<Btf<'a>>,
    pub(super) ext: Option<BtfExt>,
}

/// An error for input that breaks the rules of linking.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidObject, message)
}

/// An error for input that is well-formed, but that cannot be linked.
pub(super) fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

impl<'a> Input<'a> {
    /// Reads an object.
    #[doc(alias = "linker_load_obj_file")]
    pub(super) fn read(name: &'a str, bytes: &'a [u8]) -> Result<Self> {
        let elf = ElfFile::parse(bytes)?;
        elf.check_declares_bpf()?;
        let mut sections = Vec::with_capacity(elf.section_count());
        let mut names = elf.section_name_budget();
        for section in elf.sections() {
            let section = section?;
            names.spend(section.name.len())?;
            sections.push((section, Role::Left));
        }
        let table = symbol_table(&sections)?;
        let symbols = elf.symbols(&table)?;
        let mut input = Self {
            name,
            elf,
            sections: Vec::new(),
            symbol_table: table.index,
            symbols,
            btf: None,
            ext: None,
        };
        for (section, role) in &mut sections {
            *role = input.take(section)?;
        }
        input.sections = sections;
        input.check_relocated()?;
        input.check_symbols()?;
        input.check_types()?;
        Ok(input)
    }

    /// Records and returns the role of this section.
    fn take(&mut self, section: &Section<'a>) -> Result<Role> {
        let within = |e: Error| e.context(describe(section));
        if section.name.is_empty() {
            return Err(within(invalid("it has no name")));
        }
        if is_left(section) {
            return Ok(Role::Left);
        }
        if !(section.align == 0 || section.align.is_power_of_two()) {
            let align = section.align;
            return Err(within(invalid(format!(
                "its alignment {align} is no power of two"
            ))));
        }
        match section.kind {
            Section::SYMTAB => Ok(Role::Left),
            Section::PROGBITS if matches!(section.name, ".BTF" | ".BTF.ext") => {
                self.take_types(section).map_err(within)?;
                Ok(Role::Left)
            }
            Section::PROGBITS => {
                section.data()?;
                if section.is_executable() && !section.size.is_multiple_of(INSN_LEN) {
                    let size = section.size;
                    return Err(within(invalid(format!(
                        "its {size} bytes are no whole instructions"
                    ))));
                }
                Ok(Role::Data)
            }
            Section::NOBITS => Ok(Role::Data),
            Section::REL => Ok(Role::Relocations),
            kind => Err(
                within(unsupported(format!("sections of type {kind:#x} are not linked"))).with_hint(
                    "what is linked is code, data, zeros and relocations without addends, as clang writes them for BPF",
                ),
            ),
        }
    }

    fn take_types(&mut self, section: &Section<'a>) -> Result<()> {
        let twice = || invalid("there are two of it");
        let bytes = section.data()?;
        if section.name == ".BTF" {
            let btf = Btf::parse(bytes)?;
            btf.validate()?;
            return self.btf.replace(btf).map_or(Ok(()), |_| Err(twice()));
        }
        let ext = BtfExt::parse(bytes)?;
        self.ext.replace(ext).map_or(Ok(()), |_| Err(twice()))
    }

    /// Checks that relocations apply to the section that they are named after.
    #[doc(alias = "linker_sanity_check_elf_relos")]
    fn check_relocated(&self) -> Result<()> {
        for (section, role) in &self.sections {
            if *role != Role::Relocations {
                continue;
            }
            let within = |e: Error| e.context(describe(section));
            if section.link != self.symbol_table.0 {
                let link = section.link;
                return Err(within(invalid(format!(
                    "it is about the symbols in section {link}, where the symbol table is not"
                ))));
            }
            let target = SectionIndex(section.info);
            let Some((about, about_role)) = self.section(target) else {
                return Err(within(invalid(format!(
                    "it relocates section {target}, which does not exist"
                ))));
            };
            if section.name.strip_prefix(".rel") != Some(about.name) {
                return Err(within(invalid(format!(
                    "it relocates section `{}`, after which it is not named",
                    about.name
                ))));
            }
            if !matches!(about_role, Role::Data | Role::Left) {
                return Err(within(invalid(format!(
                    "it relocates section `{}`, which holds neither code nor data",
                    about.name
                ))));
            }
        }
        Ok(())
    }

    #[doc(alias = "linker_sanity_check_elf_symtab")]
    fn check_symbols(&self) -> Result<()> {
        let mut names = self.symbols.name_budget();
        for symbol in self.symbols.iter() {
            let name = self.symbols.name(&symbol)?;
            names.spend(name.len())?;
            if let Err(what) = self.check_symbol(&symbol) {
                let number = symbol.index;
                return Err(what.context(format!("symbol {number} `{name}`")));
            }
        }
        Ok(())
    }

    fn check_symbol(&self, symbol: &Symbol) -> Result<()> {
        if symbol.index == 0 {
            return if symbol.is_empty() {
                Ok(())
            } else {
                Err(invalid("the first symbol is not empty"))
            };
        }
        if !symbol.is_local() && !symbol.is_global() {
            let binding = symbol.binding;
            return Err(unsupported(format!(
                "its binding {binding} is neither local nor global nor weak"
            )));
        }
        if !matches!(symbol.other & 3, Symbol::DEFAULT | Symbol::HIDDEN) {
            return Err(
                unsupported("its visibility is neither default nor hidden").with_hint(
                    "remove `protected` or `internal` from the attribute `visibility`, or write `hidden`",
                ),
            );
        }
        match symbol.place {
            SymbolPlace::Undefined => {
                let plain = symbol.kind == Symbol::NOTYPE && !symbol.is_local();
                if !plain || symbol.value != 0 || symbol.size != 0 {
                    return Err(invalid(
                        "it is declared, but is no global symbol without type, value and size",
                    ));
                }
            }
            SymbolPlace::Section(section) => {
                if self.section(section).is_none() {
                    return Err(invalid(format!("there is no section {section}")));
                }
                if symbol.kind == Symbol::SECTION && symbol.value != 0 {
                    return Err(invalid("it stands for a section, but not for its start"));
                }
            }
            SymbolPlace::Common => {
                return Err(
                    unsupported("it is a common symbol, which has no place in its file")
                        .with_hint("compile with -fno-common, or initialise the variable"),
                );
            }
            SymbolPlace::Special(_) if symbol.is_local() => {}
            SymbolPlace::Special(place) => {
                return Err(unsupported(format!(
                    "it is global and lies in no section (its place is {place:#x})"
                )));
            }
        }
        Ok(())
    }

    fn check_types(&self) -> Result<()> {
        if self.ext.is_some() && self.btf.is_none() {
            return Err(
                invalid("there is a section .BTF.ext without a section .BTF")
                    .with_hint("compile it again with -g"),
            );
        }
        Ok(())
    }

    /// The section with this index, and its role.
    pub(super) fn section(&self, index: SectionIndex) -> Option<&(Section<'a>, Role)> {
        let position = usize::try_from(index.0).ok()?.checked_sub(1)?;
        self.sections.get(position)
    }

    /// All sections with this role, in order.
    pub(super) fn with_role(&self, wanted: Role) -> impl Iterator<Item = &Section<'a>> {
        let sections = self.sections.iter();
        sections.filter_map(move |(section, role)| (*role == wanted).then_some(section))
    }

    /// The first section of each name.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&Section<'a>, Role)> {
        self.sections.iter().map(|(section, role)| (section, *role))
    }

    /// The relocations in a section.
    pub(super) fn rels(
        &self,
        section: &Section<'a>,
    ) -> Result<impl Iterator<Item = Rel> + use<'a>, ElfError> {
        self.elf.rels(section)
    }

    pub(super) fn byte_order(&self) -> ByteOrder {
        self.elf.byte_order()
    }

    /// The name of a symbol; for section symbols that of the section.
    pub(super) fn symbol_name(&self, symbol: &Symbol) -> &'a str {
        let name = self.symbols.name(symbol).unwrap_or("?");
        match symbol.place {
            SymbolPlace::Section(index) if name.is_empty() => {
                self.section(index).map_or("?", |(section, _)| section.name)
            }
            _ => name,
        }
    }
}

/// Size of an instruction in bytes.
const INSN_LEN: u64 = INSN_SIZE as u64;

/// A section, for messages.
pub(super) fn describe(section: &Section<'_>) -> String {
    format!("section {} `{}`", section.index, section.name)
}

/// Sections that are not linked, nor even checked.
#[doc(alias = "is_ignored_sec")]
fn is_left(section: &Section<'_>) -> bool {
    let is_debug = |name: &str| name.starts_with(".debug_");
    let is_empty_text =
        section.kind == Section::PROGBITS && section.size == 0 && section.name == ".text";
    let about = section.name.strip_prefix(".rel");
    section.kind == Section::STRTAB
        || section.kind == Section::LLVM_ADDRSIG
        || is_empty_text
        || is_debug(section.name)
        || about.is_some_and(|name| is_debug(name) || matches!(name, ".BTF" | ".BTF.ext"))
}

fn symbol_table<'a>(sections: &[(Section<'a>, Role)]) -> Result<Section<'a>> {
    let sections = sections.iter().map(|(section, _)| section);
    let mut tables = sections.filter(|section| section.kind == Section::SYMTAB);
    let Some(table) = tables.next() else {
        return Err(
            invalid("there is no symbol table; was the object stripped?")
                .with_hint("strip BPF objects with `llvm-strip -g` only, which keeps the symbols"),
        );
    };
    if let Some(second) = tables.next() {
        return Err(unsupported(format!(
            "there are two symbol tables, in sections {} and {}",
            table.index, second.index
        )));
    }
    table.check_entry_size(24)?;
    Ok(*table)
}
