//! Iterators: programs that run for each kernel object of some kind, and write output that user space reads.

use super::link::Link;
use super::tracing::target_name;
use crate::kernel::rights;
use crate::kinds::AttachType;
use crate::program::Program;
use crate::sys::bpf::{
    self, IterScope, IterTarget, LinkCreate, LinkDetails, LinkOptions, LinkTarget,
};
use crate::{Errno, Error, ErrorKind, Result};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

impl Program {
    /// Attaches an iterator over everything of its kind. [`Link::iterate`] then runs it. Since Linux 5.8.
    #[doc(alias = "bpf_program__attach_iter")]
    pub fn attach_iter(&self) -> Result<Link> {
        attach(self, LinkOptions::None)
    }

    /// Attaches an iterator over one map (since Linux 5.9), or over particular cgroups or tasks (since 6.1).
    pub fn attach_iter_over(&self, target: IterTarget<'_>) -> Result<Link> {
        attach(self, LinkOptions::Iter(target))
    }
}

fn attach(program: &Program, options: LinkOptions<'_>) -> Result<Link> {
    let create = LinkCreate {
        source: program.as_fd(),
        target: LinkTarget::None,
        attach_type: AttachType::TRACE_ITER,
        flags: 0,
        options,
    };
    let attached = bpf::link_create(&create).map_err(refused).and_then(|fd| {
        if let LinkOptions::Iter(target) = options {
            check_scope(fd.as_fd(), target)?;
        }
        Ok(Link::kernel(program.name(), fd))
    });
    attached.map_err(|error| {
        error.context(format!(
            "attaching iterator `{}` ({})",
            program.name(),
            target_name(program)
        ))
    })
}

/// Kernels before 6.1 accept a task's id without an error, but iterate over all tasks.
fn check_scope(link: BorrowedFd<'_>, target: IterTarget<'_>) -> Result<()> {
    let IterTarget::Task { tid, pid, pid_fd } = target else {
        return Ok(());
    };
    let wanted = tid != 0 || pid != 0 || pid_fd.is_some();
    let info = bpf::link_info(link)
        .map_err(|errno| Error::from_errno(errno, "cannot ask what it walks over"))?;
    match info.details {
        LinkDetails::Iter {
            scope: IterScope::All,
            ..
        } if wanted => Err(Error::new(
            ErrorKind::Unsupported,
            "the kernel walks over all tasks, not over those that were asked for",
        )
        .with_hint("iterators over some tasks came with Linux 6.1")),
        _ => Ok(()),
    }
}

fn refused(errno: Errno) -> Error {
    let error = Error::from_errno(errno, "the kernel does not attach it");
    match errno {
        Errno::EPERM => error.with_hint(rights::for_perf_event()),
        Errno::EBADF => error
            .with_kind(ErrorKind::InvalidArgument)
            .with_hint("an iterator over a map's elements must be told which map"),
        Errno::EINVAL => error.with_hint(
            "does this kind of iterator take such a target? Those over cgroups came with Linux 6.1",
        ),
        _ => error,
    }
}

impl Link {
    /// Runs an attached iterator; what its program writes can be read from the result.
    #[doc(alias = "bpf_iter_create")]
    pub fn iterate(&self) -> Result<IterReader> {
        let not_an_iterator = |errno| {
            let message = format!("cannot start a walk of `{}`", self.name());
            let error = Error::from_errno(errno, message);
            match errno {
                Errno::EINVAL => error
                    .with_kind(ErrorKind::InvalidArgument)
                    .with_hint("only links of iterators can be walked"),
                _ => error,
            }
        };
        let fd = self.fd().ok_or(Errno::EINVAL).map_err(not_an_iterator)?;
        let fd = bpf::iter_create(fd).map_err(not_an_iterator)?;
        Ok(IterReader(File::from(fd)))
    }
}

/// One run of an iterator, read like a file. Returned by [`Link::iterate`].
#[derive(Debug)]
pub struct IterReader(File);

impl Read for IterReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                // The kernel stops from time to time to let other tasks run, and returns EAGAIN.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }
}
