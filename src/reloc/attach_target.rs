//! The kernel type that a tracing, LSM or iterator program is checked against.
//!
//! The name stands after the first `/` of the section's name (or the caller set it). What is looked up depends on the
//! attach type: a tracepoint's typedef `btf_trace_NAME`, a hook's function `bpf_lsm_NAME`, an iterator's `bpf_iter_NAME`,
//! otherwise the function itself. `module:name` names the place; without it, the kernel proper comes first.

use super::kernel_types::KernelTypes;
use super::plan::AttachTarget;
use super::target::Target;
use crate::btf::{Btf, Kind};
use crate::kinds::{AttachType, ProgramType};
use crate::open::{OpenProgram, SectionFlags};
use crate::{Error, ErrorKind, Result};
use std::collections::BTreeSet;

/// Bytes of a type's name with its prefix, at most.
const LONGEST_NAME: usize = 127;

/// What a program has to be checked against, before it is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted<'p> {
    /// Nothing.
    None,
    /// It needs a target, but none is named.
    Unnamed,
    /// A function of another program, by name.
    Program(&'p str),
    /// A type of the kernel.
    Kernel(Name<'p>),
}

/// A name as the section gives it, taken apart.
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

    /// Whether the kernel proper is meant. libbpf compares no more than the length of what was written.
    fn may_be_vmlinux(&self) -> bool {
        self.module
            .is_none_or(|module| "vmlinux".starts_with(module))
    }
}

fn wanted(program: &OpenProgram) -> Wanted<'_> {
    let by_section = program
        .def
        .is_some_and(|def| def.flags.contains(SectionFlags::ATTACH_BTF));
    let name = match (&program.attach_target, by_section) {
        (Some(name), _) => Some(name.as_str()),
        (None, true) => program.section.split_once('/').map(|(_, name)| name),
        (None, false) => return Wanted::None,
    };
    let Some(name) = name else {
        return Wanted::Unnamed;
    };
    if program.kind == ProgramType::EXT {
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

/// Adds the name that has to be looked up among the kernel's types for this program.
pub(super) fn wanted_types(program: &OpenProgram, names: &mut BTreeSet<String>) {
    if let Wanted::Kernel(name) = wanted(program)
        && name.may_be_vmlinux()
    {
        names.insert(name.full());
    }
}

/// What this program is checked against; `None` if its kind does not need it.
///
/// # Errors
/// A target is needed, but not named or not there.
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
        Wanted::Unnamed => Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "section `{}` does not say what the program attaches to",
                program.section
            ),
        )
        .with_hint(format!(
            "write SEC(\"{}/NAME\"), or set the attach target before loading",
            program.section
        ))),
        Wanted::Kernel(name) => find(name, target, types).map(Some),
    }
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
        // libbpf compares module names up to the length of what was written, and so must we.
        let admit = |module: &super::target::Module| {
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
    let near = target
        .vmlinux_btf()
        .map(|btf| near(btf, name, full))
        .unwrap_or_default();
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
    Error::new(
        ErrorKind::NotFound,
        format!("{what} `{}` is not in the BTF of {place}{near}", name.rest),
    )
    .with_hint(hint)
}

/// Words for names of the same kind that resemble the wanted one.
fn near(btf: &Btf<'_>, name: Name<'_>, full: &str) -> String {
    let mut names: Vec<&str> = btf
        .types()
        .filter(|ty| ty.kind() == name.kind)
        .map(|ty| ty.name())
        .filter(|n| n.starts_with(name.prefix))
        .collect();
    names.sort_unstable();
    names.dedup();
    let near = crate::near_names(full, names);
    if near.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = near
        .iter()
        .map(|n| format!("`{}`", n.strip_prefix(name.prefix).unwrap_or(n)))
        .collect();
    format!("; did you mean {}?", quoted.join(" or "))
}
