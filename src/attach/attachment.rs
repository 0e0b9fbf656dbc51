//! What keeps a program attached in addition to, or instead of, a kernel link.

use crate::Result;
use crate::program::Program;
use std::fmt::Debug;

/// Something that has to be undone to detach. One implementation for each kind, next to the code that attaches.
pub(super) trait Attachment: Debug + Send + Sync {
    /// Undoes it. Called once, after the kernel link (if there is one) was closed.
    fn undo(&mut self) -> Result<()>;

    /// Why the kernel has no link for it, and since when it can have one: a hint for callers that want to pin it.
    fn why_no_link(&self) -> &'static str;

    /// The program, if the attach point itself keeps it, and others can be attached next to it.
    fn program(&self) -> Option<&Program> {
        None
    }
}
