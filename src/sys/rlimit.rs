#![allow(unsafe_code)]
//! The limit on locked memory, against which kernels before 5.11 count every map and program.

use super::errno;
use crate::Errno;

/// Sets both `RLIMIT_MEMLOCK` values to `bytes`; `None` lifts the limit.
///
/// # Errors
///
/// `EPERM` without `CAP_SYS_RESOURCE`, if the limit would rise.
#[doc(alias = "libbpf_set_memlock_rlim")]
pub fn set_memlock(bytes: Option<u64>) -> Result<(), Errno> {
    let value = bytes.map_or(libc::RLIM_INFINITY, |bytes| {
        libc::rlim_t::try_from(bytes).unwrap_or(libc::RLIM_INFINITY)
    });
    let limit = libc::rlimit {
        rlim_cur: value,
        rlim_max: value,
    };
    // SAFETY: `limit` is read during the call.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) };
    errno::check(result.into()).map(drop)
}

/// The current (soft) limit; `None` if there is none.
pub fn memlock() -> Result<Option<u64>, Errno> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is borrowed exclusively during the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) };
    errno::check(result.into())?;
    Ok((limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur))
}
