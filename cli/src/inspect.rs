//! `rawbpf inspect`: what an object holds. Nothing but the file is read.

use crate::args::InspectArgs;
use crate::cannot_print;
use crate::output::{HelperJson, Rows, Table, print_json};
use crate::stop::Stop;
use rawbpf::insn::Helper;
use rawbpf::open::{Extern, ExternKind, OpenMap, OpenObject, OpenProgram, Variable};
use rawbpf::reloc::core_kind_name;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

pub(crate) fn inspect(args: &InspectArgs, stop: &Stop, out: &mut impl Write) -> rawbpf::Result<()> {
    let object = crate::open(&args.object, stop)?;
    let report = Report {
        object: &object,
        helpers: object.helpers(),
    };
    let written = if args.json {
        print_json(out, &report)
    } else {
        print_report(out, &report)
    };
    written.map_err(cannot_print)
}

/// What an object holds. The field names are an interface: other tools read them.
struct Report<'o> {
    object: &'o OpenObject,
    /// Of each program.
    helpers: Vec<BTreeSet<Helper>>,
}

impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = self.object;
        let mut report = serializer.serialize_struct("Report", 8)?;
        report.serialize_field("object", object.name())?;
        report.serialize_field("license", object.license())?;
        report.serialize_field("byte_order", object.byte_order().name())?;
        report.serialize_field("programs", &Rows(|| self.programs()))?;
        report.serialize_field("maps", &Rows(|| self.maps()))?;
        report.serialize_field("variables", &Rows(|| self.variables()))?;
        report.serialize_field("externs", &Rows(|| self.externs()))?;
        report.serialize_field("core_relocations", &Rows(|| self.core_relocations()))?;
        report.end()
    }
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
    /// Those that it calls, and that its subprograms call.
    helpers: Vec<HelperJson>,
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
struct CoreReport<'o> {
    function: &'o str,
    insn: usize,
    kind: &'static str,
    #[serde(rename = "type")]
    type_name: &'o str,
    access: &'o str,
}

impl<'o> Report<'o> {
    fn programs(&self) -> impl Iterator<Item = ProgramReport<'o>> {
        let programs = self.object.programs().iter().zip(&self.helpers);
        programs.map(|(program, helpers)| ProgramReport::of(self.object, program, helpers))
    }

    fn maps(&self) -> impl Iterator<Item = MapReport<'o>> {
        self.object.maps().iter().map(MapReport::of)
    }

    fn variables(&self) -> impl Iterator<Item = VariableReport<'o>> {
        let variables = self.object.variables().iter();
        variables.map(|variable| VariableReport::of(self.object, variable))
    }

    fn externs(&self) -> impl Iterator<Item = ExternReport<'o>> {
        self.object.externs().iter().map(ExternReport::of)
    }

    fn core_relocations(&self) -> impl Iterator<Item = CoreReport<'o>> {
        self.object.core_relocations().map(|relocation| CoreReport {
            function: relocation.function.unwrap_or(relocation.section),
            insn: relocation.insn,
            kind: core_kind_name(relocation.kind).unwrap_or("unknown"),
            type_name: relocation.type_name,
            access: relocation.access,
        })
    }
}

impl<'o> ProgramReport<'o> {
    fn of(object: &OpenObject, program: &'o OpenProgram, helpers: &BTreeSet<Helper>) -> Self {
        Self {
            name: program.name(),
            section: program.section(),
            kind: program.kind().0,
            type_name: program.kind().name().unwrap_or("unknown"),
            expected_attach_type: program.attach_type().0,
            autoload: program.autoload(),
            flags: program.flags().bits(),
            insns: object.instructions(program).len(),
            helpers: helpers.iter().copied().map(HelperJson::from).collect(),
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
        report.object.name(),
        report.object.byte_order().name(),
        report.object.license()
    )?;
    let mut programs = Table::new(&["name", "section", "type", "instructions", "autoload"]);
    for p in report.programs() {
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
    for m in report.maps() {
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
    for v in report.variables() {
        let [offset, size] = [v.offset, v.size].map(|n| n.to_string());
        let value = v.value.as_deref().unwrap_or("-");
        variables.add_row([v.name, &v.type_name, v.map, &offset, &size, value]);
    }
    variables.print(out, "variables")?;
    let mut externs = Table::new(&["name", "kind", "weak"]);
    for e in report.externs() {
        externs.add_row([e.name, e.kind, if e.weak { "yes" } else { "no" }]);
    }
    externs.print(out, "externs")?;
    let mut core = Table::new(&["function", "instruction", "question", "type", "access"]);
    for c in report.core_relocations() {
        core.add_row([
            c.function,
            &c.insn.to_string(),
            c.kind,
            c.type_name,
            c.access,
        ]);
    }
    core.print(out, "CO-RE relocations")?;
    let mut callers = BTreeMap::<Helper, Vec<&str>>::new();
    for (program, helpers) in report.object.programs().iter().zip(&report.helpers) {
        for helper in helpers {
            callers.entry(*helper).or_default().push(program.name());
        }
    }
    let mut helpers = Table::new(&["name", "number", "called by"]);
    for (helper, programs) in callers {
        let name = helper.name().unwrap_or("unknown");
        helpers.add_row([name, &helper.0.to_string(), &programs.join(", ")]);
    }
    helpers.print(out, "helper functions")
}
