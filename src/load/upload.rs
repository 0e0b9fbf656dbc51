//! Handing the object's types to the kernel.

use super::advice;
use crate::sys::bpf::{self, Log};
use crate::{Errno, Error, ErrorKind, Result, VerifierLog};
use std::os::fd::{BorrowedFd, OwnedFd};

/// More than the log of a refused blob ever has.
const LOG_SIZE: usize = 1 << 20;

/// Uploads the blob. A refused one is sent once more, to be told why.
#[doc(alias = "bpf_object__sanitize_and_load_btf")]
pub(super) fn btf(blob: &[u8], token: Option<BorrowedFd<'_>>) -> Result<OwnedFd> {
    let errno = match bpf::btf_load(blob, token, None) {
        Ok(fd) => return Ok(fd),
        Err(errno) => errno,
    };
    let mut buffer = vec![0u8; LOG_SIZE];
    let mut log = Log::new(1, &mut buffer);
    match bpf::btf_load(blob, token, Some(&mut log)) {
        Ok(fd) => Ok(fd),
        Err(_) => Err(refusal(errno, &buffer)),
    }
}

fn refusal(errno: Errno, buffer: &[u8]) -> Error {
    let text = log_text(buffer);
    let reason = text.lines().last().unwrap_or_default().trim().to_owned();
    let message = if reason.is_empty() {
        "the kernel does not take the object's type information".to_owned()
    } else {
        format!("the kernel does not take the object's type information: {reason}")
    };
    let error = Error::new(ErrorKind::Kernel, message)
        .with_errno(errno)
        .with_verifier_log(VerifierLog::new(text, reason));
    match errno {
        Errno::EPERM => error.with_hint(advice::for_permission()),
        _ => error,
    }
}

/// What the kernel wrote into a log buffer: everything before the first zero byte.
pub(super) fn log_text(buffer: &[u8]) -> String {
    let end = memchr::memchr(0, buffer).unwrap_or(buffer.len());
    let text = buffer.get(..end).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
