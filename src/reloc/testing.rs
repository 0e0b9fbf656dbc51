//! Handmade objects and kernels for the tests of this room.

use super::offline::OfflineKernel;
use super::target::{KernelSource, ModuleBtf, Target};
use crate::btf::{Btf, BtfBuilder, Linkage, Param};
use crate::feature::Feature;
use crate::insn::Insn;
use crate::open::{
    Extern, ExternKind, Function, FunctionLinkage, OpenObject, RelocKind, Relocation,
};
use crate::symbols::{Addresses, KernelSymbol};
use crate::{KernelVersion, Result, SectionIndex, TypeId};
use std::sync::Arc;

/// The section of subprograms.
pub(super) const TEXT: SectionIndex = SectionIndex(1);

/// An object with nothing but a section `.text`.
pub(super) fn object() -> OpenObject {
    OpenObject {
        text_section: Some(TEXT),
        ..OpenObject::empty("test")
    }
}

/// A global function of `.text`.
pub(super) fn subprogram(name: &str, offset: usize, insns: Vec<Insn>) -> Function {
    Function {
        name: name.to_string(),
        section: TEXT,
        section_name: ".text".to_string(),
        offset,
        insns,
        relocations: Vec::new(),
        linkage: FunctionLinkage::Global,
    }
}

/// Adds an entry program in a separate section, and returns its index.
pub(super) fn add_program(
    object: &mut OpenObject,
    section: &str,
    insns: Vec<Insn>,
    relocations: &[(usize, RelocKind)],
) -> usize {
    let name = format!("program_{}", object.functions.len() + 10);
    let relocations = relocations
        .iter()
        .map(|(insn, kind)| Relocation {
            insn: *insn,
            kind: *kind,
        })
        .collect();
    object.add_program(&name, section, insns, relocations);
    object.programs.len() - 1
}

/// An extern with this name, declared as `declared_type`.
pub(super) fn an_extern(name: &str, kind: ExternKind, declared_type: TypeId) -> Extern {
    Extern {
        name: name.to_string(),
        weak: false,
        declared_type,
        kind,
    }
}

/// `r0 = 0`
pub(super) fn nop() -> Insn {
    Insn::new(0xb7, 0, 0, 0, 0)
}

/// `exit`
pub(super) fn exit() -> Insn {
    Insn::new(Insn::EXIT, 0, 0, 0, 0)
}

/// A call to another function, as clang writes it.
pub(super) fn call(imm: i32) -> Insn {
    Insn::new(Insn::CALL, 0, 1, 0, imm)
}

/// A 64-bit immediate load.
pub(super) fn load(src: u8, imm: i32) -> [Insn; 2] {
    [Insn::new(Insn::LD_IMM64, 1, src, 0, imm), Insn::default()]
}

/// The types that `build` creates, parsed.
pub(super) fn btf(build: impl FnOnce(&mut BtfBuilder)) -> Btf<'static> {
    let mut editor = BtfBuilder::new();
    build(&mut editor);
    editor.build().unwrap()
}

/// A kernel of this version with these types.
pub(super) fn kernel(version: KernelVersion, build: impl FnOnce(&mut BtfBuilder)) -> Target {
    Target::offline(OfflineKernel {
        name: "test".to_string(),
        btf: Some(btf(build).bytes().to_vec()),
        version: Some(version),
        ..OfflineKernel::default()
    })
}

/// The newest kernel, without types.
pub(super) fn newest() -> Target {
    Target::offline(OfflineKernel::default())
}

/// Adds a function without parameters, and returns its type id.
pub(super) fn add_function(editor: &mut BtfBuilder, name: &str, linkage: Linkage) -> TypeId {
    let proto = editor.add_func_proto(TypeId::VOID, Param::NONE);
    editor.add_func(name, linkage, proto)
}

/// A kernel that has symbols, but nothing else.
#[derive(Debug)]
pub(super) struct Symbols(pub(super) Vec<(u64, char, &'static str)>);

impl KernelSource for Symbols {
    fn name(&self) -> String {
        "symbols".to_string()
    }

    fn vmlinux_btf(&self) -> Result<Btf<'static>> {
        Ok(btf(|_| {}))
    }

    fn module_btfs(&self, _: &Arc<Btf<'static>>) -> Result<Vec<ModuleBtf>> {
        Ok(Vec::new())
    }

    fn version(&self) -> Result<KernelVersion> {
        Ok(KernelVersion::new(6, 1, 0))
    }

    fn kconfig(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn kallsyms(&self, visit: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<Addresses> {
        let mut told = None;
        for (address, letter, name) in &self.0 {
            Addresses::note(&mut told, *address);
            visit(KernelSymbol {
                address: *address,
                letter: *letter,
                name,
                module: None,
            });
        }
        Ok(told.unwrap_or(Addresses::Told))
    }

    fn possible_cpus(&self) -> Result<u32> {
        Ok(8)
    }

    fn page_size(&self) -> u32 {
        4096
    }

    fn supports(&self, _: Feature) -> bool {
        true
    }
}
