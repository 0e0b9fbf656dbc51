//! What a caller may ask of a load besides the plan.

use crate::{Error, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How to load a plan; the default is what most need.
#[derive(Debug, Default)]
#[doc(alias = "bpf_object_open_opts")]
pub struct LoadOptions {
    /// Programs that other programs are written for, by the name of the latter.
    attach_programs: Vec<(String, OwnedFd)>,
    log_level: u32,
}

impl LoadOptions {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the loaded program that `program` (of `SEC("freplace/...")`, or a tracer of programs) is for.
    ///
    /// # Errors
    /// If the descriptor cannot be copied.
    #[doc(alias = "bpf_program__set_attach_target")]
    pub fn attach_program(mut self, program: &str, to: impl AsFd) -> Result<Self> {
        let fd = to.as_fd().try_clone_to_owned().map_err(|e| {
            let path = std::path::Path::new("descriptor");
            Error::from_io(e, "copy the program's", path)
        })?;
        self.attach_programs.push((program.to_owned(), fd));
        Ok(self)
    }

    /// Asks the verifier for a log of every program, not only of those it refuses: 1 the usual, 2 every state, 4
    /// statistics.
    #[doc(alias = "bpf_program__set_log_level")]
    pub fn log_level(mut self, level: u32) -> Self {
        self.log_level = level;
        self
    }

    pub(super) fn attach_program_of(&self, program: &str) -> Option<BorrowedFd<'_>> {
        let mut found = self.attach_programs.iter();
        found
            .find(|(name, _)| name == program)
            .map(|(_, fd)| fd.as_fd())
    }

    pub(super) fn level(&self) -> u32 {
        self.log_level
    }
}
