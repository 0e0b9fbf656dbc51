//! An object's CO-RE relocations as recorded in the object.

use super::{Extern, ExternKind, OpenObject};
use crate::btf::{BtfExt, CoreRelo};
use crate::insn::INSN_SIZE;
use crate::{SectionIndex, TypeId};
use std::collections::HashMap;

/// A CO-RE relocation, before it is resolved. Returned by [`OpenObject::core_relocations`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias = "bpf_core_relo")]
pub struct CoreRelocation<'o> {
    /// The name of the section that it is in.
    pub section: &'o str,
    /// The function that it is in; `None` for code outside of all functions.
    pub function: Option<&'o str>,
    /// The index of the instruction in the function (or the section).
    pub insn: usize,
    /// The kind of relocation: 0 for a field's offset, 1 for its size, ... 12 for whether types match.
    pub kind: u32,
    /// The type in the object that the relocation applies to.
    pub type_id: TypeId,
    /// That type's name; empty if it has none.
    pub type_name: &'o str,
    /// The path into the type, as indexes: `0:1:2`.
    pub access: &'o str,
}

impl OpenObject {
    /// The CO-RE relocations of all sections, in the order of the file.
    pub fn core_relocations(&self) -> impl Iterator<Item = CoreRelocation<'_>> {
        let mut sections: HashMap<&str, SectionIndex> = HashMap::new();
        for function in &self.functions {
            sections
                .entry(&function.section_name)
                .or_insert(function.section);
        }
        let groups = self.btf_ext.iter().flat_map(BtfExt::core_relo);
        groups.flat_map(move |group| {
            let name = self
                .btf
                .as_ref()
                .and_then(|b| b.section_name_at(group.section_name_off));
            let name = name.unwrap_or_default();
            let section = sections.get(name).copied();
            group
                .core_relos()
                .map(move |relo| self.core_relocation(name, section, relo))
        })
    }

    fn core_relocation<'o>(
        &'o self,
        section: &'o str,
        index: Option<SectionIndex>,
        relo: CoreRelo,
    ) -> CoreRelocation<'o> {
        let insn = usize::try_from(relo.insn_off).unwrap_or(usize::MAX) / INSN_SIZE;
        let at = index.and_then(|section| self.function_at(section, insn));
        let function = at.and_then(|at| self.functions.get(at.index));
        let btf = self.btf.as_ref();
        let ty = btf.and_then(|btf| btf.get(relo.type_id).ok());
        CoreRelocation {
            section,
            function: function.map(|function| function.name.as_str()),
            insn: at.map_or(insn, |at| at.insn),
            kind: relo.kind,
            type_id: relo.type_id,
            type_name: ty.map(|ty| ty.name()).unwrap_or_default(),
            access: btf
                .and_then(|btf| btf.str_at(relo.access_str_off))
                .unwrap_or_default(),
        }
    }
}

impl Extern {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is optional (weak).
    pub fn is_weak(&self) -> bool {
        self.weak
    }

    /// What it is.
    pub fn kind(&self) -> ExternKind {
        self.kind
    }

    /// What it was declared as, without qualifiers and typedefs: a type, or a function's prototype; `void` for a kernel
    /// symbol without a type.
    pub fn declared_type(&self) -> TypeId {
        self.declared_type
    }
}
