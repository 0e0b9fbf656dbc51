//! What keeps the running kernel from loading or attaching a program, found out by trying a tiny one like it.

use super::kinds::{Support, helper_in, program_kind};
use crate::insn::Helper;
use crate::kernel::advice;
use crate::kernel::rights::{Capability, missing_capability};
use crate::kinds::{AttachType, ProgramFlags, ProgramType};
use crate::open::AutoAttach;
use crate::reloc::{AttachTarget, ProgramPlan, Target, is_refusal};
use crate::{Error, ErrorKind, KernelVersion, since};
use std::collections::BTreeSet;

/// Attaches a minimal program with this section name, briefly, and returns why that fails; `None` if it works or cannot be
/// tried. The caller provides this: the attaching code builds on this room.
pub(crate) type AttachTrial = fn(target: &Target, section: &str) -> Option<Error>;

/// What keeps the running kernel from loading a program like this one, which calls these helper functions; `None` if nothing
/// is found.
pub(crate) fn obstacle(program: &ProgramPlan, helpers: &BTreeSet<Helper>) -> Option<Error> {
    no_kind(program.kind).or_else(|| no_helper(program, helpers))
}

/// Attaches a minimal program to the same target, briefly, and returns why that fails.
pub(crate) fn no_place(
    program: &ProgramPlan,
    trial: impl FnOnce(&str) -> Option<Error>,
) -> Option<Error> {
    let error = trial(&place(program)?)?;
    // The process that plans may have fewer rights than the one that loads.
    let lacks_rights = || missing_capability(&[Capability::Bpf, Capability::Perfmon]).is_some();
    if !is_refusal(&error) || error.kind() == ErrorKind::Permission && lacks_rights() {
        return None;
    }
    // Without the name of the minimal program.
    Some(error.without_context())
}

/// The section name for the single kernel function, tracepoint or hook that this program is for.
fn place(program: &ProgramPlan) -> Option<String> {
    let def = program.def?;
    let one = match def.auto_attach? {
        AutoAttach::Kprobe
        | AutoAttach::Ksyscall
        | AutoAttach::Tracepoint
        | AutoAttach::RawTracepoint
        | AutoAttach::Trace
        | AutoAttach::Lsm => def.kind != ProgramType::EXT,
        // Several functions, targets in user space, or what needs more than a name.
        _ => false,
    };
    let attach_type = program.expected_attach_type;
    let as_named = attach_type == AttachType::default() || attach_type == def.attach_type;
    if !one || !as_named || program.ifindex != 0 {
        return None;
    }
    match &program.attach_target {
        None => Some(program.section.clone()),
        Some(AttachTarget::Btf { module, name, .. }) => {
            let word = def.pattern.trim_end_matches('+');
            let module = module.as_ref().map(|module| format!("{}:", module.name));
            Some(format!("{word}/{}{name}", module.unwrap_or_default()))
        }
        Some(AttachTarget::Program { .. }) => None,
    }
}

fn no_kind(kind: ProgramType) -> Option<Error> {
    match kind {
        // Left to the caller.
        ProgramType::UNSPEC => None,
        kind => match program_kind(kind) {
            Support::No { since } => Some(lacks(&format!("programs of type {kind}"), since)),
            Support::Yes | Support::Unknown => None,
        },
    }
}

fn no_helper(program: &ProgramPlan, helpers: &BTreeSet<Helper>) -> Option<Error> {
    let flags = ProgramFlags::from_bits_retain(program.flags);
    let kind = program.kind;
    // Sleepable programs can call more than the minimal programs that are tried.
    if flags.contains(ProgramFlags::SLEEPABLE) || kind == ProgramType::UNSPEC {
        return None;
    }
    let is_missing = |helper: &&Helper| matches!(helper_in(kind, **helper), Support::No { .. });
    let helper = helpers.iter().find(is_missing)?;
    let what = format!("helper function {helper} for programs of type {kind}");
    let since = since::helper_for(*helper, kind, program.expected_attach_type);
    Some(lacks(&what, since))
}

#[cold]
fn lacks(what: &str, since: Option<KernelVersion>) -> Error {
    let error = Error::new(ErrorKind::Unsupported, format!("this kernel has no {what}"));
    match since {
        Some(since) => error.with_hint(format!("it {}", advice::came_with(since))),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TypeId;
    use crate::open::SectionDef;
    use crate::reloc::Module;

    fn program(section: &str) -> ProgramPlan {
        let def = SectionDef::find(section).unwrap();
        ProgramPlan {
            section: section.to_owned(),
            def: Some(def),
            kind: def.kind,
            expected_attach_type: def.attach_type,
            ..ProgramPlan::default()
        }
    }

    #[test]
    fn only_single_places_of_the_kernel_are_tried() {
        for section in [
            "kprobe/vfs_read",
            "tp/sched/sched_switch",
            "raw_tp/sys_enter",
        ] {
            assert_eq!(place(&program(section)).as_deref(), Some(section));
        }
        for section in [
            "kprobe.multi/vfs_*",
            "uprobe//bin/sh:main",
            "freplace/f",
            "xdp",
        ] {
            assert_eq!(place(&program(section)), None, "{section}");
        }
        let mut moved = program("fentry/vfs_read");
        moved.attach_target = Some(AttachTarget::Btf {
            id: TypeId(1),
            module: Some(Module {
                name: "xfs".to_owned(),
                btf_id: 1,
            }),
            name: "xfs_read".to_owned(),
        });
        assert_eq!(place(&moved).as_deref(), Some("fentry/xfs:xfs_read"));
        moved.attach_target = Some(AttachTarget::Program {
            function: "main".to_owned(),
        });
        assert_eq!(place(&moved), None);
        let mut other = program("kprobe/vfs_read");
        other.expected_attach_type = AttachType::TRACE_KPROBE_MULTI;
        assert_eq!(place(&other), None);
    }
}
