//! The kernel type that is the target of a tracing, LSM or iterator program.
//!
//! The name follows the first `/` of the section name (or was set by the caller). What is looked up depends on the attach
//! type: a tracepoint's typedef `btf_trace_NAME`, a hook's function `bpf_lsm_NAME`, an iterator's `bpf_iter_NAME`, otherwise
//! the function itself. `module:name` selects a module; without it, the kernel itself is searched first.

use super::kernel_types::KernelTypes;
use super::plan::AttachTarget;
use super::target::Target;
use crate::btf::{Btf, Kind};
use crate::kinds::{AttachType, ProgramType};
use crate::near_functions::NearFunctions;
use crate::open::{OpenProgram, SectionDef, SectionFlags};
use crate::{Error, ErrorKind, Result, TypeId, did_you_mean};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The maximum length of a type's name with its prefix, in bytes.
const LONGEST_NAME: usize = 127;

/// The target of a program, before it is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted<'p> {
    /// Nothing.
    None,
    /// It needs a target, but none is given.
    Unnamed,
    /// A function of another program, by name.
    Program(&'p str),
    /// A type of the kernel.
    Kernel(Name<'p>),
    /// No function yet, but the module that contains all of them.
    Module(&'p str),
}

/// A name from a section name, split into its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name<'p> {
    /// The text before a colon.
    module: Option<&'p str>,
    rest: &'p str,
    prefix: &'static str,
    kind: Kind,
}

impl Name<'_> {
    fn full(&self) -> String {
        format!("{}{}", self.prefix, self.rest)
    }

    /// Whether the kernel itself is meant. libbpf compares only the length of what was written.
    fn may_be_vmlinux(&self) -> bool {
        self.module
            .is_none_or(|module| "vmlinux".starts_with(module))
    }
}

fn wanted(program: &OpenProgram) -> Wanted<'_> {
    if is_for_many(program.attach_type) {
        return module_of_many(program).map_or(Wanted::None, Wanted::Module);
    }
    let by_section = program
        .def
        .is_some_and(|def| def.flags.contains(SectionFlags::ATTACH_BTF));
    let name = match (&program.attach_target, by_section) {
        (Some(name), _) => Some(name.as_str()),
        (None, true) => program.attach_target(),
        (None, false) => return Wanted::None,
    };
    let Some(name) = name else {
        return Wanted::Unnamed;
    };
    if program.kind == ProgramType::EXT || program.attach_program.is_some() {
        return Wanted::Program(name);
    }
    let (prefix, kind) = match program.attach_type {
        AttachType::TRACE_RAW_TP => ("btf_trace_", Kind::Typedef),
        AttachType::LSM_MAC | AttachType::LSM_CGROUP => ("bpf_lsm_", Kind::Func),
        AttachType::TRACE_ITER => ("bpf_iter_", Kind::Func),
        _ => ("", Kind::Func),
    };
    let (module, rest) = match name.split_once(':') {
        Some((module, rest)) => (Some(module), rest),
        None => (None, name),
    };
    Wanted::Kernel(Name {
        module,
        rest,
        prefix,
        kind,
    })
}

/// Whether the functions are chosen when the program is attached (`fentry.multi` and similar).
fn is_for_many(attach_type: AttachType) -> bool {
    matches!(
        attach_type,
        AttachType::TRACE_FENTRY_MULTI
            | AttachType::TRACE_FEXIT_MULTI
            | AttachType::TRACE_FSESSION_MULTI
    )
}

/// The module before the colon of `module:pattern`; `None` for the kernel itself.
fn module_of_many(program: &OpenProgram) -> Option<&str> {
    let (module, _) = program.attach_target()?.split_once(':')?;
    (module != "vmlinux").then_some(module)
}

/// Adds the name that must be looked up among the kernel's types for this program.
pub(super) fn wanted_types(program: &OpenProgram, names: &mut BTreeSet<String>) {
    if let Wanted::Kernel(name) = wanted(program)
        && name.may_be_vmlinux()
    {
        names.insert(name.full());
    }
}

