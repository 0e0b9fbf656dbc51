//! Changes to instructions for kernels before Linux 5.5.

use super::target::Target;
use crate::feature::Feature;
use crate::insn::{Helper, Insn};

/// Calls the older, general form of the helper functions that read kernel or user memory if the kernel has no other. The
/// kernel is asked only if there is such a call.
#[doc(alias = "bpf_object__sanitize_prog")]
pub(super) fn sanitize(insns: &mut [Insn], target: &Target) {
    for insn in insns {
        let older = match insn.helper() {
            Some(Helper::PROBE_READ_KERNEL | Helper::PROBE_READ_USER) => Helper::PROBE_READ,
            Some(Helper::PROBE_READ_KERNEL_STR | Helper::PROBE_READ_USER_STR) => {
                Helper::PROBE_READ_STR
            }
            _ => continue,
        };
        if target.supports(Feature::ProbeReadKern) {
            return;
        }
        insn.imm = older.immediate();
    }
}

#[cfg(test)]
mod tests {
    use super::super::offline::OfflineKernel;
    use super::*;
    use crate::KernelVersion;

    fn sanitized(version: KernelVersion) -> Vec<i32> {
        let kernel = OfflineKernel {
            version: Some(version),
            ..OfflineKernel::default()
        };
        let call = |imm| Insn::new(Insn::CALL, 0, 0, 0, imm);
        let mut insns: Vec<Insn> = [112, 113, 114, 115, 6].map(call).to_vec();
        insns.push(call(113).with_src(1));
        sanitize(&mut insns, &Target::offline(kernel));
        insns.iter().map(|insn| insn.imm).collect()
    }

    #[test]
    fn old_kernels_get_the_general_helpers() {
        let old = sanitized(KernelVersion::new(5, 4, 0));
        assert_eq!(old, [4, 4, 45, 45, 6, 113]);
        let new = sanitized(KernelVersion::new(5, 10, 0));
        assert_eq!(new, [112, 113, 114, 115, 6, 113]);
    }
}
