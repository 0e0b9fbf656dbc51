//! What an experiment says: yes, no, or nothing at all.

use crate::Errno;

/// Whether the kernel has something; an error where the experiment could not be made, which says nothing about it.
pub(super) type Answer = Result<bool, Errno>;

/// What the kernel gave, or that it refused; an error where it did not even consider it.
pub(super) fn unless_refused<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Ok(given) => Ok(Some(given)),
        Err(errno) if says_nothing(errno) => Err(errno),
        Err(_) => Ok(None),
    }
}

/// With which number the kernel refused, if it did; an error where it did not even consider it.
pub(super) fn refusal<T>(result: Result<T, Errno>) -> Result<Option<Errno>, Errno> {
    match result.err() {
        Some(errno) if says_nothing(errno) => Err(errno),
        refusal => Ok(refusal),
    }
}

/// Too little memory, too many files, a signal: all of that can be otherwise a moment later. A right that is missing is an
/// answer: what this process may not do, it cannot build on.
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