/// The target of this program; `None` if its type does not need one.
///
/// # Errors
/// A target is needed, but not given or not found.
#[doc(alias = "libbpf_find_attach_btf_id")]
pub(super) fn resolve(
    program: &OpenProgram,
    target: &Target,
    types: &KernelTypes<'_>,
) -> Result<Option<AttachTarget>> {
    match wanted(program) {
        Wanted::None => Ok(None),
        Wanted::Program(function) => Ok(Some(AttachTarget::Program {
            function: function.to_string(),
        })),
        Wanted::Unnamed => Err(unnamed(program)),
        Wanted::Kernel(name) => find(name, target, types).map(Some),
        Wanted::Module(name) => module(name, target).map(Some),
    }
}

fn unnamed(program: &OpenProgram) -> Error {
    let section = &program.section;
    let Some(target) = program.def.and_then(SectionDef::target) else {
        let message = format!("section `{section}` does not name what the program attaches to");
        return Error::new(ErrorKind::InvalidArgument, message)
            .with_hint("call OpenProgram::set_attach_target before loading");
    };
    let message = format!(
        "section `{section}` does not name {} to attach to",
        target.what
    );
    let also = match program.kind {
        ProgramType::EXT => {
            "; the program that has the function is given by OpenProgram::set_attach_program"
        }
        _ => "",
    };
    Error::new(ErrorKind::InvalidArgument, message).with_hint(format!(
        "name it in the section, as in SEC(\"{}\"), or call OpenProgram::set_attach_target(\"{}\") before loading{also}",
        target.section, target.example
    ))
}

/// [`resolve`] for a single program, whose object was relocated before.
pub(crate) fn resolve_alone(
    program: &OpenProgram,
    target: &Target,
) -> Result<Option<AttachTarget>> {
    let mut names = BTreeSet::new();
    wanted_types(program, &mut names);
    let types = KernelTypes::look_up(target, &names, BTreeSet::new)?;
    resolve(program, target, &types)
}

fn module(name: &str, target: &Target) -> Result<AttachTarget> {
    let modules = target.module_btfs()?.iter().map(|one| &one.module);
    if let Some(module) = modules.clone().find(|module| module.name == name) {
        return Ok(AttachTarget::Btf {
            id: TypeId::VOID,
            module: Some(module.clone()),
            name: name.to_owned(),
        });
    }
    let near = did_you_mean(name, modules.map(|module| module.name.as_str()));
    let message = format!(
        "kernel {} has no module `{name}` with BTF{near}",
        target.name()
    );
    Err(Error::new(ErrorKind::NotFound, message)
        .with_hint("is it loaded? the kernel tells the types of modules since Linux 5.11"))
}

fn find(name: Name<'_>, target: &Target, types: &KernelTypes<'_>) -> Result<AttachTarget> {
    let full = name.full();
    if full.len() > LONGEST_NAME {
        return Err(Error::new(
            ErrorKind::InvalidObject,
            format!("the attach target `{full}` is longer than {LONGEST_NAME} bytes"),
        ));
    }
    let mut found = None;
    if name.may_be_vmlinux() {
        found = types.find_in_vmlinux(&full, name.kind)?;
    }
    if found.is_none() {
        // libbpf compares module names only up to the length of what was written, so we do, too.
        let admit = |module: &super::plan::Module| {
            name.module
                .is_none_or(|prefix| module.name.starts_with(prefix))
        };
        found = types.find_in_modules(&full, name.kind, admit)?;
    }
    match found {
        Some(found) => Ok(AttachTarget::Btf {
            id: found.id,
            module: found.module.cloned(),
            name: name.rest.to_string(),
        }),
        None => Err(not_found(name, &full, target)),
    }
}

