//! Hooks of Linux security modules (LSM).

use super::link::Link;
use super::tracing;
use crate::Result;
use crate::program::Program;

impl Program {
    /// Attaches to the hook that the program was loaded for. Since Linux 5.7.
    ///
    /// The hook runs BPF programs only if BPF is enabled as a security module (`lsm=...,bpf` on the kernel's command line).
    #[doc(alias = "bpf_program__attach_lsm")]
    pub fn attach_lsm(&self) -> Result<Link> {
        tracing::attach_loaded(self, 0)
    }
}
