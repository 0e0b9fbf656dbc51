//! Objects created from instructions instead of a file.

use super::{
    Function, FunctionLinkage, OpenObject, OpenProgram, Relocation, SectionDef, TokenSource,
};
use crate::SectionIndex;
use crate::ids::ByteOrder;
use crate::insn::Insn;
use std::sync::Arc;

impl OpenObject {
    /// An object with a single program of these instructions, which need no compiler. The section name determines its type
    /// and target, as for a program in a file: `fentry/vfs_read`. It is edited and loaded like any other object.
    ///
    /// Instructions refer to existing maps by file descriptor ([`pseudo::MAP_FD`](crate::insn::pseudo::MAP_FD)), which must
    /// stay open until the object is loaded. The license is GPL unless it is [set](Self::set_license).
    ///
    /// ```no_run
    /// use rawbpf::OpenObject;
    /// use rawbpf::insn::{Insn, class};
    ///
    /// let insns = vec![
    ///     Insn::new(class::ALU64 | 0xb0, 0, 0, 0, 2), // r0 = 2 (XDP_PASS)
    ///     Insn::new(Insn::EXIT, 0, 0, 0, 0),
    /// ];
    /// let object = OpenObject::from_instructions("pass", "xdp", insns).load()?;
    /// let program = object.program("pass")?;
    /// # Ok::<(), rawbpf::Error>(())
    /// ```
    #[doc(alias = "bpf_prog_load")]
    pub fn from_instructions(name: &str, section: &str, insns: Vec<Insn>) -> Self {
        let mut object = Self::empty(name);
        object.add_program(name, section, insns, Vec::new());
        object
    }

    /// Sets the license, which determines the helpers that the kernel lets programs call.
    pub fn set_license(&mut self, license: impl Into<String>) -> &mut Self {
        self.license = license.into();
        self
    }

    /// An empty object.
    pub(crate) fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            path: None,
            license: "GPL".to_owned(),
            kernel_version: None,
            byte_order: ByteOrder::Native,
            btf: None,
            btf_ext: None,
            functions: Vec::new(),
            code_without_functions: Vec::new(),
            text_section: None,
            programs: Vec::new(),
            maps: Vec::new(),
            externs: Vec::new(),
            variables: Arc::default(),
            kconfig_map: None,
            user_kconfig: String::new(),
            pin_root: None,
            arena_map: None,
            arena_data: Vec::new(),
            jump_tables: Vec::new(),
            btf_path: None,
            token: TokenSource::None,
            alternatives: Vec::new(),
        }
    }

    /// Adds an entry program in a separate section with this name.
    pub(crate) fn add_program(
        &mut self,
        name: &str,
        section: &str,
        insns: Vec<Insn>,
        relocations: Vec<Relocation>,
    ) {
        /// Higher than those that a test may have assigned to `.text` and the like.
        const FIRST: u32 = 10;
        let function = self.functions.len();
        let number = u32::try_from(function).unwrap_or(u32::MAX);
        self.functions.push(Function {
            name: name.to_owned(),
            section: SectionIndex(number.saturating_add(FIRST)),
            section_name: section.to_owned(),
            offset: 0,
            insns,
            relocations,
            linkage: FunctionLinkage::Global,
        });
        let def = SectionDef::find(section);
        self.programs.push(OpenProgram {
            function,
            name: name.to_owned(),
            section: section.to_owned(),
            def,
            kind: def.map(|def| def.kind).unwrap_or_default(),
            attach_type: def.map(|def| def.attach_type).unwrap_or_default(),
            flags: 0,
            autoload: true,
            autoattach: true,
            attach_target: None,
            attach_program: None,
            log_level: 0,
            ifindex: 0,
        });
    }
}