#[cold]
fn not_found(name: Name<'_>, full: &str, target: &Target) -> Error {
    let what = match name.prefix {
        "btf_trace_" => "tracepoint",
        "bpf_lsm_" => "LSM hook",
        "bpf_iter_" => "iterator",
        _ => "function",
    };
    let place = match name.module {
        Some(module) => format!("module `{module}` of kernel {}", target.name()),
        None => format!("kernel {} and its modules", target.name()),
    };
    let hint = match name.prefix {
        "bpf_lsm_" => "LSM programs need a kernel with CONFIG_BPF_LSM",
        "" => {
            "it may be inlined, renamed or not compiled into this kernel, or belong to a module that is not loaded"
        }
        _ => {
            "it may come with a newer kernel, another configuration, or a module that is not loaded"
        }
    };
    let message = format!("{what} `{}` is not in the BTF of {place}", name.rest);
    let error = Error::new(ErrorKind::NotFound, message).with_hint(hint);
    match target.vmlinux_btf() {
        Ok(btf) => {
            let (btf, full) = (Arc::clone(btf), full.to_owned());
            let (prefix, kind) = (name.prefix, name.kind);
            let searches = target.suggestions().clone();
            error.with_suggestion(move || {
                if searches.take() {
                    near(&btf, prefix, kind, &full)
                } else {
                    String::new()
                }
            })
        }
        Err(_) => error,
    }
}

