//! The first pass over the file: what each section is for, and the functions in the code sections.

use super::{Function, FunctionLinkage};
use crate::elf::{
    ElfError, ElfFile, NameBudget, Rel, Section, Symbol, SymbolPlace, SymbolTable, Visibility,
};
use crate::ids::ByteOrder;
use crate::insn::{INSN_SIZE, Insn};
use crate::{Error, ErrorKind, KernelVersion, Result, SectionIndex};

/// What a section is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Not used by a loader.
    Other,
    Code,
    Data,
    Rodata,
    Bss,
    StructOps,
    Relocations,
}

/// The file's contents, sorted by role.
#[derive(Debug)]
pub(super) struct Collected<'a> {
    elf: ElfFile<'a>,
    pub(super) byte_order: ByteOrder,
    /// All sections except the empty first one, with their roles.
    sections: Vec<(Section<'a>, Role)>,
    pub(super) symbols: SymbolTable<'a>,
    pub(super) license: String,
    pub(super) kernel_version: Option<KernelVersion>,
    pub(super) text: Option<SectionIndex>,
    pub(super) maps: Option<Section<'a>>,
    pub(super) btf: Option<&'a [u8]>,
    pub(super) btf_ext: Option<&'a [u8]>,
    pub(super) arena: Option<Section<'a>>,
    pub(super) jump_tables: Option<Section<'a>>,
}

/// A violation of the rules for BPF objects.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidObject, message)
}

/// What to write instead of the map definitions that libbpf 1.0 dropped.
pub(super) const LEGACY_MAPS_HINT: &str = "libbpf 1.0 dropped struct bpf_map_def, too: write `struct { __uint(type, ..); \
     __uint(max_entries, ..); __type(key, ..); __type(value, ..); } NAME SEC(\".maps\");` instead";

