//! `rawbpf inspect`: the contents of an object. Only the file is read.

use super::object;
use crate::cannot_print;
use crate::show::escape;
use crate::show::json::{HelperJson, Rows, print_json};
use crate::show::table::print_table;
use crate::stop::Stop;
use clap::Args;
use rawbpf::insn::Helper;
use rawbpf::open::{Extern, OpenMap, OpenObject, OpenProgram, Variable};
use rawbpf::reloc::core_kind_name;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The compiled object (.bpf.o)
    pub(crate) object: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn inspect(args: &InspectArgs, stop: &Stop, out: &mut impl Write) -> rawbpf::Result<()> {
    let object = object::open(&args.object, stop)?;
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

/// Budget for decoding all variables of an object together. They may overlap, or cover megabytes of zeros that take no space in
/// the file.
const MOST_DECODED: usize = 1 << 22;

/// The contents of an object. The field names are an interface: other tools read them.
struct Report<'o> {
    object: &'o OpenObject,
    /// For each program.
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
    /// Those called by it and its subprograms.
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
        let (object, mut budget) = (self.object, MOST_DECODED);
        variables.map(move |variable| VariableReport::of(object, variable, &mut budget))
    }

    fn externs(&self) -> impl Iterator<Item = ExternReport<'o>> {
        self.object.externs().iter().map(ExternReport::of)
    }

    /// Which programs call each helper function.
    fn callers(&self) -> BTreeMap<Helper, Callers<'o>> {
        let mut callers = BTreeMap::<Helper, Callers<'_>>::new();
        for (program, helpers) in self.object.programs().iter().zip(&self.helpers) {
            for helper in helpers {
                callers.entry(*helper).or_default().add(program.name());
            }
        }
        callers
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
    fn of(object: &'o OpenObject, variable: &'o Variable, budget: &mut usize) -> Self {
        let type_id = variable.type_id();
        let is_affordable = usize::try_from(variable.size()).is_ok_and(|size| size <= *budget);
        let value = object
            .btf()
            .filter(|_| is_affordable && !type_id.is_void())
            .and_then(|btf| {
                let bytes = object.value_of(variable);
                btf.decode_within(type_id, bytes, budget).ok()
            })
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
        Self {
            name: ext.name(),
            kind: ext.kind().name(),
            weak: ext.is_weak(),
        }
    }
}

fn print_report(out: &mut impl Write, report: &Report<'_>) -> std::io::Result<()> {
    writeln!(
        out,
        "object {} ({}), license {:?}",
        escape::name(report.object.name()),
        report.object.byte_order().name(),
        report.object.license()
    )?;
    let programs = || {
        report.programs().map(|p| {
            let autoload = if p.autoload { "yes" } else { "no" };
            let insns = p.insns.to_string();
            [
                p.name.into(),
                p.section.into(),
                p.type_name.into(),
                insns.into(),
                autoload.into(),
            ]
        })
    };
    let headings = ["name", "section", "type", "instructions", "autoload"];
    print_table(out, "programs", headings, programs)?;
    let maps = || {
        report.maps().map(|m| {
            let sizes = [m.key_size, m.value_size, m.max_entries];
            let [key, value, entries] = sizes.map(|n| n.to_string().into());
            let flags = format!("{:#x}", m.flags).into();
            [
                m.name.into(),
                m.type_name.into(),
                key,
                value,
                entries,
                flags,
            ]
        })
    };
    let headings = ["name", "type", "key", "value", "entries", "flags"];
    print_table(out, "maps", headings, maps)?;
    let variables = || {
        report.variables().map(|v| {
            let [offset, size] = [v.offset, v.size].map(|n| n.to_string().into());
            let value = v.value.map_or("-".into(), Cow::Owned);
            [
                v.name.into(),
                v.type_name.into(),
                v.map.into(),
                offset,
                size,
                value,
            ]
        })
    };
    let headings = ["name", "type", "map", "offset", "size", "value"];
    print_table(out, "variables", headings, variables)?;
    let externs = || {
        report.externs().map(|e| {
            let weak = if e.weak { "yes" } else { "no" };
            [e.name.into(), e.kind.into(), weak.into()]
        })
    };
    print_table(out, "externs", ["name", "kind", "weak"], externs)?;
    let core = || {
        report.core_relocations().map(|c| {
            let insn = c.insn.to_string().into();
            [
                c.function.into(),
                insn,
                c.kind.into(),
                c.type_name.into(),
                c.access.into(),
            ]
        })
    };
    let headings = ["function", "instruction", "question", "type", "access"];
    print_table(out, "CO-RE relocations", headings, core)?;
    let callers = report.callers();
    let helpers = || {
        callers.iter().map(|(helper, callers)| {
            let name = helper.name().unwrap_or("unknown");
            [
                name.into(),
                helper.0.to_string().into(),
                callers.to_string().into(),
            ]
        })
    };
    let headings = ["name", "number", "called by"];
    print_table(out, "helper functions", headings, helpers)
}

/// The programs that call a helper function.
#[derive(Default)]
struct Callers<'o> {
    first: Vec<&'o str>,
    more: usize,
}

impl<'o> Callers<'o> {
    /// How many are named.
    const SHOWN: usize = 100;

    fn add(&mut self, program: &'o str) {
        if self.first.len() < Self::SHOWN {
            self.first.push(program);
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for Callers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join(", "))?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
