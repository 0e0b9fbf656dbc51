//! What an object has, and what it is called in C.

use super::section::Section;
use super::table::Table;
use super::writer::{Access, Writer};
use crate::btf::c::identifier;
use crate::btf::{BtfBuilder, Space};
use crate::kinds::MapFlags;
use crate::kinds::MapType;
use crate::open::{MapOrigin, OpenMap, OpenObject, kernel_name};
use crate::{Error, ErrorKind, Result};

/// Everything about an object that its header tells.
#[derive(Debug)]
pub(super) struct Facts {
    /// The name of the structure, with which the names of all functions begin.
    pub(super) name: String,
    pub(super) maps: Vec<Map>,
    pub(super) programs: Vec<Program>,
    pub(super) sections: Vec<Section>,
    pub(super) tables: Vec<Table>,
}

/// A map.
#[derive(Debug)]
pub(super) struct Map {
    /// Its field in `maps`.
    pub(super) field: String,
    /// Its name for libbpf, in an object with the name of the structure.
    pub(super) name: String,
    /// Its name for libbpf in an object with another name.
    pub(super) section_name: String,
    /// The index of the section that is mapped into memory.
    pub(super) section: Option<usize>,
    /// The field of its link, for tables of functions.
    pub(super) link: Option<String>,
}

/// A program.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) name: String,
    /// Its field in `progs`.
    pub(super) field: String,
    /// The field of its link.
    pub(super) link: String,
}

impl Facts {
    pub(super) fn of(open: &OpenObject, name: Option<&str>, access: Access) -> Result<Self> {
        let name = match name {
            Some(name) => checked(name)?,
            None => default_name(open),
        };
        let none = BtfBuilder::new().build()?;
        let mut writer = Writer::new(open.btf().unwrap_or(&none), access);
        let mut facts = Self {
            name,
            maps: Vec::new(),
            programs: Vec::new(),
            sections: Vec::new(),
            tables: Vec::new(),
        };
        let mut links = Space::default();
        let mut fields = Space::default();
        for program in open.programs() {
            let name = program.name();
            facts.programs.push(Program {
                name: name.to_owned(),
                field: fields.take(identifier(name)).into_owned(),
                link: links.take(identifier(name)).into_owned(),
            });
        }
        let mut fields = Space::default();
        for map in open.maps() {
            // Jump tables have no name.
            if map.origin() != MapOrigin::InsnArray {
                facts.map(&mut writer, map, &mut fields, &mut links)?;
            }
        }
        // Names and types count, wherever they stand.
        writer.definitions.check()?;
        Ok(facts)
    }

    fn map<'o>(
        &mut self,
        writer: &mut Writer<'o>,
        map: &'o OpenMap,
        fields: &mut Space<'o>,
        links: &mut Space<'o>,
    ) -> Result<()> {
        let section_name = map.name();
        let is_data = matches!(map.origin(), MapOrigin::Data(_));
        let field = if is_data {
            section_field(section_name)
        } else {
            section_name.to_owned()
        };
        let field = fields
            .take(identifier(&field).into_owned().into())
            .into_owned();
        let section = section_of(map).map(|(section, field)| {
            let field = writer.fields.take(identifier(&field).into_owned().into());
            Section::of(writer, &self.name, section, &field)
        });
        let is_table = map.origin() == MapOrigin::StructOps;
        if is_table && let Some(table) = Table::of(writer, &self.name, map, &field)? {
            self.tables.push(table);
        }
        self.maps.push(Map {
            name: if is_data && section_name.matches('.').count() == 1 {
                kernel_name(&self.name, section_name)
            } else {
                section_name.to_owned()
            },
            section_name: section_name.to_owned(),
            section: section.is_some().then_some(self.sections.len()),
            link: is_table.then(|| links.take(identifier(section_name)).into_owned()),
            field,
        });
        self.sections.extend(section.transpose()?);
        Ok(())
    }
}

/// The section of variables that a map holds, and what its field is called; `None` if it cannot be mapped into memory.
fn section_of(map: &OpenMap) -> Option<(&str, String)> {
    match map.origin() {
        MapOrigin::Data(_) if map.flags().contains(MapFlags::MMAPABLE) => {
            Some((map.name(), section_field(map.name())))
        }
        MapOrigin::Definition if map.kind() == MapType::ARENA => Some((ARENA, "arena".to_owned())),
        _ => None,
    }
}

/// The section of an arena's variables.
const ARENA: &str = ".addr_space.1";

/// `.data.extra` is called `data_extra`.
fn section_field(name: &str) -> String {
    name.strip_prefix('.').unwrap_or(name).replace('.', "_")
}

/// A name that the caller chose: it is part of the names of functions.
fn checked(name: &str) -> Result<String> {
    /// As for bpftool.
    const LONGEST: usize = 63;
    if identifier(name) == name && name.len() <= LONGEST {
        return Ok(name.to_owned());
    }
    Err(Error::new(
        ErrorKind::InvalidArgument,
        format!("`{name}` cannot be the name of a structure in C"),
    )
    .with_hint("a name has letters, digits and underscores, 63 at most, and is no keyword"))
}

/// `opensnoop.bpf.o` is called `opensnoop_bpf`.
fn default_name(open: &OpenObject) -> String {
    let file = open.path().and_then(|path| path.file_name());
    let file = file.map(|file| file.to_string_lossy().into_owned());
    let name = file.unwrap_or_else(|| open.name().to_owned());
    let name = name.strip_suffix(".o").unwrap_or(&name);
    let short: String = name.chars().take(63).collect();
    identifier(&short).into_owned()
}

/// Whether a map's section is an arena's, whose variables libbpf finds in skeletons alone.
pub(super) fn is_arena(section: &Section) -> bool {
    section.name == ARENA
}