impl<'a> Collected<'a> {
    /// Reads the section table and assigns each section its role.
    #[doc(alias = "bpf_object__elf_collect")]
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let elf = ElfFile::parse(bytes)?;
        elf.check_bpf()?;
        let mut sections = Vec::with_capacity(elf.section_count());
        let mut names = elf.section_name_budget();
        for section in elf.sections() {
            let section = section?;
            names.spend(section.name.len())?;
            sections.push((section, Role::Other));
        }
        let mut collected = Self {
            elf,
            byte_order: elf.byte_order(),
            symbols: symbol_table(&elf, &sections)?,
            sections: Vec::new(),
            license: String::new(),
            kernel_version: None,
            text: None,
            maps: None,
            btf: None,
            btf_ext: None,
            arena: None,
            jump_tables: None,
        };
        let executable: Vec<bool> = std::iter::once(false)
            .chain(sections.iter().map(|(section, _)| section.is_executable()))
            .collect();
        for (section, role) in &mut sections {
            if !is_ignored(section) {
                *role = collected.take(section, &executable)?;
            }
        }
        collected.sections = sections;
        Ok(collected)
    }

    /// Records what this section is for; returns its role.
    fn take(&mut self, section: &Section<'a>, executable: &[bool]) -> Result<Role> {
        let data = section.data()?;
        match section.name {
            "license" => self.license = license(section, data)?,
            "version" => self.kernel_version = Some(kernel_version(data, self.byte_order)?),
            "maps" => {
                return Err(
                    invalid("section `maps` holds map definitions of the old kind")
                        .with_hint(LEGACY_MAPS_HINT),
                );
            }
            ".maps" => self.maps = Some(*section),
            ".BTF" => self.btf = Some(type_information(section, data)?),
            ".BTF.ext" => self.btf_ext = Some(type_information(section, data)?),
            _ => return self.role(section, executable),
        }
        Ok(Role::Other)
    }

    fn role(&mut self, section: &Section<'a>, executable: &[bool]) -> Result<Role> {
        let name = section.name;
        let is = |base: &str| {
            let rest = name.strip_prefix(base);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        match section.kind {
            Section::PROGBITS if section.size == 0 => {}
            Section::PROGBITS if section.is_executable() => {
                if name == ".text" {
                    self.text = Some(section.index);
                }
                return Ok(Role::Code);
            }
            Section::PROGBITS if is(".data") => return Ok(Role::Data),
            Section::PROGBITS if is(".rodata") => return Ok(Role::Rodata),
            Section::PROGBITS if is_struct_ops(name) => return Ok(Role::StructOps),
            Section::PROGBITS if name == ".addr_space.1" => self.arena = Some(*section),
            Section::PROGBITS if name == ".jumptables" => self.jump_tables = Some(*section),
            Section::NOBITS if is(".bss") => return Ok(Role::Bss),
            Section::REL => return relocation_role(section, executable),
            _ => {}
        }
        Ok(Role::Other)
    }

    /// The section with this index and its role.
    pub(super) fn section(&self, index: SectionIndex) -> Option<&(Section<'a>, Role)> {
        let position = usize::try_from(index.0).ok()?.checked_sub(1)?;
        self.sections.get(position)
    }

    /// The name of a section, for messages.
    pub(super) fn section_name(&self, index: SectionIndex) -> &'a str {
        self.section(index).map_or("?", |(section, _)| section.name)
    }

    /// What a section is for.
    pub(super) fn role_of(&self, index: SectionIndex) -> Role {
        self.section(index).map_or(Role::Other, |(_, role)| *role)
    }

    /// All sections with this role, in order.
    pub(super) fn with_role(&self, wanted: Role) -> impl Iterator<Item = &Section<'a>> {
        self.sections
            .iter()
            .filter(move |(_, role)| *role == wanted)
            .map(|(section, _)| section)
    }

    /// All sections except the empty first one.
    pub(super) fn sections(&self) -> impl Iterator<Item = &Section<'a>> {
        self.sections.iter().map(|(section, _)| section)
    }

    /// The name of a symbol; that of its section for section symbols, `?` if it has none.
    pub(super) fn symbol_name(&self, symbol: &Symbol) -> &'a str {
        let name = self.symbols.name(symbol).unwrap_or("?");
        match symbol.place {
            SymbolPlace::Section(section) if symbol.kind == Symbol::SECTION && name.is_empty() => {
                self.section_name(section)
            }
            _ => name,
        }
    }

    /// What in the object requires BTF, if anything.
    #[doc(alias = "libbpf_needs_btf")]
    pub(super) fn needs_btf(&self) -> Option<&'static str> {
        if self.maps.is_some() {
            Some("map definitions (section `.maps`)")
        } else if self.with_role(Role::StructOps).next().is_some() {
            Some("struct_ops variables")
        } else {
            None
        }
    }

    /// The relocations in a section.
    pub(super) fn rels(
        &self,
        section: &Section<'a>,
    ) -> Result<impl Iterator<Item = Rel> + use<'a>, ElfError> {
        self.elf.rels(section)
    }

    /// All functions, sorted by section and offset.
    #[doc(alias = "bpf_object__add_programs")]
    pub(super) fn functions(&self) -> Result<Vec<Function>> {
        let mut functions = Vec::new();
        let mut room = Room::default();
        // Each stores the name of its section.
        let count = u64::try_from(self.symbols.len()).unwrap_or(u64::MAX);
        let mut names = NameBudget::of_table("functions' sections", 0, count);
        for symbol in self.symbols.iter() {
            let SymbolPlace::Section(index) = symbol.place else {
                continue;
            };
            if symbol.kind != Symbol::FUNC || self.role_of(index) != Role::Code {
                continue;
            }
            if let Some((section, _)) = self.section(index) {
                let function = self.function(section, &symbol)?;
                room.take(section, &function)?;
                names.spend(section.name.len())?;
                functions.push(function);
            }
        }
        functions.sort_by_key(|f| (f.section, f.offset));
        Ok(functions)
    }

    /// The names of code sections that contain none of the functions.
    pub(super) fn code_without(&self, functions: &[Function]) -> Vec<String> {
        let code = self
            .sections()
            .filter(|s| self.role_of(s.index) == Role::Code);
        // The functions are sorted by section.
        let is_without = |section: &&Section<'_>| {
            let found = functions.binary_search_by_key(&section.index, |f| f.section);
            found.is_err()
        };
        code.filter(is_without).map(|s| s.name.to_owned()).collect()
    }

    fn function(&self, section: &Section<'a>, symbol: &Symbol) -> Result<Function> {
        let name = self.symbols.name(symbol)?;
        let place = || format!("section `{}`: function `{name}`", section.name);
        let range = usize::try_from(symbol.value)
            .ok()
            .zip(usize::try_from(symbol.size).ok());
        let code = range.and_then(|(offset, size)| section.data().ok()?.get(offset..)?.get(..size));
        let (Some(code), Some((offset, _))) = (code, range) else {
            return Err(invalid(format!(
                "{}: offset {:#x} and size {:#x} cross the section's end at {:#x}",
                place(),
                symbol.value,
                symbol.size,
                section.size
            )));
        };
        if symbol.is_local() && section.name != ".text" {
            return Err(invalid(format!(
                "{} is static: an entry program must be global",
                place()
            ))
            .with_hint("remove `static`, or move it to `.text` by removing its SEC()"));
        }
        let (slots, rest) = code.as_chunks::<INSN_SIZE>();
        if slots.is_empty() || !rest.is_empty() || !offset.is_multiple_of(INSN_SIZE) {
            return Err(invalid(format!(
                "{}: offset {offset:#x} and size {:#x} are no whole instructions",
                place(),
                symbol.size
            )));
        }
        let decode = match self.byte_order {
            ByteOrder::Native => Insn::from_bytes,
            ByteOrder::Foreign => Insn::from_foreign_bytes,
        };
        Ok(Function {
            name: name.to_string(),
            section: section.index,
            section_name: section.name.to_string(),
            offset: offset / INSN_SIZE,
            insns: slots.iter().map(|slot| decode(*slot)).collect(),
            relocations: Vec::new(),
            linkage: match (symbol.is_local(), symbol.visibility) {
                (true, _) => FunctionLinkage::Static,
                (false, Visibility::Hidden) => FunctionLinkage::Hidden,
                (false, Visibility::Visible) => FunctionLinkage::Global,
            },
        })
    }
}

