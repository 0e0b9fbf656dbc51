//! The type information to upload: the object's, changed so that this kernel takes it.

use super::target::Target;
use crate::feature::Feature;
use crate::open::OpenObject;

/// The blob; `None` if there is nothing to upload, or the kernel takes none.
pub(super) fn build(object: &OpenObject, target: &Target) -> Option<Vec<u8>> {
    let btf = object.btf.as_ref()?;
    target.supports(Feature::Btf).then(|| btf.bytes().to_vec())
}
