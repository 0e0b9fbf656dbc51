//! Programs, maps, BTF and links by their kernel-assigned ids.

use crate::kernel::rights;
use crate::sys::bpf::{self, ObjectKind};
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::OwnedFd;

/// The ids of all objects of a kind, in ascending order. An object that disappears during the walk does not end it, and may
/// be gone before its id is used.
pub(crate) fn all(kind: ObjectKind) -> impl Iterator<Item = Result<u32>> {
    bpf::ids(kind).map(move |id| id.map_err(|errno| explain(errno, format!("cannot list {kind}s"))))
}

/// Opens the object with this id.
pub(crate) fn open(kind: ObjectKind, id: u32) -> Result<OwnedFd> {
    bpf::fd_by_id(kind, id).map_err(|errno| refused(kind, id, errno))
}

/// The error for an id that cannot be opened.
pub(crate) fn refused(kind: ObjectKind, id: u32, errno: Errno) -> Error {
    match errno {
        Errno::ENOENT => {
            let message = format!("the kernel has no {kind} with id {id}");
            Error::new(ErrorKind::NotFound, message).with_errno(errno)
        }
        errno => explain(errno, format!("cannot open the {kind} with id {id}")),
    }
}

/// The error for something that needs the right to open objects by id.
pub(crate) fn explain(errno: Errno, message: String) -> Error {
    let error = Error::from_errno(errno, message);
    match errno {
        Errno::EPERM => error.with_hint(rights::for_ids()),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_is_gone_is_not_found() {
        let error = refused(ObjectKind::Btf, 7, Errno::ENOENT);
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("no BTF blob with id 7"));
        let error = refused(ObjectKind::Map, 7, Errno::EPERM);
        assert_eq!(error.kind(), ErrorKind::Permission);
        assert_eq!(error.hint(), Some(rights::for_ids().as_str()));
    }
}
