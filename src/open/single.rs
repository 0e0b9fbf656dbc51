//! Objects that are made here, not read from a file: for experiments with one small program.

use super::{
    Function, FunctionLinkage, OpenObject, OpenProgram, Relocation, SectionDef, TokenSource,
};
use crate::SectionIndex;
use crate::btf::ByteOrder;
use crate::insn::Insn;

impl OpenObject {
    /// An object with nothing in it.
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
            variables: Vec::new(),
            kconfig_map: None,
            user_kconfig: String::new(),
            pin_root: None,
            arena_map: None,
            arena_data: Vec::new(),
            jump_tables: Vec::new(),
            btf_path: None,
            token: TokenSource::None,
        }
    }

    /// Adds an entry program that has a section of this name to itself.
    pub(crate) fn add_program(
        &mut self,
        name: &str,
        section: &str,
        insns: Vec<Insn>,
        relocations: Vec<Relocation>,
    ) {
        /// Beyond those that a test may have given to `.text` and the like.
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
            kind: def.map(|def| def.program_type).unwrap_or_default(),
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
