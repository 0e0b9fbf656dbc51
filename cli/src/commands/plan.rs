//! `rawbpf plan`: what would be loaded into a kernel, without loading it.

use super::args::{KernelArgs, PreferArgs};
use super::choices::{self, ChoiceJson};
use super::object;
use super::target;
use crate::show::escape;
use crate::show::json::{HelperJson, Hex, Rows, Shown, print_json};
use crate::show::table::{Row, print_table};
use crate::stop::Stop;
use clap::Args;
use rawbpf::Error;
use rawbpf::insn::{self, Helper, INSN_SIZE, Insn};
use rawbpf::reloc::{
    AttachTarget, Choice, CoreStep, InfoRecords, LoadPlan, MapPlan, Pinning, ProgramPlan, Ref,
};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::Display;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The compiled object (.bpf.o)
    pub(crate) object: PathBuf,
    #[command(flatten)]
    pub(crate) prefer: PreferArgs,
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
    /// Plan every program, including those with autoload off
    #[arg(long)]
    pub(crate) all: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn plan(args: &PlanArgs, stop: &Stop, out: &mut impl Write) -> rawbpf::Result<()> {
    let mut object = object::open(&args.object, stop)?;
    if args.all {
        for program in object.programs_mut() {
            program.set_autoload(true);
        }
    }
    choices::prefer(&mut object, &args.prefer)?;
    let target = target::planned(&args.kernel)?;
    let plan = object::relocate(&object, &target, stop)?;
    let refused = plan.maps_to_be_refused(&target);
    object::warn(&refused, stop);
    let written = if args.json {
        let warnings = [&plan.warnings, &refused];
        print_json(out, &PlanJson(&plan, warnings))
    } else {
        print_plan(out, &plan)
    };
    written.map_err(crate::cannot_print)
}

/// The whole plan. The field names are an interface: other tools read them.
struct PlanJson<'p>(&'p LoadPlan, [&'p Vec<Error>; 2]);

impl Serialize for PlanJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plan = self.0;
        let btf_size = plan.btf.as_ref().map_or(0, Vec::len);
        let mut document = serializer.serialize_struct("Plan", 8)?;
        document.serialize_field("object", &plan.object_name)?;
        document.serialize_field("target", &plan.target_name)?;
        document.serialize_field("license", &plan.license)?;
        document.serialize_field("btf_size", &btf_size)?;
        document.serialize_field(
            "warnings",
            &Rows(|| self.1.into_iter().flatten().map(Shown)),
        )?;
        let choices = || plan.choices.iter().map(ChoiceJson::from);
        document.serialize_field("choices", &Rows(choices))?;
        document.serialize_field("maps", &Rows(|| plan.maps.iter().map(MapJson::from)))?;
        document.serialize_field("programs", &Rows(|| plan.programs.iter().map(ProgramJson)))?;
        document.end()
    }
}

#[derive(Serialize)]
struct MapJson<'p> {
    name: &'p str,
    kernel_name: &'p str,
    #[serde(rename = "type")]
    kind: u32,
    type_name: &'static str,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    extra: u64,
    numa_node: u32,
    btf_key_type_id: u32,
    btf_value_type_id: u32,
    pinning: Option<&'static str>,
    pin_path: Option<Shown<Display<'p>>>,
    autocreate: bool,
    frozen: bool,
    initial_sha256: Option<String>,
    inner: Option<Box<MapJson<'p>>>,
}

struct ProgramJson<'p>(&'p ProgramPlan);

impl Serialize for ProgramJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let program = self.0;
        let type_name = program.kind.name().unwrap_or("unknown");
        // A program that is not planned, or cannot be loaded into this kernel, has no final instructions.
        let planned = program.autoload && program.error.is_none();
        let insns = planned.then(|| Shown(HexInsns(&program.insns)));
        let mut row = serializer.serialize_struct("Program", 15)?;
        row.serialize_field("name", &program.name)?;
        row.serialize_field("section", &program.section)?;
        row.serialize_field("type", &program.kind.0)?;
        row.serialize_field("type_name", type_name)?;
        row.serialize_field("expected_attach_type", &program.expected_attach_type.0)?;
        row.serialize_field("autoload", &program.autoload)?;
        row.serialize_field("flags", &program.flags)?;
        let attach_target = program.attach_target.as_ref().map(TargetJson::from);
        row.serialize_field("attach_target", &attach_target)?;
        row.serialize_field("insns", &insns)?;
        row.serialize_field("helpers", &Rows(|| helper_calls(program)))?;
        row.serialize_field("refs", &Rows(|| program.refs.iter().map(RefJson::from)))?;
        row.serialize_field("func_info", &InfoJson::from(&program.func_info))?;
        row.serialize_field("line_info", &InfoJson::from(&program.line_info))?;
        row.serialize_field("core", &Rows(|| program.core.iter().map(CoreJson::from)))?;
        row.serialize_field("error", &program.error.as_ref().map(Shown))?;
        row.end()
    }
}

