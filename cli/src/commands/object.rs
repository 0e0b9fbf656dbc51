//! Opens and relocates objects, with warnings on standard error.

use super::compile::is_source;
use crate::show::outlet::say;
use crate::stop::Stop;
use rawbpf::reloc::{LoadPlan, Target};
use rawbpf::{Error, ErrorKind, OpenObject};
use std::path::Path;

/// Opens an object and prints its warnings.
pub(crate) fn open(path: &Path, stop: &Stop) -> rawbpf::Result<OpenObject> {
    let object = OpenObject::from_file(path).map_err(|e| {
        if is_source(path) && e.kind() == ErrorKind::Elf {
            e.with_hint("it is a source: `rawbpf compile` makes an object of it")
        } else {
            e
        }
    })?;
    warn(&object.warnings(), stop);
    Ok(object)
}

/// Relocates an object and prints the plan's warnings.
pub(crate) fn relocate(
    object: &OpenObject,
    target: &Target,
    stop: &Stop,
) -> rawbpf::Result<LoadPlan> {
    let plan = object.relocate(target)?;
    warn_of_plan(object, &plan, stop);
    Ok(plan)
}

/// Prints a plan's warnings, without those of its object, which come first and were printed when it was opened.
pub(crate) fn warn_of_plan(object: &OpenObject, plan: &LoadPlan, stop: &Stop) {
    let said = object.warnings().len();
    warn(plan.warnings.get(said..).unwrap_or_default(), stop);
}

pub(crate) fn warn(warnings: &[Error], stop: &Stop) {
    for warning in warnings {
        say(stop, format_args!("rawbpf: warning: {warning}"));
    }
}
