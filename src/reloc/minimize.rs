//! The part of a kernel's types that some objects need, small enough to ship with them.

use super::core::{CoreResolver, UsedTypes, wanted_names};
use super::core_relos;
use super::target::Target;
use crate::btf::{Btf, NameMatch};
use crate::open::OpenObject;
use crate::{Result, TypeId};
use std::collections::{BTreeSet, HashMap};

/// The types of a kernel and of its modules that the CO-RE relocations of these objects use; structures contain only the
/// members that they access. Meant for kernels built without BTF, whose types come from elsewhere (their debug information,
/// or a collection such as BTFHub): a few kilobytes per kernel instead of megabytes.
///
/// An object relocated against the result ([`OpenOptions::btf_path`](crate::open::OpenOptions::btf_path)) gets the same
/// instructions as from all of the kernel's types, except for the ids of kernel types (`bpf_core_type_id_kernel`), which are
/// those of the result. Programs with autoload off are included. Types that are not used by CO-RE, such as those of the
/// functions that fentry programs attach to, are left out: a kernel without BTF has no use for them.
///
/// # Errors
/// `NotFound` or `Unsupported` if the kernel has no types, `Btf` if they are corrupt, `InvalidObject` or `Core` if a
/// relocation record of an object is malformed.
///
/// ```no_run
/// use rawbpf::OpenObject;
/// use rawbpf::reloc::{OfflineKernel, Target, minimize};
///
/// let tool = OpenObject::from_file("tool.bpf.o")?;
/// let kernel = Target::offline(OfflineKernel {
///     btf: Some(std::fs::read("5.4.0-190-generic.btf")?),
///     ..OfflineKernel::default()
/// });
/// std::fs::write("min/5.4.0-190-generic.btf", minimize([&tool], &kernel)?.bytes())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("BTFGen", "min_core_btf"))]
pub fn minimize<'o>(
    objects: impl IntoIterator<Item = &'o OpenObject>,
    target: &Target,
) -> Result<Btf<'static>> {
    let kernel = target.core_btf().map_or_else(|| target.vmlinux_btf(), Ok)?;
    let mut asking = Vec::new();
    for object in objects {
        if let Some(btf) = &object.btf {
            asking.push((object, btf, core_relos::records(object)?));
        }
    }
    let wanted = asking
        .iter()
        .flat_map(|(_, btf, records)| wanted_names(btf, records));
    let known = look_up(wanted.collect(), kernel);
    let mut used = UsedTypes::default();
    for (object, btf, records) in &asking {
        let mut resolver = CoreResolver::new(btf, target);
        resolver.prepare(records, |name| known.get(name).map(Vec::as_slice))?;
        for record in records {
            let noted = resolver.note(record, &mut used);
            noted.map_err(|error| error.context(object.name().to_string()))?;
        }
    }
    Ok(used.build()?)
}

/// The kernel's types with these names, found in one pass.
fn look_up<'o>(wanted: BTreeSet<&'o str>, kernel: &Btf<'_>) -> HashMap<&'o str, Vec<TypeId>> {
    let names: Vec<&str> = wanted.into_iter().collect();
    let mut found: HashMap<&str, Vec<TypeId>> =
        names.iter().map(|name| (*name, Vec::new())).collect();
    for hit in kernel.find_all(&names, NameMatch::Essential) {
        if let Some(ids) = names.get(hit.name).and_then(|name| found.get_mut(name)) {
            ids.push(hit.id);
        }
    }
    found
}
