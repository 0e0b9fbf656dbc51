//! The contents of an object, after it is opened and planned for a kernel, with names instead of type ids and string offsets:
//! two objects with the same contents are equivalent to a kernel and to a user.

use rawbpf::btf::{Btf, Kind};
use rawbpf::open::{MapSlot, SlotTarget};
use rawbpf::reloc::{InfoRecords, LoadPlan, MapPlan, ProgramPlan, RefKind, Target};
use rawbpf::{OpenObject, TypeId};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The contents, by the entity that they describe.
pub(crate) type Said = BTreeMap<String, String>;

/// The contents of an object for this kernel.
pub(crate) fn said(object: &OpenObject, target: &Target) -> Said {
    let mut said = Said::new();
    let license = object.license().to_owned();
    said.insert("license".into(), license);
    for ext in object.externs() {
        let declared = object.btf().map(|btf| btf.type_name(ext.declared_type()));
        let text = format!("weak {} {:?} {declared:?}", ext.is_weak(), ext.kind());
        said.insert(format!("extern {}", ext.name()), text);
    }
    for program in object.programs() {
        let text = format!("{:?}", object.instructions(program));
        said.insert(format!("instructions of {}", program.name()), text);
    }
    variables(object, &mut said);
    types(object, &mut said);
    match object.relocate_each(target) {
        Ok(plan) => planned(&plan, &mut said),
        Err(error) => drop(said.insert("plan".into(), reason(&error))),
    }
    said
}

/// What the first one has and the second does not, or has differently.
pub(crate) fn differences(ours: &Said, theirs: &Said) -> Vec<String> {
    let about = ours.keys().chain(theirs.keys());
    let about: std::collections::BTreeSet<&String> = about.collect();
    let differing = about
        .into_iter()
        .filter(|what| ours.get(*what) != theirs.get(*what));
    differing
        .map(|what| {
            let text = |said: &Said| {
                said.get(what)
                    .cloned()
                    .unwrap_or_else(|| "(nothing)".into())
            };
            format!(
                "{what}:\n  ours   {}\n  theirs {}",
                text(ours),
                text(theirs)
            )
        })
        .collect()
}

/// An error without type ids, and without suggestions of similar names, for which there is not always time.
fn reason(error: &rawbpf::Error) -> String {
    let text = error.message();
    let text = text.split("; did you mean").next().unwrap_or_default();
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        inside = (inside || c == '[') && c != ']';
        if !inside {
            out.push(c);
        }
    }
    out
}

fn variables(object: &OpenObject, said: &mut Said) {
    for variable in object.variables() {
        let map = &object.maps()[variable.map()];
        let ty = object
            .btf()
            .map(|btf| btf.type_name(variable.type_id()))
            .unwrap_or_default();
        let text = format!(
            "{} at {} in {}, {} bytes: {:?}",
            ty,
            variable.offset(),
            map.name(),
            variable.size(),
            object.value_of(variable)
        );
        said.insert(format!("variable {}", variable.name()), text);
    }
}

/// The named types, each with its size: all of them, used or not.
fn types(object: &OpenObject, said: &mut Said) {
    let Some(btf) = object.btf() else {
        return;
    };
    for ty in btf.types().filter(|ty| !ty.name().is_empty()) {
        // An unresolved forward declaration may exist more than once.
        let what = format!("type {} {}", ty.kind(), ty.name());
        let mut text = match ty.kind() {
            Kind::Func => btf.declaration(TypeId(ty.size_field()), ty.name()),
            Kind::Datasec => section(btf, ty.id()),
            _ => format!("{:?}", btf.size_of(ty.id()).ok()),
        };
        if ty.linkage().is_some() {
            write!(text, " {:?}", ty.linkage()).unwrap();
        }
        let known = said.entry(what).or_default();
        if !known.contains(&text) {
            known.push_str(&text);
            known.push(';');
        }
    }
}

fn section(btf: &Btf<'_>, id: TypeId) -> String {
    let section = btf.get(id).unwrap();
    let text = format!("{} bytes:", section.size_field());
    let mut lines: Vec<String> = section
        .variables()
        .map(|variable| {
            let name = btf.get(variable.type_id).map_or("?", |ty| ty.name());
            format!(" {name} at {} of {}", variable.offset, variable.size)
        })
        .collect();
    lines.sort();
    text + &lines.concat()
}

