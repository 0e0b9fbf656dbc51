//! The type information to upload: the object's, changed so that this kernel takes it.

use super::target::Target;
use crate::Result;
use crate::btf::{Btf, BtfEditor, Info, Kind, Linkage};
use crate::feature::Feature;
use crate::open::{FunctionLinkage, OpenObject};
use std::collections::HashSet;

/// The blob; `None` if there is nothing to upload, or the kernel takes none. `changed` is a copy with types added for this
/// kernel.
#[doc(alias = "bpf_object__sanitize_and_load_btf")]
pub(super) fn build(
    object: &OpenObject,
    changed: Option<BtfEditor>,
    target: &Target,
) -> Result<Option<Vec<u8>>> {
    let Some(btf) = &object.btf else {
        return Ok(None);
    };
    if !target.supports(Feature::Btf) {
        return Ok(None);
    }
    let changed = hide_functions(object, btf, changed);
    let Some(editor) = changed else {
        let sanitized = btf.sanitize(&|feature| target.supports(feature));
        return Ok(Some(sanitized.unwrap_or_else(|| btf.bytes().to_vec())));
    };
    let blob = editor.finish();
    let sanitized = Btf::parse(&blob)?.sanitize(&|feature| target.supports(feature));
    Ok(Some(sanitized.unwrap_or(blob)))
}

/// The verifier looks at a global function by itself, and at a static one with its callers. Who hides a global function
/// from other files wants the latter, so the kernel is told that it is static.
fn hide_functions(
    object: &OpenObject,
    btf: &Btf<'_>,
    mut changed: Option<BtfEditor>,
) -> Option<BtfEditor> {
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
            let editor = changed.get_or_insert_with(|| BtfEditor::copy_of(btf));
            editor.set_info(ty.id(), Info::of(Kind::Func));
        }
    }
    changed
}
