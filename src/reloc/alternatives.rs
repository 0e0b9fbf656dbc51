//! Which of several alternative programs is loaded ([`OpenObject::prefer`]): the first without a known obstacle.

use super::choice::{Choice, PassedOver};
use super::obstacles;
use super::plan::LoadPlan;
use super::target::Target;
use crate::open::{MapOrigin, OpenObject};
use crate::{Errno, Error, ErrorKind};
use std::borrow::Cow;
use std::collections::HashSet;

/// Whether an error means that this kernel will never load or attach a program, as opposed to a lack of memory or time. A
/// security module may forbid one program type and allow another.
pub(crate) fn is_refusal(error: &Error) -> bool {
    let circumstances = [
        Errno::ENOMEM,
        Errno::EAGAIN,
        Errno::EINTR,
        Errno::EMFILE,
        Errno::ENFILE,
        Errno::EBUSY,
        Errno::ENOSPC,
    ];
    !matches!(
        error.kind(),
        ErrorKind::Interrupted | ErrorKind::Io | ErrorKind::Corrupt
    ) && error
        .errno()
        .is_none_or(|errno| !circumstances.contains(&errno))
}

/// The object with all alternatives set to be loaded, so that all of them are relocated.
pub(super) fn all_wanted(object: &OpenObject) -> Cow<'_, OpenObject> {
    if object.alternatives.is_empty() {
        return Cow::Borrowed(object);
    }
    let mut wanted = object.clone();
    for index in object.alternatives.iter().flatten() {
        if let Some(program) = wanted.programs.get_mut(*index) {
            program.autoload = true;
        }
    }
    Cow::Owned(wanted)
}

/// Makes the choice in a plan for which every alternative was relocated.
///
/// Those after the chosen one stay in the plan, relocated, with autoload off, in case the kernel refuses it.
pub(super) fn choose(object: &OpenObject, plan: &mut LoadPlan, target: &Target) {
    for group in &object.alternatives {
        let choice = choice(plan, group, target);
        let error = choice.chosen.is_none().then(|| choice.error());
        for index in group {
            let Some(program) = plan.programs.get_mut(*index) else {
                continue;
            };
            match &error {
                // So that it is reported if any of them is to be loaded.
                Some(error) => program.error = Some(error.clone()),
                None if choice.chosen.as_ref() == Some(&program.name) => {}
                None => {
                    program.autoload = false;
                    program.autoattach = false;
                }
            }
        }
        plan.choices.push(choice);
    }
    if !object.alternatives.is_empty() {
        leave_out_tables(plan);
    }
}

fn choice(plan: &LoadPlan, group: &[usize], target: &Target) -> Choice {
    let programs = || group.iter().filter_map(|index| plan.programs.get(*index));
    let mut passed_over = Vec::new();
    let mut chosen = None;
    for program in programs() {
        let known = program.error.clone();
        let Some(reason) = known.or_else(|| obstacles::of(program, &plan.maps, target)) else {
            chosen = Some(program.name.clone());
            break;
        };
        passed_over.push(PassedOver {
            name: program.name.clone(),
            reason,
        });
    }
    Choice {
        names: programs().map(|program| program.name.clone()).collect(),
        chosen,
        passed_over,
    }
}

