//! Loads the object's BTF into the kernel.

use super::log::{LogText, load_with_log};
use crate::btf::Btf;
use crate::kernel::rights;
use crate::sys::bpf;
use crate::{Errno, Error, ErrorKind, Result, VerifierLog};
use std::os::fd::{BorrowedFd, OwnedFd};

/// How many bytes of the log of a refusal are kept by default.
pub(super) const LOG_LIMIT: usize = 1 << 20;

impl Btf<'_> {
    /// Loads the BTF into the kernel, which keeps it as long as the descriptor, or a map or program that refers to it. Not
    /// for split BTF. Loading an object includes this step.
    ///
    /// # Errors
    /// The kernel's refusal, with its reason.
    #[doc(alias("btf__load_into_kernel", "bpf_btf_load"))]
    pub fn load_into_kernel(&self) -> Result<OwnedFd> {
        btf(self.bytes(), None, LOG_LIMIT)
    }
}

/// Uploads the blob. If it is refused, sends it again to find out why, with a log of at most `limit` bytes.
#[doc(alias = "bpf_object__sanitize_and_load_btf")]
pub(super) fn btf(blob: &[u8], token: Option<BorrowedFd<'_>>, limit: usize) -> Result<OwnedFd> {
    let (loaded, log) = load_with_log(0, limit, |log| bpf::btf_load(blob, token, log));
    loaded.map_err(|errno| refusal(errno, log))
}

fn refusal(errno: Errno, log: LogText) -> Error {
    let reason = log.end().lines().last().unwrap_or_default();
    let reason = reason.trim().to_owned();
    let message = if reason.is_empty() {
        "the kernel does not take the type information".to_owned()
    } else {
        format!("the kernel does not take the type information: {reason}")
    };
    let error = Error::new(ErrorKind::Kernel, message)
        .with_errno(errno)
        .with_verifier_log(VerifierLog::new(log.into_full(), reason));
    match errno {
        Errno::EPERM => error.with_hint(rights::for_permission()),
        _ => error,
    }
}
