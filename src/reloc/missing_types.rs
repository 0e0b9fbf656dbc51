//! Which programs need the types of a kernel that has none. The errors then belong to those programs, instead of making the
//! whole object fail.

use super::attach_target;
use super::core::explain_missing_btf;
use super::core_relos;
use super::target::Target;
use crate::Error;
use crate::open::OpenObject;
use std::collections::BTreeSet;

/// The programs, by index in ascending order, that need the kernel's types themselves, and why each cannot have them. Empty
/// if the kernel has types.
pub(super) fn of_programs(object: &OpenObject, target: &Target) -> Vec<(usize, Error)> {
    let Err(missing) = target.vmlinux_btf() else {
        return Vec::new();
    };
    let by_core = core_relos::first_wanted(object, target);
    let programs = object.programs.iter().enumerate();
    let mistakes = programs.filter_map(|(index, program)| {
        let mut names = BTreeSet::new();
        attach_target::wanted_types(program, &mut names);
        if !names.is_empty() {
            return Some((index, missing.clone()));
        }
        let name = by_core.get(&program.function)?;
        Some((index, explain_missing_btf(missing.clone(), name)))
    });
    mistakes.collect()
}
