//! The BTF to load into the kernel: the object's, adapted to what this kernel accepts.

use super::target::Target;
use crate::Result;
use crate::btf::{Btf, BtfBuilder, Kind, Linkage};
use crate::feature::Feature;
use crate::open::{FunctionLinkage, OpenObject};
use std::collections::HashSet;

/// The blob; `None` if there is nothing to load, or the kernel accepts none. `changed` is a copy with types added for this
/// kernel.
#[doc(alias = "bpf_object__sanitize_and_load_btf")]
pub(super) fn build(
    object: &OpenObject,
    changed: Option<BtfBuilder>,
    target: &Target,
) -> Result<Option<Vec<u8>>> {
    let Some(btf) = &object.btf else {
        return Ok(None);
    };
    if !target.supports(Feature::Btf) {
        return Ok(None);
    }
    let changed = hide_functions(object, btf, changed);
    let Some(types) = changed else {
        let sanitized = btf.sanitize(&|feature| target.supports(feature))?;
        return Ok(Some(sanitized.unwrap_or_else(|| btf.bytes().to_vec())));
    };
    let blob = types.finish()?;
    let sanitized = Btf::parse(&blob)?.sanitize(&|feature| target.supports(feature))?;
    Ok(Some(sanitized.unwrap_or(blob)))
}

/// The verifier checks a global function on its own, and a static one together with its callers. Hiding a global function from
/// other files asks for the latter, so it is presented to the kernel as static.
fn hide_functions(
    object: &OpenObject,
    btf: &Btf<'_>,
    mut changed: Option<BtfBuilder>,
) -> Option<BtfBuilder> {
    let subprograms = object
        .functions
        .iter()
        .filter(|f| Some(f.section) == object.text_section);
    let mut hidden: HashSet<&str> = subprograms
        .filter(|f| f.linkage == FunctionLinkage::Hidden)
        .map(|f| f.name.as_str())
        .collect();
    if hidden.is_empty() {
        return changed;
    }
    for ty in btf.types() {
        let global = ty.kind() == Kind::Func && ty.linkage() == Some(Linkage::Global);
        if global && hidden.remove(ty.name()) {
            let types = changed.get_or_insert_with(|| BtfBuilder::copy_of(btf));
            types.set_linkage(ty.id(), Linkage::Static);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::super::testing::{add_function, btf, kernel, object, subprogram};
    use super::*;
    use crate::{KernelVersion, TypeId};
    use std::sync::Arc;

    fn with_hidden_function() -> OpenObject {
        let mut object = object();
        object.btf = Some(Arc::new(btf(|editor| {
            add_function(editor, "hidden", Linkage::Global); // 2
            add_function(editor, "seen", Linkage::Global); // 4
        })));
        for (offset, name) in ["hidden", "seen"].into_iter().enumerate() {
            let function = subprogram(name, offset, vec![super::super::testing::nop()]);
            object.functions.push(function);
        }
        object.functions[0].linkage = FunctionLinkage::Hidden;
        object
    }

    #[test]
    fn hidden_functions_are_told_to_be_static() {
        let target = kernel(KernelVersion::new(7, 2, 0), |_| {});
        let blob = build(&with_hidden_function(), None, &target).unwrap();
        let uploaded = Btf::from_vec(blob.unwrap()).unwrap();
        let linkage = |id| uploaded.get(TypeId(id)).unwrap().linkage();
        assert_eq!(linkage(2), Some(Linkage::Static));
        assert_eq!(linkage(4), Some(Linkage::Global));
    }

    #[test]
    fn kernels_get_what_they_know() {
        let mut object = with_hidden_function();
        object.functions.clear();
        let upload = |major, minor| {
            let target = kernel(KernelVersion::new(major, minor, 0), |_| {});
            build(&object, None, &target).unwrap()
        };
        let whole = object.btf.as_ref().unwrap().bytes().to_vec();
        assert_eq!(upload(7, 2), Some(whole));
        assert_eq!(upload(4, 17), None);
        let old = Btf::from_vec(upload(5, 4).unwrap()).unwrap();
        assert_eq!(old.get(TypeId(4)).unwrap().linkage(), Some(Linkage::Static));
    }
}
