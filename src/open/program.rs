//! Inspecting an entry program, and changing it before it is loaded.

use super::{OpenObject, OpenProgram, SectionDef};
use crate::insn::Insn;
use crate::kinds::{AttachType, ProgramFlags, ProgramType};
use crate::{Error, ErrorKind, Result, did_you_mean};

impl OpenObject {
    /// The entry program with this name.
    ///
    /// # Errors
    /// There is none; the message lists similar names.
    #[doc(alias = "bpf_object__find_program_by_name")]
    pub fn program(&self, name: &str) -> Result<&OpenProgram> {
        let index = self.program_index(name)?;
        self.programs
            .get(index)
            .ok_or_else(|| self.no_program(name))
    }

    /// The entry program with this name, for editing.
    ///
    /// # Errors
    /// There is none; the message lists similar names.
    pub fn program_mut(&mut self, name: &str) -> Result<&mut OpenProgram> {
        let index = self.program_index(name)?;
        let missing = self.no_program(name);
        self.programs.get_mut(index).ok_or(missing)
    }

    /// All entry programs, for editing.
    pub fn programs_mut(&mut self) -> &mut [OpenProgram] {
        &mut self.programs
    }

    pub(super) fn program_index(&self, name: &str) -> Result<usize> {
        let index = self.programs.iter().position(|p| p.name == name);
        index.ok_or_else(|| self.no_program(name))
    }

    #[cold]
    fn no_program(&self, name: &str) -> Error {
        let is_subprogram = self.functions.iter().any(|f| f.name == name);
        let names = self.programs.iter().map(|p| p.name.as_str());
        let what = if is_subprogram {
            format!("`{name}` is a subprogram, not an entry program")
        } else {
            format!("there is no program `{name}`{}", did_you_mean(name, names))
        };
        Error::new(ErrorKind::NotFound, what).context(format!("object {}", self.name))
    }

    /// The instructions of an entry program as in the file, without the subprograms that it calls.
    #[doc(alias = "bpf_program__insns")]
    pub fn instructions(&self, program: &OpenProgram) -> &[Insn] {
        self.functions
            .get(program.function)
            .map(|function| function.insns.as_slice())
            .unwrap_or_default()
    }
}

impl OpenProgram {
    /// Its name: that of the C function.
    #[doc(alias = "bpf_program__name")]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its section's name, without a leading `?`.
    #[doc(alias = "bpf_program__section_name")]
    pub fn section(&self) -> &str {
        &self.section
    }

    /// The definition that its section name matches; `None` if libbpf does not know the name, or after the type was changed.
    pub fn def(&self) -> Option<&'static SectionDef> {
        self.def
    }

    /// Its type; [`ProgramType::UNSPEC`] if the section name does not determine it.
    #[doc(alias = "bpf_program__type")]
    pub fn kind(&self) -> ProgramType {
        self.kind
    }

    /// Sets its type. A different type discards what the section name says about loading and attaching.
    #[doc(alias = "bpf_program__set_type")]
    pub fn set_kind(&mut self, kind: ProgramType) -> &mut Self {
        if self.kind != kind {
            self.kind = kind;
            self.def = None;
        }
        self
    }

    /// Its expected attach type.
    #[doc(alias = "bpf_program__expected_attach_type")]
    pub fn attach_type(&self) -> AttachType {
        self.attach_type
    }

    /// Sets its expected attach type.
    #[doc(alias = "bpf_program__set_expected_attach_type")]
    pub fn set_attach_type(&mut self, attach_type: AttachType) -> &mut Self {
        self.attach_type = attach_type;
        self
    }

    /// The flags set by the caller. Those implied by the section name are added when the program is loaded.
    #[doc(alias = "bpf_program__flags")]
    pub fn flags(&self) -> ProgramFlags {
        ProgramFlags::from_bits_retain(self.flags)
    }

    /// Sets flags for loading.
    #[doc(alias = "bpf_program__set_flags")]
    pub fn set_flags(&mut self, flags: ProgramFlags) -> &mut Self {
        self.flags = flags.bits();
        self
    }

    /// The index of the network interface that the program is for; 0 for none.
    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Sets the network interface that an XDP or tc program is for.
    ///
    /// With [`ProgramFlags::XDP_DEV_BOUND_ONLY`] (since Linux 6.3) the program runs on the CPU as usual, and may call the kfuncs
    /// that read a packet's metadata, such as `bpf_xdp_metadata_rx_hash`; it can be attached only to that interface, and not in
    /// generic mode. Without the flag, it is offloaded to the network card, which few cards support.
    #[doc(alias = "bpf_program__set_ifindex")]
    #[doc(alias = "prog_ifindex")]
    pub fn set_ifindex(&mut self, ifindex: u32) -> &mut Self {
        self.ifindex = ifindex;
        self
    }

    /// The verifier's log level for this program; 0 unless set.
    #[doc(alias = "bpf_program__log_level")]
    pub fn log_level(&self) -> u32 {
        self.log_level
    }

    /// Requests the verifier's log of this program, whether or not it is accepted, at this level; 0 leaves the level to
    /// [`LoadOptions::log_level`](crate::load::LoadOptions::log_level), which applies to all programs.
    /// [`Program::verifier_log`](crate::program::Program::verifier_log) returns the log, and
    /// [`LoadOptions::log_limit`](crate::load::LoadOptions::log_limit) limits its size.
    #[doc(alias = "bpf_program__set_log_level")]
    #[doc(alias = "bpf_program__set_log_buf")]
    pub fn set_log_level(&mut self, level: u32) -> &mut Self {
        self.log_level = level;
        self
    }

    /// Whether it is loaded with the object; a `?` in front of the section name turns this off.
    #[doc(alias = "bpf_program__autoload")]
    pub fn autoload(&self) -> bool {
        self.autoload
    }

    /// Sets whether it is loaded with the object.
    #[doc(alias = "bpf_program__set_autoload")]
    pub fn set_autoload(&mut self, autoload: bool) -> &mut Self {
        self.autoload = autoload;
        self
    }

    /// Whether it is attached together with all programs.
    #[doc(alias = "bpf_program__autoattach")]
    pub fn autoattach(&self) -> bool {
        self.autoattach
    }

    /// Sets whether it is attached together with all programs.
    #[doc(alias = "bpf_program__set_autoattach")]
    pub fn set_autoattach(&mut self, autoattach: bool) -> &mut Self {
        self.autoattach = autoattach;
        self
    }

    /// Its attach target: as set by the caller, or what follows the first `/` in the section name; `None` if neither.
    pub fn attach_target(&self) -> Option<&str> {
        let from_section = || self.section.split_once('/').map(|(_, target)| target);
        let named = self.attach_target.as_deref().or_else(from_section);
        named.filter(|target| !target.is_empty())
    }

    /// Sets its attach target: a function, tracepoint or hook (`module:function` for one in a module), overriding its section
    /// name.
    ///
    /// # Errors
    /// An empty name.
    #[doc(alias = "bpf_program__set_attach_target")]
    pub fn set_attach_target(&mut self, target: impl Into<String>) -> Result<&mut Self> {
        let target = target.into();
        if target.is_empty() {
            let message = "an attach target must have a name";
            return Err(Error::new(ErrorKind::InvalidArgument, message)
                .context(format!("program `{}`", self.name)));
        }
        self.attach_target = Some(target);
        Ok(self)
    }
}
