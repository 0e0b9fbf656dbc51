//! `rawbpf plan`: what loading would ask of a kernel, without asking.

use crate::args::PlanArgs;
use crate::output::{Table, hex, print_json};
use crate::stop::Stop;
use crate::target;
use rawbpf::Result;
use rawbpf::insn::{self, Insn};
use rawbpf::reloc::{
    AttachTarget, CoreStep, InfoRecords, LoadPlan, MapPlan, Pinning, ProgramPlan, Ref,
};
use serde::Serialize;
use std::io::Write;

pub(crate) fn plan(args: &PlanArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    let object = crate::open(&args.object, stop)?;
    let target = target::planned(&args.kernel)?;
    let plan = crate::relocate(&object, &target, stop)?;
    let written = if args.json {
        print_json(out, &PlanJson::from(&plan))
    } else {
        print_plan(out, &plan)
    };
    written.map_err(crate::cannot_print)
}

/// The whole plan. The field names are an interface: other tools read them.
#[derive(Serialize)]
struct PlanJson<'p> {
    object: &'p str,
    target: &'p str,
    license: &'p str,
    btf_size: usize,
    maps: Vec<MapJson<'p>>,
    programs: Vec<ProgramJson<'p>>,
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
    pin_path: Option<String>,
    autocreate: bool,
    frozen: bool,
    initial_sha256: Option<String>,
    inner: Option<Box<MapJson<'p>>>,
}

#[derive(Serialize)]
struct ProgramJson<'p> {
    name: &'p str,
    section: &'p str,
    #[serde(rename = "type")]
    kind: u32,
    type_name: &'static str,
    expected_attach_type: u32,
    autoload: bool,
    flags: u32,
    attach_target: Option<TargetJson<'p>>,
    /// `None` if the program cannot be loaded into that kernel.
    insns: Option<String>,
    refs: Vec<RefJson<'p>>,
    func_info: InfoJson,
    line_info: InfoJson,
    core: Vec<CoreJson<'p>>,
    error: Option<String>,
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
struct InfoJson {
    record_size: u32,
    count: usize,
    records: String,
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

impl<'p> From<&'p LoadPlan> for PlanJson<'p> {
    fn from(plan: &'p LoadPlan) -> Self {
        Self {
            object: &plan.object_name,
            target: &plan.target_name,
            license: &plan.license,
            btf_size: plan.btf.as_ref().map_or(0, Vec::len),
            maps: plan.maps.iter().map(MapJson::from).collect(),
            programs: plan.programs.iter().map(ProgramJson::from).collect(),
        }
    }
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
            pinning: match map.pinning {
                Pinning::None => None,
                Pinning::ByName => Some("by_name"),
            },
            pin_path: map.pin_path.as_ref().map(|p| p.display().to_string()),
            autocreate: map.autocreate,
            frozen: map.freeze,
            initial_sha256: map.initial_sha256().map(|hash| hex(&hash)),
            inner: map.inner.as_deref().map(|inner| Box::new(inner.into())),
        }
    }
}

impl<'p> From<&'p ProgramPlan> for ProgramJson<'p> {
    fn from(program: &'p ProgramPlan) -> Self {
        Self {
            name: &program.name,
            section: &program.section,
            kind: program.kind.0,
            type_name: program.kind.name().unwrap_or("unknown"),
            expected_attach_type: program.expected_attach_type.0,
            autoload: program.autoload,
            flags: program.flags,
            attach_target: program.attach_target.as_ref().map(TargetJson::from),
            insns: program
                .error
                .is_none()
                .then(|| hex(&insn::to_bytes(&program.insns))),
            refs: program.refs.iter().map(RefJson::from).collect(),
            func_info: (&program.func_info).into(),
            line_info: (&program.line_info).into(),
            core: program.core.iter().map(CoreJson::from).collect(),
            error: program.error.as_ref().map(ToString::to_string),
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
            AttachTarget::Program { function } => Self {
                name: function,
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

impl From<&InfoRecords> for InfoJson {
    fn from(info: &InfoRecords) -> Self {
        Self {
            record_size: info.record_size,
            count: info.len(),
            records: hex(&info.bytes),
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
        plan.object_name, plan.target_name
    )?;
    writeln!(out, "license {:?}", plan.license)?;
    if let Some(btf) = &plan.btf {
        writeln!(out, "type information to upload: {} bytes", btf.len())?;
    }
    let mut maps = Table::new(&[
        "name",
        "kernel name",
        "type",
        "key",
        "value",
        "entries",
        "flags",
        "first value",
    ]);
    for map in &plan.maps {
        let initial = match &map.initial {
            _ if !map.autocreate => "not created".to_string(),
            Some(bytes) if map.freeze => format!("{} bytes, frozen", bytes.len()),
            Some(bytes) => format!("{} bytes", bytes.len()),
            None => String::new(),
        };
        maps.add_row([
            map.name.clone(),
            map.kernel_name.clone(),
            map.kind.name().unwrap_or("unknown").to_string(),
            map.key_size.to_string(),
            map.value_size.to_string(),
            map.max_entries.to_string(),
            format!("{:#x}", map.flags),
            initial,
        ]);
    }
    maps.print(out, "maps")?;
    plan.programs
        .iter()
        .try_for_each(|program| print_program(out, program))
}

fn print_program(out: &mut impl Write, program: &ProgramPlan) -> std::io::Result<()> {
    let kind = program.kind.name().unwrap_or("unknown");
    writeln!(
        out,
        "program {} (section {}, type {kind}):",
        program.name, program.section
    )?;
    if !program.autoload {
        writeln!(out, "  not loaded by default (autoload is off)")?;
    }
    if let Some(error) = &program.error {
        writeln!(out, "  cannot be loaded: {error}")?;
    }
    if let Some(AttachTarget::Btf { id, name, .. }) = &program.attach_target {
        writeln!(out, "  checked against {name} (BTF id {id})")?;
    }
    for step in &program.core {
        let after = step
            .value_after
            .map_or("poisoned".to_string(), |v| v.to_string());
        let before = step.value_before.map_or("-".to_string(), |v| v.to_string());
        writeln!(
            out,
            "  insn {}: {} {}: {before} -> {after}",
            step.insn, step.kind, step.spec
        )?;
        if let Some(missing) = &step.missing {
            let why = step.mismatches.join("; ");
            writeln!(out, "    this kernel does not give {missing}: {why}")?;
        }
    }
    for (index, line) in insn::disassemble(&program.insns) {
        let note = program.refs.iter().find(|r| r.insn == index);
        let note = note.map_or(String::new(), |r| {
            format!("  ; {} {}", r.kind.name(), r.name)
        });
        writeln!(out, "  {index:5}: {line}{note}")?;
    }
    let slots = program.insns.len();
    debug_assert!(slots * size_of::<Insn>() == insn::to_bytes(&program.insns).len());
    writeln!(
        out,
        "  {slots} instruction slots, {} lines of source",
        program.line_info.len()
    )
}
