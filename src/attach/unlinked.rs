//! Attachments without a link: the attach point itself keeps the program until it is detached.

use super::attachment::Attachment;
use crate::program::Program;
use crate::{Errno, Error, Result};
use std::fmt;

/// An attach point that a program can be detached from.
pub(super) trait Place: fmt::Debug + Send + Sync {
    /// Detaches the program, if it is the one that is attached.
    fn detach(&self, program: &Program) -> Result<()>;

    /// Why the kernel has no link for it, and since when it can have one.
    fn why_no_link(&self) -> &'static str;
}

/// A program at such an attach point.
#[derive(Debug)]
pub(super) struct Unlinked<P> {
    program: Program,
    place: P,
}

impl<P: Place> Unlinked<P> {
    pub(super) fn new(program: &Program, place: P) -> Self {
        let program = program.clone();
        Self { program, place }
    }
}

impl<P: Place> Attachment for Unlinked<P> {
    fn undo(&mut self) -> Result<()> {
        self.place.detach(&self.program)
    }

    fn why_no_link(&self) -> &'static str {
        self.place.why_no_link()
    }

    fn program(&self) -> Option<&Program> {
        Some(&self.program)
    }
}

/// The error for an attach point that has a different program by now.
pub(super) fn replaced() -> Error {
    let message = "another program has taken its place; that one stays";
    Error::from_errno(Errno::ENOENT, message)
}
