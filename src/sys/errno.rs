//! From libc's thread-local error number to [`Errno`].

use crate::Errno;
use std::io;

/// The error number of the system call that has just failed on this thread.
pub(super) fn last() -> Errno {
    from_io(&io::Error::last_os_error())
}

/// The error number inside an I/O error; `EIO` for errors that the standard library made up.
pub(super) fn from_io(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno)
}

/// The result of a system call that returns -1 on failure.
pub(super) fn check(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result < 0 { Err(last()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_errors_are_eio() {
        assert_eq!(from_io(&io::Error::other("no number")), Errno::EIO);
        assert_eq!(
            from_io(&io::Error::from_raw_os_error(libc::ENOENT)),
            Errno::ENOENT
        );
    }
}
