//! The debug information and the symbols of a file's functions, read independently of the code that is compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use gimli::{
    AttributeValue, DebuggingInformationEntry, EndianSlice, RunTimeEndian, constants as dw,
};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

type Slice<'d> = EndianSlice<'d, RunTimeEndian>;
type Dwarf<'d> = gimli::Dwarf<Slice<'d>>;
type Unit<'d> = gimli::Unit<Slice<'d>>;
type Entry<'d> = DebuggingInformationEntry<Slice<'d>>;

#[derive(Debug)]
pub(super) struct Evidence {
    /// The prototypes of all definitions of a name.
    prototypes: BTreeMap<String, BTreeSet<String>>,
    /// Functions in the symbol table.
    symbols: BTreeSet<String>,
    /// Those with a suffix, up to the first dot.
    suffixed: BTreeSet<String>,
}

impl Evidence {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        let file = object::File::parse(&*bytes)?;
        let mut evidence = Self {
            prototypes: BTreeMap::new(),
            symbols: BTreeSet::new(),
            suffixed: BTreeSet::new(),
        };
        for symbol in file.symbols() {
            if symbol.kind() == object::SymbolKind::Text {
                let name = symbol.name()?;
                evidence.symbols.insert(name.to_owned());
                if let Some((plain, _)) = name.split_once('.') {
                    evidence.suffixed.insert(plain.to_owned());
                }
            }
        }
        let order = if file.is_little_endian() {
            RunTimeEndian::Little
        } else {
            RunTimeEndian::Big
        };
        let dwarf = gimli::Dwarf::load(|section| {
            let section = file.section_by_name(section.name());
            let data = section.and_then(|section| section.data().ok());
            Ok::<_, gimli::Error>(Slice::new(data.unwrap_or_default(), order))
        })?;
        let mut units = dwarf.units();
        while let Some(header) = units.next()? {
            evidence.add_unit(&dwarf, &dwarf.unit(header)?)?;
        }
        Ok(evidence)
    }

    fn add_unit(&mut self, dwarf: &Dwarf<'_>, unit: &Unit<'_>) -> Result<()> {
        let mut known = HashMap::new();
        let mut tree = unit.entries_tree(None)?;
        let mut children = tree.root()?.children();
        while let Some(child) = children.next()? {
            let entry = child.entry();
            let is_definition =
                entry.tag() == dw::DW_TAG_subprogram && !entry.has_attr(dw::DW_AT_declaration);
            let name = name(dwarf, unit, entry).filter(|_| is_definition);
            let Some(function) = name else { continue };
            let mut prototype = vec![target(dwarf, unit, entry, &mut known)];
            let mut parameters = child.children();
            while let Some(parameter) = parameters.next()? {
                let parameter = parameter.entry();
                if parameter.tag() == dw::DW_TAG_formal_parameter {
                    prototype.push(target(dwarf, unit, parameter, &mut known));
                } else if parameter.tag() == dw::DW_TAG_unspecified_parameters {
                    prototype.push("...".to_owned());
                }
            }
            let all = self.prototypes.entry(function).or_default();
            all.insert(prototype.join(", "));
        }
        Ok(())
    }

    pub(super) fn has_several_prototypes(&self, name: &str) -> bool {
        self.prototypes.get(name).is_some_and(|all| all.len() > 1)
    }

    pub(super) fn has_only_suffixed_symbols(&self, name: &str) -> bool {
        self.suffixed.contains(name) && !self.symbols.contains(name)
    }

    pub(super) fn prototypes(&self, name: &str) -> Option<&BTreeSet<String>> {
        self.prototypes.get(name)
    }
}

fn name(dwarf: &Dwarf<'_>, unit: &Unit<'_>, entry: &Entry<'_>) -> Option<String> {
    let name = dwarf
        .attr_string(unit, entry.attr_value(dw::DW_AT_name)?)
        .ok()?;
    Some(name.to_string_lossy().into_owned())
}

/// The target type of an entry, as text: names, or what is behind pointers and qualifiers.
fn target<'d>(
    dwarf: &Dwarf<'d>,
    unit: &Unit<'d>,
    entry: &Entry<'d>,
    known: &mut HashMap<usize, String>,
) -> String {
    let Some(AttributeValue::UnitRef(offset)) = entry.attr_value(dw::DW_AT_type) else {
        return "void".to_owned();
    };
    if let Some(text) = known.get(&offset.0) {
        return text.clone();
    }
    // Recursion ends here.
    known.insert(offset.0, "...".to_owned());
    let text = match unit.entry(offset) {
        Ok(ty) => match name(dwarf, unit, &ty) {
            Some(name) => format!("{} {name}", ty.tag()),
            None => format!("{} of {}", ty.tag(), target(dwarf, unit, &ty, known)),
        },
        Err(error) => error.to_string(),
    };
    known.insert(offset.0, text.clone());
    text
}
