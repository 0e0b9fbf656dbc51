//! From a feature to its probe.

use super::{btf, link, map, program};
use crate::feature::Feature;
use crate::sys::probe_calls;

/// Whether the running kernel has `feature`.
#[doc(alias = "kernel_supports")]
#[doc(alias = "feat_supported")]
pub(crate) fn has(feature: Feature) -> bool {
    match feature {
        Feature::ProgName => program::has_names(),
        Feature::GlobalData => program::has_global_data(),
        Feature::Btf => btf::has_btf(),
        Feature::BtfFunc => btf::has_functions(),
        Feature::BtfGlobalFunc => btf::has_global_functions(),
        Feature::BtfDatasec => btf::has_sections(),
        Feature::BtfQmarkDatasec => btf::has_question_mark_sections(),
        Feature::BtfFloat => btf::has_floats(),
        Feature::BtfDeclTag => btf::has_declaration_tags(),
        Feature::BtfTypeTag => btf::has_type_tags(),
        Feature::BtfEnum64 => btf::has_wide_enums(),
        Feature::BtfLayout => btf::has_layout(),
        Feature::ArrayMmap => map::has_mappable_arrays(),
        Feature::ExpAttachType => program::has_expected_attach_type(),
        Feature::ProbeReadKern => program::has_probe_read_kernel(),
        Feature::ProgBindMap => program::can_bind_maps(),
        Feature::ModuleBtf => btf::has_module_btf(),
        Feature::PerfLink => link::has_perf_links(),
        Feature::BpfCookie => program::has_cookies(),
        Feature::UprobeMultiLink => link::has_uprobe_multi(),
        Feature::MemcgAccount => program::has_memcg_accounting(),
        Feature::SyscallWrapper => link::has_syscall_wrapper(),
        Feature::ArgCtxTag => program::has_context_tag(),
        Feature::Ldimm64FullRangeOff => program::has_wide_value_offsets(),
        Feature::UprobeSyscall => probe_calls::has_uprobe_syscall(),
        Feature::SyscallCommonAttrs => probe_calls::has_common_attributes(),
    }
}