/// The calls of each helper function.
fn helper_calls(program: &ProgramPlan) -> impl Iterator<Item = CallsJson> {
    let mut calls = BTreeMap::<Helper, Vec<usize>>::new();
    let planned = program.insns.iter().filter(|_| program.autoload);
    for (index, insn) in planned.enumerate() {
        if let Some(helper) = insn.helper() {
            calls.entry(helper).or_default().push(index);
        }
    }
    calls.into_iter().map(|(helper, insns)| CallsJson {
        helper: helper.into(),
        insns,
    })
}

#[derive(Serialize)]
struct CallsJson {
    #[serde(flatten)]
    helper: HelperJson,
    insns: Vec<usize>,
}

/// Instructions as the kernel receives them, in hex.
struct HexInsns<'p>(&'p [Insn]);

impl fmt::Display for HexInsns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 16 * INSN_SIZE];
        for insns in self.0.chunks(16) {
            for (place, insn) in bytes.as_chunks_mut::<INSN_SIZE>().0.iter_mut().zip(insns) {
                *place = insn.to_bytes();
            }
            Hex(bytes.get(..insns.len() * INSN_SIZE).unwrap_or_default()).fmt(f)?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct TargetJson<'p> {
    name: &'p str,
    btf_id: Option<u32>,
    module: Option<&'p str>,
}

#[derive(Serialize)]
struct RefJson<'p> {
    insn: usize,
    kind: &'static str,
    name: &'p str,
}

#[derive(Serialize)]
struct InfoJson<'p> {
    record_size: u32,
    count: usize,
    records: Shown<Hex<'p>>,
}

#[derive(Serialize)]
struct CoreJson<'p> {
    insn: usize,
    kind: &'static str,
    spec: &'p str,
    candidates: &'p [String],
    missing: Option<&'p str>,
    mismatches: &'p [String],
    value_before: Option<u64>,
    value_after: Option<u64>,
    outcome: &'static str,
}

impl<'p> From<&'p MapPlan> for MapJson<'p> {
    fn from(map: &'p MapPlan) -> Self {
        Self {
            name: &map.name,
            kernel_name: &map.kernel_name,
            kind: map.kind.0,
            type_name: map.kind.name().unwrap_or("unknown"),
            key_size: map.key_size,
            value_size: map.value_size,
            max_entries: map.max_entries,
            flags: map.flags,
            extra: map.extra,
            numa_node: map.numa_node,
            btf_key_type_id: map.btf_key_type_id.0,
            btf_value_type_id: map.btf_value_type_id.0,
            pinning: (map.pinning != Pinning::None).then(|| map.pinning.name()),
            pin_path: map.pin_path.as_ref().map(|path| Shown(path.display())),
            autocreate: map.autocreate,
            frozen: map.freeze,
            initial_sha256: map.initial_sha256().map(|hash| Hex(&hash).to_string()),
            inner: map.inner.as_deref().map(|inner| Box::new(inner.into())),
        }
    }
}

impl<'p> From<&'p AttachTarget> for TargetJson<'p> {
    fn from(target: &'p AttachTarget) -> Self {
        match target {
            AttachTarget::Btf { id, module, name } => Self {
                name,
                btf_id: Some(id.0),
                module: module.as_ref().map(|m| m.name.as_str()),
            },
            other => Self {
                name: other.name(),
                btf_id: None,
                module: None,
            },
        }
    }
}

impl<'p> From<&'p Ref> for RefJson<'p> {
    fn from(reference: &'p Ref) -> Self {
        Self {
            insn: reference.insn,
            kind: reference.kind.name(),
            name: &reference.name,
        }
    }
}

