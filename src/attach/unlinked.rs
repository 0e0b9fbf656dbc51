//! Attachments that are no links: what the kernel keeps in the place itself until somebody takes it off.

use super::attachment::Attachment;
use crate::program::Program;
use crate::{Errno, Error, Result};
use std::fmt;

/// A place that a program can be taken off.
pub(super) trait Place: fmt::Debug + Send + Sync {
    /// Takes the program off, if it is the one that is there.
    fn detach(&self, program: &Program) -> Result<()>;

    /// Why the kernel has no link for it, and since when it can have one.
    fn why_no_link(&self) -> &'static str;
}

/// A program in such a place.
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

/// The error of a place that holds something else by now.
pub(super) fn replaced() -> Error {
    let message = "another program has taken its place; that one stays";
    Error::from_errno(Errno::ENOENT, message)
}
