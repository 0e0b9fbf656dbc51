//! The limit on locked memory, which BPF memory counted against before Linux 5.11.

use crate::feature::Feature;
use crate::reloc::Target;
use crate::sys::rlimit;

/// Raises the limit if the kernel still applies it; asks the kernel at most once per target.
///
/// Without the right to raise it, loading goes on: the limit may be high enough, and `EPERM` shows if it was not.
#[doc(alias = "bump_rlimit_memlock")]
pub(crate) fn ensure(target: &Target) {
    if !target.supports(Feature::MemcgAccount) {
        raise();
    }
}

/// Lifts the limit, if this process may.
pub(crate) fn raise() {
    let _ = rlimit::set_memlock(None);
}