/// Functions may overlap (aliases do), but not so much that a small file takes up a lot of memory.
#[derive(Default)]
struct Room(std::collections::HashMap<SectionIndex, usize>);

impl Room {
    /// How many functions an instruction may belong to, on average.
    const MOST: u64 = 64;

    fn take(&mut self, section: &Section<'_>, function: &Function) -> Result<()> {
        let taken = self.0.entry(section.index).or_default();
        *taken = taken.saturating_add(function.insns.len() * INSN_SIZE);
        let taken = u64::try_from(*taken).unwrap_or(u64::MAX);
        if taken > section.size.saturating_mul(Self::MOST) {
            return Err(invalid(format!(
                "section `{}`: its functions overlap more than {} times",
                section.name,
                Self::MOST
            )));
        }
        Ok(())
    }
}

fn symbol_table<'a>(
    elf: &ElfFile<'a>,
    sections: &[(Section<'a>, Role)],
) -> Result<SymbolTable<'a>> {
    let mut tables = sections
        .iter()
        .map(|(section, _)| section)
        .filter(|section| section.kind == Section::SYMTAB);
    let Some(table) = tables.next() else {
        return Err(Error::new(
            ErrorKind::Elf,
            "there is no symbol table; was the object stripped?",
        )
        .with_hint("strip BPF objects with `llvm-strip -g` only, which keeps the symbols"));
    };
    if let Some(second) = tables.next() {
        return Err(Error::new(
            ErrorKind::Elf,
            format!(
                "there are two symbol tables, in sections {} and {}",
                table.index, second.index
            ),
        ));
    }
    table.check_entry_size(24)?;
    let symbols = elf.symbols(table)?;
    // Names of functions and variables are copied, some of them more than once.
    let mut names = symbols.name_budget();
    for symbol in symbols.iter() {
        let name = symbols.name(&symbol).unwrap_or_default();
        names.spend(name.len())?;
    }
    Ok(symbols)
}

/// Sections that are not even checked.
#[doc(alias = "ignore_elf_section")]
fn is_ignored(section: &Section<'_>) -> bool {
    let is_debug = |name: &str| name.starts_with(".debug_");
    match section.name.strip_prefix(".rel") {
        Some(target) if is_debug(target) || target == ".BTF" || target == ".BTF.ext" => true,
        _ => {
            section.kind == Section::STRTAB
                || section.kind == Section::LLVM_ADDRSIG
                || is_debug(section.name)
        }
    }
}

fn is_struct_ops(name: &str) -> bool {
    let name = name.strip_prefix('?').unwrap_or(name);
    matches!(name, ".struct_ops" | ".struct_ops.link")
}

/// Whether the relocations are used: those for code, maps and struct_ops variables are.
fn relocation_role(section: &Section<'_>, executable: &[bool]) -> Result<Role> {
    let target = usize::try_from(section.info)
        .ok()
        .and_then(|i| executable.get(i));
    let Some(executable) = target else {
        return Err(Error::new(
            ErrorKind::Elf,
            format!(
                "section {} `{}` relocates section {}, which does not exist",
                section.index, section.name, section.info
            ),
        ));
    };
    let target = section.name.strip_prefix(".rel").unwrap_or_default();
    let counts = *executable || target == ".maps" || is_struct_ops(target);
    // For relocations of other sections, libbpf checks only the entry size.
    section.check_entry_size(16)?;
    Ok(if counts {
        Role::Relocations
    } else {
        Role::Other
    })
}

fn license(section: &Section<'_>, data: &[u8]) -> Result<String> {
    const LONGEST: usize = 63;
    if data.is_empty() {
        return Err(invalid(format!(
            "section {} `license` is empty",
            section.index
        )));
    }
    let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = text.get(..LONGEST).unwrap_or(text);
    Ok(String::from_utf8_lossy(text).into_owned())
}

fn kernel_version(data: &[u8], order: ByteOrder) -> Result<KernelVersion> {
    match data.as_chunks::<4>() {
        ([bytes], []) => Ok(KernelVersion(order.u32(*bytes))),
        _ => Err(invalid(format!(
            "section `version` holds {} bytes instead of the 4 of a kernel version",
            data.len()
        ))),
    }
}

fn type_information<'a>(section: &Section<'a>, data: &'a [u8]) -> Result<&'a [u8]> {
    if section.kind == Section::PROGBITS {
        return Ok(data);
    }
    Err(Error::new(
        ErrorKind::Elf,
        format!(
            "section {} `{}` is of type {} instead of PROGBITS",
            section.index, section.name, section.kind
        ),
    ))
}
