//! The text of the module.
//!
//! Whatever it names outside of itself has an absolute path, because the object may have types of any name.

use super::facts::{Facts, MapFacts, SectionFacts, VariableFacts};
use super::maps::Handle;
use super::rust::Rust;
use crate::Result;
use crate::btf::rust::{PRELUDE, comment};
use crate::ids::ByteOrder;
use std::fmt::Write as _;

/// The lints that generated code, and names in C, do not observe.
const LINTS: &str = "\
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    dead_code,
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    single_use_lifetimes,
    unreachable_pub,
    unused,
    unused_qualifications,
    unused_results
)]
";

/// The whole item.
pub(super) fn module(options: &Rust<'_>, facts: &Facts) -> Result<String> {
    let name = comment(options.open.name());
    let mut inside = PRELUDE.replacen("::zerocopy", "::rawbpf::zerocopy", 1);
    inside.push('\n');
    inside.push_str(&facts.types);
    byte_order(options, &mut inside);
    let path = options.path()?;
    if let Some(path) = path {
        object(path, &mut inside);
    }
    opened(facts, path.map(|_| options.open.name()), &mut inside);
    changes(facts, &mut inside);
    loaded(facts, &mut inside);
    maps(facts, &mut inside);
    programs(facts, &mut inside);
    live_sections(facts, &mut inside);
    links(facts, &mut inside);
    let visible = if options.is_public { "pub " } else { "" };
    let mut text = format!(
        "/// The BPF object `{name}`: `open` it, set its variables, `load` it.\n{LINTS}{visible}mod {} {{\n",
        facts.module
    );
    for line in inside.lines() {
        let indent = if line.is_empty() { "" } else { "    " };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{indent}{line}");
    }
    text.push_str("}\n");
    Ok(text)
}

/// Types and values are laid out as the object's programs see them.
fn byte_order(options: &Rust<'_>, text: &mut String) {
    let is_native = options.open.byte_order() == ByteOrder::Native;
    let order = if is_native == cfg!(target_endian = "little") {
        "little"
    } else {
        "big"
    };
    let name = comment(options.open.name());
    let _ = write!(
        text,
        "#[cfg(not(target_endian = \"{order}\"))]\n::core::compile_error!(\n    \
         \"the BPF object `{}` is {order}-endian, and cannot be loaded where this program runs: compile it for that machine\"\n);\n\n",
        name.replace(['"', '\\'], "_")
    );
}

fn object(path: &str, text: &mut String) {
    let _ = write!(
        text,
        "/// The object's file.\npub const OBJECT: &[u8] = ::core::include_bytes!({path:?});\n\n\
         /// Opens the object.\npub fn open() -> ::rawbpf::Result<Open> {{\n    \
         Open::with(&::rawbpf::OpenOptions::new())\n}}\n\n"
    );
}

fn opened(facts: &Facts, with_name: Option<&str>, text: &mut String) {
    text.push_str(
        "/// The object before loading, with a field for each section of variables: `load` writes them back.\n\
         #[derive(Debug, Clone)]\npub struct Open {\n",
    );
    let (mut read, mut write) = (String::new(), String::new());
    for section in &facts.sections {
        let (name, field, index) = (&section.name, &section.field, section.index);
        let shown = comment(name);
        let Some(ty) = &section.before else { continue };
        let _ = writeln!(
            text,
            "    /// The variables of `{shown}`, with their initial values.\n    pub {field}: ::std::boxed::Box<{ty}>,"
        );
        let _ = writeln!(
            read,
            "            {field}: ::rawbpf::bound::section(&object, {index}, {name:?})?,"
        );
        let _ = writeln!(
            write,
            "        ::rawbpf::bound::set_section(&mut self.object, {index}, {name:?}, &*self.{field})?;"
        );
    }
    text.push_str("    object: ::rawbpf::OpenObject,\n}\n\nimpl Open {\n");
    if let Some(name) = with_name {
        let _ = writeln!(
            text,
            "    /// Opens the object with options.\n    \
             pub fn with(options: &::rawbpf::OpenOptions) -> ::rawbpf::Result<Self> {{\n        \
             Self::new(::rawbpf::bound::open(options, {name:?}, OBJECT)?)\n    }}\n"
        );
    }
    let _ = write!(
        text,
        "    /// Takes over an opened object of the same file.
    pub fn new(object: ::rawbpf::OpenObject) -> ::rawbpf::Result<Self> {{
        ::core::result::Result::Ok(Self {{
{read}            object,
        }})
    }}

    /// The maps, to change what is created.
    pub fn maps(&mut self) -> OpenMaps<'_> {{
        OpenMaps(&mut self.object)
    }}

    /// The programs, to change what is loaded.
    pub fn programs(&mut self) -> OpenPrograms<'_> {{
        OpenPrograms(&mut self.object)
    }}

    /// The object, whose variables have the values of the file.
    pub fn object(&self) -> &::rawbpf::OpenObject {{
        &self.object
    }}

    /// The object, for everything else that can be changed. Variables are overwritten by the fields.
    pub fn object_mut(&mut self) -> &mut ::rawbpf::OpenObject {{
        &mut self.object
    }}

    /// The object, with the values of the fields in its variables.
    pub fn into_object(mut self) -> ::rawbpf::Result<::rawbpf::OpenObject> {{
{write}        ::core::result::Result::Ok(self.object)
    }}

    /// Loads the object into the running kernel: all or nothing.
    pub fn load(self) -> ::rawbpf::Result<Loaded> {{
        Loaded::new(self.into_object()?.load()?)
    }}

    /// Loads the object with options.
    pub fn load_into(
        self,
        target: &::rawbpf::reloc::Target,
        options: &::rawbpf::load::LoadOptions,
    ) -> ::rawbpf::Result<Loaded> {{
        Loaded::new(self.into_object()?.load_into(target, options)?)
    }}
}}

