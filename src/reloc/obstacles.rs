//! Known obstacles that prevent a kernel from loading or attaching a program, found without trying.

use super::plan::{MapPlan, ProgramPlan};
use super::target::Target;
use crate::btf::{Btf, Kind};
use crate::insn::Helper;
use crate::kinds::{ProgramFlags, ProgramType};
use crate::near_functions::NearFunctions;
use crate::open::{AutoAttach, DataKind, MapOrigin};
use crate::{Error, ErrorKind, KernelVersion, since};
use std::collections::BTreeSet;

/// What prevents the kernel from loading or attaching this program; `None` if nothing is known.
pub(crate) fn of(program: &ProgramPlan, maps: &[MapPlan], target: &Target) -> Option<Error> {
    let helpers = certain_helpers(program, maps);
    let types = target.vmlinux_btf().ok().map(|btf| &**btf);
    let found = missing_number(program, &helpers, types)
        .map(|(what, since)| lacks(target, &what, since))
        .or_else(|| missing_symbol(program, target))
        .or_else(|| by_version(target, types, program, &helpers))
        .or_else(|| target.obstacle(program, &helpers));
    found.map(|error| error.context(format!("program `{}`", program.name)))
}

#[cold]
fn lacks(target: &Target, what: &str, since: Option<KernelVersion>) -> Error {
    let message = format!("kernel {} has no {what}", target.name());
    let error = Error::new(ErrorKind::Unsupported, message);
    match since {
        Some(since) => error.with_hint(format!("Linux has had it since {}", since::series(since))),
        None => error,
    }
}

/// The helper functions that the verifier is certain to encounter.
///
/// It does not follow a branch that a constant rules out: a CO-RE answer, a constant variable, the kernel's configuration. So
/// nothing is certain about a program that uses any of these.
fn certain_helpers(program: &ProgramPlan, maps: &[MapPlan]) -> BTreeSet<Helper> {
    let asks = program
        .core
        .iter()
        .any(|step| step.kind.ends_with("_exists") || step.kind == "type_matches");
    let is_constant = |map: &MapPlan| {
        matches!(
            map.origin,
            MapOrigin::Data(DataKind::Rodata | DataKind::Kconfig)
        )
    };
    let mut used = program.refs.iter().filter_map(|one| one.kind.map());
    let reads_constants = used.any(|map| maps.get(map).is_some_and(is_constant));
    if asks || reads_constants {
        return BTreeSet::new();
    }
    program
        .insns
        .iter()
        .filter_map(|insn| insn.helper())
        .collect()
}

/// What is missing from the enumerations in the kernel's types, and when it was introduced.
fn missing_number(
    program: &ProgramPlan,
    helpers: &BTreeSet<Helper>,
    types: Option<&Btf<'_>>,
) -> Option<(String, Option<KernelVersion>)> {
    let lacks = |enumeration, number| is_numbered(types, enumeration, number) == Some(false);
    let (kind, attach_type) = (program.kind, program.expected_attach_type);
    if lacks("bpf_prog_type", kind.0) {
        let what = format!("programs of type {kind}");
        return Some((what, since::program_type(kind)));
    }
    if attach_type.0 != 0 && lacks("bpf_attach_type", attach_type.0) {
        let what = format!("programs of attach type {attach_type}");
        return Some((what, since::attach_type(attach_type)));
    }
    let missing = helpers
        .iter()
        .find(|helper| lacks("bpf_func_id", helper.0))?;
    let since = since::helper_for(*missing, kind, attach_type);
    Some((format!("helper function {missing}"), since))
}

/// Whether an enumeration has this value; `None` if there is no such enumeration.
fn is_numbered(types: Option<&Btf<'_>>, enumeration: &str, number: u32) -> Option<bool> {
    let types = types?;
    let found = types.find(enumeration, Kind::Enum)?;
    let found = types.get(found).ok()?;
    let is_it = found
        .enumerators()
        .any(|one| one.value == i64::from(number));
    Some(is_it)
}

/// What a kernel described by files lacks according to its version, if its types (which show a distribution's backports) do
/// not say. A running kernel can be asked instead.
fn by_version(
    target: &Target,
    types: Option<&Btf<'_>>,
    program: &ProgramPlan,
    helpers: &BTreeSet<Helper>,
) -> Option<Error> {
    if target.tells_addresses() {
        return None;
    }
    let version = target.version().ok()?;
    let (kind, attach_type) = (program.kind, program.expected_attach_type);
    let newer = |since: Option<KernelVersion>| since.filter(|since| version < *since);
    let unknown = |enumeration, number| is_numbered(types, enumeration, number).is_none();
    let of_kind = || {
        let since = newer(since::program_type(kind)).filter(|_| unknown("bpf_prog_type", kind.0));
        Some((format!("programs of type {kind}"), since?))
    };
    let of_attach_type = || {
        let since = newer(since::attach_type(attach_type))
            .filter(|_| unknown("bpf_attach_type", attach_type.0));
        Some((format!("programs of attach type {attach_type}"), since?))
    };
    let of_sleep = || {
        let sleeps =
            ProgramFlags::from_bits_retain(program.flags).contains(ProgramFlags::SLEEPABLE);
        let since = newer(since::sleepable(kind, attach_type)).filter(|_| sleeps);
        Some((format!("sleepable programs of type {kind}"), since?))
    };
    let of_helpers = || {
        let call = |helper: &Helper| {
            let here = since::helper_for(*helper, kind, attach_type);
            // Some program types got it later than others, which its number does not show.
            let anywhere = since::helper_for(*helper, ProgramType::UNSPEC, attach_type);
            let since =
                newer(here).filter(|_| here != anywhere || unknown("bpf_func_id", helper.0));
            Some((
                format!("helper function {helper} for programs of type {kind}"),
                since?,
            ))
        };
        helpers.iter().find_map(call)
    };
    let (what, since) = of_kind()
        .or_else(of_attach_type)
        .or_else(of_sleep)
        .or_else(of_helpers)?;
    Some(lacks(target, &what, Some(since)))
}

/// The target of a kprobe that is not among the kernel's symbols, if those are known.
fn missing_symbol(program: &ProgramPlan, target: &Target) -> Option<Error> {
    if program.def?.auto_attach != Some(AutoAttach::Kprobe) {
        return None;
    }
    let (_, place) = program.section.split_once('/')?;
    let function = place.split('+').next().filter(|name| !name.is_empty())?;
    let (mut any, mut found) = (false, false);
    let visited = target.kallsyms(&mut |symbol| {
        any = true;
        found |= symbol.name == function;
    });
    if visited.is_err() || !any || found {
        return None;
    }
    let mut names = Vec::new();
    let _ = target.kallsyms(&mut |symbol| {
        if symbol.is_function() {
            names.push(symbol.name.to_owned());
        }
    });
    let near = NearFunctions::among(function, names.iter().map(String::as_str)).did_you_mean();
    let message = format!(
        "kernel {} has no function `{function}`{near}",
        target.name()
    );
    let hint = "it may be inlined, renamed or not compiled into this kernel, or belong to a module that is not loaded";
    Some(Error::new(ErrorKind::NotFound, message).with_hint(hint))
}
