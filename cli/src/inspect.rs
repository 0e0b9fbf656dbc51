//! `rawbpf inspect`: what an object holds. Nothing but the file is read.

use crate::args::InspectArgs;
use crate::cannot_print;
use crate::output::{Table, print_json};
use crate::stop::Stop;
use rawbpf::Result;
use rawbpf::open::{Extern, ExternKind, OpenMap, OpenObject, OpenProgram, Variable};
use rawbpf::reloc::core_kind_name;
use serde::Serialize;
use std::io::Write;

pub(crate) fn inspect(args: &InspectArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    let object = crate::open(&args.object, stop)?;
    let report = Report::of(&object);
    let written = if args.json {
        print_json(out, &report)
    } else {
        print_report(out, &report)
    };
    written.map_err(cannot_print)
}

/// What an object holds. The field names are an interface: other tools read them.
#[derive(Serialize)]
struct Report<'o> {
    object: &'o str,
    license: &'o str,
    byte_order: &'static str,
    programs: Vec<ProgramReport<'o>>,
    maps: Vec<MapReport<'o>>,
    variables: Vec<VariableReport<'o>>,
    externs: Vec<ExternReport<'o>>,
    core_relocations: Vec<CoreReport>,
}

#[derive(Serialize)]
struct ProgramReport<'o> {
    name: &'o str,
    section: &'o str,
    #[serde(rename = "type")]
    kind: u32,
    type_name: &'static str,
    expected_attach_type: u32,
    autoload: bool,
    flags: u32,
    insns: usize,
}

#[derive(Serialize)]
struct MapReport<'o> {
    name: &'o str,
    #[serde(rename = "type")]
    kind: u32,
    type_name: &'static str,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    autocreate: bool,
}

#[derive(Serialize)]
struct VariableReport<'o> {
    name: &'o str,
    map: &'o str,
    offset: u32,
    size: u32,
    #[serde(rename = "type")]
    type_name: String,
    value: Option<String>,
}

#[derive(Serialize)]
struct ExternReport<'o> {
    name: &'o str,
    kind: &'static str,
    weak: bool,
}

#[derive(Serialize)]
struct CoreReport {
    function: String,
    insn: usize,
    kind: &'static str,
    #[serde(rename = "type")]
    type_name: String,
    access: String,
}

impl<'o> Report<'o> {
    fn of(object: &'o OpenObject) -> Self {
        Self {
            object: object.name(),
            license: object.license(),
            byte_order: object.byte_order().name(),
            programs: object
                .programs()
                .iter()
                .map(|p| ProgramReport::of(object, p))
                .collect(),
            maps: object.maps().iter().map(MapReport::of).collect(),
            variables: object
                .variables()
                .iter()
                .map(|v| VariableReport::of(object, v))
                .collect(),
            externs: object.externs().iter().map(ExternReport::of).collect(),
            core_relocations: object
                .core_relocations()
                .map(|relocation| CoreReport {
                    function: relocation
                        .function
                        .unwrap_or(relocation.section)
                        .to_string(),
                    insn: relocation.insn,
                    kind: core_kind_name(relocation.kind).unwrap_or("unknown"),
                    type_name: relocation.type_name.to_string(),
                    access: relocation.access.to_string(),
                })
                .collect(),
        }
    }
}

impl<'o> ProgramReport<'o> {
    fn of(object: &OpenObject, program: &'o OpenProgram) -> Self {
        Self {
            name: program.name(),
            section: program.section(),
            kind: program.kind().0,
            type_name: program.kind().name().unwrap_or("unknown"),
            expected_attach_type: program.attach_type().0,
            autoload: program.autoload(),
            flags: program.flags().bits(),
            insns: object.instructions(program).len(),
        }
    }
}

impl<'o> MapReport<'o> {
    fn of(map: &'o OpenMap) -> Self {
        Self {
            name: map.name(),
            kind: map.kind().0,
            type_name: map.kind().name().unwrap_or("unknown"),
            key_size: map.key_size(),
            value_size: map.value_size(),
            max_entries: map.max_entries(),
            flags: map.flags().bits(),
            autocreate: map.autocreate(),
        }
    }
}

impl<'o> VariableReport<'o> {
    fn of(object: &'o OpenObject, variable: &'o Variable) -> Self {
        let type_id = variable.type_id();
        let bytes = object.value_of(variable);
        let value = object.btf().filter(|_| !type_id.is_void());
        let value = value
            .and_then(|btf| btf.decode(type_id, bytes).ok())
            .map(|v| v.to_string());
        Self {
            name: variable.name(),
            map: object.maps().get(variable.map()).map_or("", OpenMap::name),
            offset: variable.offset(),
            size: variable.size(),
            type_name: object
                .btf()
                .map_or(String::new(), |btf| btf.type_name(type_id)),
            value,
        }
    }
}

impl<'o> ExternReport<'o> {
    fn of(ext: &'o Extern) -> Self {
        let kind = match ext.kind() {
            ExternKind::Kconfig { .. } => "kconfig",
            ExternKind::KsymTyped => "ksym",
            ExternKind::KsymTypeless => "ksym_address",
            ExternKind::Kfunc => "kfunc",
        };
        Self {
            name: ext.name(),
            kind,
            weak: ext.is_weak(),
        }
    }
}

fn print_report(out: &mut impl Write, report: &Report<'_>) -> std::io::Result<()> {
    writeln!(
        out,
        "object {} ({}), license {:?}",
        report.object, report.byte_order, report.license
    )?;
    let mut programs = Table::new(&["name", "section", "type", "instructions", "autoload"]);
    for p in &report.programs {
        let autoload = if p.autoload { "yes" } else { "no" };
        programs.add_row([
            p.name,
            p.section,
            p.type_name,
            &p.insns.to_string(),
            autoload,
        ]);
    }
    programs.print(out, "programs")?;
    let mut maps = Table::new(&["name", "type", "key", "value", "entries", "flags"]);
    for m in &report.maps {
        let sizes = [m.key_size, m.value_size, m.max_entries].map(|n| n.to_string());
        let [key, value, entries] = &sizes;
        maps.add_row([
            m.name,
            m.type_name,
            key,
            value,
            entries,
            &format!("{:#x}", m.flags),
        ]);
    }
    maps.print(out, "maps")?;
    let mut variables = Table::new(&["name", "type", "map", "offset", "size", "value"]);
    for v in &report.variables {
        let [offset, size] = [v.offset, v.size].map(|n| n.to_string());
        let value = v.value.as_deref().unwrap_or("-");
        variables.add_row([v.name, &v.type_name, v.map, &offset, &size, value]);
    }
    variables.print(out, "variables")?;
    let mut externs = Table::new(&["name", "kind", "weak"]);
    for e in &report.externs {
        externs.add_row([e.name, e.kind, if e.weak { "yes" } else { "no" }]);
    }
    externs.print(out, "externs")?;
    let mut core = Table::new(&["function", "instruction", "question", "type", "access"]);
    for c in &report.core_relocations {
        core.add_row([
            c.function.as_str(),
            &c.insn.to_string(),
            c.kind,
            &c.type_name,
            &c.access,
        ]);
    }
    core.print(out, "CO-RE relocations")
}
