//! What an object has, and what it is called in Rust.

use super::maps::{self, Events, Handle};
use super::programs;
use super::rust::Rust;
use crate::btf::rust::{Definitions, Section, SectionVariable, comment, identifier};
use crate::btf::{Btf, BtfBuilder, Space};
use crate::kinds::{MapFlags, MapType};
use crate::open::{DataKind, MapOrigin, OpenMap, OpenObject, OpenProgram, Variable};
use crate::{Error, ErrorKind, Result};
use std::collections::HashMap;

/// The items of the generated module, whose names no type may have.
pub(super) const ITEMS: &[&str] = &[
    "OBJECT",
    "Open",
    "OpenMaps",
    "OpenPrograms",
    "Loaded",
    "Maps",
    "Programs",
    "Links",
    "open",
];

/// The fields of `Open` and `Loaded` besides the sections.
const FIELDS: &[&str] = &["maps", "programs", "object"];

/// Sections with more bytes are left to [`OpenObject::variable_mut`] before loading.
const LARGEST_SECTION: u32 = 4 << 20;

/// Everything about an object that its bindings tell.
#[derive(Debug)]
pub(super) struct Facts {
    /// The module's name.
    pub(super) module: String,
    /// The definitions of all types.
    pub(super) types: String,
    pub(super) maps: Vec<MapFacts>,
    pub(super) programs: Vec<ProgramFacts>,
    pub(super) sections: Vec<SectionFacts>,
    pub(super) links: Vec<LinkFacts>,
}

/// A map.
#[derive(Debug)]
pub(super) struct MapFacts {
    /// Its index in the file.
    pub(super) index: usize,
    pub(super) name: String,
    /// Its field or method.
    pub(super) field: String,
    /// What it is, for the comment.
    pub(super) note: String,
    /// What it is after loading; `None` for sections.
    pub(super) handle: Option<Handle>,
    pub(super) is_optional: bool,
}

/// A program.
#[derive(Debug)]
pub(super) struct ProgramFacts {
    pub(super) index: usize,
    pub(super) name: String,
    /// How many programs before it have the same name.
    pub(super) number: usize,
    /// Its field or method.
    pub(super) field: String,
    /// The name of its section, for the comment.
    pub(super) section: String,
    /// How it is attached, in `rawbpf::bound::how`.
    pub(super) how: &'static str,
}

/// A section of variables.
#[derive(Debug)]
pub(super) struct SectionFacts {
    /// The index of its map.
    pub(super) index: usize,
    pub(super) name: String,
    /// Its field.
    pub(super) field: String,
    /// Its type before loading; `None` if it is too large.
    pub(super) before: Option<String>,
    /// Its type after loading; `None` if it cannot be mapped into memory.
    pub(super) after: Option<String>,
    pub(super) is_constant: bool,
    pub(super) variables: Vec<VariableFacts>,
}

/// A variable.
#[derive(Debug)]
pub(super) struct VariableFacts {
    pub(super) name: String,
    pub(super) offset: u32,
    /// Its field.
    pub(super) field: String,
    pub(super) ty: String,
    /// Its declaration in C, for the comment.
    pub(super) remark: String,
}

/// Something that attaching the object may attach.
#[derive(Debug)]
pub(super) struct LinkFacts {
    pub(super) name: String,
    pub(super) field: String,
}

impl Facts {
    pub(super) fn of(options: &Rust<'_>) -> Result<Self> {
        let open = options.open;
        check_names(options)?;
        let none = BtfBuilder::new().build()?;
        let mut definitions = definitions(open.btf().unwrap_or(&none), options);
        let sections = sections(open, &mut definitions)?;
        let events = Events::of(options);
        let mut maps = Vec::new();
        let mut names = Space::default();
        for (index, map) in open.maps().iter().enumerate() {
            if map.origin() != MapOrigin::InsnArray {
                let field = names.take(identifier(plain_name(map)).into_owned().into());
                maps.push(map_facts(&events, &mut definitions, index, field.into())?);
            }
        }
        for name in &options.types {
            definitions.add(open.find_type(name)?)?;
        }
        let module = options.module.as_deref().unwrap_or(open.name());
        let facts = Self {
            module: identifier(module).into_owned(),
            programs: programs(open),
            links: links(open),
            types: definitions.take_text(),
            maps,
            sections,
        };
        // Names and types count, wherever they stand.
        definitions.check()?;
        Ok(facts)
    }
}

fn definitions<'b>(btf: &'b Btf<'b>, options: &Rust<'_>) -> Definitions<'b> {
    let definitions = Definitions::beside(btf, ITEMS).for_rawbpf();
    let derives = options.derives.iter();
    derives.fold(definitions, Definitions::derive)
}