"
    );
}

/// The maps and programs before loading.
fn changes(facts: &Facts, text: &mut String) {
    text.push_str(
        "/// The maps before loading. Returned by `Open::maps`.\n#[derive(Debug)]\npub struct OpenMaps<'o>(&'o mut ::rawbpf::OpenObject);\n\n\
         impl<'o> OpenMaps<'o> {\n",
    );
    for map in &facts.maps {
        let MapFacts {
            index,
            name,
            field,
            note,
            ..
        } = map;
        let _ = writeln!(
            text,
            "    /// `{}`: {note}.\n    pub fn {field}(self) -> ::rawbpf::open::OpenMapMut<'o> {{\n        \
             ::rawbpf::bound::map_mut(self.0, {index}, {name:?})\n    }}",
            comment(name)
        );
    }
    text.push_str(
        "}\n\n/// The programs before loading. Returned by `Open::programs`.\n#[derive(Debug)]\npub struct OpenPrograms<'o>(&'o mut ::rawbpf::OpenObject);\n\n\
         impl<'o> OpenPrograms<'o> {\n",
    );
    for program in &facts.programs {
        let _ = writeln!(
            text,
            "    /// `{}`, of section `{}`.\n    pub fn {}(self) -> &'o mut ::rawbpf::open::OpenProgram {{\n        \
             ::rawbpf::bound::program_mut(self.0, {}, {:?})\n    }}",
            comment(&program.name),
            program.section,
            program.field,
            program.index,
            program.name
        );
    }
    text.push_str("}\n\n");
}

fn loaded(facts: &Facts, text: &mut String) {
    text.push_str(
        "/// The loaded object. Its maps and programs live as long as it does, or a handle or link of them.\n#[derive(Debug)]\npub struct Loaded {\n    \
         /// The maps.\n    pub maps: Maps,\n    /// The programs.\n    pub programs: Programs,\n",
    );
    let mut made = String::new();
    for section in &facts.sections {
        let Some(ty) = &section.after else { continue };
        let (field, name) = (&section.field, comment(&section.name));
        let what = if section.is_constant {
            "constants"
        } else {
            "variables, shared with the programs"
        };
        let _ = writeln!(text, "    /// `{name}`: {what}.\n    pub {field}: {ty},");
        let _ = writeln!(made, "            {field}: {ty}::new(&object)?,");
    }
    let _ = write!(
        text,
        "    object: ::rawbpf::load::Object,
}}

impl Loaded {{
    /// Takes over an object that was loaded from the same file.
    pub fn new(object: ::rawbpf::load::Object) -> ::rawbpf::Result<Self> {{
        ::core::result::Result::Ok(Self {{
            maps: Maps::new(&object)?,
            programs: Programs::new(&object),
{made}            object,
        }})
    }}

    /// Attaches every program whose section says how, and registers struct_ops maps: all or nothing.
    pub fn attach(&self) -> ::rawbpf::Result<Links> {{
        ::core::result::Result::Ok(Links::new(self.object.attach()?))
    }}

    /// The object, for everything else.
    pub fn object(&self) -> &::rawbpf::load::Object {{
        &self.object
    }}

    /// The object alone.
    pub fn into_object(self) -> ::rawbpf::load::Object {{
        self.object
    }}
}}

"
    );
}