/// Jump tables belong to one program each, and old kernels have no such maps: those of programs that are off are not created.
fn leave_out_tables(plan: &mut LoadPlan) {
    let loaded = plan.programs.iter().filter(|program| program.autoload);
    let refs = loaded.flat_map(|program| &program.refs);
    let used: HashSet<usize> = refs.filter_map(|one| one.kind.map()).collect();
    for (index, map) in plan.maps.iter_mut().enumerate() {
        if map.origin == MapOrigin::InsnArray && !used.contains(&index) {
            map.autocreate = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::offline::OfflineKernel;
    use super::super::testing::{
        Symbols, add_function, add_program, exit, kernel, nop, object, subprogram,
    };
    use super::*;
    use crate::KernelVersion;
    use crate::btf::{Linkage, Signedness};
    use crate::insn::{Helper, Insn};
    use crate::reloc::CoreOutcome;
    use std::sync::Arc;

    fn helper(helper: Helper) -> Insn {
        Insn::new(Insn::CALL, 0, 0, 0, helper.immediate())
    }

    /// An object with these programs, the first possible one of which is to be loaded, and their names.
    fn alternatives(programs: &[(&str, Vec<Insn>)]) -> (OpenObject, Vec<String>) {
        let mut object = object();
        for (section, insns) in programs {
            add_program(&mut object, section, insns.clone(), &[]);
        }
        let names: Vec<_> = object.programs.iter().map(|p| p.name.clone()).collect();
        object.prefer(&names).unwrap();
        (object, names)
    }

    fn plain() -> Vec<Insn> {
        vec![nop(), exit()]
    }

    fn with_vfs_read(version: (u8, u8)) -> Target {
        kernel(KernelVersion::new(version.0, version.1, 0), |editor| {
            add_function(editor, "vfs_read", Linkage::Global);
        })
    }

    /// Which program is chosen, and the reasons against those before it.
    fn chosen(programs: &[(&str, Vec<Insn>)], target: &Target) -> (Option<usize>, Vec<String>) {
        let (object, names) = alternatives(programs);
        let plan = object.relocate(target).unwrap();
        let choice = plan.choices.first().unwrap();
        assert_eq!(choice.names, names);
        let index = names
            .iter()
            .position(|name| choice.chosen.as_ref() == Some(name));
        for (at, program) in plan.programs.iter().enumerate() {
            let on = index.is_none_or(|index| index == at);
            assert_eq!((program.autoload, program.autoattach), (on, on));
        }
        let reasons = choice.passed_over.iter();
        (index, reasons.map(|one| one.reason.to_string()).collect())
    }

    #[test]
    fn the_first_possible_one_is_loaded_and_the_others_are_off() {
        let programs = [("fentry/vfs_read", plain()), ("kprobe/vfs_read", plain())];
        assert_eq!(
            chosen(&programs, &with_vfs_read((6, 12))),
            (Some(0), vec![])
        );
        let (index, reasons) = chosen(&programs, &with_vfs_read((5, 4)));
        assert_eq!(index, Some(1));
        assert!(
            reasons[0].contains("tracing") && reasons[0].contains("5.5"),
            "{reasons:?}"
        );
        let elsewhere = [("fentry/vfs_raed", plain()), ("kprobe/vfs_read", plain())];
        let (index, reasons) = chosen(&elsewhere, &with_vfs_read((6, 12)));
        assert_eq!(index, Some(1));
        assert!(reasons[0].contains("is not in the BTF"), "{reasons:?}");
    }

    /// A kernel without types makes the relocation of the whole object fail if the fentry program is to be loaded.
    #[test]
    fn a_kernel_without_types_gets_the_kprobe() {
        let programs = [("fentry/vfs_read", plain()), ("kprobe/vfs_read", plain())];
        let target = Target::offline(OfflineKernel::default());
        let (index, reasons) = chosen(&programs, &target);
        assert_eq!(index, Some(1));
        assert!(reasons[0].contains("no BTF"), "{reasons:?}");
        let mut with_another = alternatives(&programs).0;
        add_program(&mut with_another, "fexit/vfs_read", plain(), &[]);
        let error = with_another.relocate(&target).unwrap_err();
        assert!(error.to_string().contains("no BTF"), "{error}");
        let plan = with_another.relocate_each(&target).unwrap();
        assert_eq!(plan.choices[0].chosen, Some(plan.programs[1].name.clone()));
        assert!(plan.programs[2].error.is_some());
    }

    #[test]
    fn autoload_does_not_matter_before_the_choice() {
        let (mut object, names) =
            alternatives(&[("fentry/gone", plain()), ("kprobe/vfs_read", plain())]);
        for program in &mut object.programs {
            program.autoload = false;
        }
        let plan = object.relocate(&with_vfs_read((6, 12))).unwrap();
        assert_eq!(plan.choices[0].chosen.as_ref(), Some(&names[1]));
        assert!(plan.programs[1].autoload && !plan.programs[0].autoload);
        let only = object.relocate_only(&with_vfs_read((6, 12)), 0).unwrap();
        assert!(only.choices.is_empty() && only.programs[0].autoload);
    }

    #[test]
    fn helpers_of_the_program_and_its_functions_count() {
        let func_ip = || vec![helper(Helper::GET_FUNC_IP), exit()];
        let programs = [("fentry/vfs_read", func_ip()), ("kprobe/vfs_read", plain())];
        let (index, reasons) = chosen(&programs, &with_vfs_read((5, 10)));
        assert_eq!(index, Some(1));
        assert!(reasons[0].contains("bpf_get_func_ip") && reasons[0].contains("5.15"));
        assert_eq!(chosen(&programs, &with_vfs_read((5, 15))).0, Some(0));
        let (mut object, names) = alternatives(&[("kprobe/a", plain()), ("kprobe/b", plain())]);
        object.functions.push(subprogram("sub", 0, func_ip()));
        let to_sub = Insn::new(Insn::CALL, 0, crate::insn::pseudo::CALL, 0, -1);
        let calls = crate::open::RelocKind::Call { symbol_value: 0 };
        object.functions[0].insns = vec![to_sub, exit()];
        object.functions[0].relocations = vec![crate::open::Relocation {
            insn: 0,
            kind: calls,
        }];
        let plan = object.relocate(&with_vfs_read((5, 10))).unwrap();
        assert_eq!(plan.choices[0].chosen.as_ref(), Some(&names[1]));
    }

    /// The verifier does not follow branches that are ruled out by constants known before loading.
    #[test]
    fn a_helper_that_may_be_guarded_is_no_obstacle() {
        let (object, _) = alternatives(&[("kprobe/a", vec![helper(Helper::GET_FUNC_IP), exit()])]);
        let target = with_vfs_read((5, 10));
        let mut plan = object.relocate(&target).unwrap();
        plan.programs[0].error = None;
        assert!(obstacles::of(&plan.programs[0], &plan.maps, &target).is_some());
        plan.programs[0].core.push(crate::reloc::CoreStep {
            insn: 0,
            kind: "enumval_exists",
            spec: String::new(),
            candidates: Vec::new(),
            missing: None,
            mismatches: Vec::new(),
            value_before: None,
            value_after: None,
            outcome: CoreOutcome::Patched,
        });
        assert!(obstacles::of(&plan.programs[0], &plan.maps, &target).is_none());
    }

    /// Distributions backport features, so the kernel's types say more than its version.
    #[test]
    fn the_kernels_own_numbering_counts_more_than_its_version() {
        let build = |attach_types: &'static [(&'static str, i64)]| {
            kernel(KernelVersion::new(4, 18, 0), move |editor| {
                editor.add_enum(
                    "bpf_prog_type",
                    4,
                    Signedness::Unsigned,
                    &[("BPF_PROG_TYPE_TRACING", 26)],
                );
                editor.add_enum("bpf_attach_type", 4, Signedness::Unsigned, attach_types);
                add_function(editor, "vfs_read", Linkage::Global);
            })
        };
        let programs = [("fentry/vfs_read", plain()), ("kprobe/vfs_read", plain())];
        let fentry = build(&[("BPF_TRACE_FENTRY", 24)]);
        assert_eq!(chosen(&programs, &fentry).0, Some(0));
        let (index, reasons) = chosen(&programs, &build(&[("BPF_TRACE_FEXIT", 25)]));
        // This kernel's enumeration has no kprobes either.
        assert_eq!(index, None);
        assert!(reasons[0].contains("fentry"), "{reasons:?}");
    }

    #[test]
    fn kprobes_need_their_symbol_where_symbols_are_known() {
        let target = Target::new(Arc::new(Symbols(vec![
            (1, 'T', "vfs_read"),
            (2, 't', "vfs_write"),
        ])));
        let programs = [
            ("kprobe/vfs_raed", plain()),
            ("kprobe/vfs_read+0x4", plain()),
        ];
        let (index, reasons) = chosen(&programs, &target);
        assert_eq!(index, Some(1));
        assert!(reasons[0].contains("vfs_raed"), "{reasons:?}");
        let many = [
            ("kprobe.multi/vfs_x*", plain()),
            ("kprobe/vfs_read", plain()),
        ];
        assert_eq!(chosen(&many, &target).0, Some(0), "globs are not looked up");
        // A kernel described by files has no symbols.
        assert_eq!(chosen(&programs, &with_vfs_read((6, 12))).0, Some(0));
    }

    #[test]
    fn if_none_is_left_the_error_has_all_reasons() {
        let (mut object, names) = alternatives(&[("fentry/gone", plain()), ("lsm/gone", plain())]);
        add_program(&mut object, "xdp", plain(), &[]);
        let plan = object.relocate(&with_vfs_read((6, 12))).unwrap();
        assert_eq!(plan.choices[0].chosen, None);
        for program in &plan.programs[..2] {
            let error = program.error.as_ref().unwrap();
            assert!(program.autoload);
            assert_eq!(error.kind(), ErrorKind::NotFound, "that of all reasons");
            for words in [&names[0], &names[1], "function `gone`", "LSM hook `gone`"] {
                assert!(error.to_string().contains(words), "{words}: {error}");
            }
        }
        assert!(plan.programs[2].error.is_none());
    }
}
