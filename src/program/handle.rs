//! The handle: where programs come from, and what is known about them.

use super::usdt::UsdtMaps;
use crate::kinds::{AttachType, ProgramType};
use crate::open::SectionDef;
use crate::reloc::AttachTarget;
use crate::sys::bpf::{self, ProgInfo};
use crate::{Error, Result, VerifierLog};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A handle to a loaded program; clones share the descriptor. Returned by [`Object::program`](crate::load::Object::program).
#[derive(Debug, Clone)]
#[doc(alias = "bpf_program")]
pub struct Program(Arc<ProgramParts>);

#[derive(Debug)]
pub(crate) struct ProgramParts {
    pub(crate) fd: OwnedFd,
    /// What the verifier wrote, if it was asked to.
    pub(crate) log: Option<VerifierLog>,
    pub(crate) name: String,
    pub(crate) section: String,
    pub(crate) def: Option<&'static SectionDef>,
    pub(crate) kind: ProgramType,
    pub(crate) attach_type: AttachType,
    pub(crate) attach_target: Option<AttachTarget>,
    pub(crate) autoattach: bool,
    /// Shared by all programs of the object.
    pub(crate) usdt: Option<Arc<UsdtMaps>>,
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

impl Program {
    pub(crate) fn new(parts: ProgramParts) -> Self {
        Self(Arc::new(parts))
    }

    /// The ids of all programs of the kernel, in ascending order. Since Linux 4.13. [`prog_info`](bpf::prog_info) and
    /// [`fd_by_id`](bpf::fd_by_id) tell what they are.
    ///
    /// # Errors
    /// `Permission` without `CAP_SYS_ADMIN`.
    #[doc(alias = "bpf_prog_get_next_id")]
    pub fn ids() -> impl Iterator<Item = Result<u32>> {
        bpf::ids(bpf::ObjectKind::Program)
            .map(|id| id.map_err(|errno| Error::from_errno(errno, "cannot list the programs")))
    }

    /// Its name in the object; the kernel knows the first 15 bytes of it.
    #[doc(alias = "bpf_program__name")]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The section it came from, without a leading `?`.
    #[doc(alias = "bpf_program__section_name")]
    pub fn section(&self) -> &str {
        &self.0.section
    }

    /// Its type.
    #[doc(alias = "bpf_program__type")]
    pub fn kind(&self) -> ProgramType {
        self.0.kind
    }

    /// What it was loaded to be attached to.
    #[doc(alias = "bpf_program__expected_attach_type")]
    pub fn attach_type(&self) -> AttachType {
        self.0.attach_type
    }

    /// The kernel function, hook or program that it was checked against.
    pub fn attach_target(&self) -> Option<&AttachTarget> {
        self.0.attach_target.as_ref()
    }

    /// Whether attaching the whole object attaches it.
    #[doc(alias = "bpf_program__autoattach")]
    pub fn autoattach(&self) -> bool {
        self.0.autoattach
    }

    /// What libbpf's table says about its section.
    pub(crate) fn section_def(&self) -> Option<&'static SectionDef> {
        self.0.def
    }

    /// What it needs to be attached to USDT probes, if its object has that.
    pub(crate) fn usdt(&self) -> Option<&Arc<UsdtMaps>> {
        self.0.usdt.as_ref()
    }

    /// What the verifier wrote when it was loaded, if [`LoadOptions::log_level`](crate::load::LoadOptions::log_level) asked for that.
    #[doc(alias = "bpf_program__log_buf")]
    pub fn verifier_log(&self) -> Option<&VerifierLog> {
        self.0.log.as_ref()
    }

    /// What the kernel tells about it.
    #[doc(alias = "bpf_prog_get_info_by_fd")]
    pub fn info(&self) -> Result<ProgInfo> {
        bpf::prog_info(self.as_fd()).map_err(|errno| {
            let message = format!("cannot ask the kernel about program `{}`", self.name());
            Error::from_errno(errno, message)
        })
    }

    /// Its number while it lives.
    pub fn id(&self) -> Result<u32> {
        Ok(self.info()?.id)
    }

    /// The kernel's hash of its instructions: equal tags on one kernel mean equal instructions.
    pub fn tag(&self) -> Result<[u8; 8]> {
        Ok(self.info()?.tag)
    }
}