/// Whether the caller named only what there is.
fn check_names(options: &Rust<'_>) -> Result<()> {
    let open = options.open;
    for (name, _) in &options.events {
        if !open.map(name)?.sends_events() {
            let senders = open.maps().iter().filter(|map| map.sends_events());
            let names: Vec<&str> = senders.map(OpenMap::name).collect();
            let message = format!(
                "map `{name}` sends no events; those that do: {}",
                if names.is_empty() {
                    "none".into()
                } else {
                    names.join(", ")
                }
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
    }
    options
        .optional
        .iter()
        .try_for_each(|name| open.map(name).map(drop))
}

/// Its name; of a section, without the dot at its start.
fn plain_name(map: &OpenMap) -> &str {
    match map.origin() {
        MapOrigin::Data(_) => map.name().trim_start_matches('.'),
        _ => map.name(),
    }
}

fn map_facts(
    events: &Events<'_>,
    definitions: &mut Definitions<'_>,
    index: usize,
    field: String,
) -> Result<MapFacts> {
    let options = events.options;
    let map = options.open.maps().get(index);
    let map = map.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such map"))?;
    let (handle, note) = if let MapOrigin::Data(_) = map.origin() {
        (None, "global variables".to_owned())
    } else {
        let (handle, note) = maps::handle(events, definitions, map)?;
        (Some(handle), note)
    };
    Ok(MapFacts {
        index,
        name: map.name().to_owned(),
        field,
        note,
        handle,
        is_optional: !map.autocreate() || options.optional.iter().any(|name| name == map.name()),
    })
}

fn programs(open: &OpenObject) -> Vec<ProgramFacts> {
    let mut fields = Space::default();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let programs = open.programs().iter().enumerate();
    let facts = programs.map(|(index, program)| {
        let number = numbers.entry(program.name()).or_default();
        let before = *number;
        *number = before.saturating_add(1);
        ProgramFacts {
            index,
            name: program.name().to_owned(),
            number: before,
            field: fields.take(identifier(program.name())).into(),
            section: comment(program.section()),
            how: programs::how(program),
        }
    });
    facts.collect()
}

/// The links have the names of programs and of struct_ops maps, in the order in which they are attached.
fn links(open: &OpenObject) -> Vec<LinkFacts> {
    let programs = open.programs().iter().map(OpenProgram::name);
    let maps = open.maps().iter();
    let maps = maps.filter(|map| map.origin() == MapOrigin::StructOps);
    let mut fields = Space::default();
    let names = programs.chain(maps.map(OpenMap::name));
    let facts = names.map(|name| LinkFacts {
        name: name.to_owned(),
        field: fields.take(identifier(name)).into(),
    });
    facts.collect()
}

fn sections<'b>(
    open: &'b OpenObject,
    definitions: &mut Definitions<'b>,
) -> Result<Vec<SectionFacts>> {
    let mut fields = Space::default();
    for field in FIELDS {
        fields.take((*field).into());
    }
    let mut of_map: HashMap<usize, Vec<&Variable>> = HashMap::new();
    for variable in open.variables() {
        of_map.entry(variable.map()).or_default().push(variable);
    }
    let mut sections = Vec::new();
    for (index, map) in open.maps().iter().enumerate() {
        if let Some(variables) = of_map.remove(&index) {
            let field = fields.take(identifier(plain_name(map)));
            let mut section = section(open, definitions, index, &variables)?;
            section.field = field.into();
            sections.push(section);
        }
    }
    Ok(sections)
}

fn section<'b>(
    open: &'b OpenObject,
    definitions: &mut Definitions<'b>,
    index: usize,
    variables: &[&'b Variable],
) -> Result<SectionFacts> {
    let map = open.maps().get(index);
    let map = map.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such map"))?;
    let is_arena = map.kind() == MapType::ARENA;
    let size = if is_arena {
        u32::try_from(open.initial_value(map).len()).unwrap_or(u32::MAX)
    } else {
        map.value_size()
    };
    for variable in variables {
        definitions.add(variable.type_id())?;
    }
    let places = variables.iter().map(|variable| SectionVariable {
        name: variable.name(),
        type_id: variable.type_id(),
        offset: variable.offset(),
        size: variable.size(),
    });
    let places: Vec<_> = places.collect();
    let name = camel(plain_name(map));
    let structure = Section {
        name: name.clone(),
        remark: comment(map.name()),
        size: u64::from(size),
    };
    let (all, used) = definitions.section(structure, &places);
    let is_mapped = is_arena || map.flags().contains(MapFlags::MMAPABLE);
    let facts = variables
        .iter()
        .zip(used)
        .map(|(variable, used)| VariableFacts {
            name: variable.name().to_owned(),
            offset: variable.offset(),
            field: used.name.into_owned(),
            ty: used.ty.into_owned(),
            remark: used.remark,
        });
    Ok(SectionFacts {
        index,
        name: map.name().to_owned(),
        field: String::new(),
        before: (size <= LARGEST_SECTION).then(|| all.ty.into_owned()),
        after: is_mapped.then(|| definitions.free_name(&format!("{name}Live")).into_owned()),
        is_constant: map.origin() == MapOrigin::Data(DataKind::Rodata),
        variables: facts.collect(),
    })
}

/// `data.my_section` as `DataMySection`.
fn camel(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let upper = words.flat_map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters)
    });
    upper.collect()
}
