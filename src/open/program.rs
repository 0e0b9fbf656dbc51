//! Looking at an entry program, and changing it before it is loaded.

use super::{OpenObject, OpenProgram, SectionDef};
use crate::insn::Insn;
use crate::kinds::{AttachType, ProgramFlags, ProgramType};
use crate::{Error, ErrorKind, Result, did_you_mean};

impl OpenObject {
    /// The entry program of this name.
    ///
    /// # Errors
    /// There is none; the message lists the nearest names.
    #[doc(alias = "bpf_object__find_program_by_name")]
    pub fn program(&self, name: &str) -> Result<&OpenProgram> {
        let index = self.program_index(name)?;
        self.programs
            .get(index)
            .ok_or_else(|| self.no_program(name))
    }

    /// The entry program of this name, to be changed.
    ///
    /// # Errors
    /// There is none; the message lists the nearest names.
    pub fn program_mut(&mut self, name: &str) -> Result<&mut OpenProgram> {
        let index = self.program_index(name)?;
        let missing = self.no_program(name);
        self.programs.get_mut(index).ok_or(missing)
    }

    /// All entry programs, to be changed.
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

    /// The instructions of an entry program as the file has them, without the subprograms that it calls.
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

    /// What its section's name says about it; `None` if that is no name libbpf knows, or after the type was changed.
    pub fn def(&self) -> Option<&'static SectionDef> {
        self.def
    }

    /// Its type; [`ProgramType::UNSPEC`] if the section's name does not say.
    #[doc(alias = "bpf_program__type")]
    pub fn kind(&self) -> ProgramType {
        self.kind
    }

    /// Changes its type. Another type than before voids what the section's name said about loading and attaching.
    #[doc(alias = "bpf_program__set_type")]
    pub fn set_kind(&mut self, kind: ProgramType) -> &mut Self {
        if self.kind != kind {
            self.kind = kind;
            self.def = None;
        }
        self
    }

    /// What it is to be attached to.
    #[doc(alias = "bpf_program__expected_attach_type")]
    pub fn attach_type(&self) -> AttachType {
        self.attach_type
    }

    /// Changes what it is to be attached to.
    #[doc(alias = "bpf_program__set_expected_attach_type")]
    pub fn set_attach_type(&mut self, attach_type: AttachType) -> &mut Self {
        self.attach_type = attach_type;
        self
    }

    /// The flags that the caller set. Those that the section's name implies are added when the program is loaded.
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

    /// Says which network interface an XDP or tc program is for.
    ///
    /// With [`ProgramFlags::XDP_DEV_BOUND_ONLY`] (since Linux 6.3) the CPU runs it as any other, and it may call the kfuncs that
    /// read a packet's metadata, such as `bpf_xdp_metadata_rx_hash`; it can be attached to that interface only, and not in
    /// generic mode. Without the flag the network card itself is to run it, which few can.
    #[doc(alias = "bpf_program__set_ifindex")]
    #[doc(alias = "prog_ifindex")]
    pub fn set_ifindex(&mut self, ifindex: u32) -> &mut Self {
        self.ifindex = ifindex;
        self
    }

    /// The level of the verifier's log for this program; 0 unless set.
    #[doc(alias = "bpf_program__log_level")]
    pub fn log_level(&self) -> u32 {
        self.log_level
    }

    /// Asks for the verifier's log of this program, whatever becomes of it, at a level of its own (see
    /// [`LoadOptions::log_level`](crate::load::LoadOptions::log_level), which is for all programs; 0 leaves it to that).
    /// [`Program::verifier_log`](crate::program::Program::verifier_log) has the log; how much of it is kept says
    /// [`LoadOptions::log_limit`](crate::load::LoadOptions::log_limit).
    #[doc(alias = "bpf_program__set_log_level")]
    #[doc(alias = "bpf_program__set_log_buf")]
    pub fn set_log_level(&mut self, level: u32) -> &mut Self {
        self.log_level = level;
        self
    }

    /// Whether it is loaded with the object; a `?` before the section's name turns this off.
    #[doc(alias = "bpf_program__autoload")]
    pub fn autoload(&self) -> bool {
        self.autoload
    }

    /// Says whether it is loaded with the object.
    #[doc(alias = "bpf_program__set_autoload")]
    pub fn set_autoload(&mut self, autoload: bool) -> &mut Self {
        self.autoload = autoload;
        self
    }

    /// Whether it is attached when all programs are.
    #[doc(alias = "bpf_program__autoattach")]
    pub fn autoattach(&self) -> bool {
        self.autoattach
    }

    /// Says whether it is attached when all programs are.
    #[doc(alias = "bpf_program__set_autoattach")]
    pub fn set_autoattach(&mut self, autoattach: bool) -> &mut Self {
        self.autoattach = autoattach;
        self
    }

    /// What it attaches to: what the caller said, or what follows the first `/` in the section's name; `None` if nothing does.
    pub fn attach_target(&self) -> Option<&str> {
        let from_section = || self.section.split_once('/').map(|(_, target)| target);
        let named = self.attach_target.as_deref().or_else(from_section);
        named.filter(|target| !target.is_empty())
    }

    /// Says which function (or tracepoint, or hook; `module:function` for one of a module) it is checked against, instead of
    /// what its section's name says.
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
