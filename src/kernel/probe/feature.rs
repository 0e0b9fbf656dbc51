//! From a feature to its probe.

use super::answer::Answer;
use super::{Token, btf, link, map, program};
use crate::feature::Feature;
use crate::kernel::files;
use crate::sys::probe_calls;

/// Whether the running kernel has `feature` and lets this process use it with the rights of `token`. If that cannot be
/// tried, for lack of memory say, the kernel's version decides.
#[doc(alias = "feat_supported")]
#[doc(alias = "kernel_supports")]
pub(crate) fn has(feature: Feature, token: Token<'_>) -> bool {
    try_out(feature, token)
        .unwrap_or_else(|_| files::version().is_ok_and(|running| running >= feature.since()))
}

fn try_out(feature: Feature, token: Token<'_>) -> Answer {
    match feature {
        Feature::ProgName => program::has_names(token),
        Feature::GlobalData => program::has_global_data(token),
        Feature::Btf => btf::has_btf(token),
        Feature::BtfFunc => btf::has_functions(token),
        Feature::BtfGlobalFunc => btf::has_global_functions(token),
        Feature::BtfDatasec => btf::has_sections(token),
        Feature::BtfQmarkDatasec => btf::has_question_mark_sections(token),
        Feature::BtfFloat => btf::has_floats(token),
        Feature::BtfDeclTag => btf::has_declaration_tags(token),
        Feature::BtfTypeTag => btf::has_type_tags(token),
        Feature::BtfEnum64 => btf::has_wide_enums(token),
        Feature::BtfLayout => btf::has_layout(token),
        Feature::ArrayMmap => map::has_mappable_arrays(token),
        Feature::ExpAttachType => program::has_expected_attach_type(token),
        Feature::ProbeReadKern => program::has_probe_read_kernel(token),
        Feature::ProgBindMap => program::can_bind_maps(token),
        Feature::ModuleBtf => btf::has_module_btf(token),
        Feature::PerfLink => link::has_perf_links(token),
        Feature::BpfCookie => program::has_cookies(token),
        Feature::UprobeMultiLink => link::has_uprobe_multi(token),
        Feature::MemcgAccount => program::has_memcg_accounting(token),
        Feature::SyscallWrapper => link::has_syscall_wrapper(),
        Feature::ArgCtxTag => program::has_context_tag(token),
        Feature::Ldimm64FullRangeOff => program::has_wide_value_offsets(token),
        Feature::UprobeSyscall => Ok(probe_calls::has_uprobe_syscall()),
        Feature::SyscallCommonAttrs => Ok(probe_calls::has_common_attributes()),
    }
}