impl<'p> From<&'p InfoRecords> for InfoJson<'p> {
    fn from(info: &'p InfoRecords) -> Self {
        Self {
            record_size: info.record_size,
            count: info.len(),
            records: Shown(Hex(&info.bytes)),
        }
    }
}

impl<'p> From<&'p CoreStep> for CoreJson<'p> {
    fn from(step: &'p CoreStep) -> Self {
        Self {
            insn: step.insn,
            kind: step.kind,
            spec: &step.spec,
            candidates: &step.candidates,
            missing: step.missing.as_deref(),
            mismatches: &step.mismatches,
            value_before: step.value_before,
            value_after: step.value_after,
            outcome: step.outcome.name(),
        }
    }
}

fn print_plan(out: &mut impl Write, plan: &LoadPlan) -> std::io::Result<()> {
    writeln!(
        out,
        "object {} for kernel {}",
        escape::name(&plan.object_name),
        escape::name(&plan.target_name)
    )?;
    writeln!(out, "license {:?}", plan.license)?;
    if let Some(btf) = &plan.btf {
        writeln!(out, "type information to upload: {} bytes", btf.len())?;
    }
    let headings = [
        "name",
        "kernel name",
        "type",
        "key",
        "value",
        "entries",
        "flags",
        "first value",
    ];
    print_table(out, "maps", headings, || plan.maps.iter().map(map_row))?;
    choices::print(out, &plan.choices)?;
    plan.programs.iter().try_for_each(|program| {
        let is_alternative = |choice: &Choice| choice.names.contains(&program.name);
        if !program.autoload && plan.choices.iter().any(is_alternative) {
            return Ok(());
        }
        print_program(out, program)
    })
}

fn map_row(map: &MapPlan) -> Row<'_, 8> {
    let initial = match &map.initial {
        _ if !map.autocreate => "not created".to_string(),
        Some(bytes) if map.freeze => format!("{} bytes, frozen", bytes.len()),
        Some(bytes) => format!("{} bytes", bytes.len()),
        None => String::new(),
    };
    let sizes = [map.key_size, map.value_size, map.max_entries];
    let [key, value, entries] = sizes.map(|n| n.to_string().into());
    [
        map.name.as_str().into(),
        map.kernel_name.as_str().into(),
        map.kind.name().unwrap_or("unknown").into(),
        key,
        value,
        entries,
        format!("{:#x}", map.flags).into(),
        initial.into(),
    ]
}

fn print_program(out: &mut impl Write, program: &ProgramPlan) -> std::io::Result<()> {
    let kind = program.kind.name().unwrap_or("unknown");
    writeln!(
        out,
        "program {} (section {}, type {kind}):",
        escape::name(&program.name),
        escape::name(&program.section)
    )?;
    if !program.autoload {
        return writeln!(
            out,
            "  autoload is off: it is not loaded, and nothing is planned for it (--all includes it)"
        );
    }
    if let Some(error) = &program.error {
        writeln!(out, "  cannot be loaded: {error}")?;
    }
    if let Some(AttachTarget::Btf { id, name, .. }) = &program.attach_target {
        writeln!(
            out,
            "  checked against {} (BTF id {id})",
            escape::name(name)
        )?;
    }
    for step in &program.core {
        let after = step
            .value_after
            .map_or("poisoned".to_string(), |v| v.to_string());
        let before = step.value_before.map_or("-".to_string(), |v| v.to_string());
        writeln!(
            out,
            "  insn {}: {} {}: {before} -> {after}",
            step.insn,
            step.kind,
            escape::name(&step.spec)
        )?;
        if let Some(missing) = &step.missing {
            let why = step.mismatches.join("; ");
            let (missing, why) = (escape::name(missing), escape::name(&why));
            writeln!(out, "    this kernel does not have {missing}: {why}")?;
        }
    }
    // Both are in instruction order.
    let mut refs = program.refs.iter().peekable();
    for (index, line) in insn::disassemble(&program.insns) {
        write!(out, "  {index:5}: {line}")?;
        while refs.next_if(|reference| reference.insn < index).is_some() {}
        if let Some(reference) = refs.next_if(|reference| reference.insn == index) {
            let name = escape::name(&reference.name);
            write!(out, "  ; {} {name}", reference.kind.name())?;
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "  {} instruction slots, {} source lines",
        program.insns.len(),
        program.line_info.len()
    )
}