fn maps(facts: &Facts, text: &mut String) {
    text.push_str(
        "/// The maps of the loaded object.\n#[derive(Debug, Clone)]\npub struct Maps {\n",
    );
    let mut made = String::new();
    for map in &facts.maps {
        let Some(handle) = &map.handle else { continue };
        let MapFacts {
            index,
            name,
            field,
            note,
            ..
        } = map;
        let (mut ty, mut make) = match handle {
            Handle::Plain => ("::rawbpf::map::Map".to_owned(), ""),
            Handle::Typed { key, value } => {
                (format!("::rawbpf::map::Map<{key}, {value}>"), ".typed()?")
            }
            Handle::Ring(event) => (format!("::rawbpf::ring::RingMap<{event}>"), ".into()"),
            Handle::Perf(event) => (format!("::rawbpf::ring::PerfMap<{event}>"), ".into()"),
        };
        let mut function = "map";
        if map.is_optional {
            ty = format!("::core::option::Option<{ty}>");
            function = "optional_map";
            make = match handle {
                Handle::Plain => "",
                Handle::Typed { .. } => ".map(|map| map.typed()).transpose()?",
                Handle::Ring(_) | Handle::Perf(_) => ".map(::core::convert::Into::into)",
            };
        }
        let _ = writeln!(
            text,
            "    /// `{}`: {note}.\n    pub {field}: {ty},",
            comment(name)
        );
        let _ = writeln!(
            made,
            "            {field}: ::rawbpf::bound::{function}(object, {index}, {name:?})?{make},"
        );
    }
    let _ = write!(
        text,
        "}}\n\nimpl Maps {{\n    fn new(object: &::rawbpf::load::Object) -> ::rawbpf::Result<Self> {{\n        \
         ::core::result::Result::Ok(Self {{\n{made}        }})\n    }}\n}}\n\n"
    );
}

fn programs(facts: &Facts, text: &mut String) {
    text.push_str(
        "/// The programs of the loaded object.\n#[derive(Debug, Clone)]\npub struct Programs {\n",
    );
    let mut made = String::new();
    for program in &facts.programs {
        let (name, field, how) = (&program.name, &program.field, program.how);
        let _ = writeln!(
            text,
            "    /// `{}`, of section `{}`.\n    pub {field}: ::rawbpf::bound::Bound<::rawbpf::bound::how::{how}>,",
            comment(name),
            program.section
        );
        let _ = writeln!(
            made,
            "            {field}: ::rawbpf::bound::Bound::new(object, {name:?}, {}),",
            program.number
        );
    }
    let _ = write!(
        text,
        "}}\n\nimpl Programs {{\n    fn new(object: &::rawbpf::load::Object) -> Self {{\n        Self {{\n{made}        }}\n    }}\n}}\n\n"
    );
}

/// The sections after loading.
fn live_sections(facts: &Facts, text: &mut String) {
    for section in &facts.sections {
        if let Some(ty) = &section.after {
            live_section(section, ty, text);
        }
    }
}

fn live_section(section: &SectionFacts, ty: &str, text: &mut String) {
    let (kind, function) = if section.is_constant {
        ("Constant", "constant")
    } else {
        ("Live", "live")
    };
    let _ = writeln!(
        text,
        "/// The variables of `{}` in the loaded object.\n#[derive(Debug, Clone)]\npub struct {ty} {{",
        comment(&section.name)
    );
    let mut made = String::new();
    for variable in &section.variables {
        let VariableFacts {
            name,
            offset,
            field,
            ty,
            remark,
        } = variable;
        let _ = writeln!(
            text,
            "    /// `{remark}`\n    pub {field}: ::rawbpf::load::{kind}<{ty}>,"
        );
        let _ = writeln!(
            made,
            "            {field}: ::rawbpf::bound::{function}(object, {}, {offset}, {name:?})?,",
            section.index
        );
    }
    let _ = write!(
        text,
        "}}\n\nimpl {ty} {{\n    fn new(object: &::rawbpf::load::Object) -> ::rawbpf::Result<Self> {{\n        \
         ::core::result::Result::Ok(Self {{\n{made}        }})\n    }}\n}}\n\n"
    );
}

fn links(facts: &Facts, text: &mut String) {
    text.push_str(
        "/// The links of the attached object, by name: of the programs whose sections say how, and of struct_ops maps. Dropping them\n\
         /// detaches.\n#[derive(Debug)]\n#[must_use = \"dropping links detaches them at once\"]\npub struct Links {\n",
    );
    let mut made = String::new();
    for link in &facts.links {
        let (name, field) = (&link.name, &link.field);
        let _ = writeln!(
            text,
            "    /// The link of `{}`.\n    pub {field}: ::core::option::Option<::rawbpf::attach::Link>,",
            comment(name)
        );
        let _ = writeln!(made, "            {field}: links.take({name:?}),");
    }
    let _ = write!(
        text,
        "}}\n\nimpl Links {{\n    fn new(mut links: ::rawbpf::attach::Links) -> Self {{\n        Self {{\n{made}        }}\n    }}\n}}\n"
    );
}
