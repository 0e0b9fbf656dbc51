//! What an experiment shows: yes, no, or nothing at all.

use crate::Errno;

/// Whether the kernel has something; an error if the experiment could not be made, which says nothing either way.
pub(super) type Answer = Result<bool, Errno>;

/// What the kernel returned, or `None` if it refused; an error if it did not get that far.
pub(super) fn unless_refused<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Ok(given) => Ok(Some(given)),
        Err(errno) if says_nothing(errno) => Err(errno),
        Err(_) => Ok(None),
    }
}

/// The error number that the kernel refused with, if it did; an error if it did not get that far.
pub(super) fn refusal<T>(result: Result<T, Errno>) -> Result<Option<Errno>, Errno> {
    match result.err() {
        Some(errno) if says_nothing(errno) => Err(errno),
        refusal => Ok(refusal),
    }
}

/// Lack of memory, too many open files, a signal: all may be different a moment later. A missing right is an answer, though:
/// a process cannot rely on what it may not do.
fn says_nothing(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE | Errno::EAGAIN | Errno::EINTR
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_kernel_considered_is_an_answer() {
        assert_eq!(unless_refused(Ok(1)), Ok(Some(1)));
        for errno in [Errno::EINVAL, Errno::E2BIG, Errno::EPERM] {
            assert_eq!(unless_refused::<()>(Err(errno)), Ok(None));
            assert_eq!(refusal::<()>(Err(errno)), Ok(Some(errno)));
        }
        for errno in [Errno::ENOMEM, Errno::EMFILE, Errno::EAGAIN] {
            assert_eq!(unless_refused::<()>(Err(errno)), Err(errno));
            assert_eq!(refusal::<()>(Err(errno)), Err(errno));
        }
        assert_eq!(refusal(Ok(1)), Ok(None));
    }
}
