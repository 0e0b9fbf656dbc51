//! The BPF token: rights that a BPF file system delegates to the user namespace that it was mounted in.

use crate::open::TokenSource;
use crate::sys::bpf;
use crate::{Errno, Error, ErrorKind, Result};
use std::env;
use std::fs::OpenOptions;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Environment variable with the path of the BPF file system to get tokens from, if the caller gives none.
const VARIABLE: &str = "LIBBPF_BPF_TOKEN_PATH";
/// Where a token is looked for if neither says.
const USUAL_MOUNT: &str = "/sys/fs/bpf";

/// Makes a token. A file system that was named must give one; the usual one may or may not.
#[doc(alias = "bpf_object_prepare_token")]
pub(crate) fn obtain(source: &TokenSource) -> Result<Option<OwnedFd>> {
    match source {
        TokenSource::None => Ok(None),
        TokenSource::Mount(path) => from_mount(path).map(Some),
        TokenSource::Environment => match env::var_os(VARIABLE) {
            Some(path) if path.is_empty() => Ok(None),
            Some(path) => from_mount(Path::new(&path))
                .map(Some)
                .map_err(|e| e.context(format!("environment variable {VARIABLE}"))),
            None => Ok(from_mount(Path::new(USUAL_MOUNT)).ok()),
        },
    }
}

#[doc(alias = "bpf_token_create")]
fn from_mount(path: &Path) -> Result<OwnedFd> {
    let mut options = OpenOptions::new();
    let folder = options.read(true).custom_flags(libc::O_DIRECTORY);
    let folder = folder
        .open(path)
        .map_err(|e| Error::from_io(e, "open the file system of BPF tokens at", path))?;
    bpf::token_create(folder.as_fd(), 0).map_err(|errno| refused(errno, path))
}

fn refused(errno: Errno, path: &Path) -> Error {
    let message = format!("cannot make a BPF token from {}", path.display());
    let error = Error::from_errno(errno, message);
    match errno {
        Errno::ENOENT => error.with_kind(ErrorKind::Permission).with_hint(
            "it delegates nothing: mount it in the initial user namespace with the options delegate_cmds=, delegate_maps=, delegate_progs=, delegate_attachs=",
        ),
        Errno::EINVAL => error.with_hint(
            "tokens need Linux 6.9, and the path must be the root of a mounted BPF file system",
        ),
        Errno::EPERM => error.with_hint(
            "the process must be in the user namespace that the file system was made in, and have CAP_BPF there",
        ),
        Errno::EOPNOTSUPP => error.with_hint(
            "this process is in the initial user namespace, where only capabilities count: it needs no token",
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_named_mount_must_give_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &Path| obtain(&TokenSource::Mount(path.to_owned()));
        let error = at(&folder.path().join("none")).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ENOENT));
        assert!(error.to_string().contains("BPF tokens"), "{error}");
        // Not a BPF file system, a kernel without tokens, or no right to either.
        let error = at(folder.path()).unwrap_err();
        assert!(error.to_string().contains("cannot make a BPF token"));
        assert!(error.hint().is_some(), "{error}");
        assert_ne!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn none_is_asked_for_none() {
        assert!(obtain(&TokenSource::None).unwrap().is_none());
    }
}
