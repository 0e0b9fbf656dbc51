//! Replacing a function of another program (`freplace`).

use super::link::Link;
use super::tracing;
use crate::kinds::{AttachType, ProgramType};
use crate::load::function_of;
use crate::program::Program;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::{Error, ErrorKind, Result};
use std::os::fd::AsFd;

impl Program {
    /// Replaces a function of a loaded program, not necessarily the one that this program was loaded for: any function with
    /// the same type will do. Since Linux 5.10.
    ///
    /// [`Program::attach`] replaces the function that the program was loaded for.
    ///
    /// # Errors
    /// `NotFound` with similar names if the target program has no such function; `InvalidArgument` if this is not an
    /// `freplace` program.
    #[doc(alias = "bpf_program__attach_freplace")]
    pub fn attach_freplace(&self, target: impl AsFd, function: &str) -> Result<Link> {
        let attach = || {
            if self.kind() != ProgramType::EXT {
                let message = format!(
                    "it is of type {}, and cannot replace a function",
                    self.kind()
                );
                return Err(Error::new(ErrorKind::InvalidArgument, message)
                    .with_hint("only programs of SEC(\"freplace\") can"));
            }
            let target = target.as_fd();
            let create = LinkCreate {
                source: self.as_fd(),
                target: LinkTarget::Fd(target),
                attach_type: AttachType(0),
                flags: 0,
                options: LinkOptions::Tracing {
                    target: function_of(target, function, None)?,
                    cookie: 0,
                },
            };
            let fd = bpf::link_create(&create).map_err(|errno| tracing::refused(errno, self, 0))?;
            Ok(Link::kernel(self.name(), fd))
        };
        attach().map_err(|e: Error| {
            e.context(format!(
                "attaching `{}` in place of {function}",
                self.name()
            ))
        })
    }
}