fn planned(plan: &LoadPlan, said: &mut Said) {
    let btf = plan.btf.clone().map(|bytes| Btf::from_vec(bytes).unwrap());
    for map in &plan.maps {
        said.insert(format!("map {}", map.name), about_map(plan, map));
    }
    for program in &plan.programs {
        let text = about_program(plan, program, btf.as_ref());
        said.insert(format!("program {}", program.name), text);
    }
}

fn about_map(plan: &LoadPlan, map: &MapPlan) -> String {
    let types = plan.types.as_ref();
    let ty = |id: TypeId| types.map(|types| types.type_name(id)).unwrap_or_default();
    let slot = |slot: &MapSlot| match slot.target {
        SlotTarget::Map(map) => format!("{}: map {}", slot.index, plan.maps[map].name),
        SlotTarget::Program(program) => {
            format!("{}: program {}", slot.index, plan.programs[program].name)
        }
        _ => format!("{slot:?}"),
    };
    let slots: Vec<String> = map.slots.iter().map(slot).collect();
    let functions: Vec<String> = map
        .functions
        .iter()
        .map(|slot| format!("{}: {}", slot.offset, plan.programs[slot.program].name))
        .collect();
    format!(
        "{} {:?} key {} value {} entries {} flags {} extra {} node {} types {}, {} told {} {} pinned {:?} create {} freeze {} \
         attach {} offset {} slots {slots:?} functions {functions:?} inner {} initial {:?}",
        map.kind,
        map.origin,
        map.key_size,
        map.value_size,
        map.max_entries,
        map.flags,
        map.extra,
        map.numa_node,
        ty(map.key_type),
        ty(map.value_type),
        map.btf_key_type_id.is_void(),
        map.btf_value_type_id.is_void(),
        map.pinning,
        map.autocreate,
        map.freeze,
        map.autoattach,
        map.initial_offset,
        map.inner
            .as_ref()
            .map(|inner| about_map(plan, inner))
            .unwrap_or_default(),
        map.initial,
    )
}

fn about_program(plan: &LoadPlan, program: &ProgramPlan, btf: Option<&Btf<'_>>) -> String {
    let mut text = format!(
        "section {} {:?} {:?} load {} attach {} flags {} target {:?} modules {:?}\n",
        program.section,
        program.kind,
        program.expected_attach_type,
        program.autoload,
        program.autoattach,
        program.flags,
        program.attach_target,
        program.fd_array,
    );
    if let Some(error) = &program.error {
        writeln!(text, "  error {}", reason(error)).unwrap();
    }
    for insn in &program.insns {
        writeln!(text, "  {insn:?}").unwrap();
    }
    for one in &program.refs {
        let map = match &one.kind {
            RefKind::Map { map } => format!("map {}", plan.maps[*map].name),
            RefKind::MapValue { map } => format!("in map {}", plan.maps[*map].name),
            other => format!("{other:?}"),
        };
        writeln!(text, "  {} refers to {} {map}", one.insn, one.name).unwrap();
    }
    for step in &program.core {
        writeln!(
            text,
            "  {} {} {:?} {:?} {:?}",
            step.insn, step.kind, step.value_before, step.value_after, step.outcome
        )
        .unwrap();
    }
    let Some(btf) = btf else {
        return text;
    };
    for [insn, ty] in records(&program.func_info) {
        let function = btf.get(TypeId(ty)).unwrap();
        let declaration = btf.declaration(TypeId(function.size_field()), function.name());
        writeln!(text, "  {insn} in {declaration} {:?}", function.linkage()).unwrap();
    }
    for [insn, file, line, place] in records(&program.line_info) {
        let string =
            |offset| String::from_utf8_lossy(btf.string_bytes_at(offset).unwrap_or(b"too long"));
        let place = (place >> 10, place & 0x3ff);
        writeln!(
            text,
            "  {insn} from {} {place:?} {}",
            string(file),
            string(line)
        )
        .unwrap();
    }
    text
}

fn records<const WORDS: usize>(info: &InfoRecords) -> Vec<[u32; WORDS]> {
    let size = usize::try_from(info.record_size).unwrap().max(1);
    let records = info.bytes.chunks_exact(size);
    records
        .map(|record| {
            let words = record.as_chunks::<4>().0;
            std::array::from_fn(|at| u32::from_ne_bytes(words[at]))
        })
        .collect()
}