/// A suggestion of similar names of the same kind.
fn near(btf: &Btf<'_>, prefix: &str, kind: Kind, full: &str) -> String {
    let names = btf
        .types()
        .filter(|ty| ty.kind() == kind)
        .map(|ty| ty.name())
        .filter(|n| n.starts_with(prefix));
    if kind == Kind::Func && prefix.is_empty() {
        return NearFunctions::among(full, names).did_you_mean();
    }
    let near = crate::near_names(full, names);
    if near.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = near
        .iter()
        .map(|n| format!("`{}`", n.strip_prefix(prefix).unwrap_or(n)))
        .collect();
    format!("; did you mean {}?", quoted.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{add_function, add_program, kernel, nop, object};
    use super::*;
    use crate::KernelVersion;
    use crate::btf::Linkage;

    fn the_kernel() -> Target {
        kernel(KernelVersion::new(6, 1, 0), |editor| {
            let int = editor.add_int("int", 4, 0); // 1
            editor.add_typedef("btf_trace_sched_switch", int); // 2
            add_function(editor, "bpf_lsm_file_open", Linkage::Static); // 4
            add_function(editor, "bpf_iter_task", Linkage::Static); // 6
            add_function(editor, "do_unlinkat", Linkage::Static); // 8
            editor.add_typedef("do_nothing", int); // 9
        })
    }

    #[test]
    fn programs_for_many_functions_name_the_module_only() {
        for section in [
            "fentry.multi",
            "fentry.multi/vfs_*",
            "fexit.multi.s/vmlinux:vfs_*",
        ] {
            assert_eq!(look_up(section, None).unwrap(), None, "{section}");
        }
        let error = look_up("fentry.multi/veth:veth_*", None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("no module `veth`"), "{error}");
        let error = look_up("fsession.multi", Some("veth:")).unwrap_err();
        assert!(error.message().contains("no module `veth`"), "{error}");
    }

    fn look_up(section: &str, set: Option<&str>) -> Result<Option<AttachTarget>> {
        let mut object = object();
        add_program(&mut object, section, vec![nop()], &[]);
        let program = object.programs.first_mut().unwrap();
        program.attach_target = set.map(ToString::to_string);
        let target = the_kernel();
        let mut names = BTreeSet::new();
        wanted_types(program, &mut names);
        resolve(
            program,
            &target,
            &KernelTypes::look_up(&target, &names, BTreeSet::new)?,
        )
    }

    fn id(section: &str) -> Option<u32> {
        match look_up(section, None) {
            Ok(Some(AttachTarget::Btf { id, .. })) => Some(id.0),
            _ => None,
        }
    }

    #[test]
    fn the_attach_type_decides_what_is_looked_up() {
        assert_eq!(id("tp_btf/sched_switch"), Some(2));
        assert_eq!(id("lsm/file_open"), Some(4));
        assert_eq!(id("lsm_cgroup/file_open"), Some(4));
        assert_eq!(id("iter/task"), Some(6));
        assert_eq!(id("fentry/do_unlinkat"), Some(8));
        assert_eq!(id("fentry/do_nothing"), None);
        assert_eq!(look_up("kprobe/do_unlinkat", None).unwrap(), None);
    }

    #[test]
    fn module_names_are_compared_as_far_as_they_are_written() {
        assert_eq!(id("fentry/vmlinux:do_unlinkat"), Some(8));
        assert_eq!(id("fentry/vm:do_unlinkat"), Some(8));
        assert_eq!(id("fentry/xfs:do_unlinkat"), None);
    }

    #[test]
    fn the_caller_may_name_another_target() {
        let found = look_up("fentry", Some("do_unlinkat")).unwrap().unwrap();
        let expected = AttachTarget::Btf {
            id: TypeId(8),
            module: None,
            name: "do_unlinkat".to_string(),
        };
        assert_eq!(found, expected);
        let function = "main".to_string();
        assert_eq!(
            look_up("freplace/main", None).unwrap(),
            Some(AttachTarget::Program { function })
        );
    }

    #[test]
    fn a_section_without_a_target_is_told_what_is_missing() {
        for (section, what, example) in [
            ("fentry", "a kernel function", "SEC(\"fentry/vfs_read\")"),
            ("fentry/", "a kernel function", "SEC(\"fentry/vfs_read\")"),
            ("fexit.s", "a kernel function", "SEC(\"fexit.s/vfs_read\")"),
            (
                "fmod_ret",
                "a kernel function",
                "SEC(\"fmod_ret/security_file_open\")",
            ),
            ("tp_btf/", "a tracepoint", "SEC(\"tp_btf/sched_switch\")"),
            ("lsm", "an LSM hook", "SEC(\"lsm/file_open\")"),
            (
                "lsm_cgroup/",
                "an LSM hook",
                "SEC(\"lsm_cgroup/socket_bind\")",
            ),
            ("iter", "what to iterate over", "SEC(\"iter/task\")"),
            (
                "freplace/",
                "a function of another program",
                "set_attach_program",
            ),
        ] {
            let error = look_up(section, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
            let error = error.to_string();
            let message = format!("section `{section}` does not name {what} to attach to");
            for words in [message.as_str(), example, "set_attach_target(\""] {
                assert!(error.contains(words), "`{words}` is missing in: {error}");
            }
        }
    }

    #[test]
    fn functions_of_a_loaded_program_are_not_looked_up_in_the_kernel() {
        let mut object = object();
        add_program(&mut object, "fentry/main", vec![nop()], &[]);
        let program = object.programs.first_mut().unwrap();
        // Any descriptor will do: it is not used before loading.
        let null = std::fs::File::open("/dev/null").unwrap();
        program.attach_program = Some(crate::open::Held::new(std::sync::Arc::new(null)));
        let mut names = BTreeSet::new();
        wanted_types(program, &mut names);
        assert!(names.is_empty());
        let target = the_kernel();
        let types = KernelTypes::look_up(&target, &names, BTreeSet::new).unwrap();
        let function = "main".to_string();
        assert_eq!(
            resolve(program, &target, &types).unwrap(),
            Some(AttachTarget::Program { function })
        );
    }

    /// The similar names in each error are searched for when the error is read.
    #[test]
    fn twice_the_missing_targets_take_twice_the_steps() {
        let steps = |count: usize| {
            let target = kernel(KernelVersion::new(6, 12, 0), |editor| {
                for number in 0..count {
                    add_function(
                        editor,
                        &format!("{}{number:06}", "f".repeat(100)),
                        Linkage::Global,
                    );
                }
            });
            let mut object = object();
            for _ in 0..count {
                let section = format!("fentry/{}x", "f".repeat(106));
                add_program(&mut object, &section, vec![nop()], &[]);
            }
            let plan = object.relocate(&target).unwrap();
            let read = || plan.programs.iter().map(|p| p.error.as_ref().unwrap());
            crate::work::steps_of(|| read().map(|error| error.to_string().len()).sum::<usize>()).1
        };
        let (one, two) = (steps(200), steps(400));
        assert!(two * 10 <= one * 23, "{one} steps become {two}");
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let error = look_up("fentry/do_unlink", None).unwrap_err().to_string();
        assert!(error.contains("did you mean `do_unlinkat`"), "{error}");
        let error = look_up("lsm/file_opens", None).unwrap_err().to_string();
        assert!(error.contains("`file_open`"), "{error}");
        let long = format!("fentry/{}", "x".repeat(200));
        let error = look_up(&long, None).unwrap_err().to_string();
        assert!(error.contains("longer than"), "{error}");
    }
}
